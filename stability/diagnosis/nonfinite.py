"""What must be said in words because no log axis can show it: numbers that are not finite, and exact zeros."""

from dataclasses import dataclass

import numpy as np

from stability.engine.measurement import Measurement
from stability.engine.runs import Break, Run
from stability.text import layer_range


@dataclass(frozen=True)
class Remark:
    """One sentence about one scheme; where it `diverged`, `step` and `short` are for a mark in a chart.

    `shown` is its part about what is shown, for who has read the rest in a verdict.
    """

    scheme: str
    text: str
    step: int
    label: str = ""
    diverged: bool = False
    profiles_text: str = ""


def nonfinite_remarks(run: Run, count: int) -> list[Remark]:
    """Of the first `count` measurements: where schemes diverged, and the exact zeros in the newest, in the schemes' order."""
    found = []
    for index, (scheme, finite) in enumerate(zip(run.experiment.schemes, run.counts_before_divergence(count), strict=True)):
        shown = run.newest_profiles(finite)
        found += divergence(run, index, scheme, count - 1, shown.step) + zeros(scheme, shown, index)
    return found


def divergence(run: Run, index: int, scheme: str, step: int, shown: int) -> list[Remark]:
    broken = [event for (s, _), event in run.breaks.items() if s == index and event.step <= step]
    if not broken:
        return []
    first = min(broken, key=lambda event: (event.step, event.layer))
    replicates = run.experiment.replicates
    who = "" if replicates == 1 else f"{len(broken)} of {replicates} replicates "
    profiles = f"Profiles: step {shown}."
    text = f"{who}diverged: {sentence(first)} {profiles}"
    return [Remark(scheme, text, first.step, short(first), diverged=True, profiles_text=profiles)]


def short(event: Break) -> str:
    return f"{event.value} at layer {event.layer}, step {event.step}" if event.layer else f"{event.value} at step {event.step}"


def sentence(event: Break) -> str:
    if not event.layer:
        return f"the loss is {event.value} from step {event.step} on, though every layer is still finite."
    what = "gradient" if event.backward else "signal"
    return f"the {what} is {event.value} at layer {event.layer} from step {event.step} on."


def zeros(scheme: str, measurement: Measurement, index: int) -> list[Remark]:
    """Layers whose signal or gradient is exactly 0 in every replicate."""
    parts = []
    for name, what in (("signal", "signal"), ("signal_gradient", "signal gradient"), ("weight_gradient", "weight gradient")):
        layers = np.flatnonzero((getattr(measurement, name)[index] == 0).all(axis=0)) + 1
        if len(layers):
            parts.append(f"the {what} at {layer_range(layers)}")
    if not parts:
        return []
    text = f"exactly 0 at step {measurement.step}: " + ", ".join(parts) + "."
    return [Remark(scheme, text, measurement.step)]
