"""The cost of a map: cells that share a stack share its calls."""

from dataclasses import replace
from itertools import product

from stability.cells.map_cost import sweep_cost
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
