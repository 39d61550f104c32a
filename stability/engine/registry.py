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
COMPUTATION_BYTES = 4096  # of one that is finished: the function itself keeps the result


@dataclass(frozen=True)
class Probe:
    """A computation beside a run: `compute(*arguments)`, a function that keeps its results."""

    compute: Callable[..., object]
    arguments: tuple[Hashable, ...]
    cost: Cost


class Computation(Stream[Probe, object]):
    """A probe as a stream of one measurement, its result."""

    def __init__(self, probe: Probe):
        super().__init__(probe, 0, yield_result)

    def _count_bytes(self) -> int:
        return COMPUTATION_BYTES


def yield_result(probe: Probe) -> Iterator[object]:
    yield probe.compute(*probe.arguments)


class Registry:
    """Every stream of a server, by its record: equal settings are never computed twice.

    `slots` streams advance at once, first come first served; one that nobody attends leaves the
    queue and can be resumed. When all together hold more than `most_bytes`, the least recently
    opened ones that nobody attends are dropped.
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
        self._bytes: Counter[AnyStream] = Counter()  # of each, as last counted
        self.total_bytes = 0
        self._readers: Counter[AnyStream] = Counter()
        self._queue: list[AnyStream] = []
        self._changed = threading.Condition()  # somebody moved up in the queue

    def open(self, record: Hashable) -> Any:
        """Return the one stream of this record, made if there is none."""
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
        """Keep a stream in the queue until it is finished, and in memory as long as this lasts."""
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
                # Twice as long at first: the run that this visitor has just left may still hold
                # the slot, and "waiting" must not flash up for it.
                position = self._wait_for_turn(stream, patience if waited else 2 * patience)
                waited = waited or position > 0
                if not position:
                    stream.advance(patience if stream.measurements else 0.0, until)
                    with self._changed:
                        self._count_bytes(stream)
                yield position

    def queue_position(self, stream: AnyStream) -> int:
        """Return how many others must end before this one may go on; 0 when it is its turn."""
        with self._changed:
            waiting = [other for other in self._queue if not other.finished]
            return max(0, waiting.index(stream) + 1 - self.slots) if stream in waiting else 0

    def _wait_for_turn(self, stream: AnyStream, seconds: float) -> int:
        """Return the queue position as soon as it is 0, or after so many seconds."""
        with self._changed:  # a Condition may be entered again by the thread that holds it
            self._changed.wait_for(lambda: not self.queue_position(stream), seconds)
            return self.queue_position(stream)

    def _count_bytes(self, stream: AnyStream) -> None:
        """Bring the total up to date with a stream that grew. The caller holds the lock."""
        if self._streams.get(stream.record) is stream:  # else it was dropped meanwhile
            before, self._bytes[stream] = self._bytes[stream], stream.nbytes
            self.total_bytes += self._bytes[stream] - before
        if stream.finished:  # so that the next one need not wait for its patience to end
            self._changed.notify_all()
