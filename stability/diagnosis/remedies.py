"""Remedies for a sick scheme: data that a button applies."""

import math
from dataclasses import dataclass, field
from typing import Any

from stability.catalogues import schemes
from stability.diagnosis.faults import repair_label
from stability.diagnosis.pytorch_lines import join_lines, remedy_lines, scheme_lines, settings_lines
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES
from stability.records.knobs import Number
from stability.text import lower_first

FAST = 3.0  # times the typical rate of an optimizer
SAME_VARIANCE = 0.1  # relative; schemes that differ by less make equivalent networks


@dataclass(frozen=True)
class Remedy:
    """A change of the experiment: a scheme to add beside the sick one, or settings to change.

    `pytorch` is a few lines that make the same change in a program of one's own, and `before` the
    experiment for which they were written. `parts` are the two remedies of which it does both.
    """

    scheme: str = ""
    settings: tuple[tuple[str, Any], ...] = ()
    pytorch: str = ""
    before: Experiment | None = field(default=None, compare=False, repr=False)
    parts: tuple["Remedy", ...] = field(default=(), repr=False)

    @property
    def label(self) -> str:
        """The words of its button, in the reader's language."""
        if self.parts:
            first, second = (part.label for part in self.parts)
            return _("{first} and {second}").format(first=first, second=lower_first(second))
        if self.scheme:
            return _("Compare with {scheme}").format(scheme=schemes.scheme_title(self.scheme))
        knobs = Experiment.knobs()
        changes = [knobs[name].label_with_value(value) for name, value in self.settings]
        repair = repair_label(dict(self.settings))
        return repair or _("Try {changes}").format(changes=_(", ").join(changes))

    def apply(self, e: Experiment, sick: str) -> Experiment:
        """Return a legal experiment, the scheme after the sick one, or in its place if full."""
        changes = dict(self.settings)
        if self.scheme and self.scheme not in e.schemes:
            behind = e.schemes.index(sick) + 1
            kept = behind if len(e.schemes) < MOST_SCHEMES else behind - 1
            changes["schemes"] = (*e.schemes[:kept], self.scheme, *e.schemes[behind:])
        return Experiment.reconcile(e.settings() | changes)[0]


def join_remedies(first: Remedy, second: Remedy) -> Remedy | None:
    """Return the remedy that does both; None where they change the same thing."""
    settings = dict(first.settings) | dict(second.settings)
    both_schemes = bool(first.scheme and second.scheme)
    if both_schemes or len(settings) < len(first.settings) + len(second.settings):
        return None
    scheme, e = first.scheme or second.scheme, first.before
    lines = join_lines(first.pytorch, second.pytorch)
    if e is not None:  # written anew: two settings may share a line
        lines = remedy_lines(e, scheme, settings)
    return Remedy(scheme, tuple(settings.items()), lines, e, (first, second))


def settings_remedy(e: Experiment, **settings: Any) -> Remedy:
    """Return the remedy that changes these settings, as far as is legal."""
    for name, value in settings.items():
        if isinstance(knob := e.knobs()[name], Number):
            settings[name] = min(max(value, knob.low), knob.high)
    lines = settings_lines(e, settings)
    return Remedy(settings=tuple(settings.items()), pytorch=lines, before=e)


def scheme_remedy(e: Experiment, key: str) -> Remedy:
    """Return the remedy that adds this scheme."""
    return Remedy(scheme=key, pytorch=scheme_lines(e, key), before=e)


def shortens_steps(e: Experiment, remedy: Remedy) -> bool:
    """True if the remedy makes steps shorter, or the gradients that they follow less noisy.

    A rate far above the typical one is to come near to that.
    """
    changes, fast = dict(remedy.settings), FAST * e.optimizer_row.learning_rate
    if "optimizer" in changes:  # another one comes with its typical rate
        return True
    if "learning_rate" in changes:
        return bool(changes["learning_rate"] < min(e.learning_rate, fast))
    calms = changes.get("batch", 0) > e.batch or changes.get("clip", 0) > 0
    return calms and e.learning_rate < fast


def have_similar_variance(e: Experiment, *texts: str) -> bool:
    """True if the schemes give the weights of the middle layer the same variance."""
    layer = e.layers[len(e.layers) // 2]
    first, second = (schemes.parse_scheme(text).weight_variance(layer) for text in texts)
    if first is None or second is None:
        return False
    return math.isclose(first, second, rel_tol=SAME_VARIANCE)
