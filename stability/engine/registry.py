"""The streams that all visitors of one server share, and the queue in which they are computed."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stability.engine.cost import Cost
from stability.engine.runs import Stream

AnyStream = Stream[Any, Any]
COMPUTATION_BYTES = 4096  # of a finished computation, whose result the function caches


@dataclass(frozen=True)
class Probe:
    """A computation beside a run: `compute(*arguments)`, where `compute` caches its results."""

    compute: Callable[..., object]
    arguments: tuple[Hashable, ...]
    cost: Cost


class Computation(Stream[Probe, object]):
    """A stream whose only measurement is the result of a probe."""

    def __init__(self, probe: Probe):
        super().__init__(probe, 0, yield_result)

    def _count_bytes(self) -> int:
        return COMPUTATION_BYTES


def yield_result(probe: Probe) -> Iterator[object]:
    yield probe.compute(*probe.arguments)


class Registry:
    """All streams of a server, by record: equal settings are never computed twice.

    `slots` streams advance at once, first come first served; a stream without readers leaves the
    queue and can be resumed. When the streams take more than `most_bytes`, the least recently
    opened ones without readers are dropped.
    """

    def __init__(
        self,
        stream_types: Mapping[type, Callable[[Any], AnyStream]],
        most_bytes: int = 2**29,
        slots: int = 1,
    ):
        self.most_bytes, self.slots = most_bytes, slots
        self._stream_types: dict[type, Callable[[Any], AnyStream]] = {**stream_types}
        self._stream_types[Probe] = Computation
        self._streams: OrderedDict[Hashable, AnyStream] = (
            OrderedDict()
        )  # least recently opened first
        self._bytes: Counter[AnyStream] = Counter()  # of each stream, at its last count
        self.total_bytes = 0
        self._readers: Counter[AnyStream] = Counter()
        self._queue: list[AnyStream] = []
        self._changed = threading.Condition()  # a queue position may have changed

    def open(self, record: Hashable) -> Any:
        """Return the stream of this record; create it if there is none."""
        with self._changed:
            stream = self._streams.get(record) or self._stream_types[type(record)](record)
            self._streams[record] = stream
            self._streams.move_to_end(record)
            self._count_bytes(stream)
            for other in [
                s for s in self._streams.values() if s is not stream and not self._readers[s]
            ]:
                if self.total_bytes <= self.most_bytes:
                    break
                del self._streams[other.record]
                self.total_bytes -= self._bytes.pop(other)
            return stream

    @contextmanager
    def attend(self, stream: AnyStream) -> Iterator[None]:
        """Read a stream: it stays in memory and, until it is finished, in the queue."""
        with self._changed:
            self._readers[stream] += 1
            if stream not in self._queue:
                self._queue.append(stream)
        try:
            yield
        finally:
            with self._changed:
                self._readers[stream] -= 1
                self._count_bytes(stream)
                if not self._readers[stream]:
                    del self._readers[stream]
                    self._queue.remove(stream)
                    self._changed.notify_all()

    def follow(self, stream: AnyStream, until: int, patience: float) -> Generator[int, None, None]:
        """Advance a stream, whenever it is its turn, until it has `until` measurements.

        Yields the queue position about every `patience` seconds, 0 after each advance. Close the
        iterator (`contextlib.closing`) to leave the queue at once.
        """
        waited = False
        with self.attend(stream):
            while not stream.finished and len(stream.measurements) < until:
                # Twice as long at first: the run that this visitor has just left may still use
                # the slot, and the page should not show "waiting" for an instant.
                position = self._wait_for_turn(stream, patience if waited else 2 * patience)
                waited = waited or position > 0
                if not position:
                    stream.advance(patience if stream.measurements else 0.0, until)
                    with self._changed:
                        self._count_bytes(stream)
                yield position

    def queue_position(self, stream: AnyStream) -> int:
        """Return how many other streams must end before this one advances; 0 if none."""
        with self._changed:
            waiting = [other for other in self._queue if not other.finished]
            return max(0, waiting.index(stream) + 1 - self.slots) if stream in waiting else 0

    def _wait_for_turn(self, stream: AnyStream, seconds: float) -> int:
        """Return the queue position as soon as it is 0, at the latest after `seconds`."""
        with self._changed:  # a Condition is reentrant
            self._changed.wait_for(lambda: not self.queue_position(stream), seconds)
            return self.queue_position(stream)

    def _count_bytes(self, stream: AnyStream) -> None:
        """Update the total for a stream that grew. The caller holds the lock."""
        if self._streams.get(stream.record) is stream:  # otherwise it was dropped meanwhile
            before, self._bytes[stream] = self._bytes[stream], stream.nbytes
            self.total_bytes += self._bytes[stream] - before
        if stream.finished:  # so that the next one starts at once
            self._changed.notify_all()
