"""Where the names of lines stand: at their ends, none over another."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from stability.catalogues.schemes import scheme_title
from stability.frames.arrow import LOG_QUANTITIES, arrow_table
from stability.records.experiment import Experiment

PANEL_HEIGHTS = {"loss": 140, "accuracy": 80, "gradient_norm": 100}  # of the panels, in pixels
PANEL_HEIGHTS |= {"signal": 145, "signal_gradient": 145, "weight_gradient": 145}
LABEL_DISTANCE = 13  # pixels from one name to the next


def label_table(e: Experiment, last: dict[str, np.ndarray], axes: dict[str, tuple[float, float]]) -> pa.Table:
    """Columns: scheme, text, and for each quantity of `last`, its values `(S,)` at the lines' ends, where the name stands.

    Null where a line has no end, and where the names of all do not fit. `axes` are the values at the panel's bottom and top.
    """
    columns = {"scheme": list(e.schemes), "text": [scheme_title(scheme) for scheme in e.schemes]}
    for name, values in last.items():
        low, high = axes[name]
        if name in LOG_QUANTITIES:
            values, low, high = np.log10(values), np.log10(low), np.log10(high)
        height = PANEL_HEIGHTS[name]
        places = spread_apart(height * (values - low) / (high - low), height) * (high - low) / height + low
        columns[name] = 10.0**places if name in LOG_QUANTITIES else places
    return arrow_table(columns)


def spread_apart(wanted: Sequence[float], height: float) -> np.ndarray:
    """Places from 0 to `height` near those wanted, LINE from one to the next; NaN for NaN, and where they do not fit."""
    wanted = np.asarray(wanted, dtype=float)
    order = [index for index in np.argsort(wanted, kind="stable") if np.isfinite(wanted[index])]
    places = np.full(len(wanted), np.nan)
    if not order or LABEL_DISTANCE * (len(order) - 1) > height:
        return places
    offsets = LABEL_DISTANCE * np.arange(len(order))
    free = np.clip(wanted[order] - offsets, 0, height - offsets[-1])  # what is left after each has its room
    places[order] = nearest_nondecreasing(free) + offsets
    return places


def nearest_nondecreasing(values: np.ndarray) -> np.ndarray:
    """The nearest values, in squares, that never fall: neighbours that would fall share their mean."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    return np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
