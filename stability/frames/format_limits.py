"""The rules at the limits of a number format, on the log axes of signals and gradients."""

import math

import pyarrow as pa

from stability.catalogues.number_formats import FORMATS, Format
from stability.engine.measurement import Measurement
from stability.frames.arrow import table_of_rows
from stability.frames.axes import Limits, axis_pair
from stability.i18n import N_, _, cache_by_language
from stability.records.experiment import Experiment

LIMIT_COLUMNS = pa.schema(
    {"quantity": pa.string(), "height": pa.float64(), "words": pa.string(), "under": pa.bool_()}
)
WORDS = {  # by the end of the format, of signals and of gradients
    "largest": (N_("{format} largest"), N_("{format} largest, as stored")),
    "smallest normal": (N_("{format} smallest normal"), N_("{format} smallest normal, as stored")),
    "smallest": (N_("{format} smallest"), N_("{format} smallest, as stored")),
}
LABEL_ROOM = 0.12  # the share of a panel's height that a few words need


def format_limit_table(
    e: Experiment, newest: Measurement, bounds: Limits, format: str = ""
) -> pa.Table:
    """Return the limits of a format (a key of FORMATS; empty: the run's) on axes from `bounds`.

    Columns: quantity, height, words, under (True if words stand below their line). A limit beyond
    the axis that shows everything is left out. A norm reaches a rule where the root mean square of
    its numbers, as stored, is at the limit: stored gradients are those of the mean loss times the
    loss scale, and the rule for weight gradients is exact for a hidden layer.
    """
    units = stored_units(e, newest)
    axes = tuple(
        (name, units.get(name, 1.0), axis_pair(bounds, name), axis_pair(bounds, name, 1))
        for name in bounds
    )
    return limits_on_axes(FORMATS[format] if format else e.number_format, axes)


@cache_by_language(maxsize=256)  # axes rarely change from one draw to the next
def limits_on_axes(
    row: Format, axes: tuple[tuple[str, float, tuple[float, float], tuple[float, float]], ...]
) -> pa.Table:
    """Return a `format_limit_table`.

    Of each quantity come its name, its entry of `stored_units`, and the ends of the axis of the
    living and of the one that shows everything.
    """
    ends = {
        "largest": row.largest_finite,
        "smallest normal": row.smallest_normal,
        "smallest": row.smallest_subnormal,
    }
    rows = []
    for quantity, unit, living, (low, high) in axes:
        for end, value in ends.items():
            words = _(WORDS[end]["gradient" in quantity]).format(format=row.label)
            height = value * unit
            if not low <= height <= high:
                continue
            ends_seen = living if living[0] <= height <= living[1] else (low, high)
            bottom, top = map(math.log10, ends_seen)
            share = (math.log10(height) - bottom) / (top - bottom)
            room = LABEL_ROOM if end == "smallest" else 1 - LABEL_ROOM
            rows.append((quantity, height, words, share > room))
    return table_of_rows(LIMIT_COLUMNS, tuple(rows))


def stored_units(e: Experiment, newest: Measurement) -> dict[str, float]:
    """Return the measured value of each kind of gradient whose numbers, as stored, have RMS 1."""
    hidden = e.layers[min(1, e.depth - 1)]
    parameters = sum(layer.fan_out * (layer.fan_in + 1) for layer in e.layers)
    scale = float(newest.scale.max())
    return {
        "signal_gradient": e.batch / scale,
        "weight_gradient": math.sqrt(hidden.fan_in * hidden.fan_out) / scale,
        "gradient_norm": math.sqrt(parameters) / scale,
    }
