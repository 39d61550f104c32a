"""The share of pre-activations at which an activation is saturated, and their histograms."""

from dataclasses import dataclass

import numpy as np

from stability.catalogues import gaussian_moments
from stability.engine.quantities import HISTOGRAM_BINS, HISTOGRAM_REACH
from stability.engine.replicates import mean_of_finite, median_of_finite
from stability.engine.runs import Run


@dataclass(frozen=True)
class Saturation:
    """Shares of one scheme's pre-activations u at one hidden layer; NaN where not finite.

    `saturated_share`, the median over the replicates at `step`, lies where the activation is flat;
    `share_by_design` is the same for u from N(0, 1). `below` and `above`, means over the replicates
    at `snapshot_step`, lie outside the histogram; `mean_slope` is that of the activation in it.
    """

    scheme: str
    layer: int
    step: int
    snapshot_step: int
    saturated_share: float
    share_by_design: float
    below: float
    above: float
    mean_slope: float


def mean_histogram(run: Run, count: int, layer: int, step: int) -> np.ndarray:
    """Return the newest histograms up to `step`, `(S, HISTOGRAM_BINS + 2)`.

    Means over the replicates whose pre-activations are finite; NaN where none is.
    """
    shares = run.snapshot(count, step).pre_activations[:, :, layer - 1]  # (S, R, bins)
    return mean_of_finite(shares.astype(float))


def saturation_by_scheme(run: Run, count: int, layer: int, step: int) -> list[Saturation]:
    """Return each scheme's saturation at hidden `layer` (from 1), newest snapshot up to `step`.

    A long run keeps profiles and snapshots at different steps: the nearest profiles are used.
    """
    e, snapshot_step = run.experiment, run.snapshot(count, step).step
    histograms = mean_histogram(run, count, layer, step)
    with_profiles = [m for m in run.measurements[:count] if m.saturated is not None]
    nearest = min(with_profiles, key=lambda m: abs(m.step - snapshot_step))
    shares = median_of_finite(nearest.saturated[:, :, layer - 1])  # (S,)
    by_design, steps = e.phi.saturated_by_design, (nearest.step, snapshot_step)
    slopes = histograms @ gaussian_moments.dphi(e.phi, bin_middles())  # (S,)
    rows = zip(e.schemes, shares, histograms[:, 0], histograms[:, -1], slopes, strict=True)
    return [
        Saturation(scheme, layer, *steps, float(share), by_design, *map(float, rest))
        for scheme, share, *rest in rows
    ]


def bin_middles() -> np.ndarray:
    """Return the middle of each bin of a histogram; the outer ones as wide as one unit."""
    ends = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, HISTOGRAM_BINS + 1)
    edges = np.array([-HISTOGRAM_REACH - 1, *ends, HISTOGRAM_REACH + 1])
    return np.asarray((edges[1:] + edges[:-1]) / 2)
