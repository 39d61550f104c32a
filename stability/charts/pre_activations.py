"""An activation and its slope, and below it histograms of the pre-activations of a layer."""

from typing import Any

import altair as alt

from stability.charts import channels, panels
from stability.charts.palette import GREY
from stability.charts.spec_cache import chart_and_spec
from stability.engine.quantities import HISTOGRAM_REACH as REACH
from stability.engine.quantities import SATURATION_SLOPE
from stability.frames.pre_activations import OUTER_BIN_END
from stability.i18n import _

TICKS = -OUTER_BIN_END + 0.5, -4, 0, 4, OUTER_BIN_END - 0.5
OUTER_TICKS = (
    (f"datum.value < -{REACH}", f"'u < −{REACH}'"),
    (f"datum.value > {REACH}", f"'> {REACH}'"),
)
TICK_LABEL = channels.first_that_holds(OUTER_TICKS, "format(datum.value, 'd')")
SHARE_TICKS = 0, 0.01, 0.05, 0.2, 0.5, 1


def build_pre_activations(kind: None) -> alt.VConcatChart:
    """Draw phi and phi' over u, and each scheme's histogram of u; grey where phi is flat.

    The outer bins hold what lies beyond. Data sets: `curve`, `flat`, `limits`, `histogram`, as in
    `stability.frames.pre_activation_tables`.
    """
    flat = panels.data_set("flat").mark_rect(color=GREY, opacity=0.16, tooltip=None)
    upper, lower = (
        flat.encode(x=u_axis("from", last), x2=alt.X2("until")) for last in (False, True)
    )
    rule = panels.one_row().mark_rule(**panels.DOTTED, opacity=0.6)  # beyond them: the outer bins
    rules = [rule.encode(x=alt.XDatum(end, type="quantitative")) for end in (-REACH, REACH)]
    activation = _(
        "The activation φ and its slope φ′; grey: the slope is below {share:g} % of its largest"
    ).format(share=100 * SATURATION_SLOPE)
    histogram = _("Share of the pre-activations u in each bin (√)")
    words = _(
        "The activation and its slope, and a histogram of the layer's pre-activations"
        " for each initialization."
    )
    drawn = [
        panels.panel(activation, 240, upper, *activation_lines()),
        panels.panel(histogram, 200, lower, *rules, *histogram_outlines()),
    ]
    return panels.stack(drawn, words)


def u_axis(name: str, is_last: bool) -> alt.X:
    """Return the axis of pre-activations; only the last panel labels it."""
    axis = alt.Axis(values=TICKS, labels=False, ticks=False)
    if is_last:
        axis = alt.Axis(**channels.FLUSH, values=TICKS, labelExpr=TICK_LABEL)
    return channels.x(name, alt.Scale(domain=[-OUTER_BIN_END, OUTER_BIN_END], nice=False), axis)


def activation_lines() -> list[alt.Chart]:
    """Draw phi, and phi' dashed, each named on its line."""
    axis = alt.Axis(**channels.EXTENT, tickCount=4, format="~g")
    scale = alt.Scale(nice=False, zero=False)
    layers = [panels.hold_axes(channels.y("value", scale, axis))]
    where: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -4, "dy": -2}
    for name, symbol, width, dash in (("phi", "φ", 2.5, [1, 0]), ("dphi", "φ′", 1.5, [5, 4])):
        y = channels.y(name, scale, axis)
        base = panels.data_set("curve").encode(x=u_axis("u", False), y=y)
        word = base.mark_text(text=symbol, **where, fontSize=14, fontWeight="bold")
        layers += [
            base.mark_line(color=GREY, strokeWidth=width, strokeDash=dash, clip=True),
            word.transform_filter(f"datum.{name}_named"),
        ]
    return layers


def histogram_outlines() -> list[alt.Chart]:
    """Draw each scheme's bins as an outline, on a root scale: it shows small shares beside 1."""
    axis = alt.Axis(**channels.EXTENT, **channels.PERCENTS, values=SHARE_TICKS, labelOverlap=False)
    share = channels.y("share", alt.Scale(type="sqrt", domain=[0, 1], nice=False), axis)
    base = panels.data_set("histogram").encode(y=share, color=channels.colour())
    # Both ends of each bin, in the order of the data.
    line = base.transform_fold(["u", "until"], as_=["side", "edge"])
    line = line.mark_line(strokeWidth=2, clip=True, strokeJoin="round")
    marks = base.mark_point(filled=True, size=45, opacity=1).transform_filter("datum.marked")
    tips = channels.tooltips("scheme:N", "u:Q", "until:Q", "share:Q .2~%")
    return [
        line.encode(x=u_axis("edge", True), order=alt.OrderValue(0)),
        marks.encode(x=u_axis("middle", True), shape=channels.shape(), tooltip=tips),
    ]


pre_activation_chart, pre_activation_spec = chart_and_spec(
    build_pre_activations, channels.fill_schemes
)
