"""How far the hidden layers stretch each direction."""

import altair as alt

from stability.charts.panels import (
    DASHED,
    data_set,
    hold_axes,
    log_scale,
    number_tips,
    panel,
    share_axis,
    stack_panels,
    value_axis,
    word_tips,
    x_channel,
    y_channel,
)
from stability.charts.parameters import colour, fill_schemes, shape
from stability.charts.spec_cache import ChartTemplate


def build_singular(kind: None = None) -> alt.VConcatChart:
    """The stretch of each direction from the first hidden layer to the last, the furthest first.

    Dashed: the edge of the law. Data sets: `singular`, `limits`, as in
    `stability.frames.singular_tables`.
    """
    scale = log_scale("value")
    value, edge = (y_channel(name, scale, value_axis()) for name in ("value", "edge"))
    ranks = x_channel("rank", alt.Scale(domain=[0, 1], nice=False), share_axis())
    base = data_set("singular").encode(x=ranks, color=colour())
    tips = [*word_tips("scheme"), *number_tips("rank", "value", "edge", format=".3~e")]
    marks = base.mark_point(filled=True, size=45, opacity=1, clip=True)
    drawn = panel(
        "Singular values, by share of directions (log)",
        200,
        hold_axes(y_channel("value", scale)),
        base.mark_line(**DASHED, clip=True).encode(y=edge),
        base.mark_line(strokeWidth=2, clip=True).encode(y=value),
        marks.transform_filter("datum.marked").encode(y=value, shape=shape(), tooltip=tips),
    )
    words = "Singular values of the hidden layers before training, from the largest."
    return stack_panels([drawn], words)


singular_template = ChartTemplate(build_singular, fill_schemes)
singular_chart, singular_spec = singular_template.chart, singular_template.spec
