"""Interaction: a crosshair shared by all panels, drag to zoom, click to choose a step or a scheme.

Vega-Lite has no parameter that remembers where a button went down until it is released. So a chart
is valid, and static, with constant parameters; `with_interaction` puts Vega's own signals of the
same names in their place: `at` is the step or layer at the pointer, `brush` the stretch dragged
over, `zoom` the one that fills the panels, `step_shown` the step of the profiles, `alone` the
scheme that stands alone; `whole` is true where the axes show what leaves those of the living, too.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

import altair as alt

from stability import page_layout
from stability.charts import channels, vega_names
from stability.charts.panels import data_set, one_row
from stability.charts.run_styles import READING_WIDTH
from stability.charts.shortening import shortened
from stability.charts.spec_cache import Spec
from stability.charts.vega_names import POINTER_IN_PANEL, POINTER_X
from stability.frames.run_panels import panel_heights
from stability.frames.tidy import AFTER_EVERY_STEP
from stability.i18n import N_, _

EDGE = 6  # pixels beside the first and last mark
UNTOUCHED = {"at": None, "brush": None, "zoom": None, "step_shown": "", "alone": "", "whole": False}
SHARED_PARAMETERS = {"step_shown": page_layout.SHARED_STEP, "alone": page_layout.SHARED_SCHEME}
CLICK = 6  # pixels: what moves less is a click, not a drag
LETTER_WIDTH, WIDE_LETTER = 6, 13  # pixels of a title's letter at most, and of a Chinese one

BEGIN, END = (vega_names.x_in_pixels(f"brush[{end}]") for end in (0, 1))
DRAGGED = f"brush && abs({END} - {BEGIN}) > {CLICK}"
WINDOW_WIDTH = "window_width"  # in pixels; a signal, too, since it changes
DERIVED_PARAMETERS = {
    # Which pair of rows of `limits` holds the axes, and which labels fit them: see `frames.axes`.
    "axes_shown": "alone ? 2 + indexof(schemes, alone) : whole ? 1 : 0",
    # The newest, where none was chosen.
    "step_drawn": f"step_shown ? toNumber(step_shown) : {AFTER_EVERY_STEP}",
    WINDOW_WIDTH: "windowSize()[0]",
    # In windows of these widths the page leaves room for the names of lines, beside the panels.
    "names_fit": f"{WINDOW_WIDTH} >= {page_layout.REM * page_layout.NAMED_LINES_TWO_COLUMNS} || "
    f"{WINDOW_WIDTH} >= {page_layout.REM * page_layout.NAMED_LINES_ONE_COLUMN} && "
    f"{WINDOW_WIDTH} < {page_layout.REM * page_layout.TWO_COLUMNS}",
    "dragged": DRAGGED,
    "stretch": "brush || [0, 0]",
    "shown_steps": "zoom || reach",
    "enlarged": f"slot.size / {READING_WIDTH}",  # 1 but for a presenter
    "room": "panel_width / enlarged",
    "beside": f"room - {READING_WIDTH} * length(schemes)",  # the readings
}
STRETCH = "[max(reach[0], min(brush[0], brush[1])), min(reach[1], max(brush[0], brush[1]))]"
POINTER = "pointer"  # the signal of where it is, in steps or layers; null outside of the panels
NEAREST = f"clamp(round({POINTER}), reach[0], reach[1])"
CLICKED = "toString(clamp(round(brush[0]), 0, steps))"
ON_WORDS = "datum && datum.beyond"  # a click on what leaves an axis
CLICK_IN_PANEL = f"along == 'step' && brush && !({ON_WORDS})"
TOGGLED = "(datum.scheme == alone ? '' : datum.scheme)"
DRAG = "[pointerdown, window:pointerup] > pointermove"
EVENTS: dict[str, list[tuple[Any, str]]] = {  # pairs of events and the expression of the new value
    POINTER: [  # first: what follows from the same event reads it
        ("pointermove, pointerdown", f"{POINTER_IN_PANEL} ? {POINTER_X} : null"),
        ("view:pointerout", "null"),
    ],
    "at": [({"signal": POINTER}, f"isNumber({POINTER}) ? {NEAREST} : null")],
    "brush": [
        ("pointerdown", f"isNumber({POINTER}) ? [{POINTER}, {POINTER}] : null"),
        (DRAG, f"brush && isNumber({POINTER}) ? [brush[0], {POINTER}] : brush"),
        ({"signal": "zoom"}, "null"),
    ],
    "zoom": [("window:pointerup", f"dragged ? {STRETCH} : zoom"), ("dblclick", "null")],
    "step_shown": [  # only a step of the run itself, though a pinned run may be longer
        ("click", f"{CLICK_IN_PANEL} ? {CLICKED} : step_shown"),
        ("dblclick", "along == 'step' ? '' : step_shown"),
    ],
    "whole": [("text:click", f"{ON_WORDS} ? !whole : whole")],
    "alone": [("text:click", f"datum && datum.scheme ? {TOGGLED} : alone")],
}
ENDING_WIDTH = (  # as `title_width` counts
    f"{LETTER_WIDTH} * length(ending) + "
    f"{WIDE_LETTER - LETTER_WIDTH} * length(replace(ending, /[ -~]/g, ''))"
)
AT_POINTER = {"step": N_("step {number}"), "layer": N_("layer {number}")}
ENDINGS = {"step": N_(", step {number}"), "layer": N_(", layer {number}")}  # of titles
SIZES = (
    "width", "height", "fontSize", "limit", "offset", "strokeWidth", "size", "minExtent",
    "maxExtent", "y", "y2", "dx", "dy", "labelFontSize", "titleFontSize", "labelLimit",
    "gradientLength", "gradientThickness", "spacing",
)  # fmt: skip


def constant_parameters(panels: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a run's chart that never change, but for its signals."""
    return UNTOUCHED | {"slot": {"size": READING_WIDTH}, "heights": panel_heights(panels)}


def derived_parameters(panels: Sequence[str], along: str) -> dict[str, str]:
    """Return the parameters of a run's chart that follow from others, as expressions."""
    # Without rows from 1 to 10: no number has no extent.
    names = [name for name in panels if name not in ("accuracy", "heat")]
    otherwise = str([dict.fromkeys(names, end) for end in (1, 10)])
    rows = "slice(data('limits'), 2 * axes_shown, 2 * axes_shown + 2)"
    here, needed = _(AT_POINTER[along]), title_width(_(AT_POINTER[along]).format(number=100))
    step_shown = with_number(_(ENDINGS["step"]), "step_shown")
    at_rest = "''" if along == "step" else f"step_shown ? {step_shown} : at_end"
    return DERIVED_PARAMETERS | {
        "axis_ends": f"length(data('limits')) ? {rows} : {otherwise}",
        # Of a title: the room for its own words, how it ends, and what is left without them.
        "ending": f"isNumber(at) ? {with_number(_(ENDINGS[along]), 'at')} : {at_rest}",
        "free": f"isNumber(at) ? beside - {needed + 2 * LETTER_WIDTH} : "
        f"room + (names_fit ? {page_layout.LINE_NAME_WIDTH} : 0) - ({ENDING_WIDTH})",
        "no_title": f"isNumber(at) && beside >= {needed} ? {with_number(here, 'at')} : '\u00a0'",
    }


def with_number(message: str, expression: str) -> str:
    """Return the expression of a message whose field `number` is this expression."""
    before, after = message.split("{number}")
    parts = [repr(before) if before else "''", expression, *([repr(after)] if after else [])]
    return " + ".join(parts)


def with_interaction(spec: Mapping[str, Any]) -> Spec:
    """Replace a chart's static parameters by signals that answer the reader.

    Charts share a signal through an element of the page that contains all of them: it holds the
    value, and an event of the signal's own tells it of changes.
    """
    signals = []
    for name, value in ({POINTER: None} | UNTOUCHED).items():
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
    return alt.Scale(domain=alt.ExprRef("shown_steps"), nice=False, padding=EDGE)


def words_beyond(name: str, along: str) -> list[alt.Chart]:
    """Write what leaves the axis of the living at its edge; a click shows it, another goes back."""
    base = data_set("beyond").transform_filter(f"!alone && datum.quantity == '{name}'")
    return outlined(keep_step_shown(base, along), "beyond")


def outlined(base: alt.Chart, *styles: str, **mark: Any) -> list[alt.Chart]:
    """Write text in these styles, readable over lines by an outline in the page's colour."""
    outline = base.mark_text(style=[*styles, "outline"], **mark)
    return [outline, base.mark_text(style=styles[0] if len(styles) == 1 else [*styles], **mark)]


def at_value(expression: str) -> alt.XDatum:
    """Return the position of the step or layer that an expression names."""
    return alt.XDatum(
        alt.ExprRef(expression), type="quantitative", scale=zoomed_scale(), title=None
    )


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
    stretch = one_row().mark_rect(style="drag", clip=True)
    stretch = stretch.encode(x=at_value("stretch[0]"), x2=alt.X2Datum(alt.ExprRef("stretch[1]")))
    # A title stands above everything drawn: this fixes its height with and without readings.
    room = one_row().mark_text(style="reading", text=" ", x=0)
    return [stretch, room, *pointer_rules(along)]


def pointer_rules(along: str, **mark: Any) -> list[alt.Chart]:
    """Draw rules at the pointer and at the step shown."""
    styles = {"at": "pointer"} | ({"step_shown": "moment"} if along == "step" else {})
    return [
        one_row().mark_rule(style=style, clip=True, **mark).encode(x=at_value(name))
        for name, style in styles.items()
    ]


def readings(rows: alt.Chart, format: str) -> list[alt.Chart]:
    """Write the values of these rows beside the title, each after its scheme's mark."""
    symbols = rows.mark_text(style=["reading", "sign_of_reading"])
    more: dict[str, Any]
    more = {"text": alt.ExprRef(channels.reading("value", format))} if format == "%" else {}
    return [symbols.encode(color=channels.colour()), rows.mark_text(style="reading", **more)]


def title_at_pointer(title: str) -> alt.ExprRef:
    """Return a title that names the step or layer at the pointer, before the readings.

    It has the longest wording that leaves them room: the whole title, without its explanation, its
    first words, or only the step or layer; nothing if even that is too long.
    """
    shorter = re.sub(r"(?:, |，).*([)）])", r"\1", title)
    first_words = re.split("[:(：（]", title)[0].strip()
    explained, further = shorter[len(first_words) : -1], title[len(shorter) - 1 : -1]

    def if_it_fits(words: str, added: str) -> str:
        return f"(free >= {title_width(words)} ? {added} : '')"

    last = f" + {if_it_fits(title, repr(further))}" if further else ""
    ending = f"'{explained}'{last} + '{title[-1]}'" if further else f"'{explained}{title[-1]}'"
    more = if_it_fits(shorter, ending)
    needed = title_width(first_words)
    return alt.ExprRef(f"free >= {needed} ? '{first_words}' + {more} + ending : no_title")


def title_width(text: str) -> int:
    """Return the pixels that a title takes at most."""
    is_wide = (east_asian_width(letter) in "WF" for letter in text)
    return sum(WIDE_LETTER if wide else LETTER_WIDTH for wide in is_wide)
