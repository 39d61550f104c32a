"""Tidy pandas frames for notebooks, a row for each network, step (and layer); summaries of runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.diagnosis.verdicts import current_verdicts
from stability.engine.measurement import PROFILES, Measurement
from stability.engine.replicates import median_and_range, median_of_finite
from stability.engine.runs import Run
from stability.frames.arrow import (
    DEPTH_QUANTITIES,
    arrow_table,
    hide_unplottable,
    hide_unplottable_rows,
    scheme_columns,
)
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import number, percent
from stability.theory.prediction import Prediction

CURVE_QUANTITIES = "loss", "accuracy", "test_loss", "test_accuracy", "gradient_norm", "scale"
AFTER_EVERY_STEP = 32_000  # two bytes a row
# Most points of a line and bins of a heat map: a browser draws all of them each time.
MOST_LINE_POINTS, MOST_BINS = 100, 60


def curves(run: Run) -> pd.DataFrame:
    """Return every quantity that has one number a network and step, so far.

    Columns: kind ("measured"), scheme, replicate, step (int); CURVE_QUANTITIES (float64): losses in
    nats or squared units of the target, accuracies as shares, gradient_norm as a plain number;
    scale is what the loss was multiplied by on the way back, 1 without loss scaling.
    """
    measurements = list(run.measurements)
    columns = key_columns(run.experiment, measurements)
    for name in CURVE_QUANTITIES:
        columns[name] = hide_unplottable(name, stack_measurements(measurements, name)).ravel()
    return pd.DataFrame(columns)


def layers(source: Run | Prediction) -> pd.DataFrame:
    """Return all profiles that are kept, or that are predicted.

    Columns: kind, scheme, replicate, step, layer (int, from 1); PROFILES (float64): saturated,
    dead, lost_updates and lost_gain_updates are shares, distinct a count, the others plain numbers;
    those of hidden units are null at the output, and those of sampled steps (spread, distinct, what
    is lost) null between. A prediction has the kind "theory", one replicate, and null for what it
    lacks.
    """
    if isinstance(source, Prediction):
        frame = prediction_table(source).to_pandas()
        schemes = frame["scheme"].astype(object)  # in the table each text is stored once
        keys = {"kind": "theory", "scheme": schemes, "replicate": 0, "step": 0}
        predicted = {name: frame.get(name, math.nan) for name in PROFILES}
        return pd.DataFrame(keys | {"layer": frame["layer"]} | predicted)
    measurements = [m for m in list(source.measurements) if m.has_profiles]
    depth = source.experiment.depth
    columns = key_columns(source.experiment, measurements, layer=range(1, depth + 1))
    for name in PROFILES:
        values = hide_unplottable(name, stack_measurements(measurements, name))
        padding = [(0, 0)] * 3 + [(0, depth - values.shape[3])]  # (steps, S, R, L or L-1)
        columns[name] = np.pad(values, padding, constant_values=math.nan).ravel()
    return pd.DataFrame(columns)


def key_columns(
    e: Experiment, measurements: Sequence[Measurement], **inner: Sequence[Any]
) -> dict[str, Any]:
    """Return the key columns of raveled arrays `(steps, S, R, ...)`, of further axes `inner`."""
    steps = np.array([m.step for m in measurements], dtype=int)
    axes: list[Any] = [steps, e.schemes, range(e.replicates), *inner.values()]
    step, scheme, *others = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    keys = {"kind": "measured", "scheme": scheme, "replicate": others[0], "step": step}
    return keys | dict(zip(inner, others[1:], strict=True))


def stack_measurements(measurements: Sequence[Measurement], name: str) -> np.ndarray:
    """Return one quantity of several measurements, `(steps, S, R, ...)`."""
    if not measurements:
        return np.empty((0, 0, 0, 0) if name in PROFILES else (0, 0, 0))
    # Of many small arrays, three times as fast as np.stack.
    return np.array([getattr(m, name) for m in measurements])


def stack_curves(measurements: Sequence[Measurement], names: Sequence[str]) -> np.ndarray:
    """Return a loss, its accuracy and further quantities, `(Q, steps, S, R)`.

    The accuracy is NaN where the loss is not finite: a diverged network gives no answers, rather
    than wrong ones.
    """
    # Of many small arrays, three times as fast as np.stack.
    values = np.array([[getattr(m, name) for m in measurements] for name in names])
    values[1][~np.isfinite(values[0])] = math.nan
    return values


def median_and_range_rows(
    names: Sequence[str], values: np.ndarray, axis: int
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return medians and ranges over the replicates: their names, and an array with a row for each.

    `values` has a row for each quantity in `names`, and the replicates along `axis`. The ends of a
    range are named `_low` and `_high`; one replicate has no range. Values that an axis cannot show
    are NaN.
    """
    values = hide_unplottable_rows(names, values)
    if values.shape[axis] == 1:
        return tuple(names), values.squeeze(axis)
    found = np.stack(median_and_range(values, axis), axis=1)  # (Q, 3, ...)
    every_name = tuple(name + end for name in names for end in ("", "_low", "_high"))
    return every_name, found.reshape(-1, *found.shape[2:])


def runs_of_equal_values(values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return the indices at which runs of equal values begin on the last axis, and their lengths.

    NaN equals NaN.
    """
    before, after = values[..., :-1], values[..., 1:]
    first = np.ones(values.shape, dtype=bool)
    first[..., 1:] = (before != after) & ((before == before) | (after == after))
    return first.nonzero(), np.diff(np.append(np.flatnonzero(first), first.size))


def prediction_table(prediction: Prediction) -> pa.Table:
    """Return what is predicted at step 0.

    Columns: scheme, layer (int), DEPTH_QUANTITIES with _low and _high (float64). Nine of ten
    networks lie between low and high, for one example; where no law is known these are the
    prediction itself.
    """
    e = prediction.experiment
    shape = len(e.schemes), e.depth
    columns = scheme_columns(e.schemes, layer=range(1, e.depth + 1))
    for name in DEPTH_QUANTITIES:
        values = getattr(prediction, name, np.full(shape, math.nan))  # NaN: no theory
        band = getattr(prediction, f"{name}_band", np.ones((shape[0], 2, shape[1])))
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.moveaxis(values[:, None] * np.nan_to_num(band, nan=1.0), 1, 0)
        for end, lines in (("", values), ("_low", low), ("_high", high)):
            columns[name + end] = hide_unplottable(name, lines).ravel()
    return arrow_table(columns)


def summary_frame(run: Run) -> pd.DataFrame:
    """Return the outcome of a finished run, a row for each scheme, medians over the replicates.

    Columns: verdict (its word, untranslated), learned (how many of the replicates), start (the
    held-out loss at step 0, over that of guessing), loss, test_accuracy, first_gradient and
    last_gradient (signal gradient of the first and the last layer at step 0), diverged (the step,
    or null), seconds (of the whole run).
    """
    e, first, last = run.experiment, run.measurements[0], run.measurements[-1]
    test_accuracy = stack_curves([last], ("test_loss", "test_accuracy"))[1]
    verdicts = current_verdicts(run, len(run.measurements))
    breaks = [(scheme, event.step) for (scheme, _replicate), event in run.breaks.items()]
    diverged = [
        min((step for broken, step in breaks if broken == scheme), default=math.nan)
        for scheme in range(len(e.schemes))
    ]
    return pd.DataFrame(
        {
            "verdict": [verdict.word for verdict in verdicts],
            "learned": [verdict.evidence.learned_replicates for verdict in verdicts],
            "start": median_of_finite(first.test_loss) / e.dataset_row.guessing_loss,
            "loss": median_of_finite(last.loss),
            "test_accuracy": median_of_finite(test_accuracy[0]),
            "first_gradient": median_of_finite(first.signal_gradient[:, :, 0]),
            "last_gradient": median_of_finite(first.signal_gradient[:, :, -1]),
            "diverged": diverged,
            "seconds": run.seconds,
        }
    )


def summary_in_words(e: Experiment, summary: pd.DataFrame) -> pd.DataFrame:
    """Return an experiment's `summary_frame` in the reader's language.

    Columns: settings (those that are not the defaults), scheme (its title), and those of the
    summary, of which verdict and learned are text.
    """
    changed = replace(e, schemes=Experiment().schemes).differences(Experiment())
    words = [e.knobs()[name].label_with_value(value) for name, value in changed.items()]
    learned = _("{count} of {all}")
    named = {
        "settings": _(", ").join(words) or _("defaults"),
        "scheme": [row.title for row in e.scheme_rows],
    }
    in_words = summary.assign(
        verdict=summary["verdict"].map(_),
        learned=[learned.format(count=count, all=e.replicates) for count in summary["learned"]],
    )
    return pd.DataFrame(named).join(in_words)


def describe_standing(run: Run, count: int, scheme: str) -> str:
    """Return a scheme's loss and accuracy after `count` measurements, medians over replicates."""
    e, newest = run.experiment, run.measurements[count - 1]
    index = e.schemes.index(scheme)
    losses, finite = newest.loss[index], np.isfinite(newest.loss[index])
    if not finite.any():
        return _("last batch: the loss is not finite")
    text, right = _("last batch: loss {loss}"), ""
    if e.dataset_row.classes:
        text = _("last batch: loss {loss}, {right} right")
        right = percent(float(np.median(newest.accuracy[index][finite])))
    text = text.format(loss=number(float(median_of_finite(losses, axis=0)), 2), right=right)
    some = _("{text} ({count} of {replicates} replicates)")
    some = some.format(text=text, count=finite.sum(), replicates=len(finite))
    return text if finite.all() else some
