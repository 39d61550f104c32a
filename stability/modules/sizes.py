"""Sizes of tensors of any floating or complex type, also where their squares overflow."""

import math

import torch
from torch import Tensor

ROUNDING = 3e-7  # of the RMS: a smaller spread is that of a mean in float32
SAFE = 1e15  # squares of numbers up to here, and from its inverse on, stay in float32


def is_measurable(value: object) -> bool:
    """Return True for a dense tensor of floating or complex numbers that has any."""
    return (
        isinstance(value, Tensor)
        and (value.is_floating_point() or value.is_complex())
        and value.layout is torch.strided
        and value.numel() > 0
    )


def plain(x: Tensor) -> Tensor:
    """Return the numbers as real ones, in float32 or float64, without their history."""
    x = x.detach()
    x = torch.view_as_real(x.resolve_conj()) if x.is_complex() else x
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def largest(x: Tensor) -> float:
    """Return the largest absolute value; NaN if there is one."""
    return float(torch.linalg.vector_norm(plain(x), math.inf))


def norm(x: Tensor) -> float:
    """Return the 2-norm over all numbers."""
    x = plain(x)
    size = float(torch.linalg.vector_norm(x))
    if 1 / SAFE < size < SAFE:
        return size
    most = float(torch.linalg.vector_norm(x, math.inf))
    if most == 0 or not math.isfinite(most):
        return most
    return most * float(torch.linalg.vector_norm(x / most))


def is_zero(x: Tensor) -> bool:
    """Return True if all numbers are 0; of most tensors the first one settles it."""
    return not x.numel() or (not bool(x.detach().flatten()[0]) and largest(x) == 0)


def std(x: Tensor) -> float:
    """Return the standard deviation of all numbers; NaN for fewer than two."""
    if x.numel() < 2:
        return math.nan
    x = plain(x)
    # Faster than Tensor.std, and as exact where the mean is not far larger than the spread.
    difference = rms(x) ** 2 - float(x.mean()) ** 2
    return math.sqrt(max(0.0, difference)) if difference > 1e-6 * rms(x) ** 2 else float(x.std())


def rms(x: Tensor) -> float:
    """Return the root of the mean square; NaN for an empty tensor."""
    return norm(x) / math.sqrt(x.numel()) if x.numel() else math.nan


def rms_of_nonzero(x: Tensor) -> float:
    """Return the RMS, and of an input that is mostly 0, such as one-hot rows, that of the rest."""
    numbers = plain(x)
    nonzero = numbers[numbers != 0]
    return rms(nonzero if nonzero.numel() < numbers.numel() / 2 else numbers)


def spread_over(x: Tensor, axis: int | None) -> float:
    """Return how much examples differ: the RMS of the differences from the mean over `axis`.

    NaN where there is no such axis, or one example; 0 where rounding alone would tell them apart.
    """
    if axis is None or x.shape[axis] < 2:
        return math.nan
    x = plain(x)
    size = rms(x - x.mean(axis, keepdim=True))
    return 0.0 if size < ROUNDING * rms(x) else size


def share(mask: Tensor) -> float:
    """Return the share of True."""
    return float(mask.float().mean()) if mask.numel() else 0.0
