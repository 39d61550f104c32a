"""Averages of one activation over two correlated bell curves, from tables built on first use.

u1 and u2 are normal with mean 0, variance q and correlation c = cos(theta). Everything follows from
the correlation deficit

    D(theta) = (E phi(u)^2 - E phi(u1) phi(u2)) / (q (1 - c)),

which is smooth and loses no digits as c goes to 1, where it is E phi'(u)^2.

1.  By Price's theorem (1958), d E phi(u1) phi(u2) / dc = q E phi'(u1) phi'(u2). So the slope of the
    correlation map is E phi'(u1) phi'(u2) = D + tan(theta / 2) dD / dtheta, and D is its mean over
    the correlations from c to 1.

2.  Where phi is piecewise linear, phi'' is a sum of delta functions at its corners, and
    Price's theorem for phi', d E phi'(u1) phi'(u2) / dtheta = -q sin(theta) E phi''(u1) phi''(u2),
    leaves one integral over a known density: `corner_deficit`.

3.  Where phi is curved, use polar coordinates: u1 = sqrt(q) r cos(a), u2 = sqrt(q) r cos(a - theta)
    with a uniform. So E phi(u1) phi(u2) is the mean over r of the autocorrelation in the angle of
    phi(sqrt(q) r cos a), sum_m power_m exp(i m theta), and D is the sum over m > 0 of
    2 power_m sin(m theta / 2)^2 / (q sin(theta / 2)^2): `curved_deficit`.

4.  Averages of the odd part of phi are odd in c, those of the even part even, and mixed ones 0.
    Both parts are tabled for theta from 0 to pi / 2, and together they give every c.

A table is a polynomial in log q within a cell and a Chebyshev series in the angle. D varies over
angles of about 1 / sqrt(1 + q), the width of the curved part of phi relative to sqrt(q), so the
angle is stretched to arcsinh(theta sqrt(1 + q)).
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
from numpy.polynomial import chebyshev

from stability.catalogues.activations import Activation
from stability.catalogues.gaussian_moments import (
    CELL_CENTRES,
    CELL_DEGREE,
    CELL_NODES,
    LOG_Q_MIN,
    ODD,
    SECOND,
    SLOPE,
    TO_POWERS,
    FloatArray,
    dphi,
    legendre_rule,
    log_moment,
    phi,
)

ANGLES = 48  # Chebyshev points in the stretched angle
# Tables end at q = e^13, 4e5: beyond, corners and saturation count as sharp, an error of 1 / 600.
DEFICIT_LOG_Q_MAX = 13


def deficit_by_angle(
    row: Activation, log_q: FloatArray
) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    """Return a function of theta `(q,)` from 0 to pi / 2: D and E phi'(u1) phi'(u2).

    Each is `(2, q)`, for the odd and the even part of phi.
    """
    if row.closed_moments:
        return partial(row.closed_moments.deficit, log_q)
    return partial(evaluate_deficit, deficit_series(row, log_q), log_q)


def evaluate_deficit(
    series: FloatArray, log_q: FloatArray, theta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return D and E phi'(u1) phi'(u2) from `deficit_series` at the same `log_q`."""
    scale = angle_scale(np.exp(np.clip(log_q, LOG_Q_MIN, DEFICIT_LOG_Q_MAX)))
    length = np.arcsinh(scale * math.pi / 2)
    x = np.clip(2 * np.arcsinh(scale * theta) / length - 1, -1, 1)
    deficit: FloatArray = chebyshev.chebval(x, series, tensor=False)
    change = chebyshev.chebval(x, chebyshev.chebder(series, axis=0), tensor=False)
    slope = np.tan(theta / 2) * change * 2 / length * scale / np.hypot(1, scale * theta)
    return deficit, deficit + slope


def deficit_series(row: Activation, log_q: FloatArray) -> FloatArray:
    """Return D at each q as a Chebyshev series `(ANGLES, 2, q)`, odd and even part."""
    t = np.clip(log_q, LOG_Q_MIN, DEFICIT_LOG_Q_MAX - 1e-9)
    cells = np.floor(t).astype(int) - LOG_Q_MIN + 1
    result = np.empty((ANGLES, 2, len(t)))
    for cell in np.unique(cells):
        in_cell = cells == cell
        powers = np.vander(t[in_cell] - CELL_CENTRES[cell], CELL_DEGREE + 1, increasing=True)
        result[..., in_cell] = np.einsum("np,pks->ksn", powers, deficit_cell(row, int(cell)))
    beyond = log_q > t + 1e-9
    if beyond.any():  # D scales like E phi^2 / q
        at_q, at_table_end = (
            log_moment(row, SECOND, x[beyond]) - x[beyond] for x in (np.minimum(log_q, 700), t)
        )
        result[..., beyond] *= np.exp(at_q - at_table_end)
    return result


@cache
def deficit_cell(row: Activation, cell: int) -> FloatArray:
    """Return D's Chebyshev coefficients as polynomials in log q, `(CELL_DEGREE + 1, ANGLES, 2)`."""
    q = np.exp(CELL_CENTRES[cell] + CELL_NODES)
    scale = angle_scale(q)[:, None]
    x = np.cos(math.pi * np.arange(ANGLES)[::-1] / (ANGLES - 1))
    theta = np.sinh((x[1:] + 1) / 2 * np.arcsinh(scale * math.pi / 2)) / scale  # (q, theta > 0)
    slope, odd = (np.exp(log_moment(row, kind, np.log(q))) for kind in (SLOPE, ODD))
    at_0 = np.stack([odd, slope - odd])[..., None]
    if row.corners is None:
        deficit = curved_deficit(row, q, theta)
    else:
        deficit = at_0 - corner_deficit(row.corners, q, theta)
    deficit = np.concatenate([at_0, deficit], axis=2)
    to_series = np.linalg.inv(chebyshev.chebvander(x, ANGLES - 1))
    return np.asarray(np.einsum("pn,snt,kt->pks", TO_POWERS, deficit, to_series))


def angle_scale(q: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(1 + q))


def corner_deficit(
    corners: Sequence[tuple[float, float]], q: FloatArray, theta: FloatArray
) -> FloatArray:
    """Return E phi'^2 - D of corners, odd and even part `(2, q, theta)`; theta is `(q, theta)`.

    Jumps j and k of phi' at u1 = v and u2 = w contribute the integral over s from 0 to theta of
    j k exp(-(v^2 + w^2 - 2 v w cos s) / (2 q sin(s)^2)) / (2 pi), times
    (cos s - cos theta) / (1 - cos theta). With the mirror image, in which w is -w, the odd part is
    half the difference, the even part half the sum.
    """
    ends, scale = theta[..., None], angle_scale(q)[:, None, None]
    x, weights = legendre_rule(0.0, np.arcsinh(scale[..., 0] * theta), 64)  # (q, theta, nodes)
    s, weights = np.sinh(x) / scale, weights * np.cosh(x) / scale
    weights = weights * np.sin((ends - s) / 2) * np.sin((ends + s) / 2) / np.sin(ends / 2) ** 2
    cosine, variance = np.cos(s), 2 * q[:, None, None] * np.sin(s) ** 2
    result = np.zeros((2, *theta.shape))
    for v, jump in corners:
        for w, other_jump in corners:
            same, mirrored = (
                np.exp(-(v**2 + w**2 - 2 * sign * cosine * v * w) / variance) for sign in (1, -1)
            )
            parts = np.stack([same - mirrored, same + mirrored])
            result += jump * other_jump / (4 * math.pi) * (parts * weights).sum(-1)
    return result


def curved_deficit(row: Activation, q: FloatArray, theta: FloatArray) -> FloatArray:
    """Return D of a curved activation, odd and even part `(2, q, theta)`.

    It is D of the two tangents of phi at 0, which may form a corner, plus D of the rest, from
    harmonics.
    """
    left, right = (float(slope) for slope in dphi(row, np.array([-1e-300, 1e-300])))
    tangents = np.array([right + left, right - left])[:, None, None] ** 2 / 4
    deficit: FloatArray = tangents - corner_deficit([(0.0, right - left)], q, theta)
    for i, variance in enumerate(q):
        powers = resolved_harmonics(row, variance, left, right)
        half = theta[i, :, None] / 2
        for part, first in enumerate((1, 0)):  # odd m, even m
            m = np.arange(first, len(powers), 2)
            ratio = (np.sin(m * half) / np.sin(half)) ** 2
            deficit[part, i] += 2 / variance * ratio @ powers[first::2]
    return deficit


def resolved_harmonics(row: Activation, q: float, left: float, right: float) -> FloatArray:
    """Return `harmonic_powers` up to the last that matters: few if phi is smooth over sqrt(q)."""
    for count in (256, 2 ** int(np.clip(math.log2(128 * math.sqrt(q)), 11, 15))):
        powers = harmonic_powers(row, q, left, right, count)
        weight = abs(powers) * np.arange(len(powers)) ** 2.0  # contributions to the slope
        relevant = np.flatnonzero(weight > 1e-14 * weight.sum())
        last = relevant[-1] if relevant.size else 0
        if last < 0.9 * len(powers):
            break
    return powers[: last + 1]


def harmonic_powers(row: Activation, q: float, left: float, right: float, count: int) -> FloatArray:
    """Return power_m of phi minus power_m of its tangents at 0, for m = 0 .. count / 2.

    `left` and `right` are the tangents' slopes. Their harmonics have a closed form, and those of a
    corner would decay slowly in m.
    """
    nodes = 16 * math.ceil(min(40 + 8 * math.sqrt(q), 128) / 16)  # few rules serve every q
    r, weights = legendre_rule(0.0, 9.0, nodes)
    m = np.arange(count // 2 + 1)
    u = math.sqrt(q) * r[:, None] * np.cos(math.pi * m / m[-1])  # (r, angles)
    rest = phi(row, u) - np.where(u > 0, right, left) * u
    rest = np.fft.hfft(rest, count)[:, : len(m)] / count  # (r, m)
    tangents = np.zeros(len(m))
    even = m[::2]
    tangents[::2] = (right - left) / math.pi * -np.cos(math.pi * even / 2) / (even**2 - 1.0)
    tangents[1] = (right + left) / 4
    density = weights * r * np.exp(-(r**2) / 2)
    return np.asarray(density @ (rest * (rest + 2 * math.sqrt(q) * r[:, None] * tangents)))
