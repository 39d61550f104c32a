"""Runs: streams of measurements, computed once, stored, and read by many threads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from stability.engine.cost import state_bytes
from stability.engine.family import Family
from stability.engine.found_parts import missing_arrays
from stability.engine.measurement import PROFILES, SNAPSHOTS, Measurement, finite_networks
from stability.engine.products import log10_norms_by_factor, numbers_per_draw
from stability.engine.streams import Stream
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.step_sampling import (
    SAMPLED_STEPS,
    evenly_spread_steps,
    sampled_steps,
    thin_steps,
)

ARRAY_OVERHEAD = 160  # bytes of an array or a measurement besides its numbers
# The limit for the profiles of a run, and again for its snapshots: with its curves and all objects
# a run stays under 32 MB.
PROFILE_BYTES = 6 * 10**6


class ProductRun(Stream[Product, np.ndarray]):
    """The stream of `log10_norms_by_factor(product)`: `(replicates,)` after each factor."""

    def __init__(self, product: Product):
        super().__init__(product, product.count, log10_norms_by_factor)
        self.product = product

    def _count_bytes(self) -> int:
        p = self.product
        # The products and the drawn factors.
        state = 0 if self.finished else 8 * p.replicates * (p.n**2 + numbers_per_draw(p.n))
        return len(self.measurements) * array_bytes(p.replicates) + state


@dataclass(frozen=True)
class Break:
    """The step and layer at which a network left the range of numbers."""

    step: int
    layer: int  # from 1; 0 if the numbers of every layer are still finite
    value: str  # "inf" or "NaN"
    backward: bool  # in the gradient, while the signal is finite


class Run(Stream[Experiment | Family, Measurement]):
    """The stream of `measure(experiment, device, snapshots, ends_only)`.

    Of a family, `experiment` has the settings that its experiments share. Curves are kept at every
    step. A long run keeps profiles at `profile_steps` only, None elsewhere; a run of large networks
    keeps snapshots at `snapshot_steps` only, NaN elsewhere. Rounding shares are stored as means
    over the replicates. `breaks` maps (scheme, replicate) to where the network diverged.
    """

    def __init__(
        self,
        experiment: Experiment | Family,
        profile_bytes: int = PROFILE_BYTES,
        device: str = "cpu",
        snapshots: bool = True,
        ends_only: bool = False,
    ):
        self.family = Family.of(experiment)
        self.experiment = e = self.family.shared
        start = partial(self.source, device=device, snapshots=snapshots, ends_only=ends_only)
        super().__init__(experiment, e.steps, start)
        self.breaks: dict[tuple[int, int], Break] = {}
        self._times = self.family.network_count / e.network_count  # as many networks
        self.profile_steps = steps_with_profiles(e, int(profile_bytes / self._times))
        most = max(2, int(PROFILE_BYTES / self._times) // bytes_of_snapshot(e))
        self.snapshot_steps = thin_steps(sampled_steps(e.steps), most)

    @staticmethod
    def source(*arguments: Any, **how: Any) -> Iterator[Any]:
        """Yield the measurements, as `measure` does."""
        return measure(*arguments, **how)

    def newest_profiles(self, count: int) -> Measurement:
        """Return the newest of the first `count` measurements that has profiles."""
        for step in range(min(count, len(self.measurements)) - 1, -1, -1):
            measurement = self.measurements[step]  # another thread may drop its profiles meanwhile
            if measurement.has_profiles:
                return measurement
        raise IndexError(f"no measurement yet of {count}")

    def snapshot(self, count: int, step: int) -> Measurement:
        """Return the newest of the first `count` measurements, up to `step`, with snapshots."""
        last = min(count - 1, max(0, step))
        return self.measurements[max(kept for kept in self.snapshot_steps if kept <= last)]

    def counts_before_divergence(self, count: int) -> list[int]:
        """Return by scheme how many of the first `count` precede its first break, at least 1."""
        counts = [count] * len(self.family.members)
        for (scheme, _replicate), event in self.breaks.items():
            counts[scheme] = min(counts[scheme], max(1, event.step))
        return counts

    def _remember(self, measurement: Measurement) -> None:
        # A ReLU turns a signal of -inf into 0, so that loss and gradient may be finite: check the
        # profiles, too. With loss scaling an overflowed gradient is a skipped step, not a break.
        e = self.experiment
        finite = finite_networks(e, measurement) & np.isfinite(measurement.signal).all(axis=2)
        if not e.number_format.scales_loss:
            finite &= np.isfinite(measurement.signal_gradient).all(axis=2)
        broken = [(int(scheme), int(replicate)) for scheme, replicate in np.argwhere(~finite)]
        new = [network for network in broken if network not in self.breaks]
        if new:  # a new dict, since other threads may be iterating over the old one
            self.breaks = self.breaks | {n: locate_break(measurement, n) for n in new}
        if measurement.step in sampled_steps(e.steps):
            shares = measurement.rounding_shares
            mean = np.broadcast_to(shares.mean(axis=1, keepdims=True), shares.shape)
            measurement = replace(measurement, rounding_shares=mean)
        if self.measurements:
            self.measurements[-1] = self._thinned(self.measurements[-1])  # the newest is complete
        self.measurements.append(measurement)

    def _thinned(self, measurement: Measurement) -> Measurement:
        """Return the measurement without profiles and snapshots that its step does not keep."""
        e, step = self.experiment, measurement.step
        dropped: dict[str, Any] = {}
        if step not in self.profile_steps:
            dropped |= dict.fromkeys(PROFILES)
        if step in sampled_steps(e.steps) and step not in self.snapshot_steps:
            missing = missing_arrays(e, len(self.family.members))
            dropped |= {name: missing[name] for name in SNAPSHOTS}
        return replace(measurement, **dropped) if dropped else measurement

    def _count_bytes(self) -> int:
        e, steps = self.experiment, len(self.measurements)
        curves = 4 if e.number_format.scales_loss else 3
        scalars = steps * (curves * array_bytes(e.network_count) + ARRAY_OVERHEAD)
        scalars += min(steps, SAMPLED_STEPS) * 2 * array_bytes(e.network_count)
        profiles = sum(step < steps for step in self.profile_steps) * bytes_of_profiles(e)
        snapshots = sum(step < steps for step in self.snapshot_steps) * bytes_of_snapshot(e)
        state = 0 if self.finished else state_bytes(e)
        return int((scalars + profiles + snapshots + state) * self._times)


def steps_with_profiles(e: Experiment, profile_bytes: int = PROFILE_BYTES) -> frozenset[int]:
    """Return the steps at which a run keeps profiles: all, or as many as fit, evenly spread."""
    if e.number_format.scales_loss:  # the loss scales of all steps need part of the space
        profile_bytes -= e.steps * array_bytes(e.network_count)
    return evenly_spread_steps(e.steps, max(2, profile_bytes // bytes_of_profiles(e)))


def array_bytes(numbers: int) -> int:
    return 8 * numbers + ARRAY_OVERHEAD


def bytes_of_profiles(e: Experiment) -> int:
    """Return the bytes of the profiles of one measurement."""
    return len(PROFILES) * array_bytes(e.network_count * e.depth)


def bytes_of_snapshot(e: Experiment) -> int:
    """Return the bytes of histograms, rounding shares and learned outputs of one measurement."""
    arrays = missing_arrays(e)  # with the shapes and dtypes of a snapshot
    shares = arrays["rounding_shares"].nbytes // e.replicates  # stored once, as the mean
    learned = arrays["learned_outputs"]
    learned_bytes = learned.nbytes + ARRAY_OVERHEAD if learned.size else 0
    return arrays["pre_activations"].nbytes + shares + 2 * ARRAY_OVERHEAD + learned_bytes


def locate_break(measurement: Measurement, network: tuple[int, int]) -> Break:
    """Return the first break in the order of computation: forward, then backward, then the loss."""
    signal, gradient = measurement.signal[network], measurement.signal_gradient[network]
    layers = len(signal)
    order = [(signal[index], index + 1, False) for index in range(layers)]
    order += [(gradient[index], index + 1, True) for index in reversed(range(layers))]
    order += [(measurement.loss[network], 0, False)]
    value, layer, backward = next((r for r in order if not np.isfinite(r[0])), order[-1])
    return Break(measurement.step, layer, "NaN" if np.isnan(value) else "inf", backward)
