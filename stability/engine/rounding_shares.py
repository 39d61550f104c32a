"""The shares of numbers that each format stores as 0, subnormal, normal or infinite.

Nothing is rounded: magnitudes are compared with each format's limits. Rounding is to nearest, ties
to even, as IEEE 754 has it.
"""

import math
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

from stability.catalogues.number_formats import FORMATS, Format, at_least_float32
from stability.engine.network import BackwardPass, ForwardPass
from stability.engine.scaled_norms import stacks_of_one_shape

# By range: what one format holds, all before it hold.
FORMATS_BY_RANGE = tuple(sorted(FORMATS.values(), key=lambda row: -row.largest_finite))
TENSOR_KINDS = {
    "activation": "activations h",
    "signal_gradient": "gradient dL/dz",
    "weight_gradient": "weight gradient dL/dW",
}
OUTCOMES = "zero", "subnormal", "normal", "infinite"
SHARES_SHAPE = len(TENSOR_KINDS), len(FORMATS_BY_RANGE), len(OUTCOMES)


def rounding_limits(row: Format) -> tuple[tuple[Fraction, bool], ...]:
    """Return from where on magnitudes are no longer 0, no longer subnormal, no longer finite.

    True beside a limit: only from beyond it. Halfway between two numbers the one is taken whose
    last digit is even: 0 before the smallest, infinity before the largest, but of E4M3 the largest:
    it has no infinity, and what lies beyond becomes NaN, or is clipped.
    """
    smallest, normal, largest = map(
        Fraction, (row.smallest_subnormal, row.smallest_normal, row.largest_finite)
    )
    unit = Fraction(row.epsilon) * 2 ** (largest.numerator.bit_length() - 1)  # its last digit's
    infinite = largest + unit / 2, (largest / unit) % 2 == 0
    return (smallest / 2, True), (normal - smallest / 2, False), infinite


@lru_cache
def magnitude_cuts(dtype: torch.dtype) -> tuple[tuple[float, ...], Tensor]:
    """Return all formats' limits, ascending, and as indices of them each format's, `(F, 3)`.

    A limit is given as the smallest number of `dtype` from there on. The first is that of not being
    0 already.
    """
    limits = [
        [smallest_from(*limit, dtype) for limit in rounding_limits(row)] for row in FORMATS_BY_RANGE
    ]
    not_zero = smallest_from(Fraction(0), True, dtype)
    ascending = sorted({not_zero, *(cut for row in limits for cut in row)})
    return tuple(ascending), torch.tensor([[ascending.index(cut) for cut in row] for row in limits])


def smallest_from(limit: Fraction, beyond: bool, dtype: torch.dtype) -> float:
    """Return the smallest number of `dtype` at least at, or `beyond`, the limit; inf if none is."""
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

    They are shares of the numbers as stored, with loss scaling multiplied by the scale; what they
    leave of 1 is 0 already. h of the last layer is its z. NaN where a number is NaN.
    """
    of_weights = [gradient for group in backward.stored_weights for gradient in group]
    kinds = [*passed.h, passed.output], backward.stored_z, of_weights
    tensors = [at_least_float32(tensor).flatten(1) for kind in kinds for tensor in kind]
    # Those of one size together: fewer, larger kernels.
    order = sorted(range(len(tensors)), key=lambda index: tensors[index].shape[1])
    stacks = stacks_of_one_shape([tensors[index] for index in order], most_numbers=2**20)
    reached = torch.cat([count_reaching(stack.abs()) for stack in stacks], dim=1)  # (C, k, N)
    reached = reached[:, torch.tensor(order, device=reached.device).argsort()]
    numbers = torch.tensor([tensor.shape[1] for tensor in tensors], device=reached.device)
    shares = (count_outcomes(reached) / numbers.view(-1, 1, 1, 1)).float()
    return shares.view(len(TENSOR_KINDS), len(passed.z), *shares.shape[1:]).transpose(0, 1)


def count_outcomes(reached: Tensor) -> Tensor:
    """Return how many have each outcome, `(k, F, OUTCOMES, N)`; `(C, k, N)` reach each cut."""
    cuts = magnitude_cuts(reached.dtype)[1].to(reached.device)  # (F, 3)
    not_zero = reached[:1].expand(len(cuts), 1, *reached.shape[1:])
    bounds = torch.cat([not_zero, reached[cuts], torch.zeros_like(not_zero)], dim=1)  # (F, 5, k, N)
    return (bounds[:, :-1] - bounds[:, 1:]).movedim(2, 0)


def count_reaching(magnitudes: Tensor) -> Tensor:
    """Return how many of `(k, N, numbers)` reach each cut, `(C, k, N)`; NaN where one is NaN.

    One comparison a cut, as 0 and 1 in place: a third of the time of torch.bucketize and bincount.
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
