"""Singular values of the hidden layers, as a chart draws them."""

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
    """What a chart of singular values draws, without a run: `singular` and `limits`; no row where `jacobian.absent` says why.

    Columns: scheme, rank (share of directions, from the largest), marked, value (of the first network) and edge: the largest
    that theory expects.
    """
    values = singular_values(replace(e, replicates=1))[:, 0]  # (S, directions)
    count = values.shape[1]
    chosen = np.unique(np.linspace(0, max(0, count - 1), min(MOST_LINE_POINTS, count)).round().astype(int))
    value = hide_unplottable("singular_value", values[:, chosen]).ravel()
    edge = np.repeat(hide_unplottable("singular_value", predicted_edge(e)), len(chosen))
    columns = {"scheme": np.repeat(e.schemes, len(chosen)), "rank": np.tile((chosen + 0.5) / max(1, count), len(e.schemes))}
    columns["marked"] = np.tile(np.arange(len(chosen)) % max(1, len(chosen) // 6) == 0, len(e.schemes))
    drawn = arrow_table({"value_low": np.append(value, edge), "value_high": np.append(value, edge)})
    found = {"singular": arrow_table(columns | {"value": value, "edge": edge}), "limits": log_axis_limits(["value"], drawn)}
    return MappingProxyType(found)
