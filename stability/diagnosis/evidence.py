"""One scheme as its verdict sees it: how it started, how its loss went, how it ended.

Of several replicates the numbers are those of the middle one, but one that left the range of numbers is enough.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from stability.diagnosis.forecast import chance, haste
from stability.diagnosis.indicators import Signs, middle, signs
from stability.engine.quantities import Measurement, standing
from stability.engine.runs import Break, Run, broken
from stability.engine.training import MOST, sampled
from stability.records.experiment import Experiment

LEARNED = 0.5  # of the held-out loss at the start: below it a network has learned; and of guessing: below it, well
WORSE = 2.0  # times the held-out loss at the start: above it training has done harm, finite or not
SPAN = 2.0  # powers of ten from end to end: a step that suits one end of the network is a hundred times off at the other
OVERSHOOT = 1.5  # power of ten: of networks whose step promises thirty times the whole loss, most do not learn


@dataclass(frozen=True)
class Case:
    """One scheme as the rows see it: its signs at the start and, after training, at the end, and how its loss went."""

    experiment: Experiment
    scheme: str
    start: Signs
    broken: tuple[Break, ...] = ()  # one a replicate, the earliest first
    end: Signs | None = None  # None: a forecast
    first_loss: float = math.nan  # held out
    last_loss: float = math.nan

    @property
    def stages(self) -> tuple[Signs, ...]:
        """Where a disease is looked for: at the start first, where it is a cause."""
        return (self.start, self.end) if self.end else (self.start,)

    @property
    def learns(self) -> bool:
        if not self.end:
            return self.likely > 0.5
        return not self.broken and math.isfinite(self.first_loss) and self.last_loss < LEARNED * self.first_loss

    @property
    def rest(self) -> float:
        """What is left of the held-out loss, as a share of the start."""
        return self.last_loss / self.first_loss if self.first_loss else math.inf

    @property
    def likely(self) -> float:
        return chance(self.experiment, self.start)

    @property
    def is_well(self) -> bool:
        """Better than guessing, too; a forecast cannot tell."""
        return not self.end or self.last_loss <= LEARNED * self.experiment.data.guessing

    @property
    def diverges(self) -> bool:
        if not self.end:
            return healthy(self.start) and (self.start.log_pace > OVERSHOOT or haste(self.experiment) > 0)
        return bool(self.broken) or not self.last_loss <= WORSE * self.first_loss


def healthy(s: Signs) -> bool:
    """Whether signal and gradient keep their size through the depth, and the loss starts within reach of guessing."""
    return s.finite and abs(s.log_signal) < SPAN and abs(s.log_gradient) < SPAN and s.height < 10**SPAN


_seen: WeakKeyDictionary[Run, dict[int, list[Signs]]] = WeakKeyDictionary()  # asked for at every draw, and always the same


def starts(run: Run, count: int) -> list[Signs]:
    """The signs before training, of every scheme: of its first whole measurement among `count`."""
    seen = _seen.setdefault(run, {})
    steps = [unskipped(run, count, index) for index in range(len(run.experiment.schemes))]
    for step in set(steps) - set(seen):
        seen[step] = signs(run.experiment, run.measurements[step])
    return [seen[step][index] for index, step in enumerate(steps)]


def unskipped(run: Run, count: int, scheme: int) -> int:
    """With loss scaling the first step that is taken, before which no weight moves; 0 where none is yet, or is kept."""
    if not run.experiment.format.scaled:
        return 0
    kept = (m for m in run.measurements[: min(count, MOST)] if m.signal is not None)  # 60 halvings are enough for any scale
    return next((m.step for m in kept if np.isfinite(m.gradient_norm[scheme]).all()), 0)


def beginnings(e: Experiment, first: Measurement, found: list[Signs]) -> list[Case]:
    """The schemes before training, `found` their signs."""
    cases = []
    for index, (scheme, start) in enumerate(zip(e.schemes, found, strict=True)):
        wrong = np.flatnonzero(~standing(e, first)[index]).tolist()
        cases.append(Case(e, scheme, start, in_order(broken(first, (index, replicate)) for replicate in wrong)))
    return cases


def under_way(run: Run, count: int) -> list[Case]:
    """The schemes after the first `count` measurements: what has left the range of numbers has ended, as it began."""
    cases = beginnings(run.experiment, run.measurements[0], starts(run, count))
    events = [breaks(run, count, index) for index in range(len(cases))]
    return [replace(case, broken=found, end=case.start) if found else case for case, found in zip(cases, events, strict=True)]


def endings(run: Run, count: int) -> list[Case]:
    """The schemes as they stand after the first `count` measurements."""
    e, first = run.experiment, run.measurements[0]
    last = run.measurements[max(step for step in sampled(e.steps, MOST) if step < count)]  # when the held-out set was seen
    losses = (middle(m.test_loss).tolist() for m in (first, last))
    rows = zip(e.schemes, starts(run, count), signs(e, run.profiled(count)), *losses, strict=True)
    return [
        Case(e, scheme, start, breaks(run, count, index), end, *loss) for index, (scheme, start, end, *loss) in enumerate(rows)
    ]


def breaks(run: Run, count: int, scheme: int) -> tuple[Break, ...]:
    """Where the replicates of a scheme broke in the first `count` measurements, the earliest first."""
    return in_order(event for (s, _), event in list(run.breaks.items()) if s == scheme and event.step < count)


def in_order(events: Iterable[Break]) -> tuple[Break, ...]:
    return tuple(sorted(events, key=lambda event: (event.step, event.layer)))
