"""The syntax of a function in its file, and text made of syntax."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any


class NotPlain(Exception):  # noqa: N818
    """Raised where a function needs more than torch and math, such as a numerical table."""


def plain_function(function: Callable[..., Any]) -> FunctionType:
    """Return a function that is written in Python. NotPlain for any other."""
    if not isinstance(function, FunctionType):
        raise NotPlain(f"{function!r} is not written in Python")
    return function


@cache
def parsed(path: str) -> tuple[list[str], ast.Module]:
    text = Path(path).read_text(encoding="utf-8")
    return text.splitlines(), ast.parse(text)


@cache
def definitions_in(path: str) -> list[ast.FunctionDef | ast.Lambda]:
    """Return all functions and lambdas of a file."""
    nodes = ast.walk(parsed(path)[1])
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.Lambda)]


def syntax(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """Return the definition of a function in its file."""
    code = function.__code__
    spans = list(code.co_positions())
    for node in definitions_in(code.co_filename):
        if isinstance(node, ast.FunctionDef):
            starts = {node.lineno, *(decorator.lineno for decorator in node.decorator_list)}
            if node.name == code.co_name and code.co_firstlineno in starts:
                return node
        elif node.lineno == code.co_firstlineno:
            body = node.body
            span = body.lineno, body.end_lineno, body.col_offset, body.end_col_offset
            if span in spans:
                return node
    raise NotPlain(f"{function.__qualname__} has no source")


def statements(node: ast.FunctionDef | ast.Lambda) -> list[ast.stmt]:
    """Return the body without its docstring; a lambda's is a return."""
    if isinstance(node, ast.Lambda):
        return [ast.Return(node.body)]
    return node.body[1:] if ast.get_docstring(node) else node.body


def single_expression(node: ast.FunctionDef | ast.Lambda) -> ast.expr | None:
    """Return what a function of one return statement returns; None for any other."""
    body = statements(node)
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None


def unparsed(node: ast.AST) -> str:
    """Return source text with double quotes."""
    ast.fix_missing_locations(node)
    text = ast.unparse(node)
    return text if '"' in text else text.replace("'", '"')


def parameters(node: ast.FunctionDef | ast.Lambda) -> list[str]:
    return [each.arg for each in (*node.args.args, *node.args.kwonlyargs)]


def default_values(node: ast.FunctionDef | ast.Lambda) -> dict[str, ast.expr]:
    names = [each.arg for each in node.args.args]
    return dict(zip(reversed(names), reversed(node.args.defaults), strict=False))


def local_names(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Return the parameters of a function, and the names that it assigns."""
    stored = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }
    inner = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    return frozenset(stored | inner)
