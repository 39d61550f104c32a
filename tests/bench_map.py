"""The speed of a map beside that of the engine: all that a map adds to the steps of training."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from bench_lines import Line, seconds

from stability.cells.groups import Group, groups_of, train_group
from stability.engine.family import Family
from stability.engine.training import Training, begin_training
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps
from stability.records.sweep import FIRST_BASE, Sweep

RAW_STEPS = 7  # whose median is the time of a step


def maps(quick: bool) -> Iterator[Line]:
    """A map of sigma_w and depth up to 60, width 64, 200 steps; quick: four of its twenty rows.

    Raw is a step of the engine, with its norms, of all networks of a row in one stack.
    """
    sweep = Sweep(replace(FIRST_BASE, width=64, batch=64, steps=200), y_cells=4 if quick else 20)
    raw, whole = 0.0, 0.0
    for depth in sweep.y_values:  # side by side
        row = tuple(sweep.experiment_at(sigma_w, depth) for sigma_w in sweep.x_values)
        raw += step_seconds(Family(row)) * (sweep.base.steps + 1)
        groups = [group for group in groups_of(sweep) if group.experiments[0].depth == depth]
        whole += sum(seconds(lambda group=group: train_group(group)) for group in groups)
    yield Line(f"a map of 20 x {len(sweep.y_values)} cells", [whole], "s")
    yield Line("  over the raw steps of the same networks", [whole / raw], "", at_most=1.3)
    tiny = Experiment(schemes="scaled_normal", depth=2, width=2, features=2, batch=2, samples=64,
                      steps=1)  # fmt: skip
    many = Sweep(tiny, x_cells=100, y="learning_rate", y_cells=10 if quick else 100)
    start = time.process_time()
    for group in groups_of(many):
        train_group(Group(group.experiments))
    passed = time.process_time() - start
    yield Line("  a cell of tiny networks in one step", [1e3 * passed / (many.length + 1)], "ms")


def step_seconds(family: Family) -> float:
    """The median time of a step at which no held-out example is looked at."""
    stack, data, batches = begin_training(family, torch.device("cpu"))
    training = Training(stack, data, snapshots=False)
    plain = [s for s in range(1, 100) if s not in sampled_steps(family.shared.steps)]
    return statistics.median(
        seconds(lambda step=step, batch=batch: training.measure_and_update(step, batch))
        for step, batch in zip(plain[:RAW_STEPS], batches, strict=False)
    )
