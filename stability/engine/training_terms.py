"""The terms of the cost of a training run: how often it calls what, and what it does to how many
numbers. They follow from the settings; `term_weights` says what each costs.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise

import torch

from stability.catalogues.activations import Activation
from stability.catalogues.datasets import HELD_OUT_EXAMPLES
from stability.catalogues.draws import Layer
from stability.catalogues.scheme_entry import Scheme
from stability.engine.blocks import BLOCK_NUMBERS
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.parameters import groups_of_layers
from stability.engine.scaled_norms import smallest_plain
from stability.engine.term_weights import OPERATIONS, Terms, weight_of
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

Count = Callable[[Experiment], Terms]

ZEROS = "zeros"  # the scheme
CACHED_WEIGHTS = 2**18  # of all networks: more of them leave the cache before they are used again


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
        "settled layer": blocks * e.depth * (extreme_schemes(e) > 0),
    }


def extreme_schemes(e: Experiment) -> int:
    """Return of how many schemes norms are so near an end of the range that they are taken twice.

    Whether others come there by training, nobody knows before.
    """
    return sum(is_extreme(e, row) for row in e.scheme_rows)


def is_extreme(e: Experiment, row: Scheme) -> bool:
    """Return True if weights of a layer are all 0, or if they let the gradient vanish.

    Or if their mean lets it explode, with which units die; without a mean the networks end, which
    then cost nothing. A normalization keeps the gradient's size, and so does a shortcut.
    """
    if row.key == ZEROS or not all(layer.gain for layer in e.layers):
        return True
    if e.residual or row_is_used(e):
        return False
    slope = slope_near_0(e.phi)
    growth = sum(log_growth(row, layer, slope) for layer in e.layers[1:])
    limit = math.log(smallest_plain(e.number_format.compute_dtype))
    return growth < limit or (growth > -limit / 2 and e.weight_mean != 0)


def log_growth(row: Scheme, layer: Layer, slope: float) -> float:
    """Return the logarithm of the factor by which a gradient grows on its way back."""
    variance = row.weight_variance(replace(layer, mean=0.0)) or 1 / layer.fan_out
    square = layer.fan_out * variance * (1 + layer.fan_in * layer.mean**2)
    return math.log(max(slope**2 * square, sys.float_info.min)) / 2


def slope_near_0(phi: Activation) -> float:
    """Return the root mean square of phi' for small u of both signs."""
    u = torch.tensor([-1e-3, 1e-3])
    return float(phi.dphi(u, phi.phi(u)).square().mean().sqrt())


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
        # An optimizer's rule makes a step of its own, which is measured; plain SGD needs none.
        "ruled weight": weights * (not e.follows_gradient),
        "ruled weight out of cache": max(0, weights - CACHED_WEIGHTS) * (not e.follows_gradient),
        f"optimizer {e.optimizer}": weights,
        "logit": e.network_count * e.layers[-1].fan_out * e.batch,  # the loss, and its gradient
        f"activation {e.activation}": numbers,  # there, back, and measured
        f"normalization {e.normalization}": hidden,
        "dropout": hidden * (e.dropout > 0),
        "drawn mask": hidden / len(e.schemes) * (e.dropout > 0),  # the same for all schemes
        # Added; and times the scale, on both ways.
        "residual": hidden * e.residual * (1 if e.branch_factor == 1 else 3),
        "rounded": numbers * rounds(e),
        "settled": numbers / len(e.schemes) * extreme_schemes(e),
        "settled weight": weights / len(e.schemes) * extreme_schemes(e),
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
        "learned step": max(meta_steps(e)),
        "learned layer": max(meta_steps(e)) * e.depth,
        "learned normalized layer": max(meta_steps(e)) * (e.depth - 1) * row_is_used(e),
    }


def draw_operations(e: Experiment) -> Terms:
    """Return the operations before the first step."""
    weights = weight_count(e) / e.network_count
    steps = e.replicates * sum(meta_steps(e))
    hidden = sum(e.hidden_widths) * e.batch * steps
    return {
        "drawn weight": weight_count(e),
        "drawn input": (e.samples + HELD_OUT_EXAMPLES) * e.features,
        "adjusted unit": unit_count(e) * e.batch * adjusts(e),
        "learned product": 6 * weights * e.batch * steps,
        "learned weight": weights * steps,
        "learned unit": unit_count(e) / e.network_count * e.batch * steps,
        "learned normalized unit": hidden * row_is_used(e),
        "learned activation": hidden * weight_of(f"activation {e.activation}", OPERATIONS),
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
