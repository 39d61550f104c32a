"""What all sections of the bench share: a row of its table, clocks, and turns."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A row of the table: what was measured, in several turns, and what is promised of the median,
    if anything.
    """

    what: str
    values: list[float]
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def kept(self) -> bool:
        return (self.at_most is None or self.median <= self.at_most) and (
            self.at_least is None or self.median >= self.at_least
        )

    def __str__(self) -> str:
        bounds = {"at most": self.at_most, "at least": self.at_least}
        promise = next(
            (f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None), ""
        )
        verdict = ("yes" if self.kept else "NO") if promise else ""
        between = (
            f"{min(self.values):.3g} to {max(self.values):.3g}" if len(self.values) > 1 else ""
        )
        return (
            f"{self.what:<70} {self.median:>8.3g} {self.unit:<7} "
            f"{between:<18} {promise:<14} {verdict}"
        ).rstrip()


Clock = Callable[[], float]


def seconds(work: Callable[[], object], clock: Clock = time.process_time) -> float:
    start = clock()
    work()
    return clock() - start


def in_turns(turns: int, *works: Callable[[], object]) -> list[tuple[float, ...]]:
    """Seconds of each work, turn by turn."""
    return [tuple(seconds(work) for work in works) for _ in range(turns)]


def median_seconds(work: Callable[[], object], calls: int, clock: Clock) -> float:
    """The median over some calls; one more goes before, so that the cache holds this work's
    numbers rather than another's.
    """
    work()
    return statistics.median(seconds(work, clock) for _ in range(calls))


def steps(stream: Iterator, count: int) -> Callable[[], object]:
    """Takes so many steps of a stream that has none to lose."""
    return lambda: [next(stream) for _ in range(count)]


def ratios(values: list[float], others: list[float]) -> list[float]:
    """Turn by turn."""
    return [value / other for value, other in zip(values, others, strict=True)]
