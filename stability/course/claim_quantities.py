"""What claims can speak of: each name with its indices, its label, and how its number is taken from a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stability.catalogues import schemes
from stability.engine.runs import Stream
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.probes import jacobian, symmetries
from stability.probes.first_layer_gain import first_layer_gain
from stability.probes.product_singular_values import sampled_factors, affordable_factors, why_shortened, singular_bounds
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.text import parse_number, quote, did_you_mean
from stability.theory.prediction import predict
from stability.theory.product_law import norm_law

EACH = "each"  # in the place of a scheme: the comparison must hold for every one
SELDOM = frozenset({"test_loss", "test_accuracy", "distinct"})  # NaN between the steps at which they are taken
RECORD_PHRASES = {Experiment: "a training run", Product: "a product of matrices"}


class PendingError(ValueError):
    """A run has not come to what is asked for."""


@dataclass(frozen=True)
class StreamPrefix:
    """The first `count` measurements of a run."""

    stream: Stream
    count: int

    @property
    def record(self) -> Any:
        return self.stream.record

    def at(self, step: int, serves: Callable[[Any], bool] = lambda measurement: True) -> Any:
        """The newest measurement at or before `step` that serves."""
        if step >= self.count:
            raise PendingError(f"step {step} is still to come")
        return next(m for m in reversed(self.stream.measurements[: step + 1]) if serves(m))


@dataclass(frozen=True)
class Axis:
    """An index: one of `names`, or a whole number from `low` where that is set.

    `place(record, word, index)` is its place in an array, ValueError where these settings have none; `words(record, place)`
    follow the label. Without a `default` it must be written.
    """

    what: str
    names: tuple[str, ...]
    place: Callable[[Any, "ClaimQuantity", Any], int]
    words: Callable[[Any, int], str]
    low: int | None = None
    default: str | None = None

    def read(self, text: str) -> str | int:
        """The index that a text spells; ValueError says what is legal."""
        number = parse_number(text)
        if text in self.names:
            return text
        if self.low is not None and number.is_integer() and number >= self.low:
            return int(number)
        whole = f" or a whole number from {self.low}" if self.low is not None else ""
        names = dict.fromkeys(self.names)
        raise ValueError(f"{self.what} is {', '.join(names)}{whole}, not {quote(text)}{did_you_mean(text, names)}")


@dataclass(frozen=True)
class SchemeAxis(Axis):
    """A scheme as links spell it."""

    def read(self, text: str) -> str:
        try:
            return text if text in self.names else schemes.parse_scheme(text).key
        except ValueError as error:
            raise ValueError(f"a scheme is {EACH} or {error}, not {quote(text)}") from None


@dataclass(frozen=True, kw_only=True)
class ClaimQuantity:
    """What a name means: `take(seen, *places)` gives a number for each replicate, or one for all.

    `taken(seen, step)`: the step of that number, which may be an earlier one. `hidden`: only hidden layers have it.
    `record`: whose settings it belongs to.
    """

    label: str
    axes: tuple[Axis, ...] = ()
    value_of: Callable[..., np.ndarray | float]
    taken: Callable[..., int] | None = None
    hidden: bool = False
    record: type = Experiment


def scheme_place(e: Experiment, word: ClaimQuantity, scheme: str) -> int:
    found = [schemes.family_and_value(other) for other in e.schemes]
    if (wanted := schemes.family_and_value(scheme)) not in found:
        raise ValueError(f"this claim speaks of {scheme}, which is not among the schemes")
    return found.index(wanted)


def layer_place(e: Experiment, word: ClaimQuantity, layer: str | int) -> int:
    count = e.depth - word.hidden
    if not count:
        raise ValueError(f"this claim speaks of the {word.label}, which only hidden layers have, and there are none")
    number = {"first": 1, "middle": count // 2 + 1, "last": count}.get(layer, layer)
    if number > count:
        raise ValueError(f"this claim speaks of the {word.label} at layer {number}, and the last that has it is {count}")
    return number - 1


def moment_place(last: int, what: str, moment: str | int) -> int:
    number = {"start": 0, "end": last}.get(moment, moment)
    if number > last:
        raise ValueError(f"this claim speaks of {what} {number}, and the last is {last}")
    return number


def refuse(sentence: str) -> None:
    """ValueError with this sentence, if there is one."""
    if sentence:
        raise ValueError(sentence[:1].lower() + sentence[1:].removesuffix("."))


def ranks(e: Experiment) -> int:
    """How many singular values there are; ValueError says why there are none."""
    refuse(jacobian.why_no_singular_values(e))
    return jacobian.example_count(e) * e.width


def rank_place(e: Experiment, word: ClaimQuantity, rank: str | int) -> int:
    count = ranks(e)
    number = {"largest": 1, "middle": count // 2 + 1, "smallest": count}.get(rank, rank)
    if number > count:
        raise ValueError(f"this claim speaks of singular value {number}, and there are {count}")
    return number - 1


def rank_words(e: Experiment, place: int) -> str:
    return {0: ", the largest", ranks(e) - 1: ", the smallest"}.get(place, f", number {place + 1} of {ranks(e)}")


def symmetry_place(e: Experiment, word: ClaimQuantity, key: str) -> int:
    refuse(symmetries.why_no_symmetries(e))
    return list(symmetries.SYMMETRIES).index(key)


def look_place(product: Product, word: ClaimQuantity, moment: str | int) -> int:
    """Singular values are known at some numbers of factors only."""
    number = moment_place(product.count, "factor", moment)
    known = sampled_factors(affordable_factors(product)).tolist()
    if not product.sigma or number not in known:
        refuse(why_shortened(product) or f"this claim speaks of the {word.label} at factor {number}, where it is not taken")
    return known.index(number)


def step_words(step: int) -> str:
    return f"step {step}" if step else "before training"


def factor_words(count: int) -> str:
    return f"after {count} further factor{'s' if count > 1 else ''}" if count else "at the start"


SCHEME = SchemeAxis("a scheme", (EACH,), scheme_place, lambda e, place: f" of {e.scheme_rows[place].title}")
LAYER = Axis("a layer", ("first", "middle", "last"), layer_place, lambda e, place: f", layer {place + 1}", low=1)
STEP = Axis(
    "a step", ("start", "end"), lambda e, word, step: moment_place(e.steps, "step", step),
    lambda e, place: f", {step_words(place)}", low=0, default="start",
)  # fmt: skip
RANK = Axis("a singular value", ("largest", "middle", "smallest"), rank_place, rank_words, low=1)
SYMMETRY = Axis(
    "a symmetry", tuple(symmetries.SYMMETRIES), symmetry_place,
    lambda e, place: f", {list(symmetries.SYMMETRIES.values())[place].label.lower()}",
)  # fmt: skip
FACTOR = Axis(
    "a number of factors", ("start", "end"), lambda p, word, factor: moment_place(p.count, "factor", factor),
    lambda p, place: f" {factor_words(place)}", low=0,
)  # fmt: skip
LOOK = replace(FACTOR, place=look_place, words=lambda p, place: f" {factor_words(sampled_factors(affordable_factors(p))[place])}")


def having(seen: StreamPrefix, name: str, step: int) -> Any:
    """The measurement at this step, or the newest before it at which the quantity was taken."""
    steps = evenly_spread_steps(seen.record.steps, SAMPLED_STEPS) if name in SELDOM else range(step + 1)
    return seen.at(step, lambda m: m.step in steps and getattr(m, name) is not None)


def measured(name: str, label: str, *axes: Axis) -> ClaimQuantity:
    """A quantity of a Measurement."""

    def take(seen: StreamPrefix, scheme: int, *places: int) -> np.ndarray:
        *layer, step = places
        return getattr(having(seen, name, step), name)[scheme, :, *layer]  # (R,)

    return ClaimQuantity(
        label=label, axes=(SCHEME, *axes, STEP), value_of=take, taken=lambda seen, step: having(seen, name, step).step,
        hidden=name in HIDDEN_ONLY,
    )  # fmt: skip


def predicted(name: str) -> Callable[..., float]:
    return lambda seen, scheme, layer: getattr(predict(seen.record), name)[scheme, layer]


def relative_change(seen: StreamPrefix, scheme: int, place: int) -> np.ndarray:
    change = list(symmetries.symmetry_changes(seen.record).values())[place]
    with np.errstate(all="ignore"):
        return change.moved[scheme] / change.size[scheme]


def gain(label: str, name: str) -> ClaimQuantity:
    return ClaimQuantity(label=label, axes=(SCHEME,), value_of=lambda seen, scheme: getattr(first_layer_gain(seen.record), name)[scheme])


def bound(label: str, name: str) -> ClaimQuantity:
    return ClaimQuantity(
        label=f"log10 of the {label}", axes=(LOOK,), record=Product,
        value_of=lambda seen, place: getattr(singular_bounds(seen.record), name)[place],
    )  # fmt: skip


def expected(seen: StreamPrefix, factor: int) -> float:
    found = norm_law(seen.record)
    return found.mean[factor] if found else np.nan


def setting(label: str, number: Callable[[Any], float], record: type = Experiment) -> ClaimQuantity:
    return ClaimQuantity(label=label, value_of=lambda seen: np.float64(number(seen.record)), record=record)


CURVE_LABELS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "test_loss": "held-out loss",
    "test_accuracy": "held-out accuracy",
    "gradient_norm": "gradient norm",
    "scale": "loss scale",
}
PROFILE_LABELS = {
    "signal": "signal",
    "signal_gradient": "signal gradient",
    "weight_gradient": "weight gradient",
    "weight": "norm of the weights",
    "update": "norm of the update",
    "saturated": "saturated share",
    "dead": "share of dead units",
    "distinct": "number of distinct units",
}
HIDDEN_ONLY = "saturated", "dead", "distinct"
CLAIM_QUANTITIES: Mapping[str, ClaimQuantity] = {
    **{name: measured(name, label) for name, label in CURVE_LABELS.items()},
    **{name: measured(name, label, LAYER) for name, label in PROFILE_LABELS.items()},
    "predicted_signal": ClaimQuantity(label="predicted signal", axes=(SCHEME, LAYER), value_of=predicted("signal")),
    "predicted_signal_gradient": ClaimQuantity(
        label="predicted signal gradient", axes=(SCHEME, LAYER), value_of=predicted("signal_gradient")
    ),
    "singular_value": ClaimQuantity(
        label="singular value", axes=(SCHEME, RANK),
        value_of=lambda seen, scheme, rank: jacobian.singular_values(seen.record)[scheme, :, rank],
    ),
    "moved": ClaimQuantity(label="change of the output", axes=(SCHEME, SYMMETRY), value_of=relative_change),
    "forward": gain("forward factor", "forward"),
    "backward": gain("backward factor", "backward"),
    "forward_predicted": gain("predicted forward factor", "predicted_forward"),
    "backward_predicted": gain("predicted backward factor", "predicted_backward"),
    "guessing": setting("loss of guessing", lambda e: e.dataset_row.guessing_loss),
    "width": setting("width", lambda e: e.width),
    "depth": setting("depth", lambda e: e.depth),
    "features": setting("features", lambda e: e.dataset_row.input_dimension(e.features)),
    "batch": setting("batch", lambda e: e.batch),
    "learning_rate": setting("learning rate", lambda e: e.learning_rate),
    "log10_norm": ClaimQuantity(label="log10 of the norm", axes=(FACTOR,), value_of=lambda seen, factor: seen.at(factor), record=Product),
    "law": ClaimQuantity(label="log10 by the law", axes=(FACTOR,), value_of=expected, record=Product),
    "log10_largest": bound("largest singular value", "largest"),
    "log10_smallest": bound("smallest singular value", "smallest"),
    "log10_upper": bound("upper bound", "upper"),
    "log10_lower": bound("lower bound", "lower"),
    "n": setting("size", lambda p: p.n, Product),
    "sigma": setting("sigma", lambda p: p.sigma, Product),
    "count": setting("further factors", lambda p: p.count, Product),
}  # fmt: skip
