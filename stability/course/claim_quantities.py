"""The quantities that a claim can name: their indices, labels, and where their numbers lie."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.course import claim_indices
from stability.engine.runs import Stream
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.jacobian import singular_values
from stability.probes.product_singular_values import singular_bounds
from stability.probes.symmetries import symmetry_changes
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.step_sampling import sampled_steps
from stability.theory.prediction import predict
from stability.theory.product_law import norm_law

SCHEME, STEP = claim_indices.SchemeIndex(), claim_indices.StepIndex()
LAYER, HIDDEN_LAYER = claim_indices.LayerIndex(), claim_indices.HiddenLayerIndex()
RANK, SYMMETRY = claim_indices.RankIndex(), claim_indices.SymmetryIndex()
FACTOR, SAMPLED_FACTOR = claim_indices.FactorIndex(), claim_indices.SampledFactorIndex()


class PendingError(ValueError):
    """A run has not come to the step that a claim speaks of."""


@dataclass(frozen=True, eq=False)
class StreamPrefix:
    """The first `count` measurements of a run."""

    stream: Stream[Any, Any]
    count: int

    @property
    def record(self) -> Any:
        return self.stream.record

    def newest(self, step: int, serves: Callable[[Any], bool] = lambda measurement: True) -> Any:
        """Return the newest measurement at or before `step` that serves.

        PendingError where `step` is not measured yet.
        """
        if step >= self.count:
            raise PendingError(f"step {step} is still to come")
        return next(m for m in reversed(self.stream.measurements[: step + 1]) if serves(m))


@dataclass(frozen=True, eq=False)
class ClaimQuantity:
    """The meaning of a name in a claim.

    `value_of(prefix, *positions)` is its number, one for each replicate or one for all, and
    `step_taken(prefix, step)` the step at which that was measured, which may be an earlier one.
    `record` is the kind of settings that have it.
    """

    name: str
    label: str
    indices: tuple[claim_indices.IndexKind, ...]
    value_of: Callable[..., Any]
    record: type[Experiment | Product] = Experiment
    step_taken: Callable[[StreamPrefix, int], int] | None = None


def measured(
    name: str, label: str, *layer: claim_indices.IndexKind, sampled: bool = False
) -> ClaimQuantity:
    """A field of a Measurement; `sampled`: NaN but at the sampled steps of a run."""

    def measurement(prefix: StreamPrefix, step: int) -> Any:
        steps = sampled_steps(prefix.record.steps) if sampled else range(step + 1)
        return prefix.newest(step, lambda m: m.step in steps and getattr(m, name) is not None)

    def value_of(prefix: StreamPrefix, scheme: int, *positions: int) -> Any:
        *layer, step = positions
        return getattr(measurement(prefix, step), name)[scheme, :, *layer]  # (R,)

    def step_taken(prefix: StreamPrefix, step: int) -> int:
        return int(measurement(prefix, step).step)

    indices = SCHEME, *layer, STEP
    return ClaimQuantity(name, label, indices, value_of, step_taken=step_taken)


def predicted(field: str, label: str) -> ClaimQuantity:
    """A field of a Prediction."""

    def value_of(prefix: StreamPrefix, scheme: int, layer: int) -> Any:
        return getattr(predict(prefix.record), field)[scheme, layer]

    return ClaimQuantity(f"predicted_{field}", label, (SCHEME, LAYER), value_of)


def gain(name: str, field: str, label: str) -> ClaimQuantity:
    """A factor of the first layer on the mean square."""

    def value_of(prefix: StreamPrefix, scheme: int) -> Any:
        return getattr(measure_first_layer_gain(prefix.record), field)[scheme]

    return ClaimQuantity(name, label, (SCHEME,), value_of)


def bound(field: str, label: str) -> ClaimQuantity:
    """The log10 of an extreme singular value of a product, or of its bound."""

    def value_of(prefix: StreamPrefix, position: int) -> Any:
        return getattr(singular_bounds(prefix.record), field)[position]

    return ClaimQuantity(f"log10_{field}", label, (SAMPLED_FACTOR,), value_of, Product)


def known(
    name: str,
    label: str,
    number: Callable[[Any], float],
    record: type[Experiment | Product] = Experiment,
) -> ClaimQuantity:
    """A number that follows from the settings alone."""
    return ClaimQuantity(name, label, (), lambda prefix: np.float64(number(prefix.record)), record)


def singular_value(prefix: StreamPrefix, scheme: int, rank: int) -> Any:
    return singular_values(prefix.record)[scheme, :, rank]


def relative_change(prefix: StreamPrefix, scheme: int, symmetry: int) -> Any:
    """Return by how much a symmetry moves the output, as a share of its size."""
    change = list(symmetry_changes(prefix.record).values())[symmetry]
    with np.errstate(all="ignore"):
        return change.moved[scheme] / change.size[scheme]


def lawful_norm(prefix: StreamPrefix, factor: int) -> float:
    law = norm_law(prefix.record)
    return float(law.mean[factor]) if law else np.nan


# fmt: off
CLAIM_QUANTITIES = {quantity.name: quantity for quantity in (
    measured("loss", "loss"),
    measured("accuracy", "accuracy"),
    measured("test_loss", "held-out loss", sampled=True),
    measured("test_accuracy", "held-out accuracy", sampled=True),
    measured("gradient_norm", "gradient norm"),
    measured("scale", "loss scale"),
    measured("signal", "signal", LAYER),
    measured("signal_gradient", "signal gradient", LAYER),
    measured("weight_gradient", "weight gradient", LAYER),
    measured("weight", "norm of the weights", LAYER),
    measured("update", "norm of the update", LAYER),
    measured("saturated", "saturated share", HIDDEN_LAYER),
    measured("dead", "share of dead units", HIDDEN_LAYER),
    measured("distinct", "number of distinct units", HIDDEN_LAYER, sampled=True),
    predicted("signal", "predicted signal"),
    predicted("signal_gradient", "predicted signal gradient"),
    ClaimQuantity("singular_value", "singular value", (SCHEME, RANK), singular_value),
    ClaimQuantity("moved", "change of the output", (SCHEME, SYMMETRY), relative_change),
    gain("forward", "forward", "forward factor"),
    gain("backward", "backward", "backward factor"),
    gain("forward_predicted", "predicted_forward", "predicted forward factor"),
    gain("backward_predicted", "predicted_backward", "predicted backward factor"),
    known("guessing", "loss of guessing", lambda e: e.dataset_row.guessing_loss),
    known("width", "width", lambda e: e.width),
    known("depth", "depth", lambda e: e.depth),
    known("features", "features", lambda e: e.dataset_row.input_dimension(e.features)),
    known("batch", "batch", lambda e: e.batch),
    known("learning_rate", "learning rate", lambda e: e.learning_rate),
    ClaimQuantity("log10_norm", "log10 of the norm", (FACTOR,), StreamPrefix.newest, Product),
    ClaimQuantity("law", "log10 by the law", (FACTOR,), lawful_norm, Product),
    bound("largest", "log10 of the largest singular value"),
    bound("smallest", "log10 of the smallest singular value"),
    bound("upper", "log10 of the upper bound"),
    bound("lower", "log10 of the lower bound"),
    known("n", "size", lambda p: p.n, Product),
    known("sigma", "sigma", lambda p: p.sigma, Product),
    known("count", "further factors", lambda p: p.count, Product),
)}
# fmt: on
