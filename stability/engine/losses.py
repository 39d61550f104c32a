"""The losses of all networks on one batch, and their gradients by the outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Rounding = Callable[[Tensor], Tensor]  # of the result of an operation to a number format


def keep(result: Tensor) -> Tensor:
    return result


@dataclass(eq=False)
class Losses:
    """The mean losses `(N,)`; `by_output(scale)` is the gradient of each, times its scale."""

    mean: Tensor
    by_output: Callable[[Tensor], Tensor]  # (N,) to (N, batch, outputs)


def losses_with_gradients(output: Tensor, y: Tensor, rounded: Rounding = keep) -> Losses:
    """Return the losses of outputs `(N, batch, outputs)`; every result is `rounded`.

    Cross-entropy where y `(batch,)` are classes, else the squared error of y `(batch, outputs)`.
    """
    return (squared_errors if y.is_floating_point() else cross_entropies)(output, y, rounded)


def mean_losses(output: Tensor, y: Tensor, rounded: Rounding = keep) -> Tensor:
    """Return the mean losses `(N,)` alone."""
    return losses_with_gradients(output, y, rounded).mean


def squared_errors(output: Tensor, y: Tensor, rounded: Rounding) -> Losses:
    """Return the mean over outputs and batch of (output - y)^2; its gradient is 2 (output - y)."""
    errors = rounded(output - y)

    def by_output(scale: Tensor) -> Tensor:
        of_each = rounded(rounded(scale.to(errors)) / errors[0].numel())
        return 2 * errors * of_each.view(-1, 1, 1)

    return Losses(rounded(rounded(errors.square()).mean(dim=(1, 2))), by_output)


def cross_entropies(output: Tensor, y: Tensor, rounded: Rounding) -> Losses:
    """Return the mean of -ln p of the right class; its gradient is p, less 1 for that class."""
    log_probabilities = output.log_softmax(dim=2)  # (N, batch, classes)
    right = y.expand(len(output), -1).unsqueeze(2)  # (N, batch, 1)

    def by_output(scale: Tensor) -> Tensor:
        of_each = rounded(rounded(scale.to(output)) / len(y)).view(-1, 1, 1)
        probabilities = log_probabilities.exp()
        return probabilities.scatter_add_(
            2, right, -torch.ones_like(right, dtype=output.dtype)
        ).mul_(of_each)

    of_each = rounded(-log_probabilities.gather(2, right).squeeze(2))
    return Losses(rounded(of_each.mean(dim=1)), by_output)
