"""The tables of learned functions: regions of classes, curves over a line, and the data."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from stability.engine.input_grid import GRID_REACH, GRID_SIDE, INPUT_GRIDS
from stability.engine.runs import Run
from stability.frames.arrow import NOT_FINITE, arrow_table, hide_unplottable, scheme_columns
from stability.i18n import _, cache_by_language
from stability.probes.learned_function import classify
from stability.records.experiment import Experiment

MOST_DOTS = 150  # training points drawn, from the first on
LEVELS = 10  # of a probability from 0 to 1: neighbouring cells on one level are merged
FAINT, FULL = 0.3, 0.95  # opacity of a region where no class is likelier, and where one is certain


def region_tables(run: Run, count: int, scheme: str, step_shown: int) -> dict[str, pa.Table]:
    """Return the tables of one scheme's panel at the newest snapshot up to the step shown.

    regions: scheme, class, probability (of that class, rounded; null where not finite), shade (an
    opacity), x, x2, y, y2 (the ends of a block of equal cells), step. dots: x1, x2,
    class.
    """
    e, snapshot = run.experiment, run.snapshot(count, step_shown)
    found = classify(snapshot.learned_outputs[e.schemes.index(scheme)])
    level = np.rint(LEVELS * found.probability.max(axis=1))
    code = found.likeliest_class * (LEVELS + 1) + level
    code = np.where(found.likeliest_class < 0, -1, code).astype(int)
    blocks = merge_equal_cells(code.reshape(GRID_SIDE, GRID_SIDE))
    left, right, code, low, high = np.array(blocks).T
    probability = np.where(code < 0, np.nan, code % (LEVELS + 1) / LEVELS)
    guessing = 1 / found.probability.shape[1]
    certainty = np.where(code < 0, 0.5, (probability - guessing) / (1 - guessing))
    columns = {
        "scheme": np.repeat(scheme, len(code)),
        "class": np.where(code < 0, _(NOT_FINITE), class_names(code // (LEVELS + 1))),
        "probability": probability,
        "shade": FAINT + (FULL - FAINT) * np.clip(certainty, 0, 1),
    }
    for name, cell in (("x", left), ("x2", right), ("y", low), ("y2", high)):
        columns[name] = cell * (2 * GRID_REACH / GRID_SIDE) - GRID_REACH
    columns["step"] = np.repeat(snapshot.step, len(code))
    return {"regions": arrow_table(columns), "dots": training_points(e.data_alone.standardized)}


def class_names(classes: np.ndarray) -> np.ndarray:
    return np.array([_("class {label}").format(label=label) for label in classes])


def merge_equal_cells(cells: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Return rectangles of equal cells: (left, right, value, low, high), right and high excluded.

    Equal neighbours in a row form a stretch; equal stretches in successive rows a rectangle.
    """
    rectangles = []
    open_since: dict[tuple[int, int, int], int] = {}  # the first row of each stretch not yet ended
    for row, values in enumerate(cells):
        ends = np.flatnonzero(np.append(values[1:] != values[:-1], True)) + 1
        starts = [0, *ends[:-1].tolist()]
        stretches = zip(starts, ends.tolist(), values[ends - 1].tolist(), strict=True)
        still_open = {stretch: open_since.get(stretch, row) for stretch in stretches}
        for stretch, since in open_since.items():
            if stretch not in still_open:
                rectangles.append((*stretch, since, row))
        open_since = still_open
    return rectangles + [(*stretch, since, len(cells)) for stretch, since in open_since.items()]


def fit_tables(run: Run, count: int, step_shown: int) -> dict[str, pa.Table]:
    """Return the tables of all schemes' curves at the newest snapshot up to the step shown.

    curves: scheme, x, value (null where not finite), marked, step. dots: x and value. truth: x and
    value, without noise, where there are data.
    """
    e, snapshot = run.experiment, run.snapshot(count, step_shown)
    x = INPUT_GRIDS[1][:, 0].numpy()
    # Lines that coincide are marked side by side.
    position = np.arange(len(x)) + 7 * np.arange(len(e.schemes))[:, None]
    scaling = e.dataset_row.scaling
    values = scaling.standardize_outputs(snapshot.learned_outputs[:, :, 0].astype(float))
    columns = scheme_columns(e.schemes, x=x, step=np.repeat(snapshot.step, len(x)))
    columns["marked"] = (position % 40 == 20).ravel()
    columns["value"] = hide_unplottable("value", values).ravel()
    data, curves = e.data_alone.standardized, arrow_table(columns)
    return {"curves": curves, "dots": training_points(data), "truth": noiseless_curve(data)}


@cache_by_language(maxsize=64)
def training_points(e: Experiment) -> pa.Table:
    """Return the first training points, in standard deviations.

    Columns: x1, x2 and class; of a regression x and value.
    """
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, y = data.x[:MOST_DOTS].numpy(), data.y[:MOST_DOTS].numpy()
    if e.dataset_row.classes:
        return arrow_table({"x1": x[:, 0], "x2": x[:, 1], "class": class_names(y)})
    return arrow_table({"x": x[:, 0], "value": y[:, 0]})


@lru_cache(maxsize=64)
def noiseless_curve(e: Experiment) -> pa.Table:
    """Return the noise-free targets of a regression in one dimension, by increasing input.

    Columns: x, value.
    """
    drawn, row = (e.samples, e.features, e.noise, e.seed), e.dataset_row
    x = row.load(*drawn, torch.float64).x[:, 0].numpy()
    value = row.noise_free_targets(*drawn)[:, 0].numpy()
    chosen = np.unique(np.linspace(0, e.samples - 1, 2 * MOST_DOTS).round().astype(int))
    order = np.argsort(x)[chosen]
    return arrow_table({"x": x[order], "value": value[order]})
