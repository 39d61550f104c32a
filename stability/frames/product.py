"""Products of random matrices, as charts draw them. Every height is a log10, since no float holds what it stands for."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table
from stability.probes.product_singular_values import measured_exponents, singular_bounds
from stability.records.product import Product
from stability.text import exact_number, power_of_ten, superscript_powers
from stability.theory.product_law import (
    FORMAT_LOG10_RANGES,
    LN10,
    NormLaw,
    norm_law,
    norm_quantiles,
    product_exponents,
    typical_log_growth,
)

MOST_FACTORS_DRAWN = 200  # of a line
FORMAT_END_LABELS = {"float16": "float16 ends", "float32": "float32 and bfloat16 end", "float64": "float64 ends"}
TOO_SHORT_TO_LABEL = 10  # further factors: with fewer, lines are too short for words beside them
LABEL_SIDES = {"at most": 1, "largest": -1, "smallest": 1, "at least": -1}  # words above their line, or below: apart at any length
LABEL_OVERLAP = 0.07  # of the height of a panel: words that stand nearer to one another cannot be read
TYPICAL_FACTORS = 100  # factors over which the typical product is looked at, size by size
FURTHEST_DECADES = 30.0  # decades: where a product of another sigma is drawn that lies further away


def product_tables(product: Product, norms: Sequence[np.ndarray]) -> dict[str, pa.Table]:
    """What a chart of the norm draws, of the norms that have come so far, one at least: `growth`, `law`, `formats`, `limits`.

    growth: factor, median, low, high (between which nine of ten lie), null for a product of 0. law: factor, mean, low, high
    (of the length of P x), frobenius, named (1 or -1 where it is labelled, rising or falling). formats: height, text.
    limits: height.
    """
    k = thinned(len(norms), product.count)
    low, median, high = norm_quantiles(np.stack([norms[index] for index in k]))
    growth = {"factor": k} | {name: finite(line) for name, line in (("median", median), ("low", low), ("high", high))}
    known, near = norm_law(product), expected(product)
    reached = [growth["low"], growth["high"], *([near.low, near.high, near.frobenius] if near else [])]
    held = rounded_range(np.concatenate(reached), 1.0)
    return {"growth": arrow_table(growth), "law": law_table(product, known), "formats": formats(held), "limits": heights(held)}


def thinned(length: int, count: int) -> np.ndarray:
    """Which of the first `length` are drawn of `count` + 1: they stay the same as more come, and the newest is among them."""
    stride = math.ceil((count + 1) / (MOST_FACTORS_DRAWN - 1))
    return np.array([*range(0, length - 1, stride), length - 1])


def finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def expected(product: Product) -> NormLaw | None:
    """About where a product will go, law or not: an axis that knows stands still. None at sigma 0."""
    return norm_law(product) or norm_law(replace(product, family="normal", sigma=product.scale))


def law_table(product: Product, known: NormLaw | None) -> pa.Table:
    k = thinned(product.count + 1, product.count) if known else np.empty(0, dtype=int)
    lines = {name: getattr(known, name)[k] if known else np.empty(0) for name in ("mean", "low", "high", "frobenius")}
    middle = len(k) * 3 // 8
    direction = 1 if known and lines["mean"][-1] >= lines["mean"][0] else -1
    return arrow_table(
        {"factor": k} | lines | {"named": np.where(np.arange(len(k)) == middle, direction * (product.count >= TOO_SHORT_TO_LABEL), 0)}
    )


def formats(held: tuple[float, float]) -> pa.Table:
    """Where number formats end, of those that end in sight; where two words would overlap, only the first stands."""
    ends = {height: FORMAT_END_LABELS[name] for name, pair in FORMAT_LOG10_RANGES.items() for height in pair if held[0] < height < held[1]}
    last = math.inf
    for height in sorted(ends, reverse=True):
        near = last - height < LABEL_OVERLAP * (held[1] - held[0])
        last, ends[height] = (last, "") if near else (height, ends[height])
    return arrow_table({"height": np.array(list(ends), dtype=float), "text": pa.array(list(ends.values()), pa.string())})


def rounded_range(values: np.ndarray, least: float = 0.0) -> tuple[float, float]:
    """The range of the finite values, outwards to whole steps of 1, 2 or 5 times a power of ten, up to eight of them or so."""
    values = values[np.isfinite(values)]
    low, high = (values.min(), values.max()) if len(values) else (-1.0, 1.0)
    size = max((high - low) / 8, least, 1e-3)
    unit = 10.0 ** math.floor(math.log10(size))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= size * (1 - 1e-9))
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high) if high > low else (low - step, high + step)


def heights(held: tuple[float, float]) -> pa.Table:
    return arrow_table({"height": list(held)})


def exponent_tables(product: Product) -> dict[str, pa.Table]:
    """What a chart of the Lyapunov exponents draws: `exponents` and `limits` (height); no row at sigma 0.

    Columns: share (of directions, the most stretched first), law (decades a factor, null where none is known), measured.
    """
    known = product_exponents(product) if product.sigma else None
    measured = measured_exponents(product) / LN10 if product.sigma else np.empty(0)
    foretold = np.full(len(measured), np.nan) if known is None else known / LN10
    share = (np.arange(len(measured)) + 0.5) / product.n
    held = rounded_range(np.concatenate([measured, foretold]), 0.02)
    return {"exponents": arrow_table({"share": share, "law": foretold, "measured": measured}), "limits": heights(held)}


def healing_tables(product: Product) -> dict[str, pa.Table]:
    """What HEALED factors do to the typical product: `healing`, `here` and `limits` (height).

    healing: n and height, log10 of the typical growth at sigma 1 / sqrt(n), by law. here: n, height and text of this product,
    as its sigma is, FURTHEST at most; no row where no law is known.
    """
    sizes = np.arange(1, 257)
    typical = np.array([TYPICAL_FACTORS * typical_log_growth(int(n)) / LN10 for n in sizes])
    known = product_exponents(product) if product.sigma else None
    own = [] if known is None else [TYPICAL_FACTORS * float(known[0]) / LN10]
    at = [min(max(height, -FURTHEST_DECADES), FURTHEST_DECADES) for height in own]
    text = [f"size {product.n}, sigma {exact_number(float(f'{product.sigma:.4g}'))}: {superscript_powers(power_of_ten(height))}" for height in own]
    here = {"n": np.full(len(own), product.n), "height": np.array(at, dtype=float), "text": pa.array(text, pa.string())}
    held = rounded_range(np.array([-FURTHEST_DECADES, 2.0, *at]), 5.0)
    return {"healing": arrow_table({"n": sizes, "height": typical}), "here": arrow_table(here), "limits": heights(held)}


def bound_tables(product: Product) -> dict[str, pa.Table]:
    """What a chart of the extreme singular values draws: `bounds` and `limits` (height); no row at sigma 0.

    Columns: line, factor, value (log10), named (1 or -1 at the end of a line, above it or below), text (its words there).
    """
    found = singular_bounds(product)
    lines = {"at most": found.upper, "largest": found.largest, "smallest": found.smallest, "at least": found.lower}
    size, alike = len(found.factor), np.allclose(found.upper, found.lower, atol=1e-6)
    named = np.where(np.arange(size) == size - 1, np.array(list(LABEL_SIDES.values()))[:, None], 0)
    if alike:
        named[1:] = 0  # one line, and one word for it
    values, words = np.concatenate([finite(value) for value in lines.values()]), ["all alike"] * 4 if alike else list(lines)
    columns = {name: pa.array(np.repeat(texts, size), pa.string()) for name, texts in (("line", list(lines)), ("text", words))}
    columns |= {"factor": np.tile(found.factor, len(lines)), "value": values, "named": named.ravel()}
    return {"bounds": arrow_table(columns), "limits": heights(rounded_range(values, 1.0))}
