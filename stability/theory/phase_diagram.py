"""The phase diagram of an activation: what a deep, wide network does for each pair of variances.

Its plane is that of sigma_w2 = fan_in Var W and sigma_b2 = Var b. Poole et al. 2016, fig. 1;
Schoenholz et al. 2017, fig. 1. Everything follows from the settings, before any training.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from stability.catalogues.activations import Activation
from stability.catalogues.gaussian_moments import (
    SECOND,
    SLOPE,
    FloatArray,
    activation_row,
    log_moment,
    quiet_exp,
)
from stability.catalogues.mean_field import MAP_ROUNDING, FixedPoint, fixed_point, variance_map
from stability.catalogues.scheme_entry import Scheme
from stability.records.experiment import Experiment

COLUMNS, ROWS = 60, 40  # of cells
LEAST_SIGMA_W2, LEAST_SIGMA_B2 = 4.0, 1.0  # the diagram reaches at least to these
MOST_SIGMA_W2, MOST_SIGMA_B2 = 12.0, 4.0  # and at most to these: what lies beyond is said in words
# of q along the critical line: 0, and then to far beyond the diagram
LINE_LOG_Q = np.r_[-2000.0, np.linspace(-18, 12, 361)]


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """Theory at the centres of cells: fields and properties are `(ROWS, COLUMNS)` unless they say.

    A row has one sigma_b2, a column one sigma_w2. The diagram reaches from 0 to `most_sigma_w2` and
    `most_sigma_b2`.
    """

    activation: str | Activation
    most_sigma_w2: float
    most_sigma_b2: float

    @property
    def sigma_w2(self) -> FloatArray:
        """The centres of the columns, `(COLUMNS,)`."""
        return (np.arange(COLUMNS) + 0.5) * self.most_sigma_w2 / COLUMNS

    @property
    def sigma_b2(self) -> FloatArray:
        """The centres of the rows, from below, `(ROWS,)`."""
        return (np.arange(ROWS) + 0.5) * self.most_sigma_b2 / ROWS

    @cached_property
    def log_q(self) -> FloatArray:
        """The logarithm of the variance at which z settles; -inf where it dies out, or inf."""
        w, b = np.meshgrid(self.sigma_w2, self.sigma_b2)
        return variance_map(self.activation, w, b).settle().reshape(w.shape)

    @cached_property
    def chi_1(self) -> FloatArray:
        """The factor of a squared gradient per layer."""
        row = activation_row(self.activation)
        return quiet_exp(np.log(self.sigma_w2) + log_moment(row, SLOPE, self.log_q))

    @cached_property
    def fixed_points(self) -> FixedPoint:
        """All that is known of the fixed points; correlations take longer than the rest."""
        return fixed_point(self.activation, *np.meshgrid(self.sigma_w2, self.sigma_b2))

    @cached_property
    def critical_line(self) -> tuple[FloatArray, FloatArray]:
        """The edge of chaos as sigma_w2 and sigma_b2 `(points,)`, in the order of q; maybe empty.

        Each q has one pair of variances with which it is fixed and chi_1 is 1. They belong to the
        line where networks settle at that q. Of a rectifier all q have the same pair.
        """
        row = activation_row(self.activation)
        log_q = LINE_LOG_Q - 2 * math.log(row.frequency)
        log_w = -log_moment(row, SLOPE, log_q)
        gap = np.minimum(log_w + log_moment(row, SECOND, log_q) - log_q, 700.0)
        gap[abs(gap) <= MAP_ROUNDING] = 0
        w, b = np.exp(log_w), np.exp(log_q) * -np.expm1(gap)
        shown = b >= 0 if gap.any() else np.arange(len(b)) == 0  # of rectifiers one point is all
        shown &= (w < 2 * self.most_sigma_w2) & (b < 2 * self.most_sigma_b2)
        is_edge = variance_map(row, w[shown], b[shown]).is_critical()
        return w[shown][is_edge], abs(b[shown][is_edge])


@lru_cache(maxsize=64)
def diagram_of(
    activation: str | Activation,
    most_sigma_w2: float = LEAST_SIGMA_W2,
    most_sigma_b2: float = LEAST_SIGMA_B2,
) -> PhaseDiagram:
    """Return the diagram of an activation from 0 to these variances; what it has found is kept.

    The variances are those for a frequency of 1: a faster phi does with smaller ones.
    """
    size = activation_row(activation).frequency ** 2
    return PhaseDiagram(activation, most_sigma_w2 / size, most_sigma_b2 / size)


def diagram_with_schemes(e: Experiment) -> PhaseDiagram:
    """Return the diagram of an experiment, large enough for its schemes unless they lie far out."""
    points = [point for row in e.scheme_rows if (point := scheme_variances(e, row))]
    limits = (LEAST_SIGMA_W2, MOST_SIGMA_W2), (LEAST_SIGMA_B2, MOST_SIGMA_B2)
    columns = np.reshape(points, (-1, 2)).T * e.phi.frequency**2
    ends = [
        max([least, *(1.1 * value for value in values.tolist() if 1.1 * value <= most)])
        for values, (least, most) in zip(columns, limits, strict=True)
    ]
    return diagram_of(e.phi, *ends)


def scheme_variances(e: Experiment, row: Scheme) -> tuple[float, float] | None:
    """Return sigma_w2 and sigma_b2 of the middle layer; None where the weights have no variance.

    It is None, too, where the scheme cannot be used with these settings.
    """
    if next(row.needs(e.settings()), None):
        return None
    layer = e.layers[len(e.layers) // 2]
    variance = row.weight_variance(layer)
    return None if variance is None else (variance * layer.fan_in, row.bias_variance(layer))
