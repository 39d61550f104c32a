"""The computation of a Measurement from one forward and backward pass over all networks."""

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.measurement import SNAPSHOTS, Measurement
from stability.engine.network import BackwardPass, ForwardPass, Stack
from stability.engine.rounding_shares import SHARES_SHAPE, shares_by_outcome
from stability.engine.scaled_norms import norms, stacks_of_one_shape
from stability.randomness import generator
from stability.records.experiment import Experiment

SATURATION_SLOPE = 0.005  # of the activation's largest slope: below it a unit counts as saturated
COPY_TOLERANCE = 1e-5  # of a layer's RMS: units that differ by less everywhere count as one
# Equal bins of u from -REACH to REACH; one more bin at each end holds the values outside.
HISTOGRAM_REACH, HISTOGRAM_BINS = 8, 64


def quantities_of_step(
    stack: Stack, y: Tensor, passed: ForwardPass, backward: BackwardPass
) -> dict[str, Tensor]:
    """Return the quantities of every step: `(N,)`, and profiles `(L, N)` or `(L-1, N)`."""
    batch = len(y)
    entries = [[z[0].numel()] for z in passed.z]
    root = torch.tensor(entries, dtype=torch.float64, device=stack.device).sqrt()  # (L, 1)
    of_z = torch.cat([norms(gradient) for gradient in stacks_of_one_shape(backward.stored_z)])
    return {
        "accuracy": accuracy(passed.output, y),
        "gradient_norm": backward.norm,
        "signal": torch.cat([norms(z) for z in stacks_of_one_shape(passed.z)]) / root,
        "signal_gradient": of_z * batch / root / backward.scale,
        "weight_gradient": torch.cat(backward.parameter_norms[: len(stack.weights)]),
        "weight": torch.cat([norms(weights) for weights in stack.weights]),
        **saturated_and_dead(stack.experiment, passed),
    }


def sampled_quantities(passed: ForwardPass, backward: BackwardPass) -> dict[str, Tensor]:
    """Return the quantities that are measured at few steps, since they are costly or large."""
    return {
        "distinct": distinct_by_layer(passed),
        "pre_activations": pre_activation_histograms(passed),
        "rounding_shares": shares_by_outcome(passed, backward),
    }


def accuracy(output: Tensor, y: Tensor) -> Tensor:
    """Return the share of examples classified right, `(N,)`; NaN for regression."""
    if y.is_floating_point():
        return torch.full((len(output),), math.nan)
    right = (output.argmax(dim=2) == y) & ~output.isnan().any(dim=2)  # NaN is never right
    return right.double().mean(dim=1)


def saturated_and_dead(e: Experiment, passed: ForwardPass) -> dict[str, Tensor]:
    """Return the shares `(L-1, N)` of u with a slope near 0, and of units where it is always 0."""
    no_layer = passed.output.new_empty(0, len(passed.output))
    saturated, dead = [no_layer], [no_layer]
    for u, h in zip(stacks_of_one_shape(passed.u), stacks_of_one_shape(passed.h), strict=True):
        u, h = at_least_float32(u), at_least_float32(h)  # (k, N, batch, width)
        slope = e.phi.dphi(u, h).abs_()
        nan_or_0 = torch.where(u.flatten(2).amax(dim=2).isnan(), math.nan, 0.0)  # (k, N)
        dead.append((slope.sum(dim=2) == 0).double().mean(dim=2) + nan_or_0)
        # Comparing in place, as 0 and 1, saves a pass over a boolean mask.
        flat = torch.lt(slope, SATURATION_SLOPE * e.phi.max_slope, out=slope)
        saturated.append(flat.flatten(2).mean(dim=2).double() + nan_or_0)
    return {"saturated": torch.cat(saturated), "dead": torch.cat(dead)}


def pre_activation_histograms(passed: ForwardPass) -> Tensor:
    """Return the share of u in each bin, float32 `(L-1, HISTOGRAM_BINS + 2, N)`.

    NaN where u has NaN. The first and the last bin hold the values outside. An edge belongs to the
    bin on its right, so 0 counts as positive. One bincount serves a whole stack.
    """
    half, bins = HISTOGRAM_BINS // 2, HISTOGRAM_BINS + 2
    histograms = [passed.output.new_empty(0, bins, len(passed.output), dtype=torch.float32)]
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


def distinct_by_layer(passed: ForwardPass) -> Tensor:
    """Return the number of different hidden units by layer, `(L-1, N)`."""
    counts = [distinct_units(at_least_float32(z)) for z in stacks_of_one_shape(passed.z[:-1])]
    return torch.cat([passed.output.new_empty(0, len(passed.output)), *counts])


def distinct_units(z: Tensor) -> Tensor:
    """Return how many units of z `(k, N, batch, width)` are no copy of another, `(k, N)`.

    Units are copies if they differ nowhere on the batch by more than COPY_TOLERANCE. Copies have
    close projections onto any vector, so a unit whose projection has no close neighbour is
    distinct. The others are few, or copies of few: count one, remove it and its copies, repeat.
    """
    rms = (norms(z) / z[0, 0].numel() ** 0.5).to(z)
    units = z.mT / torch.where(rms > 0, rms, 1)[..., None, None]  # (k, N, width, batch)
    random = generator(0, "normal")
    projection = torch.randn(units.shape[-1], generator=random, dtype=torch.float32).to(units)
    projected, order = (units @ projection).sort(dim=2)
    # Projections of copies differ by no more than this, rounding included.
    near = projected.diff(dim=2) <= 2 * COPY_TOLERANCE * projection.abs().sum()
    alone = ~(F.pad(near, (1, 0)) | F.pad(near, (0, 1)))
    count = alone.double().sum(dim=2)
    left = torch.empty_like(alone).scatter_(2, order, ~alone)  # units that are not yet counted
    while left.any():
        leader = left.to(torch.uint8).argmax(dim=2)[..., None, None]
        leading = units.gather(2, leader.expand(-1, -1, 1, units.shape[-1]))
        copies = (units - leading).abs().amax(dim=3) <= COPY_TOLERANCE
        count += left.any(dim=2)
        left &= ~copies.scatter(2, leader[..., 0], True)
    return count + torch.where(rms.isfinite(), 0.0, math.nan)


def build_measurement(e: Experiment, step: int, found: Mapping[str, Tensor]) -> Measurement:
    """Return the measurement of these quantities, whose last axis is the networks.

    Quantities that were not measured are NaN, the scale is 1.
    """
    arrays = dict(missing_arrays(e))
    for name, value in found.items():
        if name == "learned_outputs":  # (S, points, outputs)
            arrays[name] = np.array(at_least_float32(value).cpu().numpy())
        else:
            dtype = torch.float32 if name in SNAPSHOTS else torch.float64
            arrays[name] = to_schemes_and_replicates(e, value, dtype)
    return Measurement(step, **arrays)


@lru_cache(maxsize=64)
def missing_arrays(e: Experiment) -> dict[str, np.ndarray]:
    """Return values for the fields that a step does not measure: read-only, shared by all steps."""
    outer = len(e.schemes), e.replicates
    hidden = *outer, e.depth - 1
    points = (
        len(e.schemes),
        len(INPUT_GRIDS[e.dataset_row.plotted_dimensions]),
        e.dataset_row.outputs,
    )
    nan, short = np.float64(math.nan), np.float32(math.nan)
    arrays: dict[str, tuple[np.floating, tuple[int, ...]]] = {
        "scale": (np.float64(1), outer),
        "test_loss": (nan, outer),
        "test_accuracy": (nan, outer),
        "distinct": (nan, hidden),
        "pre_activations": (short, (*hidden, HISTOGRAM_BINS + 2)),
        "rounding_shares": (short, (*outer, e.depth, *SHARES_SHAPE)),
        "learned_outputs": (nan if e.number_format.itemsize > 4 else short, points),
    }
    return {name: np.broadcast_to(value, shape) for name, (value, shape) in arrays.items()}


def to_schemes_and_replicates(
    e: Experiment, value: Tensor, dtype: torch.dtype = torch.float64
) -> np.ndarray:
    """Return `(..., N)` as an array `(S, R, ...)`: a copy, which keeps no tensor alive."""
    array = value.detach().movedim(-1, 0).to(dtype).cpu().numpy()
    return np.array(array.reshape(len(e.schemes), e.replicates, *value.shape[:-1]))
