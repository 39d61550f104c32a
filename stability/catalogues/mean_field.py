"""Mean-field theory of wide random networks of one activation: how signals, their correlations and gradients go with depth.

sigma_w2 is fan_in times the variance of a weight, sigma_b2 the variance of a bias; q is the variance of a pre-activation,
c the correlation of the pre-activations of two inputs, u, u1 and u2 are normal, of mean 0 and variance q.
Poole et al. 2016 (arXiv:1606.05340), Schoenholz et al. 2017 (arXiv:1611.01232).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stability.catalogues.activations import Activation
from stability.catalogues.gaussian_moments import (
    GROWTH,
    LOG_Q_MAX,
    LOG_Q_MIN,
    SECOND,
    SLOPE,
    evaluate_deficit,
    deficit_series,
    log_moment,
    activation_row,
)

LOG_Q_GRID = np.r_[-700.0, np.arange(LOG_Q_MIN, LOG_Q_MAX + 0.25, 0.5), 700.0]  # of log q; beyond LOW and HIGH all averages are power laws
MAP_ROUNDING = 1e-12  # relative: a map this close to the identity is the identity, a slope this close to 1 is 1
NOTE_DIES = "The signal dies out: q runs to 0."
NOTE_DIES_FROM_BELOW = "The signal dies out, as all do that start below an unstable fixed point; from above it they explode."
NOTE_EXPLODES = "There is no finite fixed point: q runs to infinity."
NOTE_EXPLODES_FROM_ABOVE = "The signal explodes, as all do that start above an unstable fixed point; from below it they do not."
NOTE_EVERY_Q_FIXED = "Every q is a fixed point: it stays what the first layer makes it, sigma_w2 + sigma_b2."
NOTE_UNSTABLE = "The network starts on an unstable fixed point: rounding drives it away."


@dataclass(frozen=True)
class FixedPoint:
    """Where a deep network settles: floats, or arrays of the shape of sigma_w2 and sigma_b2; see `fixed_point`."""

    q: float | np.ndarray
    c: float | np.ndarray
    chi_1: float | np.ndarray
    chi_q: float | np.ndarray
    xi_q: float | np.ndarray
    xi_c: float | np.ndarray
    xi_gradient: float | np.ndarray
    note: str | np.ndarray


def check_range(name: str, value: ArrayLike, low: float = 0.0, high: float = math.inf, finite: bool = True) -> np.ndarray:
    """The value as float64. ValueError names the argument, the first bad value and what is legal."""
    array = np.asarray(value, dtype=np.float64)
    bad = ~((array >= low) & (array <= high)) | (finite & np.isinf(array))
    if bad.any():
        bounds = f"number from {low:g} to {high:g}" if high < math.inf or not finite else f"finite number of at least {low:g}"
        raise ValueError(f"{name} is {array[bad].flat[0]}, legal is a {bounds}")
    return array


def safe_log(x: ArrayLike) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(x)


def safe_exp(x: ArrayLike) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def second_moment(activation: str | Activation, q: ArrayLike) -> np.ndarray:
    """E phi(u)^2 for u ~ N(0, q), elementwise, q from 0 to inf. ValueError for any other q."""
    return safe_exp(log_moment(activation_row(activation), SECOND, safe_log(check_range("q", q, finite=False))))


def slope_moment(activation: str | Activation, q: ArrayLike) -> np.ndarray:
    """E phi'(u)^2 for u ~ N(0, q), elementwise, q from 0 to inf. ValueError for any other q."""
    return safe_exp(log_moment(activation_row(activation), SLOPE, safe_log(check_range("q", q, finite=False))))


def correlation(activation: str | Activation, q: ArrayLike, c: ArrayLike) -> np.ndarray:
    """E phi(u1) phi(u2) for u1, u2 ~ N(0, q) of correlation c, elementwise: to 1e-7 of E phi(u)^2 for q to 10, 1e-4 to 1e5.

    ValueError for q below 0 or infinite and for c outside -1 to 1.
    """
    return pair_moments(activation, q, c)[0]


def slope_correlation(activation: str | Activation, q: ArrayLike, c: ArrayLike) -> np.ndarray:
    """E phi'(u1) phi'(u2) for u1, u2 ~ N(0, q) of correlation c, elementwise: to 1e-6 of E phi'(u)^2 for q to 10, 1e-3 to 5e3.

    ValueError as for `correlation`.
    """
    return pair_moments(activation, q, c)[1]


def pair_moments(activation: str | Activation, q: ArrayLike, c: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """E phi(u1) phi(u2) and E phi'(u1) phi'(u2), elementwise."""
    row = activation_row(activation)
    q, c = np.broadcast_arrays(check_range("q", q), check_range("c", c, -1.0, 1.0))
    log_q, sign, below = safe_log(q.ravel()), np.where(c.ravel() < 0, -1.0, 1.0), 1 - abs(c.ravel())
    series = deficit_series(row, log_q)
    (odd, even), (odd_slope, even_slope) = evaluate_deficit(series, log_q, 2 * np.arcsin(np.sqrt(below / 2)))
    odd_moment = evaluate_deficit(series, log_q, np.full_like(log_q, math.pi / 2))[0][0]  # times q; at c = 0 nothing of it is left
    product = safe_exp(log_moment(row, SECOND, log_q)) - q.ravel() * ((1 - sign) * odd_moment + below * (sign * odd + even))
    return product.reshape(q.shape), (odd_slope + sign * even_slope).reshape(q.shape)


def find_root(f: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Where f, positive at `above` and not at `below`, passes 0: Newton's steps, halving where one leaves the bracket.

    f yields its value and its derivative, elementwise; where that is NaN the bracket is halved.
    """
    x = (above + below) / 2
    for _ in range(80):
        value, slope = f(x)
        above, below = np.where(value > 0, x, above), np.where(value > 0, below, x)
        with np.errstate(all="ignore"):
            newton = x - value / slope
        inside = (newton - above) * (newton - below) <= 0
        new = np.where(inside, newton, (above + below) / 2)
        if np.all((abs(new - x) <= 1e-14 * (1 + abs(x))) | (abs(value) <= 2e-15)):
            return new
        x = new
    return x


def log_map_gap(row: Activation, log_w: np.ndarray, log_b: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log V(q) - log q at log q = t for V(q) = sigma_w2 E phi^2 + sigma_b2, and its derivative in t."""
    image = np.logaddexp(log_w + log_moment(row, SECOND, t), log_b)
    with np.errstate(all="ignore"):  # sigma_w2 = sigma_b2 = 0
        return image - t, np.exp(log_w + log_moment(row, GROWTH, t) + t - image) - 1


def settled_log_q(row: Activation, log_w: np.ndarray, log_b: np.ndarray) -> np.ndarray:
    """log q where iteration of V ends, `(n,)`; -inf and inf where it runs there.

    V grows with q, so iteration runs one way only, to the first fixed point on its way.
    """
    start = np.clip(np.logaddexp(log_w, log_b), LOG_Q_GRID[0], LOG_Q_GRID[-1])
    rise = log_map_gap(row, log_w, log_b, start)[0]
    result = start.copy()
    for side in (1, -1):
        going = side * rise > MAP_ROUNDING
        if going.any():
            result[going] = first_fixed_point(row, log_w[going], log_b[going], start[going], side)
    return result


def first_fixed_point(row: Activation, log_w: np.ndarray, log_b: np.ndarray, start: np.ndarray, side: int) -> np.ndarray:
    """log q of the first fixed point above (`side` 1) or below (-1) `start`, `(n,)`, inf or -inf where there is none."""
    grid = LOG_Q_GRID[::side]
    ahead = side * (grid - start[:, None]) > 0  # (n, grid)
    path = np.where(ahead, grid, start[:, None])
    here = log_map_gap(row, log_w, log_b, start)
    there = log_map_gap(row, log_w[:, None], log_b[:, None], grid)
    value, slope = (np.where(ahead, far, near[:, None]) for far, near in zip(there, here, strict=True))
    value = side * value  # positive at the start; a fixed point is where it turns negative
    path, value = split_at_dips(row, log_w, log_b, side, path, value, slope)
    crossed = value < -MAP_ROUNDING
    stops = crossed.any(1)
    at = np.argmax(crossed, axis=1)[stops]
    result = np.full(len(start), side * math.inf)
    lines = np.flatnonzero(stops)
    result[stops] = find_root(
        lambda t: tuple(side * part for part in log_map_gap(row, log_w[stops], log_b[stops], t)),
        path[lines, at - 1], path[lines, at],
    )  # fmt: skip
    return result


def split_at_dips(row, log_w, log_b, side, path, value, slope) -> tuple[np.ndarray, np.ndarray]:
    """Path and value `(n, grid)` with the ends of steps moved to where the value dips below 0 between two positive ones.

    There two fixed points lie close together, as they do before they meet and vanish.
    """
    line, step = np.nonzero((value[:, :-1] > 0) & (value[:, 1:] > 0) & (slope[:, :-1] < 0) & (slope[:, 1:] > 0))
    if len(line):
        log_w, log_b = log_w[line], log_b[line]
        down = path[line, step + 1], path[line, step]  # the slope is positive at the first, negative at the second
        bottom = find_root(lambda t: (log_map_gap(row, log_w, log_b, t)[1], np.full_like(t, math.nan)), *down)
        path[line, step + 1], value[line, step + 1] = bottom, side * log_map_gap(row, log_w, log_b, bottom)[0]
    return path, value


def stable_angle(row: Activation, sigma_w2: np.ndarray, log_q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of chaotic networks, `(n,)`: arccos c at the stable fixed point of the correlation map, and the map's slope there.

    1 - C(c) = sigma_w2 (E phi(u)^2 - E phi(u1) phi(u2)) / q, so c < 1 is fixed where sigma_w2 times the fall is 1. The fall
    grows from c = 0, where it is at most 1 / sigma_w2, to c = 1, where it is E phi'(u)^2.
    """
    series = deficit_series(row, log_q)

    def excess(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fall, slope = (part.sum(0) for part in evaluate_deficit(series, log_q, theta))
        return sigma_w2 * fall - 1, sigma_w2 * (slope - fall) / np.tan(theta / 2)

    theta = find_root(excess, np.zeros_like(log_q), np.full_like(log_q, math.pi / 2))
    return theta, sigma_w2 * evaluate_deficit(series, log_q, theta)[1].sum(0)


def depth_scale(chi: np.ndarray) -> np.ndarray:
    """Layers over which what is multiplied by chi a layer shrinks by e: -1 / ln chi; negative where it grows, inf at 1."""
    with np.errstate(divide="ignore"):
        return np.where(chi == 1, math.inf, -1 / np.where(chi == 1, math.nan, np.log(chi)))


def map_slope(row: Activation, kind: int, log_w: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """sigma_w2 E phi'^2 or sigma_w2 d E phi^2 / dq; exactly 1 where it is 1 up to rounding."""
    value = safe_exp(log_w + log_moment(row, kind, log_q))
    return np.where(abs(value - 1) <= MAP_ROUNDING, 1.0, value)


def fixed_point(activation: str | Activation, sigma_w2: ArrayLike, sigma_b2: ArrayLike) -> FixedPoint:
    """Where a deep network settles, and over how many layers; elementwise, floats where both arguments are.

    `q`       the fixed point of the variance map V(q) = sigma_w2 E phi(u)^2 + sigma_b2 to which iteration runs from the first
              layer, q_1 = sigma_w2 + sigma_b2 (standardised inputs); 0 or inf where it runs there; q_1 where every q is fixed
    `chi_q`   V'(q), Poole et al. 2016;  `chi_1` sigma_w2 E phi'(u)^2, the slope of the correlation map
              C(c) = (sigma_w2 E phi(u1) phi(u2) + sigma_b2) / q at c = 1 and the factor of a squared gradient a layer
    `c`       the stable fixed point of C: 1 up to chi_1 = 1, less beyond; nan where every c is fixed (linear); at q = 0 that
              of the limit of small sigma_b2; at q = inf that of correlations of signals that grow
    `xi_q`, `xi_c`, `xi_gradient`  layers over which distances to q and c and the squared gradient shrink by e: -1 / ln of
              chi_q, of the slope of C at c, of chi_1; negative where they grow, inf at 1 (Schoenholz et al. 2017)
    `note`    a sentence where there is no fixed point, or none that is stable, else ""

    ValueError where sigma_w2 or sigma_b2 is negative or not finite.
    """
    row = activation_row(activation)
    sigma_w2, sigma_b2 = np.broadcast_arrays(check_range("sigma_w2", sigma_w2), check_range("sigma_b2", sigma_b2))
    shape, w, b = sigma_w2.shape, sigma_w2.ravel(), sigma_b2.ravel()
    log_w, log_b = safe_log(w), safe_log(b)
    log_q = settled_log_q(row, log_w, log_b)
    q, chi_1, chi_q = safe_exp(log_q), map_slope(row, SLOPE, log_w, log_q), map_slope(row, GROWTH, log_w, log_q)
    c, slope = np.ones_like(q), np.where(np.isinf(q), 1.0, chi_1)
    chaotic = (chi_1 > 1) & (q > 0) & np.isfinite(q)
    theta, slope[chaotic] = stable_angle(row, w[chaotic], log_q[chaotic])
    c[chaotic] = np.maximum(np.cos(theta), 0)
    c[(slope == 1) & (q > 0) & (row.corners == ())] = math.nan  # a straight line passes on every correlation
    scales, note = map(depth_scale, (chi_q, slope, chi_1)), fixed_point_notes(row, log_w, log_b, log_q, chi_q)
    return FixedPoint(*(field.reshape(shape) if shape else field.item() for field in (q, c, chi_1, chi_q, *scales, note)))


def fixed_point_notes(row: Activation, log_w: np.ndarray, log_b: np.ndarray, log_q: np.ndarray, chi_q: np.ndarray) -> np.ndarray:
    """A sentence for each network without a stable fixed point, `(n,)`."""
    finite = np.isfinite(log_q)
    asked = ~finite | (chi_q == 1)
    up, down = np.zeros((2, len(log_q)), dtype=bool)
    gaps = log_map_gap(row, log_w[asked, None], log_b[asked, None], LOG_Q_GRID)[0]
    up[asked], down[asked] = (gaps > MAP_ROUNDING).any(1), (gaps < -MAP_ROUNDING).any(1)
    cases = {
        NOTE_EVERY_Q_FIXED: asked & ~up & ~down,
        NOTE_UNSTABLE: finite & (chi_q > 1),
        NOTE_EXPLODES_FROM_ABOVE: ~finite & (log_q > 0) & down,
        NOTE_EXPLODES: ~finite & (log_q > 0),
        NOTE_DIES_FROM_BELOW: ~finite & (log_q < 0) & up,
        NOTE_DIES: ~finite & (log_q < 0),
    }
    return np.select(list(cases.values()), list(cases), "")


def critical_sigma_w2(activation: str | Activation, sigma_b2: float) -> float:
    """sigma_w2 at the edge of chaos: chi_1 = 1 at the fixed point where the network settles, the smallest if several.

    Along the line sigma_w2 = 1 / E phi'(u)^2 each q has chi_1 = 1; it is fixed where V(q) = q. At q = 0, for sigma_b2 = 0,
    the edge is 1 / phi'(0)^2. ValueError where no q is fixed, as for ReLU with biases, or where it repels, as for GELU without.
    """
    row, log_b = activation_row(activation), safe_log(check_range("sigma_b2", sigma_b2).reshape(1))

    def line(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return log_map_gap(row, -log_moment(row, SLOPE, t), log_b, t)[0], np.full_like(t, math.nan)

    value = line(LOG_Q_GRID)[0]
    ends, value = LOG_Q_GRID[abs(value) > MAP_ROUNDING], value[abs(value) > MAP_ROUNDING]
    cut = np.flatnonzero((value[:-1] > 0) != (value[1:] > 0))
    roots = find_root(line, *np.where(value[cut] > 0, (ends[cut], ends[cut + 1]), (ends[cut + 1], ends[cut])))
    candidates = np.sort(safe_exp(-log_moment(row, SLOPE, np.r_[-math.inf, roots])))
    points = fixed_point(row, candidates, sigma_b2)
    edge = np.isclose(points.chi_1, 1, rtol=0, atol=1e-8) & np.isfinite(points.q) & (points.chi_q <= 1)
    if edge.any():
        return float(candidates[edge][0])
    fixed = len(roots) or line(LOG_Q_GRID[:1])[0] <= MAP_ROUNDING  # at q = 0
    why = "the fixed point repels: signals run from it to 0 or to infinity" if fixed else "no finite q is fixed"
    raise ValueError(f"{row.key} has no critical sigma_w2 at sigma_b2 = {float(sigma_b2):g}: where chi_1 = 1, {why}")
