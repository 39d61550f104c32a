"""Normalizations, which stand between a pre-activation and its activation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue


@dataclass(frozen=True, kw_only=True)
class Normalization(Entry):
    """A row: `forward` maps z `(N, batch, width)` to u before the trained gain and shift.

    Beside u it returns what `backward(gradient, u, saved)` needs to turn a gradient by u into one
    by z; without `backward`, autograd does that. The gain starts at 1, the shift at 0.
    `variance(q)` is the variance of u in a wide layer whose z has variance q for each example,
    numbers or arrays; None where examples are mixed. Where it `centers`, the mean over the units is
    taken away. `pytorch` is the module of torch.nn, with `{width}` in it; empty where there is
    none.
    """

    forward: Callable[[Tensor], tuple[Tensor, Tensor]]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    variance: Callable[[Any], Any] | None = None
    centers: bool = False
    has_gain: bool = True
    has_shift: bool = True
    min_batch: int = 1
    pytorch: str = ""

    def apply(self, z: Tensor) -> Tensor:
        return self.forward(z)[0]

    @property
    def mixes_examples(self) -> bool:
        """True if the result for one example depends on the rest of its batch."""
        return self.variance is None


def standardize_along(
    z: Tensor, axis: int, epsilon: float | None = 1e-5, centered: bool = True
) -> tuple[Tensor, Tensor]:
    """Return u = (z - mean) / sqrt(variance + epsilon) along an axis, and 1 / sqrt(...).

    Without centering the mean counts as 0; an epsilon of None is that of the dtype, as in
    torch.nn.RMSNorm. By sums, since torch.var_mean over the batch takes ten times as long.
    """
    count = z.shape[axis]
    if centered:
        z = z - z.sum(axis, keepdim=True) / count
    variance = (z * z).sum(axis, keepdim=True) / count
    factor = torch.rsqrt(variance + (torch.finfo(z.dtype).eps if epsilon is None else epsilon))
    return z * factor, factor


def standardize_along_backward(
    gradient: Tensor, u: Tensor, factor: Tensor, axis: int, centered: bool = True
) -> Tensor:
    """Return the gradient by z: the factor times what neither shifts nor scales the whole axis.

    u does not change if all of z moves by one number, nor (but for epsilon) if all is multiplied:
    so the mean of the gradient, and its part along u, are taken away.
    """
    count = u.shape[axis]
    if centered:
        gradient = gradient - gradient.sum(axis, keepdim=True) / count
    along = (gradient * u).sum(axis, keepdim=True) / count
    return (gradient - u * along).mul_(factor)


NORMALIZATIONS = catalogue(
    Normalization(
        key="none", label="None", source="-", formula=r"u = z",
        summary="The pre-activation enters the activation as it is: nothing hides what the "
        "initialization did.",
        forward=lambda z: (z, z), backward=lambda gradient, u, saved: gradient, has_gain=False,
        has_shift=False, variance=lambda q: q,
    ),
    Normalization(
        key="batch", label="Batch norm", source="Ioffe & Szegedy 2015",
        formula=r"u = \gamma (z - \mathrm{mean}_B z) / \sqrt{\mathrm{Var}_B z + 10^{-5}} + \beta",
        summary="Each unit is standardised over the batch, always by the batch's own statistics.",
        forward=partial(standardize_along, axis=-2), min_batch=2,
        backward=partial(standardize_along_backward, axis=-2), pytorch="nn.BatchNorm1d({width})",
    ),
    Normalization(
        key="layer", label="Layer norm", source="Ba, Kiros & Hinton 2016",
        formula=r"u = \gamma (z - \mathrm{mean}_j z) / \sqrt{\mathrm{Var}_j z + 10^{-5}} + \beta",
        summary="Each example is standardised over the units of the layer.",
        forward=partial(standardize_along, axis=-1),
        backward=partial(standardize_along_backward, axis=-1),
        variance=lambda q: q / (q + 1e-5), centers=True, pytorch="nn.LayerNorm({width})",
    ),
    Normalization(
        key="rms", label="RMS norm", source="Zhang & Sennrich 2019",
        formula=r"u = \gamma z / \sqrt{\mathrm{mean}_j z^2 + \epsilon}",
        summary="Each example is divided by the root mean square of its layer; the mean stays.",
        forward=partial(standardize_along, axis=-1, epsilon=None, centered=False),
        backward=partial(standardize_along_backward, axis=-1, centered=False), has_shift=False,
        variance=lambda q: q / (q + torch.finfo(torch.float32).eps), pytorch="nn.RMSNorm({width})",
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NormPosition(Entry):
    """A row: True in `follows_activation` puts the normalization between phi and the next product.

    Where it is `on_stream`, what goes around a branch of a residual network is normalized, too.
    """

    follows_activation: bool = False
    on_stream: bool = False


NORM_POSITIONS = catalogue(
    NormPosition(
        key="inside", label="Before the activation", source="He et al. 2016",
        formula=r"z_l = z_k + W_l \, \phi(\mathrm{norm}(z_k)) + b_l",
        summary="Inside the branch, what goes around it stays as it is, and so does its gradient: "
        "a pre-norm.",
    ),
    NormPosition(
        key="before", label="Before the product", source="Xiong et al. 2020",
        formula=r"z_l = z_k + W_l \, \mathrm{norm}(\phi(z_k)) + b_l",
        summary="Each product takes inputs of size 1, whatever the activation made of them: a "
        "pre-norm, too.",
        follows_activation=True,
    ),
    NormPosition(
        key="after", label="After the sum: post-norm", source="Vaswani et al. 2017",
        formula=r"u_l = \mathrm{norm}(u_k + W_l \, \phi(u_k) + b_l)",
        summary="The sum of branch and shortcut is normalized: each block shrinks what came from "
        "the blocks below, too.",
        on_stream=True,
    ),
)  # fmt: skip
