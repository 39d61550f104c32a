"""The registry that keeps the runs of a server, and decides who may train now."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from stability.engine.runs import ProductRun, Run, Stream
from stability.records.experiment import Experiment
from stability.records.product import Product

POLL = 0.02  # seconds until somebody who waits asks again
STREAM_TYPES: dict[type, type[Stream]] = {Experiment: Run, Product: ProductRun}


class Registry:
    """Every stream of a server, by its settings. Equal settings never train twice.

    `slots` runs train at once, first come first served; a run that nobody attends leaves its place and can be resumed.
    Beyond `most_bytes` the least recently opened runs that nobody attends are dropped.
    """

    def __init__(self, most_bytes: int = 2**29, slots: int = 1):
        self.most_bytes, self.slots = most_bytes, slots
        self._runs: OrderedDict[Any, Stream] = OrderedDict()  # least recently opened first
        self._viewers: Counter[Stream] = Counter()
        self._queue: list[Stream] = []
        self._lock = threading.Lock()

    def open(self, record: Any) -> Any:
        """The one stream of these settings, new if there is none: of an Experiment a Run, of a Product a Growth."""
        with self._lock:
            run = self._runs.setdefault(record, None) or STREAM_TYPES[type(record)](record)
            self._runs[record] = run
            self._runs.move_to_end(record)
            self._drop(besides=record)
            return run

    def _drop(self, besides: Any) -> None:
        held = sum(run.nbytes for run in self._runs.values())
        for record in [key for key, run in self._runs.items() if key != besides and not self._viewers[run]]:
            if held <= self.most_bytes:
                return
            held -= self._runs.pop(record).nbytes

    @contextmanager
    def attend(self, run: Stream) -> Iterator[None]:
        """While inside, the run is wanted: it stands in the queue until it is finished, and is not dropped."""
        with self._lock:
            self._viewers[run] += 1
            if run not in self._queue:
                self._queue.append(run)
        try:
            yield
        finally:
            with self._lock:
                self._viewers[run] -= 1
                if not self._viewers[run]:
                    del self._viewers[run]
                    self._queue.remove(run)

    def queue_position(self, run: Stream) -> int:
        """How many trainings must end before this one may go on; 0: it is its turn."""
        with self._lock:
            waiting = [other for other in self._queue if not other.finished]
            return max(0, waiting.index(run) + 1 - self.slots) if run in waiting else 0

    def wait_for_turn(self, run: Stream, seconds: float) -> int:
        """Its place, as soon as that is 0; or after so long."""
        end = time.monotonic() + seconds
        while (place := self.queue_position(run)) and time.monotonic() < end:
            time.sleep(POLL)
        return place
