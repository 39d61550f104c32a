"""The tables of products of random matrices; heights are log10, as no float holds the numbers."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table, hide_unplottable
from stability.i18n import N_, _
from stability.probes.product_singular_values import measured_exponents, singular_bounds
from stability.records.product import Product
from stability.text import behind_label, join_words, number, power_of_ten, superscript_powers
from stability.theory.product_law import (
    FORMAT_RANGES,
    LN10,
    NormLaw,
    norm_law,
    norm_quantiles,
    product_exponents,
    typical_log_growth,
)

MOST_FACTORS_DRAWN = 200  # points of a line
# The words at each end of a format, those that are left out last first.
FORMAT_END_WORDS = {
    "largest": N_("{formats}: largest"), "smallest": N_("{formats}: smallest"),
    "smallest_normal": N_("{formats}: loses digits below"),
}  # fmt: skip
# Words stand above (1) or below (-1) their line, so that they never overlap.
LABEL_SIDES = {N_("at most"): 1, N_("largest"): -1, N_("smallest"): 1, N_("at least"): -1}
LABEL_OVERLAP = 0.07  # of a panel's height: words that are nearer to one another cannot be read
TYPICAL_FACTORS = 100  # factors over which the typical product is shown, size by size
FURTHEST_DECADES = 30.0  # the greatest distance from 0 at which this product is drawn


def product_tables(product: Product, norms: Sequence[np.ndarray]) -> dict[str, pa.Table]:
    """Return the tables of the norm's chart for the norms so far, at least one.

    growth: factor, median, low, high (nine of ten lie between; of few products all), null for a
    product of 0. law: factor, mean, low, high (of the length of P x), frobenius. formats: height,
    text, at_start (True if it stands at the left end). limits: height.
    """
    factor = thin_factors(len(norms), product.count)
    quantiles = norm_quantiles(np.stack([norms[index] for index in factor]))
    low, median, high = hide_unplottable("height", np.stack(quantiles))
    law = norm_law(product)
    # The law, or a similar one, fixes the axis from the start. Sigma 0 has no law at all.
    nearest_law = law or norm_law(replace(product, family="normal", sigma=product.scale))
    heights = [low, high]
    if nearest_law:
        heights += [nearest_law.low, nearest_law.high, nearest_law.frobenius]
    limits = rounded_range(np.concatenate(heights), 1.0)
    return {
        "growth": arrow_table({"factor": factor, "median": median, "low": low, "high": high}),
        "law": law_table(product, law),
        "formats": format_end_table(*limits, nearest_law.frobenius if nearest_law else median),
        "limits": arrow_table({"height": limits}),
    }


def thin_factors(length: int, count: int) -> np.ndarray:
    """Return the indices of the norms drawn among the first `length` of `count` + 1.

    They stay the same as more norms come, and include the newest.
    """
    stride = math.ceil((count + 1) / (MOST_FACTORS_DRAWN - 1))
    return np.array([*range(0, length - 1, stride), length - 1])


def law_table(product: Product, law: NormLaw | None) -> pa.Table:
    """Return the law of the norm, as in `product_tables`; no row where none is known."""
    factor = thin_factors(product.count + 1, product.count) if law else np.empty(0, dtype=int)
    columns = {"factor": factor}
    for name in ("mean", "low", "high", "frobenius"):
        columns[name] = getattr(law, name)[factor] if law else np.empty(0)
    return arrow_table(columns)


def format_end_table(low: float, high: float, line: np.ndarray) -> pa.Table:
    """Return the ends of number formats between these heights.

    Columns: height, text, at_start (True if the `line`, from its first to its last height, leaves
    more room there than at its end). Where two texts would overlap, only one stands.
    """
    texts: dict[float, str] = {}
    for end, words in FORMAT_END_WORDS.items():
        formats: dict[float, tuple[float, list[str]]] = {}  # ends that nearly meet are one
        for row in FORMAT_RANGES:
            height = getattr(row, end)
            formats.setdefault(round(height, 1), (height, []))[1].append(row.label)
        for height, names in sorted(formats.values(), reverse=True):
            if low < height < high:
                is_free = all(abs(height - other) > LABEL_OVERLAP * (high - low) for other in texts)
                text = _(words).format(formats=join_words(names))
                texts[height] = text if is_free else ""
    heights = np.array(list(texts), dtype=float)
    return arrow_table(
        {
            "height": heights,
            "text": pa.array(list(texts.values()), pa.string()),
            "at_start": np.abs(heights - line[0]) > np.abs(heights - line[-1]),
        }
    )


def rounded_range(values: np.ndarray, smallest_step: float = 0.0) -> tuple[float, float]:
    """Return the range of the finite values, rounded out to at most about eight whole steps.

    A step is 1, 2 or 5 times a power of ten.
    """
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (-1.0, 1.0)
    size = max((high - low) / 8, smallest_step, 1e-3)
    unit = 10.0 ** math.floor(math.log10(size))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= size * (1 - 1e-9))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high) if high > low else (low - step, high + step)


def exponent_tables(product: Product) -> dict[str, pa.Table]:
    """Return the tables of the Lyapunov exponents' chart; no row at sigma 0.

    exponents: share (of directions, the most stretched first), law (decades a factor, null where
    none is known), measured. limits: height.
    """
    measured = law = np.empty(0)
    if product.sigma:
        measured = measured_exponents(product) / LN10
        exponents = product_exponents(product)
        law = np.full(product.n, np.nan) if exponents is None else exponents / LN10
    share = (np.arange(len(measured)) + 0.5) / product.n
    limits = rounded_range(np.concatenate([measured, law]), 0.02)
    return {
        "exponents": arrow_table({"share": share, "law": law, "measured": measured}),
        "limits": arrow_table({"height": limits}),
    }


def healing_tables(product: Product) -> dict[str, pa.Table]:
    """Return the tables of the chart of TYPICAL_FACTORS factors, by the size of the matrices.

    healing: n and height, log10 of the typical growth at sigma 1 / sqrt(n), by law. here: n, height
    and text of this product with its own sigma, at most FURTHEST_DECADES away; no row where no law
    is known. limits: height.
    """
    sizes = np.arange(1, 257)
    typical = np.array([TYPICAL_FACTORS * typical_log_growth(int(n)) / LN10 for n in sizes])
    exponents = product_exponents(product) if product.sigma else None
    exact = np.empty(0) if exponents is None else TYPICAL_FACTORS * exponents[:1] / LN10
    height = np.clip(exact, -FURTHEST_DECADES, FURTHEST_DECADES)
    label = _("size {n}, sigma {sigma}").format(n=product.n, sigma=number(product.sigma, 4))
    texts = [behind_label(label, superscript_powers(power_of_ten(power))) for power in exact]
    here = {"n": np.full(len(exact), product.n), "height": height}
    here |= {"text": pa.array(texts, pa.string())}
    limits = rounded_range(np.array([-FURTHEST_DECADES, 2.0, *height]), 5.0)
    return {
        "healing": arrow_table({"n": sizes, "height": typical}),
        "here": arrow_table(here),
        "limits": arrow_table({"height": limits}),
    }


def bound_tables(product: Product) -> dict[str, pa.Table]:
    """Return the tables of the extreme singular values' chart; no row at sigma 0.

    bounds: line, factor, value (log10), named (1 or -1 at the end of a line, above it or below),
    text (its words there). limits: height.
    """
    found = singular_bounds(product)
    lines = {
        "at most": found.upper,
        "largest": found.largest,
        "smallest": found.smallest,
        "at least": found.lower,
    }
    size, texts = len(found.factor), list(lines)
    named = np.zeros((len(lines), size), dtype=int)
    named[:, -1:] = np.array([[LABEL_SIDES[line]] for line in lines])
    if np.allclose(found.upper, found.lower, atol=1e-6):
        named[1:] = 0  # one line, and one text for it
        texts = [N_("all alike")] * len(lines)
    values = hide_unplottable("value", np.concatenate(list(lines.values())))
    columns = {
        "line": pa.array(np.repeat(list(lines), size), pa.string()),
        "text": pa.array(np.repeat([_(text) for text in texts], size), pa.string()),
        "factor": np.tile(found.factor, len(lines)),
        "value": values,
        "named": named.ravel(),
    }
    limits = rounded_range(values, 1.0)
    return {"bounds": arrow_table(columns), "limits": arrow_table({"height": limits})}
