"""The cost of a map before it is computed, and the nearest map that costs less."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import product

from stability.cells.groups import most_in_group
from stability.engine.cost import (
    Cost,
    nearest_that_fits,
    replace_and_mend,
    state_bytes,
    training_calls,
    training_cost,
)
from stability.engine.family import PER_NETWORK
from stability.engine.term_weights import CALLS, sum_of_terms
from stability.engine.training_terms import blocks_of
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep
from stability.records.sweep_axis import SCHEME_VALUE

SAMPLED_VALUES = 6  # of an axis, ends included: costs change smoothly between them
PERCENTS = range(100, 0, -5)  # of the columns and rows of a map, for one that costs less
FEWEST_CELLS = 8  # a side: a coarser map shows little, so steps are lowered before that


def sweep_cost(sweep: Sweep) -> Cost:
    """Return the cost of all cells of a map, those of one shape in stacks."""
    values = product(*map(sampled_values, (sweep.x_values, sweep.y_values)))
    alike = cells_of_one_shape(sweep)
    costs = [cost_of_cell(sweep.experiment_at(*pair), alike) for pair in values]
    cells = (sweep.length + 1) / len(costs)
    return Cost(
        calls=round(cells * sum(cost.calls for cost in costs)),
        operations=round(cells * sum(cost.operations for cost in costs)),
        bytes=max(cost.bytes for cost in costs),
        products=round(cells * sum(cost.products for cost in costs)),
    )


def cells_of_one_shape(sweep: Sweep) -> int:
    """Return how many cells of a map differ only in settings that each network has of its own."""
    axes = {sweep.x: sweep.x_values, sweep.y: sweep.y_values}
    own = PER_NETWORK | {SCHEME_VALUE}
    return math.prod(len(values) for name, values in axes.items() if name in own)


def cost_of_cell(e: Experiment, alike: int) -> Cost:
    """Return the share of a cell in the cost of its stack, and all the bytes of the stack.

    Of `alike` cells as many as fill a group train together. Blocks and layers are called once for
    all of them, single matrices as often as there are.
    """
    cells, alone = min(alike, most_in_group(e)), training_cost(e)
    blocks = blocks_of(e, e.batch, cells * e.network_count) / blocks_of(e, e.batch)
    own = calls_of_matrices(e)
    return Cost(
        calls=math.ceil(own + (alone.calls - own) * blocks / cells),
        operations=alone.operations,
        products=alone.products,
        bytes=alone.bytes + (cells - 1) * state_bytes(e),
    )


def calls_of_matrices(e: Experiment) -> float:
    """Return the part of the calls of a training run that is in proportion to its networks."""
    calls = training_calls(e)
    return sum_of_terms({name: calls[name] for name in calls if name.endswith("matrix")}, CALLS)


def sampled_values(values: Sequence[float]) -> list[float]:
    """Return a few values of an axis, evenly spread, ends included."""
    count = min(SAMPLED_VALUES, len(values))
    last = len(values) - 1
    return [values[round(index * last / max(1, count - 1))] for index in range(count)]


def nearest_map(sweep: Sweep, fits: Callable[[Sweep], bool], shrinkable: Sequence[str]) -> Sweep:
    """Return the map if it fits; else with fewer columns and rows, in proportion.

    If even a coarse map does not fit, it is lowered in the `shrinkable` settings, too.
    """
    first = bisect_left(PERCENTS, True, key=lambda percent: fits(coarser_map(sweep, percent)))
    coarser = coarser_map(sweep, PERCENTS[min(first, len(PERCENTS) - 1)])
    if first < len(PERCENTS):
        return coarser
    free = [name for name in shrinkable if name not in (sweep.x, sweep.y)]
    return nearest_that_fits(coarser, fits, free)


def coarser_map(sweep: Sweep, percent: int) -> Sweep:
    """Return the map with this share of its columns and rows, but for the fewest that show much."""
    cells = {
        name: min(most, max(FEWEST_CELLS, most * percent // 100))
        for name, most in (("x_cells", sweep.x_cells), ("y_cells", sweep.y_cells))
    }
    return replace_and_mend(sweep, cells)
