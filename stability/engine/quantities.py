"""What is measured at a step, and how each quantity is taken from one pass over all networks.

Norms do not leave the range of numbers: a signal of 1e-30 or 1e30 in float32 is reported rightly.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import groupby

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.engine.input_grid import plotted_dimensions, grid_points
from stability.engine.network import ForwardPass, Stack
from stability.randomness import generator
from stability.records.experiment import Experiment

SATURATION_SLOPE = 0.005  # of the activation's largest slope: below it a unit counts as saturated
COPY_TOLERANCE = 1e-5  # of a layer's RMS: units that differ by less everywhere count as one
HISTOGRAM_REACH, HISTOGRAM_BINS = 8, 64  # u from -REACH to REACH in so many equal bins; what lies outside has one more at either end


@dataclass(frozen=True, slots=True)
class Measurement:
    """The pass on batch `step` with the weights after `step` updates. S schemes, R replicates, L layers.

    NumPy float64; the pictures, of which there is more, float32, but for what float64 networks have learned. Gradients are
    those of the loss itself, however it was scaled; where they overflowed in the format, they are infinite or NaN, as they were
    stored. With loss scaling such a step is skipped: the next update is 0 and the next scale half of this one.
    """

    step: int
    loss: np.ndarray  # (S, R) mean over the batch
    accuracy: np.ndarray  # (S, R) share right; NaN for regression
    test_loss: np.ndarray  # (S, R) held out; NaN where not taken
    test_accuracy: np.ndarray  # (S, R)
    gradient_norm: np.ndarray  # (S, R) over all parameters, before clipping
    scale: np.ndarray  # (S, R) what the loss was multiplied by on the way back; 1 without loss scaling
    signal: np.ndarray  # (S, R, L) RMS of z
    signal_gradient: np.ndarray  # (S, R, L) RMS of batch x d(loss)/dz
    weight_gradient: np.ndarray  # (S, R, L) Frobenius norm of d(loss)/dW
    weight: np.ndarray  # (S, R, L) Frobenius norm of W
    update: np.ndarray  # (S, R, L) Frobenius norm of the step that led to W; 0 at step 0
    saturated: np.ndarray  # (S, R, L-1) share of u in the flat region
    dead: np.ndarray  # (S, R, L-1) share of units with slope 0 on the whole batch
    distinct: np.ndarray  # (S, R, L-1) number of different hidden units; NaN where not taken
    pre_activations: np.ndarray  # (S, R, L-1, BINS + 2) share of u in each bin, outer ones included; NaN where not taken
    fates: np.ndarray  # (S, R, L, KINDS, FORMATS, FATES) of `stability.shares`: shares as stored; NaN where not taken
    learned: np.ndarray  # (S, points, outputs) of the first networks on `domain.grid`; NaN where not taken


NAMES = [field.name for field in fields(Measurement)]
PROFILES = tuple(NAMES[NAMES.index("signal") : NAMES.index("distinct") + 1])  # the quantities by layer
SNAPSHOTS = tuple(NAMES[NAMES.index("distinct") + 1 :])  # large, and taken at few steps


def mean_losses(output: Tensor, y: Tensor, rounded: Callable[[Tensor], Tensor] = lambda result: result) -> Tensor:
    """Mean loss of each network, `(N,)`, of outputs `(N, batch, classes)`: cross-entropy of classes, else squared error.

    `rounded` is done to every result on the way.
    """
    if y.is_floating_point():
        return rounded(rounded(rounded(output - y).square()).mean(dim=(1, 2)))
    targets = y.expand(len(output), -1)
    return rounded(rounded(F.cross_entropy(output.transpose(1, 2), targets, reduction="none")).mean(dim=1))


def finite_networks(e: Experiment, measurement: Measurement) -> np.ndarray:
    """Networks `(S, R)` whose loss and gradient are finite; with loss scaling, whose loss is: a step can be skipped."""
    return np.isfinite(measurement.loss + (0 if e.number_format.scales_loss else measurement.gradient_norm))


def accuracy(output: Tensor, y: Tensor) -> Tensor:
    """Share of examples classified right, `(N,)`; an output with NaN in it is never right; NaN for regression."""
    if y.is_floating_point():
        return torch.full((len(output),), math.nan)
    right = (output.argmax(dim=2) == y) & ~output.isnan().any(dim=2)
    return right.double().mean(dim=1)


def norms_of_pass(stack: Stack, seen: ForwardPass, of_parameters: Sequence[Tensor], of_z: Sequence[Tensor]) -> dict[str, Tensor]:
    """The norms of one pass: `gradient_norm` (N,), the others (L, N)."""
    batch = len(seen.output[0])
    root = torch.tensor([[z[0].numel()] for z in seen.z], dtype=torch.float64, device=seen.output.device).sqrt()  # (L, 1)
    gradients = [norms(gradient) for gradient in of_parameters]
    back = [norms(gradient) for gradient in stacks_of_one_shape(of_z)]
    return {
        "signal": torch.cat([norms(z) for z in stacks_of_one_shape(seen.z)]) / root,
        "signal_gradient": torch.cat(back) * batch / root / stack.loss_scale.factor,
        "weight_gradient": torch.cat(gradients[: len(stack.weights)]),
        "weight": torch.cat([norms(weights) for weights in stack.weights]),
        "gradient_norm": norms(torch.cat(gradients).T.contiguous().unsqueeze(0))[0],  # one order of summation for any N
    }


def stacks_of_one_shape(tensors: Sequence[Tensor], most: int = 2**18) -> Iterator[Tensor]:
    """Neighbours of one shape `(N, ...)` as stacks `(k, N, ...)`: one kernel for many small layers, yet no large copy."""
    for shape, group in groupby(tensors, key=lambda tensor: tensor.shape):
        layers = list(group)
        count = max(1, most // max(1, shape.numel()))
        for start in range(0, len(layers), count):
            yield torch.stack(layers[start : start + count]) if count > 1 else layers[start].unsqueeze(0)


def norms(stack: Tensor) -> Tensor:
    """2-norms of a stack `(k, N, ...)` over all but its first two axes: float64 `(k, N)`.

    Equals the plain norm wherever that is finite and nonzero; zeros, infinities and NaN among the entries stay what they
    are. Squares leave the range long before the numbers do, so a norm near the ends of the range is taken again, scaled.
    """
    rows = at_least_float32(stack.flatten(2))
    plain = torch.linalg.vector_norm(rows, dim=2).double()
    low = torch.finfo(rows.dtype).tiny ** 0.5 * 1e9  # below it, entries whose squares underflowed may count
    doubtful = (plain < low) | plain.isinf()
    if doubtful.any():
        plain[doubtful] = scaled_norm(rows[doubtful])
    return plain


def scaled_norm(rows: Tensor) -> Tensor:
    """2-norm of each row: divided by its largest entry, squared, summed, and multiplied back in float64."""
    largest = rows.abs().amax(dim=1, keepdim=True)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, 1)
    return torch.linalg.vector_norm(rows / scale, dim=1).double() * scale.squeeze(1).double()


def by_layer(parts: list[Tensor], e: Experiment) -> Tensor:
    """Joins `(k, N)` to `(L-1, N)`; a network of depth 1 has no hidden layer."""
    return torch.cat(parts) if parts else torch.empty(0, e.network_count)


def saturated_and_dead(e: Experiment, seen: ForwardPass) -> dict[str, Tensor]:
    """`saturated` and `dead` (L-1, N): where the slope of the activation is near 0, and where it is 0 on the whole batch."""
    saturated, dead = [], []
    for u, h in zip(stacks_of_one_shape(seen.u), stacks_of_one_shape(seen.h), strict=True):  # (k, N, batch, width)
        u, h = at_least_float32(u), at_least_float32(h)
        slope = e.phi.dphi(u, h).abs_()
        lost = torch.where(u.flatten(2).amax(dim=2).isnan(), math.nan, 0.0)  # (k, N) a share of NaN is no share
        dead.append((slope.sum(dim=2) == 0).double().mean(dim=2) + lost)
        flat = torch.lt(slope, SATURATION_SLOPE * e.phi.max_slope, out=slope)  # as 0 and 1 in place: no pass over a mask of bits
        saturated.append(flat.flatten(2).mean(dim=2).double() + lost)
    return {"saturated": by_layer(saturated, e), "dead": by_layer(dead, e)}


def pre_activation_histograms(e: Experiment, seen: ForwardPass) -> Tensor:
    """Share of u in each bin, `(L-1, BINS + 2, N)`: below -REACH, BINS of equal width, from REACH on; NaN where u has NaN.

    An edge belongs to the bin on its right, so 0 lies with what is positive and REACH with what lies above.
    """
    return torch.cat([histograms(at_least_float32(u)) for u in stacks_of_one_shape(seen.u)]) if seen.u else torch.empty(0, HISTOGRAM_BINS + 2, e.network_count)


def histograms(u: Tensor) -> Tensor:
    """Of a stack `(k, N, batch, width)`, float32 `(k, BINS + 2, N)`: one count over all layers and networks."""
    rows, half = u.flatten(2), HISTOGRAM_BINS // 2
    place = (rows * (half / HISTOGRAM_REACH)).floor_().clamp_(-half - 1, half)  # before anything is added: -1e-20 lies below 0
    lost = torch.where(place.sum(dim=2).isnan(), math.nan, 0.0)  # (k, N)
    first = torch.arange(lost.numel(), dtype=torch.int32, device=u.device).view(*lost.shape, 1) * (HISTOGRAM_BINS + 2)
    place = place.nan_to_num_(nan=0.0) if lost.isnan().any() else place
    counts = torch.bincount((place.to(torch.int32) + first + half + 1).view(-1), minlength=lost.numel() * (HISTOGRAM_BINS + 2))
    return (counts.view(*lost.shape, -1) / rows.shape[2] + lost.unsqueeze(2)).float().mT


def distinct_by_layer(e: Experiment, seen: ForwardPass) -> Tensor:
    """Number of hidden units `(L-1, N)` whose z differ somewhere on the batch by more than SAME of the layer's RMS."""
    return by_layer([distinct_units(at_least_float32(z)) for z in stacks_of_one_shape(seen.z[:-1])], e)


def distinct_units(z: Tensor) -> Tensor:
    """Of pre-activations `(k, N, batch, width)`, the number of units that are no copy of another, `(k, N)`.

    Copies lie close in any projection of the batch, so a unit that is alone in one is distinct. The others are few, or
    copies of few: one after another leads, and takes its copies along.
    """
    rms = (norms(z) / z[0, 0].numel() ** 0.5).to(z)
    units = z.mT / torch.where(rms > 0, rms, 1)[..., None, None]  # (k, N, width, batch)
    projection = torch.randn(units.shape[-1], generator=generator(0, "normal"), dtype=torch.float32).to(units)
    places, order = (units @ projection).sort(dim=2)
    near = places.diff(dim=2) <= 2 * COPY_TOLERANCE * projection.abs().sum()  # copies are no further apart; rounding included
    alone = ~(F.pad(near, (1, 0)) | F.pad(near, (0, 1)))
    count, left = alone.double().sum(dim=2), torch.empty_like(alone).scatter_(2, order, ~alone)
    while left.any():
        leader = left.to(torch.uint8).argmax(dim=2)[..., None, None].expand(-1, -1, 1, units.shape[-1])
        copies = (units - units.gather(2, leader)).abs().amax(dim=3) <= COPY_TOLERANCE
        count += left.any(dim=2)
        left &= ~copies.scatter(2, leader[..., 0], True)
    return count + torch.where(rms.isfinite(), 0.0, math.nan)


def outputs_on_grid(stack: Stack) -> np.ndarray:
    """Outputs of the first network of each scheme on the grid, as on held-out data: `(S, points, outputs)`, a copy.

    With batch norm by the statistics of the grid itself.
    """
    return np.array(at_least_float32(stack.first_replicates().forward(grid_points(plotted_dimensions(stack.experiment.dataset_row)).to(stack.device)).output).cpu().numpy())


def no_outputs_on_grid(e: Experiment) -> np.ndarray:
    """The same where it is not taken; without points where it never is."""
    shape = len(e.schemes), len(grid_points(plotted_dimensions(e.dataset_row))), e.dataset_row.outputs
    return read_only_nans(*shape, dtype=np.float64 if e.number_format.itemsize > 4 else np.float32)


def to_schemes_and_replicates(e: Experiment, value: Tensor) -> np.ndarray:
    """From `(N,)`, `(L, N)` or `(L, ..., N)` to `(S, R, ...)`, schemes outermost; a copy, which keeps no tensor alive."""
    array = value.detach().movedim(-1, 0).to(torch.float64 if value.dim() < 3 else torch.float32).cpu().numpy()
    return np.array(array.reshape(len(e.schemes), e.replicates, *value.shape[:-1]))


@lru_cache(maxsize=64)
def read_only_ones(*shape: int) -> np.ndarray:
    """Ones, read-only: one array for all the steps of a run without loss scaling."""
    return np.broadcast_to(np.array(1.0), shape)


@lru_cache(maxsize=64)
def read_only_nans(*shape: int, dtype: type = np.float64) -> np.ndarray:
    """NaN, read-only: one array for all the steps at which a costly quantity is not taken."""
    return np.broadcast_to(np.array(math.nan, dtype), shape)
