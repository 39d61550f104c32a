"""Streams: what an iterator yields for a record of settings, computed once and read by many."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from traceback import clear_frames
from typing import Any, Generic, Self, TypeVar

from stability.engine.failures import stopped_before

Record = TypeVar("Record")  # of settings
Yielded = TypeVar("Yielded")
Start = Callable[[Record], Iterator[Any]]
END: Any = object()  # of a source


class Stretch(tuple[Any, ...]):
    """Values that a source yields together."""


class Stream(Generic[Record, Yielded]):
    """All that an iterator yields for a record of settings, computed once, read by many threads.

    It can be iterated any number of times, also while it grows. `measurements` lists all values so
    far, `last_index` + 1 in the end, or fewer if the source ends sooner. A source may yield None
    between two values that are long in coming: then `advance` can stop there. Values that come
    together it yields as a Stretch.
    """

    gives_way = False  # True: of a long computation, which others in the queue may interrupt

    def __init__(self, record: Record, last_index: int, start: Start[Record]):
        self.record, self.last_index = record, last_index
        self.measurements: list[Yielded] = []
        self.finished = False
        self.stopped = ""  # why it was stopped before its end
        self.seconds = 0.0  # spent on computing so far
        self.step_start = math.inf  # of the step that is computed now, by the monotonic clock
        self._start = start
        self._source: Iterator[Yielded | None] | None = None
        self._to_skip = 0  # measurements that a restarted source yields again
        self._bytes_when_finished: int | None = None
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Yielded]:
        index = 0
        while (measurement := self.measurement_at(index)) is not None:
            yield measurement
            index += 1

    def measurement_at(self, index: int) -> Yielded | None:
        """Return measurement `index`, computed now if it is not there yet; None past the end."""
        while len(self.measurements) <= index and not self.finished:
            with self._lock:
                if len(self.measurements) <= index:
                    self._pull()
        return self.measurements[index] if index < len(self.measurements) else None

    def train(self) -> Self:
        """Compute all remaining measurements. Returns the stream itself."""
        self.measurement_at(self.last_index)
        return self

    def advance(
        self,
        seconds: float,
        most: float = math.inf,
        patience: float = 0.25,
        between_steps: Callable[[], object] = lambda: None,
    ) -> None:
        """Compute for about `seconds`, at least one step, until there are `most` measurements.

        If another thread is computing, wait for it at most `patience` seconds. What `between_steps`
        raises passes through; nothing is lost by it.
        """
        # With patience 0, readers waiting for the first step would spin, and slow it down.
        if self._lock.acquire(timeout=patience):
            try:
                end, measurements = time.monotonic() + seconds, self.measurements
                self._pull()
                while not self.finished and len(measurements) < most and time.monotonic() < end:
                    between_steps()
                    self._pull()
            finally:
                self._lock.release()

    @property
    def is_over(self) -> bool:
        """True if nothing more is computed: all is there, or it was stopped."""
        return self.finished or bool(self.stopped)

    def stop(self, reason: str) -> None:
        """Give up the state for the next step: what was measured stays, and `stopped` says why."""
        with self._lock:
            self.stopped, self._source = reason, None

    def release(self) -> None:
        """Give up the state for the next step, unless a thread is computing it.

        Who goes on computes all steps again up to that one.
        """
        if self._lock.acquire(blocking=False):
            self._source = None
            self._lock.release()

    def _pull(self) -> None:
        """Compute up to the next value of the source, or the next values.

        The caller holds the lock: no generator is entered twice.

        After a failure, such as too little memory, the next pull restarts the source and skips the
        measurements that it has yielded before: equal records give equal streams.
        """
        if self.finished:
            return
        self.step_start = start = time.monotonic()
        try:
            if self._source is None:
                self._source, self._to_skip = self._start(self.record), len(self.measurements)
            value = next(self._source, END)
            values = value if isinstance(value, Stretch) else (value,)
            for measurement in values:
                if measurement is END or measurement is None:
                    continue
                if self._to_skip:
                    self._to_skip -= 1
                else:
                    self._remember(measurement)
        except Exception as failure:
            self._source, self.step_start = None, math.inf
            clear_frames(failure.__traceback__)  # which hold the tensors of the step
            raise stopped_before(len(self.measurements), failure) from failure
        self.seconds, self.step_start = self.seconds + time.monotonic() - start, math.inf
        if value is END or len(self.measurements) > self.last_index:
            self.finished, self._source = True, None

    def _remember(self, measurement: Yielded) -> None:
        self.measurements.append(measurement)

    @property
    def nbytes(self) -> int:
        """The bytes of the stream and of the state for its next step; counted once if finished."""
        if self.finished and self._bytes_when_finished is None:
            self._bytes_when_finished = self._count_bytes()
        return self._bytes_when_finished or self._count_bytes()

    def _count_bytes(self) -> int:
        raise NotImplementedError
