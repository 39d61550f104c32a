"""Tidy pandas frames for notebooks, a row for each network, step (and layer); and what a finished run came to."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.measurement import Measurement, PROFILES
from stability.engine.replicates import median_and_range, median_of_finite
from stability.engine.runs import Run
from stability.frames.arrow import DEPTH_QUANTITIES, hide_unplottable, arrow_table
from stability.records.experiment import Experiment
from stability.theory.prediction import Prediction

CURVE_QUANTITIES = "loss", "accuracy", "test_loss", "test_accuracy", "gradient_norm", "scale"
AFTER_EVERY_STEP = 10**9  # a step after every step
MOST_LINE_POINTS, MOST_BINS = 100, 60  # the most a line and a heat map have; a browser pays for every one at every draw


def curves(run: Run) -> pd.DataFrame:
    """All scalars so far. Columns: run, kind ("measured"), scheme, replicate, step (int); SCALARS (float64).

    loss in nats (or squared units of the target), accuracy as a share, gradient_norm as a plain number; scale is
    what the loss was multiplied by on the way back, 1 without loss scaling.
    """
    measurements = list(run.measurements)
    keys = key_columns(run.experiment, [m.step for m in measurements])
    return pd.DataFrame(keys | {name: hide_unplottable(name, stack_measurements(measurements, name)).ravel() for name in CURVE_QUANTITIES})


def layers(source: Run | Prediction) -> pd.DataFrame:
    """All profiles that are kept. Columns: run, kind, scheme, replicate, step, layer (int, from 1); PROFILES (float64).

    saturated and dead are shares, distinct a count, the others plain numbers; those of hidden units are null at the output.
    A prediction has the kind "theory", one replicate, and null for what it does not predict.
    """
    if isinstance(source, Prediction):
        frame = prediction_table(source).to_pandas()
        keys = {"run": "run", "kind": "theory", "scheme": frame["scheme"], "replicate": 0, "step": 0, "layer": frame["layer"]}
        return pd.DataFrame(keys | {name: frame.get(name, math.nan) for name in PROFILES})
    measurements = [m for m in list(source.measurements) if m.signal is not None]
    depth = source.experiment.depth
    keys = key_columns(source.experiment, [m.step for m in measurements], depth)
    frame = pd.DataFrame(keys)
    for name in PROFILES:
        values = hide_unplottable(name, stack_measurements(measurements, name))  # (steps, S, R, L or L-1)
        padding = [(0, 0)] * 3 + [(0, depth - values.shape[3])]
        frame[name] = np.pad(values, padding, constant_values=math.nan).ravel()
    return frame


def key_columns(e: Experiment, steps: Sequence[int], depth: int | None = None) -> dict[str, object]:
    """The key columns for arrays `(steps, S, R[, L])` that are raveled."""
    axes = [np.asarray(steps, dtype=int), np.arange(len(e.schemes)), np.arange(e.replicates)]
    axes += [np.arange(1, depth + 1)] if depth else []
    step, scheme, replicate, *layer = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    names = {"run": "run", "kind": "measured", "scheme": np.array(e.schemes)[scheme], "replicate": replicate, "step": step}
    return names | ({"layer": layer[0]} if layer else {})


def stack_measurements(measurements: Sequence[Measurement], name: str) -> np.ndarray:
    """One quantity of several measurements, `(steps, S, R, ...)`."""
    arrays = [getattr(m, name) for m in measurements]
    return np.stack(arrays) if arrays else np.empty((0, 0, 0, 0) if name in PROFILES else (0, 0, 0))


def stack_masked(measurements: Sequence[Measurement], name: str) -> np.ndarray:
    """As `stacked`; an accuracy is NaN where the loss is not finite: such a network gives no answers, not wrong ones."""
    values = stack_measurements(measurements, name)
    if not name.endswith("accuracy"):
        return values
    return np.where(np.isfinite(stack_measurements(measurements, name.replace("accuracy", "loss"))), values, math.nan)


def summary_frame(run: Run) -> pd.DataFrame:
    """What a finished run came to, a row for each scheme, medians over the finite replicates.

    Columns: settings (those that are not the defaults), scheme, loss, test_accuracy, first_gradient and last_gradient (signal
    gradient of the first and the last layer at step 0), diverged (the step, or null), seconds (of the whole run).
    """
    e, first, last = run.experiment, run.measurements[0], run.measurements[-1]
    differing = replace(e, schemes=Experiment().schemes).differences(Experiment()).items()
    words = ", ".join(e.knobs()[name].label_with_value(value) for name, value in differing) or "defaults"
    steps = {scheme: [event.step for (s, _), event in run.breaks.items() if s == scheme] for scheme in range(len(e.schemes))}
    return pd.DataFrame(
        {
            "settings": words,
            "scheme": [row.title for row in e.scheme_rows],
            "loss": median_of_finite(last.loss),
            "test_accuracy": median_of_finite(stack_masked([last], "test_accuracy")[0]),
            "first_gradient": median_of_finite(first.signal_gradient[:, :, 0]),
            "last_gradient": median_of_finite(first.signal_gradient[:, :, -1]),
            "diverged": [min(steps[scheme], default=math.nan) for scheme in range(len(e.schemes))],
            "seconds": run.seconds,
        }
    )


def describe_standing(run: Run, count: int, scheme: str) -> str:
    """Where a scheme stands after the first `count` measurements, in words: medians over the replicates that are finite."""
    index, newest = run.experiment.schemes.index(scheme), run.measurements[count - 1]
    losses, shares = newest.loss[index], newest.accuracy[index]
    finite = np.isfinite(losses)
    if not finite.any():
        return "loss: not finite"
    right = f", {100 * np.median(shares[finite]):.0f} % right" if run.experiment.dataset_row.classes else ""
    return f"loss {median_of_finite(losses, axis=0):.2g}{right}" + ("" if finite.all() else f" ({finite.sum()} of {len(finite)} replicates)")


def median_and_range_columns(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Median and range over the finite replicates of values `(points, S, R)`, schemes outermost."""
    middle, low, high = (values[..., 0],) * 3 if values.shape[2] == 1 else median_and_range(values, axis=2)
    return {name: middle.T.ravel(), f"{name}_low": low.T.ravel(), f"{name}_high": high.T.ravel()}


def prediction_table(prediction: Prediction) -> pa.Table:
    """What is predicted at step 0. Columns: scheme, layer (int), THROUGH_DEPTH with _low and _high (float64).

    Between low and high lie nine of ten networks, for one example; where no law is known they are the prediction itself.
    """
    e = prediction.experiment
    columns = {"scheme": np.repeat(e.schemes, e.depth), "layer": np.tile(np.arange(1, e.depth + 1), len(e.schemes))}
    for name in DEPTH_QUANTITIES:
        value, band = getattr(prediction, name, None), getattr(prediction, f"{name}_band", None)
        if value is None:  # of the weight gradient
            value, band = np.full((len(e.schemes), e.depth), math.nan), np.ones((len(e.schemes), 2, e.depth))
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.moveaxis(value[:, None] * np.nan_to_num(band, nan=1.0), 1, 0)
        columns |= {name + end: hide_unplottable(name, lines).ravel() for end, lines in (("", value), ("_low", low), ("_high", high))}
    return arrow_table(columns)
