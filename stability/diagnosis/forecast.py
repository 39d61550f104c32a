"""Will it learn? A forecast from the first measurement alone.

To learn is to halve the held-out loss. A network that starts near the loss of guessing must find something out for that;
one that starts far above need only come down. Each is a logistic regression on a few signs, and between them the
forecast is blended. Fitted on 7200 random networks of at most 20 layers x 32 and 100 steps, with every activation,
scheme, optimizer, data set and normalization, at learning rates from a tenth to ten times the typical one.
"""

import math

from stability.diagnosis.indicators import Indicators
from stability.records.experiment import Experiment

FORECAST_ACCURACY = 0.87  # share that came true of 9200 such networks; 0.89 of the 2000 that had no part in the fit
NEAR, FAR = 0.2, 0.5  # log10 of the start's height over guessing: up to 1.6 times it must learn, from 3.2 it need only fall
PROMISE, LEAST = 1.1, 1.0  # a power of ten more of the loss, promised by all layers and by the one that promises least
FADE_FORTH, FADE_BACK = -0.8, -0.3  # what fades is late rather than lost: the layers near the output learn first, and help
PACE = -1.4  # a step that promises more than the whole loss overshoots
DROPPED = -0.9  # a layer times the share dropped: with no way around them layers multiply their noise
SHALLOW = -0.6  # one hidden layer at most
BRISK, HASTE = 1.2, -5.0  # the fit ends at ten times the typical rate; at 30 times some networks still learn, at 100 none
FALL, FALL_PROMISE, FALL_PACE = 1.1, 4.5, -2.4


def learning_probability(e: Experiment, signs: Indicators) -> float:
    """Probability that this network halves its held-out loss in the steps it has; `signs` are those of step 0."""
    if not signs.is_finite or math.isnan(signs.log_predicted_drop):
        return 0.0
    height = math.log10(signs.relative_loss) if signs.relative_loss > 0 else -math.inf
    far = within((height - NEAR) / (FAR - NEAR), 0, 1)
    odds = (1 - far) * learning(e, signs) + far * falling(signs) + HASTE * excess_rate_decades(e)
    return 1 / (1 + math.exp(-odds))


def excess_rate_decades(e: Experiment) -> float:
    """Powers of ten by which the learning rate exceeds what any network here survives."""
    return max(0.0, math.log10(e.learning_rate / e.optimizer_row.learning_rate) - BRISK)


def learning(e: Experiment, signs: Indicators) -> float:
    """Log odds for a start near guessing."""
    promised = PROMISE * within(signs.log_predicted_drop, -1.5, 1.5) + LEAST * within(signs.log_weakest_layer_drop, -4, 0)
    faded = FADE_FORTH * within(signs.log_signal, -2, 0) + FADE_BACK * within(signs.log_gradient, -3, 0)
    hindered = PACE * within(signs.log_step_drop, 0, 1.5) + DROPPED * e.dropout * e.depth * (not e.residual)
    return e.dataset_row.ease + promised + faded + hindered + SHALLOW * (e.depth <= 2)


def falling(signs: Indicators) -> float:
    """Log odds for a start far above guessing."""
    return FALL + FALL_PROMISE * within(signs.log_predicted_drop, -1, 0.5) + FALL_PACE * within(signs.log_step_drop, 0, 1.5)


def within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
