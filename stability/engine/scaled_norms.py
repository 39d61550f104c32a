"""Norms that neither overflow nor underflow: right for signals of 1e-30 or 1e30 in float32."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32


def norms(stack: Tensor) -> Tensor:
    """Return the 2-norms of a stack `(k, N, ...)` over its further axes: float64 `(k, N)`.

    They equal the plain norms where those are finite and not 0; zeros, infinities and NaN among the
    entries count as such. Squares leave the range long before the numbers do, so a norm near the
    ends of the range is computed again from entries divided by the largest one.
    """
    rows = at_least_float32(stack.flatten(2))
    plain: Tensor = torch.linalg.vector_norm(rows, dim=2).double()
    low = torch.finfo(rows.dtype).tiny ** 0.5 * 1e9  # below it, underflowed squares may matter
    doubtful = (plain < low) | plain.isinf()
    if doubtful.any():
        rows = rows[doubtful]  # (doubtful, entries)
        largest = rows.abs().amax(dim=1, keepdim=True)
        scale = torch.where((largest > 0) & largest.isfinite(), largest, 1)
        scaled: Tensor = torch.linalg.vector_norm(rows / scale, dim=1).double()
        plain[doubtful] = scaled * scale.squeeze(1).double()
    return plain


def stacks_of_one_shape(tensors: Sequence[Tensor], most_numbers: int = 2**18) -> Iterator[Tensor]:
    """Yield consecutive tensors of one shape as stacks `(k, N, ...)`: one kernel for many layers.

    A stack of several tensors, which is a copy, has at most `most_numbers` numbers.
    """
    for shape, group in groupby(tensors, key=lambda tensor: tensor.shape):
        layers = list(group)
        count = max(1, most_numbers // max(1, shape.numel()))
        for start in range(0, len(layers), count):
            yield (
                torch.stack(layers[start : start + count])
                if count > 1
                else layers[start].unsqueeze(0)
            )
