"""Interaction: a crosshair shared by all panels, drag to zoom, click to choose a step or a scheme.

Vega-Lite has no parameter that remembers where a button went down until it is released. So a chart
is valid, and static, with constant parameters; `with_interaction` puts Vega's own signals of the
same names in their place: `at` is the step or layer at the pointer, `brush` the stretch dragged
over, `zoom` the one that fills the panels, `step_shown` the step of the profiles, `alone` the
scheme that stands alone; `whole` is true where the axes show what leaves those of the living, too.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from stability import page_layout
from stability.charts import channels, vega_names
from stability.charts.palette import GREY
from stability.charts.panels import data_set, one_row, outlined_text
from stability.charts.shortening import shortened
from stability.charts.spec_cache import Spec
from stability.charts.vega_names import POINTER_IN_PANEL, POINTER_X

EDGE, ROW_HEIGHT = 6, 13  # pixels beside the first and last mark, and of a row of words
GO_BACK = "↓ back to the axis of the others"
UNTOUCHED = {"at": None, "brush": None, "zoom": None, "step_shown": "", "alone": "", "whole": False}
SHARED_PARAMETERS = {"step_shown": page_layout.SHARED_STEP, "alone": page_layout.SHARED_SCHEME}
CLICK = 6  # pixels: what moves less is a click, not a drag
READING_WIDTH = 46  # pixels for one value beside a title; a parameter, since a presenter has more
STATIC_PARAMETERS = UNTOUCHED | {"slot": {"size": READING_WIDTH}}
SYMBOL_WIDTH, LETTER_WIDTH = 11, 7  # pixels of the symbol before a value, and of a title's letter
BESIDE_TITLE: dict[str, Any] = {"y": -6, "align": "left", "baseline": "bottom"}
TITLE_OFFSET = -12  # pixels from a title to the highest thing drawn: the readings, beside it

BEGIN, END = (vega_names.x_in_pixels(f"brush[{end}]") for end in (0, 1))
DRAGGED = f"brush && abs({END} - {BEGIN}) > {CLICK}"
WINDOW_WIDTH = "window_width"  # in pixels; a signal, too, since it changes
DERIVED_PARAMETERS = {
    # Which pair of rows of `limits` holds the axes, and which labels fit them: see `frames.axes`.
    "axes_shown": "alone ? 2 + indexof(schemes, alone) : whole ? 1 : 0",
    "step_drawn": "step_shown ? toNumber(step_shown) : 1e9",  # the newest, where none was chosen
    WINDOW_WIDTH: "windowSize()[0]",
    # In windows of these widths the page leaves room for the names of lines, beside the panels.
    "names_fit": f"{WINDOW_WIDTH} >= {page_layout.REM * page_layout.NAMED_LINES_TWO_COLUMNS} || "
    f"{WINDOW_WIDTH} >= {page_layout.REM * page_layout.NAMED_LINES_ONE_COLUMN} && "
    f"{WINDOW_WIDTH} < {page_layout.REM * page_layout.TWO_COLUMNS}",
    "dragged": DRAGGED,
    "enlarged": f"slot.size / {READING_WIDTH}",  # 1 but for a presenter
    "room": "panel_width / enlarged",
    "beside": f"room - {READING_WIDTH} * length(schemes)",  # the readings
}
STRETCH = "[max(reach[0], min(brush[0], brush[1])), min(reach[1], max(brush[0], brush[1]))]"
NEAREST = f"clamp(round({POINTER_X}), reach[0], reach[1])"
CLICKED = "toString(clamp(round(brush[0]), 0, steps))"
ON_WORDS = "datum && datum.beyond"  # a click on what leaves an axis
CLICK_IN_PANEL = f"along === 'step' && brush && !({ON_WORDS}) && {POINTER_IN_PANEL}"
TOGGLED = "(datum.scheme == alone ? '' : datum.scheme)"
DRAG = "[pointerdown, window:pointerup] > pointermove"
EVENTS: dict[str, list[tuple[Any, str]]] = {  # pairs of events and the expression of the new value
    "at": [
        ("pointermove, pointerdown", f"{POINTER_IN_PANEL} ? {NEAREST} : null"),
        ("view:pointerout", "null"),
    ],
    "brush": [
        ("pointerdown", f"{POINTER_IN_PANEL} ? [{POINTER_X}, {POINTER_X}] : null"),
        (DRAG, f"brush && {POINTER_IN_PANEL} ? [brush[0], {POINTER_X}] : brush"),
        ({"signal": "zoom"}, "null"),
    ],
    "zoom": [("window:pointerup", f"dragged ? {STRETCH} : zoom"), ("dblclick", "null")],
    "step_shown": [  # only a step of the run itself, though a pinned run may be longer
        ("click", f"{CLICK_IN_PANEL} ? {CLICKED} : step_shown"),
        ("dblclick", "along === 'step' ? '' : step_shown"),
    ],
    "whole": [("text:click", f"{ON_WORDS} ? !whole : whole")],
    "alone": [("text:click", f"datum && datum.scheme ? {TOGGLED} : alone")],
}
SIZES = (
    "width", "height", "fontSize", "limit", "offset", "strokeWidth", "size", "minExtent",
    "maxExtent", "y", "y2", "dx", "dy", "labelFontSize", "titleFontSize", "labelLimit",
    "gradientLength", "gradientThickness", "spacing",
)  # fmt: skip


def derived_parameters(panels: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a run's chart that follow from others, as expressions."""
    rows = "length(data('limits')) ? data('limits')[2 * axes_shown"
    return DERIVED_PARAMETERS | {  # without rows from 1 to 10: no number has no extent
        "low": f"{rows}] : {json.dumps(dict.fromkeys(panels, 1))}",
        "high": f"{rows} + 1] : {json.dumps(dict.fromkeys(panels, 10))}",
    }


def with_interaction(spec: Mapping[str, Any]) -> Spec:
    """Replace a chart's static parameters by signals that answer the reader.

    Charts share a signal through an element of the page that contains all of them: it holds the
    value, and an event of the signal's own tells it of changes.
    """
    signals = []
    for name, value in UNTOUCHED.items():
        events = [{"events": events, "update": update} for events, update in EVENTS[name]]
        signal: dict[str, Any] = {"name": name, "value": value, "on": events}
        if key := SHARED_PARAMETERS.get(name):
            signal["bind"] = {"element": f".st-key-{key}", "event": key}
        signals.append(signal)
    width = DERIVED_PARAMETERS[WINDOW_WIDTH]
    events = [{"events": "window:resize", "update": width}]
    signals.append({"name": WINDOW_WIDTH, "update": width, "on": events})
    names = {*UNTOUCHED, WINDOW_WIDTH}
    kept = [parameter for parameter in spec["params"] if parameter["name"] not in names]
    config = spec["config"] | {"signals": signals}  # which Vega-Lite hands through to Vega
    return {**spec, "config": config, "params": kept}


def with_step_shown(spec: Mapping[str, Any]) -> Spec:
    """Let a chart without other interaction show the step that the page shows."""
    bind = {"element": f".st-key-{page_layout.SHARED_STEP}", "event": page_layout.SHARED_STEP}
    signals = [{"name": "step_shown", "value": "", "bind": bind}]
    kept = [parameter for parameter in spec["params"] if parameter["name"] != "step_shown"]
    return {**spec, "config": spec["config"] | {"signals": signals}, "params": kept}


def interactive_spec(spec: Spec) -> Spec:
    """Return a chart's spec as the page sends it."""
    return shortened(with_interaction(spec))


def enlarge(spec: Spec) -> Spec:
    """Enlarge all sizes in pixels of a spec, and the font sizes of the theme."""
    large: Spec = enlarge_sizes(spec)
    config = large.get("config", {})
    type_size = {"labelFontSize": 12 * page_layout.PRESENTER_SCALE}
    words = {name: config.get(name, {}) | type_size for name in ("axis", "legend")}
    return large | {"config": config | words}


def enlarge_sizes(node: Any, name: str = "") -> Any:
    """Enlarge the sizes in the part of a spec that has this name."""
    if isinstance(node, list):
        return [enlarge_sizes(child) for child in node]
    if isinstance(node, dict):
        return {key: enlarge_sizes(child, key) for key, child in node.items()}
    is_size = name in SIZES and type(node) in (int, float)
    return page_layout.PRESENTER_SCALE * node if is_size else node


def zoomed_scale() -> alt.Scale:
    """Return the horizontal scale of all panels: the whole reach, or the zoomed stretch."""
    ends = [alt.ExprRef(f"zoom ? zoom[{end}] : reach[{end}]") for end in (0, 1)]
    return alt.Scale(domain=ends, nice=False, padding=EDGE)


def rows_from_top(first: int) -> str:
    """Return the expression of a height in pixels: of the first row of words, or of `datum.row`."""
    return f"({first} + {ROW_HEIGHT} * datum.row) * enlarged"


def words_beyond(name: str, along: str, height: int) -> list[alt.Chart]:
    """Write what leaves the axis of the living at its edge; a click shows it, another goes back."""
    base = data_set("beyond").transform_filter(f"!alone && datum.quantity == '{name}'")
    base = keep_step_shown(base, along)
    from_bottom = f"{height} * enlarged - {rows_from_top(3)}"
    y = alt.ExprRef(f"datum.top ? {rows_from_top(3)} : {from_bottom}")
    baseline = alt.ExprRef("datum.top ? 'top' : 'bottom'")
    text = alt.ExprRef(f"whole ? (datum.row ? '' : {json.dumps(GO_BACK)}) : datum.beyond")
    mark: dict[str, Any] = {
        "x": alt.ExprRef(f"{channels.PANEL_WIDTH} - 3"),
        "y": y,
        "baseline": baseline,
    }
    mark |= {"align": "right", "text": text, "cursor": "pointer", "tooltip": None}
    return outlined_text(base, **mark)


def at_value(expression: str) -> alt.XDatum:
    """Return the position of the step or layer that an expression names."""
    return alt.XDatum(
        alt.ExprRef(expression), type="quantitative", scale=zoomed_scale(), title=None
    )


def dimmed(opacity: float = 1.0) -> alt.OpacityValue:
    """Return the opacity of a scheme, an eighth of it while another scheme is isolated."""
    return channels.opacity_where("!alone || alone == datum.scheme", opacity, opacity / 8)


def under_pointer(along: str) -> str:
    """Return the test for rows at the pointer: a layer, or a step up to the next one drawn."""
    row = "datum.step <= at && at < datum.until" if along == "step" else "datum.layer == at"
    return f"isNumber(at) && {row}"


def keep_step_shown(chart: alt.Chart, along: str) -> alt.Chart:
    """Filter profiles to the step shown; curves show all steps."""
    if along == "step":
        return chart
    return chart.transform_filter("datum.since <= step_drawn && step_drawn < datum.until")


def guides(along: str) -> list[alt.Chart]:
    """Draw the dragged stretch, room for readings, and the rules at the pointer."""
    stretch = one_row().mark_rect(color=GREY, clip=True, tooltip=None)
    stretch = stretch.encode(
        x=at_value("brush ? brush[0] : 0"),
        x2=alt.X2Datum(alt.ExprRef("brush ? brush[1] : 0")),
        opacity=channels.opacity_where("dragged", 0.2),
    )
    # A title stands above everything drawn: this fixes its height with and without readings.
    room = one_row().mark_text(text=" ", x=0, **BESIDE_TITLE)
    return [stretch, room, *pointer_rules(along)]


def pointer_rules(along: str, edges_of: float = 0) -> list[alt.Chart]:
    """Draw rules at the pointer and at the step shown.

    Given the height `edges_of` of a panel, only ticks at its edges, which hide none of its
    tooltips.
    """
    pieces: list[dict[str, Any]]
    pieces = [{"y": 0, "y2": 6}, {"y": edges_of - 6, "y2": edges_of}] if edges_of else [{}]
    rules = [("at", "isNumber(at)", 1)]
    if along == "step":
        rules.append(("step_shown", "step_shown", 2))
    return [
        one_row()
        .mark_rule(color=GREY, tooltip=None, clip=True, strokeWidth=width, **piece)
        .encode(x=at_value(f"toNumber({name})"), opacity=channels.opacity_where(test, 0.9))
        for name, test, width in rules
        for piece in pieces
    ]


def readings(rows: alt.Chart, name: str, format: str) -> list[alt.Chart]:
    """Write the values of these rows beside the title, each after its scheme's mark."""
    left = f"beside * enlarged + slot.size * {channels.SCHEME_INDEX}"
    after_symbol = f"{left} + {SYMBOL_WIDTH} * enlarged"
    number = channels.reading(name, format)
    bold = {"fontWeight": "bold", "tooltip": None, **BESIDE_TITLE}
    symbols = rows.mark_text(text=alt.ExprRef(channels.SCHEME_SYMBOL), x=alt.ExprRef(left), **bold)
    numbers = rows.mark_text(text=alt.ExprRef(number), x=alt.ExprRef(after_symbol), **bold)
    return [symbols.encode(color=channels.colour()), numbers]


def title_at_pointer(title: str, along: str) -> alt.ExprRef:
    """Return a title that names the step or layer at the pointer, before the readings.

    It has the longest wording that leaves them room: the whole title, without its explanation, its
    first words, or only the step or layer; nothing if even that is too long.
    """
    shorter = re.sub(r", .*\)", ")", title)
    first_words = re.split("[:(]", title)[0].strip()
    needed = LETTER_WIDTH * len(f"{along} 100")
    pointed = [
        (f"beside >= {needed + LETTER_WIDTH * len(wording)}", json.dumps(wording))
        for wording in dict.fromkeys((f"{title}, ", f"{shorter}, ", f"{first_words}, "))
    ]
    whole = [(f"room >= {LETTER_WIDTH * len(title)}", json.dumps(title))]
    at_rest = json.dumps(title)
    if shorter != title:
        at_rest = f"({channels.first_that_holds(whole, json.dumps(shorter))})"
    if along == "layer":
        at_rest += " + (step_shown ? ', step ' + step_shown : at_end)"
    wording = channels.first_that_holds(pointed, "''")
    at_pointer = f"({wording}) + '{along} ' + at"
    nothing = "'\u00a0'"  # as high as words are
    return alt.ExprRef(f"isNumber(at) ? beside < {needed} ? {nothing} : {at_pointer} : {at_rest}")
