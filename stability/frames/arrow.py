"""Numbers as charts take them: Arrow tables without anything that would make an axis lie."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

DEPTH_QUANTITIES = "signal", "signal_gradient", "weight_gradient"
NOT_FINITE = "not finite"
LOG_QUANTITIES = frozenset({"gradient_norm", "scale", "weight", "update", "singular_value", "gain", *DEPTH_QUANTITIES})


def hide_unplottable(name: str, values: np.ndarray) -> np.ndarray:
    """NaN wherever an axis would lie: not finite, or not positive where the axis is a logarithm."""
    shown = np.isfinite(values) & (values > 0 if name in LOG_QUANTITIES else True)
    return np.where(shown, values, math.nan)


def arrow_table(columns: Mapping[str, Sequence]) -> pa.Table:
    """An Arrow table; NaN becomes null."""
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})


def to_arrow_bytes(columns: pa.Table) -> bytes:
    """A table as the stream of bytes that a browser reads."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, columns.schema) as writer:
        writer.write_table(columns)
    return sink.getvalue().to_pybytes()


def log_axis_limits(names: Sequence[str], *tables: pa.Table, decades: int = 2) -> pa.Table:
    """Two rows that hold the log axes still: for each name its range, rounded outwards to whole steps of `decades`."""
    rows = {}
    for name in names:
        columns = [lines[f"{name}_{end}"].to_numpy() for lines in tables for end in ("low", "high")]
        values = np.concatenate(columns)
        values = values[np.isfinite(values)]
        least, most = (values.min(), values.max()) if len(values) else (0.1, 10.0)
        low, high = (decades * end(np.log10(value) / decades) for end, value in ((math.floor, least), (math.ceil, most)))
        low -= decades * bool(10.0**low > least)  # a logarithm is rounded, too
        high = max(high + decades * bool(10.0 ** min(high, 308) < most), low + decades)
        rows[name] = [10.0 ** min(max(-320, exponent), 308) for exponent in (low, high)]
    return arrow_table(rows)
