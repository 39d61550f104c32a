"""The evidence about one scheme: how it started, how its loss went, how it ended.

Numbers are medians over the replicates, but one replicate that diverged is enough.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from stability.diagnosis.forecast import excess_rate_decades, learning_probability
from stability.diagnosis.indicators import Indicators, scheme_indicators
from stability.engine.loss_scaling import INITIAL_SCALE, SMALLEST_SCALE
from stability.engine.measurement import Measurement, finite_networks
from stability.engine.replicates import median_or_worst
from stability.engine.runs import Break, Run, locate_break
from stability.records.experiment import Experiment

LEARNED_SHARE = 0.5  # below this share of the first held-out loss: learned; of guessing: well
HARMED_SHARE = 2.0  # of the held-out loss at the start: above it training has done harm
HEALTHY_DECADES = 2.0  # end to end: a step that suits one end is 100 times off at the other
OVERSHOOT_DECADES = 1.5  # most networks whose step promises 30 times the loss do not learn
MOST_HALVINGS = round(math.log2(INITIAL_SCALE / SMALLEST_SCALE))  # one per skipped step


@dataclass(frozen=True)
class Evidence:
    """One scheme: its indicators at the start and, after training, at the end, and its loss."""

    experiment: Experiment
    scheme: str
    start: Indicators
    breaks: tuple[Break, ...] = ()  # one a replicate, the earliest first
    end: Indicators | None = None  # None: a forecast
    first_loss: float = math.nan  # held out
    last_loss: float = math.nan

    @property
    def stages(self) -> tuple[Indicators, ...]:
        """The indicators to search for a disease: the start first, since it is the cause."""
        return (self.start, self.end) if self.end else (self.start,)

    @property
    def learns(self) -> bool:
        """True if the held-out loss was halved or, in a forecast, is likely to be."""
        if not self.end:
            return self.probability > 0.5
        halved = self.last_loss < LEARNED_SHARE * self.first_loss
        return halved and math.isfinite(self.first_loss) and not self.breaks

    @property
    def remaining_loss(self) -> float:
        """The held-out loss as a share of that at the start."""
        return self.last_loss / self.first_loss if self.first_loss else math.inf

    @property
    def probability(self) -> float:
        """The probability of learning, as forecast from the start."""
        return learning_probability(self.experiment, self.start)

    @property
    def beats_guessing(self) -> bool:
        """True if the loss is far better than that of guessing; a forecast cannot tell."""
        guessing = self.experiment.dataset_row.guessing_loss
        return not self.end or self.last_loss <= LEARNED_SHARE * guessing

    @property
    def diverges(self) -> bool:
        """True if training did harm or, in a forecast, overshoots from a healthy start."""
        if self.end:
            return bool(self.breaks) or not self.last_loss <= HARMED_SHARE * self.first_loss
        overshoots = self.start.log_step_drop > OVERSHOOT_DECADES
        too_fast = excess_rate_decades(self.experiment) > 0
        return is_healthy(self.start) and (overshoots or too_fast)


def is_healthy(seen: Indicators) -> bool:
    """True if signal and gradient keep their size and the loss starts near that of guessing."""
    flat_signal = abs(seen.log_signal) < HEALTHY_DECADES  # False where it is NaN
    flat_gradient = abs(seen.log_gradient) < HEALTHY_DECADES
    within_reach = seen.relative_loss < 10**HEALTHY_DECADES
    return seen.is_finite and flat_signal and flat_gradient and within_reach


def evidence_before_training(e: Experiment, first: Measurement) -> list[Evidence]:
    """Return the evidence of the first measurement alone."""
    broken = np.argwhere(~finite_networks(e, first)).tolist()
    events = [(scheme, locate_break(first, (scheme, replicate))) for scheme, replicate in broken]
    return [
        Evidence(e, e.schemes[i], start, earliest_first(event for s, event in events if s == i))
        for i, start in enumerate(scheme_indicators(e, first))
    ]


def evidence_of_run(run: Run, count: int) -> list[Evidence]:
    """Return the evidence of the first `count` measurements.

    Until all steps are taken, only what has diverged has an end.
    """
    e, starts = run.experiment, starting_indicators(run, count)
    breaks = [breaks_of_scheme(run, count, index) for index in range(len(e.schemes))]
    if count <= e.steps:
        known = zip(e.schemes, starts, breaks, strict=True)
        return [
            Evidence(e, scheme, start, events, end=start if events else None)
            for scheme, start, events in known
        ]
    ends = remembered_indicators(run, run.newest_profiles(count).step)
    losses = (run.measurements[step].test_loss for step in (0, e.steps))
    before, after = (median_or_worst(loss).tolist() for loss in losses)
    rows = zip(e.schemes, starts, breaks, ends, before, after, strict=True)
    return [Evidence(e, *row) for row in rows]


def breaks_of_scheme(run: Run, count: int, scheme: int) -> tuple[Break, ...]:
    """Return the breaks of its replicates in the first `count` measurements, the earliest first."""
    events = list(run.breaks.items())  # a copy: the thread that trains may add to it
    return earliest_first(event for (s, _), event in events if s == scheme and event.step < count)


def earliest_first(breaks: Iterable[Break]) -> tuple[Break, ...]:
    """Return the breaks by step, and within a step by layer."""
    return tuple(sorted(breaks, key=lambda event: (event.step, event.layer)))


def starting_indicators(run: Run, count: int) -> list[Indicators]:
    """Return the indicators of every scheme at the first step that it takes."""
    schemes = range(len(run.experiment.schemes))
    return [remembered_indicators(run, first_taken_step(run, count, i))[i] for i in schemes]


def first_taken_step(run: Run, count: int, scheme: int) -> int:
    """Return the first step with profiles that loss scaling does not skip; 0 if there is none."""
    if not run.experiment.number_format.scales_loss:
        return 0
    for measurement in run.measurements[: min(count, MOST_HALVINGS + 1)]:
        taken = np.isfinite(measurement.gradient_norm[scheme]).all()
        if taken and measurement.signal is not None:
            return measurement.step
    return 0


_lock = Lock()
_remembered: WeakKeyDictionary[Run, dict[int, list[Indicators]]] = WeakKeyDictionary()


def remembered_indicators(run: Run, step: int) -> list[Indicators]:
    """Return the indicators at a step, computed once: every redraw asks for the same ones."""
    with _lock:
        by_step = _remembered.setdefault(run, {})
    if step not in by_step:
        by_step[step] = scheme_indicators(run.experiment, run.measurements[step])
    return by_step[step]
