"""The sentences about what rounding takes of the updates, of weights and of gains apart."""

import math

import numpy as np

from stability.engine.measurement import Measurement
from stability.engine.replicates import median_or_worst
from stability.engine.runs import Run
from stability.i18n import _
from stability.page.probe_sentences import of_scheme
from stability.text import share_in_words

NOTABLE = 0.01  # a smaller share, of either kind, is not mentioned


def sentences_about_lost_updates(run: Run, count: int, step: int) -> list[str]:
    """He (normal): of the update before step 300 rounding took 98 % from the weights, ...

    From the newest of the first `count` measurements, up to `step`, that has these shares. Nothing
    where there is none, and nothing of a scheme that loses less than 1 % of either.
    """
    kept = [m for m in list(run.measurements)[: min(count, step + 1)] if has_shares(m)]
    if not kept:
        return []
    of_weights, of_gains = lost_by_scheme(kept[-1])
    rows = zip(run.experiment.scheme_rows, of_weights, of_gains, strict=True)
    return [
        of_scheme(row, describe_lost(kept[-1].step, weights, gains))
        for row, weights, gains in rows
        if max(weights, np.nan_to_num(gains)) >= NOTABLE
    ]


def has_shares(measurement: Measurement) -> bool:
    return measurement.lost_updates is not None and bool(
        np.isfinite(measurement.lost_updates).any()
    )


def lost_by_scheme(measurement: Measurement) -> tuple[list[float], list[float]]:
    """Return the mean shares over the layers, by scheme; of gains NaN where there are none."""
    weights = median_or_worst(measurement.lost_updates).mean(axis=1)
    if not measurement.lost_gain_updates.shape[2]:
        return weights.tolist(), [math.nan] * len(weights)
    return weights.tolist(), median_or_worst(measurement.lost_gain_updates).mean(axis=1).tolist()


def describe_lost(step: int, weights: float, gains: float) -> str:
    sentence = _("rounding took {weights} of the update of the weights before step {step}.")
    if not math.isnan(gains):
        sentence = _(
            "rounding took {weights} of the update of the weights before step {step}, and {gains} "
            "of that of the gains."
        )
    words = {"weights": share_in_words(weights), "step": step}
    return sentence.format(gains=share_in_words(gains) if not math.isnan(gains) else "", **words)
