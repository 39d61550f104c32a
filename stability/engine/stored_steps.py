"""The steps that stored parameters take, and what rounding leaves of them."""

import math
from typing import Self

import torch
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.catalogues.optimizers import Rate, subtract_times, times
from stability.engine.parameters import Parameters
from stability.engine.scaled_norms import Norms


class StoredSteps:
    """Adds steps to the parameters of a stack, measuring each layer while it is in the cache.

    In formats that are rounded, the norm of a step is that of the difference of the weights as they
    are stored. In float32 and float64 it is that of the optimizer's step, which agrees with the
    difference up to the rounding of W and needs no copy of W.
    """

    def __init__(self, stack: Parameters) -> None:
        row, first_gain = stack.experiment.number_format, len(stack.weights) + len(stack.biases)
        self._matrices = range(len(stack.weights))  # among the parameters
        self._gains = range(first_gain, first_gain + len(stack.gains))
        self._is_rounded = row.is_rounded
        fit = row.squares_fit and row.weight_dtype == row.dtype
        depth = stack.experiment.depth
        self._updates, self._weights = Norms(depth, fit), Norms(depth, fit)
        self.begin()

    def begin(self, keeps: bool = True, counts_lost: bool = False) -> Self:
        """Forget the last step.

        With `keeps`, the steps that follow stay in memory until `update_norms`; else their norms
        are settled at once.
        """
        self._updates.begin(keeps)
        self._weights.begin()
        self._counts_lost = counts_lost
        self._row = 0  # of the norms, for the next layers
        self._lost: list[Tensor] = []  # (k, N)
        self._lost_of_gains: list[Tensor] = []  # (k, N)
        return self

    def add(self, index: int, layers: Tensor, step: Tensor) -> None:
        """Add a step to some layers of a parameter of the stack, in place: `(k, N, ...)` both."""
        before = self._copy(index, layers)
        layers.add_(step)
        self._count_lost(index, before, layers, step)
        if index in self._matrices:
            moved = difference(before, layers) if self._is_rounded else step
            self._updates.add_stack(self._row, moved)
            self._add_weights(layers)

    def subtract(self, index: int, layers: Tensor, gradient: Tensor, rate: Rate) -> None:
        """Subtract a gradient times a rate, as `add` adds a step; its norm is not taken."""
        before = self._copy(index, layers)
        subtract_times(layers, gradient, rate)
        if before is not layers:
            self._count_lost(index, before, layers, times(gradient, rate))
        if index in self._matrices:
            self._add_weights(layers)

    def _add_weights(self, layers: Tensor) -> None:
        self._weights.add_stack(self._row, layers)
        self._row += layers.shape[0]

    def _copy(self, index: int, layers: Tensor) -> Tensor:
        """Return what the layers are before the step; the layers themselves if nobody asks."""
        is_matrix = index in self._matrices
        is_counted = self._counts_lost and (is_matrix or index in self._gains)
        return layers.clone() if is_counted or (is_matrix and self._is_rounded) else layers

    def _count_lost(self, index: int, before: Tensor, after: Tensor, step: Tensor) -> None:
        if not self._counts_lost:
            return
        if index in self._matrices:
            self._lost.append(lost_share(before, after, step))
        elif index in self._gains:
            columns = (values.unsqueeze(-1) for values in (before, after, step))
            self._lost_of_gains.append(lost_share(*columns))

    def update_norms(self) -> Tensor:
        """Return the norms of the steps that were added, by layer, `(L, N)`."""
        return self._updates.values()

    def weight_norms(self) -> Tensor:
        """Return the norms of the new weights by layer, `(L, N)`."""
        return self._weights.values()

    def lost_shares(self) -> dict[str, Tensor]:
        """Return the lost shares of the steps of weights `(L, N)` and of gains `(L-1, N)`.

        By their names in a measurement; without those that are not counted.
        """
        found = {"lost_updates": self._lost, "lost_gain_updates": self._lost_of_gains}
        return {name: torch.cat(shares) for name, shares in found.items() if shares}


def difference(before: Tensor, after: Tensor) -> Tensor:
    """Return by how much stored weights moved, in at least float32; infinite ones that stay: 0."""
    moved = at_least_float32(after) - at_least_float32(before)
    return moved if moved.sum().isfinite() else moved.masked_fill_(after == before, 0.0)


def lost_share(before: Tensor, after: Tensor, step: Tensor) -> Tensor:
    """Return the share of nonzero entries of steps that moved no stored entry, float64 `(k, N)`.

    0 where the whole step is 0. An entry of NaN is not lost: it turns what it moves into
    NaN. NaN where there was NaN among the entries before.
    """
    # Counts of 0 and 1, exact up to 2^24: what is boolean takes several times as long.
    dtype, axes = at_least_float32(step[:0]).dtype, (-2, -1)
    is_step = torch.ne(step, 0, out=torch.empty_like(step, dtype=dtype))
    steps = is_step.sum(dim=axes).double()
    stays = torch.eq(after, before, out=torch.empty_like(is_step))
    lost = is_step.mul_(stays).sum(dim=axes).double()
    is_nan = torch.ne(before, before, out=stays)
    nan_or_0 = torch.where(is_nan.sum(dim=axes) > 0, math.nan, 0.0)
    return lost / steps.clamp(min=1) + nan_or_0
