"""Claims as text: comparisons of sums, read into a tree that knows numbers and names, and nothing of networks.

claim      := comparison ("and" comparison)*
comparison := sum (("<" | "<=" | ">" | ">=" | "==") sum)+          chained as in Python
sum        := product (("+" | "-") product)*
product    := factor (("*" | "/") factor)*
factor     := number | "-" factor | "(" sum ")" | function "(" sum ")" | quantity          functions: abs, log10
quantity   := name ("[" index "]")*
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np

from stability.text import parse_number, quote

TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<symbol><=|>=|==|[-+*/()<>]|and\b)"
    r"|(?P<name>[^\W\d]\w*)|\[(?P<index>[^][]*)\]|(?P<end>$)|(?P<other>.))",
    re.DOTALL,
)
COMPARISONS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal}
OPERATIONS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
FUNCTIONS = {"abs": np.abs, "log10": np.log10}
CALLS = FUNCTIONS | {"-": np.negative, "(": np.positive}
SIGNS = {"*": "×", "-": "−", "<=": "≤", ">=": "≥", "==": "="}  # for people
MOST_NESTED = 30  # a claim that nobody could read


class Token(NamedTuple):
    kind: str
    text: str
    column: int  # from 1

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else quote(f"[{self.text}]" if self.kind == "index" else self.text)


@dataclass(frozen=True)
class Number:
    text: str
    parts: ClassVar[tuple] = ()

    def value(self, ask: Callable) -> np.ndarray:
        return np.float64(self.text)

    def words(self, say: Callable) -> str:
        return self.text.replace("-", SIGNS["-"])


@dataclass(frozen=True)
class Quantity:
    """A name with its indices, as they are written; `column` tells where."""

    name: str
    indices: tuple[Token, ...]
    column: int = field(compare=False)
    parts: ClassVar[tuple] = ()

    def value(self, ask: Callable) -> np.ndarray:
        return ask(self)

    def words(self, say: Callable) -> str:
        return say(self)


@dataclass(frozen=True)
class Operation:
    symbol: str
    parts: tuple

    def value(self, ask: Callable) -> np.ndarray:
        return OPERATIONS[self.symbol](*(part.value(ask) for part in self.parts))

    def words(self, say: Callable) -> str:
        return f" {SIGNS.get(self.symbol, self.symbol)} ".join(part.words(say) for part in self.parts)


@dataclass(frozen=True)
class Call:
    """A function of one argument; signs and brackets are such, too."""

    name: str
    parts: tuple

    def value(self, ask: Callable) -> np.ndarray:
        return CALLS[self.name](*(part.value(ask) for part in self.parts))

    def words(self, say: Callable) -> str:
        inner = self.parts[0].words(say)
        return f"{self.name}({inner})" if self.name in FUNCTIONS else {"-": f"−{inner}"}.get(self.name, f"({inner})")


Node = Number | Quantity | Operation | Call


@dataclass(frozen=True)
class Comparison:
    """`sums` with a symbol between neighbours."""

    sums: tuple[Node, ...]
    symbols: tuple[str, ...]

    def holds(self, ask: Callable) -> np.ndarray:
        """Where all of the chain holds, `ask(quantity)` telling the numbers; what is NaN compares as false."""
        with np.errstate(all="ignore"):
            values = [node.value(ask) for node in self.sums]
        pairs = zip(self.symbols, pairwise(values), strict=True)
        return np.logical_and.reduce(np.broadcast_arrays(*(COMPARISONS[symbol](*pair) for symbol, pair in pairs)))

    def in_words(self, say: Callable, total: Callable) -> str:
        """`say(quantity)` tells one with its number, `total(node)` what a side comes to: said where it has several parts."""
        first, *rest = (f"{node.words(say)} (= {total(node)})" if compound(node) else node.words(say) for node in self.sums)
        return first + "".join(f" {SIGNS.get(s, s)} {words}" for s, words in zip(self.symbols, rest, strict=True))

    def quantities(self) -> Iterator[Quantity]:
        yield from (found for node in self.sums for found in quantities(node))


def compound(node: Node) -> bool:
    """Whether a reader would have to reckon."""
    return isinstance(node, Operation) or (isinstance(node, Call) and (node.name in FUNCTIONS or compound(node.parts[0])))


def quantities(node: Node) -> Iterator[Quantity]:
    """Every quantity of a tree, from left to right."""
    if isinstance(node, Quantity):
        yield node
    for part in node.parts:
        yield from quantities(part)


def parse_comparisons(text: str) -> tuple[Comparison, ...]:
    """Reads a claim. ValueError names the column, and what may stand there."""
    return Parser(text).claim()


class Parser:
    """A place in a list of tokens; each method reads what the rule of its name describes."""

    def __init__(self, text: str):
        self.tokens = [Token(m.lastgroup, m[m.lastgroup], m.start(m.lastgroup) + 1) for m in TOKEN.finditer(text)]
        self.place = self.nested = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.place]

    def next(self) -> Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def taken(self, *symbols: str) -> Token | None:
        """The next token if it is one of these."""
        return self.next() if self.token.kind == "symbol" and self.token.text in symbols else None

    def expect(self, legal: str, *symbols: str) -> Token:
        return self.taken(*symbols) or refuse(self.token, legal)

    def claim(self) -> tuple[Comparison, ...]:
        found = [self.comparison()]
        while self.taken("and"):
            found.append(self.comparison())
        if self.token.kind != "end":
            refuse(self.token, "an operator, a comparison, `and` or the end")
        return tuple(found)

    def comparison(self) -> Comparison:
        sums, symbols = [self.sum()], []
        while not symbols or self.token.text in COMPARISONS:
            symbols.append(self.expect(f"an operator or one of {' '.join(COMPARISONS)}", *COMPARISONS).text)
            sums.append(self.sum())
        return Comparison(tuple(sums), tuple(symbols))

    def sum(self) -> Node:
        return self.chain(("+", "-"), self.product)

    def product(self) -> Node:
        return self.chain(("*", "/"), self.factor)

    def chain(self, symbols: tuple[str, ...], part: Callable[[], Node]) -> Node:
        node = part()
        while token := self.taken(*symbols):
            node = Operation(token.text, (node, part()))
        return node

    def factor(self) -> Node:
        token = self.next()
        self.nested += 1
        if self.nested > MOST_NESTED:
            raise ValueError(f"column {token.column}: at most {MOST_NESTED} brackets and signs within one another")
        node = self.starting(token)
        self.nested -= 1
        return node

    def starting(self, token: Token) -> Node:
        """The factor that begins with this token."""
        if token.kind == "number":
            if np.isnan(parse_number(token.text)):
                refuse(token, "a finite number")
            return Number(token.text)
        if token.kind == "name" and token.text not in FUNCTIONS:
            return Quantity(token.text, tuple(self.indices()), token.column)
        if token.text in FUNCTIONS:
            self.expect(f"the ( of {token.text}", "(")
        elif token.kind != "symbol" or token.text not in CALLS:
            refuse(token, "a number, a name or (")
        return Call(token.text, (self.factor() if token.text == "-" else self.inner(),))

    def inner(self) -> Node:
        """The rest of brackets that are open."""
        node = self.sum()
        self.expect("an operator or )", ")")
        return node

    def indices(self) -> Iterator[Token]:
        while self.token.kind == "index":
            token = self.next()
            yield token._replace(text=token.text.strip())


def refuse(token: Token, legal: str) -> None:
    raise ValueError(f"column {token.column}: {legal} must stand here, not {token}")
