"""The public record of one step: all measured quantities, as NumPy arrays."""

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np

from stability.records.experiment import Experiment

Curve = Annotated[np.ndarray, "one number a network; kept at every step"]
Profile = Annotated[np.ndarray, "one number a network and layer; of long runs kept at some steps"]
Snapshot = Annotated[
    np.ndarray, "large; measured at few steps, and of large networks kept at fewer"
]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """The quantities of the pass on batch `step` with the weights after `step` updates.

    S schemes, R replicates, L layers. Arrays are float64; snapshots float32, except for the learned
    outputs of float64 networks. Gradients are those of the unscaled loss; where they overflowed in
    the format they are infinite or NaN, as stored. With loss scaling a step that overflowed is
    skipped: the next update is 0 and the next scale half of this one. In formats that are rounded,
    `update` is the step that was taken: the difference of the weights as they are stored. In
    float32 and float64 it is the optimizer's step, which agrees up to the rounding of W.
    """

    step: int
    loss: Curve  # (S, R) mean over the batch
    accuracy: Curve  # (S, R) share of examples classified right; NaN for regression
    test_loss: Curve  # (S, R) on held-out examples; NaN where not measured
    test_accuracy: Curve  # (S, R)
    gradient_norm: Curve  # (S, R) over all parameters, before clipping
    scale: Curve  # (S, R) factor of the loss in the backward pass; 1 without loss scaling
    signal: Profile  # (S, R, L) RMS of z
    spread: Profile  # (S, R, L) RMS of z minus its mean over the batch; NaN where not measured
    signal_gradient: Profile  # (S, R, L) RMS of batch x d(loss)/dz
    weight_gradient: Profile  # (S, R, L) Frobenius norm of d(loss)/dW
    weight: Profile  # (S, R, L) Frobenius norm of W
    update: Profile  # (S, R, L) Frobenius norm of the step that led to W; 0 at step 0
    # Share of the nonzero entries of the optimizer's step that left the stored entry of W as it
    # was, (S, R, L): below half a unit in its last place. NaN at step 0 and where not measured.
    lost_updates: Profile
    lost_gain_updates: Profile  # (S, R, L-1) the same of a normalization's gains; NaN without any
    saturated: Profile  # (S, R, L-1) share of u in the flat region
    dead: Profile  # (S, R, L-1) share of units with slope 0 on the whole batch
    distinct: Profile  # (S, R, L-1) number of different hidden units; NaN where not measured
    # Share of u in each bin, (S, R, L-1, HISTOGRAM_BINS + 2), with one outer bin at each end.
    pre_activations: Snapshot
    # Shares of the numbers as stored, (S, R, L, TENSOR_KINDS, FORMATS, OUTCOMES).
    rounding_shares: Snapshot
    # Outputs of the first replicates on the input grid, (S, points, outputs).
    learned_outputs: Snapshot

    @property
    def has_profiles(self) -> bool:
        """True unless a run has dropped them."""
        return self.signal is not None


CURVES = tuple(field.name for field in fields(Measurement) if field.type is Curve)
PROFILES = tuple(field.name for field in fields(Measurement) if field.type is Profile)
SNAPSHOTS = tuple(field.name for field in fields(Measurement) if field.type is Snapshot)


def finite_networks(e: Experiment, measurement: Measurement) -> np.ndarray:
    """Return True for each network `(S, R)` whose loss and gradient are finite.

    With loss scaling only the loss counts, since steps that overflow are skipped.
    """
    gradient = 0 if e.number_format.scales_loss else measurement.gradient_norm
    return np.asarray(np.isfinite(measurement.loss + gradient))
