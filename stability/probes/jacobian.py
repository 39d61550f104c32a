"""What the hidden layers do to a small change, direction by direction: singular values at initialization.

A change of z_1 becomes J times itself at z_{L-1}, and the singular values of J say how much each direction has grown. Where
all are 1, gradients keep their size whatever their direction: dynamical isometry. Saxe et al. 2014; Pennington et al. 2017.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.scheme_entry import Scheme
from stability.engine.network import Stack
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.records.experiment import Experiment
from stability.text import number, number_of_log10

MOST_EXAMPLES, MOST_DIRECTIONS = 4, 256  # a picture shows no more directions than that, and their price grows as width^3


def why_no_singular_values(e: Experiment) -> str:
    """Why there is nothing to show, as a sentence; empty where there is."""
    if e.depth < 3:
        return f"No singular values at depth {e.depth}: with fewer than 3 layers nothing lies between hidden layers."
    if e.width > MOST_DIRECTIONS:
        return f"No singular values at width {e.width}: above {MOST_DIRECTIONS} they take too long."
    if not e.normalization_row.variance:
        return f"No singular values with {e.normalization_row.label.lower()}: it mixes the examples of a batch."
    return ""


def example_count(e: Experiment) -> int:
    """How many examples of the first batch are looked at: 4 up to width 64, then fewer, 1 at width 256."""
    return min(MOST_EXAMPLES, max(1, MOST_DIRECTIONS // e.width), e.batch)


@lru_cache(maxsize=32)
def singular_values(e: Experiment) -> np.ndarray:
    """Singular values of d z_{L-1} / d z_1, from the largest, `(S, R, examples x width)`; `(S, R, 0)` where `absent`.

    Of the weights that training starts with, without dropout, at the first examples of the first batch, whose values are
    pooled. In float64, whatever the format: NaN where a pass leaves its range, and for what is less than width x 2.2e-16
    of its example's largest, which rounding has swallowed. 0 only where a whole Jacobian is 0, or below 1e-308.
    """
    shape = len(e.schemes), e.replicates
    if why_no_singular_values(e):
        return np.empty((*shape, 0))
    jacobians = hidden_jacobians(e)
    values = np.stack([trustworthy_singular_values(jacobian) for jacobian in jacobians]).reshape(*shape, -1)
    return -np.sort(-values, axis=2)  # NaN last


def trustworthy_singular_values(jacobians: Tensor) -> np.ndarray:
    """Singular values of `(examples, width, width)`, `(examples, width)`; NaN where rounding leaves none."""
    size = jacobians.abs().amax(dim=(1, 2), keepdim=True)
    finite = size.isfinite()
    scaled = torch.where(finite & (size > 0), jacobians / size, 0)  # LAPACK takes no NaN, and squares what it is given
    values = torch.linalg.svdvals(scaled)
    lost = values < values[:, :1] * (values.shape[1] * torch.finfo(values.dtype).eps)
    values = torch.where(lost | ~finite[..., 0], torch.nan, values * size[..., 0])
    return torch.where(values.isfinite(), values, torch.nan).numpy()  # what overflows in the end is not finite either


@torch.inference_mode(False)
@torch.no_grad()
def hidden_jacobians(e: Experiment) -> Tensor:
    """d z_{L-1} / d z_1 of each network and example, `(N, examples, width, width)`, float64: outputs by inputs.

    From the last hidden layer back, with all outputs at once as rows: J_l = J_{l+1} W_{l+1} diag(phi'(u_l)) d u_l / d z_l.
    """
    stack, x = stack_and_examples_in_float64(e)
    z = stack.forward(x, every_layer=True).z[:-1]
    weights = [matrix for matrix, _ in stack.layers()]  # (N, fan_out, fan_in)
    outputs = torch.eye(e.width, dtype=x.dtype).repeat(len(x), 1).expand(e.network_count, -1, -1)
    for index in range(e.depth - 2, 0, -1):
        u = stack.normalize(z[index - 1], index)
        slope = e.phi.dphi(u, e.phi.phi(u)).repeat_interleave(e.width, dim=1)
        branch = gradient_before_norm(stack, index, z[index - 1], outputs @ weights[index] * slope)
        outputs = branch + outputs if e.residual else branch
    lost = ~torch.stack([values.isfinite().all(dim=2) for values in z]).all(dim=0)  # a slope of 0 would hide it
    return torch.where(lost[:, :, None, None], torch.nan, outputs.unflatten(1, (len(x), e.width)))


def stack_and_examples_in_float64(e: Experiment) -> tuple[Stack, Tensor]:
    """The networks as training finds them, and the examples `(examples, features)`: both in float64, on the CPU."""
    stack, data = draw_stack_and_data(e)
    stack = stack.mapped(lambda tensor: tensor.detach().cpu().double(), precision="float64")
    return stack, data.x[next(batch_indices(e))[: example_count(e)]].cpu().double()


@torch.enable_grad()
def gradient_before_norm(stack: Stack, index: int, z: Tensor, by_u: Tensor) -> Tensor:
    """Derivatives by u `(N, examples x outputs, width)` as derivatives by z, whatever the normalization.

    By plain autograd on one copy of z for each output: the forward mode of torch keeps its level in one global number, which
    two threads would share.
    """
    copies = z.repeat_interleave(by_u.shape[1] // z.shape[1], dim=1).requires_grad_()
    return torch.autograd.grad(stack.normalize(copies, index), copies, by_u)[0]


def linear_edge(factors: int) -> float:
    """The largest squared singular value of a product of wide Gaussian matrices, n x n of variance 1/n, as n grows.

    (L + 1)^(L + 1) / L^L, the edge of the Fuss-Catalan law: 4 for one (Marchenko & Pastur), about e (L + 1/2) for many.
    Pennington et al. 2017.
    """
    return (factors + 1) * (1 + 1 / factors) ** factors


def predicted_edge(e: Experiment) -> np.ndarray:
    """The largest singular value that a wide network has, `(S,)`; NaN where no law is known, or nothing is shown.

    Known for linear units without residual connections or normalization, and Gaussian weights:
    sqrt(linear_edge(L - 2)) times sqrt(fan_in Var W) of each layer between. At width n the largest value is lower, by about
    0.6 (n sqrt(2 (L - 1) / (L - 2)^3))^(-2/3) of it: the mean of Tracy & Widom's law.
    """
    straight = e.phi.corners == () and not (e.residual or e.normalization_row.has_gain or why_no_singular_values(e))
    edges = np.array([gaussian_edge(e, row) if straight and is_gaussian(row) else np.nan for row in e.scheme_rows])
    return np.where(np.isfinite(edges), edges, np.nan)


def is_gaussian(row: Scheme) -> bool:
    """Whether the weights are independent draws from one bell curve."""
    return bool(row.variance and row.distribution == "normal" and not row.weights)


def gaussian_edge(e: Experiment, row: Scheme) -> float:
    between = e.layers[1:-1]
    gains = (math.sqrt(layer.fan_in * row.weight_variance(layer)) for layer in between)
    return math.prod(gains, start=math.sqrt(linear_edge(len(between))))


def singular_value_sentences(e: Experiment) -> list[str]:
    """By how much each scheme's first network stretches what it stretches most, and what lies in the middle."""
    said = []
    for row, values in zip(e.scheme_rows, singular_values(replace(e, replicates=1))[:, 0], strict=True):
        found, words = values[np.isfinite(values)], "what the layers do is not finite"
        if len(found):
            half = f"half of all directions by {factor_in_words(np.median(found))} or less"
            words = f"multiplies the most stretched direction by {factor_in_words(found.max())}, {half}"
        said.append(f"{row.title}: {words}.")
    return said


def factor_in_words(factor: float) -> str:
    return number_of_log10(math.log10(factor)) if factor > 0 else number(factor)
