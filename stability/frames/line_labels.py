"""The heights of the labels at the ends of lines, none of which covers another."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stability.catalogues.schemes import scheme_title
from stability.frames.arrow import LOG_QUANTITIES, arrow_table
from stability.frames.axes import axis_pair
from stability.records.experiment import Experiment

LABEL_HEIGHT = 13  # pixels


def label_table(
    e: Experiment,
    last: Mapping[str, np.ndarray],
    axes: Mapping[str, tuple[float, float]],
    heights: Mapping[str, int],
    log_axes: Collection[str] = LOG_QUANTITIES,
) -> pa.Table:
    """Return where the labels of lines stand, given each quantity's `last` values `(S,)`.

    Columns: scheme, text, and for each quantity the value on its axis at which the label stands;
    null where a line has no end, and where not all labels fit. `axes`: the values at the bottom and
    the top of a quantity's panel; `heights`: of the panels in pixels.
    """
    texts = [scheme_title(scheme) for scheme in e.schemes]
    columns: dict[str, Any] = {"scheme": list(e.schemes), "text": texts}
    for name, values in last.items():
        low, high = axes[name]
        if name in log_axes:
            values, low, high = np.log10(values), np.log10(low), np.log10(high)
        shares = spread_apart((values - low) / (high - low), LABEL_HEIGHT / heights[name])
        places = low + (high - low) * shares
        columns[name] = 10.0**places if name in log_axes else places
    return arrow_table(columns)


def label_choices(
    e: Experiment,
    last: Mapping[str, np.ndarray],
    limits: pa.Table,
    heights: Mapping[str, int],
    log_axes: Collection[str] = LOG_QUANTITIES,
) -> pa.Table:
    """Return the `label_table` of each choice of axes in `limits`, with the column `axes`.

    It is 0 on the axes of the living schemes, 1 where everything is shown, and from 2 on where a
    scheme stands alone.
    """
    tables = []
    for choice in (0, 1):
        axes = {name: axis_pair(limits, name, choice) for name in last}
        tables.append(label_table(e, last, axes, heights, log_axes))
    alone = {
        name: np.clip(values, *limits[name].to_numpy()[4:].reshape(-1, 2).T)
        for name, values in last.items()
    }
    titles = [scheme_title(scheme) for scheme in e.schemes]
    tables.append(arrow_table({"scheme": list(e.schemes), "text": titles} | alone))
    count = len(e.schemes)
    choices = np.concatenate([np.repeat([0, 1], count), np.arange(2, 2 + count)])
    return pa.concat_tables(tables).append_column("axes", pa.array(choices))


def spread_apart(wanted: np.ndarray, distance: float) -> np.ndarray:
    """Return positions from 0 to 1 near those wanted, at least `distance` from one to the next.

    NaN stays NaN; all are NaN where they do not fit.
    """
    positions = np.full(len(wanted), np.nan)
    order = [index for index in np.argsort(wanted, kind="stable") if np.isfinite(wanted[index])]
    offsets = distance * np.arange(len(order))
    if len(order) and offsets[-1] <= 1:
        # Less the heights of the labels below, positions need only not decrease.
        free = np.clip(wanted[order] - offsets, 0, 1 - offsets[-1])
        positions[order] = nearest_nondecreasing(free) + offsets
    return positions


def nearest_nondecreasing(values: np.ndarray) -> np.ndarray:
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
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
