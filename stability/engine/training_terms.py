"""The terms of the cost of a training step, counted, and the weight of each.

Amounts follow from the settings. Weights are measured: `python tests/bench.py cost` fits and prints
them. Calls count in calls of one layer by one block of networks; an operation takes as long as that
on small matrices of float64, seven times as long as one in a large product of float32.
"""

from collections.abc import Mapping
from itertools import groupby, pairwise

from stability.catalogues.datasets import HELD_OUT_EXAMPLES
from stability.engine.blocks import BLOCK_NUMBERS
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.parameters import groups_of_layers
from stability.records.experiment import Experiment

Terms = Mapping[str, float]

CALLS: Terms = {
    "draw": 10,
    "drawn matrix": 0.18,
    "learned layer": 7,
    "block": 5.2,
    "layer": 1,
    "tensor": 0.4,
    "divided tensor": 0.35,
    "matrix": 0.0076,
    "normalized layer": 1.1,
    "rounded layer": 0.26,
    "mask": 0.15,
    "sample": 1,
    "sampled shape": 4.5,
    "sampled layer": 0.3,
    "sampled matrix": 0.11,
    "held-out layer": 0.15,
}
OPERATIONS: Terms = {
    "drawn weight": 640,
    "learned product": 35,
    "product": 0.15,
    "orthogonalized": 0.12,
    "weight": 20,
    "weight out of cache": 69,
    "rounded weight": 140,
    "optimizer sgd": 10,
    "activation relu": 89,
    "normalization none": 0,
    "dropout": 54,
    "residual": 25,
    "rounded": 85,
    "activation linear": 43,
    "activation sigmoid": 120,
    "activation tanh": 110,
    "activation hardtanh": 170,
    "activation softsign": 200,
    "activation erf": 150,
    "activation leaky_relu": 190,
    "activation leaky_relu_0.2": 220,
    "activation elu": 180,
    "activation selu": 280,
    "activation gelu": 220,
    "activation silu": 170,
    "activation mish": 510,
    "activation softplus": 150,
    "activation sine": 170,
    "normalization batch": 220,
    "normalization layer": 230,
    "normalization rms": 180,
    "optimizer momentum": 15,
    "optimizer nesterov": 74,
    "optimizer adam": 100,
    "optimizer adamw": 60,
    "optimizer rmsprop": 73,
    "optimizer lars": 52,
    "optimizer muon": 470,
    "held-out product": 0.1,
    "held-out unit": 46,
    "sampled": 900,
    "sampled weight": 330,
}
CACHED_WEIGHTS = 2**18  # of all networks: more of them leave the cache before they are used again
# Of a row without a measured weight.
AVERAGES: Terms = {"activation": 170.0, "normalization": 210.0, "optimizer": 70.0}


def blocks_of(e: Experiment, examples: int, networks: int | None = None) -> int:
    """Return how many blocks compute so many examples, of all networks or of so many like them."""
    widest = max(layer.fan_out for layer in e.layers)
    return -(-(networks or e.network_count) // max(1, BLOCK_NUMBERS["cpu"] // (examples * widest)))


def weight_count(e: Experiment) -> int:
    """Return how many weights all networks have."""
    return e.network_count * sum(layer.fan_in * layer.fan_out for layer in e.layers)


def unit_count(e: Experiment) -> int:
    """Return how many units all networks have."""
    return e.network_count * sum(layer.fan_out for layer in e.layers)


def shape_count(e: Experiment) -> int:
    """Return how many tensors hold the weights: one for neighbouring layers of one shape."""
    return sum(1 for _ in groups_of_layers(e.layers))


def tensor_count(e: Experiment) -> int:
    """Return how many tensors hold all parameters."""
    row, learned = e.normalization_row, e.branch_scale_row.is_learned and bool(e.shortcuts)
    widths = sum(1 for _ in groupby(e.hidden_widths))
    return 2 * shape_count(e) + widths * (row.has_gain + row.has_shift) + learned


def step_calls(e: Experiment) -> Terms:
    """Return how often one step calls what, whatever the size of its tensors."""
    blocks, hidden = blocks_of(e, e.batch), e.depth - 1
    row = e.number_format
    return {
        "block": blocks,  # the loss
        "tensor": blocks * tensor_count(e),  # of parameters: its update and norms
        "divided tensor": blocks * tensor_count(e) * e.optimizer_row.has_epsilon,
        "layer": blocks * e.depth,
        "matrix": e.network_count * e.depth,  # one of the matrices that a call multiplies
        "normalized layer": blocks * hidden * row_is_used(e),
        "rounded layer": blocks * e.depth * (row.dtype != row.compute_dtype),
        "mask": e.replicates * hidden * (e.dropout > 0),
    }


def row_is_used(e: Experiment) -> bool:
    return e.normalization_row.has_gain


def step_operations(e: Experiment) -> Terms:
    """Return how many numbers one step computes, by what is done to them."""
    weights, numbers = weight_count(e), unit_count(e) * e.batch
    hidden = e.network_count * sum(e.hidden_widths) * e.batch
    row, orthogonalizes = e.number_format, e.optimizer_row.hidden_step is not None
    rounds = row.dtype != row.compute_dtype
    orthogonalized = sum(n * m * min(n, m) for n, m in pairwise(e.hidden_widths))
    found = {
        "product": 6 * weights * e.batch,  # once forward, twice back, two operations a weight
        # Five rounds of Muon's three products.
        "orthogonalized": 30 * e.network_count * orthogonalized * orthogonalizes,
        "weight": weights,  # its gradient, norms and update
        "weight out of cache": max(0, weights - CACHED_WEIGHTS),
        "rounded weight": weights * rounds,
        f"optimizer {e.optimizer}": weights,
        f"activation {e.activation}": numbers,  # there, back, and measured
        f"normalization {e.normalization}": hidden,
        "dropout": hidden * (e.dropout > 0),
        # Added; and times the scale, on both ways.
        "residual": hidden * e.residual * (1 if e.branch_factor == 1 else 3),
        "rounded": numbers * rounds,
    }
    return in_single_precision(e, found)


def sample_calls(e: Experiment) -> Terms:
    """Return the calls that a sampled step adds."""
    blocks = blocks_of(e, e.batch)
    return {
        "sample": 1,
        "sampled shape": blocks * shape_count(e),
        "sampled layer": blocks * e.depth,
        "sampled matrix": e.network_count * e.depth,
        "held-out layer": blocks_of(e, HELD_OUT_EXAMPLES) * e.depth,
    }


def sample_operations(e: Experiment) -> Terms:
    """Return the operations that a sampled step adds.

    All networks see the held-out set, the first of each scheme the input grid.
    """
    points = len(e.schemes) * len(INPUT_GRIDS[e.dataset_row.plotted_dimensions])
    examples = HELD_OUT_EXAMPLES + points / e.network_count
    weights, units = weight_count(e), unit_count(e)
    found = {
        "held-out product": 2 * weights * examples,
        "held-out unit": units * examples,
        "sampled": units * e.batch,  # histograms, distinct units, rounding shares
        "sampled weight": weights,  # the rounding shares of its gradient
    }
    return in_single_precision(e, found)


def in_single_precision(e: Experiment, terms: Terms) -> Terms:
    """Return the amounts in operations on float32: twice as many for numbers of twice the size."""
    factor = e.number_format.compute_dtype.itemsize / 4
    return {name: factor * amount for name, amount in terms.items()}


def draw_calls(e: Experiment) -> Terms:
    """Return the calls before the first step."""
    return {
        "draw": 1,
        "drawn matrix": e.network_count * e.depth,
        "learned layer": max(meta_steps(e)) * e.depth,
    }


def draw_operations(e: Experiment) -> Terms:
    """Return the operations before the first step."""
    weights = weight_count(e) / e.network_count
    steps = e.replicates * sum(meta_steps(e))
    return {"drawn weight": weight_count(e), "learned product": 6 * weights * e.batch * steps}


def meta_steps(e: Experiment) -> list[int]:
    """Return over how many steps each scheme learns the norms of its weights."""
    return [row.meta_steps(*row.arguments) if row.meta_steps else 0 for row in e.scheme_rows]


def sum_of_terms(terms: Terms, weights: Terms) -> float:
    """Return the sum of all amounts, each times its weight."""
    return sum(amount * weight_of(name, weights) for name, amount in terms.items() if amount)


def weight_of(name: str, weights: Terms) -> float:
    """Return the measured weight of a term; that of an average row where it has none."""
    return weights[name] if name in weights else AVERAGES[name.partition(" ")[0]]
