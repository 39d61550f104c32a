"""The signals of networks whose weights are not drawn around 0, before training.

With weights of mean mu and standard deviation s, a unit has z = mu sum_j h_j + s sum_j noise_j h_j
+ b. The first part is the same for all units of a layer. Over all draws of a wide network it is
about normal, of mean m and variance v; around it the units have the variance q. So the mean h of a
layer carries the signal: m' = mu n E h, where weights around 0 have m = 0. Exact in the limit of
wide layers, up to what the size of q owes to the common part.

Nothing is said about gradients. They come back along the very direction that all units share on
the way forward, so that the two ways are not independent, which theory takes them to be.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stability.catalogues.activations import Activation
from stability.catalogues.gaussian_moments import FloatArray, legendre_rule, phi
from stability.catalogues.scheme_entry import Scheme
from stability.records.experiment import Experiment

# Points and weights of averages over N(0, 1): of units, and of what they have in common.
UNIT_POINTS, UNIT_DENSITY = legendre_rule(-6.0, 6.0, 48)
UNIT_DENSITY = UNIT_DENSITY * np.exp(-(UNIT_POINTS**2) / 2)
UNIT_DENSITY = UNIT_DENSITY / UNIT_DENSITY.sum()
SHARED_POINTS, SHARED_DENSITY = np.polynomial.hermite_e.hermegauss(7)
SHARED_DENSITY = SHARED_DENSITY / SHARED_DENSITY.sum()


def shifted_squares(e: Experiment, rows: Sequence[Scheme], x: FloatArray) -> FloatArray:
    """Return E z^2 of a plain network for inputs `(batch, features)`: `(S, L, batch)`."""
    layers = [replace(layer, mean=0.0) for layer in e.layers]
    variances = np.array([[row.weight_variance(layer) or 0.0 for layer in layers] for row in rows])
    biases = np.array([[row.bias_variance(layer) for layer in layers] for row in rows])
    mu = e.weight_mean * np.sqrt(variances)  # (S, L)
    mean = mu[:, :1] * x.sum(axis=1)  # (S, batch)
    shared, own = np.zeros_like(mean), variances[:, :1] * (x**2).sum(axis=1) + biases[:, :1]
    found = [mean**2 + own]
    for index in range(1, e.depth):
        n, mu_here = layers[index].fan_in, mu[:, index, None]
        mean_h, square_h, square_of_mean = activation_moments(e.phi, mean, shared, own)
        mean = mu_here * n * mean_h
        varying = square_of_mean - mean_h**2 + (square_h - square_of_mean) / n
        shared = (mu_here * n) ** 2 * np.maximum(varying, 0)
        own = variances[:, index, None] * n * square_h + biases[:, index, None]
        found.append(mean**2 + shared + own)
    return np.stack(found, axis=1)


def activation_moments(
    row: Activation, mean: FloatArray, shared: FloatArray, own: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return E h, E h^2, and the mean square of a layer's mean h, of h = phi(z)."""
    common = mean[..., None] + np.sqrt(shared)[..., None] * SHARED_POINTS
    h = phi(row, common[..., None] + np.sqrt(own)[..., None, None] * UNIT_POINTS)
    by_common = h @ UNIT_DENSITY
    return (
        by_common @ SHARED_DENSITY,
        h**2 @ UNIT_DENSITY @ SHARED_DENSITY,
        by_common**2 @ SHARED_DENSITY,
    )
