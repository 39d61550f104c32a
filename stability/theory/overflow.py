"""The layers at which a network leaves a number format, before it is drawn.

On the way forward that is the first layer whose signal overflows, on the way back the first whose
gradient is lost. Sizes are those of `predict`. The largest of n values of a bell curve lies, half
of the time, below the point beyond which there are ln 2 / n of them: about sqrt(2 ln n) standard
deviations. A layer has as many values as its units times the batch; the units of a wide layer are
normal, the examples of one batch alike in size.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from stability.catalogues.number_formats import FORMATS
from stability.engine.loss_scaling import INITIAL_SCALE
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import join_words
from stability.theory.prediction import predict


@dataclass(frozen=True)
class FormatExit:
    """The layers, counted from 1, at which a scheme leaves a format.

    `forward` is the first layer whose largest number overflows; `backward`, counted from the last
    layer back, the first whose gradients are all rounded to 0. None if there is no such layer, or
    no prediction.
    """

    scheme: str
    forward: int | None
    backward: int | None


def median_largest_normal(count: int) -> float:
    """Return the median m of the largest of n |N(0, 1)|, n = `count`: 2 Phi(m) - 1 = 2^(-1 / n)."""
    return -NormalDist().inv_cdf(-math.expm1(-math.log(2) / count) / 2)


def leaving(e: Experiment, format: str = "") -> tuple[FormatExit, ...]:
    """Return where each scheme leaves `format`, a key of FORMATS; by default the experiment's own.

    In formats with loss scaling, gradients are those of the loss times the initial scale. They are
    predicted as if none had been rounded to 0 in a later layer: once half of them are, all soon
    are.
    """
    row = FORMATS[format] if format else e.number_format
    prediction, scale = predict(e), INITIAL_SCALE if row.scales_loss else 1.0
    largest = np.array([median_largest_normal(layer.fan_out * e.batch) for layer in e.layers])
    with np.errstate(invalid="ignore", over="ignore"):  # NaN where nothing is predicted
        over = prediction.signal * largest > row.largest_finite
        gradient = prediction.signal_gradient * largest / e.batch * scale
        under = gradient <= row.smallest_subnormal / 2
    layers, exits = np.arange(e.depth) + 1, []
    for scheme, beyond, zero in zip(e.schemes, over, under, strict=True):
        forward, backward = layers[beyond].tolist(), layers[zero].tolist()
        exits.append(FormatExit(scheme, min(forward, default=None), max(backward, default=None)))
    return tuple(exits)


def format_exit_sentences(e: Experiment, format: str = "") -> list[str]:
    """Return a sentence for each scheme that is predicted to leave the format."""
    label, sentences = (FORMATS[format] if format else e.number_format).label, []
    for row, exits in zip(e.scheme_rows, leaving(e, format), strict=True):
        events = []
        if exits.forward:
            event = _("signals overflow {label} from layer {layer} on")
            events.append(event.format(label=label, layer=exits.forward))
        if exits.backward:
            event = _("every gradient is 0 in {label} from layer {layer} down")
            events.append(event.format(label=label, layer=exits.backward))
        if events:
            sentence = _("Foreseen before training: of {scheme}, {events}.")
            sentences.append(sentence.format(scheme=row.title, events=join_words(events)))
    return sentences
