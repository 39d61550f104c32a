"""A map, cell by cell."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

from stability.cells.cell import Cell, cell_at
from stability.cells.groups import groups_of, train_in_steps
from stability.records.sweep import Sweep


def compute(sweep: Sweep, scheduler: str | None = None) -> Iterator[Cell]:
    """Yield the cells of a map, coarse to fine; an experiment of several cells is trained once."""
    return filter(None, cells_in_steps(sweep))


def cells_in_steps(sweep: Sweep) -> Iterator[Cell | None]:
    """Yield what `compute` does, and None after each step of training, so that one can stop."""
    places = defaultdict(list)
    for x, y in product(sweep.x_values, sweep.y_values):
        places[sweep.experiment_at(x, y)].append((x, y))
    for group in groups_of(sweep):
        outcomes = yield from train_in_steps(group)
        for experiment, outcome in zip(group.experiments, outcomes, strict=True):
            yield from (cell_at(sweep, x, y, experiment, outcome) for x, y in places[experiment])
