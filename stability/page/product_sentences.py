"""The sentences about a product of random matrices: how large it became, and what its law says."""

from collections.abc import Callable, Sequence

import numpy as np

from stability.records.product import Product
from stability.text import capitalize_first, join_words, number, number_of_log10, power_of_ten
from stability.theory.product_law import (
    ENOUGH_FOR_NINE_OF_TEN,
    FORMAT_RANGES,
    LN10,
    NINE_OF_TEN_DEVIATIONS,
    FormatRange,
    critical_sigma,
    frobenius_offset,
    norm_law,
    norm_quantiles,
    product_exponents,
    typical_log_growth,
)

ZERO_SENTENCE = (
    "Sigma is 0: every matrix is 0, and so is every product. A zero has no logarithm to show."
)


def sentences_about_product(product: Product, norms: Sequence[np.ndarray]) -> list[str]:
    """Return sentences about the norms so far, log10 `(replicates,)` each, at least one.

    The first says how large they are, the others why.
    """
    if not product.sigma:
        return [ZERO_SENTENCE]
    low, median, high = norm_quantiles(np.stack(norms))
    why = [law_sentences(product), *balance_sentences(product), format_sentence(product, median)]
    return [size_sentence(product, low, median, high), *why]


def after_factors(k: int) -> str:
    """Return the words for the k-th further factor."""
    if k == 0:
        return "with the first matrix"
    return f"after {k} further factor" if k == 1 else f"after {k} further factors"


def size_sentence(product: Product, low: np.ndarray, median: np.ndarray, high: np.ndarray) -> str:
    """Return how large the norm is by now, beside the prediction of the law."""
    k, products = len(median) - 1, product.replicates
    drawn, strays = f"median of {products} products" if products > 1 else "one product", ""
    law, are_many = norm_law(product), products >= ENOUGH_FOR_NINE_OF_TEN
    if high[-1] - low[-1] > 1e-3:
        which = "nine of ten" if are_many else "both" if products == 2 else f"all {products}"
        drawn += f"; {which} lie between {power_of_ten(low[-1])} and {power_of_ten(high[-1])}"
    sentence = capitalize_first(f"{after_factors(k)} the norm is about {power_of_ten(median[-1])}")
    if not law:
        return f"{sentence} ({drawn})."
    deviation = (law.mean[k] - law.low[k]) / NINE_OF_TEN_DEVIATIONS
    if deviation > 0.5 and not are_many:  # or the law would seem refuted by chance
        strays = f", from which one product strays by a factor of about {power_of_ten(deviation)}"
    return f"{sentence} ({drawn}). The law says {power_of_ten(law.frobenius[k])}{strays}."


def law_sentences(product: Product) -> str:
    """Return the exact law, or why there is none."""
    row, exponents = product.family_row, product_exponents(product)
    if exponents is None:
        return (
            "The exact law is that of Gaussian entries; none is known for uniform ones, so none is "
            "drawn."
        )
    if not row.is_gaussian:
        return (
            "Orthogonal factors stretch every direction alike: each multiplies the norm by exactly "
            f"{number(product.scale)}."
        )
    rate = number_of_log10(exponents[0] / LN10)
    if product.n == 1:
        return f"In the long run each factor multiplies the number by {rate}, up to its sign."
    offsets = frobenius_offset(product.n, np.array([0.0, 1e12])) / LN10
    first, last = (number_of_log10(offset) for offset in offsets)
    return (
        f"In the long run each factor multiplies the length of a vector by {rate}. The norm of the "
        f"whole matrix lies above that of one vector by a factor of {first} at first and never "
        f"more than {last}: in the end one direction is left."
    )


def balance_sentences(product: Product) -> list[str]:
    """Return the sigmas that keep the variance and the typical norm of independent entries."""
    n, row = product.n, product.family_row
    if row.variance and not row.is_gaussian:
        return []
    critical = number(critical_sigma(n) / row.scale(n), 4)
    if abs(n * product.scale**2 - 1) > 0.01:
        if not row.is_gaussian:
            return []
        unit = number(n**-0.5 / row.scale(n), 4)
        norms = "would keep the typical norm"
        return [f"Sigma {critical} {norms}, sigma {unit} the mean of its square."]
    kept = "the mean of the squared norm stays as it is for ever"
    carried, rate = "because a few huge ones carry the mean", typical_log_growth(n) / LN10
    if not row.is_gaussian:
        carried = f"and yet the typical product shrinks, {carried}"
        return [f"These factors preserve the variance: {kept}, {carried}."]
    return [
        f"These factors preserve the variance: {kept}. Yet the typical product shrinks, each time "
        f"to {number_of_log10(rate)} of itself, {carried}. That heals as matrices grow, like "
        f"1/(2n) in the natural logarithm; sigma {critical} would keep the typical norm instead."
    ]


# What a median does at the ends of a format, and the test of it.
FORMAT_EXITS: dict[str, Callable[[np.ndarray, FormatRange], np.ndarray]] = {
    "exceeds the largest number of": lambda median, ends: median > ends.largest,
    "loses digits in": lambda median, ends: median < ends.smallest_normal,
    "falls below the smallest number of": lambda median, ends: median < ends.smallest,
}


def format_sentence(product: Product, median: np.ndarray) -> str:
    """Return where the median leaves the range of each number format."""
    exits = []
    for exit, is_outside in FORMAT_EXITS.items():
        preposition = exit.rpartition(" ")[-1]
        formats: dict[int, list[str]] = {}  # by the number of factors after which they are left
        for ends in FORMAT_RANGES:
            if len(outside := np.flatnonzero(is_outside(median, ends))):
                formats.setdefault(int(outside[0]), []).append(ends.label)
        if formats:
            first, *later = sorted(formats)
            words = [f"{join_words(formats[first])} {after_factors(first)}"]
            words += [f"{preposition} {join_words(formats[k])} after {k}" for k in later]
            exits.append(f"{exit} {', '.join(words)}")
    if exits:
        return f"The median {'; it '.join(exits)}."
    if len(median) <= product.count:
        return "So far the median is in the range of float16."
    return "The median stays in the range of float16 all the way."


def hundred_factors_sentences(product: Product) -> list[str]:
    """Return how typical products of this size, and of a large one, shrink in 100 factors."""
    shrunk = [
        f"{n} x {n} by {number_of_log10(100 * typical_log_growth(n) / LN10)}"
        for n in dict.fromkeys((product.n, 256))
    ]
    return [f"100 factors at sigma 1 / sqrt(n) typically multiply a length: {', '.join(shrunk)}."]
