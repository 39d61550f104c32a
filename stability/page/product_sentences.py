"""The sentences about a product of random matrices: how large it became, and what its law says."""

from collections.abc import Callable, Sequence

import numpy as np

from stability.i18n import N_, _, ngettext
from stability.records.product import Product
from stability.text import (
    capitalize_first,
    join_sentences,
    join_words,
    number,
    number_of_log10,
    power_of_ten,
)
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

ZERO_SENTENCE = N_(
    "Sigma is 0: every matrix is 0, and so is every product. A zero has no logarithm to show."
)


def sentences_about_product(product: Product, norms: Sequence[np.ndarray]) -> list[str]:
    """Return sentences about the norms so far, log10 `(replicates,)` each, at least one.

    The first says how large they are, the others why.
    """
    if not product.sigma:
        return [_(ZERO_SENTENCE)]
    low, median, high = norm_quantiles(np.stack(norms))
    why = [law_sentences(product), *balance_sentences(product), format_sentence(product, median)]
    return [size_sentence(product, low, median, high), *why]


def after_factors(k: int) -> str:
    """Return the words for the k-th further factor."""
    if k == 0:
        return _("with the first matrix")
    return ngettext("after {k} further factor", "after {k} further factors", k).format(k=k)


def size_sentence(product: Product, low: np.ndarray, median: np.ndarray, high: np.ndarray) -> str:
    """Return how large the norm is by now, beside the prediction of the law."""
    k, products = len(median) - 1, product.replicates
    drawn = _("median of {products} products").format(products=products)
    drawn = drawn if products > 1 else _("one product")
    law, are_many = norm_law(product), products >= ENOUGH_FOR_NINE_OF_TEN
    if high[-1] - low[-1] > 1e-3:
        spread = _("{drawn}; all {products} lie between {low} and {high}")
        if are_many:
            spread = _("{drawn}; nine of ten lie between {low} and {high}")
        elif products == 2:
            spread = _("{drawn}; both lie between {low} and {high}")
        ends = {"low": power_of_ten(low[-1]), "high": power_of_ten(high[-1])}
        drawn = spread.format(drawn=drawn, products=products, **ends)
    sentence = _("{after} the norm is about {norm} ({drawn}).").format(
        after=after_factors(k), norm=power_of_ten(median[-1]), drawn=drawn
    )
    if not law:
        return capitalize_first(sentence)
    said, deviation = _("The law says {norm}."), (law.mean[k] - law.low[k]) / NINE_OF_TEN_DEVIATIONS
    if deviation > 0.5 and not are_many:  # or the law would seem refuted by chance
        said = _(
            "The law says {norm}, from which one product strays by a factor of about {deviation}."
        )
    norm, strays = power_of_ten(law.frobenius[k]), power_of_ten(deviation)
    return join_sentences(capitalize_first(sentence), said.format(norm=norm, deviation=strays))


def law_sentences(product: Product) -> str:
    """Return the exact law, or why there is none."""
    row, exponents = product.family_row, product_exponents(product)
    if exponents is None:
        return _(
            "The exact law is that of Gaussian entries; none is known for uniform ones, so none is "
            "drawn."
        )
    if not row.is_gaussian:
        return _(
            "Orthogonal factors stretch every direction alike: each multiplies the norm by exactly "
            "{factor}."
        ).format(factor=number(product.scale))
    rate = number_of_log10(exponents[0] / LN10)
    if product.n == 1:
        one = _("In the long run each factor multiplies the number by {rate}, up to its sign.")
        return one.format(rate=rate)
    offsets = frobenius_offset(product.n, np.array([0.0, 1e12])) / LN10
    first, last = (number_of_log10(offset) for offset in offsets)
    return _(
        "In the long run each factor multiplies the length of a vector by {rate}. The norm of the "
        "whole matrix lies above that of one vector by a factor of {first} at first and never "
        "more than {last}: in the end one direction is left."
    ).format(rate=rate, first=first, last=last)


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
        sentence = _(
            "Sigma {critical} would keep the typical norm, sigma {unit} the mean of its square."
        )
        return [sentence.format(critical=critical, unit=unit)]
    if not row.is_gaussian:
        return [
            _(
                "These factors preserve the variance: the mean of the squared norm stays as it is "
                "for ever, and yet the typical product shrinks, because a few huge ones carry the "
                "mean."
            )
        ]
    sentence = _(
        "These factors preserve the variance: the mean of the squared norm stays as it is for "
        "ever. Yet the typical product shrinks, each time to {rate} of itself, because a few huge "
        "ones carry the mean. That heals as matrices grow, like 1/(2n) in the natural logarithm; "
        "sigma {critical} would keep the typical norm instead."
    )
    rate = number_of_log10(typical_log_growth(n) / LN10)
    return [sentence.format(rate=rate, critical=critical)]


# What a median does at the ends of a format, and the test of it.
# Its words are those of the first formats that are left, and of each later one.
FORMAT_EXITS: dict[tuple[str, str], Callable[[np.ndarray, FormatRange], np.ndarray]] = {
    (
        N_("exceeds the largest number of {formats} {after}"),
        N_("of {formats} after {k}"),
    ): lambda median, ends: median > ends.largest,
    (N_("loses digits in {formats} {after}"), N_("in {formats} after {k}")): lambda median, ends: (
        median < ends.smallest_normal
    ),
    (
        N_("falls below the smallest number of {formats} {after}"),
        N_("of {formats} after {k}"),
    ): lambda median, ends: median < ends.smallest,
}


def format_sentence(product: Product, median: np.ndarray) -> str:
    """Return where the median leaves the range of each number format."""
    exits = []
    for (at_first, later_on), is_outside in FORMAT_EXITS.items():
        formats: dict[int, list[str]] = {}  # by the number of factors after which they are left
        for ends in FORMAT_RANGES:
            if len(outside := np.flatnonzero(is_outside(median, ends))):
                formats.setdefault(int(outside[0]), []).append(ends.label)
        if formats:
            first, *later = sorted(formats)
            names, after = join_words(formats[first]), after_factors(first)
            words = [_(at_first).format(formats=names, after=after)]
            words += [_(later_on).format(formats=join_words(formats[k]), k=k) for k in later]
            exits.append(_(", ").join(words))
    if exits:
        return _("The median {exits}.").format(exits=_("; it ").join(exits))
    if len(median) <= product.count:
        return _("So far the median is in the range of float16.")
    return _("The median stays in the range of float16 all the way.")


def hundred_factors_sentences(product: Product) -> list[str]:
    """Return how typical products of this size, and of a large one, shrink in 100 factors."""
    by_size = _("{n} x {n} by {factor}")
    shrunk = [
        by_size.format(n=n, factor=number_of_log10(100 * typical_log_growth(n) / LN10))
        for n in dict.fromkeys((product.n, 256))
    ]
    sentence = _("100 factors at sigma 1 / sqrt(n) typically multiply a length: {lengths}.")
    return [sentence.format(lengths=_(", ").join(shrunk))]
