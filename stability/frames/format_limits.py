"""Where a number format ends, on the log axes of signals and gradients."""

import math

import pyarrow as pa

from stability.catalogues.number_formats import FORMATS
from stability.engine.measurement import Measurement
from stability.frames.arrow import arrow_table
from stability.records.experiment import Experiment

LABEL_ROOM = 0.12  # of a panel's height: what a few words need


def format_limit_table(e: Experiment, newest: Measurement, bounds: pa.Table, format: str = "") -> pa.Table:
    """The ends of a format (a key of FORMATS; none: the run's own), within the limits `bounds` of their axes.

    Columns: quantity, height, words, inside: False of an end beyond the axis, which is not drawn, and has its height at the
    edge, so that every axis has a number; under: words stand below the line, where there is room. A norm stands at a rule
    where the root mean square of its numbers, as they are stored, is at the end of the format: gradients are those of the
    mean loss, times the loss scale, and a weight gradient is that of a hidden layer.
    """
    row = FORMATS[format] if format else e.number_format
    ends = {"largest": row.largest_finite, "smallest normal": row.smallest_normal, "smallest": row.smallest_subnormal}
    rows = []
    for name in bounds.column_names:
        low, high = bounds[name].to_pylist()
        stored = ", as stored" * ("gradient" in name)
        unit = stored_unit(e, newest, name)
        heights = {f"{row.label} {end}{stored}": value * unit for end, value in ends.items()}
        for words, at in heights.items():
            stands = min(max(low, at), high)
            place = (math.log10(stands) - math.log10(low)) / (math.log10(high) - math.log10(low))
            smallest = words.partition(",")[0] == f"{row.label} smallest"
            rows.append((name, stands, words, low <= at <= high, place > (LABEL_ROOM if smallest else 1 - LABEL_ROOM)))
    return arrow_table(dict(zip(("quantity", "height", "words", "inside", "under"), zip(*rows, strict=True), strict=True)))


def stored_unit(e: Experiment, newest: Measurement, quantity: str) -> float:
    """What a quantity shows where the numbers that it is made of, as they are stored, have a root mean square of 1."""
    hidden = e.layers[min(1, e.depth - 1)]
    parameters = sum(layer.fan_out * (layer.fan_in + 1) for layer in e.layers)
    sizes = {
        "signal_gradient": e.batch,
        "weight_gradient": math.sqrt(hidden.fan_in * hidden.fan_out),
        "gradient_norm": math.sqrt(parameters),
    }
    return sizes[quantity] / float(newest.scale.max()) if quantity in sizes else 1.0
