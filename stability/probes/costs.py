"""Probes with their costs: they wait in the queue like runs, and too costly ones are refused."""

from typing import Any

from stability.engine.cost import Cost
from stability.engine.registry import Probe
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.jacobian import example_count, singular_values_by_example
from stability.probes.product_singular_values import (
    affordable_factors,
    at_scale_1,
    bounds_at_scale_1,
    exponents_at_scale_1,
)
from stability.probes.symmetries import SYMMETRIES, row_differences, symmetry_changes
from stability.records.experiment import Experiment
from stability.records.product import Product

FACTORIZATION = 25  # operations / n^3 for the singular values, or Q and R, of an n x n matrix


def gain_probe(e: Experiment) -> Probe:
    return Probe(measure_first_layer_gain, (e,), first_batch_cost(e, passes=1))


def symmetry_probe(e: Experiment, *layer_and_units: Any) -> Probe:
    cost = first_batch_cost(e, passes=2 * len(SYMMETRIES))
    return Probe(symmetry_changes, (e, *layer_and_units), cost)


def row_probe(e: Experiment, layer: int) -> Probe:
    return Probe(row_differences, (e, layer), first_batch_cost(e, passes=2))


def singular_value_probe(e: Experiment) -> Probe:
    """Multiply all layers' matrices, and take the products' singular values."""
    jacobians = e.network_count * example_count(e)
    drawn = first_batch_cost(e, passes=1)
    cost = Cost(
        calls=drawn.calls + 2 * e.depth,
        operations=drawn.operations + jacobians * e.width**3 * (2 * e.depth + FACTORIZATION),
        bytes=drawn.bytes + 8 * 4 * jacobians * e.width**2,
    )
    return Probe(singular_values_by_example, (e,), cost)


def bound_probe(p: Product) -> Probe:
    return Probe(bounds_at_scale_1, (at_scale_1(p),), factorization_cost(p, a_factor=3))


def exponent_probe(p: Product) -> Probe:
    return Probe(exponents_at_scale_1, (at_scale_1(p),), factorization_cost(p, a_factor=1))


def first_batch_cost(e: Experiment, passes: int) -> Cost:
    """Return the cost of all float64 networks and `passes` forward and back on the first batch."""
    weights = e.network_count * sum(layer.fan_in * layer.fan_out for layer in e.layers)
    values = e.network_count * e.batch * sum(layer.fan_out for layer in e.layers)
    return Cost(
        calls=(e.depth + 8) * (passes + 1),
        operations=300 * weights + passes * (2 * e.batch * weights + 40 * values),
        bytes=8 * (3 * weights + 6 * values),
    )


def factorization_cost(p: Product, a_factor: int) -> Cost:
    """Return the cost of `a_factor` factorizations of n x n matrices at each affordable factor."""
    count = a_factor * affordable_factors(p)
    return Cost(2 * count, count * FACTORIZATION * p.n**3, 8 * 10 * p.n**2)
