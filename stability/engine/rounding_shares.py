"""What numbers become when they are stored in a format: 0, subnormal, normal or infinite; for all formats from one pass.

Nothing is rounded: a format's limits are compared with. Rounding is to nearest, ties to even, as IEEE 754 has it.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from stability.catalogues.number_formats import FORMATS, Format, at_least_float32
from stability.engine.network import ForwardPass
from stability.engine.quantities import stacks_of_one_shape

FORMATS_BY_RANGE = tuple(sorted(FORMATS.values(), key=lambda row: -row.largest_finite))  # what one holds, all before it hold
TENSOR_KINDS = {
    "activation": "activations h",
    "signal_gradient": "gradient dL/dz",
    "weight_gradient": "weight gradient dL/dW",
}
OUTCOMES = "zero", "subnormal", "normal", "infinite"
SHARES_SHAPE = len(TENSOR_KINDS), len(FORMATS_BY_RANGE), len(OUTCOMES)


def rounding_limits(row: Format) -> tuple[tuple[Fraction, bool], ...]:
    """From where on a magnitude is no longer rounded to 0, no longer subnormal, no longer finite; True: from beyond there.

    Halfway between two numbers the one is taken whose last digit is even: 0 before the smallest, infinity before the largest,
    but of E4M3 the largest: it has no infinity, and what lies beyond becomes NaN, or is clipped.
    """
    smallest, normal, largest = map(Fraction, (row.smallest_subnormal, row.smallest_normal, row.largest_finite))
    unit = Fraction(row.epsilon) * 2 ** (largest.numerator.bit_length() - 1)  # of the last digit of the largest
    return (smallest / 2, True), (normal - smallest / 2, False), (largest + unit / 2, (largest / unit) % 2 == 0)


@lru_cache
def magnitude_cuts(dtype: torch.dtype) -> tuple[tuple[float, ...], Tensor]:
    """All limits of all formats and, first, what is not 0: as the smallest number of `dtype` from there on, ascending.

    Beside them which of them each format has, `(F, 3)`.
    """
    wanted = [[smallest_from(*limit, dtype) for limit in rounding_limits(row)] for row in FORMATS_BY_RANGE]
    ascending = sorted({smallest_from(Fraction(0), True, dtype), *(cut for row in wanted for cut in row)})
    return tuple(ascending), torch.tensor([[ascending.index(cut) for cut in row] for row in wanted])


def smallest_from(limit: Fraction, beyond: bool, dtype: torch.dtype) -> float:
    """The smallest number of `dtype` that is at least the limit, or is `beyond` it; inf where there is none."""
    try:
        found = torch.tensor(float(limit), dtype=dtype)
    except OverflowError:
        return math.inf
    up, down = torch.tensor(math.inf, dtype=dtype), torch.tensor(0.0, dtype=dtype)
    if found.isinf():
        found = torch.nextafter(found, down)
    while Fraction(found.item()) < limit or (beyond and Fraction(found.item()) == limit):
        found = torch.nextafter(found, up)
        if found.isinf():
            break
    return found.item()


def fates(seen: ForwardPass, weight_gradients: Sequence[Tensor], of_z: Sequence[Tensor]) -> Tensor:
    """Shares of h, dL/dz and dL/dW as they are stored, float32 `(L, KINDS, FORMATS, FATES, N)`; the rest is 0 already.

    L is the mean loss of the batch, however it was scaled. The last layer's h is its z. NaN where a number is NaN.
    """
    of_weights = [gradient for group in weight_gradients for gradient in group]
    parts = [at_least_float32(part).flatten(1) for kind in ([*seen.h, seen.output], of_z, of_weights) for part in kind]
    order = sorted(range(len(parts)), key=lambda index: parts[index].shape[1])  # of one size together: fewer, larger kernels
    reached = torch.cat([count_reaching(stack.abs()) for stack in stacks_of_one_shape([parts[index] for index in order], most=2**20)], dim=1)
    place = torch.tensor(order, device=reached.device).argsort()
    numbers = torch.tensor([part.shape[1] for part in parts], device=reached.device).view(-1, 1, 1, 1)
    return (count_outcomes(reached[:, place]) / numbers).float().unflatten(0, (len(TENSOR_KINDS), len(seen.z))).transpose(0, 1)


def count_outcomes(reached: Tensor) -> Tensor:
    """From how many numbers reach each cut, `(C, k, N)`, how many lie between, `(k, FORMATS, FATES, N)`."""
    places = magnitude_cuts(reached.dtype)[1].to(reached.device)
    first = reached[:1].expand(len(places), 1, *reached.shape[1:])
    bounds = torch.cat([first, reached[places], torch.zeros_like(first)], dim=1)  # (F, FATES + 1, k, N)
    return (bounds[:, :-1] - bounds[:, 1:]).movedim(2, 0)


def count_reaching(size: Tensor) -> Tensor:
    """How many of the magnitudes `(k, N, numbers)` reach each cut, `(C, k, N)`; NaN where one is NaN.

    Between two cuts that as many reach, no others are asked.
    """
    ascending, highest = magnitude_cuts(size.dtype)[0], size.amax(dim=2)
    largest = highest.nan_to_num(math.inf, posinf=math.inf).max().item()
    work, nothing = torch.empty_like(size), torch.zeros(size.shape[:2], dtype=size.dtype, device=size.device)

    def reaching(at: int) -> Tensor:  # as 0 and 1 in place, without a mask of bits; a sum exact in float32 up to 2^24
        return torch.ge(size, ascending[at], out=work).sum(dim=2) if ascending[at] <= largest else nothing

    def fill(low: int, high: int) -> None:
        alike, middle = torch.equal(counts[low], counts[high]), (low + high) // 2
        if middle > low:
            counts[middle] = counts[low] if alike else reaching(middle)
            fill(low, middle)
            fill(middle, high)

    ends = 0, bisect_left(ascending, 1e-37), len(ascending) - 1  # nearly all numbers lie beyond the second
    counts = {at: reaching(at) for at in ends}
    for low, high in pairwise(ends):
        fill(low, high)
    lost = torch.where(highest.isnan(), math.nan, 0.0).to(size)  # not the caller's default format
    return torch.stack([counts[at] for at in range(len(ascending))]) + lost
