"""The buttons of the page that stand beside what they change: settings, pins, options, sections."""

from collections.abc import Callable
from functools import partial
from typing import Any

from stability.course.lessons import Lesson
from stability.page.benches import section_row
from stability.page.course_page import option_icon
from stability.page.safe_text import escape_markdown
from stability.page.session import Session
from stability.page.settings import offered_settings, page_knobs
from stability.page.widgets import Button
from stability.page_layout import undo_key
from stability.records.experiment import Experiment
from stability.records.page import Page


def undo_button(session: Session, name: str, default: Any) -> Button:
    """Return the button that brings a setting's default back."""
    words = escape_markdown(page_knobs(session.page)[name].label_with_value(default))
    press = partial(session.change_setting, name, default)
    help = f"Changed; back to {words}"
    return Button("", "undo", press, undo_key(name), help, kind="tertiary")


def unpin_buttons(session: Session, fits: Callable[[Experiment], bool]) -> list[Button]:
    """Return a button for each pin, which drops it; on a bench without pins none."""
    page, buttons = session.page, []
    for index, pin in enumerate(page.pins if page.view.bench_link.trains else ()):
        label = page.change_from_pin(pin)
        if not fits(pin):
            label = f"{label} (too large here: not drawn)"
        press = partial(session.unpin, pin)
        buttons.append(Button(label, "close", press, f"unpin_{index}", "Let go of it."))
    return buttons


def option_buttons(session: Session, lesson: Lesson) -> list[Button]:
    """Return the options of a lesson's question, marked once it was answered."""
    view, buttons = session.page.view, []
    for number, option in enumerate(lesson.options, 1):
        icon = option_icon(lesson, view.answer, number)
        press = partial(session.answer_question, str(number))
        buttons.append(Button(option, icon, press, f"option_{number}"))
    if session.awaits_answer and not view.is_presenter_view:
        press = partial(session.answer_question, "shown")
        buttons.append(Button("Just show me", "", press, "option_shown", kind="tertiary"))
    return buttons


def section_settings(page: Page) -> list[str]:
    """Return the settings whose controls stand in the open section, too."""
    return offered_settings(page, section_row(page).settings)


def section_buttons(session: Session) -> list[Button]:
    """Return the buttons of the section that is open."""
    return [
        Button(action.label, "", partial(action.press, session), f"action_{index}")
        for index, action in enumerate(section_row(session.page).actions)
    ]
