"""The tables of the hidden layers' singular values."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table, hide_unplottable, log_limits, scheme_columns
from stability.frames.tidy import MOST_LINE_POINTS
from stability.probes.jacobian import predicted_edge, singular_values
from stability.records.experiment import Experiment


@lru_cache(maxsize=32)
def singular_tables(e: Experiment) -> dict[str, pa.Table]:
    """Return the tables of the chart of singular values, which needs no run.

    singular: scheme, rank (share of directions, from the largest), marked, value (of the first
    network), edge (the largest that theory expects); no row where there are no singular values.
    limits: value.
    """
    values = singular_values(replace(e, replicates=1))[:, 0]  # (S, directions)
    count = values.shape[1]
    spaced = np.linspace(0, max(0, count - 1), min(MOST_LINE_POINTS, count))
    chosen = np.unique(spaced.round().astype(int))
    value = hide_unplottable("singular_value", values[:, chosen]).ravel()
    edge = np.repeat(hide_unplottable("singular_value", predicted_edge(e)), len(chosen))
    rank = (chosen + 0.5) / max(1, count)
    marked = np.arange(len(chosen)) % max(1, len(chosen) // 6) == 0
    columns = scheme_columns(e.schemes, rank=rank, marked=marked) | {"value": value, "edge": edge}
    limits = {"value": log_limits(np.append(value, edge))}
    return {"singular": arrow_table(columns), "limits": arrow_table(limits)}
