"""Arrow tables as charts take them, without a number that an axis could not show."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from stability.i18n import N_

FLOAT_RANGES = {  # the least and the largest normal number of a type, and its bytes
    type: (float(limits.smallest_normal), float(limits.max), limits.dtype.itemsize)
    for type in (np.float16, np.float32)
    for limits in (np.finfo(type),)
}
STREAM_OPTIONS = pa.ipc.IpcWriteOptions()  # else each stream asks the environment for them
NOT_FINITE = N_("not finite")
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


def hide_unplottable_rows(names: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Return the rows of an array, a quantity each, as `hide_unplottable` returns one."""
    above = np.array([0.0 if name in LOG_QUANTITIES else -math.inf for name in names])
    shown = np.isfinite(values) & (values > above.reshape(-1, *[1] * (values.ndim - 1)))
    return np.where(shown, values, math.nan)


def arrow_table(columns: Mapping[str, Any]) -> pa.Table:
    """Return an Arrow table of these columns; NaN becomes null."""
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True)
        for name, values in columns.items()
    }
    return pa.table(arrays)


def chart_table(columns: Mapping[str, Any]) -> pa.Table:
    """Return an Arrow table of these columns, with the seven digits that a chart can show.

    A browser gets it several times a second, so it is short.
    """
    return arrow_table({name: in_few_bytes(values) for name, values in columns.items()})


@lru_cache(maxsize=256)  # words at axes rarely change from one draw to the next
def table_of_rows(columns: pa.Schema, rows: tuple[tuple[object, ...], ...]) -> pa.Table:
    """Return an Arrow table of these rows, of which there may be none."""
    if not rows:
        return columns.empty_table()
    cells = zip(columns, zip(*rows, strict=True), strict=True)
    return pa.table({column.name: pa.array(values, column.type) for column, values in cells})


def in_few_bytes(values: Any, shorter: type[np.floating] = np.float32) -> Any:
    """Return an array of floats in a shorter type, unless its numbers leave the range of that."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return values
    least, most, size = FLOAT_RANGES[shorter]
    if values.itemsize <= size:
        return values
    sizes = np.abs(values)
    if (((sizes < least) & (sizes > 0)) | (sizes > most)).any():  # never true of NaN
        return values
    return values.astype(shorter)


def rows_in_few_bytes(names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the rows of an array by name, each `in_few_bytes`.

    They are checked together, since numbers rarely leave the range.
    """
    short = in_few_bytes(values)
    rows = short if short is not values else map(in_few_bytes, values)
    return dict(zip(names, rows, strict=True))


def in_smallest_type(numbers: Any, largest: int) -> np.ndarray:
    """Return integers, of which none is larger than `largest`, in the smallest type."""
    return np.asarray(numbers, dtype=np.min_scalar_type(-largest))


def repeated_texts(texts: Sequence[str], indices: np.ndarray) -> pa.Array:
    """Return the texts at these indices, each of them stored once."""
    return pa.DictionaryArray.from_arrays(indices.astype(np.int8), text_array(tuple(texts)))


@lru_cache(maxsize=256)
def text_array(texts: tuple[str, ...]) -> pa.Array:
    """Return an Arrow array of texts, which rarely change from one draw to the next."""
    return pa.array(texts, pa.string())


def scheme_columns(schemes: Sequence[str], **columns: Any) -> dict[str, Any]:
    """Return these columns once for each scheme, one scheme after another, named by `scheme`."""
    tiled = {name: np.tile(values, len(schemes)) for name, values in columns.items()}
    count = len(next(iter(columns.values())))
    return {"scheme": scheme_column(tuple(schemes), count)} | tiled


@lru_cache(maxsize=256)
def scheme_column(schemes: tuple[str, ...], count: int) -> pa.Array:
    """Return each scheme `count` times, one scheme after another."""
    return repeated_texts(schemes, np.repeat(range(len(schemes)), count))


def to_arrow_bytes(table: pa.Table) -> bytes:
    """Return a table as the stream of bytes that a browser reads."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=STREAM_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def range_columns(table: pa.Table, name: str) -> list[np.ndarray]:
    """Return the lowest and the highest values of a quantity; of one replicate its values."""
    low = f"{name}_low"
    names = (low, f"{name}_high") if low in table.column_names else (name, name)
    return [table[column].to_numpy().astype(float) for column in names]


def log_axis_limits(names: Sequence[str], table: pa.Table) -> pa.Table:
    """Return the `log_limits` of each quantity and its range in a table."""
    return arrow_table(
        {name: log_limits(np.concatenate(range_columns(table, name))) for name in names}
    )


def log_limits(values: np.ndarray, decades: int = 2) -> list[float]:
    """Return the ends of the log axis of these values, rounded out to steps of `decades`.

    So they rarely move as data come in.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return log_ends(math.nan, math.nan, decades)
    return log_ends(float(values.min()), float(values.max()), decades)


def log_ends(smallest: float, largest: float, decades: int = 2) -> list[float]:
    """Return the ends of a log axis from the smallest to the largest number; NaN if there is none.

    They are rounded out to steps of `decades`.
    """
    if math.isnan(smallest):
        smallest, largest = 0.1, 10.0
    low = decades * math.floor(math.log10(smallest) / decades)
    high = decades * math.ceil(math.log10(largest) / decades)
    if 10.0**low > smallest:  # the logarithm is rounded, too
        low -= decades
    if 10.0 ** min(high, 308) < largest:
        high += decades
    high = max(high, low + decades)
    return [10.0 ** min(max(-320, exponent), 308) for exponent in (low, high)]
