"""Averages of one activation over bell curves, from tables that are built once, when first asked for.

u, u1, u2 are normal with mean 0 and variance q; c is the correlation of u1 and u2. In one variable: E phi(u)^2 and
E phi'(u)^2, as logarithms over log q. In two: how fast E phi(u1) phi(u2) falls from c = 1, see `fall_at`.
"""

import math
from functools import cache

import numpy as np
import torch

from stability.catalogues.activations import ACTIVATIONS, Activation

LOG_Q_MIN, LOG_Q_MAX = -60, 60  # the tables run from q = e^-60 to e^60, 1e-26 to 1e26, in cells of width 1 in log q; beyond are power laws
CELL_DEGREE = 11  # of the polynomial in log q of a cell: the averages are analytic for |Im log q| < pi, so (1 / 4 pi)^12 is left
ANGLES = 48  # Chebyshev points in the angle
DEFICIT_LOG_Q_MAX = 13  # the fall is tabled to q = e^13, 4e5: beyond, corners and saturation are taken as sharp, right to about 1 / 600
CELL_CENTRES = np.arange(LOG_Q_MIN - 0.5, LOG_Q_MAX + 1)  # of the cells, one on either side for the power laws
CHEBYSHEV = np.cos(math.pi * (np.arange(CELL_DEGREE + 1) + 0.5) / (CELL_DEGREE + 1)) / 2  # nodes of a cell, from its centre
LOG_Q_NODES = (CELL_CENTRES[1:-1, None] + CHEBYSHEV).ravel()  # all nodes
TO_POWERS = np.linalg.inv(np.vander(CHEBYSHEV, increasing=True))  # values at the nodes -> coefficients of 1, x, x^2, ...
SECOND, SLOPE, GROWTH, ODD = range(4)  # E phi^2, E phi'^2, d E phi^2 / dq, E (odd part of phi)'^2


def activation_row(activation: str | Activation) -> Activation:
    """The row that a key names. ValueError where it names none."""
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}, legal is one of " + ", ".join(ACTIVATIONS))
    return ACTIVATIONS[activation]


def phi(row: Activation, u: np.ndarray) -> np.ndarray:
    return row.phi(torch.from_numpy(u)).numpy()


def dphi(row: Activation, u: np.ndarray) -> np.ndarray:
    at = torch.from_numpy(u)
    return row.dphi(at, row.phi(at)).numpy()


leggauss = cache(np.polynomial.legendre.leggauss)


def legendre_rule(low, high, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights between `low` and `high`, `(..., count)`."""
    x, weights = leggauss(count)
    half = (np.asarray(high) - low)[..., None] / 2
    return np.asarray(low)[..., None] + half * (x + 1), half * weights


def radial_rule(corners: tuple[tuple[float, float], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Where to evaluate an integrand, |u| `(nodes,)`, and its weights in the mean over |u| at each q `(q, nodes)`.

    The rule is composite Gauss-Legendre in log |u|, of panels that end at corners: tiny and huge q cost the same.
    """
    edges = np.unique(np.r_[LOG_Q_MIN / 2 - 38 : LOG_Q_MAX / 2 + 4, [math.log(abs(at)) for at, _ in corners if at]])
    log_u, weights = (array.ravel() for array in legendre_rule(edges[:-1], edges[1:], 14))
    u = np.exp(log_u)
    z = np.minimum(np.exp(-LOG_Q_NODES / 2)[:, None] * u, 40.0)  # beyond 40 the bell curve is 0
    density = np.exp(z * z / -2)
    density *= z
    density *= weights
    density /= density.sum(1, keepdims=True)
    return u, density


@cache
def log_moment_table(row: Activation) -> np.ndarray:
    """Logarithms of SECOND, SLOPE, GROWTH and ODD as polynomials of each cell, `(4, DEGREE + 1, cells)`."""
    u, weights = radial_rule(row.corners or ())
    (right, left), (right_slope, left_slope) = ([of(row, at) for at in (u, -u)] for of in (phi, dphi))
    # d/dq E phi^2 = E u phi phi' / q. Where phi(0) is not 0, phi phi' is flat near 0 and its odd part is lost in rounding.
    steady = np.maximum(u, 1e-5 if phi(row, np.zeros(1))[0] else 0)
    bend = sum(phi(row, at) * dphi(row, at) / at for at in (steady, -steady))
    squares = [right**2 + left**2, right_slope**2 + left_slope**2, u**2 * bend, (right_slope + left_slope) ** 2 / 2]
    logs = np.log(weights @ np.transpose(squares) / 2).T
    logs[GROWTH] -= LOG_Q_NODES
    logs = logs.reshape(4, -1, CELL_DEGREE + 1)
    inner = (logs - logs[..., :1]) @ TO_POWERS.T  # differences: TO_POWERS multiplies rounding a thousandfold
    inner[..., 0] += logs[..., 0]
    return np.concatenate([power_law_cell(inner[:, 0], -1), inner, power_law_cell(inner[:, -1], 1)], axis=1).transpose(0, 2, 1).copy()


def power_law_cell(cell: np.ndarray, side: int) -> np.ndarray:
    """The straight line that leaves a cell at its outer end, `(4, 1, DEGREE + 1)`: all exponents are whole or half."""
    powers = np.arange(CELL_DEGREE + 1)
    end = cell @ (side / 2.0) ** powers
    exponent = np.round(2 * cell[:, 1:] @ (powers[1:] * (side / 2.0) ** powers[:-1])) / 2
    line = np.zeros((4, 1, CELL_DEGREE + 1))
    line[:, 0, 0], line[:, 0, 1] = end + side * exponent / 2, exponent
    return line


def log_moment(row: Activation, kind: int, log_q: np.ndarray) -> np.ndarray:
    """Logarithm of SECOND, SLOPE, GROWTH or ODD, elementwise in `log_q`; -inf and inf are q = 0 and q = inf."""
    coefficients = log_moment_table(row)[kind]
    t = np.clip(log_q, -2000.0, 2000.0)
    cell = np.clip(np.floor(t).astype(int) - LOG_Q_MIN + 1, 0, len(CELL_CENTRES) - 1)
    x = t - CELL_CENTRES[cell]
    result = coefficients[CELL_DEGREE][cell]
    for power in range(CELL_DEGREE - 1, -1, -1):
        result = result * x + coefficients[power][cell]
    return result


def slope_by_parity(row: Activation, q: np.ndarray) -> np.ndarray:
    """E phi'(u)^2 as the shares of the odd and of the even part of phi, `(2, q)`."""
    slope, odd = (np.exp(log_moment(row, kind, np.log(q))) for kind in (SLOPE, ODD))
    return np.stack([odd, slope - odd])


def angle_scale(q: np.ndarray) -> np.ndarray:
    """How fine the fall is in theta: its width is that of the curved part of phi as seen from sqrt(q)."""
    return np.sqrt(1 + q)


def corner_deficit(corners, q: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """By how much corners make the fall less than E phi'^2, odd and even part `(2, q, theta)`; theta is `(q, theta)`.

    Price's theorem: d E phi'(u1) phi'(u2) / d theta = -q sin(theta) E phi''(u1) phi''(u2), and phi'' is a sum of deltas.
    """
    ends, scale = theta[..., None], angle_scale(q)[:, None, None]
    x, weights = legendre_rule(0.0, np.arcsinh(scale[..., 0] * theta), 64)  # (q, theta, nodes)
    at, weights = np.sinh(x) / scale, weights * np.cosh(x) / scale
    cosine, sine2 = np.cos(at), np.sin(at) ** 2
    lever = weights * np.sin((ends - at) / 2) * np.sin((ends + at) / 2) / np.sin(ends / 2) ** 2
    loss = np.zeros((2, *theta.shape))
    for k, jump in corners:
        for other, step in corners:
            same, opposite = (
                np.exp(-(k**2 + other**2 - 2 * sign * cosine * k * other) / (2 * q[:, None, None] * sine2)) for sign in (1, -1)
            )
            both = np.stack([same - opposite, same + opposite])
            loss += jump * step / (4 * math.pi) * (both * lever).sum(-1)
    return loss


def harmonic_powers(row: Activation, q: float, rays: tuple[float, float], count: int) -> np.ndarray:
    """Powers in exp(i m a), m = 0..count/2, of phi less the powers of its two tangents at 0, a the angle of (u1, u2).

    u1 = sqrt(q) r cos(a), u2 = sqrt(q) r cos(a - theta), so E phi(u1) phi(u2) is the mean over r of the autocorrelation of
    phi(sqrt(q) r cos a), sum_m power_m exp(i m theta). Tangents have a closed form, and their corner fades slowly in m.
    """
    r, weights = legendre_rule(0.0, 9.0, int(min(40 + 8 * math.sqrt(q), 128)))
    m = np.arange(count // 2 + 1)
    left, right = rays
    u = math.sqrt(q) * r[:, None] * np.cos(math.pi * m / m[-1])  # (r, angles)
    rest = phi(row, u) - np.where(u > 0, right, left) * u
    rest = np.fft.hfft(rest, count)[:, : len(m)] / count  # (r, m)
    tangents = np.zeros(len(m))
    tangents[::2] = (right - left) / math.pi * -np.cos(math.pi * m[::2] / 2) / (m[::2] ** 2 - 1.0)
    tangents[1] = (right + left) / 4
    return (weights * r * np.exp(-(r**2) / 2)) @ (rest * (rest + 2 * math.sqrt(q) * r[:, None] * tangents))


def resolved_harmonics(row: Activation, q: float, rays: tuple[float, float]) -> np.ndarray:
    """Powers as of `harmonics`, up to the last that counts: few where phi is smooth as seen from sqrt(q)."""
    for count in (256, 2 ** int(np.clip(math.log2(128 * math.sqrt(q)), 11, 15))):
        power = harmonic_powers(row, q, rays, count)
        weight = abs(power) * np.arange(len(power)) ** 2.0  # what a power adds to the slope
        counts = np.flatnonzero(weight > 1e-14 * weight.sum())
        if counts.size == 0 or counts[-1] < 0.9 * len(power):
            break
    return power[: counts[-1] + 1 if counts.size else 1]


def smooth_deficit(row: Activation, q: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The fall of an activation that is curved, odd and even part `(2, q, theta)`: that of its tangents at 0, and the rest."""
    left, right = rays = [float(slope) for slope in dphi(row, np.array([-1e-300, 1e-300]))]
    fall = np.array([right + left, right - left])[:, None, None] ** 2 / 4 - corner_deficit([(0.0, right - left)], q, theta)
    for i, power in enumerate(resolved_harmonics(row, each, rays) for each in q):
        half = theta[i, :, None] / 2
        for part, parity in enumerate((1, 0)):
            m = np.arange(parity, len(power), 2)
            fall[part, i] += 2 / q[i] * (np.sin(m * half) / np.sin(half)) ** 2 @ power[parity::2]
    return fall


@cache
def deficit_cell(row: Activation, cell: int) -> np.ndarray:
    """Odd and even part of the fall as polynomials in log q and Chebyshev series in angle, `(DEGREE + 1, ANGLES, 2)`."""
    q = np.exp(CELL_CENTRES[cell] + CHEBYSHEV)
    nodes = np.cos(math.pi * np.arange(ANGLES)[::-1] / (ANGLES - 1))
    length = np.arcsinh(angle_scale(q) * math.pi / 2)[:, None]
    theta = np.sinh((nodes[1:] + 1) / 2 * length) / angle_scale(q)[:, None]  # (q, theta), 0 left out
    start = slope_by_parity(row, q)[..., None]
    fall = smooth_deficit(row, q, theta) if row.corners is None else start - corner_deficit(row.corners, q, theta)
    fall = np.concatenate([start, fall], axis=2)
    series = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, ANGLES - 1))
    return np.einsum("pn,snt,kt->pks", TO_POWERS, fall, series)


def deficit_series(row: Activation, log_q: np.ndarray) -> np.ndarray:
    """The fall at each q as Chebyshev series in angle, odd and even part `(ANGLES, 2, q)`."""
    t = np.clip(log_q, LOG_Q_MIN, DEFICIT_LOG_Q_MAX - 1e-9)
    cells = np.floor(t).astype(int) - LOG_Q_MIN + 1
    result = np.empty((ANGLES, 2, len(t)))
    for cell in np.unique(cells):
        here = cells == cell
        powers = np.vander(t[here] - CELL_CENTRES[cell], CELL_DEGREE + 1, increasing=True)
        result[..., here] = np.einsum("np,pks->ksn", powers, deficit_cell(row, int(cell)))
    beyond = log_q > t + 1e-9
    if beyond.any():
        ends = (log_moment(row, SECOND, at[beyond]) - at[beyond] for at in (np.minimum(log_q, 700), t))
        result[..., beyond] *= np.exp(np.subtract(*ends))
    return result


def evaluate_deficit(series: np.ndarray, log_q: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fall and slope, odd and even part `(2, q)` each, from the series of `falls`; theta `(q,)` from 0 to pi / 2.

    With c = cos(theta): the fall is (E phi(u)^2 - E phi(u1) phi(u2)) / (q (1 - c)), the slope E phi'(u1) phi'(u2), which is
    fall + tan(theta / 2) d fall / d theta.
    """
    scale = angle_scale(np.exp(np.clip(log_q, LOG_Q_MIN, DEFICIT_LOG_Q_MAX)))
    length = np.arcsinh(scale * math.pi / 2)
    xi = np.clip(2 * np.arcsinh(scale * theta) / length - 1, -1, 1)
    fall = np.polynomial.chebyshev.chebval(xi, series, tensor=False)
    change = np.polynomial.chebyshev.chebval(xi, np.polynomial.chebyshev.chebder(series, axis=0), tensor=False)
    return fall, fall + np.tan(theta / 2) * change * 2 / length * scale / np.hypot(1, scale * theta)
