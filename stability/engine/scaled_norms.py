"""Norms that stay in range: signals of 1e-30 or 1e30 in float32 are reported rightly."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32


def norms(stack: Tensor) -> Tensor:
    """Return the 2-norms of a stack `(k, N, ...)` over its further axes: float64 `(k, N)`.

    Equals the plain norm wherever that is finite and nonzero; zeros, infinities and NaN among the
    entries stay what they are. Squares leave the range long before the numbers do, so a norm near
    the ends of the range is taken again of entries divided by the largest one.
    """
    rows = at_least_float32(stack.flatten(2))
    plain: Tensor = torch.linalg.vector_norm(rows, dim=2).double()
    low = torch.finfo(rows.dtype).tiny ** 0.5 * 1e9  # below it, lost squares may count
    doubtful = (plain < low) | plain.isinf()
    if doubtful.any():
        rows = rows[doubtful]  # (doubtful, entries)
        largest = rows.abs().amax(dim=1, keepdim=True)
        scale = torch.where((largest > 0) & largest.isfinite(), largest, 1)
        scaled: Tensor = torch.linalg.vector_norm(rows / scale, dim=1).double()
        plain[doubtful] = scaled * scale.squeeze(1).double()
    return plain


def stacks_of_one_shape(tensors: Sequence[Tensor], most_numbers: int = 2**18) -> Iterator[Tensor]:
    """Yield neighbours of one shape as stacks `(k, N, ...)`: one kernel for many small layers.

    No stack is a copy of more than `most_numbers`.
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
