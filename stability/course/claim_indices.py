"""The indices of quantities in a claim: what may be written, and which numbers it means."""

from typing import Any, ClassVar

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


class IndexKind:
    """One kind of index. What it says in sentences follows or names the label of its quantity."""

    noun: ClassVar[str]
    names: ClassVar[tuple[str, ...]] = ()
    lowest: ClassVar[int | None] = None  # whole numbers from here on may be written, too
    default: ClassVar[str | None] = None  # where it is not written; None: it must be

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

    def position(self, record: Any, index: str | int, label: str) -> int:
        """Return the position in an array. ValueError where these settings have none."""
        raise NotImplementedError

    def phrase(self, record: Any, position: int) -> str:
        """Return what follows the label of the quantity in a sentence."""
        raise NotImplementedError


class SchemeIndex(IndexKind):
    noun = "a scheme"

    def read(self, text: str) -> str:
        try:
            return text if text == EACH else parse_scheme(text).key
        except ValueError as error:
            raise ValueError(f"a scheme is {EACH} or {error}, not {quote(text)}") from None

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        schemes = [family_and_value(scheme) for scheme in record.schemes]
        if family_and_value(str(index)) not in schemes:
            raise ValueError(f"this claim speaks of {index}, which is not among the schemes")
        return schemes.index(family_and_value(str(index)))

    def phrase(self, record: Experiment, position: int) -> str:
        return f" of {record.scheme_rows[position].title}"


class LayerIndex(IndexKind):
    noun, names, lowest = "a layer", ("first", "middle", "last"), 1
    output_layers = 1  # that have the quantity, beside the hidden ones

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        last, subject = record.depth - 1 + self.output_layers, f"this claim speaks of the {label}"
        if not last:
            raise ValueError(f"{subject}, which only hidden layers have, and there are none")
        layer = number_of(index, first=1, middle=last // 2 + 1, last=last)
        if layer > last:
            raise ValueError(f"{subject} at layer {layer}, and the last that has it is {last}")
        return layer - 1

    def phrase(self, record: Experiment, position: int) -> str:
        return f", layer {position + 1}"


class HiddenLayerIndex(LayerIndex):
    output_layers = 0


class StepIndex(IndexKind):
    noun, names, lowest, default = "a step", ("start", "end"), 0, "start"

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        return number_within("step", index, record.steps)

    def phrase(self, record: Experiment, position: int) -> str:
        return f", step {position}" if position else ", before training"


class RankIndex(IndexKind):
    noun, names, lowest = "a singular value", ("largest", "middle", "smallest"), 1

    def count(self, record: Experiment) -> int:
        refuse_because(jacobian.why_no_singular_values(record))
        return jacobian.example_count(record) * record.width

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        count = self.count(record)
        rank = number_of(index, largest=1, middle=count // 2 + 1, smallest=count)
        if rank > count:
            raise ValueError(f"this claim speaks of singular value {rank}, and there are {count}")
        return rank - 1

    def phrase(self, record: Experiment, position: int) -> str:
        count = self.count(record)
        ends = {0: ", the largest", count - 1: ", the smallest"}
        return ends.get(position, f", number {position + 1} of {count}")


class SymmetryIndex(IndexKind):
    noun, names = "a symmetry", tuple(symmetries.SYMMETRIES)

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        refuse_because(symmetries.why_no_symmetries(record))
        return self.names.index(str(index))

    def phrase(self, record: Experiment, position: int) -> str:
        return f", {symmetries.SYMMETRIES[self.names[position]].label.lower()}"


class FactorIndex(IndexKind):
    noun, names, lowest = "a number of factors", ("start", "end"), 0

    def position(self, record: Product, index: str | int, label: str) -> int:
        return number_within("factor", index, record.count)

    def phrase(self, record: Product, position: int) -> str:
        if not position:
            return " at the start"
        return f" after {position} further factor{'s' if position > 1 else ''}"


class SampledFactorIndex(FactorIndex):
    """A number of factors at which singular values are computed."""

    def position(self, record: Product, index: str | int, label: str) -> int:
        factor = super().position(record, index, label)
        sampled = sampled_factors(affordable_factors(record)).tolist()
        if not record.sigma or factor not in sampled:
            refuse_because(why_shortened(record))
            subject = f"this claim speaks of the {label} at factor {factor}"
            raise ValueError(f"{subject}, where it is not taken")
        return int(sampled.index(factor))

    def phrase(self, record: Product, position: int) -> str:
        sampled = sampled_factors(affordable_factors(record))
        return super().phrase(record, int(sampled[position]))


def number_of(index: str | int, **names: int) -> int:
    """Return the number of an index that may be one of these names."""
    return names[index] if isinstance(index, str) else index


def number_within(noun: str, index: str | int, last: int) -> int:
    """Return the number of an index from `start` to `end`. ValueError where it is beyond."""
    number = number_of(index, start=0, end=last)
    if number > last:
        raise ValueError(f"this claim speaks of {noun} {number}, and the last is {last}")
    return number


def refuse_because(sentence: str) -> None:
    """Raise a ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].removesuffix("."))
