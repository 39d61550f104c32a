"""The parts of every chart: panels below one another, with their axes, scales, rules and words."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from stability.charts.palette import GREY
from stability.charts.spec_cache import variable_parameters
from stability.charts.vega_names import PANEL_WIDTH
from stability.page_layout import AXIS_WIDTH

# Grey words, readable on the page whether it is light or dark: the chart knows its background.
INK = "luminance(background) < 0.2 ? '#a4afb9' : '#5a6570'"
CELL_STROKE = (
    0.7  # pixels around the cells of a heat map, between which the page would shine through
)
LEGEND_LENGTH = f"min(220, 0.8 * {PANEL_WIDTH})"  # pixels of the legend of a heat map
TITLE_HEIGHT = 28  # pixels between two panels, of which the lower one's title takes most
EXTENT = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}
DASHED: dict[str, Any] = {"strokeWidth": 1.5, "strokeDash": [5, 4]}  # what theory says
DOTTED: dict[str, Any] = {"strokeDash": [2, 3], "color": GREY}  # where something ends or begins
EXPONENT = "log(datum.value) / LN10"
POWERS_OF_TEN = (
    f"abs({EXPONENT} - round({EXPONENT})) > 1e-6 ? '' : "
    f"datum.value == 1 ? '1' : '1e' + format({EXPONENT}, '.0f')"
)


def stack_panels(
    panels: Sequence[alt.LayerChart], description: str, parameters: Mapping[str, Any] | None = None
) -> alt.VConcatChart:
    """Put panels one above another, where their heights alone decide: no data move them.

    Canvas from the start: a chart that changes its renderer is drawn anew, and flickers. All in one
    call: each of Altair's methods copies a chart whole, which takes longer than to build it.
    """
    ink = alt.ExprRef(INK)
    return alt.vconcat(
        *panels,
        bounds="flush",
        spacing=TITLE_HEIGHT,
        padding={"left": 0, "right": 8, "top": 0, "bottom": 6},
        description=description,
        usermeta={"embedOptions": {"renderer": "canvas"}},
        params=variable_parameters(parameters) if parameters else alt.Undefined,
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent", shape="independent")),
        config=alt.Config(
            mark=alt.MarkConfig(aria=False, tooltip=None),
            text=alt.MarkConfig(color=ink, fontSize=11),
            axis=alt.AxisConfig(labelColor=ink),
            legend=alt.LegendConfig(labelColor=ink),
        ),
    )


def panel(
    title: str | alt.ExprRef, height: int, *layers: alt.Chart, offset: int = 6
) -> alt.LayerChart:
    """Lay charts over one another under a title, `offset` pixels above them."""
    limit = alt.ExprRef(PANEL_WIDTH)
    heading = alt.TitleParams(
        title, anchor="start", frame="group", fontSize=13, offset=offset, limit=limit
    )
    return alt.layer(*layers, height=height, title=heading)


def data_set(name: str) -> alt.Chart:
    """A chart of a named data set, which the page or `with_data` brings."""
    return alt.Chart(alt.NamedData(name))


def one_row() -> alt.Chart:
    """A chart of one row without fields, for what stands once in a panel."""
    return alt.Chart(alt.sequence(1))


def hold_axes(*channels: alt.X | alt.Y) -> alt.Chart:
    """Invisible points of `limits`, which a chart must draw to know it; they hold its axes."""
    return data_set("limits").mark_point(opacity=0, tooltip=None).encode(*channels)


def x_channel(name: str, scale: alt.Scale, axis: Any = alt.Undefined) -> alt.X:
    """A number along the panel."""
    return alt.X(f"{name}:Q", scale=scale, title=None, axis=axis)


def y_channel(name: str, scale: alt.Scale, axis: Any = alt.Undefined) -> alt.Y:
    """A number by height; the panel's title says what it is."""
    return alt.Y(f"{name}:Q", scale=scale, title=None, axis=axis)


def number_tips(*names: str, format: Any = alt.Undefined) -> list[alt.Tooltip]:
    """Return tooltips of numbers."""
    return [alt.Tooltip(f"{name}:Q", format=format) for name in names]


def word_tips(*names: str) -> list[alt.Tooltip]:
    """Return tooltips of words."""
    return [alt.Tooltip(f"{name}:N") for name in names]


def value_axis(format: str = "", **more: Any) -> alt.Axis:
    """An axis as wide in every panel, so that they stand exactly below one another.

    Without a format its labels are powers of ten, as 1e-3.
    """
    labels = {"format": format} if format else {"labelExpr": POWERS_OF_TEN}
    return alt.Axis(**EXTENT, tickCount=4, labelOverlap=True, **labels, **more)


def shared_axis(along: str, labelled: bool, **more: Any) -> alt.Axis:
    """The axis that panels below one another share: only the last one is labelled."""
    words: dict[str, Any] = {"labels": False}
    if labelled:
        label = f"datum.index == 0 ? '{along} ' + datum.label : datum.label"
        words = {"labelExpr": label, "labelFlush": True}
    return alt.Axis(tickMinStep=1, ticks=labelled, labelPadding=4, **words, **more)


def share_axis() -> alt.Axis:
    """An axis of shares along a panel, in percent."""
    return alt.Axis(format="%", tickCount=5, labelPadding=4, labelFlush=True)


def limited_scale(name: str, **more: Any) -> alt.Scale:
    """A scale from the first to the last row of `limits`, whatever else is drawn.

    Without rows it goes from 1 to 10: a column without a number has no extent.
    """
    rows = "length(data('limits')) ? data('limits')"
    ends = [alt.ExprRef(f"{rows}[0]['{name}'] : 1"), alt.ExprRef(f"{rows}[1]['{name}'] : 10")]
    return alt.Scale(domain=ends, nice=False, **more)


def log_scale(name: str) -> alt.Scale:
    """A log scale held by `limits`, which are rounded outwards: it moves rarely, and never to 0."""
    return limited_scale(name, type="log")


def outlined_text(base: alt.Chart, **mark: Any) -> list[alt.Chart]:
    """Words that stay readable over a line: wider in the page's colour, then in their own."""
    page = alt.ExprRef("background")
    outline = base.mark_text(**mark, stroke=page, strokeWidth=4, strokeJoin="round")
    return [outline, base.mark_text(**mark)]


def format_limit_rules(name: str) -> list[alt.Chart]:
    """Draw the ends of number formats on a quantity's axis, named at the right: data `rules`."""
    base = data_set("rules").transform_filter(f"datum.quantity == '{name}'")
    opacity = alt.condition("datum.inside", alt.value(0.9), alt.value(0))
    base = base.encode(y=y_channel("height", log_scale(name)), opacity=opacity)
    side = alt.ExprRef("datum.under ? 'top' : 'bottom'")
    dy = alt.ExprRef("datum.under ? 3 : -2")
    words = base.mark_text(align="right", baseline=side, dy=dy, tooltip=None, clip=True)
    line = base.mark_rule(strokeDash=[1, 3], color=GREY, tooltip=None, clip=True)
    return [line, words.encode(x=alt.value("width"), text="words:N")]
