"""The law of a product of random matrices before it is drawn: how fast it grows or shrinks.

For Gaussian factors and a unit vector x, |P_k x| is a product of independent numbers, so these
moments are exact at every k: E ln |P_k x| = (k + 1) lambda_1 and Var ln |P_k x| = (k + 1) psi'(n/2)
/ 4. Newman 1986. Nine of ten are those of a normal law of that variance, the limit of many factors.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from stability.catalogues.number_formats import FORMATS
from stability.catalogues.product_families import lyapunov_exponents
from stability.records.product import Product

NINE_OF_TEN_DEVIATIONS = 1.6448536269514722  # standard deviations of a bell curve on either side
OFFSET_POWER = 1.5  # between the ends of `frobenius_offset`: fitted to Monte Carlo, n = 2 to 64
ENOUGH_FOR_NINE_OF_TEN = 20  # products: of fewer, the range of all is shown
LN10 = math.log(10)


class FormatRange(NamedTuple):
    """log10 of the ends of a number format; below `smallest_normal` digits are lost."""

    label: str
    largest: float
    smallest_normal: float
    smallest: float


FORMAT_RANGES = tuple(
    FormatRange(
        FORMATS[key].label,
        math.log10(FORMATS[key].largest_finite),
        math.log10(FORMATS[key].smallest_normal),
        math.log10(FORMATS[key].smallest_subnormal),
    )
    for key in ("float16", "float32", "bfloat16", "float64")
)


@dataclass(frozen=True, eq=False)
class NormLaw:
    """The law of log10 |P x| for a unit vector x, by factor, `(count + 1,)` each.

    Nine of ten lie between `low` and `high`. `frobenius` is the mean of the whole matrix's norm.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    frobenius: np.ndarray


def digamma(x: float) -> float:
    """Return psi(x) = d ln Gamma(x) / dx."""
    return float(torch.special.digamma(torch.tensor(x, dtype=torch.float64)))


def critical_sigma(n: int) -> float:
    """Return the sigma at which Gaussian products typically keep their size: lambda_1 = 0."""
    return math.exp(-lyapunov_exponents(n, 1.0)[0])


def typical_log_growth(n: int) -> float:
    """Return ln |P x| per factor at sigma 1/sqrt(n), which keeps E |P x|^2: about -1 / (2n)."""
    return float(lyapunov_exponents(n, n**-0.5)[0])


def frobenius_offset(n: int, k: np.ndarray) -> np.ndarray:
    """Return E ln |P_k| - E ln |P_k x| of Gaussian matrices, for the Frobenius norm, in nats.

    Exact at k = 0, (psi(n^2 / 2) - psi(n / 2)) / 2, and in the limit, (psi(n / 2) - psi(1 / 2)) /
    2, where the product has rank one and a random direction. Between them a power of 1 + k/n,
    within 0.03 decades of Monte Carlo.
    """
    start = (digamma(n * n / 2) - digamma(n / 2)) / 2
    gap = (digamma(n / 2) - digamma(0.5)) / 2 - start
    if not gap:
        return np.full(np.shape(k), start)
    return np.asarray(start + gap * (1 - (1 + k / (2 * n * gap * OFFSET_POWER)) ** -OFFSET_POWER))


def product_exponents(product: Product) -> np.ndarray | None:
    """Return the Lyapunov exponents, natural logarithms a factor, `(n,)`; None without a law."""
    exponents = product.family_row.exponents
    return exponents(product.n) + product.log10_scale * LN10 if exponents else None


def norm_law(product: Product) -> NormLaw | None:
    """Return the law; None for uniform entries, of which none is known, and at sigma 0."""
    exponents, row = product_exponents(product), product.family_row
    if exponents is None or row.variance is None or not np.isfinite(exponents[0]):
        return None
    factors = np.arange(product.count + 1) + 1
    mean = factors * exponents[0] / LN10
    spread = NINE_OF_TEN_DEVIATIONS * np.sqrt(factors * row.variance(product.n)) / LN10
    offset: np.ndarray | float = math.log(product.n) / 2
    if row.is_gaussian:
        offset = frobenius_offset(product.n, factors - 1)
    return NormLaw(mean, mean - spread, mean + spread, mean + offset / LN10)


def norm_quantiles(norms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return quantiles 0.05, 0.5, 0.95 `(k,)` of log10 norms `(k, replicates)`; -inf for 0.

    Of fewer than ENOUGH_FOR_NINE_OF_TEN products the smallest, the median and the largest.
    """
    outside = 0.05 if norms.shape[1] >= ENOUGH_FOR_NINE_OF_TEN else 0.0
    finite = np.where(np.isfinite(norms), norms, -1e300)  # no quantile lies between infinities
    quantiles = np.quantile(finite, (outside, 0.5, 1 - outside), axis=1)
    low, median, high = np.where(quantiles < -1e290, -np.inf, quantiles)
    return low, median, high
