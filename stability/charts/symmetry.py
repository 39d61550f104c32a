"""How many different hidden units each layer has, step by step: one small heat map for each scheme."""

import json

import altair as alt

from stability.charts.palette import ZERO_OR_NOT_FINITE
from stability.charts.panels import (
    EXTENT,
    GRADIENT,
    SEAM,
    below,
    built,
    finished,
    looks,
    panel,
    span,
)
from stability.records.experiment import Experiment


def symmetry_chart(experiment: Experiment) -> alt.VConcatChart:
    """Different hidden units by layer and step, a heat map for each scheme; grey is not finite.

    Data set: `distinct`, as in `stability.frames.symmetry_tables`.
    """
    *first, last = range(len(experiment.schemes))
    panels = [*(count_map(experiment, index) for index in first), count_map(experiment, last, last=True)]
    return finished(panels, "Number of different hidden units by layer and step, a heat map for each initialization.")


def symmetry_spec(experiment: Experiment) -> dict:
    return built(symmetry_chart, looks(experiment))


def count_map(e: Experiment, index: int, last: bool = False) -> alt.LayerChart:
    """One scheme's layers by step. The last one carries what all share: the axis of steps and the legend."""
    y = alt.Y("bottom", type="quantitative", scale=alt.Scale(domain=[0.5, max(2, e.depth) - 0.5], nice=False), title=None,
              axis=alt.Axis(**EXTENT, tickMinStep=1, tickCount=3, format="d"))  # fmt: skip
    tips = (alt.Tooltip(name, type="quantitative") for name in ("layer", "last", "step", "distinct"))
    base = (
        alt.Chart(alt.NamedData("distinct"))
        .transform_filter(f"datum.scheme == {json.dumps(e.schemes[index])}")
        .transform_calculate(bottom="datum.layer - 0.5", top="datum.last + 0.5")
        .mark_rect(clip=True, strokeWidth=SEAM)
        .encode(
            x=alt.X("since", type="quantitative", scale=span((e,), "step"), title=None, axis=below(last, "step")),
            x2="until", y=y, y2="top", tooltip=[*tips, alt.Tooltip("share", type="quantitative", format=".0%")],
        )
    )  # fmt: skip
    scale = alt.Scale(type="log", domain=[1, e.width], range="ramp", nice=False)
    field = {"shorthand": "distinct", "type": "quantitative", "scale": scale}
    counted = base.encode(color=alt.Color(**field, legend=counts_legend(e.width) if last else None))
    counted = counted.encode(stroke=alt.Stroke(**field, legend=None)).transform_filter("isValid(datum.distinct)")
    # As in the heat map of training: what has no number has no colour, so it is a layer of its own.
    broken = base.encode(color=alt.value(ZERO_OR_NOT_FINITE), stroke=alt.value(ZERO_OR_NOT_FINITE)).transform_filter("!isValid(datum.distinct)")
    title = f"{e.scheme_rows[index].title}: different units" + ", layer by step" * (index == 0)
    return panel(title, 64, broken, counted)


def counts_legend(width: int) -> alt.Legend:
    """From all units alike to all different."""
    middle = [count for count in (2, 4, 8, 16, 32, 64, 128, 256) if 2 * count <= width]
    return alt.Legend(
        title=None, orient="bottom", direction="horizontal", gradientLength=alt.ExprRef(GRADIENT), gradientThickness=8,
        values=[1, *middle[1::2], width], format="d", labelOverlap=True,
    )  # fmt: skip
