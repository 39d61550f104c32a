"""The computation of a Measurement from one forward and backward pass over all networks."""

import math
from functools import partial
from itertools import chain
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.engine.parameters import Parameters, layers_by_width
from stability.engine.passes import BackwardPass, ForwardPass, Watch
from stability.engine.rounding_shares import shares_by_outcome
from stability.engine.scaled_norms import Norms, norms, stacks_of_one_shape
from stability.randomness import generator
from stability.records.experiment import Experiment

SATURATION_SLOPE = 0.005  # of the activation's largest slope: below it a unit counts as saturated
COPY_TOLERANCE = 1e-5  # of a layer's RMS: units that differ by less everywhere count as one
PROJECTED_EXAMPLES = 4  # of a batch, in the search for units that are copies
# Equal bins of u from -REACH to REACH; one more bin at each end holds the values outside.
HISTOGRAM_REACH, HISTOGRAM_BINS = 8, 64


class LayerWatch(Watch):
    """Measures each layer of a pass while its tensors lie in the cache.

    All passes share its tensors; `begin` starts a new one.
    """

    def __init__(self, stack: Parameters) -> None:
        self._experiment = e = stack.experiment
        self.norms = Norms(2 * e.depth, e.number_format.squares_fit)  # of z, then of delta
        self._units = [UnitCounts(stack, k, width) for k, width in layers_by_width(e)]
        self._slopes = [*chain.from_iterable(units.slopes for units in self._units)]  # (N, width)
        self._flat = [*chain.from_iterable(units.flat for units in self._units)]  # (N, width)
        numbers = torch.tensor([[e.batch * layer.fan_out] for layer in e.layers])
        roots = numbers.to(stack.device, torch.float64).sqrt()
        self._divisors = torch.cat([roots, roots / e.batch])  # of the norms, (2 L, 1)
        self.begin()

    def begin(self, keeps: bool = True, looks: bool = True, units: bool = True) -> Self:
        """Forget what was seen. Without `units`, `saturated` and `dead` will be missing."""
        self.norms.begin(keeps, looks)
        self._looks_at_units = units
        self._next_z, self._next_delta = 0, 2 * self._experiment.depth - 1  # rows of the norms
        self._next_slope = self._experiment.depth - 2
        self._nan: list[Tensor] = []  # where a normalized u has NaN, (N,), from the last layer on
        return self

    def forward(self, z: Tensor) -> None:
        self.norms.add(self._next_z, z)
        self._next_z += 1

    def backward(self, delta: Tensor) -> None:
        self.norms.add(self._next_delta, delta)
        self._next_delta -= 1

    def slopes(self, slope: Tensor, u: Tensor | None) -> None:
        if not self._looks_at_units:
            return
        phi, place = self._experiment.phi, self._next_slope
        size = slope if phi.is_monotone else slope.abs_()
        torch.sum(size, 1, out=self._slopes[place])
        if not phi.slope_is_0_or_1:
            is_flat = torch.lt(size, SATURATION_SLOPE * phi.max_slope, out=size)  # as 0 and 1
            torch.sum(is_flat, 1, out=self._flat[place])
        if u is not None and self.norms.settles:  # else NaN shows in the norm of the next z
            self._nan.append(u.amax(dim=(1, 2)).isnan())
        self._next_slope -= 1

    def quantities(self, scale: Tensor) -> dict[str, Tensor]:
        """Return the profiles `(L, N)` or `(L-1, N)` of all layers.

        `scale` `(N,)`, by which gradients were multiplied, is 1 unless the format scales the loss.
        """
        e = self._experiment
        signal, gradient = torch.split(self.norms.values(self._divisors), e.depth)
        if e.number_format.scales_loss:
            gradient = gradient / scale
        found = {"signal": signal, "signal_gradient": gradient}
        if not self._looks_at_units:
            return found
        if not self._units:
            return found | dict.fromkeys(("saturated", "dead"), signal[:0])
        shares = [units.shares() for units in self._units]
        saturated, dead = torch.cat(shares, dim=1) if len(shares) > 1 else shares[0]
        if self.norms.any_doubtful:
            nan = torch.stack(self._nan).flip(0) if self._nan else signal[:-1].isnan()  # (L-1, N)
            nan_or_0 = torch.where(nan, math.nan, 0.0)
            saturated, dead = saturated + nan_or_0, dead + nan_or_0
        return found | {"saturated": saturated, "dead": dead}


class UnitCounts:
    """Counts of the units of k neighbouring hidden layers of one width."""

    def __init__(self, stack: Parameters, k: int, width: int) -> None:
        e, count = stack.experiment, len(stack.networks)
        zeros = partial(torch.zeros, dtype=e.number_format.compute_dtype, device=stack.device)
        self.slopes = zeros(k, count, width)  # summed over the batch
        # The number of slopes near 0; where all are 0 or 1, their sum is that of the others.
        self.flat = self.slopes if e.phi.slope_is_0_or_1 else torch.zeros_like(self.slopes)
        self._sums = zeros(2, k, count)  # of these, and of units with any slope but 0
        self._of_flat, self._of_alive = self._sums
        most = torch.tensor([e.batch * width, width], dtype=torch.float64, device=stack.device)
        self._most = most.view(2, 1, 1)  # of these sums
        self._start = self._most.clone()  # the sums are taken off it
        if self.flat is not self.slopes:
            self._start[0] = 0

    def shares(self) -> Tensor:
        """Return the share of slopes near 0, and that of units whose slopes are all exactly 0.

        Both are float64, `(2, k, N)`. Sums of counts are exact, so only the division rounds. The
        slopes are overwritten.
        """
        torch.sum(self.flat, 2, out=self._of_flat)
        # As 0 and 1: what is boolean takes several times as long.
        is_alive = torch.ne(self.slopes, 0, out=self.slopes)
        torch.sum(is_alive, 2, out=self._of_alive)
        return (self._start - self._sums).abs_() / self._most


def sampled_profiles(passed: ForwardPass) -> dict[str, Tensor]:
    """Return the profiles that are measured at few steps, since they are costly."""
    return {"spread": spread_by_layer(passed), "distinct": distinct_by_layer(passed)}


def sampled_snapshots(passed: ForwardPass, backward: BackwardPass) -> dict[str, Tensor]:
    """Return the snapshots of a pass, which are large."""
    return {
        "pre_activations": pre_activation_histograms(passed),
        "rounding_shares": shares_by_outcome(passed, backward),
    }


def pre_activation_histograms(passed: ForwardPass) -> Tensor:
    """Return the share of u in each bin, float32 `(L-1, HISTOGRAM_BINS + 2, N)`.

    NaN where u has NaN. The first and the last bin hold the values outside. An edge belongs to the
    bin on its right, so 0 counts as positive. One bincount serves a whole stack.
    """
    half, bins = HISTOGRAM_BINS // 2, HISTOGRAM_BINS + 2
    histograms = [passed.z[-1].new_empty(0, bins, len(passed.z[-1]), dtype=torch.float32)]
    for u in stacks_of_one_shape(passed.u):
        rows = at_least_float32(u).flatten(2)  # (k, N, batch x width)
        # From -half - 1 to half; floor before any addition, which would round -1e-20 to 0.
        index = (rows * (half / HISTOGRAM_REACH)).floor_().clamp_(-half - 1, half)
        nan_or_0 = torch.where(index.sum(dim=2).isnan(), math.nan, 0.0)  # (k, N)
        if nan_or_0.isnan().any():
            index = index.nan_to_num_(nan=0.0)
        total = nan_or_0.numel() * bins  # the histograms lie one behind another
        first = torch.arange(0, total, bins, dtype=torch.int32, device=u.device)  # bin of each
        index = index.to(torch.int32) + first.view(*nan_or_0.shape, 1) + half + 1
        counts = torch.bincount(index.view(-1), minlength=total).view(*nan_or_0.shape, bins)
        shares = counts / rows.shape[2] + nan_or_0.unsqueeze(2)
        histograms.append(shares.float().mT)
    return torch.cat(histograms)


def spread_by_layer(passed: ForwardPass) -> Tensor:
    """Return the RMS of z minus its mean over the batch by layer: what differs between examples.

    Float64 `(L, N)`; 0 for a batch of one, NaN where z is not finite.
    """
    return torch.cat([spreads(z) for z in stacks_of_one_shape(passed.z)])


def spreads(z: Tensor) -> Tensor:
    """Return the RMS of z `(k, N, batch, width)` minus each unit's mean over the batch, `(k, N)`.

    In float64, where no square of float32 leaves the range; numbers of float64 at unit size. And
    from the first example on: the digits that all examples share are gone before the mean is
    rounded.
    """
    if z.dtype == torch.float64:
        largest = z.abs().amax(dim=(2, 3), keepdim=True)
        scale = torch.where(largest > 0, largest, 1)
        centred = z / scale
    else:
        scale, centred = z.new_ones(1, 1, 1, 1), z.double()
    centred -= centred[:, :, :1].clone()
    centred -= centred.mean(dim=2, keepdim=True)
    unit: Tensor = norms(centred) / z[0, 0].numel() ** 0.5
    return unit * scale[..., 0, 0]


def distinct_by_layer(passed: ForwardPass) -> Tensor:
    """Return the number of different hidden units by layer, `(L-1, N)`."""
    counts = [distinct_units(at_least_float32(z)) for z in stacks_of_one_shape(passed.z[:-1])]
    return torch.cat([passed.z[-1].new_empty(0, len(passed.z[-1])), *counts])


def distinct_units(z: Tensor) -> Tensor:
    """Return how many units of z `(k, N, batch, width)` are no copy of another, `(k, N)`.

    Units are copies if they differ nowhere on the batch by more than COPY_TOLERANCE. Copies have
    close projections onto any vector, so a unit whose projection has no close neighbour is
    distinct. The others are few, or copies of few. The vector has few entries: the more, the more
    units are close by chance.
    """
    rms = (norms(z) / z[0, 0].numel() ** 0.5).to(z)
    scale = torch.where(rms > 0, rms, 1)[..., None, None]
    random = generator(0, "normal")
    entries = min(z.shape[2], PROJECTED_EXAMPLES)
    projection = torch.randn(entries, generator=random, dtype=torch.float32).to(z)
    projected, order = ((z[:, :, :entries] / scale).mT @ projection).sort(dim=2)  # (k, N, width)
    # Projections of copies differ by no more than this, rounding included.
    near = projected.diff(dim=2) <= 2 * COPY_TOLERANCE * projection.abs().sum()
    alone = ~(F.pad(near, (1, 0)) | F.pad(near, (0, 1)))
    count = alone.double().sum(dim=2)
    left = torch.empty_like(alone).scatter_(2, order, ~alone)  # units that are not yet counted
    layers = left.any(dim=2)  # of networks, in which there are such units
    count[layers] += distinct_among(z[layers].mT / scale[layers], left[layers])
    return count + torch.where(rms.isfinite(), 0.0, math.nan)


def distinct_among(units: Tensor, left: Tensor) -> Tensor:
    """Return how many units `(layers, width, batch)` differ, `(layers,)`, of those that are `left`.

    Count one, remove it and its copies, repeat.
    """
    count = torch.zeros(len(units), dtype=torch.float64, device=units.device)
    while left.any():
        leader = left.to(torch.uint8).argmax(dim=1)[:, None, None]
        leading = units.gather(1, leader.expand(-1, 1, units.shape[2]))
        copies = (units - leading).abs().amax(dim=2) <= COPY_TOLERANCE
        count += left.any(dim=1)
        left = left & ~copies.scatter(1, leader[..., 0], True)
    return count


def to_schemes_and_replicates(e: Experiment, value: Tensor) -> np.ndarray:
    """Return `(..., N)` as an array `(S, R, ...)` of float64: a copy, which keeps no tensor."""
    array = value.detach().movedim(-1, 0).double().cpu().numpy()
    return np.array(array.reshape(len(e.schemes), e.replicates, *value.shape[:-1]))
