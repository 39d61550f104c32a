"""What is known of a product of random matrices before it is drawn, and what is said of it: how fast it grows or dies.

For Gaussian factors and a unit vector x, |P_k x| is a product of independent numbers, so its law is exact at every k:
E ln |P_k x| = (k + 1) lambda_1 and Var ln |P_k x| = (k + 1) psi'(n/2) / 4. Newman 1986. Nine of ten are taken as those of a
bell curve of that variance, which is so for many factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stability.catalogues.product_families import lyapunov_exponents
from stability.records.product import Product
from stability.text import exact_number, number, power_of_ten, number_of_log10

NINE_OF_TEN_DEVIATIONS = 1.6448536269514722  # standard deviations of a bell curve on either side
OFFSET_POWER = 1.5  # of `frobenius_offset` between its ends, fitted to Monte Carlo for n = 2 to 64
LN10 = math.log(10)
FORMAT_LOG10_RANGES = {  # log10 of the smallest normal number and of the largest
    name: (math.log10(torch.finfo(dtype).tiny), math.log10(torch.finfo(dtype).max))
    for name, dtype in (("float16", torch.float16), ("float32", torch.float32), ("float64", torch.float64))
}


@dataclass(frozen=True)
class NormLaw:
    """log10 by factor, `(count + 1,)` each. Of |P x| for a unit vector x: its `mean`, and nine of ten between `low` and `high`.

    `frobenius` is the mean for the norm of the whole matrix.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    frobenius: np.ndarray


def digamma(x: np.ndarray | float) -> np.ndarray:
    return torch.special.digamma(torch.as_tensor(x, dtype=torch.float64)).numpy()


def critical_sigma(n: int) -> float:
    """The standard deviation at which a product of Gaussian matrices typically neither grows nor shrinks: lambda_1 = 0."""
    return math.exp(-lyapunov_exponents(n, 1.0)[0])


def typical_log_growth(n: int) -> float:
    """Natural logarithm a factor of |P x| at sigma 1 / sqrt(n), where the mean of |P x|^2 stays: about -1 / (2n)."""
    return float(lyapunov_exponents(n, n**-0.5)[0])


def frobenius_offset(n: int, k: np.ndarray) -> np.ndarray:
    """E ln |P_k| - E ln |P_k x| of Gaussian matrices, in nats, for the Frobenius norm and a unit vector x.

    Exact at k = 0, (psi(n^2 / 2) - psi(n / 2)) / 2, and at its limit, (psi(n / 2) - psi(1 / 2)) / 2: the product tends to rank
    one, and its direction is like any other. Between them a power of 1 + k/n, within 0.03 decades of Monte Carlo.
    """
    start, limit = (digamma(n * n / 2) - digamma(n / 2)) / 2, (digamma(n / 2) - digamma(0.5)) / 2
    gap = float(limit - start)
    return start + (gap * (1 - (1 + k / (2 * n * gap * OFFSET_POWER)) ** -OFFSET_POWER) if gap else np.zeros_like(k, dtype=float))


def product_exponents(product: Product) -> np.ndarray | None:
    """The Lyapunov exponents, natural logarithms a factor, `(n,)`; None where no law is known."""
    return product.family_row.exponents and product.family_row.exponents(product.n) + product.log10_scale * LN10


def norm_law(product: Product) -> NormLaw | None:
    """None where no law is known: of uniform entries, and at sigma 0."""
    rates = product_exponents(product)
    if rates is None or not np.isfinite(rates[0]):
        return None
    k = np.arange(product.count + 1)
    mean, spread = (k + 1) * rates[0] / LN10, NINE_OF_TEN_DEVIATIONS * np.sqrt((k + 1) * product.family_row.variance(product.n)) / LN10
    offset = frobenius_offset(product.n, k) if product.family_row.is_gaussian else math.log(product.n) / 2
    return NormLaw(mean, mean - spread, mean + spread, mean + offset / LN10)


def norm_quantiles(norms: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of log10 norms `(k, replicates)` the 5 % quantile, the median and the 95 % quantile, `(k,)` each; -inf for 0."""
    finite = np.where(np.isfinite(norms), norms, -1e300)  # a quantile between two infinities is no number
    return tuple(np.where(found < -1e290, -np.inf, found) for found in np.quantile(finite, (0.05, 0.5, 0.95), axis=1))


# In words


def product_sentences(product: Product, norms: Sequence[np.ndarray]) -> list[str]:
    """Sentences about the norms that have come so far, log10 `(replicates,)` each, one at least."""
    if not product.sigma:
        return ["Sigma is 0: every matrix is 0, and so is every product. A zero has no logarithm to show."]
    low, median, high = norm_quantiles(np.stack(norms))
    sentences = [reached(product, low, median, high), explained(product), *balanced(product), lost(median)]
    return [sentence for sentence in sentences if sentence]


def digits(sigma: float) -> str:
    """A setting in a sentence, to four digits."""
    return exact_number(float(f"{sigma:.4g}"))


def place(k: int) -> str:
    return "with the first matrix" if k == 0 else f"after {k} further factor{'s' * (k > 1)}"


def reached(product: Product, low: np.ndarray, median: np.ndarray, high: np.ndarray) -> str:
    k = len(median) - 1
    drawn = f"median of {product.replicates} products" if product.replicates > 1 else "one product"
    between = f"; nine of ten lie between {power_of_ten(low[-1])} and {power_of_ten(high[-1])}" if high[-1] - low[-1] > 1e-3 else ""
    known = norm_law(product)
    foretold = f" The law says {power_of_ten(known.frobenius[k])}." if known else ""
    words = place(k)
    return f"{words[0].upper()}{words[1:]} the norm is about {power_of_ten(median[-1])} ({drawn}{between}).{foretold}"


def explained(product: Product) -> str:
    """What the law is."""
    if not product.family_row.exponents:
        return "The exact law is that of Gaussian entries; none is known for uniform ones, so none is drawn."
    if not product.family_row.is_gaussian:
        gain = number(product.scale)
        return f"Orthogonal factors stretch every direction alike: each multiplies the norm by exactly {gain}."
    rate = number_of_log10(product_exponents(product)[0] / LN10)
    if product.n == 1:
        return f"In the long run each factor multiplies the number by {rate}, up to its sign."
    first, last = (float(end) / LN10 for end in frobenius_offset(product.n, np.array([0.0, 1e12])))
    return (
        f"In the long run each factor multiplies the length of a vector by {rate}. The norm of the whole matrix lies above "
        f"that of one vector by a factor of {number_of_log10(first)} at first and never more than {number_of_log10(last)}: in the end one "
        "direction is left."
    )


def balanced(product: Product) -> list[str]:
    """What the variance keeps and what the typical product needs, where entries are drawn one by one."""
    n, unit = product.n, product.family_row.scale(product.n)
    if product.family_row.variance and not product.family_row.is_gaussian:
        return []
    if abs(n * product.scale**2 - 1) > 0.01:
        if not product.family_row.is_gaussian:
            return []
        kept, mean = digits(critical_sigma(n) / unit), digits(n**-0.5 / unit)
        return [f"Sigma {kept} would keep the typical norm, sigma {mean} the mean of its square."]
    mean = "These factors preserve the variance: the mean of the squared norm stays as it is for ever"
    if not product.family_row.is_gaussian:
        return [f"{mean}, and yet the typical product shrinks, because a few huge ones carry the mean."]
    rate = number_of_log10(typical_log_growth(n) / LN10)
    return [
        f"{mean}. Yet the typical product shrinks, each time to {rate} of itself, because a few huge ones carry the mean. "
        f"That heals as matrices grow, like 1/(2n) in the natural logarithm; sigma {digits(critical_sigma(n) / unit)} would "
        "keep the typical norm instead."
    ]


def lost(median: np.ndarray) -> str:
    """Where the median leaves the range of each number format."""
    gone = {}
    for name, (least, most) in FORMAT_LOG10_RANGES.items():
        outside = np.flatnonzero((median < least) | (median > most))
        if len(outside):
            gone[name] = place(int(outside[0]))
    if not gone:
        return "The median stays in the range of float16 all the way."
    names = {"float32": "float32 and bfloat16"}
    first, *others = (f"{names.get(name, name)} {where}" for name, where in gone.items())
    return f"The median leaves the range of {', of '.join([first, *others])}."


def hundred_factors_sentences(product: Product) -> list[str]:
    """What a hundred further factors do to the typical product that preserves the variance, at this size and at a large one."""
    sizes = dict.fromkeys((product.n, 256))
    shrunk = (f"{n} x {n} by {number_of_log10(100 * typical_log_growth(n) / LN10)}" for n in sizes)
    return [f"100 factors at sigma 1 / sqrt(n) typically multiply a length: {', '.join(shrunk)}."]
