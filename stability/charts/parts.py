"""What every chart is made of: panels, axes, scales, lines, and how a chart is finished, built once and completed."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pyarrow as pa

from stability.experiment import Experiment
from stability.palette import COLOURS, GREY, SHAPES, style

AXIS_WIDTH = 40  # pixels left of every panel; the page leaves as much room
EXTENT = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}


def panel(title: str, height: int, *layers: alt.Chart) -> alt.LayerChart:
    return alt.layer(*layers, height=height, title=heading(title))


def heading(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, anchor="start", frame="group", fontSize=13, offset=6, limit=330)  # a phone is as wide


def axis(format: str) -> alt.Axis:
    """As wide in every panel, so that they stand exactly below one another. Without a format: powers of ten, as 1e-3."""
    exponent = "log(datum.value) / LN10"
    powers = f"abs({exponent} - round({exponent})) > 1e-6 ? '' : datum.value == 1 ? '1' : '1e' + format({exponent}, '.0f')"
    label = {"format": format} if format else {"labelExpr": powers}
    return alt.Axis(**EXTENT, tickCount=4, labelOverlap=True, **label)


def below(last: bool, along: str = "layer") -> alt.Axis:
    """Panels that stand below one another share an axis: only the last one is labelled."""
    words = (
        {"labelExpr": f"datum.index == 0 ? '{along} ' + datum.label : datum.label", "labelFlush": True}
        if last
        else {"labels": False}
    )
    return alt.Axis(tickMinStep=1, ticks=last, labelPadding=4, **words)


def span(experiments: Sequence[Experiment], along: str) -> alt.Scale:
    """Wide enough for all that is shown."""
    steps, depth = max(e.steps for e in experiments), max(2, *(e.depth for e in experiments))
    return alt.Scale(domain=[0, steps] if along == "step" else [1, depth], nice=False)


def log_scale() -> alt.Scale:
    """The domain comes from the corners, which `frames.limits` rounds outwards: it moves rarely, and never for a zero."""
    return alt.Scale(type="log", nice=False)


def held(name: str, **more: Any) -> alt.Scale:
    """From the first to the last row of `limits`, whatever else is drawn: a column without a number has no extent."""
    rows = "length(data('limits')) ? data('limits')"
    return alt.Scale(domain=[alt.ExprRef(f"{rows}[0]['{name}'] : 1"), alt.ExprRef(f"{rows}[1]['{name}'] : 10")], **more)


def corners(name: str) -> alt.Chart:
    """Invisible points that hold a log axis where `frames.limits` wants it."""
    return (
        alt.Chart(alt.NamedData("limits"))
        .mark_point(opacity=0, tooltip=None)
        .encode(y=alt.Y(name, type="quantitative", scale=log_scale(), title=None))
    )


def rule(height: float, text: str) -> alt.LayerChart:
    """A thin line at one height, named at its right end."""
    base = alt.Chart(alt.sequence(1)).encode(y=alt.datum(height, type="quantitative"))
    line = base.mark_rule(strokeDash=[2, 3], opacity=0.6, color="#808080")
    words = base.mark_text(align="right", baseline="bottom", dy=-2, fontSize=11, color="#808080", text=text)
    return line + words.encode(x=alt.value("width"))


def format_rules(name: str) -> list[alt.Chart]:
    """Where a number format ends on the axis of a quantity, named at the right end: the rows of `frames.rules`."""
    base = alt.Chart(alt.NamedData("rules")).transform_filter(f"datum.quantity == '{name}'")
    shown = alt.condition("datum.inside", alt.value(0.9), alt.value(0))
    base = base.encode(y=alt.Y("height", type="quantitative", scale=log_scale(), title=None), opacity=shown)
    side, dy = map(alt.ExprRef, ("datum.under ? 'top' : 'bottom'", "datum.under ? 3 : -2"))
    words = base.mark_text(align="right", baseline=side, dy=dy, fontSize=11, color=GREY, tooltip=None, clip=True)
    line = base.mark_rule(strokeDash=[1, 3], color=GREY, tooltip=None, clip=True)
    return [line, words.encode(x=alt.value("width"), text="words:N")]


def line_layers(
    e: Experiment, name: str, along: str, scale: alt.Scale, format: str = "", pins: tuple[Experiment, ...] = ()
) -> list[alt.Chart]:
    """The range over the replicates, the median, and a few marks, one colour a scheme; grey behind them, what is pinned."""
    data = alt.NamedData("bands" if along == "step" else "profiles")
    x = alt.X(along, type="quantitative", scale=span((e, *pins), along), title=None, axis=below(name == "weight_gradient"))
    y = alt.Y(name, type="quantitative", scale=scale, title=None, axis=axis(format))
    base = alt.Chart(data).encode(x=x, color=colour(e))
    tips = [alt.Tooltip("scheme", type="nominal"), alt.Tooltip(along, type="quantitative"),
            alt.Tooltip(name, type="quantitative", format=format or ".3~e")]  # fmt: skip
    marked = base.mark_point(filled=True, size=45, opacity=1, clip=True).encode(y=y, shape=shape(e), tooltip=tips)
    layers = [base.mark_line(strokeWidth=2, clip=True).encode(y=y), marked.transform_filter("datum.marked")]
    if e.replicates > 1:
        low = alt.Y(f"{name}_low", type="quantitative", scale=scale, title=None)
        layers.insert(0, base.mark_area(opacity=0.18, clip=True).encode(y=low, y2=f"{name}_high"))
    return [*(pinned_layers(e, x, y, tips) if pins else []), *layers]


def pinned_layers(e: Experiment, x: alt.X, y: alt.Y, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """Runs kept for comparison: grey, each with its own dash, with the marks of their schemes, and named at one end."""
    dash = alt.StrokeDash("run", type="nominal", scale=alt.Scale(range=[[1, 0], [6, 3], [2, 2]]), legend=None)
    base = alt.Chart(alt.NamedData("pinned")).encode(x=x, y=y, detail=["run:N", "scheme:N"])
    line = base.mark_line(strokeWidth=1.5, color=GREY, clip=True).encode(strokeDash=dash)
    marked = base.mark_point(filled=True, size=30, color=GREY, opacity=1, clip=True)
    marked = marked.encode(shape=shape(e), tooltip=[alt.Tooltip("run", type="nominal"), *tips]).transform_filter("datum.marked")
    words = base.mark_text(baseline="bottom", dy=-3, fontSize=11, color=GREY, limit=130, clip=True)
    return [line, marked, words.encode(text="run:N").transform_filter("datum.named")]


def colour(e: Experiment) -> alt.Color:
    """No legend: the page's cards carry the same colours and marks, and `with_data` adds one for a chart on its own."""
    return alt.Color("scheme", type="nominal", scale=scheme_scale(e, COLOURS), legend=None)


def shape(e: Experiment) -> alt.Shape:
    return alt.Shape("scheme", type="nominal", scale=scheme_scale(e, SHAPES), legend=None)


def scheme_scale(e: Experiment, looks: tuple[str, ...]) -> alt.Scale:
    index = style(e.schemes)
    return alt.Scale(domain=list(index), range=[looks[i] for i in index.values()])


def finished(panels: list[alt.Chart], description: str) -> alt.VConcatChart:
    """The panels, one above another. Canvas from the start: a chart that changes its renderer is drawn anew, and flickers."""
    chart = alt.vconcat(
        *panels,
        spacing=10,
        padding={"left": 0, "right": 8, "top": 0, "bottom": 6},
        description=description,
        usermeta={"embedOptions": {"renderer": "canvas"}},
    )
    chart = chart.resolve_scale(color="independent", shape="independent")
    return chart.configure(mark=alt.MarkConfig(aria=False))


def looks(e: Experiment) -> Experiment:
    """An experiment whose charts are the same ones: a new seed or learning rate needs no new chart, and one takes long."""
    shown = {"depth": e.depth, "width": e.width, "steps": e.steps, "dataset": e.dataset, "replicates": min(2, e.replicates)}
    shown |= {"precision": e.precision} if e.format.scaled else {}
    return Experiment(schemes=e.schemes, activation="tanh", residual=True, **shown)  # which go with every scheme


BUILDING = threading.Lock()  # thirty visitors of one link wait for one chart, instead of building thirty at once


def built(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    with BUILDING:
        return built_once(make, *arguments)


@lru_cache(maxsize=512)
def built_once(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    return make(*arguments).to_dict(validate=False)


def with_data(chart: alt.VConcatChart, tables: Mapping[str, pa.Table]) -> alt.VConcatChart:
    """A chart that carries its data and a legend, for notebooks and export."""
    complete = chart.copy()
    complete.datasets = {name: table.to_pylist() for name, table in tables.items()}
    marked = [[layer for layer in panel.layer if has_shape(layer)] for panel in complete.vconcat]
    for layer in next(filter(None, marked), ()):
        layer.encoding.shape.legend = layer.encoding.color.legend = alt.Legend(title=None, orient="top")
    return complete


def has_shape(layer: alt.Chart) -> bool:
    return layer.encoding is not alt.Undefined and layer.encoding.shape is not alt.Undefined
