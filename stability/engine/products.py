"""Products of random matrices and their norms, computed without overflow.

P_0 = M_0 is the first matrix and P_k = M_k P_{k-1}, as the layers of a linear network act on its
input. A product is stored at norm 1 beside the logarithm of its norm, and the scale of the entries
is added as a logarithm, too.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stability.randomness import generator
from stability.records.product import Product

# Numbers drawn at once: they stay in the cache, and memory does not grow with the replicates.
NUMBERS_PER_GROUP = 2**20


def log10_norms_by_factor(product: Product) -> Iterator[NDArray[np.float64]]:
    """Yield log10 of the Frobenius norms `(replicates,)`; -inf for 0.

    The first array is that of the first matrix; one more follows after each further factor.
    """
    groups = [unit_products(product, group) for group in replicate_groups(product)]
    for group_products in zip(*groups, strict=True):
        yield np.concatenate([log10_norm.numpy() for _, log10_norm in group_products])


def replicate_groups(product: Product) -> list[range]:
    """Return the replicates in groups that are multiplied together."""
    size = max(1, NUMBERS_PER_GROUP // numbers_per_draw(product.n))
    starts = range(0, product.replicates, size)
    return [range(start, min(start + size, product.replicates)) for start in starts]


def unit_products(product: Product, replicates: range) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each product at Frobenius norm 1 `(replicates, n, n)`, and log10 of its norm.

    All in float64, the logarithms `(replicates,)`. A product of norm 0 stays 0. The memory is that
    of two matrices per replicate, or of one draw if they are small.
    """
    factors = factor_matrices(product, replicates)
    unit, log10_norm = normalize_matrices(next(factors))
    yield unit, log10_norm + product.log10_scale
    for k in range(1, product.count + 1):
        unit, growth = normalize_matrices(torch.bmm(next(factors), unit))
        log10_norm = log10_norm + growth
        yield unit, log10_norm + (k + 1) * product.log10_scale


def normalize_matrices(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices `(R, n, n)` divided by their norms, and log10 of the norms `(R,)`."""
    norm = torch.linalg.vector_norm(matrices, dim=(1, 2))
    return matrices / torch.where(norm > 0, norm, 1)[:, None, None], norm.log10()


def numbers_per_draw(n: int) -> int:
    """Return how many numbers one call of a generator draws.

    These are 64 factors, or about 4096 numbers, or one factor, depending on n alone.
    """
    return max(n**2, min(64 * n**2, 2**12))


def factor_matrices(product: Product, replicates: range) -> Iterator[Tensor]:
    """Yield factors `(replicates, n, n)` at scale 1, without end.

    Each replicate has a generator of its own.
    """
    row, n = product.family_row, product.n
    shape = numbers_per_draw(n) // n**2, n, n  # by n alone: no other setting changes the draws
    generators = [generator(product.seed, row.purpose, replicate) for replicate in replicates]
    while True:
        # The draws have no name, which would keep them in memory while the factors are used.
        yield from row.make_matrices(
            torch.stack([row.draw(random, *shape) for random in generators], dim=1)
        )


@dataclass(frozen=True, eq=False)
class ScientificMatrix:
    """A matrix, or its corner: `mantissa` x 10^power.

    The largest entry of the whole `mantissa` is from 1 to 10.
    """

    mantissa: NDArray[np.float64]
    power: int


class ProductCorner:
    """The first rows and columns of the first replicate's product, after any number of factors.

    Each factor is multiplied once, when it is first asked for; only the corners are kept.
    """

    def __init__(self, product: Product, size: int):
        self.product, self.size = replace(product, replicates=1), size
        self._corners: list[ScientificMatrix] = []
        self._products = unit_products(self.product, range(1))
        self._multiplying = threading.Lock()

    def after(self, k: int) -> ScientificMatrix:
        """Return the corner after `k` further factors, from 0 to `count`."""
        with self._multiplying:
            for unit, log10_norm in islice(self._products, max(0, k + 1 - len(self._corners))):
                self._corners.append(scientific_matrix(unit, log10_norm, self.size))
            return self._corners[k]


@lru_cache(maxsize=32)
def product_corner(product: Product, size: int) -> ProductCorner:
    """Return the corner of a product's first replicate, the same for all who ask."""
    return ProductCorner(product, size)


def scientific_matrix(unit: Tensor, log10_norm: Tensor, size: int) -> ScientificMatrix:
    """Return the first rows and columns of `unit` `(1, n, n)` times 10^log10_norm, `(1,)`."""
    matrix = unit[0].numpy()
    largest, corner = np.abs(matrix).max(), matrix[:size, :size]
    exponent = float(log10_norm) + np.log10(largest) if largest else -np.inf
    if exponent == -np.inf:
        return ScientificMatrix(np.zeros_like(corner), 0)
    power = int(np.floor(exponent))
    return ScientificMatrix(corner / largest * 10 ** (exponent - power), power)
