"""The costs of probes, which wait in the queue like runs and are refused if they cost too much."""

from stability.engine.cost import Cost
from stability.probes.jacobian import example_count
from stability.probes.product_singular_values import affordable_factors
from stability.records.experiment import Experiment
from stability.records.product import Product

FACTORIZATION = 25  # operations / n^3 for the singular values, or Q and R, of an n x n matrix


def first_batch_cost(e: Experiment, passes: int) -> Cost:
    """Return the cost of all float64 networks and `passes` forward and back on the first batch."""
    weights = e.network_count * sum(layer.fan_in * layer.fan_out for layer in e.layers)
    values = e.network_count * e.batch * sum(layer.fan_out for layer in e.layers)
    return Cost(
        calls=(e.depth + 8) * (passes + 1),
        operations=40 * weights + passes * (6 * e.batch * weights + 40 * values),
        bytes=8 * (3 * weights + 6 * values),
    )


def jacobian_cost(e: Experiment) -> Cost:
    """Return the cost of multiplying all layers' matrices and of the products' singular values."""
    jacobians = e.network_count * example_count(e)
    drawn = first_batch_cost(e, passes=1)
    return Cost(
        calls=drawn.calls + 2 * e.depth,
        operations=drawn.operations + jacobians * e.width**3 * (2 * e.depth + FACTORIZATION),
        bytes=drawn.bytes + 8 * 4 * jacobians * e.width**2,
    )


def factorization_cost(p: Product, a_factor: int = 1) -> Cost:
    """Return the cost of `a_factor` factorizations of n x n matrices at each affordable factor."""
    count = a_factor * affordable_factors(p)
    return Cost(2 * count, count * FACTORIZATION * p.n**3, 8 * 10 * p.n**2)
