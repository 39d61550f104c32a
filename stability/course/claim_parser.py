"""Read a claim, such as `loss[he_normal][end] < 0.1 * guessing`.

A claim is spelled like Python and parsed by Python's own parser; what is not named here is refused
with its column. Allowed are comparisons (<, <=, >, >=, ==; chained as in Python) joined by `and`;
+, -, *, /, brackets, abs() and log10(); numbers; and names, each followed by indices in square
brackets, which are plain text: `signal[normal:0.2][first]`.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from stability.i18n import _
from stability.text import parse_number, quote

COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[..., Any]]] = {
    ast.Lt: ("<", np.less),
    ast.LtE: ("≤", np.less_equal),
    ast.Gt: (">", np.greater),
    ast.GtE: ("≥", np.greater_equal),
    ast.Eq: ("=", np.equal),
}
OPERATORS = ast.Add, ast.Sub, ast.Mult, ast.Div
FUNCTIONS: dict[str, Callable[..., Any]] = {"abs": np.abs, "log10": np.log10}
LEGAL_SIDE = "a number, a name, abs(), log10(), or these with + - * /"
MAX_NESTING = 30  # operations within one another: nobody could read more


@dataclass(frozen=True)
class Quantity:
    """A name with the text of each of its indices; both with their columns, which count from 1."""

    name: str
    column: int
    indices: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    `formula` is Python in which _0_, _1_, ... stand for the `leaves`: numbers as they are written,
    and quantities. It holds nothing but these, OPERATORS, FUNCTIONS and brackets.
    """

    formula: str
    leaves: tuple[str | Quantity, ...]

    def value(self, value_of: Callable[[Quantity], Any]) -> Any:
        """Return the value of the side, `value_of` giving the numbers of a quantity."""
        numbers = {
            f"_{index}_": value_of(leaf) if isinstance(leaf, Quantity) else np.float64(leaf)
            for index, leaf in enumerate(self.leaves)
        }
        with np.errstate(all="ignore"):
            return eval(self.formula, {"__builtins__": {}, **FUNCTIONS}, numbers)

    def in_words(self, phrase_of: Callable[[Quantity], str]) -> str:
        """Return the side in words, `phrase_of` giving those of a quantity."""

        def leaf_in_words(placeholder: re.Match[str]) -> str:
            leaf = self.leaves[int(placeholder[1])]
            return phrase_of(leaf) if isinstance(leaf, Quantity) else leaf.replace("-", "−")

        text = self.formula.replace("*", "×").replace("-", "−")
        return re.sub(r"_(\d+)_", leaf_in_words, text)

    @property
    def is_calculated(self) -> bool:
        """True if there is more to it than a number or quantity and its sign."""
        return self.formula.lstrip("-") != "_0_"


@dataclass(frozen=True)
class Comparison:
    """Sides with a comparison, a row of COMPARISONS, between each two neighbours."""

    sides: tuple[Side, ...]
    comparisons: tuple[tuple[str, Callable[..., Any]], ...]

    @property
    def quantities(self) -> list[Quantity]:
        """All quantities, from left to right."""
        leaves = [leaf for side in self.sides for leaf in side.leaves]
        return [leaf for leaf in leaves if isinstance(leaf, Quantity)]

    def holds(self, value_of: Callable[[Quantity], Any]) -> NDArray[np.bool_]:
        """Return True where the whole chain is true. A comparison with NaN is false."""
        pairs = pairwise(side.value(value_of) for side in self.sides)
        links = [
            compare(*pair) for (_sign, compare), pair in zip(self.comparisons, pairs, strict=True)
        ]
        return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*links)))

    def in_words(
        self, phrase_of: Callable[[Quantity], str], total_of: Callable[[Side], str]
    ) -> str:
        """Return the comparison in words; `total_of` gives the value of a calculated side."""
        words = ""
        for (sign, _compare), side in zip([("", None), *self.comparisons], self.sides, strict=True):
            total = _(" (= {total})").format(total=total_of(side)) if side.is_calculated else ""
            words += f" {sign} {side.in_words(phrase_of)}{total}"
        return words.strip()


def parse_comparisons(text: str) -> tuple[Comparison, ...]:
    """Read a claim. ValueError names the column, and what may stand there."""
    source, tree = parse_expression(text)
    nodes = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    return tuple(read_comparison(source, node) for node in nodes)


def parse_side(text: str) -> Side:
    """Read an expression without comparisons. ValueError names the column, as for a claim."""
    return read_side(*parse_expression(text))


def parse_expression(text: str) -> tuple[str, ast.expr]:
    """Return a text on one line, and its tree. ValueError where it is no Python."""
    source = re.sub(r"\s", " ", text).strip()
    try:
        return source, ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"column {error.offset or len(source) + 1}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or far too deep
        raise ValueError(f"column 1: this cannot be parsed ({error})") from None


def read_comparison(source: str, node: ast.expr) -> Comparison:
    """Return the comparison of a node. ValueError with the column of what is not allowed."""
    if not isinstance(node, ast.Compare):
        refuse(source, node, "a comparison with < <= > >= or ==")
    for operator, side in zip(node.ops, node.comparators, strict=True):
        if type(operator) not in COMPARISONS:
            refuse(source, side, "a side compared by < <= > >= or ==")
    sides = [read_side(source, side) for side in (node.left, *node.comparators)]
    return Comparison(tuple(sides), tuple(COMPARISONS[type(operator)] for operator in node.ops))


def read_side(source: str, side: ast.expr) -> Side:
    """Return the side of a node. ValueError with the column of what is not allowed there."""
    leaves: list[str | Quantity] = []

    def with_placeholders(node: ast.expr, depth: int = 1) -> ast.expr:
        if depth > MAX_NESTING:
            column = column_of(source, node)
            raise ValueError(
                f"column {column}: at most {MAX_NESTING} operations within one another"
            )
        match node:
            case ast.UnaryOp(ast.USub(), operand):
                return ast.UnaryOp(node.op, with_placeholders(operand, depth + 1))
            case ast.Call(ast.Name(name), [argument], []) if name in FUNCTIONS:
                return ast.Call(node.func, [with_placeholders(argument, depth + 1)], [])
            case ast.BinOp(left, operator, right) if isinstance(operator, OPERATORS):
                left, right = (with_placeholders(part, depth + 1) for part in (left, right))
                return ast.BinOp(left, operator, right)
            case ast.Constant(value) if type(value) in (int, float):
                leaves.append(segment_of(source, node))
                if np.isnan(parse_number(segment_of(source, node))):
                    refuse(source, node, "a finite decimal number")
            case _:
                leaves.append(read_quantity(source, node))
        return ast.Name(f"_{len(leaves) - 1}_")

    return Side(ast.unparse(with_placeholders(side)), tuple(leaves))


def read_quantity(source: str, node: ast.expr) -> Quantity:
    """Return the quantity of a node. ValueError with the column where it is none."""
    indices: list[tuple[str, int]] = []
    while isinstance(node, ast.Subscript):
        text = segment_of(source, node.slice).strip()
        indices.insert(0, (text, column_of(source, node.slice)))
        node = node.value
    if not isinstance(node, ast.Name) or node.id in FUNCTIONS:
        refuse(source, node, LEGAL_SIDE)
    return Quantity(node.id, column_of(source, node), tuple(indices))


def segment_of(source: str, node: ast.expr) -> str:
    """Return the text from which a node was parsed."""
    return ast.get_source_segment(source, node) or ""


def column_of(source: str, node: ast.expr) -> int:
    """Return the column of a node, from 1."""
    return len(source.encode()[: node.col_offset].decode()) + 1  # col_offset counts bytes


def refuse(source: str, node: ast.expr, legal: str) -> NoReturn:
    """Raise a ValueError with the column of a node, and what is legal in its place."""
    found = quote(segment_of(source, node))
    raise ValueError(f"column {column_of(source, node)}: {legal} must stand here, not {found}")
