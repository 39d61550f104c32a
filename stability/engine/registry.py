"""The streams that all visitors of one server share, and the queue in which they are computed."""

import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stability.engine.cost import Cost
from stability.engine.streams import Stream
from stability.i18n import N_

AnyStream = Stream[Any, Any]
STREAM_BYTES = 30_000  # of any stream besides its measurements: its record and its tables
COMPUTATION_BYTES = 4096  # of a finished computation, whose result the function caches
# Seconds until a reader is first shown what it follows. A run that ends within the second is shown
# once, at its end, and does not flicker past.
SOON, AT_ONCE = 0.06, 0.3
# Seconds of computing until a stream lets those who wait have their turn. The first turn ends when
# there is something to see, so that many who come together all see it soon; the others are longer
# than most runs.
FIRST_TURN, LATER_TURN = SOON, 2.0
# Seconds of a step, which nothing interrupts, after which another stream may advance beside it.
LONG_STEP = 1.0
# Of the streams that were left before their end, so many keep the state for their next step; the
# others keep what they have measured, and come to that step again.
MOST_PAUSED = 16
OUTRAN = N_("stopped, as it takes far longer than was foreseen")


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

    `slots` streams advance at once, first come first served, in turns: after a short first turn,
    and after each longer one that follows, a stream goes to the end of the queue; one that gives
    way does so after each advance. A stream that had no turn yet comes before those that had. While
    a step takes long, one more stream advances. A stream without readers leaves the queue and can
    be resumed. When the streams take more than `most_bytes`, or are more than `most_streams`, the
    least recently opened ones without readers are dropped.
    """

    def __init__(
        self,
        stream_types: Mapping[type, Callable[[Any], AnyStream]],
        most_bytes: int = 2**29,
        slots: int = 1,
        soon: float = SOON,
        at_once: float = AT_ONCE,
        most_streams: int = 10_000,
    ):
        self.most_streams = most_streams
        self.most_bytes, self.slots, self.soon, self.at_once = most_bytes, slots, soon, at_once
        self._stream_types: dict[type, Callable[[Any], AnyStream]] = {**stream_types}
        self._stream_types[Probe] = Computation
        self._streams: OrderedDict[Hashable, AnyStream] = (
            OrderedDict()
        )  # least recently opened first
        self._bytes: Counter[AnyStream] = Counter()  # of each stream, at its last count
        self.total_bytes = 0
        self._readers: Counter[AnyStream] = Counter()
        self._queue: list[AnyStream] = []
        self._paused: OrderedDict[AnyStream, None] = OrderedDict()  # whose readers have left
        self._turn_ends: dict[AnyStream, float] = {}  # of those in the queue, by their own seconds
        self._changed = threading.Condition()  # a queue position may have changed

    def open(self, record: Hashable) -> Any:
        """Return the stream of this record; create it if there is none."""
        with self._changed:
            stream = self._streams.get(record) or self._stream_types[type(record)](record)
            self._streams[record] = stream
            self._streams.move_to_end(record)
            self._count_bytes(stream)
            if not self._has_room:
                self._drop_oldest(stream)
            return stream

    @property
    def _has_room(self) -> bool:
        return self.total_bytes <= self.most_bytes and len(self._streams) <= self.most_streams

    def _drop_oldest(self, opened: AnyStream) -> None:
        """Drop streams without readers, but for this one, until there is room for the others."""
        others = [s for s in self._streams.values() if s is not opened and not self._readers[s]]
        for other in others:
            if self._has_room:
                break
            del self._streams[other.record]
            self._paused.pop(other, None)
            self.total_bytes -= self._bytes.pop(other)

    def opened(self, record: Hashable) -> Any:
        """Return the stream of this record if there is one, else None."""
        with self._changed:
            return self._streams.get(record)

    @contextmanager
    def attend(self, stream: AnyStream) -> Iterator[None]:
        """Read a stream: it stays in memory and, until it is finished, in the queue."""
        with self._changed:
            self._readers[stream] += 1
            if stream not in self._queue:
                self._enter_queue(stream)
            self._paused.pop(stream, None)
        try:
            yield
        finally:
            if forgotten := self._leave(stream):
                forgotten.release()

    def _leave(self, stream: AnyStream) -> AnyStream | None:
        """End one reading. Returns the stream whose state is not kept any more, if there is one."""
        with self._changed:
            self._readers[stream] -= 1
            self._count_bytes(stream)
            if self._readers[stream]:
                return None
            del self._readers[stream]
            del self._turn_ends[stream]
            self._queue.remove(stream)
            self._changed.notify_all()
            if not stream.is_over:
                self._paused[stream] = None
            return self._paused.popitem(last=False)[0] if len(self._paused) > MOST_PAUSED else None

    def _enter_queue(self, stream: AnyStream) -> None:
        """Put a stream behind all others, or before those that had a turn if it had none."""
        first, place = stream.seconds < FIRST_TURN, len(self._queue)
        while first and place and self._queue[place - 1].seconds >= FIRST_TURN:
            place -= 1
        self._queue.insert(place, stream)
        self._turn_ends[stream] = FIRST_TURN if first else stream.seconds + LATER_TURN
        self._changed.notify_all()

    def follow(
        self,
        stream: AnyStream,
        until: int,
        patience: float,
        between_steps: Callable[[], object] = lambda: None,
        most_seconds: float = math.inf,
    ) -> Generator[int, None, None]:
        """Advance a stream, whenever it is its turn, until it has `until` measurements.

        One that has taken `most_seconds` of computing is stopped for good.

        Yields the queue position about every `patience` seconds, 0 after each advance; sooner for
        the first time, unless all is computed a moment later. Close the iterator
        (`contextlib.closing`) to leave the queue at once, or raise in `between_steps`.
        """
        waited, advance = False, self._advance_first
        with self.attend(stream):
            while not stream.is_over and len(stream.measurements) < until:
                if stream.seconds >= most_seconds:
                    stream.stop(OUTRAN)
                    break
                # Twice as long at first: the run that this visitor has just left may still use
                # the slot, and the page should not show "waiting" for an instant.
                position = self._wait_for_turn(stream, patience if waited else 2 * patience)
                waited = waited or position > 0
                if not position:
                    advance(stream, until, patience, between_steps)
                    advance = self._advance
                yield position

    def _advance_first(
        self, stream: AnyStream, until: int, seconds: float, between_steps: Callable[[], object]
    ) -> None:
        """Advance only a moment, or to the end if that is near by the speed of this moment."""
        start, before = time.monotonic(), len(stream.measurements)
        stream.advance(min(self.soon, seconds), until, between_steps=between_steps)
        count, passed = len(stream.measurements), time.monotonic() - start
        if count < until:
            if (until - count) * passed <= (count - before) * (self.at_once - passed):
                stream.advance(self.at_once - passed, until, between_steps=between_steps)
            elif count == 1 and passed < seconds:  # a curve has two points
                stream.advance(0.0, until, between_steps=between_steps)
        self._end_turn(stream)

    def _advance(
        self, stream: AnyStream, until: int, seconds: float, between_steps: Callable[[], object]
    ) -> None:
        if len(stream.measurements) < until:
            stream.advance(seconds, until, between_steps=between_steps)
        self._end_turn(stream)

    def _end_turn(self, stream: AnyStream) -> None:
        """After an advance: let those who wait have their turn, if this one's was long enough."""
        with self._changed:
            self._count_bytes(stream)
            if stream.gives_way or stream.seconds >= self._turn_ends[stream]:
                self._queue.remove(stream)
                self._queue.append(stream)
                self._turn_ends[stream] = stream.seconds + LATER_TURN
                self._changed.notify_all()

    @property
    def reader_count(self) -> int:
        """The number of readers of all streams."""
        return self._readers.total()

    def queue_length(self) -> int:
        """Return how many streams are read and not finished."""
        with self._changed:
            return sum(not stream.is_over for stream in self._queue)

    def queue_position(self, stream: AnyStream) -> int:
        """Return how many other streams come before this one; 0 if it may advance."""
        with self._changed:
            waiting = [other for other in self._queue if not other.is_over]
            before = waiting[: waiting.index(stream)] if stream in waiting else []
            long_ago = time.monotonic() - LONG_STEP
            one_more = any(other.step_start < long_ago for other in before[: self.slots])
            return max(0, len(before) + 1 - self.slots - one_more)

    def _wait_for_turn(self, stream: AnyStream, seconds: float) -> int:
        """Return the queue position as soon as it is 0, at the latest after `seconds`."""
        with self._changed:  # a Condition is reentrant
            self._changed.wait_for(lambda: not self.queue_position(stream), seconds)
            return self.queue_position(stream)

    def _count_bytes(self, stream: AnyStream) -> None:
        """Update the total for a stream that grew. The caller holds the lock."""
        if self._streams.get(stream.record) is stream:  # otherwise it was dropped meanwhile
            before, self._bytes[stream] = self._bytes[stream], stream.nbytes + STREAM_BYTES
            self.total_bytes += self._bytes[stream] - before
        if stream.is_over:  # so that the next one starts at once
            self._changed.notify_all()
