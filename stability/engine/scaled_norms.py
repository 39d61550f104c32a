"""Norms that neither overflow nor underflow: right for signals of 1e-30 or 1e30 in float32."""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby

import torch
from torch import Tensor
from torch.linalg import vector_norm

from stability.catalogues.number_formats import at_least_float32


def norms(stack: Tensor) -> Tensor:
    """Return the 2-norms of a stack `(k, N, ...)` over its further axes: float64 `(k, N)`.

    They equal the plain norms where those are finite and not 0; zeros, infinities and NaN among the
    entries count as such.
    """
    collected = Norms()
    collected.add_stack(stack, tuple(range(2 - stack.dim(), 0)))
    return collected.values()


class Norms:
    """The norms of layers `(N, ...)`, each taken while it lies in the cache.

    Squares leave the range long before the numbers do. So all that lie near the ends of the range
    are computed again at the end, in one go: from float64 entries, or from float64 entries divided
    by the largest one.
    """

    def __init__(self) -> None:
        self._layers: list[Tensor] = []  # (N, ...)
        self._of_layers: list[Tensor] = []  # (N,)
        self._stacks: list[Tensor] = []  # (k, N, ...)
        self._of_stacks: list[Tensor] = []  # (k, N)

    def add(self, layer: Tensor) -> None:
        """Take the norms of `(N, rows, columns)`."""
        layer = at_least_float32(layer)
        self._layers.append(layer)
        self._of_layers.append(vector_norm(layer, dim=(1, 2)))

    def add_stack(self, stack: Tensor, axes: tuple[int, ...] = (-2, -1)) -> None:
        """Take the norms of `(k, N, ...)` over these axes, of all k layers at once."""
        stack = at_least_float32(stack)
        self._stacks.append(stack)
        self._of_stacks.append(vector_norm(stack, dim=axes))

    def values(self) -> Tensor:
        """Return the norms of all layers, and after them of all stacks, float64 `(layers, N)`."""
        of_layers = [torch.stack(self._of_layers)] if self._of_layers else []
        plain = torch.cat([*of_layers, *self._of_stacks])
        # Squares that underflow are off by 1e-45 each: of a million of them, below this norm, the
        # sum is off by more than its own rounding.
        low = torch.finfo(plain.dtype).tiny ** 0.5 * 1e3
        doubtful = (plain < low) | plain.isinf()
        plain = plain.double()
        if doubtful.any():
            networks = doubtful.any(dim=0).nonzero().flatten()
            layers = chain(self._layers, *self._stacks)
            chosen = [layer.index_select(0, networks).flatten(1) for layer in layers]
            exact = torch.cat([norms_of_any_size(stack) for stack in stacks_of_one_shape(chosen)])
            old = plain.index_select(1, networks)
            plain[:, networks] = torch.where(doubtful.index_select(1, networks), exact, old)
        return plain


def norms_of_any_size(rows: Tensor) -> Tensor:
    """Return the norms of `(k, N, entries)` for entries of any size, float64 `(k, N)`."""
    if rows.dtype != torch.float64:
        plain: Tensor = vector_norm(rows.double(), dim=2)
        return plain
    largest = rows.abs().amax(dim=2, keepdim=True)
    scale = torch.where((largest > 0) & largest.isfinite(), largest, 1)
    scaled: Tensor = vector_norm(rows / scale, dim=2)
    return scaled * scale.squeeze(2)


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
