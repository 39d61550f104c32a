"""The losses of all networks on one batch, and their gradients by the outputs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Rounding = Callable[[Tensor], Tensor]  # of the result of an operation to a number format


def keep(result: Tensor) -> Tensor:
    return result


@dataclass(eq=False)
class Losses:
    """The mean losses `(N,)`; `by_output(scale)` is the gradient of each, times its scale.

    `accuracy` is the share of examples classified right; NaN for regression.
    """

    mean: Tensor
    by_output: Callable[[Tensor], Tensor]  # (N,) to (N, batch, outputs)
    accuracy: Tensor  # (N,)


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

    mean = rounded(rounded(errors.square()).mean(dim=(1, 2)))
    return Losses(mean, by_output, torch.full_like(mean, math.nan))


def cross_entropies(output: Tensor, y: Tensor, rounded: Rounding) -> Losses:
    """Return the mean of -ln p of the right class; its gradient is p, less 1 for that class.

    With the few classes before the many examples, torch takes a tenth of the time.
    """
    logits = output.mT.contiguous()  # (N, classes, batch)
    log_probabilities = logits.log_softmax(dim=1)
    right = y.expand(len(output), 1, -1)  # (N, 1, batch)

    def by_output(scale: Tensor) -> Tensor:
        of_each = rounded(rounded(scale.to(output)) / len(y)).view(-1, 1, 1)
        minus_one = output.new_full((1, 1, 1), -1).expand(right.shape)
        by_logits = exp_of_each(log_probabilities)
        by_logits = by_logits.scatter_add_(1, right, minus_one).mul_(of_each)
        return by_logits.mT

    gains = rounded(log_probabilities.gather(1, right))
    return Losses(-rounded(gains.mean(dim=(1, 2))), by_output, accuracies(logits, right))


def exp_of_each(x: Tensor) -> Tensor:
    """Return e^x of each network, `(N, classes, batch)`, for x <= 0.

    By way of float64 where some result is no ordinary number of float32, for which a processor
    takes a hundred times as long. On a GPU the look at a number would.
    """
    if x.dtype != torch.float32 or x.device.type != "cpu":
        return x.exp()
    least = math.log(torch.finfo(x.dtype).tiny)
    is_far = x.amin(dim=(1, 2)).numpy() < least  # (N,)
    if not is_far.any():
        return x.exp()
    far, found = torch.from_numpy(is_far), torch.empty_like(x)
    found[~far] = x[~far].exp()
    found[far] = x[far].double().clamp_(min=2 * least).exp_().to(x.dtype)  # e to that is 0
    return found


def accuracies(logits: Tensor, right: Tensor) -> Tensor:
    """Return how often, of logits `(N, classes, batch)`, that of the right class is the largest.

    Float64 `(N,)` from classes `(N, 1, batch)`. Of equal logits the first one counts as the answer;
    NaN is never right.
    """
    largest = logits.amax(dim=1, keepdim=True)
    is_largest = torch.eq(logits, largest, out=torch.empty_like(logits))  # 0 and 1: no boolean
    if is_largest.sum(dim=1).max().item() > 1:  # some are equal
        is_largest *= is_largest.cumsum(dim=1) == 1
    return is_largest.gather(1, right).mean(dim=(1, 2), dtype=torch.float64)
