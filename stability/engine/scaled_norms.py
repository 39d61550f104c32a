"""Norms that neither overflow nor underflow: right for signals of 1e-30 or 1e30 in float32."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Self

import torch
from torch import Tensor
from torch.linalg import vector_norm

from stability.catalogues.number_formats import at_least_float32


def norms(stack: Tensor) -> Tensor:
    """Return the 2-norms of a stack `(k, N, ...)` over its further axes: float64 `(k, N)`.

    They equal the plain norms where those are finite and not 0; zeros, infinities and NaN among the
    entries count as such.
    """
    collected = Norms(len(stack))
    collected.add_stack(0, stack, tuple(range(2, stack.dim())))
    return collected.values()


class Norms:
    """The norms of layers, each taken while it lies in the cache, a row of a table for each.

    All passes share the table; `begin` starts a new one.

    Squares leave the range long before the numbers do. So norms near the ends of the range are
    computed again from the same numbers, all in one go at the end; or at once, with `keeps` False,
    so that the memory of a layer may be used again. Without `keeps` and `looks` nothing is computed
    again: then `any_doubtful` says, after `values`, that some norms may be wrong.

    Where `squares_fit`, no square leaves the range, and small norms are right.
    """

    def __init__(self, rows: int, squares_fit: bool = False) -> None:
        self._count, self._squares_fit = rows, squares_fit
        self._table = torch.empty(0)  # of the plain norms, (rows, N); made for the first layer
        self._rows: list[Tensor] = []  # of the table, (N,)
        self._stacks: dict[int, Tensor] = {}  # of rows, (k, N), by the first one
        self.begin()

    def begin(self, keeps: bool = True, looks: bool = True) -> Self:
        """Forget what was added."""
        self.keeps, self.looks = keeps, looks
        self.any_doubtful = False  # near the ends of the range
        self._kept: dict[int, Sequence[Tensor] | Tensor] = {}  # layers (N, ...), by the first row
        self._settled: dict[int, Tensor] = {}  # right norms (k, N), by the first row
        return self

    @property
    def settles(self) -> bool:
        """True if `values` are right even near the ends of the range."""
        return self.keeps or self.looks

    def add(self, row: int, layer: Tensor) -> None:
        """Take the norms of `(N, rows, columns)`, in at least float32."""
        if not self._rows:
            self._make_table(layer, len(layer))
        vector_norm(layer, dim=(1, 2), out=self._rows[row])
        if self.settles:
            self._keep_or_settle(row, [layer])

    def add_stack(self, row: int, stack: Tensor, axes: tuple[int, ...] = (2, 3)) -> None:
        """Take the norms of `(k, N, ...)` over these axes, for k rows from this one on.

        Of all stacks that begin there, k is the same.
        """
        stack = at_least_float32(stack)
        if row not in self._stacks:
            if not self._rows:
                self._make_table(stack, stack.shape[1])
            self._stacks[row] = self._table[row : row + len(stack)]
        vector_norm(stack, dim=axes, out=self._stacks[row])
        if self.settles:
            self._keep_or_settle(row, stack)

    def _make_table(self, like: Tensor, networks: int) -> None:
        self._table = like.new_empty(self._count, networks)
        self._rows = [*self._table.unbind()]

    def _keep_or_settle(self, row: int, layers: Sequence[Tensor] | Tensor) -> None:
        if self.keeps:
            self._kept[row] = layers
            return
        plain = self._table[row : row + len(layers)]
        if self._is_any_doubtful(plain):
            self.any_doubtful = True
            self._settled[row] = settle(plain, [*layers])

    def values(self, divisors: Tensor | None = None) -> Tensor:
        """Return the norms of all rows, float64 `(rows, N)`; every row must have been added.

        They are divided by `divisors`, float64 `(rows, 1)` or `(N,)`, if given. Call it once a
        pass: it lets go of the layers.
        """
        kept, self._kept = self._kept, {}
        found = self._table
        if (self.keeps or not self.looks) and self._is_any_doubtful(found):
            self.any_doubtful = True
            if self.keeps:
                found = settle(found, [*chain.from_iterable(kept[row] for row in sorted(kept))])
        elif self._settled:
            found = found.to(torch.float64, copy=True)
            for row, right in self._settled.items():
                found[row : row + len(right)] = right
        if divisors is not None:
            return found / divisors
        return found.to(torch.float64, copy=found is self._table)

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
    result = plain.to(torch.float64, copy=True)
    networks = doubtful.any(dim=0).nonzero().flatten().tolist()
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
    norm: Tensor = vector_norm(rows, dim=1)
    if not is_any_doubtful(norm, smallest_plain(norm.dtype)):
        return norm
    scale = rows.abs().amax(dim=1, keepdim=True)
    scale = torch.where((scale > 0) & scale.isfinite(), scale, 1)
    of_any_size = vector_norm(rows / scale, dim=1) * scale.squeeze(1)
    is_right = (norm >= smallest_plain(norm.dtype)) & (norm < math.inf)
    return torch.where(is_right, norm, of_any_size)  # no network's depends on the others


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
