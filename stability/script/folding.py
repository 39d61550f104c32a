"""Expressions whose value is known before a program runs, replaced by that value."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import torch

OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.Not: operator.not_,
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
CALLS: dict[str, Callable[..., Any]] = {
    "int": int, "float": float, "min": min, "max": max, "math.sqrt": math.sqrt,
}  # fmt: skip


def literal(value: Any) -> ast.expr | None:
    """Return the expression that stands for a value; None for one that has no short spelling."""
    if isinstance(value, ast.expr):
        return value
    if value is None or isinstance(value, (bool, int, float, str)):
        return ast.Constant(value)
    if isinstance(value, torch.dtype):
        return ast.parse(str(value), mode="eval").body
    return None


class Folder(ast.NodeTransformer):
    """Computes what is known; 1 x becomes x, and an `if` of a known condition one branch."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return self._computed(node, OPERATORS.get(type(node.op)), node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult):
            for known, other in ((node.left, node.right), (node.right, node.left)):
                if isinstance(known, ast.Constant) and known.value in (0, 1):
                    return other if known.value else known
        return self._computed(node, OPERATORS.get(type(node.op)), node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        operands = node.left, *node.comparators
        return self._computed(node, OPERATORS.get(type(node.ops[0])), *operands)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        return self._computed(node, CALLS.get(ast.unparse(node.func)), *node.args)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node

    @staticmethod
    def _computed(
        node: ast.expr, operation: Callable[..., Any] | None, *operands: ast.expr
    ) -> ast.expr:
        if operation is None or not all(isinstance(one, ast.Constant) for one in operands):
            return node
        try:
            return ast.Constant(operation(*(one.value for one in operands)))  # type: ignore[attr-defined]
        except ArithmeticError:
            return node
