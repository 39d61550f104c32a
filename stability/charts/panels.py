"""What every chart is made of: panels, axes, scales, lines, and how a chart is finished, built once and completed."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pyarrow as pa
from altair.utils.schemapi import debug_mode

from stability.charts import palette
from stability.charts.palette import SCHEME_COLOURS, GREY, SCHEME_SHAPES, scheme_style_indices
from stability.records.experiment import Experiment

WIDTH = "range('concat_0_x')[1]"  # of every panel, in pixels, as an expression
AXIS_WIDTH = 40  # pixels left of every panel; the page leaves as much room
# Grey words, readable on the page whether it is light or dark: the chart knows what it is painted on.
INK = "luminance(background) < 0.2 ? '#a4afb9' : '#5a6570'"
SEAM = 0.7  # pixels of stroke around the cells of a heat map: neighbours without one let the page shine through
GRADIENT = f"min(220, 0.8 * {WIDTH})"  # pixels of the legend of a heat map
TITLE = 28  # pixels between two panels, of which the lower one's title takes most
EXTENT = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}


def panel(title: str | alt.ExprRef, height: int, *layers: alt.Chart, beside: bool = True) -> alt.LayerChart:
    return alt.layer(*layers, height=height, title=heading(title, beside))


def heading(text: str | alt.ExprRef, beside: bool) -> alt.TitleParams:
    """One that changes may stand beside readings, which `linked.guides` keeps room for."""
    offset = -12 if beside and isinstance(text, alt.ExprRef) else 6
    return alt.TitleParams(text, anchor="start", frame="group", fontSize=13, offset=offset, limit=alt.ExprRef(WIDTH))


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
    return alt.Scale(domain=list(reach(experiments, along)), nice=False)


def reach(experiments: Sequence[Experiment], along: str) -> tuple[int, int]:
    """Wide enough for all that is shown."""
    return (0, max(e.steps for e in experiments)) if along == "step" else (1, max(2, *(e.depth for e in experiments)))


def log_scale(name: str = "") -> alt.Scale:
    """With a name, held by `limits`, which are rounded outwards: it moves rarely, and never for a zero."""
    return held(name, type="log", nice=False) if name else alt.Scale(type="log", nice=False)


def held(name: str, **more: Any) -> alt.Scale:
    """From the first to the last row of `limits`, whatever else is drawn: a column without a number has no extent."""
    rows = "length(data('limits')) ? data('limits')"
    return alt.Scale(domain=[alt.ExprRef(f"{rows}[0]['{name}'] : 1"), alt.ExprRef(f"{rows}[1]['{name}'] : 10")], **more)


def corners(name: str) -> alt.Chart:
    """Invisible points, so that a chart has the data set `limits`, of which a held axis speaks."""
    return (
        alt.Chart(alt.NamedData("limits"))
        .mark_point(opacity=0, tooltip=None)
        .encode(y=alt.Y(name, type="quantitative", scale=log_scale(name), title=None))
    )


def outlined(base: alt.Chart, **mark: Any) -> list[alt.Chart]:
    """Words that can be read where a line runs behind them: once in the colour of the page and wider, then in their own."""
    page = alt.ExprRef("background")
    return [base.mark_text(**mark, stroke=page, strokeWidth=4, strokeJoin="round"), base.mark_text(**mark)]


def format_rules(name: str) -> list[alt.Chart]:
    """Where a number format ends on the axis of a quantity, named at the right end: the rows of `frames.rules`."""
    base = alt.Chart(alt.NamedData("rules")).transform_filter(f"datum.quantity == '{name}'")
    shown = alt.condition("datum.inside", alt.value(0.9), alt.value(0))
    base = base.encode(y=alt.Y("height", type="quantitative", scale=log_scale(name), title=None), opacity=shown)
    side, dy = map(alt.ExprRef, ("datum.under ? 'top' : 'bottom'", "datum.under ? 3 : -2"))
    words = base.mark_text(align="right", baseline=side, dy=dy, tooltip=None, clip=True)
    line = base.mark_rule(strokeDash=[1, 3], color=GREY, tooltip=None, clip=True)
    return [line, words.encode(x=alt.value("width"), text="words:N")]


def colour(e: Experiment) -> alt.Color:
    """No legend: the page's cards carry the same colours and marks, and `with_data` adds one for a chart on its own."""
    return alt.Color("scheme", type="nominal", scale=scheme_scale(e, SCHEME_COLOURS), legend=None)


def shape(e: Experiment) -> alt.Shape:
    return alt.Shape("scheme", type="nominal", scale=scheme_scale(e, SCHEME_SHAPES), legend=None)


def scheme_scale(e: Experiment, looks: tuple[str, ...]) -> alt.Scale:
    index = scheme_style_indices(e.schemes)
    return alt.Scale(domain=list(index), range=[looks[i] for i in index.values()])


def finished(panels: list[alt.Chart], description: str, params: Sequence[alt.VariableParameter] = ()) -> alt.VConcatChart:
    """The panels, one above another, where their heights alone put them: whatever is drawn moves none of them.

    Canvas from the start: a chart that changes its renderer is drawn anew, and flickers. All in one call: each of Altair's
    methods copies a chart with all that is in it, which takes longer than to build it.
    """
    ink = alt.ExprRef(INK)
    return alt.vconcat(
        *panels,
        bounds="flush",
        spacing=TITLE,
        padding={"left": 0, "right": 8, "top": 0, "bottom": 6},
        description=description,
        usermeta={"embedOptions": {"renderer": "canvas"}},
        params=list(params) or alt.Undefined,
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent", shape="independent")),
        config=alt.Config(
            mark=alt.MarkConfig(aria=False, tooltip=None),
            text=alt.MarkConfig(color=ink, fontSize=11),
            axis=alt.AxisConfig(labelColor=ink),
            legend=alt.LegendConfig(labelColor=ink),
        ),
    )


def looks(e: Experiment) -> Experiment:
    """An experiment whose charts are the same ones: a new seed or learning rate needs no new chart, and one takes long."""
    shown = {"depth": e.depth, "width": e.width, "steps": e.steps, "dataset": e.dataset, "replicates": min(2, e.replicates)}
    shown |= {"precision": e.precision} if e.number_format.scales_loss else {}
    return Experiment(schemes=e.schemes, activation="tanh", residual=True, **shown)  # which go with every scheme


BUILDING = threading.Lock()  # thirty visitors of one link wait for one chart, instead of building thirty at once


def built(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    with BUILDING:
        return built_once(make, *arguments)


@lru_cache(maxsize=512)
def built_once(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    with debug_mode(False):  # the tests validate every chart; here each piece of it would be validated, half of the time
        return make(*arguments).to_dict(validate=False)


def with_data(chart: alt.VConcatChart, tables: Mapping[str, pa.Table]) -> alt.VConcatChart:
    """A chart that carries its data, a legend and the colours that the page has from its theme, for notebooks and export."""
    complete = chart.copy().configure_range(diverging=list(palette.DIVERGING_LIGHT), ramp=list(palette.SEQUENTIAL))
    complete.datasets = {name: table.to_pylist() for name, table in tables.items()}
    marked = [[layer for layer in panel.layer if has_shape(layer)] for panel in complete.vconcat]
    for layer in next(filter(None, marked), [])[:1]:
        layer.encoding.shape.legend = layer.encoding.color.legend = alt.Legend(title=None, orient="top")
    return complete


def has_shape(layer: alt.Chart) -> bool:
    return layer.encoding is not alt.Undefined and layer.encoding.shape is not alt.Undefined
