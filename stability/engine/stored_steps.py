"""The steps that stored parameters take, and what rounding leaves of them."""

import math

import torch
from torch import Tensor

from stability.catalogues.number_formats import Format, at_least_float32
from stability.engine.scaled_norms import Norms


class StoredSteps:
    """Adds the optimizer's steps to stored weights, measuring each layer while it is in the cache.

    In formats that are rounded, the norm of a step is that of the difference of the weights as they
    are stored. In float32 and float64 it is that of the optimizer's step, which agrees with the
    difference up to the rounding of W and needs no copy of W.
    """

    def __init__(self, number_format: Format, keeps: bool, counts_lost: bool) -> None:
        self._is_rounded, self._counts_lost = number_format.is_rounded, counts_lost
        fit = number_format.squares_fit and number_format.weight_dtype == number_format.dtype
        self._updates, self._weights = Norms(keeps, squares_fit=fit), Norms(squares_fit=fit)
        self._lost: list[Tensor] = []  # (k, N)
        self._lost_of_gains: list[Tensor] = []  # (k, N)

    def add(self, weights: Tensor, step: Tensor) -> None:
        """Add a step to the stored weights `(k, N, fan_out, fan_in)`, in place."""
        before = weights.clone() if self._is_rounded or self._counts_lost else weights
        weights.add_(step)
        if self._counts_lost:
            self._lost.append(lost_share(before, weights, step))
        self._updates.add_stack(difference(before, weights) if self._is_rounded else step)
        self._weights.add_stack(weights)

    def add_vectors(self, vectors: Tensor, step: Tensor, are_gains: bool) -> None:
        """Add a step to other stored parameters `(k, N, numbers)`, in place."""
        if not (are_gains and self._counts_lost):
            vectors.add_(step)
            return
        before = vectors.clone()
        vectors.add_(step)
        columns = (values.unsqueeze(-1) for values in (before, vectors, step))
        self._lost_of_gains.append(lost_share(*columns))

    def norms(self, networks: int) -> tuple[Tensor, Tensor]:
        """Return the norms of the steps and of the new weights by layer, `(L, N)` each."""
        return self._updates.values(networks), self._weights.values(networks)

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
    is_step = step != 0
    lost = (is_step & (after == before)).sum(dim=(-2, -1))
    nan_or_0 = torch.where(before.isnan().any(dim=-1).any(dim=-1), math.nan, 0.0)
    return lost.double() / is_step.sum(dim=(-2, -1)).clamp(min=1) + nan_or_0
