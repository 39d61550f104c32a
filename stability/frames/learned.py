"""What the networks have learned as charts draw it: regions of classes in the plane, curves over a line, and the data."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from stability.engine.input_grid import GRID_REACH, GRID_SIDE, INPUT_GRIDS
from stability.engine.runs import Run
from stability.frames.arrow import NOT_FINITE, hide_unplottable, arrow_table
from stability.probes.learned_function import classify
from stability.records.experiment import Experiment

MOST_DOTS = 150  # training points that are drawn, the first of them
LEVELS = 10  # steps of a probability from 0 to 1: neighbours on one look alike
FAINT, FULL = 0.3, 0.95  # opacity of a region where no class is likelier, and where one is certain


def region_tables(run: Run, count: int, scheme: str, step: int) -> dict[str, pa.Table]:
    """One scheme's panel, the newest picture up to `step` among the first `count` measurements: `regions` and `dots`.

    `regions`: scheme, class, probability (of that class, rounded; null where not finite), shade (an opacity), x, x2, y, y2 (the
    ends of a block of neighbouring cells that look alike), step. `dots`: x1, x2, class.
    """
    e = run.experiment
    seen = run.snapshot(count, step)
    found = classify(seen.learned_outputs[e.schemes.index(scheme)])
    level = np.rint(LEVELS * found.probability.max(axis=1))
    key = np.where(found.likeliest_class < 0, -1, found.likeliest_class * (LEVELS + 1) + level).astype(int)
    left, right, key, low, high = np.array(merge_equal_cells(key.reshape(GRID_SIDE, GRID_SIDE))).T
    winner, lost, least = key // (LEVELS + 1), key < 0, 1 / e.dataset_row.classes
    probability = np.where(lost, np.nan, key % (LEVELS + 1) / LEVELS)
    certain = np.where(lost, 0.5, (probability - least) / (1 - least))
    ends = {"x": left, "x2": right, "y": low, "y2": high}
    columns = {"scheme": np.repeat(scheme, len(key)), "class": np.where(lost, NOT_FINITE, named(winner))}
    columns |= {"probability": probability, "shade": FAINT + (FULL - FAINT) * np.clip(certain, 0, 1)}
    columns |= {name: end * (2 * GRID_REACH / GRID_SIDE) - GRID_REACH for name, end in ends.items()}
    return {"regions": arrow_table(columns | {"step": np.repeat(seen.step, len(key))}), "dots": training_points(*drawn_from(e))}


def named(classes: np.ndarray) -> np.ndarray:
    return np.array([f"class {label}" for label in classes])


def merge_equal_cells(key: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """Rectangles of equal cells: (first column, the one behind the last, key, first row, the one behind the last).

    Neighbours alike in a row, and then such stretches that stand exactly above one another.
    """
    done, going = [], {}
    for row, cells in enumerate(key):
        ends = np.flatnonzero(np.append(cells[1:] != cells[:-1], True)) + 1
        stretches = zip([0, *ends[:-1].tolist()], ends.tolist(), cells[ends - 1].tolist(), strict=True)
        here = {stretch: going.get(stretch, row) for stretch in stretches}
        done += [(*stretch, since, row) for stretch, since in going.items() if stretch not in here]
        going = here
    return done + [(*stretch, since, len(key)) for stretch, since in going.items()]


def drawn_from(e: Experiment) -> tuple:
    """The settings that the data depend on."""
    return e.dataset, e.samples, e.noise, e.seed


@lru_cache(maxsize=64)
def training_points(dataset: str, samples: int, noise: float, seed: int) -> pa.Table:
    """The first training points. Columns: x1, x2, and class; of a regression x and value; in standard deviations."""
    e = Experiment(dataset=dataset, samples=samples, batch=1, noise=noise, seed=seed)
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, y = data.x[:MOST_DOTS].numpy(), data.y[:MOST_DOTS].numpy()
    return arrow_table({"x1": x[:, 0], "x2": x[:, 1], "class": named(y)} if e.dataset_row.classes else {"x": x[:, 0], "value": y[:, 0]})


def fit_tables(run: Run, count: int, step: int) -> dict[str, pa.Table]:
    """The curves of all schemes, the newest up to `step` among the first `count` measurements: `curves`, `dots`, `truth`.

    `curves`: scheme, x, value (null where not finite), marked, step. `truth`: x and value, without noise, where there are data.
    """
    e = run.experiment
    seen, x = run.snapshot(count, step), INPUT_GRIDS[1][:, 0].numpy()
    place = np.arange(len(x)) + 7 * np.arange(len(e.schemes))[:, None]  # lines that coincide are marked side by side
    columns = {"scheme": np.repeat(e.schemes, len(x)), "x": np.tile(x, len(e.schemes)), "marked": (place % 40 == 20).ravel()}
    columns |= {"value": hide_unplottable("value", seen.learned_outputs[:, :, 0].astype(float)).ravel()}
    columns["step"] = np.repeat(seen.step, len(columns["x"]))
    return {"curves": arrow_table(columns), "dots": training_points(*drawn_from(e)), "truth": noiseless_curve(*drawn_from(e))}


@lru_cache(maxsize=64)
def noiseless_curve(dataset: str, samples: int, noise: float, seed: int) -> pa.Table:
    """What a regression in one dimension is without noise, from the least input to the largest. Columns: x, value."""
    e = Experiment(dataset=dataset, samples=samples, batch=1, noise=noise, seed=seed)
    x = e.dataset_row.load(samples, e.features, noise, seed, torch.float64).x[:, 0].numpy()
    value = e.dataset_row.noise_free_targets(samples, e.features, noise, seed)[:, 0].numpy()
    order = np.argsort(x)[np.unique(np.linspace(0, samples - 1, 2 * MOST_DOTS).round().astype(int))]
    return arrow_table({"x": x[order], "value": value[order]})
