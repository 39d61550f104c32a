"""The tables of the first layer's gains, forward and backward."""

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.frames.arrow import GAINS, arrow_table, hide_unplottable, log_limits, range_columns
from stability.frames.tidy import median_and_range_rows
from stability.i18n import N_, _, cache_by_language
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.records.experiment import Experiment

CONDITION_LABELS = N_("forward kept"), N_("Xavier"), N_("backward kept")
MARGIN = 6.0  # times the smallest and the largest variance: room for the words beside a rule


@cache_by_language(maxsize=32)
def gain_tables(e: Experiment) -> dict[str, pa.Table]:
    """Return the tables of the gains' chart, which needs no run.

    gains: scheme, and median, `_low` and `_high` over the replicates of variance, forward and
    backward; predicted_forward, predicted_backward. conditions: variance, label, row (from the
    top), after (True if its words stand right of its rule). law: variance, forward, backward at the
    ends of the axis and at the conditions. limits: variance, factor.
    """
    fan_in, fan_out = e.layers[0].fan_in, e.layers[0].fan_out
    gains = gain_table(e)
    special = np.array([1 / fan_in, 2 / (fan_in + fan_out), 1 / fan_out])
    variances = np.concatenate([*range_columns(gains, "variance"), special])
    variances = variances[np.isfinite(variances)]
    low, high = float(variances.min() / MARGIN), float(variances.max() * MARGIN)
    grid = np.array([low, *np.sort(special), high])
    # Words stand on the outer side of a rule where there is room.
    position = np.log(special / low) / np.log(high / low)
    after = position < np.where(special == special.min(), 0.3, 0.7)
    labels = [_(label) for label in CONDITION_LABELS]
    conditions = {"variance": special, "label": labels, "row": range(3), "after": after}
    at_conditions = np.concatenate([[1.0], fan_in * special, fan_out * special])
    columns = [*range_columns(gains, "forward"), *range_columns(gains, "backward")]
    factors = np.concatenate([*columns, at_conditions])  # both gains share one axis
    law = {"variance": grid, "forward": fan_in * grid, "backward": fan_out * grid}
    return {
        "gains": gains,
        "conditions": arrow_table(conditions),
        "law": arrow_table(law),
        "limits": arrow_table({"factor": log_limits(factors, 1), "variance": [low, high]}),
    }


def gain_table(e: Experiment) -> pa.Table:
    """Return the measured and the predicted gains; the columns of `gains` in `gain_tables`."""
    found = measure_first_layer_gain(e)
    columns = {"scheme": np.array(e.schemes)}
    measured = np.array([getattr(found, name) for name in GAINS[:3]])  # (3, S, R)
    columns |= dict(zip(*median_and_range_rows(GAINS[:3], measured, axis=2), strict=True))
    for name in GAINS[3:]:
        columns[name] = hide_unplottable(name, getattr(found, name))
    return arrow_table(columns)


def gain_frame(e: Experiment) -> pd.DataFrame:
    """Return a row for each scheme, medians over the replicates.

    Columns: scheme (its title), variance, forward, predicted_forward, backward, predicted_backward;
    null where 0, not finite or not predicted.
    """
    columns = ["variance", "forward", "predicted_forward", "backward", "predicted_backward"]
    frame = gain_tables(e)["gains"].to_pandas()
    return frame[["scheme", *columns]].assign(scheme=[row.title for row in e.scheme_rows])
