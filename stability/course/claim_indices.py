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


class NumberIndex(IndexKind):
    """A whole number, or a name for one; `refusal` ends the sentence about a number too large."""

    refusal: ClassVar[str]

    def named_numbers(self, record: Any, label: str) -> dict[str, int]:
        """The numbers of the names, the largest legal one among them."""
        raise NotImplementedError

    def position(self, record: Any, index: str | int, label: str) -> int:
        named = self.named_numbers(record, label)
        number, last = named[index] if isinstance(index, str) else index, max(named.values())
        if number > last:
            refusal = self.refusal.format(label=label, number=number, last=last)
            raise ValueError(f"this claim speaks of {refusal}")
        return number - (self.lowest or 0)


class LayerIndex(NumberIndex):
    noun, names, lowest = "a layer", ("first", "middle", "last"), 1
    refusal = "the {label} at layer {number}, and the last that has it is {last}"
    output_layers = 1  # that have the quantity, beside the hidden ones

    def named_numbers(self, record: Experiment, label: str) -> dict[str, int]:
        last = record.depth - 1 + self.output_layers
        if not last:
            subject = f"this claim speaks of the {label}"
            raise ValueError(f"{subject}, which only hidden layers have, and there are none")
        return {"first": 1, "middle": last // 2 + 1, "last": last}

    def phrase(self, record: Experiment, position: int) -> str:
        return f", layer {position + 1}"


class HiddenLayerIndex(LayerIndex):
    output_layers = 0


class StepIndex(NumberIndex):
    noun, names, lowest, default = "a step", ("start", "end"), 0, "start"
    refusal = "step {number}, and the last is {last}"

    def named_numbers(self, record: Experiment, label: str) -> dict[str, int]:
        return {"start": 0, "end": record.steps}

    def phrase(self, record: Experiment, position: int) -> str:
        return f", step {position}" if position else ", before training"


class RankIndex(NumberIndex):
    noun, names, lowest = "a singular value", ("largest", "middle", "smallest"), 1
    refusal = "singular value {number}, and there are {last}"

    def named_numbers(self, record: Experiment, label: str) -> dict[str, int]:
        refuse_because(jacobian.why_no_singular_values(record))
        count = jacobian.example_count(record) * record.width
        return {"largest": 1, "middle": count // 2 + 1, "smallest": count}

    def phrase(self, record: Experiment, position: int) -> str:
        count = jacobian.example_count(record) * record.width
        ends = {0: ", the largest", count - 1: ", the smallest"}
        return ends.get(position, f", number {position + 1} of {count}")


class SymmetryIndex(IndexKind):
    noun, names = "a symmetry", tuple(symmetries.SYMMETRIES)

    def position(self, record: Experiment, index: str | int, label: str) -> int:
        refuse_because(symmetries.why_no_symmetries(record))
        return self.names.index(str(index))

    def phrase(self, record: Experiment, position: int) -> str:
        return f", {symmetries.SYMMETRIES[self.names[position]].label.lower()}"


class FactorIndex(NumberIndex):
    noun, names, lowest = "a number of factors", ("start", "end"), 0
    refusal = "factor {number}, and the last is {last}"

    def named_numbers(self, record: Product, label: str) -> dict[str, int]:
        return {"start": 0, "end": record.count}

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


def refuse_because(sentence: str) -> None:
    """Raise a ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].removesuffix("."))
