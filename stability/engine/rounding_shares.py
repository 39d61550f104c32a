"""The shares of numbers that each format stores as 0, subnormal, normal or infinite.

Nothing is rounded: magnitudes are compared with each format's limits. The limits are those of
rounding to nearest, ties to even, as in IEEE 754.
"""

import math
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from stability.catalogues.number_formats import FORMATS, Format, at_least_float32
from stability.engine.passes import BackwardPass, ForwardPass
from stability.engine.scaled_norms import stacks_of_one_shape

# By decreasing range: each format's range contains those of all after it.
FORMATS_BY_RANGE = tuple(sorted(FORMATS.values(), key=lambda row: -row.largest_finite))
TENSOR_KINDS = {
    "activation": "activations h",
    "signal_gradient": "gradient dL/dz",
    "weight_gradient": "weight gradient dL/dW",
}
OUTCOMES = "zero", "subnormal", "normal", "infinite"
SHARES_SHAPE = len(TENSOR_KINDS), len(FORMATS_BY_RANGE), len(OUTCOMES)


def rounding_limits(row: Format) -> tuple[tuple[Fraction, bool], ...]:
    """Return the magnitudes from which on numbers are not 0, not subnormal, not finite.

    True beside a limit: only numbers beyond it, not the limit itself. A tie between two numbers is
    rounded to the even last digit: below the smallest to 0, above the largest to infinity, but in
    E4M3 to the largest: E4M3 has no infinity, and larger numbers become NaN, or are clipped.
    """
    smallest, normal, largest = map(
        Fraction, (row.smallest_subnormal, row.smallest_normal, row.largest_finite)
    )
    unit = Fraction(row.epsilon) * 2 ** (largest.numerator.bit_length() - 1)  # of the last digit
    infinite = largest + unit / 2, (largest / unit) % 2 == 0
    return (smallest / 2, True), (normal - smallest / 2, False), infinite


@lru_cache
def magnitude_cuts(dtype: torch.dtype) -> tuple[tuple[float, ...], Tensor]:
    """Return the limits of all formats, ascending, and the indices of each format's, `(F, 3)`.

    A limit is given as the smallest number of `dtype` from it on. The first one is the smallest
    number of `dtype` above 0.
    """
    limits = [
        [smallest_from(*limit, dtype) for limit in rounding_limits(row)] for row in FORMATS_BY_RANGE
    ]
    not_zero = smallest_from(Fraction(0), True, dtype)
    ascending = sorted({not_zero, *(cut for row in limits for cut in row)})
    return tuple(ascending), torch.tensor([[ascending.index(cut) for cut in row] for row in limits])


def smallest_from(limit: Fraction, beyond: bool, dtype: torch.dtype) -> float:
    """Return the smallest number of `dtype` >= limit, or > limit if `beyond`; inf if none is."""
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
    return float(found)


def shares_by_outcome(passed: ForwardPass, backward: BackwardPass) -> Tensor:
    """Return the shares of h, dL/dz and dL/dW, float32 `(L, KINDS, FORMATS, OUTCOMES, N)`.

    Numbers count as stored: with loss scaling, gradients are multiplied by the scale. The shares
    add up to 1 less the share of numbers that are 0 already. The last layer's h is its z. NaN if
    any number is NaN.
    """
    of_weights = [gradient for group in backward.stored_weights for gradient in group]
    kinds = [*passed.h, passed.z[-1]], backward.stored_z, of_weights
    tensors = [at_least_float32(tensor).flatten(1) for kind in kinds for tensor in kind]
    # Tensors of equal size go together, as many as fit in the cache: fewer, larger kernels.
    order = sorted(range(len(tensors)), key=lambda index: tensors[index].shape[1])
    stacks = stacks_of_one_shape([tensors[index] for index in order], most_numbers=2**17)
    reached = torch.cat([count_reaching(stack.abs()) for stack in stacks], dim=1)  # (C, k, N)
    reached = reached[:, torch.tensor(order, device=reached.device).argsort()]
    numbers = torch.tensor([tensor.shape[1] for tensor in tensors], device=reached.device)
    shares = (count_outcomes(reached) / numbers.view(-1, 1, 1, 1)).float()
    return shares.view(len(TENSOR_KINDS), len(passed.z), *shares.shape[1:]).transpose(0, 1)


def count_outcomes(reached: Tensor) -> Tensor:
    """Return how many have each outcome, `(k, F, OUTCOMES, N)`, from how many reach each cut."""
    cuts = magnitude_cuts(reached.dtype)[1].to(reached.device)  # (F, 3)
    not_zero = reached[:1].expand(len(cuts), 1, *reached.shape[1:])
    bounds = torch.cat([not_zero, reached[cuts], torch.zeros_like(not_zero)], dim=1)  # (F, 5, k, N)
    return (bounds[:, :-1] - bounds[:, 1:]).movedim(2, 0)


def count_reaching(magnitudes: Tensor) -> Tensor:
    """Return how many of `(k, N, numbers)` reach each cut, `(C, k, N)`; NaN if any is NaN.

    One comparison per cut, in place as 0 and 1, takes a third of the time of torch.bucketize and
    bincount.
    """
    largest = magnitudes.amax(dim=2)
    highest = largest.nan_to_num(math.inf, posinf=math.inf).max().item()
    nan_or_0 = torch.where(largest.isnan(), math.nan, 0.0).to(magnitudes.dtype)
    none, work = torch.zeros_like(largest), torch.empty_like(magnitudes)
    counts = [  # sums that are exact in float32 up to 2^24
        torch.ge(magnitudes, cut, out=work).sum(dim=2) if cut <= highest else none
        for cut in magnitude_cuts(magnitudes.dtype)[0]
    ]
    return torch.stack(counts) + nan_or_0
