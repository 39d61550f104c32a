"""Where a network leaves a number format, before it is drawn: the first layer whose signal overflows, on the way forward, and
the first whose gradient is lost, on the way back.

Sizes are those of `predict`. Of n values of a bell curve the largest lies, half of the time, below the point beyond which
there are ln 2 / n of them: about sqrt(2 ln n) standard deviations. So many values a batch has in a layer; the units of a wide
layer are normal, the examples of one batch alike in size.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from stability.catalogues.number_formats import FORMATS
from stability.engine.loss_scaling import INITIAL_SCALE
from stability.records.experiment import Experiment
from stability.theory.prediction import predict


@dataclass(frozen=True)
class FormatExit:
    """The layers, counted from 1, where a scheme leaves a format; None where it stays, or where nothing is predicted.

    `forward`: the first whose largest number is beyond the format's largest. `backward`: from the last layer back, the first
    whose largest gradient is rounded to 0.
    """

    scheme: str
    forward: int | None
    backward: int | None


def median_largest_normal(count: int) -> float:
    """The median of the largest absolute value among so many of N(0, 1): 1 - 2 (1 - Phi(m)) = 2^(-1 / count)."""
    return -NormalDist().inv_cdf(-math.expm1(-math.log(2) / count) / 2)


def leaving(e: Experiment, format: str = "") -> tuple[FormatExit, ...]:
    """Of every scheme; `format` is a key of FORMATS, the experiment's own where it is left out.

    Of a format that networks are trained in with loss scaling, the gradient is that of the loss times the scale it starts
    with. Gradients are predicted as if none had been lost before: of what is left of them, half a layer is soon all.
    """
    row = FORMATS[format] if format else e.number_format
    found, times = predict(e), INITIAL_SCALE if row.scales_loss else 1.0
    count = np.array([layer.fan_out * e.batch for layer in e.layers])
    most = np.array([median_largest_normal(int(n)) for n in count])
    with np.errstate(invalid="ignore", over="ignore"):
        over = found.signal * most > row.largest_finite  # NaN is not predicted, and not beyond anything
        under = found.signal_gradient * most / e.batch * times <= row.smallest_subnormal / 2
    return tuple(
        FormatExit(scheme, first(forward), last(backward))
        for scheme, forward, backward in zip(e.schemes, over, under, strict=True)
    )


def format_exit_sentences(e: Experiment, format: str = "") -> list[str]:
    """What is expected to leave the format, a sentence for each scheme of which that is said."""
    label, said = (FORMATS[format] if format else e.number_format).label, []
    for row, left in zip(e.scheme_rows, leaving(e, format), strict=True):
        over = f"signals overflow {label} from layer {left.forward} on" if left.forward else ""
        under = f"every gradient is 0 in {label} from layer {left.backward} down" if left.backward else ""
        if parts := " and ".join(filter(None, [over, under])):
            said.append(f"Foreseen before training: of {row.title}, {parts}.")
    return said


def first(layers: np.ndarray) -> int | None:
    """The first that is true, counted from 1."""
    return int(layers.argmax()) + 1 if layers.any() else None


def last(layers: np.ndarray) -> int | None:
    return len(layers) - int(layers[::-1].argmax()) if layers.any() else None
