"""Breakpoints, sizes and element keys on which app.py, the style sheets and the charts must agree.

An element with `key="left_chart"` carries the CSS class `st-key-left_chart`.
"""

# Widths of the window in rem. Media queries use the browser's own rem, whatever font size the page
# sets.
REM = 16  # pixels
# from this width on a single column of charts has room to name its lines
NAMED_LINES_ONE_COLUMN = 40
TWO_COLUMNS = 72  # from this width on the charts stand side by side
NAMED_LINES_TWO_COLUMNS = 82  # from this width on both charts have room to name their lines

AXIS_WIDTH = 40  # pixels left of every panel, and left of what the page aligns with it
LINE_NAME_WIDTH = 104  # pixels right of a panel for the names of its lines, where there is room
PRESENTER_SCALE = 1.4  # how much larger everything is in a lecture hall

LEFT_CHART = "left_chart"
RIGHT_CHART = "right_chart"
PRODUCT_CHART = "product_chart"  # has no names of lines, nor have the matrices beside it
MATRICES = "matrices_beside"
MAP, MAP_NOTES = "map", "map_notes"
CLOSER_CHART = "closer_chart"
SETTING = "setting"  # the prefix of the keys of the rows of all settings
TOP = "top"
WAKE = "wake"  # unseen
ABOVE = "above"
NETWORK = "network"
VERDICTS = "verdicts"
CARD = "card"  # the prefix of the keys of all cards
TOOLBAR = "toolbar"
LESSON = "lesson"
LESSON_FIGURE = "lesson_figure"
PINS = "pins"
LEGEND = "legend"
CELLS = "cells"
CANCEL = "cancel"
QUANTITY = "quantity"
NAV = "nav"
PLAYBACK = "playback"
# The containers of the playback and of the charts: what it, the legend and the charts share, the
# step shown and the scheme that stands alone, are values of these elements; on a map, instead of a
# scheme, the cell that was clicked.
SHARED_STEP = "moment-shown"
SHARED_SCHEME = "scheme-alone"
SMALL_BUTTON = "small"  # the prefix of the keys of all buttons that show their icon alone
OPTION = "option"  # the prefix of the keys of the answers to a question
PRESENTER_BUTTON = "conduct"  # the prefix of the keys of all presenter buttons


def left_key(bench: str) -> str:
    """Return the key of the first chart of a bench, which stands at the left where there are two.

    The benches are those of links.
    """
    return {"train": LEFT_CHART, "map": MAP}.get(bench, PRODUCT_CHART)


def right_key(bench: str) -> str:
    """Return the key of what stands beside the first chart of a bench, or beneath it."""
    return {"train": RIGHT_CHART, "map": MAP_NOTES}.get(bench, MATRICES)


def setting_key(name: str) -> str:
    """Return the key of the row that holds a setting's control and its undo button."""
    return f"{SETTING}_{name}"


def group_key(group: str) -> str:
    """Return the key of the folded settings of a group; Streamlit keeps there if it is open."""
    return f"group_{group}"


def undo_key(name: str) -> str:
    """Return the key of the button that restores a setting's default."""
    return f"undo_{name}"


def presenter_key(shortcut: str) -> str:
    """Return the key of a button of the presenter view."""
    return f"{PRESENTER_BUTTON}_{shortcut}"


def card_key(index: int) -> str:
    """Return the key of the card of the scheme at this place."""
    return f"{CARD}_{index}"


def card_code_key(index: int) -> str:
    """Return the key of the small button that opens the code of the card at this place."""
    return f"{SMALL_BUTTON}_code_{index}"


def closer_key(name: str) -> str:
    """Return the key of a section of "Look closer", or of the control of a setting within it."""
    return f"closer_{name}"
