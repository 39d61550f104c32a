"""Runs: a stream that remembers and is shared, the registry that keeps them, and who may train now."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from stability.cost import state_bytes
from stability.experiment import Experiment
from stability.quantities import PROFILES, Measurement
from stability.training import MOST, measure, sampled

OBJECT = 160  # bytes of an array or a measurement besides its numbers
PROFILE_BYTES = 8 * 2**20  # for the profiles of one run; with every loss and the objects around them it stays under 32 MB


@dataclass(frozen=True)
class Break:
    """Where a network left the range of numbers: `layer` counts from 1; 0 where every layer's numbers are still finite."""

    step: int
    layer: int
    value: str  # "inf" or "NaN"
    backward: bool  # found in the gradient, the signal being finite


class RunError(RuntimeError):
    """A run that cannot go on."""


class Run:
    """What `measure(experiment)` yields, computed once and read by many threads.

    Iterable any number of times, also while it grows. `measurements` holds all of them so far; of a long run the profiles
    are kept at evenly spread steps and None at the others, every loss is kept. `breaks` tells where networks diverged.
    """

    def __init__(self, experiment: Experiment, profile_bytes: int = PROFILE_BYTES):
        self.experiment = experiment
        self.measurements: list[Measurement] = []
        self.finished = False
        self.seconds = 0.0  # of computing, so far
        self.breaks: dict[tuple[int, int], Break] = {}  # by (scheme, replicate)
        self.kept = sampled(experiment.steps, max(2, profile_bytes // profile_size(experiment)))
        self._stream = measure(experiment)
        self._failure: Exception | None = None
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Measurement]:
        index = 0
        while (measurement := self.at(index)) is not None:
            yield measurement
            index += 1

    def at(self, index: int) -> Measurement | None:
        """Measurement `index`, computed now if nobody has; None past the end."""
        while len(self.measurements) <= index and not self.finished:
            with self._lock:
                if len(self.measurements) <= index:
                    self._pull()
        return self.measurements[index] if index < len(self.measurements) else None

    def profiled(self, count: int) -> Measurement:
        """The newest of the first `count` measurements whose profiles are kept."""
        return next(m for m in reversed(self.measurements[:count]) if m.signal is not None)

    def finite(self, count: int) -> list[int]:
        """For each scheme, how many of the first `count` measurements came before its first network diverged; 1 at least."""
        first = [count] * len(self.experiment.schemes)
        for (scheme, _), event in self.breaks.items():
            first[scheme] = min(first[scheme], max(1, event.step))
        return first

    def advance(self, seconds: float, patience: float = 0.25) -> None:
        """Computes for about so long, one step at least; or waits at most `patience` seconds while another reader does."""
        if self._lock.acquire(timeout=patience):  # not 0: readers who wait for the first step would spin, and slow it
            try:
                end = time.monotonic() + seconds
                self._pull()
                while not self.finished and time.monotonic() < end:
                    self._pull()
            finally:
                self._lock.release()

    def _pull(self) -> None:
        """One more measurement. The caller holds the lock: a generator must not be entered twice."""
        if self.finished:
            return
        if self._failure:
            raise RunError(f"this run stopped before step {len(self.measurements)}: {self._failure}") from self._failure
        start = time.monotonic()
        try:
            self._remember(next(self._stream))
            self.seconds += time.monotonic() - start
        except StopIteration:
            self.finished = True
        except Exception as failure:  # such as too little memory: every reader must hear of it, not only this one
            self._failure = failure
            raise RunError(f"this run stopped before step {len(self.measurements)}: {failure}") from failure
        if len(self.measurements) > self.experiment.steps:
            self.finished = True
            self._stream.close()

    def _remember(self, measurement: Measurement) -> None:
        # A signal of -inf is 0 behind a ReLU, so that loss and gradient may be finite: the profiles are asked, too.
        profiles = np.concatenate([measurement.signal, measurement.signal_gradient], axis=2)
        whole = np.isfinite(measurement.loss + measurement.gradient_norm) & np.isfinite(profiles).all(axis=2)
        for network in zip(*np.nonzero(~whole), strict=True):
            self.breaks.setdefault(tuple(map(int, network)), broken(measurement, network))
        if self.measurements and self.measurements[-1].step not in self.kept:  # the newest is whole until it is not
            self.measurements[-1] = replace(self.measurements[-1], **dict.fromkeys(PROFILES))
        self.measurements.append(measurement)

    @property
    def nbytes(self) -> int:
        """Bytes that this run holds: its measurements, and what a step needs to go on while it is not finished."""
        e, steps = self.experiment, len(self.measurements)
        scalars = steps * (3 * array_bytes(e.networks) + OBJECT) + min(steps, MOST) * 2 * array_bytes(e.networks)
        profiles = sum(step < steps for step in self.kept) * profile_size(e)
        return scalars + profiles + (0 if self.finished else state_bytes(e))


def array_bytes(numbers: int) -> int:
    return 8 * numbers + OBJECT


def profile_size(experiment: Experiment) -> int:
    """Bytes of the profiles of one measurement."""
    return len(PROFILES) * array_bytes(experiment.networks * experiment.depth)


def broken(measurement: Measurement, network: tuple) -> Break:
    """The first layer, in the order of computation, whose numbers are not finite: signals forward, then gradients backward."""
    forward, backward = measurement.signal[network], measurement.signal_gradient[network][::-1]
    for profile, is_backward in ((forward, False), (backward, True)):
        found = np.flatnonzero(~np.isfinite(profile))
        if len(found):
            layer = len(profile) - int(found[0]) if is_backward else int(found[0]) + 1
            return Break(measurement.step, layer, "NaN" if np.isnan(profile[found[0]]) else "inf", is_backward)
    return Break(measurement.step, 0, "NaN" if np.isnan(measurement.loss[network]) else "inf", False)


class Registry:
    """Every run of a server, by its experiment. Equal settings never train twice.

    `slots` runs train at once, first come first served; a run that nobody attends leaves its place and can be resumed.
    Beyond `most_bytes` the least recently opened runs that nobody attends are dropped.
    """

    def __init__(self, most_bytes: int = 2**29, slots: int = 1):
        self.most_bytes, self.slots = most_bytes, slots
        self._runs: OrderedDict[Experiment, Run] = OrderedDict()  # least recently opened first
        self._viewers: Counter[Run] = Counter()
        self._queue: list[Run] = []
        self._lock = threading.Lock()

    def open(self, experiment: Experiment) -> Run:
        """The one run of these settings, new if there is none."""
        with self._lock:
            run = self._runs.setdefault(experiment, None) or Run(experiment)
            self._runs[experiment] = run
            self._runs.move_to_end(experiment)
            self._drop(besides=experiment)
            return run

    def _drop(self, besides: Experiment) -> None:
        held = sum(run.nbytes for run in self._runs.values())
        for experiment in [key for key, run in self._runs.items() if key != besides and not self._viewers[run]]:
            if held <= self.most_bytes:
                return
            held -= self._runs.pop(experiment).nbytes

    @contextmanager
    def attend(self, run: Run) -> Iterator[None]:
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

    def place(self, run: Run) -> int:
        """How many trainings must end before this one may go on; 0: it is its turn."""
        with self._lock:
            waiting = [other for other in self._queue if not other.finished]
            return max(0, waiting.index(run) + 1 - self.slots) if run in waiting else 0
