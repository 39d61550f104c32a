"""How much of what the activation sees lies where it is flat, in numbers and in words, from the histograms of a run."""

from dataclasses import dataclass

import numpy as np

from stability.engine.quantities import HISTOGRAM_REACH
from stability.engine.runs import Run
from stability.text import percent, share_in_words


@dataclass(frozen=True)
class Saturation:
    """One scheme at one hidden layer. Shares of the pre-activations u; NaN where not finite.

    `share` (the median over the replicates) lies where the activation is flat, `by_design` would if u were N(0, 1); `below`
    and `above` (means) lie outside the histogram, the former at `step`, the latter at `pictured`.
    """

    scheme: str
    layer: int
    step: int
    snapshot_step: int
    saturated_share: float
    share_by_design: float
    below: float
    above: float


def mean_histogram(run: Run, count: int, layer: int, step: int) -> np.ndarray:
    """`(S, BINS + 2)`: means over the replicates whose u is a number; NaN where there is none."""
    shares = run.snapshot(count, step).pre_activations[:, :, layer - 1].astype(float)  # (S, R, BINS + 2)
    known = np.isfinite(shares).all(axis=2).sum(axis=1, keepdims=True)  # (S, 1)
    return np.where(known, np.nansum(shares, axis=1) / np.maximum(known, 1), np.nan)


def saturation_by_scheme(run: Run, count: int, layer: int, step: int) -> list[Saturation]:
    """Of every scheme, at hidden layer `layer` (from 1), beside the newest histogram up to `step`."""
    e, pictured, outer = run.experiment, run.snapshot(count, step).step, mean_histogram(run, count, layer, step)
    profiled = [m for m in run.measurements[:count] if m.saturated is not None]
    nearest = min(profiled, key=lambda m: abs(m.step - pictured))  # of a long run, profiles are kept at other steps
    seen = np.sort(nearest.saturated[:, :, layer - 1], axis=1)  # (S, R), NaN last
    found = np.isfinite(seen).sum(axis=1)
    middle = [np.median(row[:known]) if known else np.nan for row, known in zip(seen, found, strict=True)]
    shares = zip(e.schemes, middle, outer[:, 0], outer[:, -1], strict=True)
    return [
        Saturation(scheme, layer, nearest.step, pictured, float(share), e.phi.saturated_by_design, float(below), float(above))
        for scheme, share, below, above in shares
    ]


def saturation_sentences(run: Run, count: int, layer: int, step: int) -> list[str]:
    """One a scheme: He (normal): 51 % of layer 3's pre-activations lie where ReLU is flat, 50 % by design; 2 % ..."""
    label, found = run.experiment.phi.label, saturation_by_scheme(run, count, layer, step)
    return [f"{row.title}: {words(seen, label)}" for row, seen in zip(run.experiment.scheme_rows, found, strict=True)]


def words(seen: Saturation, activation: str) -> str:
    if not np.isfinite(seen.saturated_share + seen.below):
        return f"layer {seen.layer}'s pre-activations are no longer numbers at step {seen.snapshot_step}."
    design = f", {percent(seen.share_by_design)} by design" if round(seen.share_by_design, 2) else ""
    beyond = seen.below + seen.above
    outside = f"; {share_in_words(beyond)} lie beyond ±{HISTOGRAM_REACH}" if beyond else ""
    return f"{share_in_words(seen.saturated_share)} of layer {seen.layer}'s pre-activations lie where {activation} is flat{design}{outside}."
