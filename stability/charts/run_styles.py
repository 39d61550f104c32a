"""The looks of all marks in a run's charts, by name: each layer only names its own.

Every panel has the same layers, and the page sends them with each draw. So what panels have in
common stands once, in the configuration of the chart, which Vega-Lite and Vega read. A style may
place a mark and write its text, too.
"""

from typing import Any

from stability import page_layout
from stability.charts import channels
from stability.charts.palette import GREY, PIN_GREYS, ZERO_OR_NOT_FINITE
from stability.i18n import N_, _

ROW_HEIGHT = 13  # pixels of a row of words
READING_WIDTH = 46  # pixels for one value beside a title; a parameter, since a presenter has more
SYMBOL_WIDTH = 11  # pixels of the symbol before a value
GO_BACK = N_("↓ back to the axis of the others")
ISOLATED = "!alone || !datum.scheme || alone == datum.scheme"  # or a mark of no scheme
PIN_SHADE = f"{[list(greys) for greys in PIN_GREYS]}{channels.ON_THIS_PAGE}[datum.pin]"
IS_LATE = "datum.step > (reach[0] + reach[1]) / 2"
LEFT_OF_READING = f"beside * enlarged + slot.size * {channels.SCHEME_INDEX}"


def by_row(expression: str) -> dict[str, str]:
    """Return the value of a property that Vega computes for each row."""
    return {"expr": expression}


def dimmed(opacity: float = 1.0) -> dict[str, str]:
    """Return the opacity of a scheme, an eighth of it while another scheme is isolated."""
    return by_row(f"{ISOLATED} ? {opacity:g} : {opacity / 8:g}")


def rows_from_top(first: int) -> str:
    """Return the expression of a height in pixels: of the first row of words, or of `datum.row`."""
    return f"{pixels_from_top(first)} * enlarged"


def pixels_from_top(first: int) -> str:
    """Return `rows_from_top` where nothing is enlarged."""
    return f"({first} + {ROW_HEIGHT} * datum.row)"


def name_at(dx: int, text: str) -> dict[str, Any]:
    """Return the place and the text of a line's name, which is empty where there is no room."""
    return {
        "x": by_row(f"{channels.PANEL_WIDTH} + (names_fit ? {dx} : 0)"),
        "text": by_row(f"names_fit ? {text} : ''"),
    }


BESIDE_TITLE = {"align": "left", "baseline": "bottom", "y": -6}
STYLES: dict[str, dict[str, Any]] = {
    "drag": {"color": GREY, "opacity": by_row("dragged ? 0.2 : 0")},
    "pointer": {"opacity": by_row("isNumber(at) ? 0.9 : 0")},
    "moment": {"size": 2, "opacity": by_row("step_shown ? 0.9 : 0")},
    "level": {"strokeDash": [2, 3], "opacity": 0.6},
    "limit": {"strokeDash": [1, 3], "opacity": 0.9},
    "limit_words": {
        "align": "right",
        "baseline": by_row("datum.under ? 'top' : 'bottom'"),
        "dy": by_row("datum.under ? 3 : -2"),
        "opacity": 0.9,
        "text": by_row("datum.words"),
        "x": by_row(channels.PANEL_WIDTH),
    },
    "range": {"opacity": dimmed(0.18)},
    "thin": {"size": 1},
    "theory": {"size": 1.5, "strokeDash": [5, 4]},
    "law": {"opacity": dimmed(0.12)},
    "pointed": {"opacity": 1, "size": 60},
    "reading": BESIDE_TITLE
    | {
        "fontWeight": "bold",
        "opacity": 1,
        "text": by_row(channels.reading("value")),
        "x": by_row(LEFT_OF_READING),
        "dx": SYMBOL_WIDTH,
    },
    "sign_of_reading": {"text": by_row(channels.SCHEME_SYMBOL), "dx": 0},
    "name": {"align": "left", "cursor": "pointer", "limit": page_layout.LINE_NAME_WIDTH - 8}
    | name_at(20, channels.SCHEME_TITLE),
    "sign_of_name": name_at(7, channels.SCHEME_SYMBOL),
    "beyond": {
        "align": "right",
        "baseline": by_row("datum.top ? 'top' : 'bottom'"),
        "cursor": "pointer",
        "x": by_row(f"{channels.PANEL_WIDTH} - 3"),
        "y": by_row(
            f"(datum.top ? {pixels_from_top(5)} : "
            f"heights[datum.quantity] - {pixels_from_top(5)}) * enlarged"
        ),
    },
    "outline": {"stroke": by_row("background"), "strokeJoin": "round", "strokeWidth": 4},
    "cross": {"angle": 45, "shape": "cross", "size": 90},
    "skip": {"size": 60, "opacity": 1},
    "end": {"y": by_row(rows_from_top(10))},
    "end_words": {
        "align": by_row(f"{IS_LATE} ? 'right' : 'left'"),
        "dx": by_row(f"{IS_LATE} ? -9 : 9"),
        "fontWeight": "bold",
        "text": by_row("datum.text"),
    },
}
PIN_STYLES: dict[str, dict[str, Any]] = {
    "pin": {"color": by_row(PIN_SHADE)},
    "pinned_mark": {"size": 30},
    "pinned_line": {"size": by_row("1 + datum.pin")},
    "pointed_pin": {"opacity": 1, "size": 45},
    "pinned_reading": {"align": "left", "baseline": "bottom", "dx": 5, "dy": -2, "opacity": 1}
    | {"text": by_row(channels.reading("value"))},
    "pinned_name": {
        "baseline": "bottom",
        "dy": by_row("-3 - 13 * datum.pin"),
        "limit": by_row(f"0.6 * {channels.PANEL_WIDTH}"),
        "opacity": 1,
        "text": by_row("datum.run"),
    },
}
TITLE_OFFSET = -12  # pixels from a title to the highest thing drawn: the readings, beside it


def beyond_style() -> dict[str, Any]:
    """Return the style of what leaves an axis, with its words in the reader's language."""
    words = f"whole ? (datum.row ? '' : {_(GO_BACK)!r}) : datum.beyond"
    return STYLES["beyond"] | {"text": by_row(words)}


# A title may reach over the names of lines, where there is room for these.
TITLE_LIMIT = f"{channels.PANEL_WIDTH} + (names_fit ? {page_layout.LINE_NAME_WIDTH} * enlarged : 0)"


def run_config(has_pins: bool) -> dict[str, Any]:
    """Return what the configuration of a run's chart has more than that of others."""
    return {
        "axis": {"title": None},
        "axisX": {**channels.WHOLE, "labels": False, "ticks": False},
        "axisY": {**channels.EXTENT, "labelOverlap": True, "tickCount": 4},
        "line": {"size": 2},  # of a line or a rule its width
        "mark": {"opacity": dimmed()},
        "point": {"filled": True, "size": 45},
        "rule": {"color": GREY, "size": 1},
        "scale": {"invalid": {"fill": {"value": ZERO_OR_NOT_FINITE}}},
        "style": STYLES
        | {"beyond": beyond_style()}
        | (PIN_STYLES if has_pins else {})
        | {"powers": channels.POWERS_AXIS},
        "title": {"offset": TITLE_OFFSET, "limit": {"expr": TITLE_LIMIT}},
    }
