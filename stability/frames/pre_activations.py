"""What the activation sees and where it is flat: its curve, and the histograms of a layer's pre-activations."""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.engine.quantities import HISTOGRAM_BINS, HISTOGRAM_REACH, SATURATION_SLOPE
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table
from stability.probes.saturation import mean_histogram, saturation_by_scheme

OUTER_BIN_END = HISTOGRAM_REACH + 1  # where the outer bins are drawn to end
CURVE_LOW, CURVE_HIGH = -2.0, 3.0  # heights between which a curve is drawn: of a rectifier, enough to see its slope beside it
MARKS = 8  # bins from one mark of a line to the next


def pre_activation_tables(run: Run, count: int, layer: int, step: int) -> dict[str, pa.Table]:
    """What a chart of pre-activations draws at hidden layer `layer` (from 1): `curve`, `flat`, `limits`, `histogram`.

    The histogram is the newest up to `step` among the first `count` measurements: `flatness.pictures` are those to choose.
    """
    return activation_tables(run.experiment.activation) | {"histogram": histogram_rows(run, count, layer, step)}


@lru_cache(maxsize=32)
def activation_tables(activation: str) -> dict[str, pa.Table]:
    """An activation between -REACH and REACH.

    `curve`: u, phi and dphi (null outside LOW and HIGH), and where each is named. `flat`: from, until, the intervals in which
    abs(dphi) < FLAT of its largest, as far as EDGE. `limits`: value, the ends of the axis.
    """
    u = points(activation)
    phi, dphi = (np.where((line >= CURVE_LOW) & (line <= CURVE_HIGH), line, np.nan) for line in phi_and_dphi(activation, u))
    named = {"phi_named": np.flatnonzero(np.isfinite(phi))[-1], "dphi_named": steepest(u, dphi)}
    columns = {"u": u, "phi": phi, "dphi": dphi} | {name: np.arange(len(u)) == at for name, at in named.items()}
    low, high = np.nanmin([phi, dphi]), np.nanmax([phi, dphi])
    ends = low - 0.08 * (high - low), high + 0.25 * (high - low)  # room for the lines' width, and above for their names
    return {"curve": arrow_table(columns), "flat": flat(activation), "limits": arrow_table({"value": ends})}


def phi_and_dphi(activation: str, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """phi and dphi."""
    row, points = ACTIVATIONS[activation], torch.from_numpy(u)
    h = row.phi(points)
    return h.numpy(), row.dphi(points, h).numpy()


def points(activation: str) -> np.ndarray:
    """Evenly from -REACH to REACH, and either side of 0 and of each corner, where a slope may jump."""
    corners = {0.0, *(corner for corner, _ in ACTIVATIONS[activation].corners or ())}
    beside = [corner + side for corner in corners for side in (-1e-9, 0, 1e-9)]
    return np.unique([*np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, 201), *beside])


def steepest(u: np.ndarray, dphi: np.ndarray) -> int:
    """Where the slope is largest; of several such points, nearest to 0."""
    largest = np.flatnonzero(dphi >= np.nanmax(dphi) - 1e-6)
    return largest[np.argmin(np.abs(u[largest]))]


def flat(activation: str) -> pa.Table:
    """The intervals of u, to a thousandth, where abs(dphi) < FLAT of its largest. Columns: from, until."""
    u = np.linspace(-OUTER_BIN_END, OUTER_BIN_END, 2000 * OUTER_BIN_END + 1)
    inside = np.abs(phi_and_dphi(activation, u)[1]) < SATURATION_SLOPE * ACTIVATIONS[activation].max_slope
    changes = np.diff(np.concatenate([[False], inside, [False]]).astype(int))
    return arrow_table({"from": u[np.flatnonzero(changes == 1)], "until": u[np.flatnonzero(changes == -1) - 1]})


def histogram_rows(run: Run, count: int, layer: int, step: int) -> pa.Table:
    """Columns: scheme, u and until (the bin's ends), middle, share (mean over the replicates; null where not finite), beyond
    (the bin holds all that lies outside REACH, and is drawn until EDGE), marked."""
    e, shares = run.experiment, mean_histogram(run, count, layer, step)
    edges = np.concatenate([[-OUTER_BIN_END], np.linspace(-HISTOGRAM_REACH, HISTOGRAM_REACH, HISTOGRAM_BINS + 1), [OUTER_BIN_END]])
    bins, schemes = np.arange(HISTOGRAM_BINS + 2), np.arange(len(e.schemes))[:, None]
    columns = {"scheme": np.repeat(e.schemes, HISTOGRAM_BINS + 2)}
    ends = {"u": edges[:-1], "until": edges[1:], "middle": (edges[1:] + edges[:-1]) / 2, "beyond": bins % (HISTOGRAM_BINS + 1) == 0}
    columns |= {name: np.tile(values, len(e.schemes)) for name, values in ends.items()}
    highest = bins == np.argmax(np.nan_to_num(shares), axis=1)[:, None]
    marked = (highest | ((bins + 3 * schemes) % MARKS == 0)) & (shares > 0)  # lines that coincide are marked side by side
    return arrow_table(columns | {"share": shares.ravel(), "marked": marked.ravel()})
