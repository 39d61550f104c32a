"""Source text for one experiment: what is known of it replaces the names that stand for it."""

import ast
import builtins
import copy
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, Protocol

import torch

from stability.script.folding import Folder, literal
from stability.script.sources import (
    NotPlain,
    default_values,
    local_names,
    parameters,
    plain_function,
    single_expression,
    syntax,
)

MODULES = {"math": math, "torch": torch}  # that a program may import
MISSING = object()


class Home(Protocol):
    """The program into which functions and constants are taken over."""

    def function(self, function: Callable[..., Any], /, **known: Any) -> str: ...

    def specialized(self, function: FunctionType, known: Mapping[str, Any]) -> ast.expr: ...

    def constant(self, name: str, module: str) -> None: ...


class Specializer(ast.NodeTransformer):
    """Rewrites the statements of one function whose arguments are known in part.

    `values` are known by name: plain values, expressions, or records such as a Layer, whose
    attributes are looked up. Whatever else the function uses is taken over into the program.
    """

    def __init__(
        self, home: Home, values: Mapping[str, Any], names: Mapping[str, Any], local: frozenset[str]
    ) -> None:
        self.home, self.values, self.names, self.local = home, values, names, local

    # What is known

    def known(self, node: ast.expr) -> Any:
        """Return the value, record or expression that a name or an attribute stands for."""
        if isinstance(node, ast.Name):
            return self.values.get(node.id, MISSING)
        if not isinstance(node, ast.Attribute):
            return MISSING
        owner = self.known(node.value)
        if owner is MISSING or literal(owner) is not None:
            return MISSING
        member = getattr(type(owner), node.attr, None)
        if isinstance(member, cached_property):
            return self.inlined(plain_function(member.func), {"self": owner})
        if isinstance(member, property):
            assert member.fget
            return self.inlined(plain_function(member.fget), {"self": owner})
        return getattr(owner, node.attr)

    def is_record(self, node: ast.expr) -> bool:
        value = self.known(node)
        return value is not MISSING and literal(value) is None

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if (known := literal(self.known(node))) is not None:
            return copy.deepcopy(known)
        if isinstance(node.ctx, ast.Load) and node.id not in self.local:
            if self.names.get(node.id) is torch.Tensor:
                return ast.Attribute(ast.Name("torch"), "Tensor")
            self.take_over(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if (known := literal(self.known(node))) is not None:
            return copy.deepcopy(known)
        self.generic_visit(node)
        return node

    def take_over(self, name: str) -> None:
        """Take a global name of the function over into the program."""
        value = self.names.get(name, MISSING)
        if isinstance(value, FunctionType) and value.__module__.startswith("stability."):
            self.home.function(value)
        elif isinstance(value, (int, float, str, tuple)):
            self.home.constant(name, self.names["__name__"])
        elif isinstance(value, ModuleType):
            if MODULES.get(name) is not value:
                raise NotPlain(f"{name} is not imported by a program")
        elif value is not MISSING or not hasattr(builtins, name):
            raise NotPlain(f"{name} is no function of this library")

    # Calls

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function, owner = self.function_of(node.func)
        if function is None:
            self.generic_visit(node)
            node.args = spread(node.args)
            return node
        if owner is not MISSING or any(map(self.is_record, node.args)):
            return self.inlined(function, self.bound(function, owner, node))
        return self.plain_call(node, function)

    def function_of(self, node: ast.expr) -> tuple[FunctionType | None, Any]:
        """Return the function of this library that is called, and the record whose method it is."""
        if isinstance(node, ast.Attribute) and self.is_record(node.value):
            owner = self.known(node.value)
            member = getattr(type(owner), node.attr)
            return (member, owner) if isinstance(member, FunctionType) else (None, MISSING)
        value = self.names.get(node.id) if isinstance(node, ast.Name) else None
        own = isinstance(value, FunctionType) and value.__module__.startswith("stability.")
        return (value if own else None), MISSING

    def bound(self, function: FunctionType, owner: Any, node: ast.Call) -> dict[str, Any]:
        """Return the arguments of a call by parameter."""
        definition = syntax(function)
        given = [] if owner is MISSING else [owner]
        given += [self.argument(each) for each in node.args]
        found: dict[str, Any] = dict(default_values(definition))
        found |= dict(zip(parameters(definition), given, strict=False))
        return found | {str(each.arg): self.argument(each.value) for each in node.keywords}

    def argument(self, node: ast.expr) -> Any:
        return self.known(node) if self.is_record(node) else Folder().visit(self.visit(node))

    def inlined(self, function: FunctionType, values: Mapping[str, Any]) -> ast.expr:
        """Return what a function of one expression returns; a longer one is taken over."""
        definition = syntax(function)
        if (body := single_expression(definition)) is None:
            return self.home.specialized(function, values)
        inner = Specializer(self.home, values, function.__globals__, local_names(definition))
        found: ast.expr = Folder().visit(inner.visit(copy.deepcopy(body)))
        return found

    def plain_call(self, node: ast.Call, function: FunctionType) -> ast.expr:
        """Return a call of a function that is taken over, without arguments equal to defaults."""
        self.generic_visit(node)
        node.args = spread(node.args)
        self.home.function(function)
        definition = syntax(function)
        defaults = default_values(definition)
        args: list[ast.expr] = []
        keywords: list[ast.keyword] = []
        for name, value in zip(parameters(definition), node.args, strict=False):
            if name in defaults and ast.dump(defaults[name]) == ast.dump(value):
                continue
            if len(args) < parameters(definition).index(name):
                keywords.append(ast.keyword(name, value))
            else:
                args.append(value)
        node.args = [*args, *node.args[len(parameters(definition)) :]]
        node.keywords = [*keywords, *node.keywords]
        return node

    # Statements

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        assert node.value is not None
        return ast.Assign([node.target], self.visit(node.value))


def spread(args: list[ast.expr]) -> list[ast.expr]:
    """Return arguments with those of a starred tuple one by one."""
    found: list[ast.expr] = []
    for each in args:
        if isinstance(each, ast.Starred) and isinstance(each.value, ast.Tuple):
            found += each.value.elts
        else:
            found.append(each)
    return found
