"""The tables of learned functions: regions of classes, curves over a line, and the data."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from stability.engine.input_grid import GRID_REACH, GRID_SIDE, INPUT_GRIDS
from stability.engine.runs import Run
from stability.frames.arrow import NOT_FINITE, arrow_table, hide_unplottable
from stability.probes.learned_function import classify
from stability.records.experiment import Experiment

MOST_DOTS = 150  # training points that are drawn, the first of them
LEVELS = 10  # steps of a probability from 0 to 1: neighbours on one look alike
FAINT, FULL = 0.3, 0.95  # opacity of a region where no class is likelier, and where one is certain

DataSettings = tuple[str, int, float, int]  # dataset, samples, noise and seed: all that data need


def region_tables(run: Run, count: int, scheme: str, step_shown: int) -> dict[str, pa.Table]:
    """Return the tables of one scheme's panel at the newest snapshot up to the step shown.

    regions: scheme, class, probability (of that class, rounded; null where not finite), shade (an
    opacity), x, x2, y, y2 (the ends of a block of cells that look alike), step. dots: x1, x2,
    class.
    """
    e, snapshot = run.experiment, run.snapshot(count, step_shown)
    found = classify(snapshot.learned_outputs[e.schemes.index(scheme)])
    level = np.rint(LEVELS * found.probability.max(axis=1))
    look = found.likeliest_class * (LEVELS + 1) + level
    look = np.where(found.likeliest_class < 0, -1, look).astype(int)
    blocks = merge_equal_cells(look.reshape(GRID_SIDE, GRID_SIDE))
    left, right, look, low, high = np.array(blocks).T
    probability = np.where(look < 0, np.nan, look % (LEVELS + 1) / LEVELS)
    guessing = 1 / found.probability.shape[1]
    certainty = np.where(look < 0, 0.5, (probability - guessing) / (1 - guessing))
    columns = {
        "scheme": np.repeat(scheme, len(look)),
        "class": np.where(look < 0, NOT_FINITE, class_names(look // (LEVELS + 1))),
        "probability": probability,
        "shade": FAINT + (FULL - FAINT) * np.clip(certainty, 0, 1),
    }
    for name, cell in (("x", left), ("x2", right), ("y", low), ("y2", high)):
        columns[name] = cell * (2 * GRID_REACH / GRID_SIDE) - GRID_REACH
    columns["step"] = np.repeat(snapshot.step, len(look))
    return {"regions": arrow_table(columns), "dots": training_points(data_settings(e))}


def class_names(classes: np.ndarray) -> np.ndarray:
    return np.array([f"class {label}" for label in classes])


def merge_equal_cells(cells: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Return rectangles of equal cells: (left, right, value, low, high), right and high excluded.

    Neighbours alike in a row are one stretch; stretches exactly above one another one rectangle.
    """
    rectangles = []
    open_since: dict[tuple[int, int, int], int] = {}  # the first row of each stretch that goes on
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
    x, schemes = INPUT_GRIDS[1][:, 0].numpy(), len(e.schemes)
    # Lines that coincide are marked side by side.
    position = np.arange(len(x)) + 7 * np.arange(schemes)[:, None]
    values = snapshot.learned_outputs[:, :, 0].astype(float)  # (S, points)
    columns = {
        "scheme": np.repeat(e.schemes, len(x)),
        "x": np.tile(x, schemes),
        "marked": (position % 40 == 20).ravel(),
        "value": hide_unplottable("value", values).ravel(),
        "step": np.repeat(snapshot.step, schemes * len(x)),
    }
    data = data_settings(e)
    return {
        "curves": arrow_table(columns),
        "dots": training_points(data),
        "truth": noiseless_curve(data),
    }


def data_settings(e: Experiment) -> DataSettings:
    return e.dataset, e.samples, e.noise, e.seed


@lru_cache(maxsize=64)
def training_points(settings: DataSettings) -> pa.Table:
    """Return the first training points, in standard deviations.

    Columns: x1, x2 and class; of a regression x and value.
    """
    dataset, samples, noise, seed = settings
    e = Experiment(dataset=dataset, samples=samples, batch=1, noise=noise, seed=seed)
    data = e.dataset_row.load(samples, e.features, noise, seed, torch.float64)
    x, y = data.x[:MOST_DOTS].numpy(), data.y[:MOST_DOTS].numpy()
    if e.dataset_row.classes:
        return arrow_table({"x1": x[:, 0], "x2": x[:, 1], "class": class_names(y)})
    return arrow_table({"x": x[:, 0], "value": y[:, 0]})


@lru_cache(maxsize=64)
def noiseless_curve(settings: DataSettings) -> pa.Table:
    """Return a regression in one dimension without noise, from the smallest input to the largest.

    Columns: x, value.
    """
    dataset, samples, noise, seed = settings
    e = Experiment(dataset=dataset, samples=samples, batch=1, noise=noise, seed=seed)
    x = e.dataset_row.load(samples, e.features, noise, seed, torch.float64).x[:, 0].numpy()
    value = e.dataset_row.noise_free_targets(samples, e.features, noise, seed)[:, 0].numpy()
    chosen = np.unique(np.linspace(0, samples - 1, 2 * MOST_DOTS).round().astype(int))
    order = np.argsort(x)[chosen]
    return arrow_table({"x": x[order], "value": value[order]})
