"""The quantities that a claim can name: their labels, indices and values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.course.claim_indices import (
    FACTOR,
    HIDDEN_LAYER,
    LAYER,
    RANK,
    SAMPLED_FACTOR,
    SCHEME,
    STEP,
    SYMMETRY,
    IndexKind,
)
from stability.course.claim_maps import (
    COLUMN,
    ROW,
    best_across,
    learning_cells,
    learns_up_to,
    mean_turns,
    scale_correlation,
)
from stability.course.claim_prefix import StreamPrefix
from stability.engine.registry import Probe
from stability.i18n import N_
from stability.probes.costs import bound_probe, gain_probe, singular_value_probe, symmetry_probe
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.jacobian import singular_values
from stability.probes.product_singular_values import singular_bounds
from stability.probes.symmetries import symmetry_changes
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.step_sampling import sampled_steps
from stability.records.sweep import Sweep
from stability.theory.prediction import predict
from stability.theory.product_law import norm_law


@dataclass(frozen=True, eq=False)
class ClaimQuantity:
    """The meaning of a name in a claim.

    `value_of(prefix, *indices)` returns its value, one for each replicate or one for all, from the
    numbers or names that its indices stand for. `measurement(prefix, step)` returns the measurement
    that has it, maybe of an earlier step. `record` is the kind of settings that have it;
    `probe(record)` computes it in the queue.
    """

    name: str
    label: str  # which is translated where it is read
    indices: tuple[IndexKind, ...]
    value_of: Callable[..., Any]
    record: type[Experiment | Product | Sweep] = Experiment
    measurement: Callable[[StreamPrefix, int], Any] | None = None
    probe: Callable[[Any], Probe] | None = None


def measured(name: str, label: str, *layer: IndexKind, sampled: bool = False) -> ClaimQuantity:
    """Return a field of a Measurement; `sampled`: NaN but at the sampled steps of a run."""

    def measurement(prefix: StreamPrefix, step: int) -> Any:
        steps = sampled_steps(prefix.record.steps) if sampled else range(step + 1)
        return prefix.newest(step, lambda m: m.step in steps and getattr(m, name) is not None)

    def value_of(prefix: StreamPrefix, scheme: int, *numbers: int) -> Any:
        *layer, step = numbers
        return getattr(measurement(prefix, step), name)[scheme, :, *(n - 1 for n in layer)]  # (R,)

    return ClaimQuantity(name, label, (SCHEME, *layer, STEP), value_of, measurement=measurement)


def computed(
    name: str,
    label: str,
    value_of: Callable[..., Any],
    *indices: IndexKind,
    record: type[Experiment | Product | Sweep] = Experiment,
    probe: Callable[[Any], Probe] | None = None,
) -> ClaimQuantity:
    """Return a number `value_of(record, *numbers)` that follows from the settings alone."""

    def value(prefix: StreamPrefix, *numbers: int) -> Any:
        return np.asarray(value_of(prefix.record, *numbers))

    return ClaimQuantity(name, label, indices, value, record, probe=probe)


def gain(name: str, field: str, label: str) -> ClaimQuantity:
    """Return a factor of the first layer on the mean square."""

    def value_of(e: Experiment, scheme: int) -> Any:
        return getattr(measure_first_layer_gain(e), field)[scheme]

    return computed(name, label, value_of, SCHEME, probe=gain_probe)


def bound(field: str, label: str) -> ClaimQuantity:
    """Return the log10 of an extreme singular value of a product, or of its bound."""

    def value_of(p: Product, factor: int) -> Any:
        bounds = singular_bounds(p)
        return getattr(bounds, field)[bounds.factor == factor]  # (1,)

    return computed(
        f"log10_{field}", label, value_of, SAMPLED_FACTOR, record=Product, probe=bound_probe
    )


def relative_change(e: Experiment, scheme: int, symmetry: str) -> Any:
    """Return by how much a symmetry moves the output, as a share of its size."""
    change = symmetry_changes(e)[symmetry]
    with np.errstate(all="ignore"):
        return change.moved[scheme] / change.size[scheme]


def lawful_norm(p: Product, factor: int) -> float:
    law = norm_law(p)
    return float(law.mean[factor]) if law else np.nan


# fmt: off
CLAIM_QUANTITIES = {quantity.name: quantity for quantity in (
    measured("loss", N_("loss")),
    measured("accuracy", N_("accuracy")),
    measured("test_loss", N_("held-out loss"), sampled=True),
    measured("test_accuracy", N_("held-out accuracy"), sampled=True),
    measured("gradient_norm", N_("gradient norm")),
    measured("scale", N_("loss scale")),
    measured("signal", N_("signal"), LAYER),
    measured("spread", N_("spread between examples"), LAYER, sampled=True),
    measured("signal_gradient", N_("signal gradient"), LAYER),
    measured("weight_gradient", N_("weight gradient"), LAYER),
    measured("weight", N_("norm of the weights"), LAYER),
    measured("update", N_("norm of the update"), LAYER),
    measured("lost_updates", N_("share of lost updates"), LAYER, sampled=True),
    measured("lost_gain_updates", N_("share of lost updates of gains"), HIDDEN_LAYER, sampled=True),
    measured("saturated", N_("saturated share"), HIDDEN_LAYER),
    measured("dead", N_("share of dead units"), HIDDEN_LAYER),
    measured("distinct", N_("number of distinct units"), HIDDEN_LAYER, sampled=True),
    computed("predicted_signal", N_("predicted signal"),
        lambda e, scheme, layer: predict(e).signal[scheme, layer - 1], SCHEME, LAYER),
    computed("predicted_signal_gradient", N_("predicted signal gradient"),
        lambda e, scheme, layer: predict(e).signal_gradient[scheme, layer - 1], SCHEME, LAYER),
    computed("singular_value", N_("singular value"),
        lambda e, scheme, rank: singular_values(e)[scheme, :, rank - 1], SCHEME, RANK,
        probe=singular_value_probe),
    computed("moved", N_("change of the output"), relative_change, SCHEME, SYMMETRY,
        probe=symmetry_probe),
    gain("forward", "forward", N_("forward factor")),
    gain("backward", "backward", N_("backward factor")),
    gain("forward_predicted", "predicted_forward", N_("predicted forward factor")),
    gain("backward_predicted", "predicted_backward", N_("predicted backward factor")),
    computed("guessing", N_("loss of guessing"), lambda e: e.dataset_row.guessing_loss),
    computed("width", N_("width"), lambda e: e.width),
    computed("depth", N_("depth"), lambda e: e.depth),
    computed("features", N_("features"), lambda e: e.dataset_row.input_dimension(e.features)),
    computed("batch", N_("batch"), lambda e: e.batch),
    computed("learning_rate", N_("learning rate"), lambda e: e.learning_rate),
    ClaimQuantity("log10_norm", N_("log10 of the norm"), (FACTOR,), StreamPrefix.newest, Product),
    computed("law", N_("log10 by the law"), lawful_norm, FACTOR, record=Product),
    bound("largest", N_("log10 of the largest singular value")),
    bound("smallest", N_("log10 of the smallest singular value")),
    bound("upper", N_("log10 of the upper bound")),
    bound("lower", N_("log10 of the lower bound")),
    ClaimQuantity("learns_up_to", N_("largest value upward that learns"), (COLUMN,), learns_up_to,
        Sweep),
    ClaimQuantity("best_across", N_("best value across"), (ROW,), best_across, Sweep),
    ClaimQuantity("learning_cells", N_("number of cells that learn"), (), learning_cells, Sweep),
    ClaimQuantity("mean_turns", N_("turns of a row between learning and not"), (), mean_turns,
        Sweep),
    ClaimQuantity("scale_correlation", N_("rank correlation with the depth scale"), (),
        scale_correlation, Sweep),
    computed("n", N_("size"), lambda p: p.n, record=Product),
    computed("sigma", N_("sigma"), lambda p: p.sigma, record=Product),
    computed("count", N_("further factors"), lambda p: p.count, record=Product),
)}
# fmt: on
