"""The border that theory draws over a map, as a table for a layer of its chart."""

from functools import lru_cache

import pandas as pd

from stability.records.sweep import Sweep
from stability.theory.trainability import border_lines


def map_border_frame(sweep: Sweep) -> pd.DataFrame:
    """Return the points of the lines over a map, within its ranges; empty where there are none.

    `theory.trainability.why_no_border` says why. Columns: line ("xi": one depth scale of
    correlations, "reach": six of them, "growth": six of the gradient where signals grow without
    end, "edge": the edge of chaos, chi_1 = 1), part (a number for each unbroken part of a line),
    order (along it), x, y in the units of the map's axes.
    """
    return _border_frame(sweep.with_any_quantity()).copy()


@lru_cache(maxsize=64)
def _border_frame(sweep: Sweep) -> pd.DataFrame:
    """Return the frame of a sweep, whatever quantity it shows."""
    parts = [
        pd.DataFrame(
            {"line": one.kind, "part": number, "order": range(len(one.x)), "x": one.x, "y": one.y}
        )
        for number, one in enumerate(border_lines(sweep))
    ]
    empty = pd.DataFrame({"line": [], "part": [], "order": [], "x": [], "y": []})
    types = {"line": str, "part": int, "order": int, "x": float, "y": float}
    return pd.concat([empty.astype(types), *parts], ignore_index=True).astype(types)
