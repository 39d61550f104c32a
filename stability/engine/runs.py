"""Runs: a stream that remembers and is shared."""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stability.engine.cost import state_bytes
from stability.engine.quantities import (
    HISTOGRAM_BINS,
    SNAPSHOTS,
    PROFILES,
    Measurement,
    finite_networks,
    no_outputs_on_grid,
    read_only_nans,
)
from stability.engine.rounding_shares import SHARES_SHAPE
from stability.engine.training import SAMPLED_STEPS, measure, evenly_spread_steps
from stability.records.experiment import Experiment
from stability.records.product import Product, numbers_per_draw, log10_norms_by_factor

ARRAY_OVERHEAD = 160  # bytes of an array or a measurement besides its numbers
# For the profiles of one run, and as much for its histograms, fates and learned functions: with every loss and the objects
# around them it stays under 32 MB.
PROFILE_BYTES = 6 * 2**20


@dataclass(frozen=True)
class Break:
    """Where a network left the range of numbers: `layer` counts from 1; 0 where every layer's numbers are still finite."""

    step: int
    layer: int
    value: str  # "inf" or "NaN"
    backward: bool  # found in the gradient, the signal being finite


class RunError(RuntimeError):
    """A run that cannot go on."""


class Stream:
    """What an iterator yields for a record of settings, computed once and read by many threads.

    Iterable any number of times, also while it grows; `measurements` holds all of it so far, `last` + 1 in the end.
    """

    def __init__(self, record: Any, last_index: int, source: Iterator[Any]):
        self.record, self.last_index = record, last_index
        self.measurements: list[Any] = []
        self.finished = False
        self.seconds = 0.0  # of computing, so far
        self._source = source
        self._failure: Exception | None = None
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while (measurement := self.measurement_at(index)) is not None:
            yield measurement
            index += 1

    def measurement_at(self, index: int) -> Any:
        """Measurement `index`, computed now if nobody has; None past the end."""
        while len(self.measurements) <= index and not self.finished:
            with self._lock:
                if len(self.measurements) <= index:
                    self._pull()
        return self.measurements[index] if index < len(self.measurements) else None

    def advance(self, seconds: float, most: float = math.inf, patience: float = 0.25) -> None:
        """Computes for about so long, one step at least, until there are `most` measurements.

        Or waits at most `patience` seconds while another reader does.
        """
        if self._lock.acquire(timeout=patience):  # not 0: readers who wait for the first step would spin, and slow it
            try:
                end = time.monotonic() + seconds
                self._pull()
                while not self.finished and len(self.measurements) < most and time.monotonic() < end:
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
            self._remember(next(self._source))
            self.seconds += time.monotonic() - start
        except StopIteration:
            self.finished = True
        except Exception as failure:  # such as too little memory: every reader must hear of it, not only this one
            self._failure = failure
            raise RunError(f"this run stopped before step {len(self.measurements)}: {failure}") from failure
        if len(self.measurements) > self.last_index:
            self.finished = True
            self._source.close()

    def _remember(self, measurement: Any) -> None:
        self.measurements.append(measurement)

    @property
    def nbytes(self) -> int:
        """Bytes that this holds, what the next step needs among them."""
        raise NotImplementedError


class ProductRun(Stream):
    """What `multiplied(product)` yields: log10 of the norms `(replicates,)`, after each further factor."""

    def __init__(self, product: Product):
        super().__init__(product, product.count, log10_norms_by_factor(product))
        self.product = product

    @property
    def nbytes(self) -> int:
        p = self.product
        state = 8 * p.replicates * (p.n**2 + numbers_per_draw(p.n))  # the products, and the factors that are drawn
        return len(self.measurements) * array_bytes(p.replicates) + (0 if self.finished else state)


class Run(Stream):
    """What `measure(experiment)` yields.

    Of a long run the profiles are kept at evenly spread steps and None at the others, every loss is kept; of large networks,
    the pictures, fates as means over the replicates, are kept at the steps `pictured`, NaN elsewhere. `breaks` tells where
    networks diverged.
    """

    def __init__(self, experiment: Experiment, profile_bytes: int = PROFILE_BYTES):
        super().__init__(experiment, experiment.steps, measure(experiment))
        self.experiment = experiment
        self.breaks: dict[tuple[int, int], Break] = {}  # by (scheme, replicate)
        self.profile_steps = steps_with_profiles(experiment, profile_bytes)
        self.snapshot_steps = thin_steps(evenly_spread_steps(experiment.steps, SAMPLED_STEPS), max(2, PROFILE_BYTES // bytes_of_snapshot(experiment)))

    def newest_profiles(self, count: int) -> Measurement:
        """The newest of the first `count` measurements whose profiles are kept."""
        return next(m for m in reversed(self.measurements[:count]) if m.signal is not None)

    def snapshot(self, count: int, step: int) -> Measurement:
        """The newest measurement up to `step`, of the first `count`, whose pictures are kept."""
        return self.measurements[max(taken for taken in self.snapshot_steps if taken < count and taken <= max(0, step))]

    def counts_before_divergence(self, count: int) -> list[int]:
        """For each scheme, how many of the first `count` measurements came before its first network diverged; 1 at least."""
        first = [count] * len(self.experiment.schemes)
        for (scheme, _), event in self.breaks.items():
            first[scheme] = min(first[scheme], max(1, event.step))
        return first

    def _remember(self, measurement: Measurement) -> None:
        # A signal of -inf is 0 behind a ReLU, so that loss and gradient may be finite: the profiles are asked, too.
        # With loss scaling a gradient that overflows is no end: its step is skipped.
        scaled = self.experiment.number_format.scales_loss
        profiles = np.concatenate([measurement.signal, measurement.signal_gradient][: 1 if scaled else 2], axis=2)
        whole = finite_networks(self.experiment, measurement) & np.isfinite(profiles).all(axis=2)
        lost = [tuple(map(int, network)) for network in np.argwhere(~whole)]
        if new := {network: locate_break(measurement, network) for network in lost if network not in self.breaks}:
            self.breaks = self.breaks | new  # another one, for whoever reads the old one meanwhile
        if self.measurements:
            self.measurements[-1] = self._thinned(self.measurements[-1])  # the newest is whole until it is not
        if measurement.step in evenly_spread_steps(self.experiment.steps, SAMPLED_STEPS):
            measurement = replace(measurement, fates=average_replicates(measurement.fates))
        self.measurements.append(measurement)

    def _thinned(self, measurement: Measurement) -> Measurement:
        dropped = {} if measurement.step in self.profile_steps else dict.fromkeys(PROFILES)
        if measurement.step in evenly_spread_steps(self.experiment.steps, SAMPLED_STEPS) - self.snapshot_steps:
            for name in SNAPSHOTS:
                held = getattr(measurement, name)
                dropped[name] = read_only_nans(*held.shape, dtype=held.dtype.type)
        return replace(measurement, **dropped) if dropped else measurement

    @property
    def nbytes(self) -> int:
        """Bytes that this run holds: its measurements, and what a step needs to go on while it is not finished."""
        e, steps = self.experiment, len(self.measurements)
        always = 4 if e.number_format.scales_loss else 3
        scalars = steps * (always * array_bytes(e.network_count) + ARRAY_OVERHEAD) + min(steps, SAMPLED_STEPS) * 2 * array_bytes(e.network_count)
        profiles = sum(step < steps for step in self.profile_steps) * bytes_of_profiles(e)
        pictures = sum(step < steps for step in self.snapshot_steps) * bytes_of_snapshot(e)
        return scalars + profiles + pictures + (0 if self.finished else state_bytes(e))


def steps_with_profiles(experiment: Experiment, profile_bytes: int = PROFILE_BYTES) -> set[int]:
    """The steps of which a run keeps the profiles: all, or as many evenly spread ones as fit."""
    scales = experiment.number_format.scales_loss * experiment.steps * array_bytes(experiment.network_count)  # they take from the room
    return evenly_spread_steps(experiment.steps, max(2, (profile_bytes - scales) // bytes_of_profiles(experiment)))


def array_bytes(numbers: int) -> int:
    return 8 * numbers + ARRAY_OVERHEAD


def bytes_of_profiles(experiment: Experiment) -> int:
    """Bytes of the profiles of one measurement."""
    return len(PROFILES) * array_bytes(experiment.network_count * experiment.depth)


def bytes_of_snapshot(experiment: Experiment) -> int:
    """Bytes of the histograms, the fates and the learned functions of one measurement."""
    e = experiment
    histograms, learned = e.network_count * (e.depth - 1) * (HISTOGRAM_BINS + 2), no_outputs_on_grid(e)
    shared = learned.nbytes + ARRAY_OVERHEAD if learned.size else 0
    return 4 * (histograms + len(e.schemes) * e.depth * math.prod(SHARES_SHAPE)) + 2 * ARRAY_OVERHEAD + shared


def average_replicates(fates: np.ndarray) -> np.ndarray:
    """Means over the replicates, in the shape of all of them; NaN where one is NaN."""
    return np.broadcast_to(fates.mean(axis=1, keepdims=True), fates.shape)


def thin_steps(steps: set[int], most: int) -> set[int]:
    """At most `most` of these steps, evenly spread, the first and the last among them."""
    ordered = sorted(steps)
    return {ordered[index] for index in evenly_spread_steps(len(ordered) - 1, most)}


def locate_break(measurement: Measurement, network: tuple) -> Break:
    """The first layer, in the order of computation, whose numbers are not finite: signals forward, then gradients backward."""
    forward, backward = measurement.signal[network], measurement.signal_gradient[network][::-1]
    for profile, is_backward in ((forward, False), (backward, True)):
        found = np.flatnonzero(~np.isfinite(profile))
        if len(found):
            layer = len(profile) - int(found[0]) if is_backward else int(found[0]) + 1
            return Break(measurement.step, layer, "NaN" if np.isnan(profile[found[0]]) else "inf", is_backward)
    return Break(measurement.step, 0, "NaN" if np.isnan(measurement.loss[network]) else "inf", False)
