"""The tables of an activation's curve and of the histograms of its pre-activations."""

import math
from functools import lru_cache

import numpy as np
import pyarrow as pa

from stability.catalogues import gaussian_moments
from stability.catalogues.activations import Activation
from stability.engine.quantities import HISTOGRAM_BINS, HISTOGRAM_REACH, SATURATION_SLOPE
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table, scheme_columns
from stability.probes.saturation import mean_histogram

OUTER_BIN_END = HISTOGRAM_REACH + 1  # where the outer bins are drawn to end
# Heights between which curves are drawn: enough of a rectifier to see its slope beside it.
CURVE_LOW, CURVE_HIGH = -2.0, 3.0
FASTEST_DRAWN = 40.0  # frequency of phi: the periods of a faster one are less than a pixel
BINS_PER_MARK = 8  # from one mark of a line to the next


def pre_activation_tables(run: Run, count: int, layer: int, step_shown: int) -> dict[str, pa.Table]:
    """Return the tables at hidden layer `layer` (from 1): `curve`, `flat`, `limits`, `histogram`.

    The histogram is the newest up to the step shown: `run.snapshot_steps` lists the steps.
    """
    histogram = histogram_table(run, count, layer, step_shown)
    return activation_tables(run.experiment.phi) | {"histogram": histogram}


@lru_cache(maxsize=32)
def activation_tables(row: Activation) -> dict[str, pa.Table]:
    """Return the tables of an activation between -HISTOGRAM_REACH and HISTOGRAM_REACH.

    curve: u, phi and dphi (null outside CURVE_LOW and CURVE_HIGH), phi_named and dphi_named (True
    at the one point where the name stands). flat: from, until, the intervals in which it is
    saturated, as far as OUTER_BIN_END. limits: value, the ends of the axis.
    """
    u = curve_points(row)
    lines = (f(row, u) for f in (gaussian_moments.phi, gaussian_moments.dphi))
    curves = [np.where((line >= CURVE_LOW) & (line <= CURVE_HIGH), line, np.nan) for line in lines]
    phi, dphi = curves
    steepest = np.flatnonzero(dphi >= np.nanmax(dphi) - 1e-6)
    columns = {
        "u": u,
        "phi": phi,
        "dphi": dphi,
        "phi_named": np.arange(len(u)) == np.flatnonzero(np.isfinite(phi))[-1],
        "dphi_named": np.arange(len(u)) == steepest[np.argmin(np.abs(u[steepest]))],
    }
    low, high = np.nanmin(curves), np.nanmax(curves)
    # Room for the lines' width, and above for their names.
    limits = low - 0.08 * (high - low), high + 0.25 * (high - low)
    return {
        "curve": arrow_table(columns),
        "flat": saturated_intervals(row),
        "limits": arrow_table({"value": limits}),
    }


def curve_points(row: Activation) -> np.ndarray:
    """Return evenly spaced points of u, and points at and beside 0 and each corner.

    The slope may jump there.
    """
    corners = {0.0, *(corner for corner, _ in row.corners or ())}
    beside = [corner + side for corner in corners for side in (-1e-9, 0, 1e-9)]
    count = 1 + 200 * periods_drawn(row)
    return np.unique([*np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, count), *beside])


def periods_drawn(row: Activation) -> int:
    """Return how many times as many points a fast phi needs as one of frequency 1 to 4."""
    return math.ceil(max(1.0, min(row.frequency, FASTEST_DRAWN) / 4))


def saturated_intervals(row: Activation) -> pa.Table:
    """Return the intervals of u, to a thousandth, in which the activation is saturated.

    Columns: from, until.
    """
    count = 2000 * OUTER_BIN_END * periods_drawn(row) + 1
    u = np.linspace(-OUTER_BIN_END, OUTER_BIN_END, count)
    saturated = np.abs(gaussian_moments.dphi(row, u)) < SATURATION_SLOPE * row.max_slope
    changes = np.diff(np.concatenate([[False], saturated, [False]]).astype(int))
    ends = u[np.flatnonzero(changes == -1) - 1]
    return arrow_table({"from": u[np.flatnonzero(changes == 1)], "until": ends})


def histogram_table(run: Run, count: int, layer: int, step_shown: int) -> pa.Table:
    """Return the histograms of all schemes.

    Columns: scheme, u and until (the bin's ends), middle, beyond (the bin holds all that lies
    outside HISTOGRAM_REACH, and is drawn until OUTER_BIN_END), share (mean over the replicates;
    null where not finite), marked.
    """
    schemes, shares = run.experiment.schemes, mean_histogram(run, count, layer, step_shown)
    inner = np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, HISTOGRAM_BINS + 1)
    edges = np.concatenate([[-OUTER_BIN_END], inner, [OUTER_BIN_END]])
    bins = np.arange(HISTOGRAM_BINS + 2)
    highest = bins == np.argmax(np.nan_to_num(shares), axis=1)[:, None]
    # Lines that coincide are marked side by side.
    marked = highest | ((bins + 3 * np.arange(len(schemes))[:, None]) % BINS_PER_MARK == 0)
    columns = scheme_columns(
        schemes,
        u=edges[:-1],
        until=edges[1:],
        middle=(edges[1:] + edges[:-1]) / 2,
        beyond=bins % (HISTOGRAM_BINS + 1) == 0,
    )
    marked &= shares > 0
    return arrow_table(columns | {"share": shares.ravel(), "marked": marked.ravel()})
