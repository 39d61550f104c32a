"""The terms of the cost of a training step, counted, and the weight of each.

Amounts follow from the settings. Weights are measured: `python tests/bench.py cost` fits and prints
them. Calls count in calls of one layer by one block of networks; an operation takes as long as that
on small matrices of float64, seven times as long as one in a large product of float32. Products are
counted apart, as some processors are twice as fast in them as others that do all else alike; the
weights are the geometric mean of those found on two kinds of processor.
"""

from collections.abc import Callable, Mapping
from itertools import groupby, pairwise

from stability.catalogues.datasets import HELD_OUT_EXAMPLES
from stability.engine.blocks import BLOCK_NUMBERS
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.parameters import groups_of_layers
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

Terms = Mapping[str, float]
Count = Callable[[Experiment], Terms]

CALLS: Terms = {
    "draw": 11,
    "drawn matrix": 0.52,
    "learned layer": 13,
    "learned normalized layer": 32,
    "block": 9.1,
    "layer": 1,
    "tensor": 0.43,
    "divided tensor": 0.53,
    "matrix": 0.027,
    "normalized layer": 2,
    "rounded layer": 1.4,
    "mask": 0.76,
    "sample": 3,
    "sampled shape": 7.7,
    "sampled matrix": 0.2,
    "adjusted layer": 8.3,
    "held-out normalized layer": 2.3,
    "held-out rounded layer": 2.5,
}
OPERATIONS: Terms = {
    "drawn weight": 230,
    "learned weight": 1400,
    "learned unit": 1500,
    "logit": 24,
    "held-out logit": 51,
    "weight": 2.6,
    "weight out of cache": 18,
    "rounded weight": 53,
    "optimizer sgd": 0,
    "activation relu": 11,
    "normalization none": 11,
    "dropout": 24,
    "residual": 22,
    "rounded": 16,
    "activation linear": 2.5,
    "activation sigmoid": 17,
    "activation tanh": 34,
    "activation hardtanh": 27,
    "activation softsign": 33,
    "activation erf": 35,
    "activation leaky_relu": 55,
    "activation leaky_relu_0.2": 46,
    "activation elu": 42,
    "activation selu": 95,
    "activation gelu": 35,
    "activation silu": 31,
    "activation mish": 120,
    "activation softplus": 40,
    "activation sine": 58,
    "normalization batch": 80,
    "normalization layer": 81,
    "normalization rms": 50,
    "optimizer momentum": 18,
    "optimizer nesterov": 15,
    "optimizer adam": 45,
    "optimizer adamw": 42,
    "optimizer rmsprop": 52,
    "optimizer lars": 25,
    "optimizer muon": 98,
    "sampled": 160,
    "sampled weight": 72,
    "drawn input": 330,
    "adjusted unit": 240,
    "held-out activation": 0.49,
    "held-out normalized": 22,
}
PRODUCTS: Terms = {  # of matrices: two operations a multiply-add
    "product": 0.15,
    "held-out product": 0.22,
    "learned product": 0.43,
    "orthogonalized": 0.15,
}
CACHED_WEIGHTS = 2**18  # of all networks: more of them leave the cache before they are used again
# Of a row without a measured weight.
AVERAGES: Terms = {"activation": 70.0, "normalization": 50.0, "optimizer": 50.0}


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


def hidden_unit_count(e: Experiment) -> int:
    """Return how many hidden units all networks have."""
    return e.network_count * sum(e.hidden_widths)


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
    return {
        "block": blocks,  # the loss
        "tensor": blocks * tensor_count(e),  # of parameters: its update and norms
        "divided tensor": blocks * tensor_count(e) * e.optimizer_row.has_epsilon,
        "layer": blocks * e.depth,
        "matrix": e.network_count * e.depth,  # one of the matrices that a call multiplies
        "normalized layer": blocks * hidden * row_is_used(e),
        "rounded layer": blocks * e.depth * rounds(e),
        "mask": e.replicates * hidden * (e.dropout > 0),
    }


def row_is_used(e: Experiment) -> bool:
    return e.normalization_row.has_gain


def rounds(e: Experiment) -> bool:
    """Return if numbers are rounded to a format that is not computed in."""
    return e.number_format.dtype != e.number_format.compute_dtype


def step_operations(e: Experiment) -> Terms:
    """Return how many numbers one step computes, by what is done to them."""
    weights, numbers = weight_count(e), unit_count(e) * e.batch
    hidden, orthogonalizes = hidden_unit_count(e) * e.batch, e.optimizer_row.hidden_step is not None
    orthogonalized = sum(n * m * min(n, m) for n, m in pairwise(e.hidden_widths))
    found = {
        "product": 6 * weights * e.batch,  # once forward, twice back, two operations a weight
        # Five rounds of Muon's three products.
        "orthogonalized": 30 * e.network_count * orthogonalized * orthogonalizes,
        "weight": weights,  # its gradient, norms and update
        "weight out of cache": max(0, weights - CACHED_WEIGHTS),
        "rounded weight": weights * rounds(e),
        f"optimizer {e.optimizer}": weights,
        "logit": e.network_count * e.layers[-1].fan_out * e.batch,  # the loss, and its gradient
        f"activation {e.activation}": numbers,  # there, back, and measured
        f"normalization {e.normalization}": hidden,
        "dropout": hidden * (e.dropout > 0),
        # Added; and times the scale, on both ways.
        "residual": hidden * e.residual * (1 if e.branch_factor == 1 else 3),
        "rounded": numbers * rounds(e),
    }
    return in_single_precision(e, found)


def sample_calls(e: Experiment) -> Terms:
    """Return the calls that a sampled step adds."""
    held_out = blocks_of(e, HELD_OUT_EXAMPLES)
    return {
        "sample": 1,
        "sampled shape": blocks_of(e, e.batch) * shape_count(e),
        "sampled matrix": e.network_count * e.depth,
        "held-out normalized layer": held_out * (e.depth - 1) * row_is_used(e),
        "held-out rounded layer": held_out * e.depth * rounds(e),
    }


def sample_operations(e: Experiment) -> Terms:
    """Return the operations that a sampled step adds.

    All networks see the held-out set, the first of each scheme the input grid.
    """
    points = len(e.schemes) * len(INPUT_GRIDS[e.dataset_row.plotted_dimensions])
    examples = HELD_OUT_EXAMPLES + points / e.network_count
    hidden, weights = hidden_unit_count(e) * examples, weight_count(e)
    found = {
        "held-out product": 2 * weights * examples,
        "held-out logit": e.network_count * e.layers[-1].fan_out * examples,
        # In operations of a step, which has its way back, too.
        "held-out activation": hidden * weight_of(f"activation {e.activation}", OPERATIONS),
        "held-out normalized": hidden * row_is_used(e),
        "sampled": unit_count(e) * e.batch,  # histograms, distinct units, rounding shares
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
        "adjusted layer": e.depth * adjusts(e),
        "learned layer": max(meta_steps(e)) * e.depth,
        "learned normalized layer": max(meta_steps(e)) * (e.depth - 1) * row_is_used(e),
    }


def draw_operations(e: Experiment) -> Terms:
    """Return the operations before the first step."""
    weights = weight_count(e) / e.network_count
    steps = e.replicates * sum(meta_steps(e))
    return {
        "drawn weight": weight_count(e),
        "drawn input": (e.samples + HELD_OUT_EXAMPLES) * e.features,
        "adjusted unit": unit_count(e) * e.batch * adjusts(e),
        "learned product": 6 * weights * e.batch * steps,
        "learned weight": weights * steps,
        "learned unit": unit_count(e) / e.network_count * e.batch * steps,
    }


def adjusts(e: Experiment) -> bool:
    """Return if a scheme lets all networks see a batch before the first step."""
    return any(row.adjust for row in e.scheme_rows)


def meta_steps(e: Experiment) -> list[int]:
    """Return over how many steps each scheme learns the norms of its weights."""
    return [row.meta_steps(*row.arguments) if row.meta_steps else 0 for row in e.scheme_rows]


def terms_of_training(e: Experiment, draw: Count, step: Count, sample: Count) -> Terms:
    """Return the amounts of a training run, of which each part has terms of its own."""
    parts = (1, draw(e)), (e.steps + 1, step(e)), (len(sampled_steps(e.steps)), sample(e))
    return {name: times * amount for times, part in parts for name, amount in part.items()}


def sum_of_terms(terms: Terms, weights: Terms) -> float:
    """Return the sum of all amounts, each times its weight."""
    return sum(amount * weight_of(name, weights) for name, amount in terms.items() if amount)


def sum_of_operations(terms: Terms) -> tuple[float, float]:
    """Return the operations of these terms on numbers alone, and those in products of matrices."""
    products = {name: terms[name] for name in terms if name in PRODUCTS}
    others = {name: terms[name] for name in terms if name not in PRODUCTS}
    return sum_of_terms(others, OPERATIONS), sum_of_terms(products, PRODUCTS)


def weight_of(name: str, weights: Terms) -> float:
    """Return the measured weight of a term; that of an average row where it has none."""
    return weights[name] if name in weights else AVERAGES[name.partition(" ")[0]]
