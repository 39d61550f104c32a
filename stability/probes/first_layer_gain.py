"""The variance gain of the first layer, forward and backward: no variance of weights keeps both.

Forward the mean square grows by n_in Var W, backward by n_out Var W: both stay only where
n_in = n_out, and Xavier's variance settles halfway. Glorot & Bengio 2010, sec. 4.2.1. Signals and
gradients are measured on the first batch before training.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stability.engine.losses import mean_losses
from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.scaled_norms import norms
from stability.engine.training import draw_stack_and_data, first_batch
from stability.probes.results import remembered
from stability.records.experiment import Experiment


@dataclass(frozen=True, eq=False)
class FirstLayerGain:
    """Factors on the mean square, with delta = d(loss)/dz_1; NaN where the input is 0."""

    variance: np.ndarray  # (S, R) mean square of an entry of W_1, mostly of mean 0
    forward: np.ndarray  # (S, R) mean square of W_1 x / mean square of x
    backward: np.ndarray  # (S, R) mean square of W_1^T delta / mean square of delta
    predicted_forward: np.ndarray  # (S,) n_in Var W, NaN where the scheme defines no variance
    predicted_backward: np.ndarray  # (S,) n_out Var W


@torch.inference_mode(False)
@torch.enable_grad()
@remembered
def measure_first_layer_gain(experiment: Experiment) -> FirstLayerGain:
    """Return the gains on the first batch, in float64 and with the dropout of step 0.

    The prediction is the mean over draws of W_1. A network with normal weights deviates from it by
    a relative standard deviation of sqrt(2 / (n_out r_x)) forward and sqrt(2 / (n_in r_delta))
    backward; with uniform weights by less. r = tr(K)^2 / tr(K^2), K = sum over the batch of v v^T,
    is the effective number of directions of the vectors v = x or delta: at most the batch size or
    the length of v, and less than the number of outputs for deltas that few outputs send back
    through a linear layer. The forward mean is exact. The backward mean assumes delta independent
    of W_1, but errors contain the output, and slopes depend on z_1: this moves the mean by up to 5%
    for networks with 16 or more inputs, by up to 40% with two. Single networks deviated by 3% (256
    inputs) to 26% (32 inputs, one linear output).
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
