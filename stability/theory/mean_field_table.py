"""The numbers of the theory for each scheme of an experiment, and its formula with the numbers put in."""

import math

import numpy as np
import pandas as pd

from stability.catalogues.draws import Layer
from stability.catalogues.mean_field import NOTE_DIES, FixedPoint, fixed_point
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.schemes import critical_sigma_w2_or_none
from stability.records.experiment import Experiment
from stability.theory.prediction import predict

SURVIVAL_DEPTH_SCALES = 6  # depth scales: beyond about six xi networks were found untrainable; a scale, not a wall. Schoenholz et al. 2017
SINKS_SLOWLY = "On the edge q sinks to 0 slowly: in the end by less than 1 % a layer."
EDGE_TOLERANCE = 0.01  # of chi_1 = 1: nobody could tell the difference over a hundred layers


def mean_field_frame(e: Experiment) -> pd.DataFrame:
    """A row for each scheme, of the middle layer. Columns, float64 but for scheme, phase and note:

    scheme, sigma_w (root of fan_in Var W), sigma_b, edge (sigma_w at the edge of chaos for these biases, or null), chi_1
    (factor of a squared gradient a layer), q (variance of z that it settles at), reach (layers to which information
    survives), phase ("ordered", "on the edge", "chaotic", "dies out", "explodes"), note. Null where there is no theory.
    """
    layer = e.layers[len(e.layers) // 2]
    columns = "scheme", "sigma_w", "edge", "phase", "chi_1", "reach", "q", "sigma_b", "note"
    return pd.DataFrame([{"scheme": row.title} | mean_field_row(e, row, layer) for row in e.scheme_rows], columns=columns)


def mean_field_row(e: Experiment, row: Scheme, layer: Layer) -> dict[str, float | str]:
    """One row, but for its name."""
    variance, of_bias = row.weight_variance(layer), row.bias_variance(layer)
    if variance is None:
        return {"note": "No theory: the weights are not drawn one by one from one distribution."}
    sizes = {"sigma_w": math.sqrt(variance * layer.fan_in), "sigma_b": math.sqrt(of_bias)}
    if e.residual or e.dropout or e.normalization_row.has_gain:
        return sizes | {"note": "Fixed points are those of plain networks: no residual connections, normalization or dropout."}
    point, edge = fixed_point(e.phi, variance * layer.fan_in, of_bias), critical_sigma_w2_or_none(e.activation, sizes["sigma_b"])
    slow = point.note == NOTE_DIES and fixed_point_phase(point) == "on the edge"
    found = {"chi_1": point.chi_1, "q": point.q, "reach": SURVIVAL_DEPTH_SCALES * abs(point.xi_c), "phase": fixed_point_phase(point)}
    found["note"] = SINKS_SLOWLY if slow else point.note
    return sizes | found | {"edge": math.sqrt(edge) if edge else math.nan}


def fixed_point_phase(point: FixedPoint) -> str:
    if abs(point.chi_1 - 1) <= EDGE_TOLERANCE:
        return "on the edge"
    if math.isinf(point.q):
        return "explodes"
    return ("ordered" if point.q else "dies out") if point.chi_1 < 1 else "chaotic"


def variance_equation(e: Experiment, scheme: str) -> str:
    """The variance of z in the middle layer as LaTeX, with this network's numbers put in; empty where there is no theory."""
    index, place = e.schemes.index(scheme), len(e.layers) // 2
    layer, row, q = e.layers[place], e.scheme_rows[index], predict(e).signal[index] ** 2
    if e.depth < 2 or not np.isfinite(q).all():
        return ""
    of_weights, of_bias = row.weight_variance(layer), row.bias_variance(layer)
    through = q[place - 1] if e.residual and 0 < place < e.depth - 1 else 0.0
    moment = (q[place] - of_bias - through) / (layer.fan_in * of_weights) if of_weights else 0.0
    parts = [rf"{layer.fan_in} \cdot {latex(of_weights)} \cdot {latex(moment)}", latex(of_bias)]
    square = "h^2" if e.dropout else r"\phi(u)^2"
    words = [rf"n_{{in}} \, \mathrm{{Var}}\,W \; E\,{square}", r"\mathrm{Var}\,b"]
    if through:
        parts, words = [*parts, latex(through)], [*words, r"\mathrm{Var}\,z_{l-1}"]
    return rf"\mathrm{{Var}}\,z_{{{layer.index}}} = {' + '.join(words)} = {' + '.join(parts)} = {latex(q[place])}"


def latex(value: float) -> str:
    """Three digits, powers of ten where they are shorter."""
    digits, _, power = f"{value:.3g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
