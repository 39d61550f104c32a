"""Panels of lines, one for each scheme: measured, grey behind them what is pinned, and what is read off at one place."""

from collections.abc import Sequence

import altair as alt

from stability.charts.interaction import dimmed, guides, now, readings, seen, titled
from stability.charts.palette import GREY
from stability.charts.panels import WIDTH, axis, below, outlined, panel
from stability.charts.parameters import SYMBOL, Kind, colour, shape, zoomed

LINE_NAME_WIDTH = 104  # pixels right of a panel for the names of its lines, where the window is wide enough
ROOMY = "(windowSize()[0] >= 1312 || windowSize()[0] >= 640 && windowSize()[0] < 1152)"  # as the page's CSS has it
# Of the panels, in pixels; frames.line_labels leaves 13 of them for a label.
PANEL_HEIGHTS = {"loss": 140, "accuracy": 80, "gradient_norm": 100}
PANEL_HEIGHTS |= {"signal": 145, "signal_gradient": 145, "weight_gradient": 145}
FIRST = "loss", "signal"  # the panels that stand above all others of their chart
UNITS = {"loss": "loss (nats, or squares)", "accuracy": "share right", "gradient_norm": "gradient norm"}
UNITS |= {"signal": "RMS of z", "signal_gradient": "RMS of dL/dz", "weight_gradient": "norm of dL/dW"}


def line_panel(
    kind: Kind,
    title: str,
    name: str,
    along: str,
    scale: alt.Scale,
    behind: Sequence[alt.Chart] = (),
    above: Sequence[alt.Chart] = (),
    format: str = "",
) -> alt.LayerChart:
    """One quantity along the steps or the layers; `behind` and `above` the lines, layers of its own."""
    x, y = along_axis(along, name), alt.Y(name, type="quantitative", scale=scale, title=None, axis=axis(format))
    tips = [alt.Tooltip("scheme", type="nominal"), alt.Tooltip(along, type="quantitative"),
            alt.Tooltip(name, type="quantitative", format=format or ".3~e", title=UNITS[name])]  # fmt: skip
    data = "bands" if along == "step" else "profiles"
    base = alt.Chart(alt.NamedData(data)).encode(x=x, color=colour())
    base = base if along == "step" else base.transform_filter(now())
    read = readings(alt.Chart(alt.NamedData(data)), name, along, format)
    layers = [
        *guides(along), *behind, *(pinned_layers(x, y, tips) if kind.pinned else []),
        *measured(kind, base, name, scale, y, tips), *(pinned_names(x, y) if kind.pinned and name in FIRST else []), *above,
        base.transform_filter(seen(along)).mark_point(filled=True, size=60, opacity=1, clip=True).encode(y=y, shape=shape()),
        *(layer if along == "step" else layer.transform_filter(now()) for layer in read),
        *(layer if along == "step" else layer.transform_filter(now()) for layer in ends(name, scale)),
    ]  # fmt: skip
    return panel(titled(title, along), PANEL_HEIGHTS[name], *layers)


def along_axis(along: str, name: str = "") -> alt.X:
    """What all panels of a chart share; the last one is labelled."""
    return alt.X(along, type="quantitative", scale=zoomed(), title=None, axis=below(name == "weight_gradient"))


def measured(kind: Kind, base: alt.Chart, name: str, scale: alt.Scale, y: alt.Y, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """The range over the replicates, the median, and a few marks, one colour a scheme."""
    marked = base.mark_point(filled=True, size=45, clip=True).encode(y=y, shape=shape(), tooltip=tips, opacity=dimmed())
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y, opacity=dimmed())
    layers = [line, marked.transform_filter("datum.marked")]
    if kind.ranges:
        low = alt.Y(f"{name}_low", type="quantitative", scale=scale, title=None)
        layers.insert(0, base.mark_area(clip=True).encode(y=low, y2=f"{name}_high", opacity=dimmed(0.18)))
    return layers


def pinned_layers(x: alt.X, y: alt.Y, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """Runs kept for comparison: grey, each with its own dash, with the marks of their schemes."""
    dash = alt.StrokeDash("run", type="nominal", scale=alt.Scale(range=[[1, 0], [6, 3], [2, 2]]), legend=None)
    base = alt.Chart(alt.NamedData("pinned")).encode(x=x, y=y, detail=["run:N", "scheme:N"])
    line = base.mark_line(strokeWidth=1.5, color=GREY, clip=True).encode(strokeDash=dash, opacity=dimmed())
    marked = base.mark_point(filled=True, size=30, color=GREY, clip=True).transform_filter("datum.marked")
    marked = marked.encode(shape=shape(), tooltip=[alt.Tooltip("run", type="nominal"), *tips], opacity=dimmed())
    return [line, marked]


def pinned_names(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Once in a chart: the dash of a run is the same in all panels."""
    base = alt.Chart(alt.NamedData("pinned")).transform_filter("datum.named").encode(x=x, y=y, text="run:N")
    return outlined(base, baseline="bottom", dy=-3, limit=130, clip=True, tooltip=None)


def ends(name: str, scale: alt.Scale) -> list[alt.Chart]:
    """The names of the lines at their ends, each behind its mark; a click on one lets it stand alone."""
    base = alt.Chart(alt.NamedData("ends")).transform_filter(f"!zoom && isValid(datum.{name})")
    base = base.encode(y=alt.Y(name, type="quantitative", scale=scale, title=None), opacity=dimmed())
    kind = {"align": "left", "baseline": "middle", "cursor": "pointer", "tooltip": None}
    mark, words = (
        base.mark_text(
            **kind,
            x=alt.ExprRef(f"{WIDTH} + ({ROOMY} ? {dx} : 0)"),
            limit=LINE_NAME_WIDTH - 8,
            text=alt.ExprRef(f"{ROOMY} ? {text} : ''"),
        )
        for dx, text in ((7, SYMBOL), (20, "datum.text"))
    )
    return [mark.encode(color=colour()), words]
