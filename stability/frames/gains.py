"""The first layer's gains, forward and backward, as a chart and a table show them."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.frames.arrow import arrow_table, hide_unplottable, log_axis_limits
from stability.frames.tidy import median_and_range_columns
from stability.probes.first_layer_gain import first_layer_gain
from stability.records.experiment import Experiment

CONDITION_LABELS = "forward kept", "Xavier", "backward kept"
MARGIN = 6.0  # times the least and the most variance: room for the words beside a rule


@lru_cache(maxsize=32)
def gain_tables(e: Experiment) -> Mapping[str, pa.Table]:
    """What a chart of gains draws, without a run: `gains`, `conditions`, `law` and `limits`.

    gains: scheme, and median, `_low` and `_high` over the replicates of variance, forward and backward; predicted_forward,
    predicted_backward. conditions: variance, label, row (from the top), after (whether its words stand right of its rule).
    law: variance, forward, backward at the ends of the axis and at the conditions. limits: variance, factor.
    """
    fan_in, fan_out = e.layers[0].fan_in, e.layers[0].fan_out
    measured, special = arrow_table(measured_columns(e)), np.array([1 / fan_in, 2 / (fan_in + fan_out), 1 / fan_out])
    low, high = variance_range(measured["variance_low"].to_numpy(), measured["variance_high"].to_numpy(), special)
    grid = np.array([low, *np.sort(special), high])
    law = arrow_table({"variance": grid, "forward": fan_in * grid, "backward": fan_out * grid})
    place = np.log(special / low) / np.log(high / low)
    after = place < np.where(special == special.min(), 0.3, 0.7)  # words stand outside of the rules where they have room
    conditions = arrow_table({"variance": special, "label": CONDITION_LABELS, "row": np.arange(3), "after": after})
    inside = np.concatenate([[1.0], fan_in * special, fan_out * special])
    bounds = log_axis_limits(["factor"], *factors(measured), arrow_table({"factor_low": inside, "factor_high": inside}), decades=1)
    bounds = bounds.append_column("variance", pa.array([low, high]))
    return MappingProxyType({"gains": measured, "conditions": conditions, "law": law, "limits": bounds})


def measured_columns(e: Experiment) -> dict[str, np.ndarray]:
    found = first_layer_gain(e)
    columns = {"scheme": np.array(e.schemes)}
    for name in ("variance", "forward", "backward"):
        columns |= median_and_range_columns(name, hide_unplottable("gain", getattr(found, name))[None])
    for name in ("predicted_forward", "predicted_backward"):
        columns[name] = hide_unplottable("gain", getattr(found, name))
    return columns


def variance_range(*variances: np.ndarray) -> tuple[float, float]:
    """Of the axis of variances: all of them, and a margin."""
    known = np.concatenate(variances)
    known = known[np.isfinite(known)]
    return float(known.min() / MARGIN), float(known.max() * MARGIN)


def factors(measured: pa.Table) -> list[pa.Table]:
    """Both gains as the range of one axis."""
    names = ("forward", "backward")
    return [arrow_table({f"factor_{end}": measured[f"{name}_{end}"] for end in ("low", "high")}) for name in names]


def gain_frame(e: Experiment) -> pd.DataFrame:
    """A row for each scheme, medians over the replicates; null what is 0, not finite or not predicted.

    Columns: scheme, variance, forward, predicted_forward, backward, predicted_backward.
    """
    frame = gain_tables(e)["gains"].to_pandas()
    columns = ["variance", "forward", "predicted_forward", "backward", "predicted_backward"]
    return frame[columns].assign(scheme=[row.title for row in e.scheme_rows])[["scheme", *columns]]
