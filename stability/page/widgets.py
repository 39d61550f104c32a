"""Which widget fits a setting, as a name and the arguments that every page library has a place for."""

from collections.abc import Callable, Mapping
from typing import Any

from stability.catalogues.schemes import title
from stability.course.lessons import Lesson
from stability.page.session import Visit
from stability.records.knobs import Choice, Flag, Integer, Knob, Number, Real, Several

MOVES = (  # the button, its icon, what it does to the visit, and its help
    ("Start", "first_page", "rewind", "The state before the first step, paused."),
    ("Step", "skip_next", "step", "One step further, then paused."),
    ("New seed", "casino", "draw_anew", "The same settings, drawn anew."),
    ("Reset", "restart_alt", "reset", "Back to the settings that this page began with."),
)
PIN = "Pin", "keep", "pin", "Keeps these curves, grey, behind whatever you set next."
PRESENT = "Present", "slideshow", "present", "Large, for a room. Space pauses, arrows step and change lessons."
OF_A_RUN = {"pause", "rewind", "step", "pin"}  # for which there must be one


def tools(visit: Visit) -> list[tuple[str, str, str, str]]:
    """The toolbar: label and icon of each button, what it does to the visit, and its help."""
    pause = *pausing(visit), "pause", "Stops your view; nobody else's."
    return [pause, *MOVES, *[PIN] * visit.page.view.row.trains, PRESENT]


def pausing(visit: Visit) -> tuple[str, str]:
    return ("Resume", "play_arrow") if visit.paused else ("Pause", "pause")


def conducted(visit: Visit) -> list[tuple[str, str, str, Callable, tuple]]:
    """What one person does while many look: label, icon and key of each button, what it does, and to what."""
    rows = [("Leave", "close_fullscreen", "Esc", visit.present, ())]
    if visit.lesson:
        icons = {"Previous": ("arrow_upward", "Up"), "Next": ("arrow_downward", "Down")}
        ways = {label.strip("←→ "): key for key, label in visit.neighbours.items()}
        rows = [(label, *icons[label], visit.open, (key,)) for label, key in ways.items()] + rows
    if visit.asked:
        return [("Show me", "visibility", "Space", visit.answer, ("shown",)), *rows]
    if not visit.page.view.row.holds:
        return rows
    moves = ("Back", "skip_previous", "Left", visit.back, ()), ("Step", "skip_next", "Right", visit.step, ())
    return [(*pausing(visit), "Space", visit.pause, ()), *moves, *rows]


def widget(knob: Knob, value: Any) -> tuple[str, dict[str, Any]]:
    """The widget for a setting of a bench: Streamlit's name of it, and its arguments beside label, help and key."""
    match knob:
        case Several():  # a value is a list of chips
            options = list({title(option): option for option in [*knob.rows, *value]}.values())  # one for each title
            more = {"max_selections": knob.most, "accept_new_options": True, "placeholder": "Add one"}
            return "multiselect", {"options": options, "format_func": title} | more
        case Choice():
            return "selectbox", {"options": list(knob.offered), "format_func": knob.offered.get}
        case Flag():
            return "toggle", {}
        case Number(log=True):
            return "select_slider", {"options": knob.stops(value), "format_func": knob.spell}
        case Real():
            return "number_input", bounds(knob, float) | {"step": 0.05, "format": "%g"}
    return ("slider" if knob.high < 1000 else "number_input"), bounds(knob, int)


def choice(knob: Knob, options: Mapping[Any, str]) -> tuple[str, dict[str, Any]]:
    """The widget for a setting of the view, of which only these values make sense now, each with its words."""
    kind = "select_slider" if isinstance(knob, Integer) and len(options) > 1 else "selectbox"
    return kind, {"options": list(options), "format_func": options.get}


def bounds(knob: Number, kind: type) -> dict[str, Any]:
    return {"min_value": kind(knob.low), "max_value": kind(knob.high)}


def mark(lesson: Lesson, given: str, number: int) -> str | None:
    """The icon of an option once the question was answered: which was right, and which was chosen wrongly."""
    if given and lesson.options[number - 1] == lesson.answer:
        return ":material/check:"
    return ":material/close:" if given == str(number) else None


def told(lesson: Lesson, given: str) -> tuple[str, str, str]:
    """What is said to an answer, an option's number or "shown" for none: the right one, why it is so, what to look for."""
    right = mark(lesson, given, int(given)) == ":material/check:" if given.isdecimal() else None
    word = {True: "Right", False: "Not quite", None: "The answer"}[right]
    why, look, what = lesson.prose.partition("**Look for**")
    return f"**{word}: {lesson.answer[:1].lower()}{lesson.answer[1:]}.**", why, look + what
