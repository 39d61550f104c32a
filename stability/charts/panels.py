"""The parts that charts have in common: stacked panels, and layers that several of them draw."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import altair as alt

from stability.charts import channels
from stability.charts.palette import GREY, ZERO_OR_NOT_FINITE
from stability.charts.spec_cache import expression_parameters, variable_parameters

TITLE_HEIGHT = 28  # pixels between two panels, of which the lower one's title takes most
BELOW: dict[str, Any] = {"title": None, "orient": "bottom", "direction": "horizontal"}  # a legend
DASHED: dict[str, Any] = {"strokeWidth": 1.5, "strokeDash": [5, 4], "clip": True}  # theory
INK = {"expr": "ink"}
TITLE_OFFSET = 6  # pixels from a title to what is drawn beneath it
CONFIG: dict[str, Any] = {  # of all charts
    "axis": {"labelColor": INK},
    "legend": {"labelColor": INK},
    "mark": {"aria": False, "tooltip": None},
    "text": {"color": INK, "fontSize": 11},
    "title": {
        "anchor": "start",
        "fontSize": 13,
        "frame": "group",
        "limit": {"expr": channels.PANEL_WIDTH},
        "offset": TITLE_OFFSET,
    },
}
DOTTED: dict[str, Any] = {"strokeDash": [2, 3], "color": GREY}  # where something ends or begins


def stack(
    panels: Sequence[alt.LayerSpec],
    description: str,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    derived: Mapping[str, str] = MappingProxyType({}),
    config: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> alt.VConcatChart:
    """Stack panels; the layout depends on their heights alone and never on data.

    `config` adds to the configuration of the chart. Canvas from the start: a chart that changes its
    renderer is drawn anew, and flickers.
    """
    parts = {name: {**CONFIG.get(name, {}), **more} for name, more in config.items()}
    chart = alt.VConcatChart(
        bounds="flush",
        spacing=TITLE_HEIGHT,
        padding={"right": 8, "bottom": 6},
        description=description,
        usermeta={"embedOptions": {"renderer": "canvas"}},
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent", shape="independent")),
        config=alt.Config(**CONFIG | parts),
    )
    # Set afterwards, they are not copied: that would take longer than all else.
    chart["vconcat"] = list(panels)
    chart["params"] = variable_parameters(parameters)
    chart["params"] += expression_parameters({**channels.DERIVED, **derived})
    return chart


def panel(title: Any, height: int, *layers: alt.Chart, **more: Any) -> alt.LayerSpec:
    """Lay charts over one another under a title, text or an expression."""
    return alt.LayerSpec(layer=list(layers), height=height, title=alt.TitleParams(title, **more))


def single_panel(title: Any, height: int, *layers: alt.Chart, description: str) -> alt.VConcatChart:
    """Return a chart of one panel."""
    return stack([panel(title, height, *layers)], description)


def data_set(name: str) -> alt.Chart:
    """Return a chart of a named data set, which the page or `with_data` brings."""
    return alt.Chart(alt.NamedData(name))


def one_row() -> alt.Chart:
    """Return a chart of one row without fields, for what stands once in a panel."""
    return alt.Chart(alt.sequence(1))


def hold_axes(*positions: alt.X | alt.Y) -> alt.Chart:
    """Draw `limits` invisibly, since a chart knows only data that it draws; they fix its axes."""
    return data_set("limits").mark_point(opacity=0, tooltip=None, clip=True).encode(*positions)


def level_rule(value: float, opacity: float) -> alt.Chart:
    """Draw a thin horizontal rule across the panel."""
    rule = one_row().mark_rule(opacity=opacity, color=GREY)
    return rule.encode(y=alt.YDatum(value, type="quantitative"))


def scheme_marks(base: alt.Chart, tips: list[Any]) -> alt.Chart:
    """Draw a few marks on the lines of schemes, with tooltips."""
    marks = base.mark_point(filled=True, size=45, opacity=1, clip=True)
    return marks.transform_filter("datum.marked").encode(shape=channels.shape(), tooltip=tips)


def outlined_text(base: alt.Chart, **mark: Any) -> list[alt.Chart]:
    """Write text that stays readable over lines, with an outline in the page's colour."""
    values = {"x": alt.XValue, "y": alt.YValue, "text": alt.TextValue}
    computed = {
        name: value(mark.pop(name))
        for name, value in values.items()
        if isinstance(mark.get(name), alt.ExprRef)
    }
    base, page = base.encode(**computed), alt.ExprRef("background")
    outline = base.mark_text(**mark, stroke=page, strokeWidth=4, strokeJoin="round")
    return [outline, base.mark_text(**mark)]


def heat_cells(
    base: alt.Chart,
    field: str,
    is_number: str,
    scale: alt.Scale,
    legend: Any,
    grey: Any = ZERO_OR_NOT_FINITE,
    **mark: Any,
) -> list[alt.Chart]:
    """Draw cells in the colours of a scale, and in grey where the test `is_number` fails.

    Two layers: a mark whose colour comes from a null is not drawn, whatever its condition says. The
    stroke closes seams between cells.
    """
    cells = base.mark_rect(**{"clip": True, "strokeWidth": 0.7} | mark)
    coloured = cells.transform_filter(is_number).encode(
        color=alt.Color(f"{field}:Q", scale=scale, legend=legend),
        stroke=alt.Stroke(f"{field}:Q", scale=scale, legend=None),
    )
    grey = cells.transform_filter(f"!({is_number})").encode(
        color=alt.ColorValue(grey), stroke=alt.StrokeValue(grey)
    )
    return [grey, coloured]


def gradient_legend(**more: Any) -> alt.Legend:
    """Return the legend of a heat map, below it."""
    length = alt.ExprRef(f"min(220, 0.8 * {channels.PANEL_WIDTH})")  # pixels
    return alt.Legend(**BELOW | more, gradientLength=length, gradientThickness=8)
