"""What the first layer does to sizes, forward and backward: the dilemma that Xavier's variance settles halfway.

Forward the mean square grows by n_in Var W, backward by n_out Var W: both stay only where n_in = n_out. Glorot & Bengio 2010,
sec. 4.2.1. Signals and gradients are real ones, of the first batch before training.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.network import mean_losses
from stability.engine.scaled_norms import norms
from stability.engine.replicates import median_of_finite
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.records.experiment import Experiment
from stability.text import number


@dataclass(frozen=True)
class FirstLayerGain:
    """Factors on the mean square at the first layer, with delta = d(loss)/dz_1; NaN where nothing goes in."""

    variance: np.ndarray  # (S, R) mean square of an entry of W_1, as drawn; most schemes draw about 0
    forward: np.ndarray  # (S, R) mean square of W_1 x over that of x
    backward: np.ndarray  # (S, R) mean square of W_1^T delta over that of delta
    predicted_forward: np.ndarray  # (S,) n_in Var W, NaN where the scheme promises no variance
    predicted_backward: np.ndarray  # (S,) n_out Var W


@torch.inference_mode(False)
@torch.enable_grad()
@lru_cache(maxsize=32)
def first_layer_gain(experiment: Experiment) -> FirstLayerGain:
    """Measured on the first batch, in float64 and with the dropout of step 0; predicted as the mean over drawings of W_1.

    One network of normal weights lies beside the prediction by a standard deviation of sqrt(2 / (n_out r_x)) of it forward
    and sqrt(2 / (n_in r_delta)) backward; uniform ones closer. r = tr(K)^2 / tr(K^2), K = sum over the batch of v v^T, counts
    the directions that the vectors v, x or delta, fill: at most the batch or their length, and for deltas that few outputs
    send back through a linear layer not even the number of outputs. The forward mean is exact. The backward one takes delta
    to know nothing of W_1, but errors contain the output itself, and slopes know z_1: that moves the mean, by up to 5% for
    networks from 16 inputs on, by up to 40% with two. Single networks were beside theirs by 3% (256 inputs) to 26% (32 inputs,
    one linear output).
    """
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    batch = next(batch_indices(e))
    x, weights = data.x[batch], stack.weights[0][0].detach()  # (batch, n_in), (N, n_out, n_in)
    seen = stack.forward(x, 0)
    (delta,) = torch.autograd.grad(mean_losses(seen.output, data.y[batch]).sum(), seen.z[0])  # (N, batch, n_out)
    sizes = [root_mean_square(values) for values in (weights, x.expand(e.network_count, *x.shape) @ weights.mT, delta @ weights, delta)]
    with np.errstate(all="ignore"):
        variance, z, sent, received = (to_schemes_and_replicates(e, size) for size in sizes)
        of_x = root_mean_square(x.unsqueeze(0)).item()
        found = [np.square(value) for value in (variance, z / of_x, sent / received)]
    layer = e.layers[0]
    drawn = np.array([np.nan if (known := row.weight_variance(layer)) is None else known for row in e.scheme_rows])
    return FirstLayerGain(*found, layer.fan_in * drawn, layer.fan_out * drawn)


def root_mean_square(values: Tensor) -> Tensor:
    """RMS of `(N, ...)` over all but the first axis, `(N,)`: a scaled norm."""
    return norms(values.unsqueeze(0))[0] / values[0].numel() ** 0.5


def first_layer_sentences(e: Experiment) -> list[str]:
    """What the first layer of each scheme does to mean squares on the way forward and back, medians over the replicates."""
    found = first_layer_gain(e)
    rows = zip(e.scheme_rows, median_of_finite(found.forward), median_of_finite(found.backward), strict=True)
    return [f"{row.title}: {describe_gain(forward, 'forward')}, {describe_gain(back, 'backward')}." for row, forward, back in rows]


def describe_gain(factor: float, way: str) -> str:
    return f"{number(factor)} times {way}" if np.isfinite(factor) else f"{way} unknown, as what arrives is 0 or not finite"
