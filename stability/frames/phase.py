"""The tables of the phase diagram: its cells, its critical line, and where schemes stand in it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from stability.catalogues.schemes import SCHEMES
from stability.frames.arrow import arrow_table, chart_table, repeated_texts
from stability.i18n import _, cache_by_language
from stability.records.experiment import Experiment
from stability.theory.mean_field_table import SURVIVAL_DEPTH_SCALES, phase_at_depth
from stability.theory.phase_diagram import PhaseDiagram, diagram_with_schemes, scheme_variances

# Schemes that everybody knows, one for each rule; those of the experiment join them.
LANDMARKS = "he_normal", "xavier_normal", "lecun_normal", "pytorch", "unit_gain", "critical"
PHASES = "on the edge", "explodes", "chaotic", "ordered", "dies out"
LABEL_ROWS = 3  # in turn, so that labels of neighbours do not overlap
NEAR = 0.01  # of the diagram's width or height: such points share one label
# how the numbers of each key of PHASE_QUANTITIES follow from a diagram
PHASE_VALUES: dict[str, Callable[[PhaseDiagram], Any]] = {
    "chi_1": lambda diagram: diagram.chi_1,
    "q": lambda diagram: np.exp(diagram.log_q),
    "c": lambda diagram: diagram.fixed_points.c,
    "reach": lambda diagram: SURVIVAL_DEPTH_SCALES * np.abs(diagram.fixed_points.xi_c),
}


@cache_by_language(maxsize=16)
def phase_tables(e: Experiment, quantity: str) -> dict[str, pa.Table]:
    """Return the tables of the phase diagram's chart, which needs no run.

    cells: left, right, bottom, top in sigma_w2 and sigma_b2, value of the quantity (null where it
    is not finite or not defined), phase. edge: sigma_w2, sigma_b2, order along the critical line,
    alone (True if it is one point). schemes: scheme, sigma_w2, sigma_b2. labels: sigma_w2,
    sigma_b2, text, row (from the point), side (-1: words end at the point, 0, 1).
    """
    diagram = diagram_with_schemes(e)
    return {
        "cells": cell_table(diagram, quantity),
        "edge": edge_table(diagram),
        "schemes": own_scheme_table(e),
        "labels": scheme_label_table(e, diagram),
    }


def cell_table(diagram: PhaseDiagram, quantity: str) -> pa.Table:
    """Return the cells, row by row from below; the columns of `cells` in `phase_tables`."""
    w, b = np.meshgrid(diagram.sigma_w2, diagram.sigma_b2)
    half_w, half_b = diagram.sigma_w2[0], diagram.sigma_b2[0]
    with np.errstate(over="ignore"):
        values, q = PHASE_VALUES[quantity](diagram), np.exp(diagram.log_q)
    pairs = zip(diagram.chi_1.ravel().tolist(), q.ravel().tolist(), strict=True)
    phases = [PHASES.index(phase_at_depth(chi_1, at)) for chi_1, at in pairs]
    return chart_table(
        {
            "left": (w - half_w).ravel(), "right": (w + half_w).ravel(),
            "bottom": (b - half_b).ravel(), "top": (b + half_b).ravel(),
            "value": np.where(np.isfinite(values) & (values > 0), values, math.nan).ravel(),
            "phase": repeated_texts([*map(_, PHASES)], np.array(phases)),
        }
    )  # fmt: skip


def edge_table(diagram: PhaseDiagram) -> pa.Table:
    """Return the critical line; the columns of `edge` in `phase_tables`."""
    sigma_w2, sigma_b2 = diagram.critical_line
    count = len(sigma_w2)
    alone = np.full(count, count == 1)
    columns = {"sigma_w2": sigma_w2, "sigma_b2": sigma_b2, "order": np.arange(count, dtype=float)}
    return chart_table(columns | {"alone": alone})


def own_scheme_table(e: Experiment) -> pa.Table:
    """Return where the schemes of the experiment stand; the columns of `schemes`."""
    points = {row.key: scheme_variances(e, row) for row in e.scheme_rows}
    known = {key: point for key, point in points.items() if point}
    rows = np.array([*known.values()]).reshape(-1, 2)
    return arrow_table(
        {"scheme": pa.array([*known], pa.string()), "sigma_w2": rows[:, 0], "sigma_b2": rows[:, 1]}
    )


def scheme_label_table(e: Experiment, diagram: PhaseDiagram) -> pa.Table:
    """Return a label for each point where schemes stand; the columns of `labels`."""
    ends = np.array([diagram.most_sigma_w2, diagram.most_sigma_b2])
    names: dict[tuple[int, int], list[str]] = {}
    points: dict[tuple[int, int], tuple[float, float]] = {}
    for row in dict.fromkeys([*e.scheme_rows, *(SCHEMES[key] for key in LANDMARKS)]):
        point = scheme_variances(e, row)
        if point and (point <= ends).all():
            key = tuple(np.round(np.array(point) / ends / NEAR).astype(int))
            title = row.title if row in e.scheme_rows else row.label.partition(" (")[0]
            names.setdefault(key, []).append(title)
            points.setdefault(key, point)
    keys = sorted(names)
    rows = np.array([points[key] for key in keys]).reshape(-1, 2)
    comma = _(", ")
    shares = rows[:, 0] / diagram.most_sigma_w2
    return arrow_table(
        {
            "sigma_w2": rows[:, 0],
            "sigma_b2": rows[:, 1],
            "text": pa.array([comma.join(dict.fromkeys(names[key])) for key in keys], pa.string()),
            "row": [index % LABEL_ROWS for index in range(len(keys))],
            "side": np.select([shares < 0.2, shares > 0.75], [1, -1], 0),
        }
    )
