"""Maps: a heat map of what becomes of networks over two settings, and one row and column of it."""

import json
from dataclasses import dataclass
from typing import Any

import altair as alt

from stability import page_layout
from stability.charts import channels, panels
from stability.charts.palette import VERDICT_COLOURS, ZERO_OR_NOT_FINITE
from stability.charts.product import BLUE
from stability.charts.spec_cache import Filling, Spec, chart_and_spec, variable_parameters
from stability.frames.maps import (
    SHARES,
    axis_label,
    axis_title,
    cell_edges,
    curve_quantity,
    cut_ends,
    map_axis,
    quantity_ends,
)
from stability.i18n import _
from stability.records.knobs import Integer
from stability.records.map_quantities import MapQuantity
from stability.records.sweep import Sweep
from stability.text import lower_first

MAP_HEIGHT, CUT_HEIGHT, WIDE_MAP = 400, 170, 400  # pixels; the last one is a width
WITHOUT_NUMBER = "#d3d7db", "#39414a"  # of a cell, on the light and on the dark page
BORDER_DASHES = {"xi": [1, 3], "reach": [7, 4], "edge": [1, 0]}  # of theory's lines
COARSE = 0.4  # the opacity of a cell that is not computed yet
UNTOUCHED = {"cell_at": "", "cell_chosen": ""}
IN_CELL = "datum && datum.cell || ''"
EVENTS = {
    "cell_at": [
        {"events": "rect:pointerover", "update": IN_CELL},
        {"events": "rect:pointerout", "update": "''"},
    ],
    "cell_chosen": [{"events": "rect:click", "update": IN_CELL}],
}


@dataclass(frozen=True)
class MapAxisKind:
    """The look of an axis of a map, but for its ends."""

    title: str
    is_log: bool
    is_integer: bool


@dataclass(frozen=True)
class MapKind:
    """The axes and the colours of a map."""

    x: MapAxisKind
    y: MapAxisKind
    quantity: MapQuantity


def with_cells_to_click(spec: Spec) -> Spec:
    """Let a map outline the cell at the pointer, and tell the page which one was clicked."""
    signals: list[dict[str, Any]] = [
        {"name": name, "value": value, "on": EVENTS[name]} for name, value in UNTOUCHED.items()
    ]
    key = page_layout.SHARED_SCHEME
    signals[-1]["bind"] = {"element": f".st-key-{key}", "event": key}
    kept = [parameter for parameter in spec["params"] if parameter["name"] not in UNTOUCHED]
    return {**spec, "config": spec["config"] | {"signals": signals}, "params": kept}


def fill_map(sweep: Sweep) -> Filling[MapKind]:
    """Return the filling of a map: its kind decides axes and colours, its ranges are parameters."""
    axes: list[MapAxisKind] = []
    ends: dict[str, list[float]] = {}
    for letter in "xy":
        axis = map_axis(sweep, letter)
        axes.append(
            MapAxisKind(axis_title(sweep, letter), axis.is_log, isinstance(axis.knob, Integer))
        )
        edges = cell_edges(axis.values, axis.is_log)
        ends[f"{letter}_ends"] = [float(edges[0]), float(edges[-1])]
        ends[f"{letter}_range"] = [axis.low, axis.high]
    x, y = axes
    kind = MapKind(x, y, sweep.quantity_row)
    words = _("Map: {quantity} by {x} (across) and {y} (upward).")
    words = words.format(quantity=kind.quantity.label, x=x.title, y=y.title)
    return Filling(kind, ends | {"colour_ends": list(quantity_ends(sweep))}, words)


def build_map(kind: MapKind) -> alt.VConcatChart:
    """Draw the cells in the colours of a quantity; a cross marks those that diverged.

    Data sets: `cells`, as in `stability.frames.map_tables`.
    """
    base = panels.data_set("cells").encode(
        x=position("x", kind.x), x2=alt.X2("x2"), y=position("y", kind.y), y2=alt.Y2("y2")
    )
    crosses = panels.data_set("cells").transform_filter("datum.diverged && datum.computed")
    crosses = crosses.mark_point(
        shape="cross", angle=45, filled=True, size=50, opacity=0.6, clip=True, tooltip=None,
        color=alt.ExprRef("background"),
    ).encode(x=position("x", kind.x, "x_value"), y=position("y", kind.y, "y_value"))  # fmt: skip
    outline = base.transform_filter("datum.cell == cell_at").mark_rect(
        filled=False,
        stroke=alt.ExprRef("dark ? '#ffffff' : '#000000'"),
        strokeWidth=1.5,
        tooltip=None,
    )
    chart = panels.single_panel(
        kind.quantity.label,
        MAP_HEIGHT,
        *map_cells(base, kind),
        crosses,
        *theory_lines(kind),
        outline,
        description="",
    )
    chart["params"] += variable_parameters(UNTOUCHED)
    return chart


def theory_lines(kind: MapKind) -> list[alt.Chart]:
    """Draw the lines of theory, with an outline so that they stand out on every colour."""
    base = panels.data_set("border").encode(x=position("x", kind.x), y=position("y", kind.y))
    lines = base.encode(detail=alt.Detail("part:N"), order=alt.Order("order:Q"))
    page, ink = alt.ExprRef("background"), alt.ExprRef("dark ? '#ffffff' : '#000000'")
    look: dict[str, Any] = {"clip": True, "tooltip": None, "strokeCap": "butt"}
    dashes = alt.Scale(domain=[*BORDER_DASHES], range=[*BORDER_DASHES.values()])
    text = base.transform_filter("datum.text").encode(text=alt.Text("text:N"))
    # The ends of depth scales lie at the right of a map, where half a cell is free for a word, if
    # the map is not that of a phone.
    in_right_half = "datum.x > (x_range[0] + x_range[1]) / 2"
    is_left = f"datum.line == 'edge' ? {in_right_half} : {channels.PANEL_WIDTH} < {WIDE_MAP}"
    where: dict[str, Any] = {"align": alt.ExprRef(f"{is_left} ? 'right' : 'left'"), "fontSize": 12}
    where |= {"dx": alt.ExprRef(f"{is_left} ? -6 : 5"), "fontWeight": "bold", "color": ink}
    return [
        lines.mark_line(**look, color=page, strokeWidth=4, opacity=0.7),
        lines.mark_line(**look, color=ink, strokeWidth=1.6).encode(
            strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=None)
        ),
        *panels.outlined_text(text, **where, tooltip=None),
    ]


def map_cells(base: alt.Chart, kind: MapKind) -> list[alt.Chart]:
    """Draw cells in the theme's colours of a number, or in those of words."""
    fields = [
        alt.Tooltip("x_words:N", title=kind.x.title),
        alt.Tooltip("y_words:N", title=kind.y.title),
    ]
    fields += [alt.Tooltip("value_words:N", title=kind.quantity.label)]
    if not kind.quantity.is_word:
        fields.append(alt.Tooltip("verdict:N", title=_("Verdict")))
    fields.append(alt.Tooltip("learned:N", title=_("Networks that learn")))
    base = base.encode(tooltip=fields, opacity=channels.opacity_where("datum.computed", 1, COARSE))
    opaque: dict[str, Any] = {"symbolOpacity": 1, "gradientOpacity": 1}
    if kind.quantity.is_word:
        words = alt.Scale(domain=[*VERDICT_COLOURS], range=[*VERDICT_COLOURS.values()])
        legend = alt.Legend(
            **panels.BELOW,
            symbolType="square",
            labelExpr=verdict_labels(),
            columns=alt.ExprRef(f"{channels.PANEL_WIDTH} < 480 ? 3 : 10"),
            **opaque,
        )
        cells = base.mark_rect(clip=True, cursor="pointer")
        return [cells.encode(color=alt.Color("word:N", scale=words, legend=legend))]
    legend = panels.gradient_legend(**opaque, **number_labels(kind.quantity))
    mark = {"cursor": "pointer", "strokeWidth": alt.ExprRef("datum.computed ? 0.7 : 0")}
    scale = colour_scale(kind.quantity)
    never = f"{list(WITHOUT_NUMBER)}{channels.ON_THIS_PAGE}"
    grey = alt.ExprRef(f"datum.diverged ? '{ZERO_OR_NOT_FINITE}' : {never}")
    return panels.heat_cells(base, "value", "isValid(datum.value)", scale, legend, grey, **mark)


def verdict_labels() -> str:
    """Return the expression that spells a verdict in the reader's language."""
    words = {word: json.dumps(_(word)) for word in VERDICT_COLOURS}
    return channels.value_by_case("datum.label", words, "datum.label")


def colour_scale(row: MapQuantity) -> alt.Scale:
    """Return the scale of a quantity: diverging around its best value, or from worst to best."""
    ends = [alt.ExprRef(f"colour_ends[{end}]") for end in (0, 1)]
    low, high = row.domain or (row.best, row.best + 1)
    if low < row.best < high:
        return alt.Scale(range="diverging", domain=ends, domainMid=row.best, clamp=True)
    return alt.Scale(
        range="ramp",
        domain=ends,
        clamp=True,
        reverse=row.best <= low,
        nice=False,
        type="log" if row.is_log else "linear",
    )


def number_labels(row: MapQuantity) -> dict[str, Any]:
    """Return how the legend of a quantity spells its numbers."""
    if row.domain == SHARES:
        return {**channels.PERCENTS, "values": [0, 0.25, 0.5, 0.75, 1]}
    if row.unit == "decades":
        return {"values": [-8, -4, 0, 4, 8], "labelExpr": channels.DECADES}
    return {"format": "~g"}


def position(letter: str, kind: MapAxisKind, field: str = "", along: bool = False) -> Any:
    """Return the position of a value on an axis of the map; `along`: on one that lies across."""
    ends = [alt.ExprRef(f"{letter}_ends[{end}]") for end in (0, 1)]
    more: dict[str, Any] = {"type": "log"} if kind.is_log else {"zero": False}
    scale = alt.Scale(domain=ends, nice=False, **more)
    look: dict[str, Any] = {
        "titleColor": alt.ExprRef("ink"),
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "grid": False,
        "labelOverlap": True,
        "format": "d" if kind.is_integer else "~g",
        "labelExpr": f"inrange(datum.value, {letter}_range) ? datum.label : ''",
        "tickCount": alt.ExprRef(f"{channels.PANEL_WIDTH} / 90") if along or letter == "x" else 8,
    }
    if kind.is_integer:
        look["tickMinStep"] = 1
    if letter == "y" and not along:
        look |= channels.EXTENT
    axis = alt.Axis(title=None if along else kind.title, **look)
    channel = {"x": alt.X, "y": alt.X if along else alt.Y}[letter]
    return channel(f"{field or letter}:Q", scale=scale, axis=axis)


def fill_cut(sweep: Sweep, column: int, row: int) -> Filling[MapKind]:
    """Return the filling of the curves along the row and the column through one cell."""
    filling = fill_map(sweep)
    x, y = (map_axis(sweep, letter).knob for letter in "xy")
    titles = [lower_first(axis_label(sweep, letter)) for letter in "xy"]
    places = x.title(sweep.x_values[column]), y.title(sweep.y_values[row])
    label = curve_quantity(filling.kind.quantity).label
    heading = _("{quantity} by {along}, at {other} {place}")
    headings = {
        "row_heading": heading.format(
            quantity=label, along=titles[0], other=titles[1], place=places[1]
        ),
        "column_heading": heading.format(
            quantity=label, along=titles[1], other=titles[0], place=places[0]
        ),
    }
    words = _("{row_heading}; and {column_heading}.").format(**headings)
    ends = {"colour_ends": list(cut_ends(sweep))}
    return Filling(filling.kind, {**filling.parameters, **ends, **headings}, words)


def build_cut(kind: MapKind) -> alt.VConcatChart:
    """Draw one row of a map and one column, each as a curve with the range over the replicates.

    Data set: `cut`, as in `stability.frames.cut_tables`.
    """
    drawn = [
        panels.panel(alt.ExprRef(heading), CUT_HEIGHT, *curve_layers(kind, letter, axis))
        for letter, axis, heading in (
            ("x", kind.x, "row_heading"), ("y", kind.y, "column_heading")
        )
    ]  # fmt: skip
    chart = panels.stack(drawn, "")
    chart.spacing = 2 * panels.TITLE_HEIGHT  # for the labels of the upper axis
    return chart


def curve_layers(kind: MapKind, letter: str, axis: MapAxisKind) -> list[alt.Chart]:
    """Draw the cells along one axis as a curve; the chosen one is larger."""
    row = curve_quantity(kind.quantity)
    ends = [alt.ExprRef(f"colour_ends[{end}]") for end in (0, 1)]
    scale = alt.Scale(domain=ends, nice=False, type="log" if row.is_log else "linear")
    labels = channels.value_axis("%" if row.domain == SHARES else "~g")
    base = panels.data_set("cut").transform_filter(f"datum.letter == '{letter}'")
    base = base.encode(
        x=position(letter, axis, "at", along=True), y=channels.y("value", scale, labels)
    )
    tips = [
        alt.Tooltip("at_words:N", title=axis.title),
        alt.Tooltip("value_words:N", title=kind.quantity.label),
        alt.Tooltip("word:N", title=_("Verdict")),
        alt.Tooltip("learned:N", title=_("Networks that learn")),
    ]
    band = base.encode(y=channels.y("low", scale, labels), y2=alt.Y2("high"))
    dots = base.mark_point(filled=True, opacity=1, color=BLUE, clip=True)
    return [
        band.mark_area(opacity=0.18, color=BLUE, clip=True),
        base.mark_line(strokeWidth=2, color=BLUE, clip=True),
        dots.encode(size=alt.SizeValue(alt.ExprRef("datum.chosen ? 150 : 40")), tooltip=tips),
    ]


map_chart, map_spec = chart_and_spec(build_map, fill_map, with_cells_to_click)
cut_chart, cut_spec = chart_and_spec(build_cut, fill_cut)
