"""Remarks on what no log axis can show: values that are not finite, and exact zeros."""

from dataclasses import dataclass

import numpy as np

from stability.diagnosis.evidence import breaks_of_scheme
from stability.engine.measurement import Measurement
from stability.engine.runs import Break, Run
from stability.i18n import N_, _, cache_by_language
from stability.text import join_sentences, layer_range

ZERO_AT = {
    "signal": N_("the signal at {layers}"),
    "signal_gradient": N_("the signal gradient at {layers}"),
    "weight_gradient": N_("the weight gradient at {layers}"),
}


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
    e = run.experiment
    return describe_divergence(e.schemes[index], breaks, e.replicates, shown)


@cache_by_language(maxsize=256)  # each draw asks for the same
def describe_divergence(
    scheme: str, breaks: tuple[Break, ...], replicates: int, shown: int
) -> Remark:
    """Return the remark on a scheme with these breaks, the earliest first."""
    event = breaks[0]
    fields = {
        "value": event.value,
        "step": event.step,
        "layer": event.layer,
        "quantity": _("gradient") if event.backward else _("signal"),
        "count": len(breaks),
        "replicates": replicates,
    }
    reason = _("the loss is {value} from step {step} on, though every layer is still finite.")
    label = _("{value} at step {step}")
    if event.layer:
        reason = _("the {quantity} is {value} at layer {layer} from step {step} on.")
        label = _("{value} at layer {layer}, step {step}")
    happened = _("diverged: {reason}")
    if replicates > 1:
        happened = _("{count} of {replicates} replicates diverged: {reason}")
    happened = happened.format(reason=reason.format(**fields), **fields)
    profiles = _("By layer: step {step}.").format(step=shown)
    text, label = join_sentences(happened, profiles), label.format(**fields)
    return Remark(scheme, text, event.step, label, True, profiles)


def zero_remark(run: Run, measurement: Measurement, index: int) -> Remark | None:
    """Return the layers at which a quantity is exactly 0 in every replicate."""
    parts = []
    for name, words in ZERO_AT.items():
        layers = np.flatnonzero((getattr(measurement, name)[index] == 0).all(axis=0)) + 1
        if len(layers):
            parts.append(_(words).format(layers=layer_range(layers.tolist())))
    if not parts:
        return None
    text = _("exactly 0 at step {step}: {parts}.")
    text = text.format(step=measurement.step, parts=_(", ").join(parts))
    return Remark(run.experiment.schemes[index], text, measurement.step)
