"""The indices of quantities in a claim: how they are written, and the numbers they mean."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stability.catalogues.schemes import family_and_value, parse_scheme
from stability.i18n import N_, _, ngettext
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
            raise ValueError(_(self.too_large).format(label=label, number=number, last=last))
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
            sentence = _("this claim speaks of {scheme}, which is not among the schemes")
            raise ValueError(sentence.format(scheme=index))
        return schemes.index(family_and_value(str(index)))


class SampledFactorIndex(IndexKind):
    """A number of factors at which singular values are computed."""

    def resolve(self, record: Product, index: str | int, label: str) -> str | int:
        factor = super().resolve(record, index, label)
        if not record.sigma or factor not in sampled_factors(affordable_factors(record)):
            refuse_because(why_shortened(record))
            sentence = _(
                "this claim speaks of the {label} at factor {factor}, where it is not taken"
            )
            raise ValueError(sentence.format(label=label, factor=factor))
        return factor


def why_no_hidden_layer(e: Experiment) -> str:
    return "" if e.depth > 1 else _(
        "This claim speaks of the {label}, which only hidden layers have, and there are none"
    )  # fmt: skip


def rank_phrase(e: Experiment, rank: int) -> str:
    count = jacobian.direction_count(e)
    if rank == count:
        return _(", the smallest")
    return _(", the largest") if rank == 1 else _(", number {rank} of {count}").format(
        rank=rank, count=count)  # fmt: skip


def factor_phrase(p: Product, factor: int) -> str:
    if not factor:
        return _(" at the start")
    words = ngettext(" after {count} further factor", " after {count} further factors", factor)
    return words.format(count=factor)


def scheme_phrase(e: Experiment, place: int) -> str:
    return _(" of {scheme}").format(scheme=e.scheme_rows[place].title)


def layer_phrase(e: Experiment, layer: int) -> str:
    return _(", layer {layer}").format(layer=layer)


def step_phrase(e: Experiment, step: int) -> str:
    return _(", step {step}").format(step=step) if step else _(", before training")


def symmetry_phrase(e: Experiment, name: str) -> str:
    return _(", {symmetry}").format(symmetry=symmetries.SYMMETRIES[name].label.lower())


def refuse_because(sentence: str) -> None:
    """Raise a ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].rstrip(".。"))


# fmt: off
SCHEME = SchemeIndex("a scheme", (), scheme_phrase)
LAYER = IndexKind("a layer", ("first", "middle", "last"), layer_phrase,
    lowest=1, last=lambda e: e.depth,
    too_large=N_(
        "this claim speaks of the {label} at layer {number}, and the last that has it is {last}"))
HIDDEN_LAYER = replace(LAYER, last=lambda e: e.depth - 1, why_none=why_no_hidden_layer)
STEP = IndexKind("a step", ("start", "end"), step_phrase,
    lowest=0, last=lambda e: e.steps,
    too_large=N_("this claim speaks of step {number}, and the last is {last}"), default="start")
RANK = IndexKind("a singular value", ("largest", "middle", "smallest"), rank_phrase,
    lowest=1, last=jacobian.direction_count,
    too_large=N_("this claim speaks of singular value {number}, and there are {last}"),
    why_none=jacobian.why_no_singular_values)
SYMMETRY = IndexKind("a symmetry", tuple(symmetries.SYMMETRIES),
    symmetry_phrase,
    why_none=symmetries.why_no_symmetries)
FACTOR = IndexKind("a number of factors", ("start", "end"), factor_phrase,
    lowest=0, last=lambda p: p.count,
    too_large=N_("this claim speaks of factor {number}, and the last is {last}"))
SAMPLED_FACTOR = SampledFactorIndex(**vars(FACTOR))
# fmt: on
