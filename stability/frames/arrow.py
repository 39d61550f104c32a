"""Arrow tables as charts take them, without a number that an axis could not show."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

NOT_FINITE = "not finite"
DEPTH_QUANTITIES = "signal", "signal_gradient", "weight_gradient"
GAINS = "variance", "forward", "backward", "predicted_forward", "predicted_backward"
LOG_QUANTITIES = frozenset(
    {"gradient_norm", "scale", "spread", "weight", "update", "singular_value"}
    | {*DEPTH_QUANTITIES, *GAINS}
)


def hide_unplottable(name: str, values: np.ndarray) -> np.ndarray:
    """Return the values, NaN where an axis cannot show them: not finite, or <= 0 on a log axis."""
    shown = np.isfinite(values)
    if name in LOG_QUANTITIES:
        shown &= values > 0
    return np.where(shown, values, math.nan)


def arrow_table(columns: Mapping[str, Any]) -> pa.Table:
    """Return an Arrow table of these columns; NaN becomes null."""
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})


def scheme_columns(schemes: Sequence[str], **columns: Any) -> dict[str, np.ndarray]:
    """Return these columns once for each scheme, one scheme after another, named by `scheme`."""
    tiled = {name: np.tile(values, len(schemes)) for name, values in columns.items()}
    count = len(next(iter(columns.values())))
    return {"scheme": np.repeat(schemes, count)} | tiled


def to_arrow_bytes(table: pa.Table) -> bytes:
    """Return a table as the stream of bytes that a browser reads."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def log_axis_limits(names: Sequence[str], *tables: pa.Table) -> pa.Table:
    """Return the `log_limits` of the columns `_low` and `_high` of each quantity in all tables."""
    limits = {}
    for name in names:
        columns = [table[f"{name}_{end}"].to_numpy() for table in tables for end in ("low", "high")]
        limits[name] = log_limits(np.concatenate(columns))
    return arrow_table(limits)


def log_limits(values: np.ndarray, decades: int = 2) -> list[float]:
    """Return the ends of the log axis of these values, rounded out to steps of `decades`.

    So they rarely move as data come in.
    """
    values = values[np.isfinite(values)]
    smallest, largest = (values.min(), values.max()) if len(values) else (0.1, 10.0)
    low = decades * math.floor(np.log10(smallest) / decades)
    high = decades * math.ceil(np.log10(largest) / decades)
    if 10.0**low > smallest:  # the logarithm is rounded, too
        low -= decades
    if 10.0 ** min(high, 308) < largest:
        high += decades
    high = max(high, low + decades)
    return [10.0 ** min(max(-320, exponent), 308) for exponent in (low, high)]
