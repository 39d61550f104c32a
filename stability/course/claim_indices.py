"""The indices of quantities in a claim: how they are written, and the numbers they mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stability.catalogues.schemes import family_and_value, parse_scheme
from stability.probes import jacobian, symmetries
from stability.probes.product_singular_values import (
    affordable_factors,
    sampled_factors,
    why_shortened,
)
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.text import did_you_mean, parse_number, quote

EACH = "each"  # in place of a scheme: the comparison must hold for every one
Numbers = Mapping[Any, int]


@dataclass(frozen=True, eq=False)
class IndexKind:
    """One kind of index: one of `names`, or a whole number from `lowest` on.

    `numbers(record, label)` returns the number of each name, with the largest legal one among them;
    `too_large` refuses a larger number. `phrase(record, number)` follows the label of the quantity
    in a sentence. An index without `default` must be written.
    """

    noun: str
    names: tuple[str, ...]
    numbers: Callable[[Any, str], Numbers]
    phrase: Callable[[Any, int], str]
    lowest: int | None = None
    too_large: str = ""
    default: str | None = None

    def read(self, text: str) -> str | int:
        """Return the index that a text spells. ValueError says what is legal."""
        number = parse_number(text)
        if text in self.names:
            return text
        if self.lowest is not None and number.is_integer() and number >= self.lowest:
            return int(number)
        whole = "" if self.lowest is None else f" or a whole number from {self.lowest}"
        legal = ", ".join(self.names) + whole
        raise ValueError(
            f"{self.noun} is {legal}, not {quote(text)}{did_you_mean(text, self.names)}"
        )

    def number(self, record: Any, index: str | int, label: str) -> int:
        """Return the number that an index means. ValueError where these settings lack it."""
        numbers = self.numbers(record, label)
        number = numbers[index] if isinstance(index, str) else index
        if number > (last := max(numbers.values())):
            sentence = self.too_large.format(label=label, number=number, last=last)
            raise ValueError(f"this claim speaks of {sentence}")
        return number


class SchemeIndex(IndexKind):
    """A scheme, however its value is spelled, or EACH; its number is its place from 0."""

    def read(self, text: str) -> str:
        try:
            return text if text == EACH else parse_scheme(text).key
        except ValueError as error:
            raise ValueError(f"a scheme is {EACH} or {error}, not {quote(text)}") from None

    def number(self, record: Experiment, index: str | int, label: str) -> int:
        number = self.numbers(record, label).get(family_and_value(str(index)))
        if number is None:
            raise ValueError(f"this claim speaks of {index}, which is not among the schemes")
        return number


class SampledFactorIndex(IndexKind):
    """A number of factors at which singular values are computed."""

    def number(self, record: Product, index: str | int, label: str) -> int:
        factor = super().number(record, index, label)
        if not record.sigma or factor not in sampled_factors(affordable_factors(record)):
            refuse_because(why_shortened(record))
            subject = f"this claim speaks of the {label} at factor {factor}"
            raise ValueError(f"{subject}, where it is not taken")
        return factor


def scheme_numbers(e: Experiment, label: str) -> Numbers:
    return {family_and_value(scheme): number for number, scheme in enumerate(e.schemes)}


def layer_numbers(e: Experiment, label: str) -> Numbers:
    return {"first": 1, "middle": e.depth // 2 + 1, "last": e.depth}


def hidden_layer_numbers(e: Experiment, label: str) -> Numbers:
    if e.depth == 1:
        subject = f"this claim speaks of the {label}"
        raise ValueError(f"{subject}, which only hidden layers have, and there are none")
    return {"first": 1, "middle": (e.depth - 1) // 2 + 1, "last": e.depth - 1}


def rank_numbers(e: Experiment, label: str) -> Numbers:
    refuse_because(jacobian.why_no_singular_values(e))
    count = jacobian.example_count(e) * e.width
    return {"largest": 1, "middle": count // 2 + 1, "smallest": count}


def rank_phrase(e: Experiment, rank: int) -> str:
    count = jacobian.example_count(e) * e.width
    return {1: ", the largest", count: ", the smallest"}.get(rank, f", number {rank} of {count}")


def symmetry_numbers(e: Experiment, label: str) -> Numbers:
    refuse_because(symmetries.why_no_symmetries(e))
    return {name: number for number, name in enumerate(symmetries.SYMMETRIES)}


def symmetry_phrase(e: Experiment, number: int) -> str:
    return f", {list(symmetries.SYMMETRIES.values())[number].label.lower()}"


def factor_phrase(p: Product, factor: int) -> str:
    return (
        f" after {factor} further factor{'s' if factor > 1 else ''}" if factor else " at the start"
    )


def refuse_because(sentence: str) -> None:
    """Raise a ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].removesuffix("."))


# fmt: off
SCHEME = SchemeIndex("a scheme", (), scheme_numbers,
    lambda e, number: f" of {e.scheme_rows[number].title}")
LAYER = IndexKind("a layer", ("first", "middle", "last"), layer_numbers,
    lambda e, layer: f", layer {layer}", lowest=1,
    too_large="the {label} at layer {number}, and the last that has it is {last}")
HIDDEN_LAYER = replace(LAYER, numbers=hidden_layer_numbers)
STEP = IndexKind("a step", ("start", "end"), lambda e, label: {"start": 0, "end": e.steps},
    lambda e, step: f", step {step}" if step else ", before training", lowest=0,
    too_large="step {number}, and the last is {last}", default="start")
RANK = IndexKind("a singular value", ("largest", "middle", "smallest"), rank_numbers, rank_phrase,
    lowest=1, too_large="singular value {number}, and there are {last}")
SYMMETRY = IndexKind("a symmetry", tuple(symmetries.SYMMETRIES), symmetry_numbers, symmetry_phrase)
FACTOR = IndexKind("a number of factors", ("start", "end"),
    lambda p, label: {"start": 0, "end": p.count}, factor_phrase, lowest=0,
    too_large="factor {number}, and the last is {last}")
SAMPLED_FACTOR = SampledFactorIndex(**vars(FACTOR))
# fmt: on
