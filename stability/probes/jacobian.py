"""Singular values of the hidden layers' Jacobian at initialization.

A change of z_1 becomes J times itself at z_{L-1}, and the singular values of J are the factors by
which its directions grow. Where all are 1, gradients keep their size whatever their direction:
dynamical isometry. Saxe et al. 2014; Pennington et al. 2017.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stability.engine.network import Stack
from stability.engine.training import draw_stack_and_data, first_batch
from stability.i18n import _
from stability.probes.results import remembered
from stability.records.experiment import Experiment

# A chart shows no more directions than these, and their cost grows as width^3.
MOST_EXAMPLES, MOST_DIRECTIONS = 4, 256


def why_no_singular_values(e: Experiment) -> str:
    """Return a sentence that says why there are no singular values; empty where there are."""
    if e.depth < 3:
        return _(
            "No singular values at depth {depth}: with fewer than 3 layers nothing lies "
            "between hidden layers."
        ).format(depth=e.depth)
    if e.width > MOST_DIRECTIONS:
        return _("No singular values at width {width}: above {most} they take too long.").format(
            width=e.width, most=MOST_DIRECTIONS
        )
    if not e.normalization_row.variance:
        label = e.normalization_row.label.lower()
        return _("No singular values with {label}: it mixes the examples of a batch.").format(
            label=label
        )
    return ""


def example_count(e: Experiment) -> int:
    """Return how many examples of the first batch are taken: 4 up to width 64, 1 at width 256."""
    return min(MOST_EXAMPLES, max(1, MOST_DIRECTIONS // e.width), e.batch)


def direction_count(e: Experiment) -> int:
    """Return how many singular values each network has, those of all its examples together."""
    return example_count(e) * min(e.hidden_widths, default=e.width)


def singular_values(e: Experiment) -> np.ndarray:
    """Return the singular values of d z_{L-1} / d z_1, from the largest, NaN last.

    `(S, R, examples x directions)`, pooled over the examples; `(S, R, 0)` where there are none. As
    many directions as the narrowest hidden layer has units. Taken at the initial weights, without
    dropout. NaN where a pass leaves the range of float64, and for values lost to rounding. 0 only
    where a whole Jacobian is 0, or below 1e-308.
    """
    by_example = singular_values_by_example(e)
    pooled = by_example.reshape(len(e.schemes), e.replicates, -1)
    return -np.sort(-pooled, axis=2)


def largest_and_median(e: Experiment) -> np.ndarray:
    """Return the largest and the median singular value of each scheme's first network, `(S, 2)`.

    The median counts all directions, and is NaN where it is a value lost to rounding. Examples
    whose pass leaves the range of float64 are left out; where none remains, both are NaN.
    """
    found = np.full((len(e.schemes), 2), np.nan)
    of_first_networks = singular_values_by_example(replace(e, replicates=1))[:, 0]
    for scheme, values in enumerate(of_first_networks):
        values = values[np.isfinite(values).any(axis=1)].ravel()
        if len(values):
            counted = np.where(np.isnan(values), -np.inf, values)  # lost ones lie below all others
            median = np.median(counted)
            found[scheme] = counted.max(), median if median >= 0 else np.nan
    return found


@remembered
def singular_values_by_example(e: Experiment) -> np.ndarray:
    """Return the singular values of each example from the largest, `(S, R, examples, values)`."""
    if why_no_singular_values(e):
        return np.empty((len(e.schemes), e.replicates, 0, e.width))
    values = np.stack([trustworthy_singular_values(jacobians) for jacobians in hidden_jacobians(e)])
    return values.reshape(len(e.schemes), e.replicates, *values.shape[1:])


def trustworthy_singular_values(jacobians: Tensor) -> np.ndarray:
    """Return the singular values `(examples, directions)` of `(examples, outputs, inputs)`.

    NaN below the larger size x 2.2e-16 times the example's largest: such values are lost to
    rounding.
    """
    size = jacobians.abs().amax(dim=(1, 2), keepdim=True)
    finite = size.isfinite()
    # LAPACK rejects NaN, and squares its input, which might overflow.
    scaled = torch.where(finite & (size > 0), jacobians / size, 0)
    values = torch.linalg.svdvals(scaled)
    lost = values < values[:, :1] * rounding_share(max(jacobians.shape[1:]))
    values = torch.where(lost | ~finite[..., 0], torch.nan, values * size[..., 0])
    # The product above may overflow.
    return torch.where(values.isfinite(), values, torch.nan).numpy()


def rounding_share(width: int) -> float:
    """Return the share of a matrix's largest singular value below which all is rounding."""
    return width * torch.finfo(torch.float64).eps


@torch.inference_mode(False)
@torch.no_grad()
def hidden_jacobians(e: Experiment) -> Tensor:
    """Return d z_{L-1} / d z_1 of each network and example, float64, outputs by inputs.

    `(N, examples, last width, first width)`. From the last hidden layer back, with all outputs at
    once as rows: J_l = J_{l+1} W_{l+1} d h_l / d z_l. In float64 whatever the format.
    """
    drawn, data = draw_stack_and_data(e)
    stack = drawn.mapped(lambda tensor: tensor.detach().cpu().double(), precision="float64")
    x = first_batch(e, data)[0][: example_count(e)].cpu().double()
    passed, layers = stack.forward(x, every_layer=True), stack.layers()
    last = torch.eye(e.hidden_widths[-1], dtype=x.dtype)
    outputs = last.repeat(len(x), 1).expand(e.network_count, -1, -1)
    around: dict[int, Tensor] = {}  # what residual connections carry, by the layer they start at
    for index in range(e.depth - 1, 1, -1):
        if index in e.shortcuts:
            around[e.shortcuts[index]] = outputs
            outputs = e.branch_factor * outputs
        by_h, by_stream = outputs @ layers[index - 1][0], around.pop(index - 1, None)
        outputs = gradient_by_z(stack, index - 1, passed.z[index - 2], by_h, by_stream)
    # A slope of 0 would hide an infinite z.
    finite = torch.stack([z.isfinite().all(dim=2) for z in passed.z[:-1]]).all(dim=0)
    jacobians = outputs.view(e.network_count, len(x), len(last), e.width)
    return torch.where(finite[:, :, None, None], jacobians, torch.nan)


@torch.enable_grad()
def gradient_by_z(
    stack: Stack, index: int, z: Tensor, by_h: Tensor, by_stream: Tensor | None
) -> Tensor:
    """Return derivatives by z of hidden layer `index`, `(N, examples x outputs, width)`.

    From those by what the next layer multiplies, and by what a shortcut takes along, if any does.
    By reverse-mode autograd on one copy of z for each output: torch's forward mode keeps its
    nesting level in a global variable, which threads would share.
    """
    copies = z.repeat_interleave(by_h.shape[1] // z.shape[1], dim=1).requires_grad_()
    h, stream = stack.hidden_outputs(index, copies)
    if by_stream is None:
        return torch.autograd.grad(h, copies, by_h)[0]
    return torch.autograd.grad((h, stream), copies, (by_h, by_stream))[0]


def linear_edge(factors: int) -> float:
    """Return the largest squared singular value of a product of wide Gaussian matrices.

    For n x n matrices of variance 1/n, as n grows: (L + 1)^(L + 1) / L^L, the edge of the
    Fuss-Catalan law; 4 for L = 1 (Marchenko & Pastur), about e (L + 1/2) for large L.
    Pennington et al. 2017.
    """
    return (factors + 1) * (1 + 1 / factors) ** factors


def predicted_edge(e: Experiment) -> np.ndarray:
    """Return the largest singular value of a wide network, `(S,)`; NaN where no law is known.

    Known for linear units without residual connections or normalization, Gaussian weights, and
    layers of one width: sqrt(linear_edge(L - 2)) times sqrt(fan_in Var W) of each layer from 2 to
    L - 1. At width n the largest value is lower by a share of about
    0.6 (n sqrt(2 (L - 1) / (L - 2)^3))^(-2/3): the mean of Tracy & Widom's law.
    """
    edges = np.full(len(e.schemes), np.nan)
    is_linear = e.phi.corners == () and not (e.residual or e.normalization_row.has_gain)
    if is_linear and not e.is_tapered and not why_no_singular_values(e):
        between = e.layers[1:-1]
        for index, row in enumerate(e.scheme_rows):
            if row.variance and row.distribution == "normal" and not row.weights:  # Gaussian
                gains = [layer.fan_in * (row.weight_variance(layer) or 0.0) for layer in between]
                edges[index] = math.sqrt(linear_edge(len(between))) * math.prod(
                    map(math.sqrt, gains)
                )
    return np.where(np.isfinite(edges), edges, np.nan)
