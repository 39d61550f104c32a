"""Probabilities of what will become of a network, from its start and from what was seen of it.

A network learns if its held-out loss ends below half of what guessing costs, and learns slowly if
below 0.9 of it; else it has not learned. The tables were fitted by `tests/audit.py fit` on random
networks with every activation, scheme, optimizer, data set, normalization and number format.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stability.diagnosis.features import bounded, categories, numeric_features
from stability.diagnosis.indicators import Indicators
from stability.diagnosis.odds import odds_tables, shares
from stability.records.experiment import Experiment

LEARNING_COMES_TRUE = 0.87  # of the networks that "will probably learn": tests/audit.py report


@dataclass(frozen=True)
class Outlook:
    """Probabilities of what a network may do, which add up to 1."""

    learns: float
    slow: float
    stalled: float
    diverged: float


HOPELESS = Outlook(0.0, 0.0, 0.0, 1.0)


@lru_cache(maxsize=256)
def outlook_from_start(e: Experiment, start: Indicators) -> Outlook:
    """Return the probabilities before training."""
    if not start.is_finite or math.isnan(start.log_predicted_drop):
        return HOPELESS
    numbers, choices = numeric_features(e, start), categories(e)
    tables = odds_tables("forecast").items()
    return Outlook(**shares({key: table.log_odds(numbers, choices) for key, table in tables}))


def outlook_after_steps(
    e: Experiment, start: Indicators, losses: Sequence[tuple[int, float]]
) -> Outlook:
    """Return the probabilities after some steps, from held-out losses `(step, loss)` as well."""
    if not start.is_finite or not math.isfinite(losses[-1][1]):
        return HOPELESS
    numbers = progress_features(e, outlook_from_start(e, start), losses)
    tables = odds_tables("progress").items()
    return Outlook(**shares({key: table.log_odds(numbers, {}) for key, table in tables}))


def progress_features(
    e: Experiment, before: Outlook, losses: Sequence[tuple[int, float]]
) -> dict[str, float]:
    """Return the numbers that tell how far training has come, each early and late in the run.

    Heights are natural logarithms of a held-out loss over that of guessing.
    """
    steps = np.array([step for step, _ in losses], dtype=float)
    guessing = e.dataset_row.guessing_loss
    heights = np.array([math.log(min(max(loss, 1e-12), 1e12) / guessing) for _, loss in losses])
    done = steps[-1] / e.steps
    recent = int(np.searchsorted(steps, steps[-1] / 2))  # the later half of what was seen
    slope = (heights[-1] - heights[recent]) / max(1.0, steps[-1] - steps[recent])
    found = {
        "before": math.log((before.learns + 1e-3) / (1 - before.learns + 1e-3)),
        "harm": math.log((before.diverged + 1e-3) / (1 - before.diverged + 1e-3)),
        "height": float(heights[-1]),
        "projected": float(heights[-1] + slope * (e.steps - steps[-1])),
        "lowest": float(heights.min()),
    }
    halves = {f"{name}_early": bounded(value * (1 - done)) for name, value in found.items()}
    return halves | {f"{name}_late": bounded(value * done) for name, value in found.items()}
