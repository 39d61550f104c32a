"""The evidence about one scheme: how it started, how its loss went, how it ended.

Numbers are medians over the replicates, but one replicate that diverged is enough.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from stability.diagnosis.forecast import Outlook, outlook_after_steps, outlook_from_start
from stability.diagnosis.indicators import Indicators, scheme_indicators
from stability.engine.loss_scaling import INITIAL_SCALE, SMALLEST_SCALE
from stability.engine.measurement import Measurement, finite_networks
from stability.engine.replicates import median_or_worst
from stability.engine.runs import Break, Run, locate_break
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

LEARNED_SHARE, SLOW_SHARE = 0.5, 0.9  # of the loss of guessing
HARMED_SHARE = 2.0  # of the held-out loss at the start: above it training has done harm
HEALTHY_DECADES = 2.0  # end to end: a step that suits one end is 100 times off at the other
HIGH_START = 3.0  # times guessing: a network that knows nothing should start near 1
SATURATED = 0.3  # of hidden units, beyond design: 97 % of paths back through ten layers meet one
FALLING_SHARE = 0.05  # of the loss, lost in the last quarter of the steps: patience may pay
MOST_HALVINGS = round(math.log2(INITIAL_SCALE / SMALLEST_SCALE))  # one per skipped step


@dataclass(frozen=True)
class Evidence:
    """One scheme: its indicators at the start and, after training, at the end, and its loss.

    `losses` are held out, a pair `(step, median)` for each step at which they were measured.
    """

    experiment: Experiment
    scheme: str
    start: Indicators
    breaks: tuple[Break, ...] = ()  # one a replicate, the earliest first
    end: Indicators | None = None  # None: a forecast
    losses: tuple[tuple[int, float], ...] = ()
    learned_replicates: int = 0
    learning_siblings: tuple[str, ...] = ()  # other schemes of the experiment that have learned

    @property
    def stages(self) -> tuple[Indicators, ...]:
        """The indicators to search for a disease: the start first, since it is the cause."""
        return (self.start, self.end) if self.end else (self.start,)

    @property
    def guessing_loss(self) -> float:
        """The loss of a network that has learned nothing."""
        return self.experiment.dataset_row.guessing_loss

    @property
    def first_loss(self) -> float:
        """The held-out loss before training; NaN if unknown."""
        return self.losses[0][1] if self.losses else math.nan

    @property
    def last_loss(self) -> float:
        """The newest held-out loss; NaN if unknown."""
        return self.losses[-1][1] if self.losses else math.nan

    @property
    def relative_loss(self) -> float:
        """The newest held-out loss over that of guessing."""
        return self.last_loss / self.guessing_loss

    @property
    def least_relative_loss(self) -> float:
        """The loss over that of guessing below which the output activation lets no network come."""
        e = self.experiment
        return e.output_row.least_loss(e.dataset_row.classes) / self.guessing_loss

    @property
    def learns(self) -> bool:
        """True if the held-out loss ended below half of what guessing costs."""
        return not self.breaks and self.relative_loss < LEARNED_SHARE

    @property
    def is_slow(self) -> bool:
        """True if it ended below 0.9 of what guessing costs, and not below half of it."""
        return not (self.breaks or self.learns) and self.relative_loss < SLOW_SHARE

    @property
    def did_harm(self) -> bool:
        """True if training left the range of numbers, or raised the loss above guessing."""
        worse = not self.last_loss <= HARMED_SHARE * self.first_loss
        return bool(self.breaks) or (worse and not self.relative_loss < 1)

    @property
    def is_falling(self) -> bool:
        """True if the last quarter of the steps still lowered the held-out loss."""
        if len(self.losses) < 2:
            return False
        steps, losses = zip(*self.losses, strict=True)
        before = float(np.interp(0.75 * steps[-1], steps, losses))
        return bool(losses[-1] < (1 - FALLING_SHARE) * before)

    @cached_property
    def outlook(self) -> Outlook:
        """The probable fate of the network, from its start and from what was seen."""
        seen = [pair for pair in self.losses if pair[0] > 0]
        if seen and not self.end:
            return outlook_after_steps(self.experiment, self.start, self.losses)
        return outlook_from_start(self.experiment, self.start)


def is_healthy(seen: Indicators) -> bool:
    """True if signal and gradient keep their size, no unit is cut off, and the loss is low."""
    kept = seen.log_signal, seen.log_spread, seen.log_gradient
    levels = all(abs(decades) < HEALTHY_DECADES for decades in kept)  # False where one is NaN
    alive = seen.saturated < SATURATED and not seen.dead_replicates and not seen.symmetric_layers
    return bool(seen.is_finite and levels and alive and seen.relative_loss < HIGH_START)


def evidence_before_training(e: Experiment, first: Measurement) -> list[Evidence]:
    """Return the evidence of the first measurement alone."""
    broken = np.argwhere(~finite_networks(e, first)).tolist()
    events = [(scheme, locate_break(first, (scheme, replicate))) for scheme, replicate in broken]
    losses = median_or_worst(first.test_loss).tolist()
    return [
        Evidence(
            e,
            e.schemes[i],
            start,
            earliest_first(event for s, event in events if s == i),
            losses=((0, losses[i]),),
        )
        for i, start in enumerate(scheme_indicators(e, first))
    ]


def evidence_of_run(run: Run, count: int) -> list[Evidence]:
    """Return the evidence of the first `count` measurements, in the order of the run's family.

    Until all steps are taken, only what has diverged has an end.
    """
    e, members, starts = run.experiment, run.family.members, starting_indicators(run, count)
    breaks = [breaks_of_scheme(run, count, index) for index in range(len(members))]
    finished = count > e.steps
    ends: list[Indicators] | list[None] = [None] * len(members)
    if finished:
        ends = list(remembered_indicators(run, run.newest_profiles(count).step))
    losses = held_out_losses(run, count)
    newest = run.measurements[min(count, e.steps + 1) - 1].test_loss
    learned = (newest < LEARNED_SHARE * e.dataset_row.guessing_loss).sum(axis=1).tolist()
    found = [
        Evidence(own, row.key, starts[i], breaks[i],
                 ends[i] or (starts[i] if breaks[i] else None), losses[i], learned[i])
        for i, (own, row) in enumerate(members)
    ]  # fmt: skip
    if not finished:
        return found
    learning = [evidence for evidence in found if evidence.learns]
    return [replace(evidence, learning_siblings=siblings(evidence, learning)) for evidence in found]


def siblings(evidence: Evidence, learning: Iterable[Evidence]) -> tuple[str, ...]:
    """Return the schemes of the same experiment that learn."""
    beside = [other for other in learning if other.experiment is evidence.experiment]
    return tuple(other.scheme for other in beside if other.scheme != evidence.scheme)


def held_out_losses(run: Run, count: int) -> list[tuple[tuple[int, float], ...]]:
    """Return by scheme the median held-out losses of the first `count` measurements."""
    e = run.experiment
    measured = [run.measurements[step] for step in sorted(sampled_steps(e.steps)) if step < count]
    medians = [median_or_worst(measurement.test_loss).tolist() for measurement in measured]
    return [
        tuple((m.step, row[i]) for m, row in zip(measured, medians, strict=True))
        for i in range(len(run.family.members))
    ]


def breaks_of_scheme(run: Run, count: int, scheme: int) -> tuple[Break, ...]:
    """Return the breaks of its replicates in the first `count` measurements, the earliest first."""
    events = list(run.breaks.items())  # a copy: the thread that trains may add to it
    return earliest_first(event for (s, _), event in events if s == scheme and event.step < count)


def earliest_first(breaks: Iterable[Break]) -> tuple[Break, ...]:
    """Return the breaks by step, and within a step by layer."""
    return tuple(sorted(breaks, key=lambda event: (event.step, event.layer)))


def starting_indicators(run: Run, count: int) -> list[Indicators]:
    """Return the indicators of every scheme at the first step that it takes."""
    schemes = range(len(run.family.members))
    return [remembered_indicators(run, first_taken_step(run, count, i))[i] for i in schemes]


def first_taken_step(run: Run, count: int, scheme: int) -> int:
    """Return the first step with profiles that loss scaling does not skip; 0 if there is none."""
    if not run.experiment.number_format.scales_loss:
        return 0
    for measurement in run.measurements[: min(count, MOST_HALVINGS + 1)]:
        taken = np.isfinite(measurement.gradient_norm[scheme]).all()
        if taken and measurement.has_profiles:
            return measurement.step
    return 0


_lock = Lock()
_remembered: WeakKeyDictionary[Run, dict[int, list[Indicators]]] = WeakKeyDictionary()


def remembered_indicators(run: Run, step: int) -> list[Indicators]:
    """Return the indicators at a step, computed once: every redraw asks for the same ones."""
    with _lock:
        by_step = _remembered.setdefault(run, {})
    if step not in by_step:
        by_step[step] = scheme_indicators(run.family, run.measurements[step])
    return by_step[step]
