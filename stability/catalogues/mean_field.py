"""Mean-field theory of wide random networks: signals, correlations and gradients over depth.

sigma_w2 is fan_in times the variance of a weight, sigma_b2 the variance of a bias; q is the
variance of a pre-activation, c the correlation of the pre-activations of two inputs; u, u1 and u2
are normal, of mean 0 and variance q. Poole et al. 2016 (arXiv:1606.05340), Schoenholz et al. 2017
(arXiv:1611.01232).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stability.catalogues.activations import Activation
from stability.catalogues.correlation_deficit import deficit_by_angle
from stability.catalogues.gaussian_moments import (
    GROWTH,
    LOG_Q_MAX,
    LOG_Q_MIN,
    SECOND,
    SLOPE,
    FloatArray,
    activation_row,
    check_range,
    log_moment,
    quiet_exp,
    quiet_log,
)
from stability.i18n import N_

# grid of log q; beyond the tables all averages are power laws
LOG_Q_GRID = np.r_[-700.0, np.arange(LOG_Q_MIN, LOG_Q_MAX + 0.25, 0.5), 700.0]
# Relative tolerance: a map this close to the identity counts as it, a slope this close to 1 as 1.
MAP_ROUNDING = 1e-12
NOTE_DIES = N_("The signal dies out: q runs to 0.")
NOTE_DIES_FROM_BELOW = N_(
    "The signal dies out, as all do that start below an unstable fixed point; "
    "from above it they explode."
)
NOTE_EXPLODES = N_("There is no finite fixed point: q runs to infinity.")
NOTE_EXPLODES_FROM_ABOVE = N_(
    "The signal explodes, as all do that start above an unstable fixed point; "
    "from below it they do not."
)
NOTE_EVERY_Q_FIXED = N_(
    "Every q is a fixed point: it stays what the first layer makes it, σw² + σb²."
)
NOTE_UNSTABLE = N_("The network starts on an unstable fixed point: rounding drives it away.")


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """The state in which a deep network settles: floats, or arrays if sigma_w2 or sigma_b2 are.

    `fixed_point` describes the fields.
    """

    q: float | FloatArray
    c: float | FloatArray
    chi_1: float | FloatArray
    chi_q: float | FloatArray
    xi_q: float | FloatArray
    xi_c: float | FloatArray
    xi_gradient: float | FloatArray
    note: str | NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class VarianceMap:
    """The map q -> V(q) = sigma_w2 E phi(u)^2 + sigma_b2 per layer, for networks `(n,)`."""

    row: Activation
    log_w: FloatArray
    log_b: FloatArray

    def pick(self, index: Any) -> "VarianceMap":
        return VarianceMap(self.row, self.log_w[index], self.log_b[index])

    def gap(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log V(q) - log q at log q = t, and its derivative in t."""
        image = np.logaddexp(self.log_w + log_moment(self.row, SECOND, t), self.log_b)
        with np.errstate(all="ignore"):  # sigma_w2 = sigma_b2 = 0
            growth = np.exp(self.log_w + log_moment(self.row, GROWTH, t) + t - image)
            return image - t, growth - 1

    def settle(self) -> FloatArray:
        """Return log q to which iteration from the first layer converges, `(n,)`; may be infinite.

        V grows with q, so the iterates are monotonic and end at the first fixed point they meet.
        """
        start = np.clip(np.logaddexp(self.log_w, self.log_b), LOG_Q_GRID[0], LOG_Q_GRID[-1])
        rise, _ = self.gap(start)
        result = start.copy()
        for side in (1, -1):
            moves = side * rise > MAP_ROUNDING
            if moves.any():
                result[moves] = self.pick(moves).next_fixed_point(start[moves], side)
        return result

    def next_fixed_point(self, start: FloatArray, side: int) -> FloatArray:
        """Return log q of the first fixed point above (`side` 1) or below (-1) `start`, `(n,)`.

        It is inf or -inf where there is none.
        """
        grid = LOG_Q_GRID[::side]
        ahead = side * (grid - start[:, None]) > 0  # (n, grid)
        path = np.where(ahead, grid, start[:, None])
        value, slope = (
            np.where(ahead, far, near[:, None])
            for far, near in zip(self.pick(np.s_[:, None]).gap(grid), self.gap(start), strict=True)
        )
        value *= side  # positive at the start; a fixed point is where it turns negative
        self.move_steps_into_dips(path, value, slope, side)
        crossed = value < -MAP_ROUNDING
        line = np.flatnonzero(crossed.any(1))
        step = np.argmax(crossed, axis=1)[line]
        crossing = self.pick(line)

        def gap_ahead(t: FloatArray) -> tuple[FloatArray, FloatArray]:
            value, slope = crossing.gap(t)
            return side * value, side * slope

        result = np.full(len(start), side * math.inf)
        result[line] = find_root(gap_ahead, path[line, step - 1], path[line, step])
        return result

    def move_steps_into_dips(
        self, path: FloatArray, value: FloatArray, slope: FloatArray, side: int
    ) -> None:
        """Move points of a path `(n, grid)` to minima of the gap between positive values.

        There two fixed points may lie close together, as they do before they merge and vanish. V
        grows with q, so the gap falls by at most the length of a step: larger values stay positive.
        """
        positive = (value[:, :-1] > 0) & (value[:, 1:] > 0)
        near_0 = positive & (value[:, :-1] < abs(np.diff(path)))
        line, step = np.nonzero(near_0 & (slope[:, :-1] < 0) & (slope[:, 1:] > 0))
        if len(line):
            dipping = self.pick(line)
            bottom = find_root(
                lambda t: (dipping.gap(t)[1], np.full_like(t, math.nan)),
                path[line, step + 1],  # where the slope is positive
                path[line, step],
            )
            path[line, step + 1], value[line, step + 1] = bottom, side * dipping.gap(bottom)[0]

    def chi(self, kind: int, log_q: FloatArray) -> FloatArray:
        """Return sigma_w2 E phi'^2 (SLOPE) or V'(q) (GROWTH), near 1 rounded to exactly 1."""
        value = quiet_exp(self.log_w + log_moment(self.row, kind, log_q))
        return np.where(abs(value - 1) <= MAP_ROUNDING, 1.0, value)

    def is_critical(self) -> NDArray[np.bool_]:
        """Return True where chi_1 is 1 at a finite fixed point that attracts, `(n,)`."""
        log_q = self.settle()
        on_edge = np.isclose(self.chi(SLOPE, log_q), 1, rtol=0, atol=1e-8) & (log_q < math.inf)
        return on_edge & (self.chi(GROWTH, log_q) <= 1)

    def describe(self, log_q: FloatArray, chi_q: FloatArray) -> NDArray[np.str_]:
        """Return a note on each network `(n,)`: empty if its fixed point is finite and stable."""
        finite = np.isfinite(log_q)
        doubtful = ~finite | (chi_q == 1)
        rises, falls = np.zeros((2, len(log_q)), dtype=bool)
        gaps, _ = self.pick(doubtful).pick(np.s_[:, None]).gap(LOG_Q_GRID)
        rises[doubtful] = (gaps > MAP_ROUNDING).any(1)
        falls[doubtful] = (gaps < -MAP_ROUNDING).any(1)
        notes = {
            NOTE_EVERY_Q_FIXED: doubtful & ~rises & ~falls,
            NOTE_UNSTABLE: finite & (chi_q > 1),
            NOTE_EXPLODES_FROM_ABOVE: ~finite & (log_q > 0) & falls,
            NOTE_EXPLODES: ~finite & (log_q > 0),
            NOTE_DIES_FROM_BELOW: ~finite & (log_q < 0) & rises,
            NOTE_DIES: ~finite & (log_q < 0),
        }
        return np.select(list(notes.values()), list(notes), "")


def variance_map(
    activation: str | Activation, sigma_w2: ArrayLike, sigma_b2: ArrayLike
) -> VarianceMap:
    """Return the map of networks `(n,)`. ValueError where a variance is negative or not finite."""
    w, b = np.broadcast_arrays(check_range("sigma_w2", sigma_w2), check_range("sigma_b2", sigma_b2))
    return VarianceMap(activation_row(activation), quiet_log(w.ravel()), quiet_log(b.ravel()))


def fixed_point(
    activation: str | Activation, sigma_w2: ArrayLike, sigma_b2: ArrayLike
) -> FixedPoint:
    """Return the state in which a deep network settles, and over how many layers, elementwise.

    `q`      the fixed point of the variance map V(q) = sigma_w2 E phi(u)^2 + sigma_b2 to which
             iteration converges from q_1 = sigma_w2 + sigma_b2, the first layer's (standardised
             inputs); 0 or inf where it vanishes or diverges; q_1 where every q is fixed
    `chi_q`  V'(q), Poole et al. 2016;  `chi_1` sigma_w2 E phi'(u)^2, the factor of a squared
             gradient per layer and, at c = 1, the slope of the correlation map
             C(c) = (sigma_w2 E phi(u1) phi(u2) + sigma_b2) / q
    `c`      the stable fixed point of C: 1 up to chi_1 = 1, less beyond; nan where every c is fixed
             (linear); at q = 0 the limit of small sigma_b2, at q = inf the one of growing signals
    `xi_q`, `xi_c`, `xi_gradient`  layers over which distances to q and c and the squared gradient
             shrink by e: -1 / ln of chi_q, of the slope of C at c, of chi_1; negative where they
             grow, inf at 1 (Schoenholz et al. 2017)
    `note`   a sentence where there is no fixed point, or none that is stable, else ""

    Fields are floats where both arguments are. ValueError where one is negative or not finite.
    """
    variances = variance_map(activation, sigma_w2, sigma_b2)
    log_q = variances.settle()
    q, chi_1, chi_q = quiet_exp(log_q), variances.chi(SLOPE, log_q), variances.chi(GROWTH, log_q)
    c, slope = np.ones_like(q), np.where(np.isinf(q), 1.0, chi_1)
    chaotic = (chi_1 > 1) & (q > 0) & np.isfinite(q)
    theta, slope[chaotic] = stable_angle(variances.pick(chaotic), log_q[chaotic])
    c[chaotic] = np.maximum(np.cos(theta), 0)
    if variances.row.corners == ():  # a straight line passes on every correlation
        c[(slope == 1) & (q > 0)] = math.nan
    scales = depth_scale(chi_q), depth_scale(slope), depth_scale(chi_1)
    fields = q, c, chi_1, chi_q, *scales, variances.describe(log_q, chi_q)
    shape = np.broadcast_shapes(np.shape(sigma_w2), np.shape(sigma_b2))
    shaped: list[Any] = [field.reshape(shape) if shape else field.item() for field in fields]
    return FixedPoint(*shaped)


def stable_angle(variances: VarianceMap, log_q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return arccos c at the stable fixed point of the correlation map, and the map's slope there.

    The networks `(n,)` are chaotic. 1 - C(c) = sigma_w2 (E phi(u)^2 - E phi(u1) phi(u2)) / q, so
    c < 1 is fixed where sigma_w2 times the correlation deficit is 1. The deficit grows from c = 0,
    where it is at most 1 / sigma_w2, to c = 1, where it is E phi'(u)^2.
    """
    deficit_at, sigma_w2 = deficit_by_angle(variances.row, log_q), np.exp(variances.log_w)

    def excess(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        deficit, slope = (part.sum(0) for part in deficit_at(theta))
        return sigma_w2 * deficit - 1, sigma_w2 * (slope - deficit) / np.tan(theta / 2)

    theta = find_root(excess, np.zeros_like(log_q), np.full_like(log_q, math.pi / 2))
    return theta, sigma_w2 * deficit_at(theta)[1].sum(0)


def depth_scale(chi: FloatArray) -> FloatArray:
    """Return -1 / ln chi, the layers over which a quantity with factor chi per layer shrinks by e.

    It is negative where the quantity grows, inf at chi = 1.
    """
    with np.errstate(divide="ignore"):
        return np.where(chi == 1, math.inf, -1 / np.where(chi == 1, math.nan, np.log(chi)))


def critical_sigma_w2(activation: str | Activation, sigma_b2: float) -> float:
    """Return sigma_w2 at the edge of chaos, the smallest if several.

    At the edge chi_1 = 1 at the fixed point where the network settles. With
    sigma_w2 = 1 / E phi'(u)^2 each q has chi_1 = 1; q is fixed where V(q) = q. At q = 0, for
    sigma_b2 = 0, the edge is 1 / phi'(0)^2. ValueError where no q is fixed, as for ReLU with
    biases, or where the fixed point repels, as for GELU without biases.
    """
    row, log_b = activation_row(activation), quiet_log(check_range("sigma_b2", sigma_b2).reshape(1))

    def gap_on_line(t: FloatArray) -> tuple[FloatArray, FloatArray]:
        gap, _ = VarianceMap(row, -log_moment(row, SLOPE, t), log_b).gap(t)
        return gap, np.full_like(t, math.nan)

    gaps, _ = gap_on_line(LOG_Q_GRID)
    ends, gaps = LOG_Q_GRID[abs(gaps) > MAP_ROUNDING], gaps[abs(gaps) > MAP_ROUNDING]
    cut = np.flatnonzero((gaps[:-1] > 0) != (gaps[1:] > 0))
    above, below = np.where(gaps[cut] > 0, (cut, cut + 1), (cut + 1, cut))
    roots = find_root(gap_on_line, ends[above], ends[below])
    candidates = np.sort(quiet_exp(-log_moment(row, SLOPE, np.r_[-math.inf, roots])))
    edges = candidates[variance_map(row, candidates, sigma_b2).is_critical()]
    if len(edges):
        return float(edges[0])
    why = "no finite q is fixed"
    if len(roots) or gap_on_line(LOG_Q_GRID[:1])[0] <= MAP_ROUNDING:  # at q = 0
        why = "the fixed point repels: signals run from it to 0 or to infinity"
    where = f"sigma_b2 = {float(sigma_b2):g}"
    raise ValueError(f"{row.key} has no critical sigma_w2 at {where}: where chi_1 = 1, {why}")


def find_root(
    f: Callable[[FloatArray], tuple[FloatArray, FloatArray]], above: FloatArray, below: FloatArray
) -> FloatArray:
    """Return a root of f, elementwise, between `above`, where f is positive, and `below`.

    f returns its value and its derivative, for Newton's method; the bracket is bisected where a
    Newton step leaves it or the derivative is NaN.
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
