"""Extreme singular values of a product of matrices, their bounds, and its Lyapunov exponents.

The largest singular value of a product is at most the product of the factors' largest, the
smallest at least the product of their smallest. Both bounds are loose, since the singular
directions of two factors hardly ever align. All functions here use the first replicate.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from stability.engine.products import factor_matrices, normalize_matrices
from stability.i18n import _
from stability.probes.results import remembered
from stability.records.product import Product

# Most factors times n^2 (n + OPERATIONS_PER_CALL): half a second on an idle machine.
OPERATION_BUDGET, OPERATIONS_PER_CALL = 2**28, 64
MOST_SAMPLES = 60  # numbers of factors at which a product's own singular values are computed


@dataclass(frozen=True, eq=False)
class SingularBounds:
    """log10 of singular values of the product and of their bounds, `(samples,)` each."""

    factor: np.ndarray  # the number of further factors
    upper: np.ndarray  # the product of the factors' largest singular values
    largest: np.ndarray
    smallest: np.ndarray
    lower: np.ndarray  # the product of the factors' smallest singular values


def affordable_factors(product: Product) -> int:
    """Return how many of the matrices are used: all of them where they are small."""
    operations = product.n**2 * (product.n + OPERATIONS_PER_CALL)
    return min(product.count + 1, max(2, OPERATION_BUDGET // operations))


def why_shortened(product: Product) -> str:
    """Return a sentence that says which factors are left out; empty where none is."""
    if not product.sigma:
        return _("No singular values at sigma 0: all are 0.")
    affordable = affordable_factors(product)
    if affordable > product.count:
        return ""
    return _(
        "Only the first {affordable} further factors: at size {n} more of them take too long."
    ).format(affordable=affordable - 1, n=product.n)


def sampled_factors(count: int) -> np.ndarray:
    """Return at most MOST_SAMPLES numbers of further factors from 0 to `count` - 1.

    They include 0 and 1, which a sentence compares, and the last.
    """
    spaced = np.linspace(1, count - 1, min(MOST_SAMPLES, count) - 1)
    return np.array([0, *spaced.round().astype(int)])


def singular_bounds(product: Product) -> SingularBounds:
    """Return the bounds at the sampled numbers of affordable factors; no sample at sigma 0."""
    if not product.sigma:
        return SingularBounds(np.empty(0, dtype=int), *np.empty((4, 0)))
    factor = sampled_factors(affordable_factors(product))
    bounds = bounds_at_scale_1(at_scale_1(product))
    return SingularBounds(factor, *(bounds + (factor + 1) * product.log10_scale))


@remembered
def bounds_at_scale_1(product: Product) -> np.ndarray:
    """Return log10 of upper, largest, smallest and lower, `(4, samples)`, for matrices at scale 1.

    The smallest is 1 over the largest singular value of the product of the inverses: so it keeps
    its digits where the condition number is far beyond 1e16.
    """
    matrix = inverse = torch.eye(product.n, dtype=torch.float64)
    log10_matrix, log10_inverse, log10_bounds = 0.0, 0.0, np.zeros(2)
    sampled, rows = set(sampled_factors(affordable_factors(product)).tolist()), []
    for k, factor in enumerate(first_factors(product)):
        log10_bounds = log10_bounds + torch.linalg.svdvals(factor)[[0, -1]].log10().numpy()
        both = torch.stack([factor @ matrix, inverse @ torch.linalg.inv_ex(factor).inverse])
        (matrix, inverse), (grown, shrunk) = normalize_matrices(both)
        log10_matrix, log10_inverse = log10_matrix + float(grown), log10_inverse + float(shrunk)
        if k in sampled:
            largest = log10_matrix + float(torch.linalg.matrix_norm(matrix, 2).log10())
            smallest = -log10_inverse - float(torch.linalg.matrix_norm(inverse, 2).log10())
            rows.append((log10_bounds[0], largest, smallest, log10_bounds[1]))
    return np.array(rows).T


def at_scale_1(product: Product) -> Product:
    """Return the first replicate of the product, at scale 1, from which all scales follow."""
    return replace(product, sigma=1.0, replicates=1)


def first_factors(product: Product) -> Iterator[Tensor]:
    """Return the affordable factors of the first replicate at scale 1, `(n, n)` each."""
    factors = islice(factor_matrices(product, range(1)), affordable_factors(product))
    return (factor[0] for factor in factors)


def measured_exponents(product: Product) -> np.ndarray:
    """Return the Lyapunov exponents of the affordable factors, natural logarithms, `(n,)`.

    The mean of ln |r_ii| over the factors: M_k Q_{k-1} = Q_k R_k keeps n vectors apart that would
    all turn into one direction. Benettin et al. 1980. -inf at sigma 0. For Gaussian factors r_ii^2
    is sigma^2 times chi-square with n - i degrees of freedom, i = 0 .. n - 1, for every k.
    """
    return exponents_at_scale_1(at_scale_1(product)) + product.log10_scale * math.log(10)


@remembered
def exponents_at_scale_1(product: Product) -> np.ndarray:
    """Return the exponents `(n,)` of a product of matrices at scale 1."""
    q = torch.eye(product.n, dtype=torch.float64)
    total = torch.zeros(product.n, dtype=torch.float64)
    for factor in first_factors(product):
        q, r = torch.linalg.qr(factor @ q)
        total = total + r.diagonal().abs().log()
    return (total / affordable_factors(product)).numpy()
