"""The indices of quantities in a claim: how they are written, and the numbers they mean."""

from collections.abc import Callable
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


@dataclass(frozen=True, eq=False)
class IndexKind:
    """One kind of index: one of `names`, or a whole number from `lowest` to `last(record)`.

    `too_large` refuses a larger number, `why_none(record)` settings that have no such number at
    all. `phrase(record, index)` follows the label of the quantity in a sentence. An index without
    `default` must be written.
    """

    noun: str
    names: tuple[str, ...]
    phrase: Callable[[Any, Any], str]
    lowest: int | None = None
    last: Callable[[Any], int] = lambda record: 0
    too_large: str = ""
    default: str | None = None
    why_none: Callable[[Any], str] = lambda record: ""

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

    def resolve(self, record: Any, index: str | int, label: str) -> str | int:
        """Return the number of an index, or its name where there are no numbers.

        ValueError if these settings lack it.
        """
        refuse_because(self.why_none(record).format(label=label))
        if self.lowest is None:
            return index
        last = self.last(record)
        named = {"start": 0, "first": 1, "largest": 1, "middle": last // 2 + 1}
        number = named.get(index, last) if isinstance(index, str) else index
        if number > last:
            sentence = self.too_large.format(label=label, number=number, last=last)
            raise ValueError(f"this claim speaks of {sentence}")
        return number


class SchemeIndex(IndexKind):
    """A scheme, however its value is spelled, or EACH; it stands for its place from 0."""

    def read(self, text: str) -> str:
        try:
            return text if text == EACH else parse_scheme(text).key
        except ValueError as error:
            raise ValueError(f"a scheme is {EACH} or {error}, not {quote(text)}") from None

    def resolve(self, record: Experiment, index: str | int, label: str) -> int:
        schemes = [family_and_value(scheme) for scheme in record.schemes]
        if family_and_value(str(index)) not in schemes:
            raise ValueError(f"this claim speaks of {index}, which is not among the schemes")
        return schemes.index(family_and_value(str(index)))


class SampledFactorIndex(IndexKind):
    """A number of factors at which singular values are computed."""

    def resolve(self, record: Product, index: str | int, label: str) -> str | int:
        factor = super().resolve(record, index, label)
        if not record.sigma or factor not in sampled_factors(affordable_factors(record)):
            refuse_because(why_shortened(record))
            subject = f"this claim speaks of the {label} at factor {factor}"
            raise ValueError(f"{subject}, where it is not taken")
        return factor


def why_no_hidden_layer(e: Experiment) -> str:
    sentence = "This claim speaks of the {label}, which only hidden layers have, and there are none"
    return "" if e.depth > 1 else sentence


def rank_phrase(e: Experiment, rank: int) -> str:
    count = jacobian.direction_count(e)
    return {1: ", the largest", count: ", the smallest"}.get(rank, f", number {rank} of {count}")


def factor_phrase(p: Product, factor: int) -> str:
    if not factor:
        return " at the start"
    return f" after {factor} further factor{'s' if factor > 1 else ''}"


def refuse_because(sentence: str) -> None:
    """Raise a ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].removesuffix("."))


# fmt: off
SCHEME = SchemeIndex("a scheme", (), lambda e, place: f" of {e.scheme_rows[place].title}")
LAYER = IndexKind("a layer", ("first", "middle", "last"), lambda e, layer: f", layer {layer}",
    lowest=1, last=lambda e: e.depth,
    too_large="the {label} at layer {number}, and the last that has it is {last}")
HIDDEN_LAYER = replace(LAYER, last=lambda e: e.depth - 1, why_none=why_no_hidden_layer)
STEP = IndexKind("a step", ("start", "end"),
    lambda e, step: f", step {step}" if step else ", before training",
    lowest=0, last=lambda e: e.steps,
    too_large="step {number}, and the last is {last}", default="start")
RANK = IndexKind("a singular value", ("largest", "middle", "smallest"), rank_phrase,
    lowest=1, last=jacobian.direction_count,
    too_large="singular value {number}, and there are {last}",
    why_none=jacobian.why_no_singular_values)
SYMMETRY = IndexKind("a symmetry", tuple(symmetries.SYMMETRIES),
    lambda e, name: f", {symmetries.SYMMETRIES[name].label.lower()}",
    why_none=symmetries.why_no_symmetries)
FACTOR = IndexKind("a number of factors", ("start", "end"), factor_phrase,
    lowest=0, last=lambda p: p.count, too_large="factor {number}, and the last is {last}")
SAMPLED_FACTOR = SampledFactorIndex(**vars(FACTOR))
# fmt: on
