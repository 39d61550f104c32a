"""One scheme as its verdict sees it: how it started, how its loss went, how it ended.

Of several replicates the numbers are those of the middle one, but one that left the range of numbers is enough.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from stability.diagnosis.forecast import learning_probability, excess_rate_decades
from stability.diagnosis.indicators import Indicators, middle, scheme_indicators
from stability.engine.measurement import Measurement, finite_networks
from stability.engine.runs import Break, Run, locate_break
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.records.experiment import Experiment

LEARNED_SHARE = 0.5  # of the held-out loss at the start: below it a network has learned; and of guessing: below it, well
HARMED_SHARE = 2.0  # times the held-out loss at the start: above it training has done harm, finite or not
HEALTHY_DECADES = 2.0  # powers of ten from end to end: a step that suits one end of the network is a hundred times off at the other
OVERSHOOT_DECADES = 1.5  # power of ten: of networks whose step promises thirty times the whole loss, most do not learn


@dataclass(frozen=True)
class Evidence:
    """One scheme as the rows see it: its signs at the start and, after training, at the end, and how its loss went."""

    experiment: Experiment
    scheme: str
    start: Indicators
    breaks: tuple[Break, ...] = ()  # one a replicate, the earliest first
    end: Indicators | None = None  # None: a forecast
    first_loss: float = math.nan  # held out
    last_loss: float = math.nan

    @property
    def stages(self) -> tuple[Indicators, ...]:
        """Where a disease is looked for: at the start first, where it is a cause."""
        return (self.start, self.end) if self.end else (self.start,)

    @property
    def learns(self) -> bool:
        if not self.end:
            return self.probability > 0.5
        return not self.breaks and math.isfinite(self.first_loss) and self.last_loss < LEARNED_SHARE * self.first_loss

    @property
    def remaining_loss(self) -> float:
        """What is left of the held-out loss, as a share of the start."""
        return self.last_loss / self.first_loss if self.first_loss else math.inf

    @property
    def probability(self) -> float:
        return learning_probability(self.experiment, self.start)

    @property
    def beats_guessing(self) -> bool:
        """Better than guessing, too; a forecast cannot tell."""
        return not self.end or self.last_loss <= LEARNED_SHARE * self.experiment.dataset_row.guessing_loss

    @property
    def diverges(self) -> bool:
        if not self.end:
            return is_healthy(self.start) and (self.start.log_step_drop > OVERSHOOT_DECADES or excess_rate_decades(self.experiment) > 0)
        return bool(self.breaks) or not self.last_loss <= HARMED_SHARE * self.first_loss


def is_healthy(s: Indicators) -> bool:
    """Whether signal and gradient keep their size through the depth, and the loss starts within reach of guessing."""
    return s.is_finite and abs(s.log_signal) < HEALTHY_DECADES and abs(s.log_gradient) < HEALTHY_DECADES and s.relative_loss < 10**HEALTHY_DECADES


_seen: WeakKeyDictionary[Run, dict[int, list[Indicators]]] = WeakKeyDictionary()  # asked for at every draw, and always the same


def starting_indicators(run: Run, count: int) -> list[Indicators]:
    """The signs before training, of every scheme: of its first whole measurement among `count`."""
    seen = _seen.setdefault(run, {})
    steps = [first_taken_step(run, count, index) for index in range(len(run.experiment.schemes))]
    for step in set(steps) - set(seen):
        seen[step] = scheme_indicators(run.experiment, run.measurements[step])
    return [seen[step][index] for index, step in enumerate(steps)]


def first_taken_step(run: Run, count: int, scheme: int) -> int:
    """With loss scaling the first step that is taken, before which no weight moves; 0 where none is yet, or is kept."""
    if not run.experiment.number_format.scales_loss:
        return 0
    kept = (m for m in run.measurements[: min(count, SAMPLED_STEPS)] if m.signal is not None)  # 60 halvings are enough for any scale
    return next((m.step for m in kept if np.isfinite(m.gradient_norm[scheme]).all()), 0)


def evidence_before_training(e: Experiment, first: Measurement, found: list[Indicators]) -> list[Evidence]:
    """The schemes before training, `found` their signs."""
    cases = []
    for index, (scheme, start) in enumerate(zip(e.schemes, found, strict=True)):
        wrong = np.flatnonzero(~finite_networks(e, first)[index]).tolist()
        cases.append(Evidence(e, scheme, start, in_order(locate_break(first, (index, replicate)) for replicate in wrong)))
    return cases


def evidence_during_training(run: Run, count: int) -> list[Evidence]:
    """The schemes after the first `count` measurements: what has left the range of numbers has ended, as it began."""
    cases = evidence_before_training(run.experiment, run.measurements[0], starting_indicators(run, count))
    events = [breaks_of_scheme(run, count, index) for index in range(len(cases))]
    return [replace(case, breaks=found, end=case.start) if found else case for case, found in zip(cases, events, strict=True)]


def evidence_after_training(run: Run, count: int) -> list[Evidence]:
    """The schemes as they stand after the first `count` measurements."""
    e, first = run.experiment, run.measurements[0]
    last = run.measurements[max(step for step in evenly_spread_steps(e.steps, SAMPLED_STEPS) if step < count)]  # when the held-out set was seen
    losses = (middle(m.test_loss).tolist() for m in (first, last))
    rows = zip(e.schemes, starting_indicators(run, count), scheme_indicators(e, run.newest_profiles(count)), *losses, strict=True)
    return [
        Evidence(e, scheme, start, breaks_of_scheme(run, count, index), end, *loss) for index, (scheme, start, end, *loss) in enumerate(rows)
    ]


def breaks_of_scheme(run: Run, count: int, scheme: int) -> tuple[Break, ...]:
    """Where the replicates of a scheme broke in the first `count` measurements, the earliest first."""
    return in_order(event for (s, _), event in list(run.breaks.items()) if s == scheme and event.step < count)


def in_order(events: Iterable[Break]) -> tuple[Break, ...]:
    return tuple(sorted(events, key=lambda event: (event.step, event.layer)))
