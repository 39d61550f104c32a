"""The computation of a Measurement from one forward and backward pass over all networks."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.activations import Activation
from stability.catalogues.number_formats import at_least_float32
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

    Without `units`, single units are not looked at: `saturated` and `dead` are missing. The norms
    are of z by layer, then of delta from the last layer to the first.
    """

    def __init__(self, phi: Activation, norms: Norms | None = None, units: bool = True):
        self.phi, self.units = phi, units
        self.batch = 0
        self._widths: list[int] = []
        self._norms = norms or Norms()
        # Of hidden layers, from the last one to the first.
        self._slopes: list[Tensor] = []  # of units, summed over the batch, (N, width)
        self._flat: list[Tensor] = []  # number of entries with a slope near 0, (N, width)
        self._nan: list[Tensor] = []  # where a normalized u has NaN, (N,)

    def forward(self, z: Tensor) -> None:
        self._norms.add(z)
        _, self.batch, width = z.shape
        self._widths.append(width)

    def backward(self, delta: Tensor) -> None:
        self._norms.add(delta)

    def slopes(self, slope: Tensor, u: Tensor | None) -> None:
        if not self.units:
            return
        size = slope if self.phi.is_monotone else slope.abs_()
        self._slopes.append(size.sum(dim=1))
        if not self.phi.slope_is_0_or_1:
            limit = SATURATION_SLOPE * self.phi.max_slope
            self._flat.append(torch.lt(size, limit, out=size).sum(dim=1))  # as 0 and 1
        if u is not None and self._norms.settles:  # else NaN shows in the norm of the next z
            self._nan.append(u.amax(dim=(1, 2)).isnan())

    def quantities(self, scale: Tensor) -> dict[str, Tensor]:
        """Return the profiles `(L, N)` or `(L-1, N)` of all layers."""
        root = roots(self.batch, tuple(self._widths), scale.device)  # (L, 1)
        signal, gradient = torch.split(self._norms.values(len(scale)), len(root))
        found = {
            "signal": signal / root,
            "signal_gradient": gradient.flip(0) * self.batch / root / scale,
        }
        if not self.units:
            return found
        if not self._slopes:
            return found | dict.fromkeys(("saturated", "dead"), signal[:0])
        slopes = [*stacks_of_one_shape(self._slopes)]  # (k, N, width)
        counts = stacks_of_one_shape(self._flat) if self._flat else (self.batch - s for s in slopes)
        saturated = means_by_layer(counts) / self.batch
        # As 0 and 1, here and below: what is boolean takes several times as long.
        dead = means_by_layer(torch.eq(s, 0, out=torch.empty_like(s)) for s in slopes)
        if self._norms.any_doubtful:
            nan = torch.stack(self._nan).flip(0) if self._nan else signal[:-1].isnan()  # (L-1, N)
            nan_or_0 = torch.where(nan, math.nan, 0.0)
            saturated, dead = saturated + nan_or_0, dead + nan_or_0
        return found | {"saturated": saturated, "dead": dead}


@lru_cache(maxsize=64)
def roots(batch: int, widths: Sequence[int], device: torch.device) -> Tensor:
    """Return the square roots of the numbers in each layer, float64 `(L, 1)`."""
    entries = [[batch * width] for width in widths]
    return torch.tensor(entries, dtype=torch.float64, device=device).sqrt()


def means_by_layer(counts: Iterable[Tensor]) -> Tensor:
    """Return the means over the units of counts `(k, N, width)`, from the last one's end back.

    That is `(L-1, N)`, from the first layer on. Sums of counts are exact.
    """
    return torch.cat([stack.sum(dim=2).double() / stack.shape[2] for stack in counts]).flip(0)


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
