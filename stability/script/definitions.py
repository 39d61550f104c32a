"""The functions and constants that a program takes over from this library, as source text.

A function is taken as it is written here, without annotations and with the first sentence of its
docstring. What is known of the experiment, such as a slope or a number of layers, is written in
its place, and what follows from that is computed. So a program cannot drift from the engine.
"""

import ast
import copy
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from stability.script.folding import Folder
from stability.script.sources import (
    NotPlain,
    default_values,
    local_names,
    parameters,
    parsed,
    plain_function,
    statements,
    syntax,
    unparsed,
)
from stability.script.specializing import Specializer

Fixed = Mapping[str, set[str]]  # by function, the parameters that no caller of the program passes


class Definitions:
    """All that one program needs, each thing after those that it needs itself.

    Parameters in `fixed` are replaced by their defaults.
    """

    def __init__(self, fixed: Fixed) -> None:
        self.fixed = fixed
        self.constants: dict[str, str] = {}
        self.functions: dict[str, str] = {}

    def expression(self, function: Callable[..., Any], *arguments: Any) -> str:
        """Return what a function returns for these arguments, as text."""
        function = plain_function(function)
        values = dict(zip(parameters(syntax(function)), arguments, strict=True))
        return unparsed(Specializer(self, {}, {}, frozenset()).inlined(function, values))

    def attribute(self, record: Any, name: str) -> str:
        """Return what an attribute of a record is, as text."""
        node = ast.Attribute(ast.Name("_0"), name)
        return unparsed(Specializer(self, {"_0": record}, {}, frozenset()).visit(node))

    def function(self, function: Callable[..., Any], /, **known: Any) -> str:
        """Take a function over, with these arguments known, and return its name."""
        function = plain_function(function)
        node = syntax(function)
        assert isinstance(node, ast.FunctionDef)
        name = node.name
        if name not in self.functions:
            self.functions[name] = ""  # a function may call itself
            defaults = default_values(node)
            known |= {each: defaults[each] for each in self.fixed.get(name, ())}
            body = self._body(function, node, known)
            given = [each for each in parameters(node) if each not in known]
            if node.args.vararg:
                given.append(f"*{node.args.vararg.arg}")
            given = [f"{p}={unparsed(defaults[p])}" if p in defaults else p for p in given]
            self._define(name, given, node, body)
        return name

    def specialized(self, function: FunctionType, known: Mapping[str, Any]) -> ast.expr:
        """Take a function over for known arguments, and return a call by what stays unknown."""
        node = syntax(function)
        assert isinstance(node, ast.FunctionDef)
        body = self._body(function, node, known)
        found = {name.id for name in ast.walk(ast.parse("\n".join(body))) if type(name) is ast.Name}
        given = [name for name in ("index", "fan_out", "fan_in") if name in found]
        self._define(node.name, given, node, body)
        return ast.Call(ast.Name(node.name), [ast.Name(name) for name in given], [])

    def _define(self, name: str, given: list[str], node: ast.FunctionDef, body: list[str]) -> None:
        words = (ast.get_docstring(node) or "").partition("\n")[0]
        docstring = [f'"""{words}"""'] if words else []
        lines = [f"    {line}" if line else "" for line in [*docstring, *body]]
        self.functions.pop(name, None)  # after those that it uses
        self.functions[name] = "\n".join([f"def {name}({', '.join(given)}):", *lines])

    def _body(
        self, function: FunctionType, node: ast.FunctionDef, known: Mapping[str, Any]
    ) -> list[str]:
        """Return the lines of a function's statements; those that stay the same as written."""
        lines, _ = parsed(function.__code__.co_filename)
        closure = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        values = {name: cell.cell_contents for name, cell in closure} | dict(known)
        writer = Specializer(self, values, function.__globals__, local_names(node))
        found: list[str] = []
        for before in statements(node):
            after = writer.visit(copy.deepcopy(before))
            after = Folder().visit(after) if values else after
            if isinstance(after, ast.AST) and ast.dump(after) == ast.dump(before):
                indent = before.col_offset
                found += [line[indent:] for line in lines[before.lineno - 1 : before.end_lineno]]
            else:
                changed = after if isinstance(after, list) else [after]
                found += [line for each in changed for line in unparsed(each).splitlines()]
        return found

    def constant(self, name: str, module: str) -> None:
        """Take a constant of a module over as it is written there."""
        path = sys.modules[module].__file__
        assert path
        lines, tree = parsed(path)
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                self.constants[name] = text.partition("  # fmt: skip")[0]
                return
        raise NotPlain(f"{name} is no constant of {path}")
