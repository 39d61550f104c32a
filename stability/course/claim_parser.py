"""Read a claim, such as `loss[he_normal][end] < 0.1 * guessing`.

A claim is spelled like Python and parsed by Python's own parser, but never run: what is not named
here is refused with its column. Allowed are comparisons (<, <=, >, >=, ==; chained as in Python)
joined by `and`; +, -, *, /, brackets, abs() and log10(); numbers; and names, each followed by
indices in square brackets, which are plain text: `signal[normal:0.2][first]`.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from stability.text import parse_number, quote

COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[..., Any]]] = {
    ast.Lt: ("<", np.less),
    ast.LtE: ("≤", np.less_equal),
    ast.Gt: (">", np.greater),
    ast.GtE: ("≥", np.greater_equal),
    ast.Eq: ("=", np.equal),
}
OPERATORS: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": np.abs, "log10": np.log10}
LEGAL_SIDE = "a number, a name, abs(), log10(), or these with + - * /"
MAX_NESTING = 30  # operations within one another: nobody could read more


@dataclass(frozen=True)
class IndexText:
    """The text between two square brackets; `column` counts from 1."""

    text: str
    column: int = field(compare=False)


@dataclass(frozen=True)
class Quantity:
    """A name with its indices as they are written; `column` counts from 1."""

    name: str
    indices: tuple[IndexText, ...]
    column: int = field(compare=False)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Sides with a comparison between each two neighbours, as nodes of the tree of `source`."""

    source: str  # one line
    node: ast.Compare
    quantities: tuple[Quantity, ...]  # from left to right

    @property
    def sides(self) -> list[ast.expr]:
        return [self.node.left, *self.node.comparators]

    def holds(self, value_of: Callable[[Quantity], Any]) -> NDArray[np.bool_]:
        """Return where the whole chain is true, `value_of` giving the numbers of a quantity.

        A comparison with NaN is false.
        """
        with np.errstate(all="ignore"):
            values = [self.evaluate(side, value_of) for side in self.sides]
        pairs = zip(self.node.ops, pairwise(values), strict=True)
        links = [COMPARISONS[type(operator)][1](*pair) for operator, pair in pairs]
        return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*links)))

    def evaluate(self, node: ast.expr, value_of: Callable[[Quantity], Any]) -> Any:
        """Return the value of a side or of a part of it."""
        match node:
            case ast.Constant():
                return np.float64(segment_of(self.source, node))
            case ast.UnaryOp(_, operand):
                return np.negative(self.evaluate(operand, value_of))
            case ast.Call(ast.Name(name), [argument]):
                return FUNCTIONS[name](self.evaluate(argument, value_of))
            case ast.BinOp(left, operator, right):
                values = self.evaluate(left, value_of), self.evaluate(right, value_of)
                return OPERATORS[type(operator)](*values)
        return value_of(quantity_of(self.source, node))

    def in_words(self, phrase_of: Callable[[Quantity], str], total_of: Callable[..., str]) -> str:
        """Return the comparison for people.

        `phrase_of(quantity)` says it with its number, and `total_of(side)` the value of a side,
        which is added where the reader would have to calculate.
        """
        words = []
        for side in self.sides:
            unsigned = side
            while isinstance(unsigned, ast.UnaryOp):
                unsigned = unsigned.operand
            calculated = isinstance(unsigned, ast.BinOp | ast.Call)
            total = f" (= {total_of(side)})" if calculated else ""
            words.append(self.side_in_words(side, phrase_of) + total)
        signs = [COMPARISONS[type(operator)][0] for operator in self.node.ops]
        rest = (f" {sign} {side}" for sign, side in zip(signs, words[1:], strict=True))
        return words[0] + "".join(rest)

    def side_in_words(self, side: ast.expr, phrase_of: Callable[[Quantity], str]) -> str:
        """Return a side with phrases for its quantities, in brackets where Python needs them."""
        phrases: list[str] = []

        def with_placeholders(node: ast.expr) -> ast.expr:
            match node:
                case ast.UnaryOp(sign, operand):
                    return ast.UnaryOp(sign, with_placeholders(operand))
                case ast.Call(function, [argument]):
                    return ast.Call(function, [with_placeholders(argument)], [])
                case ast.BinOp(left, operator, right):
                    return ast.BinOp(with_placeholders(left), operator, with_placeholders(right))
                case ast.Constant():
                    phrases.append(segment_of(self.source, node).replace("-", "−"))
                case _:
                    phrases.append(phrase_of(quantity_of(self.source, node)))
            return ast.Name(f"_{len(phrases) - 1}_")

        text = ast.unparse(with_placeholders(side)).replace("*", "×").replace("-", "−")
        return re.sub(r"_(\d+)_", lambda found: phrases[int(found[1])], text)


def parse_comparisons(text: str) -> tuple[Comparison, ...]:
    """Read a claim. ValueError names the column, and what may stand there."""
    source = re.sub(r"\s", " ", text).strip()
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"column {error.offset or len(source) + 1}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or far too deep
        raise ValueError(f"column 1: this cannot be parsed ({error})") from None
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return tuple(checked_comparison(source, node) for node in tree.values)
    return (checked_comparison(source, tree),)


def checked_comparison(source: str, node: ast.expr) -> Comparison:
    """Return the comparison of a node. ValueError with the column of what is not allowed."""
    if not isinstance(node, ast.Compare):
        refuse(source, node, "a comparison with < <= > >= or ==")
    for operator, side in zip(node.ops, node.comparators, strict=True):
        if type(operator) not in COMPARISONS:
            refuse(source, side, "a side compared by < <= > >= or ==")
    quantities = [q for side in (node.left, *node.comparators) for q in check(source, side)]
    return Comparison(source, node, tuple(quantities))


def check(source: str, node: ast.expr, depth: int = 1) -> list[Quantity]:
    """Return the quantities of a side. ValueError with the column of what is not allowed there."""
    if depth > MAX_NESTING:
        column = column_of(source, node)
        raise ValueError(f"column {column}: at most {MAX_NESTING} operations within one another")
    match node:
        case ast.Constant(value) if type(value) in (int, float):
            if np.isnan(parse_number(segment_of(source, node))):
                refuse(source, node, "a finite decimal number")
            return []
        case ast.UnaryOp(ast.USub(), operand):
            return check(source, operand, depth + 1)
        case ast.Call(ast.Name(name), [argument], []) if name in FUNCTIONS:
            return check(source, argument, depth + 1)
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            return check(source, left, depth + 1) + check(source, right, depth + 1)
    return [quantity_of(source, node)]


def quantity_of(source: str, node: ast.expr) -> Quantity:
    """Return the quantity of a node. ValueError with the column where it is none."""
    indices: list[IndexText] = []
    while isinstance(node, ast.Subscript):
        text = segment_of(source, node.slice).strip()
        indices.insert(0, IndexText(text, column_of(source, node.slice)))
        node = node.value
    if not isinstance(node, ast.Name) or node.id in FUNCTIONS:
        refuse(source, node, LEGAL_SIDE)
    return Quantity(node.id, tuple(indices), column_of(source, node))


def segment_of(source: str, node: ast.expr) -> str:
    """The text from which a node was parsed."""
    return ast.get_source_segment(source, node) or ""


def column_of(source: str, node: ast.expr) -> int:
    """The column of a node, from 1."""
    return len(source.encode()[: node.col_offset].decode()) + 1  # col_offset counts bytes


def refuse(source: str, node: ast.expr, legal: str) -> NoReturn:
    """Raise a ValueError with the column of a node, and what is legal in its place."""
    found = quote(segment_of(source, node))
    raise ValueError(f"column {column_of(source, node)}: {legal} must stand here, not {found}")
