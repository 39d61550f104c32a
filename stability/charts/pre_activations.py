"""The activation and its slope, and beneath them what a layer really feeds it."""

import altair as alt

from stability.charts.palette import GREY
from stability.charts.panels import EXTENT, built, colour, finished, looks, panel, shape
from stability.engine.quantities import HISTOGRAM_REACH
from stability.frames.pre_activations import OUTER_BIN_END
from stability.records.experiment import Experiment

TICKS = -OUTER_BIN_END + 0.5, -4, 0, 4, OUTER_BIN_END - 0.5
TICK = f"datum.value < -{HISTOGRAM_REACH} ? 'u < −{HISTOGRAM_REACH}' : datum.value > {HISTOGRAM_REACH} ? '> {HISTOGRAM_REACH}' : format(datum.value, 'd')"
SHARES = 0, 0.01, 0.05, 0.2, 0.5, 1


def pre_activation_chart(experiment: Experiment) -> alt.VConcatChart:
    """phi and phi' over u; below, each scheme's histogram of u. Grey: where phi is flat. The outer bins hold what lies beyond.

    Data sets: `curve`, `flat`, `limits`, `histogram`, as in `stability.frames.pre_activation_tables`.
    """
    panels = [
        panel("The activation φ and its slope φ′; grey: flat", 130, flat_region(False), *curve_layers()),
        panel("Share of the pre-activations u in each bin (√)", 170, flat_region(True), *limit_rules(),
              *histogram_layers(experiment)),
    ]  # fmt: skip
    words = "The activation and its slope, and a histogram of the layer's pre-activations for each initialization."
    return finished(panels, words)


def pre_activation_spec(experiment: Experiment) -> dict:
    return built(pre_activation_chart, looks(experiment))


def along(name: str, labelled: bool) -> alt.X:
    words = {"labelExpr": TICK, "labelPadding": 4, "labelFlush": True} if labelled else {"labels": False, "ticks": False}
    scale = alt.Scale(domain=[-OUTER_BIN_END, OUTER_BIN_END], nice=False)
    return alt.X(name, type="quantitative", scale=scale, title=None, axis=alt.Axis(values=TICKS, **words))


def flat_region(labelled: bool) -> alt.Chart:
    base = alt.Chart(alt.NamedData("flat")).mark_rect(color=GREY, opacity=0.16, tooltip=None)
    return base.encode(x=along("from", labelled), x2="until")


def curve_layers() -> list[alt.Chart]:
    """phi, and phi' dashed, each named on its line; `limits` hold the axis."""
    axis = alt.Axis(**EXTENT, tickCount=4, format="~g")
    height = {"type": "quantitative", "scale": alt.Scale(nice=False, zero=False), "title": None, "axis": axis}
    base, layers = alt.Chart(alt.NamedData("curve")).encode(x=along("u", False)), []
    for name, symbol, width, dash, align in (("phi", "φ", 2.5, [1, 0], "right"), ("dphi", "φ′", 1.5, [5, 4], "right")):
        line = base.mark_line(color=GREY, strokeWidth=width, strokeDash=dash, clip=True)
        text = base.mark_text(text=symbol, align=align, baseline="bottom", dx=-4, dy=-2, fontSize=14, fontWeight="bold")
        layers += [mark.encode(y=alt.Y(name, **height)) for mark in (line, text.transform_filter(f"datum.{name}_named"))]
    ends = alt.Chart(alt.NamedData("limits")).mark_point(opacity=0, tooltip=None)
    return [ends.encode(y=alt.Y("value", **height)), *layers]


def limit_rules() -> list[alt.Chart]:
    """Thin lines between the histogram and what lies beyond it."""
    base = alt.Chart(alt.sequence(1)).mark_rule(strokeDash=[2, 3], opacity=0.6, color=GREY)
    return [base.encode(x=alt.datum(end, type="quantitative")) for end in (-HISTOGRAM_REACH, HISTOGRAM_REACH)]


def histogram_layers(e: Experiment) -> list[alt.Chart]:
    """The outline of each scheme's bins. The root shows the width of a bell beside a bin that holds everything."""
    axis = alt.Axis(**EXTENT, values=SHARES, format="%", labelOverlap=False)
    scale = alt.Scale(type="sqrt", domain=[0, 1], nice=False)
    y = alt.Y("share", type="quantitative", scale=scale, title=None, axis=axis)
    base = alt.Chart(alt.NamedData("histogram")).encode(y=y, color=colour(e))
    ends = base.transform_fold(["u", "until"], as_=["side", "edge"])  # both ends of each bin, in the order of the data
    line = ends.mark_line(strokeWidth=2, clip=True, strokeJoin="round").encode(x=along("edge", True), order=alt.OrderValue(0))
    tips = ["scheme:N", *(alt.Tooltip(name, type="quantitative") for name in ("u", "until")),
            alt.Tooltip("share", type="quantitative", format=".2~%")]  # fmt: skip
    marked = base.mark_point(filled=True, size=45, opacity=1).transform_filter("datum.marked")
    return [line, marked.encode(x=along("middle", True), shape=shape(e), tooltip=tips)]
