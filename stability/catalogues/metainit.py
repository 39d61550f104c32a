"""MetaInit: the norms of first weights are learned by gradient descent. Dauphin & Schoenholz 2019.

A step of gradient descent, W - g, changes the gradient by about -Hg, H being the matrix of second
derivatives. Where that is little of g, the loss is nearly linear along the step, and training
begins smoothly. The gradient quotient, mean |(g - Hg) / g - 1|, says how much it is. Its derivative
by the norm of each matrix is taken by autograd; only the sign of it is used, with momentum.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

RATE, MOMENTUM, SMALLEST_GRADIENT = 0.1, 0.9, 1e-5  # of the paper's program


def gradient_quotients(losses: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Return the gradient quotient of each network, `(N,)`, of losses `(N,)`.

    Parameters are stacks `(layers, N, ...)`. 0 where no gradient changes along a step, as in
    eq. 3 of the paper, with the sign of g before epsilon.
    """
    gradients = torch.autograd.grad(losses.sum(), parameters, create_graph=True)
    half = torch.stack([gradient.square().sum() for gradient in gradients]).sum() / 2
    products = torch.autograd.grad(half, parameters, create_graph=True)  # H g
    total, count = torch.zeros_like(losses), 0
    for gradient, product in zip(gradients, products, strict=True):
        epsilon = torch.where(gradient >= 0, SMALLEST_GRADIENT, -SMALLEST_GRADIENT)
        off = ((gradient - product) / (gradient + epsilon) - 1).abs()
        total = total + off.movedim(1, 0).flatten(1).sum(dim=1)
        count += gradient[:, 0].numel()
    return total / count


def norm_factors(
    quotients: Tensor, matrices: Sequence[Tensor], velocities: Sequence[Tensor]
) -> list[Tensor]:
    """Return by what one step multiplies each matrix, `(layers, N)`; `velocities` are updated.

    No norm falls by more than half at once, which the paper leaves open, and zeros stay.
    """
    found = []
    slopes = torch.autograd.grad(quotients.sum(), matrices)
    for matrix, slope, velocity in zip(matrices, slopes, velocities, strict=True):
        norm = torch.linalg.vector_norm(matrix.detach(), dim=(-2, -1))
        sign = (matrix.detach() * slope).sum(dim=(-2, -1)).sign()
        velocity.mul_(MOMENTUM).sub_(RATE * sign)
        factor = (1 + velocity / norm).clamp(min=0.5)
        found.append(torch.where(norm > 0, factor, 1.0))
    return found
