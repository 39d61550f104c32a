"""The border that theory draws over a map: to which depth information survives, and the edge.

The depth scale xi_c is that of correlations between inputs. Schoenholz et al. 2017 found networks
untrainable beyond about six of them, whatever the data: a scale, not a wall. It is a statement
about the first weights alone, so no learning rate, batch or number of steps moves the border.

Where signals grow without end, as above the critical point of ReLU, directions survive and xi_c is
infinite. There the depth scale xi_gradient, over which the squared gradient grows by e, takes its
place. The rank correlation of this scale with the deepest network that learns, over 14 columns of
sigma_w (width 32, 200 steps of SGD, learning rate 0.02, seeds 0 and 1): tanh 0.96 and 0.99, ReLU
0.89 and 0.97, GELU 0.96 and 0.87, SELU 0.96 (seed 0). With xi_c alone it is the same for tanh, 0.67
and 0.49 for ReLU, 0.82 and 0.68 for GELU, and -0.08 for SELU. The claim of the lesson depth-border
holds it above 0.8 for tanh.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stability.catalogues.gaussian_moments import FloatArray
from stability.catalogues.mean_field import FixedPoint, fixed_point
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep, sweep_axis
from stability.theory.mean_field_table import (
    PLAIN_ONLY,
    SURVIVAL_DEPTH_SCALES,
    is_plain,
    reason_without_variance,
)
from stability.theory.phase_diagram import diagram_of, scheme_variances

SAMPLES, ROWS = 200, 40  # along a line, and along each axis in search of the edge
FAR_OUT = 200.0, 100.0  # sigma_w2 and sigma_b2 up to which an edge is known
OTHER = {"x": "y", "y": "x"}
NO_BORDER = N_(
    "Mean-field theory draws no border here: neither of the two settings changes how deep "
    "information survives."
)
OTHER_ACTIVATIONS = N_(
    "Mean-field theory draws no border here: along one of the axes the activation itself changes."
)
EVERY_DEPTH = N_(
    "Mean-field theory draws no border here: with these first weights information survives "
    "through all depths of this map, so what stops a network is another matter."
)
NO_DEPTH = N_(
    "Mean-field theory draws no border here: with these first weights information survives "
    "through none of the depths of this map."
)


@dataclass(frozen=True, eq=False)
class BorderLine:
    """Points `(n,)` of one line over a map, in order.

    `kind` is "xi" (one depth scale xi_c), "reach" (six of them), "growth" (six of the gradient's,
    where signals grow without end), or "edge" (chi_1 is 1 there).
    """

    kind: str
    x: FloatArray
    y: FloatArray


def why_no_theory(e: Experiment) -> str:
    """Return why theory knows nothing of such networks, or an empty text."""
    if not is_plain(e):
        return _(PLAIN_ONLY)
    return "" if scheme_variances(e, e.scheme_rows[0]) else reason_without_variance(e)


def why_not_computed(sweep: Sweep) -> str:
    """Return why theory computes nothing over a map, or an empty text."""
    if sweep.base.phi.setting in (sweep.x, sweep.y):
        return _(OTHER_ACTIVATIONS)
    return why_no_theory(sweep.experiment_at(sweep.x_values[-1], sweep.y_values[-1]))


def why_no_border(sweep: Sweep) -> str:
    """Return why a map has no border, or an empty text."""
    if reason := why_not_computed(sweep):
        return reason
    if border_lines(sweep):
        return ""
    if "depth" not in (sweep.x, sweep.y):
        return _(NO_BORDER)
    letter = "x" if sweep.x == "depth" else "y"
    scales = survival_scale(
        fixed_points_on(sweep, OTHER[letter], axis_samples(sweep, OTHER[letter], 2))
    )
    survives = SURVIVAL_DEPTH_SCALES * scales > sweep_axis(sweep.settings(), letter).low
    return _(EVERY_DEPTH if survives.any() else NO_DEPTH)


def border_lines(sweep: Sweep) -> list[BorderLine]:
    """Return the lines of a map within its ranges, the parts of a broken line each by itself."""
    if why_not_computed(sweep):
        return []
    return depth_lines(sweep) + edge_lines(sweep)


def survival_scale(points: FixedPoint) -> FloatArray:
    """Return the depth scale of networks `(n,)`: xi_c, or that of the gradient where q is infinite.

    It is infinite on the edge of chaos.
    """
    return np.abs(np.where(np.isinf(points.q), points.xi_gradient, points.xi_c))


def depth_lines(sweep: Sweep) -> list[BorderLine]:
    """Return one and six depth scales over the other axis of a map of depths."""
    if "depth" not in (sweep.x, sweep.y):
        return []
    letter = "x" if sweep.x == "depth" else "y"
    along = axis_samples(sweep, OTHER[letter], SAMPLES)
    points = fixed_points_on(sweep, OTHER[letter], along)
    xi = np.where(np.isinf(points.q), math.nan, np.abs(points.xi_c))
    growth = np.where(np.isinf(points.q), survival_scale(points), math.nan)
    lines = {
        "xi": xi,
        "reach": SURVIVAL_DEPTH_SCALES * xi,
        "growth": SURVIVAL_DEPTH_SCALES * growth,
    }
    return [
        part for kind, line in lines.items() for part in within(sweep, kind, letter, line, along)
    ]


def edge_lines(sweep: Sweep) -> list[BorderLine]:
    """Return where chi_1 passes 1 along x, or along y if no x does."""
    for letter in "xy":
        if getattr(sweep, letter) == "depth":  # which moves no edge
            continue
        across, along = (axis_samples(sweep, one, ROWS) for one in (letter, OTHER[letter]))
        first, last = (variances_on(sweep, letter, across, along[end]) for end in (0, -1))
        if getattr(sweep, OTHER[letter]) == "depth" or np.array_equal(first, last):
            along, rows = along[[0, -1]], [last, last]
        else:
            rows = [variances_on(sweep, letter, across, value) for value in along]
        crossings = np.array([crossing(across, distance_to_edge(sweep, row)) for row in rows])
        if np.isfinite(crossings).any():
            return within(sweep, "edge", letter, crossings, along)
    return []


def distance_to_edge(sweep: Sweep, variances: FloatArray) -> FloatArray:
    """Return sigma_w2 less that of the edge of chaos, of networks `(n, 2)`; NaN without an edge."""
    line_w, line_b = diagram_of(sweep.base.phi, *FAR_OUT).critical_line
    sigma_w2, sigma_b2 = variances.T
    if not len(line_w):
        return np.full_like(sigma_w2, math.nan)
    edge = np.interp(sigma_b2, line_b, line_w, left=math.nan, right=math.nan)
    return np.asarray(sigma_w2 - edge)


def crossing(values: FloatArray, distances: FloatArray) -> float:
    """Return the value at which distances first change their sign, NaN where they never do."""
    beyond, known = distances >= 0, np.isfinite(distances)
    passed = np.flatnonzero((beyond[:-1] != beyond[1:]) & known[:-1] & known[1:])
    if not len(passed):
        return math.nan
    (low, high), (before, after) = (one[passed[0] :][:2] for one in (values, abs(distances)))
    return float(low + (high - low) * before / max(before + after, np.finfo(float).tiny))


def within(
    sweep: Sweep, kind: str, letter: str, across: FloatArray, along: FloatArray
) -> list[BorderLine]:
    """Return the parts of a line that lie between the ends of axis `letter`, on which `across` is.

    A line that leaves the map ends on its edge.
    """
    axis = sweep_axis(sweep.settings(), letter)
    inside = (across >= axis.low) & (across <= axis.high)
    parts = []
    for start, stop in runs_of(inside):
        ahead = slice(max(start - 1, 0), min(stop + 1, len(along)))
        line = np.clip(across[ahead], axis.low, axis.high), along[ahead]
        kept = np.isfinite(across[ahead])
        x, y = (part[kept] for part in (line if letter == "x" else line[::-1]))
        parts.append(BorderLine(kind, x, y))
    return parts


def runs_of(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the start and the stop of each run of True."""
    padded = np.r_[False, mask, False].astype(int)
    changes = np.flatnonzero(np.diff(padded))
    return [(int(start), int(stop)) for start, stop in changes.reshape(-1, 2)]


def axis_samples(sweep: Sweep, letter: str, count: int) -> FloatArray:
    """Return values of axis "x" or "y" between its ends, spaced as it is."""
    axis = replace(sweep_axis(sweep.settings(), letter), count=count)
    return np.array(axis.values, dtype=float)


def fixed_points_on(sweep: Sweep, letter: str, values: Sequence[float] | FloatArray) -> FixedPoint:
    """Return the fixed points at values of axis "x" or "y", arrays `(n,)`.

    The other setting is the largest of its axis.
    """
    others = sweep.y_values if letter == "x" else sweep.x_values
    return fixed_point(sweep.base.phi, *variances_on(sweep, letter, values, others[-1]).T)


def variances_on(
    sweep: Sweep, letter: str, values: Sequence[float] | FloatArray, other: float
) -> FloatArray:
    """Return sigma_w2 and sigma_b2 of the middle layer at values of an axis, `(n, 2)`."""
    pairs = [(value, other) if letter == "x" else (other, value) for value in values]
    experiments = [sweep.experiment_at(*map(whole_or_real, pair)) for pair in pairs]
    found = [scheme_variances(e, e.scheme_rows[0]) for e in experiments]
    return np.array([one or (math.nan, math.nan) for one in found])


def whole_or_real(value: float) -> float:
    """Return an int where the value is a whole number: a setting may count something."""
    return int(value) if float(value).is_integer() else float(value)
