"""The controls and buttons of the page, as names and arguments that Streamlit's functions take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from stability.catalogues.schemes import scheme_title
from stability.page.course_page import neighbouring_lessons
from stability.page.playback import Playback
from stability.page.session import Session
from stability.page.settings import page_knobs
from stability.page_layout import presenter_key
from stability.records.knobs import Choice, ChoiceList, Flag, Integer, Knob, Number, Real
from stability.records.page import Page

# Buttons of the toolbar: label, icon, what each does, help.
PAUSE_HELP = "Stops your view; nobody else's."
MOVES = (
    ("Start", "first_page", Playback.rewind, "The state before the first step, paused."),
    ("Step", "skip_next", Playback.step_forward, "One step further, then paused."),
)
ACTIONS = (
    ("New seed", "casino", Session.draw_new_seed, "The same settings, drawn anew."),
    ("Reset", "restart_alt", Session.reset, "Back to the settings that this page began with."),
)
PIN = ("Pin", "keep", Session.pin, "Keeps these curves, grey, behind whatever you set next.")
PRESENT = (
    "Present",
    "slideshow",
    Session.toggle_presenter_view,
    "Large, for a room. Space pauses, arrows step and change lessons.",
)


@dataclass(frozen=True, eq=False)
class Control:
    """The widget of one setting: its name, its value, and all arguments but key and callback."""

    widget: str
    value: Any
    arguments: dict[str, Any]


def setting_control(page: Page, chosen_schemes: Sequence[str], name: str) -> Control:
    """Return the control of one setting of the bench or of the view."""
    knob, value = page_knobs(page)[name], getattr(page.record, name, None)
    if isinstance(knob, ChoiceList):
        value = list(chosen_schemes)
    if knob.choices_for is None:
        widget, arguments = setting_widget(knob, value)
    else:
        value = page.view.value_shown(name, page.experiment)
        choices = knob.choices_for(page.experiment)
        slides = isinstance(knob, Integer) and len(choices) > 1
        widget = "select_slider" if slides else "selectbox"
        arguments = {"options": list(choices), "format_func": choices.get}
    return Control(widget, value, {"label": knob.label, "help": knob.help} | arguments)


def setting_widget(knob: Knob, value: Any) -> tuple[str, dict[str, Any]]:
    """Return the widget that fits a setting of a bench, and the arguments of its own."""
    match knob:
        case ChoiceList():
            by_title = {scheme_title(key): key for key in [*knob.rows, *value]}
            return "multiselect", {
                "options": list(by_title.values()),
                "format_func": scheme_title,
                "max_selections": knob.most,
                "accept_new_options": True,
                "placeholder": "Add one",
            }
        case Choice():
            labels = knob.menu_labels
            return "selectbox", {"options": list(labels), "format_func": labels.get}
        case Flag():
            return "toggle", {}
        case Number(log=True):
            stops = knob.slider_stops(value)
            return "select_slider", {"options": stops, "format_func": knob.spell}
        case Real():
            bounds = {"min_value": float(knob.low), "max_value": float(knob.high)}
            return "number_input", bounds | {"step": 0.05, "format": "%g"}
        case Integer():
            widget = "slider" if knob.high < 1000 else "number_input"
            return widget, {"min_value": int(knob.low), "max_value": int(knob.high)}
    raise TypeError(f"no widget for {type(knob).__name__}")


@dataclass(frozen=True, eq=False)
class Button:
    """A button; one that `needs_run` is disabled where nothing runs."""

    label: str
    icon: str
    press: Callable[[], None]
    key: str
    help: str | None = None
    shortcut: str | None = None
    needs_run: bool = False
    kind: Literal["primary", "secondary", "tertiary"] = "secondary"


def toolbar_buttons(session: Session) -> list[Button]:
    """Return the buttons of the toolbar."""
    moves = ((*pause_label(session.playback), Playback.toggle_pause, PAUSE_HELP), *MOVES)
    buttons = [
        Button(
            label, icon, partial(session.play, move), f"tool_{move.__name__}", help, needs_run=True
        )
        for label, icon, move, help in moves
    ]
    rows = [*ACTIONS, PIN, PRESENT] if session.page.view.bench_link.trains else [*ACTIONS, PRESENT]
    for label, icon, action, help in rows:
        key, needs_run = f"tool_{action.__name__}", action is Session.pin
        press = partial(action, session)
        buttons.append(Button(label, icon, press, key, help, needs_run=needs_run))
    return buttons


def pause_label(playback: Playback) -> tuple[str, str]:
    """Return label and icon of the button that pauses or resumes."""
    return ("Resume", "play_arrow") if playback.paused else ("Pause", "pause")


def presenter_buttons(session: Session) -> list[Button]:
    """Return what one person presses while many look, each with its key on the keyboard."""
    buttons = []
    if session.awaits_answer:
        show = partial(session.answer_question, "shown")
        buttons.append(presenter_button("Show me", "visibility", show, "Space"))
    elif session.page.view.bench_link.record:
        moves = [
            (*pause_label(session.playback), Playback.toggle_pause, "Space"),
            ("Back", "skip_previous", Playback.step_back, "Left"),
            ("Step", "skip_next", Playback.step_forward, "Right"),
        ]
        for label, icon, move, shortcut in moves:
            press = partial(session.play, move)
            buttons.append(presenter_button(label, icon, press, shortcut))
    if session.lesson:
        previous, following = neighbouring_lessons(session.lesson.key)
        if previous:
            go = partial(session.open_lesson, previous)
            buttons.append(presenter_button("Previous", "arrow_upward", go, "Up"))
        if following:
            go = partial(session.open_lesson, following)
            buttons.append(presenter_button("Next", "arrow_downward", go, "Down"))
    leave = presenter_button("Leave", "close_fullscreen", session.toggle_presenter_view, "Esc")
    return [*buttons, leave]


def presenter_button(label: str, icon: str, press: Callable[[], None], shortcut: str) -> Button:
    """Return a button of the presenter view, which `shortcut` on the keyboard presses, too."""
    return Button(label, icon, press, presenter_key(shortcut), shortcut=shortcut)
