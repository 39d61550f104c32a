"""What a lesson claims: comparisons between measured numbers, held true or false by a run. The grammar is in grammar.py."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stability.course.claim_parser import SIGNS, Comparison, Node, Quantity, parse_comparisons
from stability.course.claim_quantities import (
    RECORD_PHRASES,
    EACH,
    CLAIM_QUANTITIES,
    PendingError,
    StreamPrefix,
    ClaimQuantity,
    step_words,
)
from stability.engine.runs import Stream
from stability.text import exact_number, quote, did_you_mean

LATER = "…"  # in the place of a number that is still to come


@dataclass(frozen=True)
class ClaimReading:
    """A claim in words with the numbers measured so far, medians over the replicates.

    `lines`: each comparison, and whether it holds. None while that is not known, and where the settings lack what the claim
    speaks of; `why` says so.
    """

    lines: tuple[tuple[str, bool | None], ...]
    holds: bool | None
    why: str = ""

    @property
    def text(self) -> str:
        """All of it in one paragraph."""
        return "; ".join(line for line, _ in self.lines) + (f". {self.why}" if self.why else ".")


@dataclass(frozen=True)
class Claim:
    """One comparison or several that must all hold, as `parse` reads them from `text`."""

    text: str
    comparisons: tuple[Comparison, ...]

    def check_settings(self, record: object) -> None:
        """ValueError says what these settings, an Experiment or a Product, lack that the claim speaks of."""
        for comparison, scheme in self.cases(record):
            for quantity in comparison.quantities():
                places(quantity, record, scheme)

    def holds(self, stream: Stream, count: int | None = None) -> np.ndarray:
        """Whether it is true of each replicate `(R,)`, by the first `count` measurements (all).

        ValueError where the settings lack what it speaks of; PendingError, a ValueError too, where that is still to come.
        """
        seen = StreamPrefix(stream, len(stream.measurements) if count is None else count)
        true = np.ones(stream.record.replicates, dtype=bool)
        for comparison, scheme in self.cases(stream.record):
            true = true & comparison.holds(asked(seen, scheme))
        return true

    def describe(self, stream: Stream, count: int | None = None) -> ClaimReading:
        """What it says of the first `count` measurements (all), for people."""
        seen = StreamPrefix(stream, len(stream.measurements) if count is None else count)
        try:
            self.check_settings(stream.record)
        except ValueError as error:
            return ClaimReading(((self.text, None),), None, capital(error))
        lines = tuple(line(seen, *case) for case in self.cases(stream.record))
        try:
            true = self.holds(stream, seen.count)
        except PendingError as error:
            return ClaimReading(lines, None, capital(error))
        divided = f"It holds in {true.sum()} of {len(true)} replicates." if true.any() and not true.all() else ""
        return ClaimReading(lines, bool(true.all()), divided)

    def cases(self, record: object) -> Iterator[tuple[Comparison, str]]:
        """Each comparison, with each scheme where it asks for that."""
        for comparison in self.comparisons:
            each = any(index.text == EACH for quantity in comparison.quantities() for index in quantity.indices)
            yield from ((comparison, scheme) for scheme in (getattr(record, "schemes", ("",)) if each else ("",)))


def parse_claim(text: str) -> Claim:
    """Reads a claim. ValueError names the column, and what is legal there."""
    claim = Claim(text.strip(), parse_comparisons(text))
    for comparison in claim.comparisons:
        for quantity in comparison.quantities():
            understood(quantity)
    return claim


def understood(quantity: Quantity) -> tuple[ClaimQuantity, list]:
    """The word of a quantity, and its indices, defaults put in."""
    if quantity.name not in CLAIM_QUANTITIES:
        near = did_you_mean(quantity.name, CLAIM_QUANTITIES)
        raise ValueError(f"column {quantity.column}: nothing is called {quote(quantity.name)}{near}")
    word, indices = CLAIM_QUANTITIES[quantity.name], quantity.indices
    if len(indices) > len(word.axes):
        raise ValueError(f"column {indices[len(word.axes)].column}: {usage(quantity.name, word)}")
    values = [read(axis, index) for axis, index in zip(word.axes, indices, strict=False)]
    left = [axis.default for axis in word.axes[len(indices) :]]
    if None in left:
        raise ValueError(f"column {quantity.column}: {usage(quantity.name, word)}")
    return word, values + left


def read(axis, index) -> str | int:
    try:
        return axis.read(index.text)
    except ValueError as error:
        raise ValueError(f"column {index.column}: {error}") from None


def usage(name: str, word: ClaimQuantity) -> str:
    """How a name is written, in a sentence."""
    if not word.axes:
        return f"{name} takes no index"
    axes = [f"[{axis.what}]" + " or without it" * bool(axis.default) for axis in word.axes]
    return f"{name} is written {name}{''.join(axes)}"


def places(quantity: Quantity, record: object, scheme: str) -> list[int]:
    """Where the number lies in its arrays, `scheme` standing for each; ValueError where these settings have no such place."""
    word, values = understood(quantity)
    if not isinstance(record, word.record):
        raise ValueError(f"this claim speaks of the {word.label}, which {RECORD_PHRASES[type(record)]} does not have")
    chosen = (scheme if value == EACH else value for value in values)
    return [axis.place(record, word, value) for axis, value in zip(word.axes, chosen, strict=True)]


def asked(seen: StreamPrefix, scheme: str) -> Callable[[Quantity], np.ndarray]:
    """Tells the number of a quantity, for each replicate."""
    return lambda quantity: CLAIM_QUANTITIES[quantity.name].value_of(seen, *places(quantity, seen.record, scheme))


def line(seen: StreamPrefix, comparison: Comparison, scheme: str) -> tuple[str, bool | None]:
    """A comparison in words, and whether it holds in every replicate."""
    ask = asked(seen, scheme)
    try:
        holds = bool(comparison.holds(ask).all())
    except PendingError:
        holds = None
    return comparison.in_words(said(seen, scheme), lambda node: number(node, ask)), holds


def said(seen: StreamPrefix, scheme: str) -> Callable[[Quantity], str]:
    """Tells a quantity in words, with its number and the step at which it was taken."""

    def say(quantity: Quantity) -> str:
        word, where = CLAIM_QUANTITIES[quantity.name], places(quantity, seen.record, scheme)
        words = "".join(axis.words(seen.record, place) for axis, place in zip(word.axes, where, strict=True))
        return f"{word.label}{words}{earlier(seen, word, where)}: {number(quantity, asked(seen, scheme))}"

    return say


def earlier(seen: StreamPrefix, word: ClaimQuantity, where: list[int]) -> str:
    """At which step a quantity was taken, where that is not the step asked for."""
    if word.taken and where[-1] < seen.count and (step := word.taken(seen, where[-1])) < where[-1]:
        return f" (taken {'at ' * bool(step)}{step_words(step)})"
    return ""


def number(node: Node, ask: Callable[[Quantity], np.ndarray]) -> str:
    """What a part of a claim comes to."""
    try:
        with np.errstate(all="ignore"):
            return figure(float(np.median(node.value(ask))))
    except PendingError:
        return LATER


def figure(value: float) -> str:
    """Three digits, powers of ten where they are shorter."""
    digits, _, power = f"{value:.3g}".partition("e")
    if 1e-4 <= abs(value) < 1e6:
        return exact_number(float(f"{value:.3g}")).replace("-", SIGNS["-"])
    return (f"{digits}e{int(power)}" if power else digits.replace("nan", "NaN")).replace("-", SIGNS["-"])


def capital(error: ValueError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
