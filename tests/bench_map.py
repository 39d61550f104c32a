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

RAW_STEPS = 10  # whose mean is the time of a step, before and after each group


def maps(quick: bool) -> Iterator[Line]:
    """A map of sigma_w and depth up to 60, width 64, 200 steps; quick: four of its twenty rows.

    Raw is a step of the engine, with its norms, of all networks of a row in one stack.
    """
    sweep = Sweep(replace(FIRST_BASE, width=64, batch=64, steps=200))
    depths = sweep.y_values[1::6] if quick else sweep.y_values
    raw, whole = 0.0, 0.0
    for depth in depths:
        row = tuple(sweep.experiment_at(sigma_w, depth) for sigma_w in sweep.x_values)
        plain, steps = raw_steps(Family(row)), []
        for group in groups_of(sweep):  # side by side
            if group.experiments[0].depth == depth:
                steps += [seconds(lambda plain=plain: next(plain)) for _ in range(RAW_STEPS)]
                whole += seconds(lambda group=group: train_group(group))
        raw += statistics.mean(steps) * (sweep.base.steps + 1)
    yield Line(f"a map of 20 x {len(depths)} cells", [whole], "s")
    yield Line("  over the raw steps of the same networks", [whole / raw], "", at_most=1.3)
    tiny = Experiment(schemes="scaled_normal", depth=2, width=2, features=2, batch=2, samples=64,
                      steps=1)  # fmt: skip
    many = Sweep(tiny, x_cells=100, y="learning_rate", y_cells=10 if quick else 100)
    start = time.process_time()
    for group in groups_of(many):
        train_group(Group(group.experiments))
    passed = time.process_time() - start
    yield Line("  a cell of tiny networks in one step", [1e3 * passed / (many.length + 1)], "ms")


def raw_steps(family: Family) -> Iterator[None]:
    """Take the steps at which no held-out example is looked at, one after another."""
    stack, data, batches = begin_training(family, torch.device("cpu"))
    training = Training(stack, data, snapshots=False)
    for step, batch in zip(range(1, family.shared.steps), batches, strict=False):
        if step not in sampled_steps(family.shared.steps):
            training.measure_and_update(step, batch)
            yield
