"""How far the hidden layers stretch each direction."""

import altair as alt

from stability.charts.panels import (
    axis,
    built,
    colour,
    corners,
    finished,
    held,
    looks,
    panel,
    shape,
)
from stability.records.experiment import Experiment


def singular_chart(experiment: Experiment) -> alt.VConcatChart:
    """How far each direction is stretched from the first hidden layer to the last, the furthest first; dashed: the edge.

    Data sets: `singular`, `limits`, as in `stability.frames.singular_tables`.
    """
    share = alt.Axis(format="%", tickCount=5, labelPadding=4, labelFlush=True)
    x = alt.X("rank", type="quantitative", scale=alt.Scale(domain=[0, 1], nice=False), title=None, axis=share)
    y, edge = (
        alt.Y(name, type="quantitative", scale=held("value", type="log", nice=False), title=None, axis=axis(""))
        for name in ("value", "edge")
    )
    base = alt.Chart(alt.NamedData("singular")).encode(x=x, color=colour(experiment))
    tips = ["scheme:N", *(alt.Tooltip(name, type="quantitative", format=".3~e") for name in ("rank", "value", "edge"))]
    marked = base.mark_point(filled=True, size=45, opacity=1, clip=True).transform_filter("datum.marked")
    layers = (
        base.mark_line(strokeWidth=1.5, strokeDash=[5, 4], clip=True).encode(y=edge),
        base.mark_line(strokeWidth=2, clip=True).encode(y=y),
        marked.encode(y=y, shape=shape(experiment), tooltip=tips),
    )
    drawn = panel("Singular values, by share of directions (log)", 200, corners("value"), *layers)
    return finished([drawn], "Singular values of the hidden layers before training, from the largest.")


def singular_spec(experiment: Experiment) -> dict:
    return built(singular_chart, looks(experiment))
