"""The variance gain of the first layer, forward and backward: no variance of weights keeps both.

Forward the mean square grows by n_in Var W, backward by n_out Var W: both stay only where
n_in = n_out, and Xavier's variance settles halfway. Glorot & Bengio 2010, sec. 4.2.1. Signals and
gradients are real ones, of the first batch before training.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stability.engine.network import mean_losses
from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.scaled_norms import norms
from stability.engine.training import draw_stack_and_data, first_batch
from stability.records.experiment import Experiment


@dataclass(frozen=True, eq=False)
class FirstLayerGain:
    """Factors on the mean square, with delta = d(loss)/dz_1; NaN where nothing goes in."""

    variance: np.ndarray  # (S, R) mean square of an entry of W_1; most schemes draw around 0
    forward: np.ndarray  # (S, R) mean square of W_1 x over that of x
    backward: np.ndarray  # (S, R) mean square of W_1^T delta over that of delta
    predicted_forward: np.ndarray  # (S,) n_in Var W, NaN where the scheme promises no variance
    predicted_backward: np.ndarray  # (S,) n_out Var W


@torch.inference_mode(False)
@torch.enable_grad()
@lru_cache(maxsize=32)
def measure_first_layer_gain(experiment: Experiment) -> FirstLayerGain:
    """Return the gains on the first batch, in float64 and with the dropout of step 0.

    The prediction is the mean over drawings of W_1. One network of normal weights deviates from it
    by a standard deviation of sqrt(2 / (n_out r_x)) of it forward and sqrt(2 / (n_in r_delta))
    backward; uniform ones by less. r = tr(K)^2 / tr(K^2), K = sum over the batch of v v^T, counts
    the directions that the vectors v, x or delta, fill: at most the batch or their length, and for
    deltas that few outputs send back through a linear layer not even the number of outputs. The
    forward mean is exact. The backward one takes delta to be independent of W_1, but errors contain
    the output itself, and slopes depend on z_1: that moves the mean, by up to 5% for networks from
    16 inputs on, by up to 40% with two. Single networks deviated by 3% (256 inputs) to 26%
    (32 inputs, one linear output).
    """
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, y = first_batch(e, data)  # x (batch, n_in)
    weights = stack.layers()[0][0]  # (N, n_out, n_in)
    passed = stack.forward(x, step=0)
    losses = mean_losses(passed.output, y)
    (delta,) = torch.autograd.grad(losses.sum(), passed.z[0])  # (N, batch, n_out)
    sizes = (weights, x.expand(e.network_count, *x.shape) @ weights.mT, delta @ weights, delta)
    variance, z, sent, received = (
        to_schemes_and_replicates(e, root_mean_square(values)) for values in sizes
    )
    layer = e.layers[0]
    variances = [row.weight_variance(layer) for row in e.scheme_rows]
    promised = np.array([np.nan if variance is None else variance for variance in variances])
    with np.errstate(all="ignore"):
        return FirstLayerGain(
            variance=np.square(variance),
            forward=np.square(z / root_mean_square(x.unsqueeze(0)).item()),
            backward=np.square(sent / received),
            predicted_forward=layer.fan_in * promised,
            predicted_backward=layer.fan_out * promised,
        )


def root_mean_square(values: Tensor) -> Tensor:
    """Return the RMS `(N,)` of `(N, ...)`, by a scaled norm that neither over- nor underflows."""
    return norms(values.unsqueeze(0))[0] / math.sqrt(values[0].numel())
