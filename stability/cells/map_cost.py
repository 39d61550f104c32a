"""The cost of a map before it is computed, and the nearest map that costs less."""

from collections.abc import Callable, Sequence
from itertools import product

from stability.engine.cost import Cost, nearest_that_fits, replace_and_mend, training_cost
from stability.records.sweep import Sweep

SAMPLED_VALUES = 6  # of an axis, ends included: costs change smoothly between them
FEWEST_CELLS = 8  # a side: a coarser map shows little, so steps are lowered before that


def sweep_cost(sweep: Sweep) -> Cost:
    """Return the cost of all cells of a map, each computed by itself."""
    values = product(*map(sampled_values, (sweep.x_values, sweep.y_values)))
    costs = [training_cost(sweep.experiment_at(*pair)) for pair in values]
    cells = (sweep.length + 1) / len(costs)
    return Cost(
        calls=round(cells * sum(cost.calls for cost in costs)),
        operations=round(cells * sum(cost.operations for cost in costs)),
        bytes=max(cost.bytes for cost in costs),
    )


def sampled_values(values: Sequence[float]) -> list[float]:
    """Return a few values of an axis, evenly spread, ends included."""
    count = min(SAMPLED_VALUES, len(values))
    last = len(values) - 1
    return [values[round(index * last / max(1, count - 1))] for index in range(count)]


def nearest_map(sweep: Sweep, fits: Callable[[Sweep], bool], shrinkable: Sequence[str]) -> Sweep:
    """Return the map if it fits; else with fewer columns and rows, in proportion.

    If even a coarse map does not fit, it is lowered in the `shrinkable` settings, too.
    """
    for percent in range(100, 0, -5):
        cells = {
            name: min(most, max(FEWEST_CELLS, most * percent // 100))
            for name, most in (("x_cells", sweep.x_cells), ("y_cells", sweep.y_cells))
        }
        coarser = replace_and_mend(sweep, cells)
        if fits(coarser):
            return coarser
    free = [name for name in shrinkable if name not in (sweep.x, sweep.y)]
    return nearest_that_fits(coarser, fits, free)
