"""The activation and its slope, and beneath them the pre-activations that a layer really feeds it."""

import altair as alt

from stability.charts.palette import GREY
from stability.charts.panels import (
    DOTTED,
    EXTENT,
    data_set,
    hold_axes,
    number_tips,
    one_row,
    panel,
    stack_panels,
    word_tips,
    x_channel,
    y_channel,
)
from stability.charts.parameters import colour, fill_schemes, first_that_holds, shape
from stability.charts.spec_cache import ChartTemplate
from stability.engine.quantities import HISTOGRAM_REACH
from stability.frames.pre_activations import OUTER_BIN_END

TICKS = -OUTER_BIN_END + 0.5, -4, 0, 4, OUTER_BIN_END - 0.5
TICK_CASES = (
    (f"datum.value < -{HISTOGRAM_REACH}", f"'u < −{HISTOGRAM_REACH}'"),
    (f"datum.value > {HISTOGRAM_REACH}", f"'> {HISTOGRAM_REACH}'"),
)
TICK_LABEL = first_that_holds(TICK_CASES, "format(datum.value, 'd')")
SHARE_TICKS = 0, 0.01, 0.05, 0.2, 0.5, 1


def build_pre_activations(kind: None = None) -> alt.VConcatChart:
    """phi and phi' over u; below, each scheme's histogram of u. Grey: where phi is flat.

    The outer bins hold what lies beyond. Data sets: `curve`, `flat`, `limits`, `histogram`, as in
    `stability.frames.pre_activation_tables`.
    """
    panels = [
        panel(
            "The activation φ and its slope φ′; grey: flat",
            130,
            flat_region(is_labelled=False),
            *activation_lines(),
        ),
        panel(
            "Share of the pre-activations u in each bin (√)",
            170,
            flat_region(is_labelled=True),
            *(reach_rule(end) for end in (-HISTOGRAM_REACH, HISTOGRAM_REACH)),
            *histogram_outlines(),
        ),
    ]
    words = (
        "The activation and its slope, and a histogram of the layer's pre-activations"
        " for each initialization."
    )
    return stack_panels(panels, words)


def u_axis(name: str, is_labelled: bool) -> alt.X:
    """Pre-activations; only the lower panel labels them."""
    axis = alt.Axis(values=TICKS, labels=False, ticks=False)
    if is_labelled:
        axis = alt.Axis(values=TICKS, labelExpr=TICK_LABEL, labelPadding=4, labelFlush=True)
    return x_channel(name, alt.Scale(domain=[-OUTER_BIN_END, OUTER_BIN_END], nice=False), axis)


def flat_region(is_labelled: bool) -> alt.Chart:
    """The pre-activations at which the activation is flat."""
    base = data_set("flat").mark_rect(color=GREY, opacity=0.16, tooltip=None)
    return base.encode(x=u_axis("from", is_labelled), x2="until")


def activation_lines() -> list[alt.Chart]:
    """phi, and phi' dashed, each named on its line."""
    axis = alt.Axis(**EXTENT, tickCount=4, format="~g")
    scale = alt.Scale(nice=False, zero=False)
    layers = [hold_axes(y_channel("value", scale, axis))]
    base = data_set("curve").encode(x=u_axis("u", is_labelled=False))
    for name, symbol, width, dash in (("phi", "φ", 2.5, [1, 0]), ("dphi", "φ′", 1.5, [5, 4])):
        y = y_channel(name, scale, axis)
        line = base.mark_line(color=GREY, strokeWidth=width, strokeDash=dash, clip=True)
        word = base.mark_text(
            text=symbol,
            align="right",
            baseline="bottom",
            dx=-4,
            dy=-2,
            fontSize=14,
            fontWeight="bold",
        )
        layers += [line.encode(y=y), word.transform_filter(f"datum.{name}_named").encode(y=y)]
    return layers


def reach_rule(u: float) -> alt.Chart:
    """A thin rule between the histogram and what lies beyond it."""
    base = one_row().mark_rule(**DOTTED, opacity=0.6)
    return base.encode(x=alt.datum(u, type="quantitative"))


def histogram_outlines() -> list[alt.Chart]:
    """The outline of each scheme's bins.

    The root shows the width of a bell beside a bin that holds everything.
    """
    axis = alt.Axis(**EXTENT, values=SHARE_TICKS, format="%", labelOverlap=False)
    share = y_channel("share", alt.Scale(type="sqrt", domain=[0, 1], nice=False), axis)
    base = data_set("histogram").encode(y=share, color=colour())
    # Both ends of each bin, in the order of the data.
    ends = base.transform_fold(["u", "until"], as_=["side", "edge"])
    line = ends.mark_line(strokeWidth=2, clip=True, strokeJoin="round")
    tips = [*word_tips("scheme"), *number_tips("u", "until"), *number_tips("share", format=".2~%")]
    marks = base.mark_point(filled=True, size=45, opacity=1).transform_filter("datum.marked")
    return [
        line.encode(x=u_axis("edge", is_labelled=True), order=alt.OrderValue(0)),
        marks.encode(x=u_axis("middle", is_labelled=True), shape=shape(), tooltip=tips),
    ]


pre_activation_template = ChartTemplate(build_pre_activations, fill_schemes)
pre_activation_chart = pre_activation_template.chart
pre_activation_spec = pre_activation_template.spec
