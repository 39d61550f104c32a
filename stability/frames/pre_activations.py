"""What the activation sees and where it is flat: its curve, and the histograms of a layer's pre-activations."""

from dataclasses import asdict
from functools import lru_cache

import numpy as np
import pyarrow as pa
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.engine.quantities import BINS, FLAT, REACH
from stability.engine.runs import Run
from stability.frames.arrow import table
from stability.probes.saturation import flatness, histogram

EDGE = REACH + 1  # where the outer bins are drawn to end
LOW, HIGH = -2.0, 3.0  # heights between which a curve is drawn: of a rectifier, enough to see its slope beside it
MARKS = 8  # bins from one mark of a line to the next


def pre_activation_tables(run: Run, count: int, layer: int, step: int) -> dict[str, pa.Table]:
    """What a chart of pre-activations draws at hidden layer `layer` (from 1): `curve`, `flat`, `limits`, `histogram`.

    The histogram is the newest up to `step` among the first `count` measurements: `flatness.pictures` are those to choose.
    """
    return curve_tables(run.experiment.activation) | {"histogram": histogram_table(run, count, layer, step)}


@lru_cache(maxsize=32)
def curve_tables(activation: str) -> dict[str, pa.Table]:
    """An activation between -REACH and REACH.

    `curve`: u, phi and dphi (null outside LOW and HIGH), and where each is named. `flat`: from, until, the intervals in which
    abs(dphi) < FLAT of its largest, as far as EDGE. `limits`: value, the ends of the axis.
    """
    u = points(activation)
    phi, dphi = (np.where((line >= LOW) & (line <= HIGH), line, np.nan) for line in curves(activation, u))
    named = {"phi_named": np.flatnonzero(np.isfinite(phi))[-1], "dphi_named": steepest(u, dphi)}
    columns = {"u": u, "phi": phi, "dphi": dphi} | {name: np.arange(len(u)) == at for name, at in named.items()}
    low, high = np.nanmin([phi, dphi]), np.nanmax([phi, dphi])
    ends = low - 0.08 * (high - low), high + 0.25 * (high - low)  # room for the lines' width, and above for their names
    return {"curve": table(columns), "flat": flat(activation), "limits": table({"value": ends})}


def curves(activation: str, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """phi and dphi."""
    row, points = ACTIVATIONS[activation], torch.from_numpy(u)
    h = row.phi(points)
    return h.numpy(), row.dphi(points, h).numpy()


def points(activation: str) -> np.ndarray:
    """Evenly from -REACH to REACH, and either side of 0 and of each corner, where a slope may jump."""
    corners = {0.0, *(corner for corner, _ in ACTIVATIONS[activation].corners or ())}
    beside = [corner + side for corner in corners for side in (-1e-9, 0, 1e-9)]
    return np.unique([*np.linspace(-REACH, REACH, 201), *beside])


def steepest(u: np.ndarray, dphi: np.ndarray) -> int:
    """Where the slope is largest; of several such points, nearest to 0."""
    largest = np.flatnonzero(dphi >= np.nanmax(dphi) - 1e-6)
    return largest[np.argmin(np.abs(u[largest]))]


def flat(activation: str) -> pa.Table:
    """The intervals of u, to a thousandth, where abs(dphi) < FLAT of its largest. Columns: from, until."""
    u = np.linspace(-EDGE, EDGE, 2000 * EDGE + 1)
    inside = np.abs(curves(activation, u)[1]) < FLAT * ACTIVATIONS[activation].steepest
    changes = np.diff(np.concatenate([[False], inside, [False]]).astype(int))
    return table({"from": u[np.flatnonzero(changes == 1)], "until": u[np.flatnonzero(changes == -1) - 1]})


def histogram_table(run: Run, count: int, layer: int, step: int) -> pa.Table:
    """Columns: scheme, u and until (the bin's ends), middle, share (mean over the replicates; null where not finite), beyond
    (the bin holds all that lies outside REACH, and is drawn until EDGE), marked."""
    e, shares = run.experiment, histogram(run, count, layer, step)
    edges = np.concatenate([[-EDGE], np.linspace(-REACH, REACH, BINS + 1), [EDGE]])
    bins, schemes = np.arange(BINS + 2), np.arange(len(e.schemes))[:, None]
    columns = {"scheme": np.repeat(e.schemes, BINS + 2)}
    ends = {"u": edges[:-1], "until": edges[1:], "middle": (edges[1:] + edges[:-1]) / 2, "beyond": bins % (BINS + 1) == 0}
    columns |= {name: np.tile(values, len(e.schemes)) for name, values in ends.items()}
    highest = bins == np.argmax(np.nan_to_num(shares), axis=1)[:, None]
    marked = (highest | ((bins + 3 * schemes) % MARKS == 0)) & (shares > 0)  # lines that coincide are marked side by side
    return table(columns | {"share": shares.ravel(), "marked": marked.ravel()})


def flat_shares(run: Run, count: int, layer: int, step: int) -> pa.Table:
    """The rows of `flatness`: scheme, layer, step, pictured, share, by_design, below, above; null where not finite."""
    rows = [asdict(found) for found in flatness(run, count, layer, step)]
    return table({name: [row[name] for row in rows] for name in rows[0]})
