"""Averages of one activation over a bell curve, from tables that are built on first use.

u is normal with mean 0 and variance q. The logarithm of an average is tabled over t = log q, as one
polynomial per cell of width 1; beyond the table the average is a power law.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stability.catalogues.activations import ACTIVATIONS, Activation

FloatArray = NDArray[np.floating[Any]]
SECOND, SLOPE, GROWTH, ODD = range(4)  # E phi^2, E phi'^2, d E phi^2 / dq, E (odd part of phi)'^2
LOG_Q_MIN, LOG_Q_MAX = -60, 60  # of the tables: q from 1e-26 to 1e26
# The averages are analytic for |Im log q| < pi, so this degree has an error of (1 / 4 pi)^12.
CELL_DEGREE = 11
CELL_CENTRES = np.arange(LOG_Q_MIN - 0.5, LOG_Q_MAX + 1)  # and a cell at each end for power laws
# the Chebyshev nodes of a cell relative to its centre, and log q at the nodes of all cells
CELL_NODES = np.cos(math.pi * (np.arange(CELL_DEGREE + 1) + 0.5) / (CELL_DEGREE + 1)) / 2
LOG_Q_NODES = (CELL_CENTRES[1:-1, None] + CELL_NODES).ravel()
# maps values at the nodes to the coefficients of 1, x, x^2, ...
TO_POWERS = np.linalg.inv(np.vander(CELL_NODES, increasing=True))
legendre_nodes = cache(np.polynomial.legendre.leggauss)


def activation_row(activation: str | Activation) -> Activation:
    """Return the row of a key. ValueError for an unknown key."""
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        legal = ", ".join(ACTIVATIONS)
        raise ValueError(f"activation is {activation!r}, legal is one of {legal}")
    return ACTIVATIONS[activation]


def phi(row: Activation, u: FloatArray) -> FloatArray:
    return np.asarray(row.phi(torch.from_numpy(u)))


def dphi(row: Activation, u: FloatArray) -> FloatArray:
    points = torch.from_numpy(u)
    return np.asarray(row.dphi(points, row.phi(points)))


def legendre_rule(low: ArrayLike, high: ArrayLike, count: int) -> tuple[FloatArray, FloatArray]:
    """Return Gauss-Legendre nodes and weights between `low` and `high`, `(..., count)`."""
    x, weights = legendre_nodes(count)
    start = np.asarray(low, dtype=np.float64)[..., None]
    half = (np.asarray(high, dtype=np.float64)[..., None] - start) / 2
    return start + half * (x + 1), half * weights


def second_moment(activation: str | Activation, q: ArrayLike) -> FloatArray:
    """Return E phi(u)^2 for u ~ N(0, q), elementwise. ValueError unless q is from 0 to inf."""
    return moment(activation, SECOND, q)


def slope_moment(activation: str | Activation, q: ArrayLike) -> FloatArray:
    """Return E phi'(u)^2 for u ~ N(0, q), elementwise. ValueError unless q is from 0 to inf."""
    return moment(activation, SLOPE, q)


def mean_share(activation: str | Activation, q: ArrayLike) -> FloatArray:
    """Return (E phi(u))^2 / E phi(u)^2 for u ~ N(0, q), elementwise, to three digits.

    Interpolated between LOG_Q_NODES. 0 for odd phi; ValueError unless q is from 0 to inf.
    """
    log_q = quiet_log(check_range("q", q, finite=False))
    order, shares = np.argsort(LOG_Q_NODES), mean_shares(activation_row(activation))
    return np.asarray(np.interp(log_q, LOG_Q_NODES[order], shares[order]))


@cache
def mean_shares(row: Activation) -> FloatArray:
    """Return (E phi(u))^2 / E phi(u)^2 at each of LOG_Q_NODES."""
    u, weights = radial_rule(row)
    right, left = phi(row, u), phi(row, -u)
    squares = weights @ (right**2 + left**2) / 2
    return np.asarray((weights @ (right + left) / 2) ** 2 / squares)


def moment(activation: str | Activation, kind: int, q: ArrayLike) -> FloatArray:
    log_q = quiet_log(check_range("q", q, finite=False))
    return quiet_exp(log_moment(activation_row(activation), kind, log_q))


def log_moment(row: Activation, kind: int, log_q: FloatArray) -> FloatArray:
    """Return the logarithm of SECOND, SLOPE, GROWTH or ODD, elementwise; log_q may be infinite."""
    t = np.clip(log_q, -2000.0, 2000.0)
    if row.closed_moments:
        return row.closed_moments.log_moment(kind, t)
    cell = np.clip(np.floor(t).astype(int) - LOG_Q_MIN + 1, 0, len(CELL_CENTRES) - 1)
    x, coefficients = t - CELL_CENTRES[cell], log_moment_table(row)[kind]
    result: FloatArray = coefficients[CELL_DEGREE][cell]
    for power in range(CELL_DEGREE - 1, -1, -1):  # faster than polyval, which needs all at once
        result = result * x + coefficients[power][cell]
    return result


@cache
def log_moment_table(row: Activation) -> FloatArray:
    """Return log SECOND, SLOPE, GROWTH and ODD as polynomials `(4, CELL_DEGREE + 1, cells)`."""
    u, weights = radial_rule(row)
    right, left, right_slope, left_slope = (f(row, at) for f in (phi, dphi) for at in (u, -u))
    # d/dq E phi^2 = E u phi phi' / q. Where phi(0) is not 0, phi phi' is nearly constant around 0,
    # and rounding would destroy its odd part.
    away_from_0 = np.maximum(u, 1e-5 if phi(row, np.zeros(1))[0] else 0)
    bend = sum(phi(row, at) * dphi(row, at) / at for at in (away_from_0, -away_from_0))
    squares = [
        right**2 + left**2,
        right_slope**2 + left_slope**2,
        u**2 * bend,
        (right_slope + left_slope) ** 2 / 2,
    ]
    logs = np.log(weights @ np.transpose(squares) / 2).T
    logs[GROWTH] -= LOG_Q_NODES
    logs = logs.reshape(4, -1, CELL_DEGREE + 1)
    # differences first, since TO_POWERS multiplies rounding errors by a thousand
    cells = (logs - logs[..., :1]) @ TO_POWERS.T
    cells[..., 0] += logs[..., 0]
    ends = power_law_cell(cells[:, 0], -1), power_law_cell(cells[:, -1], 1)
    return np.concatenate([ends[0], cells, ends[1]], axis=1).transpose(0, 2, 1).copy()


def radial_rule(row: Activation) -> tuple[FloatArray, FloatArray]:
    """Return |u| `(nodes,)` and the weights of a mean over |u| at each of LOG_Q_NODES `(q, nodes)`.

    The rule is composite Gauss-Legendre in log |u|, with panels that end at corners: tiny and huge
    q cost the same.
    """
    corners = [math.log(abs(at)) for at, _ in row.corners or () if at]
    edges = np.unique(np.r_[np.arange(LOG_Q_MIN / 2 - 38, LOG_Q_MAX / 2 + 4), corners])
    log_u, weights = (array.ravel() for array in legendre_rule(edges[:-1], edges[1:], 14))
    u = np.exp(log_u)
    z = np.minimum(np.exp(-LOG_Q_NODES / 2)[:, None] * u, 40.0)  # beyond 40 the bell curve is 0
    density = np.exp(z * z / -2)
    density *= z
    density *= weights
    density /= density.sum(1, keepdims=True)
    return u, density


def power_law_cell(cell: FloatArray, side: int) -> FloatArray:
    """Return the line that continues an outermost cell beyond its end, `(4, 1, CELL_DEGREE + 1)`.

    Its slope, the exponent of the power law, is a multiple of 1/2.
    """
    powers = np.arange(CELL_DEGREE + 1)
    end = cell @ (side / 2.0) ** powers
    slope = cell[:, 1:] @ (powers[1:] * (side / 2.0) ** powers[:-1])
    exponent = np.round(2 * slope) / 2
    line = np.zeros((4, 1, CELL_DEGREE + 1))
    line[:, 0, 0], line[:, 0, 1] = end + side * exponent / 2, exponent
    return line


def check_range(
    name: str, value: ArrayLike, low: float = 0.0, high: float = math.inf, finite: bool = True
) -> FloatArray:
    """Return the value as a float64 array.

    ValueError names the argument, the first illegal value and what is legal.
    """
    array = np.asarray(value, dtype=np.float64)
    bad = ~((array >= low) & (array <= high)) | (finite & np.isinf(array))
    if bad.any():
        legal = f"finite number of at least {low:g}"
        if high < math.inf or not finite:
            legal = f"number from {low:g} to {high:g}"
        raise ValueError(f"{name} is {array[bad].flat[0]}, legal is a {legal}")
    return array


def quiet_log(x: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def quiet_exp(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)
