"""Measurements as tidy frames: the only place that knows columns.

For notebooks, pandas frames with a row for each network, step (and layer): `curves`, `layers`. For the charts, Arrow
tables thinned to what can be drawn, a fifth of the price of a frame: `bands`, `profiles`, `heat`, `marks`, `limits`.
What a log axis cannot show, zeros and numbers that are not finite, is null in all of them; `stability.remarks` says it
in words.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from stability import knobs
from stability.experiment import Experiment
from stability.jacobian import predicted_edge, singular_values
from stability.prediction import Prediction, predict
from stability.quantities import PROFILES, Measurement
from stability.remarks import Remark, remarks
from stability.runs import Run
from stability.tabular import THROUGH_DEPTH, limits, showable, table
from stability.training import MOST, sampled

SCALARS = "loss", "accuracy", "test_loss", "test_accuracy", "gradient_norm"
LOSS_TOP = 2  # times the loss of guessing: where the axis of the loss ends
POINTS, BINS = 100, 60  # the most a line and a heat map have; a browser pays for every one at every draw


def curves(run: Run) -> pd.DataFrame:
    """All scalars so far. Columns: run, kind ("measured"), scheme, replicate, step (int); SCALARS (float64).

    loss in nats (or squared units of the target), accuracy as a share, gradient_norm as a plain number.
    """
    measurements = list(run.measurements)
    keys = index_columns(run.experiment, [m.step for m in measurements])
    return pd.DataFrame(keys | {name: showable(name, stacked(measurements, name)).ravel() for name in SCALARS})


def layers(source: Run | Prediction) -> pd.DataFrame:
    """All profiles that are kept. Columns: run, kind, scheme, replicate, step, layer (int, from 1); PROFILES (float64).

    saturated and dead are shares, distinct a count, the others plain numbers; those of hidden units are null at the output.
    A prediction has the kind "theory", one replicate, and null for what it does not predict.
    """
    if isinstance(source, Prediction):
        frame = theory(source).to_pandas()
        keys = {"run": "run", "kind": "theory", "scheme": frame["scheme"], "replicate": 0, "step": 0, "layer": frame["layer"]}
        return pd.DataFrame(keys | {name: frame.get(name, math.nan) for name in PROFILES})
    measurements = [m for m in list(source.measurements) if m.signal is not None]
    depth = source.experiment.depth
    keys = index_columns(source.experiment, [m.step for m in measurements], depth)
    frame = pd.DataFrame(keys)
    for name in PROFILES:
        values = showable(name, stacked(measurements, name))  # (steps, S, R, L or L-1)
        padding = [(0, 0)] * 3 + [(0, depth - values.shape[3])]
        frame[name] = np.pad(values, padding, constant_values=math.nan).ravel()
    return frame


def index_columns(e: Experiment, steps: Sequence[int], depth: int | None = None) -> dict[str, object]:
    """The key columns for arrays `(steps, S, R[, L])` that are raveled."""
    axes = [np.asarray(steps, dtype=int), np.arange(len(e.schemes)), np.arange(e.replicates)]
    axes += [np.arange(1, depth + 1)] if depth else []
    step, scheme, replicate, *layer = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    names = {"run": "run", "kind": "measured", "scheme": np.array(e.schemes)[scheme], "replicate": replicate, "step": step}
    return names | ({"layer": layer[0]} if layer else {})


def stacked(measurements: Sequence[Measurement], name: str) -> np.ndarray:
    """One quantity of several measurements, `(steps, S, R, ...)`."""
    arrays = [getattr(m, name) for m in measurements]
    return np.stack(arrays) if arrays else np.empty((0, 0, 0, 0) if name in PROFILES else (0, 0, 0))


Pinned = Mapping[str, Run]  # runs that are kept behind another, by their label
NONE: Pinned = MappingProxyType({})


def training_tables(run: Run, count: int | None = None, pinned: Pinned = NONE) -> dict[str, pa.Table]:
    """What a training chart draws of the first `count` measurements (all), besides its heat map."""
    count = count or len(run.measurements)
    lines, found, behind = bands(run, count), remarks(run, count), pinned_lines(run, pinned, bands)
    tables = {"bands": lines, "held_out": held_out(run, count), "marks": marks(found, run.experiment)}
    return tables | behind | {"limits": limits(["gradient_norm"], lines, *behind.values())}


def depth_tables(run: Run, count: int | None = None, pinned: Pinned = NONE) -> dict[str, pa.Table]:
    """What a depth chart draws of the first `count` measurements (all)."""
    lines = {"profiles": profiles(run, count or len(run.measurements)), "theory": theory(predict(run.experiment))}
    lines |= pinned_lines(run, pinned, profiles)
    return lines | {"limits": limits(THROUGH_DEPTH, *lines.values())}


def pinned_lines(run: Run, pinned: Pinned, make: Callable[[Run, int], pa.Table]) -> dict[str, pa.Table]:
    """The table `pinned`, where runs are kept behind `run`: what `make` makes of them, so far as they have come.

    Further columns: run, the label, and named: True where it is written, once a run that is long enough.
    """
    if not pinned:
        return {}
    begun = {label: kept for label, kept in pinned.items() if kept.measurements}
    if not begun:
        return {"pinned": labelled(make(run, 1), "", 0.0).slice(0, 0)}  # the columns, and no row
    tables = [
        labelled(make(kept, len(kept.measurements)), label, (place + 1) / (len(begun) + 1))
        for place, (label, kept) in enumerate(begun.items())
    ]
    return {"pinned": pa.concat_tables(tables)}


def labelled(lines: pa.Table, label: str, share: float) -> pa.Table:
    """With the columns run and named, the latter after this share of the first scheme's line: runs are named side by side."""
    schemes = lines["scheme"].to_pylist()
    points = schemes.count(schemes[0])
    named = pa.array([index == int(points * share) and points > 2 for index in range(len(schemes))])
    return lines.append_column("run", pa.array([label] * len(schemes))).append_column("named", named)


def held_out(run: Run, count: int) -> pa.Table:
    """The held-out set at the few steps at which it is looked at. Columns: scheme, step, loss, accuracy (medians)."""
    e = run.experiment
    taken = [run.measurements[step] for step in sorted(sampled(e.steps, MOST)) if step < count]
    columns = {"scheme": np.repeat(e.schemes, len(taken)), "step": np.tile([m.step for m in taken], len(e.schemes))}
    for name in ("loss", "accuracy"):
        columns[name] = spread(name, showable(name, stacked(taken, f"test_{name}")))[name]
    return table(columns)


def summary(run: Run) -> pd.DataFrame:
    """What a finished run came to, a row for each scheme, medians over the replicates.

    Columns: settings (those that are not the defaults), scheme, loss, test_accuracy, first_gradient and last_gradient (signal
    gradient of the first and the last layer at step 0), diverged (the step, or null), seconds (of the whole run).
    """
    e, first, last = run.experiment, run.measurements[0], run.measurements[-1]
    differing = knobs.difference(replace(e, schemes=Experiment().schemes), Experiment()).items()
    words = ", ".join(knobs.knobs(e)[name].words(value) for name, value in differing) or "defaults"
    steps = {scheme: [event.step for (s, _), event in run.breaks.items() if s == scheme] for scheme in range(len(e.schemes))}
    return pd.DataFrame(
        {
            "settings": words,
            "scheme": [row.title for row in e.rows],
            "loss": np.median(last.loss, axis=1),
            "test_accuracy": np.median(last.test_accuracy, axis=1),
            "first_gradient": np.median(first.signal_gradient[:, :, 0], axis=1),
            "last_gradient": np.median(first.signal_gradient[:, :, -1], axis=1),
            "diverged": [min(steps[scheme], default=math.nan) for scheme in range(len(e.schemes))],
            "seconds": run.seconds,
        }
    )


def standing(run: Run, count: int, scheme: str) -> str:
    """Where a scheme stands after the first `count` measurements, in words: medians over the replicates."""
    index, newest = run.experiment.schemes.index(scheme), run.measurements[count - 1]
    loss, share = np.median(newest.loss[index]), np.median(newest.accuracy[index])
    if not np.isfinite(loss):
        return "loss: not finite"
    return f"loss {loss:.2g}" + (f", {share:.0%} right" if np.isfinite(share) else "")


def bands(run: Run, count: int) -> pa.Table:
    """The first `count` measurements at up to POINTS steps, which stay the same while a run grows, and the newest.

    Columns: scheme, step, marked (True where a line carries its scheme's mark); for loss, accuracy and gradient_norm the
    median over the finite replicates, and `_low`, `_high`, their range.
    """
    e = run.experiment
    stride = math.ceil((e.steps + 1) / (POINTS - 1))  # the newest makes one more
    chosen = [*range(0, count - 1, stride), count - 1]
    measurements = [run.measurements[index] for index in chosen]
    columns = {"scheme": np.repeat(e.schemes, len(chosen)), "step": np.tile(chosen, len(e.schemes))}
    columns["marked"] = np.tile([index % (stride * max(1, POINTS // 6)) == 0 for index in chosen], len(e.schemes))
    for name in ("loss", "accuracy", "gradient_norm"):
        columns |= spread(name, showable(name, stacked(measurements, name)))
    return table(columns)


def profiles(run: Run, count: int) -> pa.Table:
    """Each scheme through the depth, at its newest step among the first `count` at which all its networks were finite.

    Columns: scheme, layer, step, marked; median, `_low` and `_high` of THROUGH_DEPTH.
    """
    e = run.experiment
    shown = [run.profiled(until) for until in run.finite(count)]
    layer = np.arange(1, e.depth + 1)
    columns = {"scheme": np.repeat(e.schemes, e.depth), "layer": np.tile(layer, len(e.schemes))}
    columns |= {"step": np.repeat([m.step for m in shown], e.depth)}
    columns["marked"] = (columns["layer"] - 1) % max(1, e.depth // 6) == 0
    for name in THROUGH_DEPTH:
        values = np.stack([getattr(m, name)[index] for index, m in enumerate(shown)])  # (S, R, L)
        columns |= spread(name, np.moveaxis(showable(name, values), -1, 0))
    return table(columns)


def theory(prediction: Prediction) -> pa.Table:
    """What is predicted at step 0. Columns: scheme, layer (int), THROUGH_DEPTH with _low and _high (float64).

    Between low and high lie nine of ten networks, for one example; where no law is known they are the prediction itself.
    """
    e = prediction.experiment
    columns = {"scheme": np.repeat(e.schemes, e.depth), "layer": np.tile(np.arange(1, e.depth + 1), len(e.schemes))}
    for name in THROUGH_DEPTH:
        value, band = getattr(prediction, name, None), getattr(prediction, f"{name}_band", None)
        if value is None:  # of the weight gradient
            value, band = np.full((len(e.schemes), e.depth), math.nan), np.ones((len(e.schemes), 2, e.depth))
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.moveaxis(value[:, None] * np.nan_to_num(band, nan=1.0), 1, 0)
        columns |= {name + end: showable(name, lines).ravel() for end, lines in (("", value), ("_low", low), ("_high", high))}
    return table(columns)


def spread(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Median and range over the replicates of values `(points, S, R)`, schemes outermost, NaN left out."""
    if values.shape[2] == 1:
        middle = low = high = values[..., 0]
    else:
        ordered = np.sort(values, axis=2)  # NaN last
        finite = np.isfinite(values).sum(axis=2)
        at = [np.maximum(index, 0)[..., None] for index in ((finite - 1) // 2, finite // 2, finite - 1)]
        left, right, high = (np.take_along_axis(ordered, index, axis=2)[..., 0] for index in at)
        middle, low = (left + right) / 2, ordered[..., 0]
    return {name: middle.T.ravel(), f"{name}_low": low.T.ravel(), f"{name}_high": high.T.ravel()}


def heat(run: Run, scheme: str, quantity: str, count: int | None = None) -> pa.Table:
    """One quantity of one scheme, layer by step, in up to BINS columns of steps, of the first `count` measurements (all).

    Columns: layer, step, until (the bin is [step, until)), value (the median over replicates), power (log10 of value),
    state: "finite", "zero" or "not finite".
    """
    e, count = run.experiment, count or len(run.measurements)
    kept = sorted(run.kept)
    starts = kept[:: math.ceil(len(kept) / BINS)]
    starts = [step for step in starts if step < count]
    ends = [*starts[1:], min(count, e.steps + 1)]
    index = e.schemes.index(scheme)
    raw = np.stack([getattr(run.measurements[step], quantity)[index] for step in starts])  # (bins, R, L)
    value = np.sort(raw, axis=1)[:, raw.shape[1] // 2]  # (bins, L), NaN last
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(np.isfinite(value) & (value > 0), np.log10(value), math.nan)
    state = np.where(value == 0, "zero", np.where(np.isfinite(value), "finite", "not finite"))
    columns = {"layer": np.tile(np.arange(1, e.depth + 1), len(starts)), "step": np.repeat(starts, e.depth)}
    columns |= {"until": np.repeat(ends, e.depth), "value": showable(quantity, value).ravel()}
    return table(columns | {"power": power.ravel(), "state": state.ravel()})


@lru_cache(maxsize=32)
def singular_tables(e: Experiment) -> dict[str, pa.Table]:
    """What a chart of singular values draws, without a run: `singular` and `limits`; no row where `jacobian.absent` says why.

    Columns: scheme, rank (share of directions, from the largest), marked, value (of the first network) and edge: the largest
    that theory expects.
    """
    values = singular_values(replace(e, replicates=1))[:, 0]  # (S, directions)
    count = values.shape[1]
    chosen = np.unique(np.linspace(0, max(0, count - 1), min(POINTS, count)).round().astype(int))
    value = showable("singular_value", values[:, chosen]).ravel()
    edge = np.repeat(showable("singular_value", predicted_edge(e)), len(chosen))
    columns = {"scheme": np.repeat(e.schemes, len(chosen)), "rank": np.tile((chosen + 0.5) / max(1, count), len(e.schemes))}
    columns["marked"] = np.tile(np.arange(len(chosen)) % max(1, len(chosen) // 6) == 0, len(e.schemes))
    drawn = table({"value_low": np.append(value, edge), "value_high": np.append(value, edge)})
    return {"singular": table(columns | {"value": value, "edge": edge}), "limits": limits(["value"], drawn)}


def marks(found: Sequence[Remark], e: Experiment) -> pa.Table:
    """Where lines end. Columns: scheme, step, text, height (on the axis of the loss, one below another from its top)."""
    ends = [remark for remark in found if remark.diverged]
    top = LOSS_TOP * e.data.guessing
    columns = {
        "scheme": [remark.scheme for remark in ends],
        "step": [remark.step for remark in ends],
        "text": [remark.short for remark in ends],
        "height": [top * (1 - 0.11 * (row + 0.5)) for row in range(len(ends))],
    }
    return table(columns)
