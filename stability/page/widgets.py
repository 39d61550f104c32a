"""Which widget fits a setting, as a name and the arguments that every page library has a place for."""

from collections.abc import Callable, Mapping
from typing import Any

from stability.catalogues.schemes import scheme_title
from stability.course.lessons import Lesson
from stability.page.session import Session
from stability.records.knobs import Choice, Flag, Integer, Knob, Number, Real, ChoiceList

MOVES = (  # the button, its icon, what it does to the visit, and its help
    ("Start", "first_page", "rewind", "The state before the first step, paused."),
    ("Step", "skip_next", "step", "One step further, then paused."),
    ("New seed", "casino", "draw_anew", "The same settings, drawn anew."),
    ("Reset", "restart_alt", "reset", "Back to the settings that this page began with."),
)
PIN = "Pin", "keep", "pin", "Keeps these curves, grey, behind whatever you set next."
PRESENT = "Present", "slideshow", "present", "Large, for a room. Space pauses, arrows step and change lessons."
NEEDS_RUN = {"pause", "rewind", "step", "pin"}  # for which there must be one


def toolbar_buttons(visit: Session) -> list[tuple[str, str, str, str]]:
    """The toolbar: label and icon of each button, what it does to the visit, and its help."""
    pause = *pause_label(visit), "pause", "Stops your view; nobody else's."
    return [pause, *MOVES, *[PIN] * visit.page.view.bench_link.trains, PRESENT]


def pause_label(visit: Session) -> tuple[str, str]:
    return ("Resume", "play_arrow") if visit.paused else ("Pause", "pause")


def presenter_buttons(visit: Session) -> list[tuple[str, str, str, Callable, tuple]]:
    """What one person does while many look: label, icon and key of each button, what it does, and to what."""
    rows = [("Leave", "close_fullscreen", "Esc", visit.present, ())]
    if visit.lesson:
        icons = {"Previous": ("arrow_upward", "Up"), "Next": ("arrow_downward", "Down")}
        ways = {label.strip("←→ "): key for key, label in visit.neighbouring_lessons.items()}
        rows = [(label, *icons[label], visit.open_lesson, (key,)) for label, key in ways.items()] + rows
    if visit.awaits_answer:
        return [("Show me", "visibility", "Space", visit.answer_question, ("shown",)), *rows]
    if not visit.page.view.bench_link.record_field:
        return rows
    moves = ("Back", "skip_previous", "Left", visit.back, ()), ("Step", "skip_next", "Right", visit.step, ())
    return [(*pause_label(visit), "Space", visit.pause, ()), *moves, *rows]


def setting_widget(knob: Knob, value: Any) -> tuple[str, dict[str, Any]]:
    """The widget for a setting of a bench: Streamlit's name of it, and its arguments beside label, help and key."""
    match knob:
        case ChoiceList():  # a value is a list of chips
            options = list({scheme_title(option): option for option in [*knob.rows, *value]}.values())  # one for each title
            more = {"max_selections": knob.most, "accept_new_options": True, "placeholder": "Add one"}
            return "multiselect", {"options": options, "format_func": scheme_title} | more
        case Choice():
            return "selectbox", {"options": list(knob.menu_labels), "format_func": knob.menu_labels.get}
        case Flag():
            return "toggle", {}
        case Number(log=True):
            return "select_slider", {"options": knob.slider_stops(value), "format_func": knob.spell}
        case Real():
            return "number_input", number_bounds(knob, float) | {"step": 0.05, "format": "%g"}
    return ("slider" if knob.high < 1000 else "number_input"), number_bounds(knob, int)


def choice_widget(knob: Knob, options: Mapping[Any, str]) -> tuple[str, dict[str, Any]]:
    """The widget for a setting of the view, of which only these values make sense now, each with its words."""
    kind = "select_slider" if isinstance(knob, Integer) and len(options) > 1 else "selectbox"
    return kind, {"options": list(options), "format_func": options.get}


def number_bounds(knob: Number, kind: type) -> dict[str, Any]:
    return {"min_value": kind(knob.low), "max_value": kind(knob.high)}


def option_icon(lesson: Lesson, given: str, number: int) -> str | None:
    """The icon of an option once the question was answered: which was right, and which was chosen wrongly."""
    if given and lesson.options[number - 1] == lesson.answer:
        return ":material/check:"
    return ":material/close:" if given == str(number) else None


def answer_feedback(lesson: Lesson, given: str) -> tuple[str, str, str]:
    """What is said to an answer, an option's number or "shown" for none: the right one, why it is so, what to look for."""
    right = option_icon(lesson, given, int(given)) == ":material/check:" if given.isdecimal() else None
    word = {True: "Right", False: "Not quite", None: "The answer"}[right]
    why, look, what = lesson.prose.partition("**Look for**")
    return f"**{word}: {lesson.answer[:1].lower()}{lesson.answer[1:]}.**", why, look + what
