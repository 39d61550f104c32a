"""The numbers of mean-field theory for each scheme, and its formula with the numbers put in."""

import math
from typing import Any

import numpy as np
import pandas as pd

from stability.catalogues.draws import Layer
from stability.catalogues.mean_field import NOTE_DIES, fixed_point
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.scheme_needs import critical_sigma_w2_or_none
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.text import latex_number
from stability.theory.prediction import predict

# Beyond about six xi networks were found untrainable; a scale, not a wall. Schoenholz et al. 2017
SURVIVAL_DEPTH_SCALES = 6
EDGE_TOLERANCE = 0.01  # |chi_1 - 1|, too small to be noticed over a hundred layers
ON_EDGE = N_("on the edge")
SINKS_SLOWLY = N_("On the edge q sinks to 0 slowly: in the end by less than 1 % a layer.")
NO_THEORY = N_("No theory: the weights are not drawn one by one from one distribution.")
CENTRED_ONLY = N_("No fixed points: the weights are not drawn around 0.")
PLAIN_ONLY = N_(
    "Fixed points are those of plain networks: no residual connections, normalization or dropout."
)


def mean_field_frame(e: Experiment) -> pd.DataFrame:
    """Return a row for each scheme, of the middle layer.

    Columns, float64 but for scheme, phase and note, null where there is no theory: scheme, sigma_w
    (root of fan_in Var W), sigma_b, edge (sigma_w at the edge of chaos for these biases, or null),
    chi_1 (factor of a squared gradient a layer), q (variance of z that it settles at), reach
    (layers to which information survives), phase ("ordered", "on the edge", "chaotic", "dies out",
    "explodes"), note.
    """
    layer = e.layers[len(e.layers) // 2]
    columns = ["scheme", "sigma_w", "edge", "phase", "chi_1", "reach", "q", "sigma_b", "note"]
    rows = [{"scheme": row.title} | mean_field_row(e, row, layer) for row in e.scheme_rows]
    return pd.DataFrame(rows, columns=columns)


def mean_field_row(e: Experiment, row: Scheme, layer: Layer) -> dict[str, Any]:
    """Return the columns of one scheme but for its name."""
    variance, bias_variance = row.weight_variance(layer), row.bias_variance(layer)
    if variance is None:
        return {"note": reason_without_variance(e)}
    sigma_w2, sigma_b = variance * layer.fan_in, math.sqrt(bias_variance)
    columns: dict[str, Any] = {"sigma_w": math.sqrt(sigma_w2), "sigma_b": sigma_b}
    if not is_plain(e):
        return columns | {"note": _(PLAIN_ONLY)}
    point = fixed_point(e.phi, sigma_w2, bias_variance)
    edge = critical_sigma_w2_or_none(e.phi, sigma_b)
    chi_1, q = float(point.chi_1), float(point.q)
    phase = phase_at_depth(chi_1, q)
    sinks_slowly = point.note == NOTE_DIES and phase == ON_EDGE
    return columns | {
        "chi_1": chi_1,
        "q": q,
        "reach": SURVIVAL_DEPTH_SCALES * abs(float(point.xi_c)),
        "phase": _(phase),
        "note": _(SINKS_SLOWLY if sinks_slowly else str(point.note)),
        "edge": math.sqrt(edge) if edge else math.nan,
    }


def reason_without_variance(e: Experiment) -> str:
    """Return why the theory of fixed points knows nothing of a scheme without a variance."""
    return _(CENTRED_ONLY if e.weight_mean else NO_THEORY)


def is_plain(e: Experiment) -> bool:
    """Return True if the theory of fixed points is about networks such as these."""
    return not (e.residual or e.dropout or e.normalization_row.has_gain)


def phase_at_depth(chi_1: float, q: float) -> str:
    """Return how a wide network behaves in the limit of depth, from its fixed point, in English."""
    if abs(chi_1 - 1) <= EDGE_TOLERANCE:
        return ON_EDGE
    if math.isinf(q):
        return N_("explodes")
    if chi_1 >= 1:
        return N_("chaotic")
    return N_("ordered") if q else N_("dies out")


def variance_equation(e: Experiment, scheme: str) -> str:
    """Return Var z of the middle layer as LaTeX with its numbers; empty without a theory."""
    index, middle = e.schemes.index(scheme), len(e.layers) // 2
    layer, row, q = e.layers[middle], e.scheme_rows[index], predict(e).signal[index] ** 2
    variance, bias_variance = row.weight_variance(layer), row.bias_variance(layer)
    if e.depth < 2 or variance is None or not np.isfinite(q).all():
        return ""
    shortcut = q[middle - 1] if e.residual and 0 < middle < e.depth - 1 else 0.0
    passed = q[middle] - bias_variance - shortcut
    moment = passed / (layer.fan_in * variance) if variance else 0.0
    square = "h^2" if e.dropout else r"\phi(u)^2"
    symbols = [rf"n_{{in}} \, \mathrm{{Var}}\,W \; E\,{square}", r"\mathrm{Var}\,b"]
    numbers = [
        rf"{layer.fan_in} \cdot {latex_number(variance)} \cdot {latex_number(moment)}",
        latex_number(bias_variance),
    ]
    if shortcut:
        symbols.append(r"\mathrm{Var}\,z_{l-1}")
        numbers.append(latex_number(shortcut))
    left, total = rf"\mathrm{{Var}}\,z_{{{layer.index}}}", latex_number(q[middle])
    return f"{left} = {' + '.join(symbols)} = {' + '.join(numbers)} = {total}"
