"""E phi(u1) phi(u2) and E phi'(u1) phi'(u2) at every correlation, from tables of the deficit."""

import math

import numpy as np
from numpy.typing import ArrayLike

from stability.catalogues.activations import Activation
from stability.catalogues.correlation_deficit import deficit_by_angle
from stability.catalogues.gaussian_moments import (
    SECOND,
    FloatArray,
    activation_row,
    check_range,
    log_moment,
    quiet_exp,
    quiet_log,
)


def correlation(activation: str | Activation, q: ArrayLike, c: ArrayLike) -> FloatArray:
    """Return E phi(u1) phi(u2) for u1, u2 ~ N(0, q) of correlation c, elementwise.

    The error is 1e-7 of E phi(u)^2 for q up to 10, 1e-4 up to 1e5. ValueError for q below 0 or
    infinite and for c outside -1 to 1.
    """
    return pair_moments(activation, q, c)[0]


def slope_correlation(activation: str | Activation, q: ArrayLike, c: ArrayLike) -> FloatArray:
    """Return E phi'(u1) phi'(u2) for u1, u2 ~ N(0, q) of correlation c, elementwise.

    The error is 1e-6 of E phi'(u)^2 for q up to 10, 1e-3 up to 5e3. ValueError as in `correlation`.
    """
    return pair_moments(activation, q, c)[1]


def pair_moments(
    activation: str | Activation, q: ArrayLike, c: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return E phi(u1) phi(u2) and E phi'(u1) phi'(u2), elementwise."""
    row = activation_row(activation)
    q, c = np.broadcast_arrays(check_range("q", q), check_range("c", c, -1.0, 1.0))
    shape, q, c = q.shape, q.ravel(), c.ravel()
    log_q, sign, distance = quiet_log(q), np.where(c < 0, -1.0, 1.0), 1 - abs(c)
    deficit_at = deficit_by_angle(row, log_q)
    theta = 2 * np.arcsin(np.sqrt(distance / 2))
    (odd, even), (odd_slope, even_slope) = deficit_at(theta)
    # E (odd part of phi)^2 is q times the odd deficit at c = 0, where E of its product is 0
    (odd_at_0, _), _ = deficit_at(np.full_like(log_q, math.pi / 2))
    deficit = (1 - sign) * odd_at_0 + distance * (sign * odd + even)
    product = quiet_exp(log_moment(row, SECOND, log_q)) - q * deficit
    return product.reshape(shape), (odd_slope + sign * even_slope).reshape(shape)
