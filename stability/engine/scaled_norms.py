"""Norms that neither overflow nor underflow: right for signals of 1e-30 or 1e30 in float32."""

import math
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
    collected.add_stack(stack, tuple(range(2, stack.dim())))
    return collected.values(stack.shape[1])


class Norms:
    """The norms of layers, each taken while it lies in the cache.

    Squares leave the range long before the numbers do. So norms near the ends of the range are
    computed again from the same numbers, all in one go at the end; or at once, with `keeps` False,
    so that the memory of a layer may be used again. Without `keeps` and `looks` nothing is computed
    again: then `any_doubtful` says, after `values`, that some norms may be wrong.

    Where `squares_fit`, no square leaves the range, and small norms are right.
    """

    def __init__(self, keeps: bool = True, looks: bool = True, squares_fit: bool = False) -> None:
        self.keeps, self.looks, self._squares_fit = keeps, looks, squares_fit
        self.any_doubtful = False  # near the ends of the range
        self._kept: list[Sequence[Tensor] | Tensor] = []  # layers (N, ...), or stacks of them
        self._plain: list[Tensor] = []  # their norms, (layers x N,)

    @property
    def settles(self) -> bool:
        """True if `values` are right even near the ends of the range."""
        return self.keeps or self.looks

    def add(self, layer: Tensor) -> None:
        """Take the norms of `(N, rows, columns)`, in at least float32."""
        self._take(vector_norm(layer, dim=(1, 2)), [layer])

    def add_stack(self, stack: Tensor, axes: tuple[int, ...] = (2, 3)) -> None:
        """Take the norms of `(k, N, ...)` over these axes, of all k layers at once."""
        stack = at_least_float32(stack)
        self._take(vector_norm(stack, dim=axes).flatten(), stack)

    def _take(self, plain: Tensor, layers: Sequence[Tensor] | Tensor) -> None:
        if self.keeps:
            self._kept.append(layers)
        elif self.looks and self._is_any_doubtful(plain):
            self.any_doubtful = True
            plain = settle(plain.view(len(layers), -1), [*layers]).flatten()
        self._plain.append(plain)

    def values(self, networks: int, from_last: bool = False) -> Tensor:
        """Return the norms of all layers as they came, float64 `(layers, N)`.

        With `from_last`, what came last comes first; the layers of a stack stay in their order.
        """
        order = slice(None, None, -1 if from_last else 1)
        plain = torch.cat(self._plain[order]).view(-1, networks)
        if (self.keeps or not self.settles) and self._is_any_doubtful(plain):
            self.any_doubtful = True
            if self.keeps:
                return settle(plain, [*chain.from_iterable(self._kept[order])])
        return plain.double()

    def _is_any_doubtful(self, plain: Tensor) -> bool:
        return is_any_doubtful(plain, 0.0 if self._squares_fit else smallest_plain(plain.dtype))


def smallest_plain(dtype: torch.dtype) -> float:
    """Return the norm below which sums of squares are off by more than their own rounding.

    Squares that underflow are off by 1e-45 each in float32; there may be a million of them.
    """
    return math.sqrt(torch.finfo(dtype).tiny) * 1e3


def is_any_doubtful(plain: Tensor, least: float) -> bool:
    """Return True if any of these norms is NaN, infinite, or below the least that is right."""
    smallest, largest = torch.aminmax(plain)
    return not (smallest.item() >= least and largest.item() < math.inf)


def settle(plain: Tensor, layers: Sequence[Tensor]) -> Tensor:
    """Return these norms `(layers, N)` in float64, those near the ends of the range taken anew."""
    doubtful = (plain < smallest_plain(plain.dtype)) | (plain == math.inf)
    result, networks = plain.double(), doubtful.any(dim=0).nonzero().flatten().tolist()
    rows = doubtful.any(dim=1).nonzero().flatten()
    if not networks:
        return result
    # From the first to the last: a copy of those alone takes longer than the norms of some more.
    some = slice(networks[0], networks[-1] + 1)
    exact = torch.stack([norms_of_any_size(layers[row][some]) for row in rows.tolist()])
    result[rows, some] = torch.where(doubtful[rows, some], exact, result[rows, some])
    return result


def norms_of_any_size(layer: Tensor) -> Tensor:
    """Return the norms of `(N, ...)` over the further axes, for entries of any size: float64."""
    if layer.dtype != torch.float64:
        plain: Tensor = vector_norm(layer, dim=tuple(range(1, layer.dim())), dtype=torch.float64)
        return plain
    rows = layer.flatten(1)
    scale: Tensor = rows.abs().amax(dim=1, keepdim=True)
    if is_any_doubtful(scale, smallest_plain(scale.dtype)):
        scale = torch.where((scale > 0) & scale.isfinite(), scale, 1)
    scaled: Tensor = vector_norm(rows / scale, dim=1)
    return scaled * scale.squeeze(1)


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
