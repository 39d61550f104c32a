"""Products of networks that have nearly vanished, in float64: to it they are ordinary numbers.

Below 1.2e-38 float32 has only subnormal numbers, and some processors take a hundred times as long
for each of them. In float64 a product is rounded to float32 once, at its end, and so is at least as
exact. Which products are tiny is known from the norms of a step before: from each network's own, so
that no number depends on those that train beside it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby

import torch
from torch import Tensor

LEAST = 1e-32  # below such a result much of what is added up is subnormal

Multiply = Callable[..., Tensor]  # of tensors that begin with the networks
Runs = list[tuple[slice, bool]]  # neighbouring networks, and whether their product is tiny


class TinyProducts:
    """Which products are tiny, by what they make: masks `(L, N)` by layer, and network.

    "z" names what the way forward makes of a layer; "delta", the gradient by z, is made by the
    layer above.
    """

    def __init__(self, masks: Mapping[str, Tensor] | None = None) -> None:
        self._masks = dict(masks or {})
        self._runs = {name: [*map(runs, mask.tolist())] for name, mask in self._masks.items()}

    def of_sizes(self, sizes: Mapping[str, Tensor]) -> "TinyProducts":
        """Return those of these sizes `(L, N)`, in float64; a product that is 0 is not tiny."""
        stacked = torch.stack([*sizes.values()])
        tiny = (stacked > 0) & (stacked < LEAST)
        if not tiny.any():
            return NONE_TINY
        masks = dict(zip(sizes, tiny, strict=True))
        if masks.keys() == self._masks.keys() and all(
            torch.equal(mask, self._masks[name]) for name, mask in masks.items()
        ):
            return self
        return TinyProducts(masks)

    def select(self, chosen: slice | Tensor) -> "TinyProducts":
        """Return those of some of the networks."""
        return TinyProducts({name: mask[:, chosen] for name, mask in self._masks.items()})

    def bmm(self, name: str, index: int) -> Multiply:
        """Return what takes these products of layer `index` as `torch.bmm` does."""
        if name not in self._runs or not (found := self._runs[name][index - 1]):
            return torch.bmm
        return partial(bmm_in_runs, found)


NONE_TINY = TinyProducts()


def runs(is_tiny: list[bool]) -> Runs:
    """Return neighbouring networks alike; no run at all if no product is tiny."""
    if not any(is_tiny):
        return []
    found, start = [], 0
    for tiny, group in groupby(is_tiny):
        end = start + len([*group])
        found.append((slice(start, end), tiny))
        start = end
    return found


def bmm_in_runs(found: Runs, left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the products `(N, rows, columns)`, tiny ones taken in float64."""
    if out is None:
        out = left.new_empty(len(left), left.shape[1], right.shape[2])
    for networks, is_tiny in found:
        if is_tiny:
            out[networks] = torch.bmm(left[networks].double(), right[networks].double())
        else:
            torch.bmm(left[networks], right[networks], out=out[networks])
    return out
