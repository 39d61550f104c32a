"""The tables of the hidden layers' singular values."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table, hide_unplottable, log_axis_limits
from stability.frames.tidy import MOST_LINE_POINTS
from stability.probes.jacobian import predicted_edge, singular_values
from stability.records.experiment import Experiment


@lru_cache(maxsize=32)
def singular_tables(e: Experiment) -> Mapping[str, pa.Table]:
    """Return the tables of the chart of singular values, which needs no run.

    singular: scheme, rank (share of directions, from the largest), marked, value (of the first
    network), edge (the largest that theory expects); no row where there are no singular values.
    limits: value.
    """
    values = singular_values(replace(e, replicates=1))[:, 0]  # (S, directions)
    schemes, count = values.shape
    spaced = np.linspace(0, max(0, count - 1), min(MOST_LINE_POINTS, count))
    chosen = np.unique(spaced.round().astype(int))
    value = hide_unplottable("singular_value", values[:, chosen]).ravel()
    edge = np.repeat(hide_unplottable("singular_value", predicted_edge(e)), len(chosen))
    columns = {
        "scheme": np.repeat(e.schemes, len(chosen)),
        "rank": np.tile((chosen + 0.5) / max(1, count), schemes),
        "marked": np.tile(np.arange(len(chosen)) % max(1, len(chosen) // 6) == 0, schemes),
        "value": value,
        "edge": edge,
    }
    both = np.append(value, edge)
    limits = log_axis_limits(("value",), arrow_table({"value_low": both, "value_high": both}))
    return MappingProxyType({"singular": arrow_table(columns), "limits": limits})
