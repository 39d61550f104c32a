"""How far a product stretches each direction: its extreme singular values, their bounds, and its Lyapunov exponents.

The largest singular value of a product is at most the product of the factors' largest, the smallest at least that of their
smallest. Both are wide of the mark, since the directions of two factors hardly ever meet. All of the first replicate.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from stability.engine.products import factor_matrices, normalize_matrices
from stability.records.product import Product
from stability.text import number_of_log10

OPERATION_BUDGET, OPERATIONS_PER_CALL = 2**28, 64  # factors times n^2 (n + CALL) that are looked at: half a second where nothing else runs
MOST_SAMPLES = 60  # numbers of factors at which a product's own singular values are computed


@dataclass(frozen=True)
class SingularBounds:
    """log10 after `factor` further factors, `(looks,)` each: the product's `largest` and `smallest` singular value, and the
    product of its factors' largest, `upper`, and smallest, `lower`."""

    factor: np.ndarray
    upper: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray
    lower: np.ndarray


def affordable_factors(product: Product) -> int:
    """How many of the matrices are looked at: all where they are small."""
    return min(product.count + 1, max(2, OPERATION_BUDGET // (product.n**2 * (product.n + OPERATIONS_PER_CALL))))


def why_shortened(product: Product) -> str:
    """What is left out, as a sentence; empty where nothing is."""
    if not product.sigma:
        return "No singular values at sigma 0: all are 0."
    if affordable_factors(product) > product.count:
        return ""
    return f"Only the first {affordable_factors(product) - 1} further factors: at size {product.n} more of them take too long."


def singular_bounds(product: Product) -> SingularBounds:
    """At up to LOOKS numbers of factors, of the first `reach`; no look at sigma 0.

    The smallest comes from the product of the inverses, whose largest is its reciprocal: it keeps its digits where the
    condition number is far beyond 1e16.
    """
    looked = sampled_factors(affordable_factors(product)) if product.sigma else np.empty(0, dtype=int)
    unit = bounds_at_scale_1(replace(product, sigma=1.0, replicates=1))[:, : len(looked)]
    scale = (looked + 1) * product.log10_scale if len(looked) else 0.0
    return SingularBounds(looked, *(unit + scale))


def bounds_sentence(product: Product) -> str:
    """The exercise of the book in a sentence: two matrices alone, and all that are looked at; empty at sigma 0."""
    if not product.sigma:
        return ""
    found = singular_bounds(product)
    if np.allclose(found.upper, found.lower, atol=1e-6):
        return "Every direction is stretched alike, so that the bounds meet what they bound."
    upper, largest, smallest, lower = (line[1] for line in (found.upper, found.largest, found.smallest, found.lower))
    two = (
        f"The first two matrices together stretch by {number_of_log10(smallest)} to {number_of_log10(largest)}; those of each alone allow "
        f"{number_of_log10(lower)} to {number_of_log10(upper)}."
    )
    apart, allowed = found.largest[-1] - found.smallest[-1], found.upper[-1] - found.lower[-1]
    if len(found.factor) < 3:
        return two
    return (
        f"{two} After {found.factor[-1]} further factors one direction is stretched {number_of_log10(apart)} times as far as another, "
        f"and {number_of_log10(allowed)} times are allowed."
    )


def sampled_factors(count: int) -> np.ndarray:
    """At up to LOOKS of `count` matrices, 2 at least: the first two, which are compared in words, the last, some between."""
    return np.array([0, *np.linspace(1, count - 1, min(MOST_SAMPLES, count) - 1).round().astype(int)])


@lru_cache(maxsize=64)
def bounds_at_scale_1(product: Product) -> np.ndarray:
    """upper, largest, smallest and lower, `(4, looks)`, of matrices at scale 1."""
    eye = torch.eye(product.n, dtype=torch.float64)
    ahead, back, grown, shrunk, ends = eye, eye, 0.0, 0.0, np.zeros(2)
    looked, rows = set(sampled_factors(affordable_factors(product)).tolist()), []
    for k, factor in enumerate(first_factors(product)):
        ends = ends + log10_extremes(factor)
        ahead, back = factor @ ahead, back @ torch.linalg.inv_ex(factor).inverse
        (ahead, more), (back, less) = (normalize_matrices(matrix[None]) for matrix in (ahead, back))
        ahead, back, grown, shrunk = ahead[0], back[0], grown + float(more), shrunk + float(less)
        if k in looked:
            largest, inverse = (float(torch.linalg.matrix_norm(matrix, 2).log10()) for matrix in (ahead, back))
            rows.append((ends[0], grown + largest, -shrunk - inverse, ends[1]))
    return np.array(rows).T


def first_factors(product: Product) -> Iterator[Tensor]:
    """The first `reach` factors of the first replicate, `(n, n)` each, at scale 1."""
    return (factor[0] for factor in islice(factor_matrices(product, range(1)), affordable_factors(product)))


def log10_extremes(factor: Tensor) -> np.ndarray:
    """log10 of the largest and the smallest singular value."""
    values = torch.linalg.svdvals(factor)
    return values[[0, -1]].log10().numpy()


def measured_exponents(product: Product) -> np.ndarray:
    """Lyapunov exponents of the first `reach` factors, natural logarithms, `(n,)`: the mean of ln |r_ii| over the factors.

    M_k Q_{k-1} = Q_k R_k keeps n vectors apart that would all turn into one direction. Benettin et al. 1980. -inf at sigma 0.
    For Gaussian factors r_ii^2 is sigma^2 times chi-square with n - i degrees of freedom, i = 0 .. n - 1, at any k.
    """
    return exponents_at_scale_1(replace(product, sigma=1.0, replicates=1)) + product.log10_scale * np.log(10)


@lru_cache(maxsize=64)
def exponents_at_scale_1(product: Product) -> np.ndarray:
    q, total = torch.eye(product.n, dtype=torch.float64), torch.zeros(product.n, dtype=torch.float64)
    for factor in first_factors(product):
        q, r = torch.linalg.qr(factor @ q)
        total = total + r.diagonal().abs().log()
    return (total / affordable_factors(product)).numpy()
