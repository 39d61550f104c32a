"""Remarks on what no log axis can show: values that are not finite, and exact zeros."""

from dataclasses import dataclass

import numpy as np

from stability.diagnosis.evidence import breaks_of_scheme
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.text import layer_range


@dataclass(frozen=True)
class Remark:
    """One sentence about one scheme; if it `diverged`, `step` and `label` mark it in a chart.

    `profiles_text` is the part about the profiles, for readers of the verdict.
    """

    scheme: str
    text: str
    step: int
    label: str = ""
    diverged: bool = False
    profiles_text: str = ""


def nonfinite_remarks(run: Run, count: int) -> list[Remark]:
    """Return where schemes diverged so far, and the exact zeros in their newest profiles."""
    remarks = []
    for index, finite in enumerate(run.counts_before_divergence(count)):
        shown = run.newest_profiles(finite)
        found = divergence_remark(run, count, index, shown.step), zero_remark(run, shown, index)
        remarks += [remark for remark in found if remark]
    return remarks


def divergence_remarks(run: Run, count: int) -> list[Remark]:
    """Return where schemes diverged so far."""
    remarks = []
    for index, finite in enumerate(run.counts_before_divergence(count)):
        if finite < count or run.breaks:
            shown = run.newest_profiles(finite).step
            remarks.append(divergence_remark(run, count, index, shown))
    return [remark for remark in remarks if remark]


def divergence_remark(run: Run, count: int, index: int, shown: int) -> Remark | None:
    """Return where a scheme diverged first, `shown` being the step of its profiles."""
    breaks = breaks_of_scheme(run, count, index)
    if not breaks:
        return None
    event, replicates = breaks[0], run.experiment.replicates
    where = f"from step {event.step} on"
    reason = f"the loss is {event.value} {where}, though every layer is still finite."
    label = f"{event.value} at step {event.step}"
    if event.layer:
        numbers = "gradient" if event.backward else "signal"
        reason = f"the {numbers} is {event.value} at layer {event.layer} {where}."
        label = f"{event.value} at layer {event.layer}, step {event.step}"
    share = f"{len(breaks)} of {replicates} replicates " if replicates > 1 else ""
    profiles = f"Profiles: step {shown}."
    text = f"{share}diverged: {reason} {profiles}"
    return Remark(run.experiment.schemes[index], text, event.step, label, True, profiles)


def zero_remark(run: Run, measurement: Measurement, index: int) -> Remark | None:
    """Return the layers at which a quantity is exactly 0 in every replicate."""
    parts = []
    for name in ("signal", "signal_gradient", "weight_gradient"):
        layers = np.flatnonzero((getattr(measurement, name)[index] == 0).all(axis=0)) + 1
        if len(layers):
            parts.append(f"the {name.replace('_', ' ')} at {layer_range(layers.tolist())}")
    if not parts:
        return None
    text = f"exactly 0 at step {measurement.step}: {', '.join(parts)}."
    return Remark(run.experiment.schemes[index], text, measurement.step)
