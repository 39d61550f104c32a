"""The buttons of the page and its tables, as names and arguments of Streamlit's functions."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from stability.course.lessons import Lesson
from stability.i18n import LANGUAGES, _, language
from stability.page.benches import BENCHES, section_row
from stability.page.cards import legend_data
from stability.page.course_page import neighbouring_lessons, option_icon
from stability.page.map_session import cancel_map, is_cancelled, open_cell, open_map, resume_map
from stability.page.pieces import Element, button, data_table
from stability.page.prose import MAP_HELP
from stability.page.safe_text import escape_markdown
from stability.page.session import Session
from stability.page.settings import page_knobs, shown_settings
from stability.page.table_headings import TRIED_HEADINGS
from stability.page.tried_runs import tried_csv, tried_table
from stability.page_layout import (
    CANCEL,
    CELLS,
    LEGEND,
    OPTION,
    SHARED_SCHEME,
    SMALL_BUTTON,
    presenter_key,
    undo_key,
)
from stability.records.experiment import Experiment
from stability.records.knobs import Knob
from stability.records.page import Page
from stability.records.sweep import Sweep
from stability.records.view import BENCH_LINKS, View


def search_field() -> dict[str, Any]:
    """Return the arguments of the search: it searches while one types, and its cross clears it."""
    return {
        "label": _("Find"), "placeholder": _("Find a setting: lr, bf16 …"), "type": "search",
        "live": True, "label_visibility": "collapsed", "icon": ":material/search:",
    }  # fmt: skip


def bench_choice(session: Session) -> dict[str, Any]:
    """Return the arguments of the choice of a bench."""
    return {
        "label": _("Bench"), "label_visibility": "collapsed", "key": "nav",
        "options": list(BENCH_LINKS), "format_func": lambda key: BENCH_LINKS[key].label,
        "required": not session.lesson,
    }  # fmt: skip


def copy_link_arguments(link: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the button that copies a link."""
    words = {
        "copy": _("Copy link"),
        "help": _("Copy link: whoever opens it sees this very page"),
        "copied": _("Link copied"),
        "prompt": _("Copy this link"),
    }
    data = {"query": urlencode(link, safe=",:"), "words": words}
    return {"data": data, "key": "copy_link", "width": "content", "height": "content"}


def toolbar_buttons(session: Session, idle: bool = False) -> list[Element]:
    """Return the small buttons of the toolbar; Pin needs a run, and is disabled if nothing runs."""
    if session.page.view.is_presenter_view:
        return presenter_buttons(session)
    actions: list[tuple[str, str, Callable[..., None], str]] = [
        (_("New seed"), "casino", session.draw_new_seed, _("the same settings, drawn anew.")),
        (_("Reset"), "restart_alt", session.reset,
         _("back to the settings that this page began with.")),
        (_("Pin"), "keep", session.pin,
         _("keeps these curves, grey, behind whatever you set next.")),
        (_("Present"), "slideshow", session.toggle_presenter_view,
         _("large, for a room. Space plays, arrows step and change lessons.")),
    ]  # fmt: skip
    if session.page.view.bench_link.trains:
        go = partial(open_map, session)
        actions.insert(3, (_("Map these settings"), "grid_on", go, _(MAP_HELP)))
    else:
        del actions[2]
    if not session.opens_run:
        del actions[:-1]
    buttons, title = [] if idle else cancel_buttons(session), _("{label}: {help}")
    for label, icon, action, help in actions:
        disabled, key = idle and action == session.pin, f"{SMALL_BUTTON}_{icon}"
        buttons.append(
            button(
                label, icon, action, key, title.format(label=label, help=help), disabled=disabled
            )
        )
    return buttons


def language_buttons(session: Session) -> list[Element]:
    """Return a small button for each language that the page does not speak now."""
    return [
        button(name, "", partial(session.choose_language, code), f"speak_{code}", type="tertiary")
        for code, name in LANGUAGES.items()
        if code != language.get()
    ]


def cancel_buttons(session: Session) -> list[Element]:
    """Return the button that stops a long computation or goes on with it, where there is one."""
    if not (session.opens_run and BENCHES[type(session.page.record)].stream.gives_way):
        return []
    label, icon, press = (_("Cancel"), "stop", cancel_map)
    if is_cancelled(session):
        label, icon, press = _("Resume"), "play_arrow", resume_map
    return [button(label, icon, partial(press, session), CANCEL)]


def chart_components(
    session: Session, report: Callable[[str, str, Callable[[Any], None]], None]
) -> dict[str, dict[str, Any]]:
    """Return the arguments of the components that share a value with the charts, by their names.

    `report(key, name, take)` hands on what the browser has sent.
    """
    if session.page.view.bench_link.trains:
        return {LEGEND: {"data": legend_data(session.page.experiment)}}
    if not isinstance(session.page.record, Sweep):
        return {}
    open_it = partial(report, CELLS, "chosen", partial(open_cell, session))
    return {CELLS: {"data": {"shared": SHARED_SCHEME}, "on_chosen_change": open_it}}


def bench_buttons(session: Session) -> list[Element]:
    """Return the buttons that stand above all that a bench shows."""
    return BENCHES[type(session.page.record)].buttons(session)


def presenter_buttons(session: Session) -> list[Element]:
    """Return the buttons of the presenter view, each with its key on the keyboard."""
    rows: list[tuple[str, str, Callable[[], None], str]] = []
    if session.awaits_answer:
        rows.append(
            (_("Show me"), "visibility", partial(session.answer_question, "shown"), "Space")
        )
    if session.lesson:
        previous, following = neighbouring_lessons(session.lesson.key)
        if previous:
            go = partial(session.open_lesson, previous)
            rows.append((_("Previous"), "arrow_upward", go, "Up"))
        if following:
            go = partial(session.open_lesson, following)
            rows.append((_("Next"), "arrow_downward", go, "Down"))
    rows.append((_("Leave"), "close_fullscreen", session.toggle_presenter_view, "Esc"))
    return [
        button(label, icon, press, presenter_key(shortcut), label, shortcut=shortcut)
        for label, icon, press, shortcut in rows
    ]


def presenter_settings(page: Page) -> tuple[str, dict[str, Knob]]:
    """Return the settings of the open bench in a few words, and those that a presenter changes."""
    bench = BENCHES[type(page.record)]
    shown = shown_settings(page).items()
    knobs = {name: knob for name, knob in shown if name in bench.presented}
    over_chart = {name: page.record.knobs()[name] for name in page.view.bench_link.over_chart}
    return bench.words(page.record), over_chart | knobs


def undo_button(session: Session, name: str, default: Any) -> Element:
    """Return the button that restores a setting's default."""
    words = escape_markdown(page_knobs(session.page)[name].label_with_value(default))
    press = partial(session.change_setting, name, default)
    help = _("Changed; back to {words}").format(words=words)
    return button("", "undo", press, undo_key(name), help, type="tertiary")


def unpin_buttons(session: Session, fits: Callable[[Experiment], bool]) -> list[Element]:
    """Return a button for each pin, which drops it; on a bench without pins none."""
    page, buttons = session.page, []
    for index, pin in enumerate(page.pins if page.view.bench_link.trains else ()):
        label = page.pin_label(pin)
        if not fits(pin):
            label = _("{label} (too large here: not drawn)").format(label=label)
        press = partial(session.unpin, pin)
        buttons.append(button(label, "close", press, f"unpin_{index}", "Let go of it."))
    return buttons


def option_buttons(session: Session, lesson: Lesson) -> list[Element]:
    """Return a button for each option of a lesson's question, marked once there is an answer."""
    view, buttons = session.page.view, []
    for number, option in enumerate(lesson.options, 1):
        icon = option_icon(lesson, view.answer, number)
        press = partial(session.answer_question, str(number))
        buttons.append(button(option, icon, press, f"{OPTION}_{number}"))
    if session.awaits_answer and not view.is_presenter_view:
        press = partial(session.answer_question, "shown")
        buttons.append(button("Just show me", "", press, f"{OPTION}_shown", type="tertiary"))
    return buttons


def section_buttons(session: Session) -> list[Element]:
    """Return the buttons of the section that is open."""
    actions = enumerate(section_row(session.page).actions(session.page.record).items())
    return [
        button(label, "", partial(press, session), f"action_{index}")
        for index, (label, press) in actions
    ]


def tried_pieces(session: Session, button_column: Callable[..., Any]) -> list[Element]:
    """Return the table of all experiments tried, and the button that saves it.

    `button_column(key, press)` returns the heading of a column of buttons, one for each row.
    """
    if not session.history:
        return [Element("caption", _("Each experiment that came to its end is listed here."))]
    rows, owners = tried_table(session.history)
    key = f"tried_{len(rows)}"
    buttons = button_column(key, lambda row: session.reopen(owners[row]))
    pins = button_column(f"pin_{key}", lambda row: session.pin(owners[row]))
    headings = {"open": buttons, "pin": pins, **TRIED_HEADINGS}
    rows = rows.assign(open=_("Open"), pin=_("Pin"))[[*headings]]
    options = {"on_click": "ignore", "file_name": "tried.csv", "mime": "text/csv"}
    data = {"data": partial(tried_csv, session.history), "key": f"csv_{key}"}
    download = Element("download_button", _("Download as CSV"), data | options)
    return [data_table(rows, headings), download]


def figure_settings(page: Page, lesson: Lesson) -> list[str]:
    """Return the settings of the view that have a control beside the figures of a lesson."""
    rows = BENCHES[type(page.record)].sections
    settings = [name for key in lesson.figures if key in rows for name in rows[key].settings]
    return [name for name in dict.fromkeys(settings) if name in {"layer", "format"}]


def figure_buttons(session: Session, lesson: Lesson) -> list[Element]:
    """Return the buttons of the sections among the figures of a lesson."""
    record = session.page.record
    rows = BENCHES[type(record)].sections
    sections = [rows[key] for key in lesson.figures if key in rows]
    actions = [action for row in sections for action in row.actions(record).items()]
    return [
        button(label, "", partial(press, session), f"figure_action_{index}")
        for index, (label, press) in enumerate(actions)
    ]


def section_settings(page: Page) -> list[str]:
    """Return the settings that have a control in the open section, if they have an effect."""
    offered = shown_settings(page).keys() | View.knobs().keys()
    return [name for name in section_row(page).settings if name in offered]
