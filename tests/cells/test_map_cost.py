"""The cost of a map: cells that share a stack share its calls."""

from dataclasses import replace
from itertools import product

import pytest

from stability.cells.map_cost import coarser_map, nearest_map, sweep_cost
from stability.engine.cost import training_cost
from stability.records.sweep import FIRST_BASE, Sweep


def costs_alone(sweep: Sweep) -> list:
    pairs = product(sweep.x_values, sweep.y_values)
    return [training_cost(sweep.experiment_at(*pair)) for pair in pairs]


def test_cells_of_one_shape_cost_as_many_operations_as_alone_in_far_fewer_calls():
    sweep = Sweep(replace(FIRST_BASE, depth=10), y="learning_rate", x_cells=6, y_cells=5)
    found, alone = sweep_cost(sweep), costs_alone(sweep)
    assert found.operations == sum(cost.operations for cost in alone)
    assert found.calls < sum(cost.calls for cost in alone) / 10
    assert found.bytes > max(cost.bytes for cost in alone)


def test_cells_of_different_shape_cost_what_they_cost_alone():
    sweep = Sweep(FIRST_BASE, x="width", y="seed", x_cells=4, y_cells=3)
    found, alone = sweep_cost(sweep), costs_alone(sweep)
    assert abs(found.calls - sum(cost.calls for cost in alone)) <= len(alone)
    assert found.operations == sum(cost.operations for cost in alone)
    assert found.bytes == max(cost.bytes for cost in alone)


@pytest.mark.parametrize("most_calls", [1e4, 1e5, 3e5, 1e6, 1e9])
def test_the_nearest_map_has_the_largest_share_of_cells_that_fits(most_calls):
    sweep = Sweep(replace(FIRST_BASE, depth=10), x="width", y="seed", x_cells=60, y_cells=30)

    def fits(tried: Sweep) -> bool:
        return sweep_cost(tried).calls <= most_calls

    shares = [coarser_map(sweep, percent) for percent in range(100, 0, -5)]
    largest = next((tried for tried in shares if fits(tried)), None)
    nearest = nearest_map(sweep, fits, ["steps"])
    if largest:
        assert nearest == largest
    else:
        assert fits(nearest)
        assert (nearest.x_cells, nearest.y_cells) == (shares[-1].x_cells, shares[-1].y_cells)
        assert nearest.base.steps < sweep.base.steps
