"""Will it learn? A forecast from the first measurement alone.

To learn is to halve the held-out loss. A network that starts near the loss of guessing must find
something out for that; one that starts far above need only come down. Each case is a logistic
regression on a few indicators, and between them the log-odds are blended. Fitted on 7200 random
networks of at most 20 layers x 32 and 100 steps, with every activation, scheme, optimizer, data set
and normalization, at learning rates from a tenth to ten times the typical one.
"""

import math
from collections.abc import Mapping

import numpy as np

from stability.diagnosis.indicators import Indicators
from stability.records.experiment import Experiment

FORECAST_ACCURACY = 0.87  # came true of 9200 such networks; 0.89 of the 2000 left out of the fit

# log10 of the loss at the start over guessing: up to 1.6 times it a network must learn, from 3.2 on
# it need only come down
NEAR_GUESSING, FAR_FROM_GUESSING = 0.2, 0.5

Coefficients = Mapping[str, tuple[float, float, float]]
# By indicator: log-odds per power of ten, and the range to which the indicator is clipped.
LEARNING_COEFFICIENTS = {
    "log_predicted_drop": (1.1, -1.5, 1.5),
    "log_weakest_layer_drop": (1.0, -4.0, 0.0),
    # A faded signal or gradient makes learning late rather than impossible: the layers near the
    # output learn first, and help.
    "log_signal": (-0.8, -2.0, 0.0),
    "log_gradient": (-0.3, -3.0, 0.0),
    "log_step_drop": (-1.4, 0.0, 1.5),  # a step that predicts more than the whole loss overshoots
}
LEARNING_DROPOUT = -0.9  # per layer and share dropped: without a way around, layers multiply noise
LEARNING_SHALLOW = -0.6  # one hidden layer at most

COMING_DOWN_INTERCEPT = 1.1
COMING_DOWN_COEFFICIENTS = {"log_predicted_drop": (4.5, -1, 0.5), "log_step_drop": (-2.4, 0, 1.5)}

# The fit ends at ten times the typical learning rate; at 30 times some networks still learn, at 100
# none does.
SURVIVED_RATE_DECADES, EXCESS_RATE = 1.2, -5.0


def learning_probability(e: Experiment, start: Indicators) -> float:
    """Return the probability that a network halves its held-out loss, from its start."""
    if not start.is_finite or math.isnan(start.log_predicted_drop):
        return 0.0
    height = math.log10(start.relative_loss) if start.relative_loss > 0 else -math.inf
    far = np.interp(height, (NEAR_GUESSING, FAR_FROM_GUESSING), (0, 1))
    learning = e.dataset_row.ease + weighted_sum(LEARNING_COEFFICIENTS, start)
    if not e.residual:
        learning += LEARNING_DROPOUT * e.dropout * e.depth
    if e.depth <= 2:
        learning += LEARNING_SHALLOW
    coming_down = COMING_DOWN_INTERCEPT + weighted_sum(COMING_DOWN_COEFFICIENTS, start)
    log_odds = (1 - far) * learning + far * coming_down + EXCESS_RATE * excess_rate_decades(e)
    return 1 / (1 + math.exp(-log_odds))


def weighted_sum(coefficients: Coefficients, start: Indicators) -> float:
    """Return the log-odds of the indicators, each clipped to its range."""
    return sum(
        weight * float(np.clip(getattr(start, name), low, high))
        for name, (weight, low, high) in coefficients.items()
    )


def excess_rate_decades(e: Experiment) -> float:
    """Return the powers of ten by which the learning rate exceeds what networks survive."""
    typical = e.optimizer_row.learning_rate
    return max(0.0, math.log10(e.learning_rate / typical) - SURVIVED_RATE_DECADES)
