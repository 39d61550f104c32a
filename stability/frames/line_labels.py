"""The heights of the labels at the ends of lines, none of which covers another."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from stability.frames.arrow import (
    LOG_QUANTITIES,
    arrow_table,
    in_smallest_type,
    repeated_texts,
    rows_in_few_bytes,
)
from stability.frames.axes import Limits
from stability.records.experiment import Experiment

LABEL_HEIGHT = 13  # pixels


def label_table(
    e: Experiment,
    last: Sequence[Mapping[str, Sequence[float]]],
    limits: Limits,
    heights: Mapping[str, int],
    log_axes: Collection[str] = LOG_QUANTITIES,
    shown: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> pa.Table:
    """Return where the labels of lines stand, given the last values `(S,)` of each quantity.

    There may be several of these, one after another: for each the labels on every choice of axes in
    `limits`. `heights`: of the panels in pixels. Columns: scheme, axes, for each quantity the value
    on its axis at which the label stands, null where a line has no end, and where not all labels
    fit; and those of `shown`. Axes are 0 for those of the living schemes, 1 where everything is
    shown, and from 2 on where a scheme stands alone, on its own.
    """
    names = list(last[0]) if last else []
    rows = []
    for name in names:
        pairs = list(zip(limits[name][::2], limits[name][1::2], strict=True))
        distance, is_log = LABEL_HEIGHT / heights[name], name in log_axes
        heights_of_all: list[float] = []
        for values in (one[name] for one in last):
            for low, high in pairs[:2]:
                heights_of_all += label_heights(values, low, high, distance, is_log)
            own = zip(values, pairs[2:], strict=True)
            heights_of_all += [min(max(value, low), high) for value, (low, high) in own]
        rows.append(heights_of_all)
    columns = rows_in_few_bytes(names, np.array(rows))
    return arrow_table({**label_keys(e.schemes, len(last)), **columns, **shown})


@lru_cache(maxsize=256)
def label_keys(schemes: tuple[str, ...], count: int) -> Mapping[str, Any]:
    """Return the first columns of a `label_table` of so many labels for each choice of axes."""
    choices = [0] * len(schemes) + [1] * len(schemes) + [2 + index for index in range(len(schemes))]
    indices = np.arange(len(choices) * count) % len(schemes)
    return {
        "scheme": repeated_texts(schemes, indices),
        "axes": pa.array(in_smallest_type(count * choices, 2 + len(schemes))),
    }


def label_heights(
    values: Sequence[float], low: float, high: float, distance: float, is_log: bool
) -> list[float]:
    """Return the values on one axis at which labels stand, `distance` of its length apart."""
    if is_log:
        values = [math.log10(value) if value > 0 else math.nan for value in values]
        low, high = math.log10(low), math.log10(high)
    shares = spread_apart([(value - low) / (high - low) for value in values], distance)
    places = [low + (high - low) * share for share in shares]
    return [10.0**place for place in places] if is_log else places


def spread_apart(wanted: Sequence[float], distance: float) -> list[float]:
    """Return positions from 0 to 1 near those wanted, at least `distance` from one to the next.

    NaN stays NaN; all are NaN where they do not fit.
    """
    positions = [math.nan] * len(wanted)
    finite = [index for index, value in enumerate(wanted) if math.isfinite(value)]
    room = 1 - distance * (len(finite) - 1)
    if room >= 0:
        order = sorted(finite, key=wanted.__getitem__)
        # Less the heights of the labels below, positions need only not decrease.
        free = [min(max(wanted[index] - distance * k, 0), room) for k, index in enumerate(order)]
        for k, (index, position) in enumerate(zip(order, nearest_nondecreasing(free), strict=True)):
            positions[index] = position + distance * k
    return positions


def nearest_nondecreasing(values: Sequence[float]) -> list[float]:
    """Return the least-squares fit to `values` that never decreases.

    Neighbours that would decrease share their mean: pool adjacent violators.
    """
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return [mean for mean, size in blocks for _ in range(size)]
