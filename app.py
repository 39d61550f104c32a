"""The page: `main` is its table of contents, a Session its state, and a link spells its Page."""

import webbrowser
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from stability import page_layout
from stability.course.lessons import Lesson
from stability.engine.failures import RunError
from stability.i18n import _, html_language
from stability.page import cards, course_page, prose, refusals, settings, widgets
from stability.page.components import COMPONENTS
from stability.page.controls import draw_control, draw_controls
from stability.page.css import page_css
from stability.page.drawing_turns import TURNS
from stability.page.glossary_text import glossary_markdown
from stability.page.pieces import Element, Picture, Slot
from stability.page.places import MIDDLEWARE
from stability.page.playback import playback_data
from stability.page.renderer import Renderer, draw_piece, held_cards, held_container
from stability.page.safe_text import escape_markdown
from stability.page.server import Server, prepare_server
from stability.page.session import Session
from stability.records.choice_list import ChoiceList
from stability.records.knobs import Knob
from stability.text import join_sentences
from stability.theory.prediction import predict

Containers = dict[Slot, Any]  # elements of the page; that of the cards is a list of them
# Streamlit looks, at every access to its state, whether the visitor has left or gone on.
end_if_left = partial(st.session_state.get, "session")
CENTRED: dict[str, Any] = {"horizontal": True, "vertical_alignment": "center"}


@asynccontextmanager
async def prepare(_: st.App) -> AsyncIterator[None]:
    """Make ready what the first visitor would wait for, before the server answers anybody."""
    prepare_server()
    if not st.get_option("server.headless"):  # Streamlit opens it for scripts only
        webbrowser.open(f"http://localhost:{st.get_option('server.port')}")
    yield


def make_server() -> Server:
    component: Any = st.components.v2.component
    return Server({name: component(name, **files) for name, files in COMPONENTS.items()})


def main() -> None:
    # A touch starts a new thread while the former one still ends: a widget may meet "dictionary
    # changed size". It is rare; without `runner.fastReruns` a touch would wait for a training step.
    session = st.session_state.setdefault("session", Session())
    here, request = st.context, get_script_run_ctx()
    went_back = bool(request and request.is_history_navigation)
    query = st.query_params.to_dict()
    session.follow_link(query, here.url or "", here.locale, went_back=went_back)
    with TURNS.turn(session, end_if_left):
        draw_page(session)


def draw_page(session: Session) -> None:
    """Draw all of the page, from the style sheet to the last curve."""
    st.set_page_config(_("Stability: what an initialization does"), "⚖️", layout="wide")
    presenting = session.page.view.is_presenter_view
    st.html(page_css(presenting))  # before all that it styles, or that would move
    parts: Containers = {}
    if not presenting:
        with st.sidebar:
            sidebar(session, parts)
    session.write_link(st.query_params.from_dict)
    server = st.cache_resource(make_server, show_spinner=_("Getting ready …"))()
    with st.container(**CENTRED, horizontal_alignment="distribute", key=page_layout.TOP):
        st.html(cards.heading_html(session.greeting), width="content")
        if not presenting:
            bench_tabs(session)
        key, spoken = page_layout.WAKE, {"language": html_language()}
        server.components[key](key=key, data=spoken, on_back_change=lambda: None)
    notices(session)
    if session.lesson:
        parts |= open_lesson(server, session, session.lesson)
    if session.opens_run:
        return main_area(server, session, parts)
    toolbar(server, session)
    if not session.page.view.bench_link.record:
        lesson_list(server, session)


def main_area(server: Server, session: Session, parts: Containers) -> None:
    """Draw the current run from its verdicts on, or say why it cannot be shown."""
    settings_above(session)
    trains = session.page.view.bench_link.trains
    containers = {**parts, Slot.CARDS: held_cards(st, session) if trains else st.container()}
    containers[Slot.PROGRESS] = toolbar(server, session)
    pinned_runs(server, session)
    message, fits = st.empty(), server.fits(session.page.record)  # as in `notices`
    obstacle = refusals.obstacle_pieces(session)
    if obstacle or not fits:
        with message.container():
            draw_pieces(*(obstacle or refusals.refusal_pieces(server, session)))
    if obstacle:
        return
    if not (fits or refusals.can_show_start(server, session)):
        chart = page_layout.left_key(session.page.view.bench)
        with st.container(key=page_layout.SHARED_SCHEME), held_container(st, chart):
            draw_pieces(*refusals.foretold_pieces(session))
    else:
        try:
            show(server, session, containers | bench_area(server, session))
        except RunError as failure:
            reason = escape_markdown(str(failure).removesuffix("."))
            sentence = _("{reason}. Other settings still work.").format(reason=reason)
            st.error(sentence, icon=":material/error:")
            st.button(_("Try again"), icon=":material/refresh:")  # every run of this script does


# The sidebar


def sidebar(session: Session, parts: Containers) -> None:
    """Draw the main settings, and the others folded by group; in a search, those found."""
    if session.awaits_answer or not session.page.view.bench_link.record:
        st.caption(_("The settings appear here, once an experiment is shown."))
        return
    if session.page.view.bench_link.trains:
        parts[Slot.NETWORK] = held_container(st, page_layout.NETWORK)
    words = st.text_input(**widgets.search_field())
    shown = settings.shown_settings(session.page)
    if words.strip():
        found = settings.settings_matching(shown, words)
        st.caption(escape_markdown(prose.settings_found(words, len(found))))
        controls(session, found)
        return
    controls(session, settings.main_settings(session.page))
    for group, (folded, changed) in settings.folded_groups(session.page).items():
        options: Any = {"key": page_layout.group_key(group), "on_change": "rerun"}
        with st.expander(settings.group_label(group, changed), **options) as container:
            if container.open:  # as most of all controls stand here
                controls(session, folded)


def controls(session: Session, shown: Mapping[str, Knob]) -> None:
    """Draw controls one below another; a setting that was changed gets an undo button."""
    page = session.page
    record, defaults = page.record.settings(), settings.default_record(page).settings()
    for name, knob in shown.items():
        row: dict[str, Any] = {"gap": "small", "horizontal": not isinstance(knob, ChoiceList)}
        with st.container(**row, vertical_alignment="bottom", key=page_layout.setting_key(name)):
            control(session, name)
            if record[name] != (default := defaults[name]):
                draw_pieces(widgets.undo_button(session, name, default))


def control(session: Session, name: str, key: str = "") -> None:
    draw_control(st, st.session_state, session, name, key)


def settings_above(session: Session) -> None:
    """Draw the controls and buttons that stand over all that a bench shows."""
    if names := session.page.view.bench_link.above:
        for name in names:
            control(session, name)
        with st.container(**CENTRED, gap="small", key=page_layout.ABOVE):
            draw_pieces(*widgets.bench_buttons(session))


def draw_pieces(*pieces: Element | Picture) -> None:
    for piece in pieces:
        draw_piece(st, piece)


# The course


def bench_tabs(session: Session) -> None:
    st.session_state["nav"] = "course" if session.lesson else session.page.view.bench
    st.segmented_control(
        **widgets.bench_choice(session),
        on_change=lambda: session.open_bench(st.session_state["nav"] or "course"),
    )
    st.popover(_("Words"), icon=":material/menu_book:").markdown(glossary_markdown())
    draw_pieces(*widgets.language_buttons(session))


def lesson_list(server: Server, session: Session) -> None:
    """List all lessons by section: links, each marked by how its question was answered."""
    st.markdown(course_page.course_introduction())
    lesson_links(server, session, course_page.course_data(session.answers))


def lesson_links(server: Server, session: Session, data: Mapping[str, Any]) -> None:
    key = data["kind"]
    server.components["links"](
        data=data,
        key=key,
        on_chosen_change=lambda: report(key, "chosen", session.open_lesson),
        on_forgotten_change=session.answers.clear,
    )


def open_lesson(server: Server, session: Session, lesson: Lesson) -> Containers:
    """Show a lesson: its question, then its text. Returns the containers of claim and figure."""
    waits, in_hall = session.awaits_answer, session.page.view.is_presenter_view
    with st.container(key=page_layout.LESSON):
        if not in_hall:
            lesson_links(server, session, course_page.neighbour_data(lesson, session.answers))
        st.header(f"{lesson.number}. {lesson.topic if waits else lesson.title}")
        if waits:
            st.markdown(lesson.question)
            draw_pieces(*widgets.option_buttons(session, lesson))
            st.caption(course_page.experiment_line(lesson))
            return {}
        st.caption(lesson.question)
        verdict, reply = course_page.answer_feedback(lesson, session.page.view.answer)
        st.markdown(verdict)
        left, right = st.columns([2, 3], gap="medium")
        with right.container(key=page_layout.LESSON_FIGURE):
            figure = st.container()
            for name in widgets.figure_settings(session.page, lesson):
                control(session, name, page_layout.closer_key(f"figure_{name}"))
            draw_pieces(*widgets.figure_buttons(session, lesson))
        claim = left.container()
        (left.expander(_("Why")) if in_hall else left).markdown(reply)
        with left.container(horizontal=True):
            draw_pieces(*(() if in_hall else widgets.option_buttons(session, lesson)))
        return {Slot.CLAIM: claim, Slot.FIGURE: figure}


def report(key: str, name: str, take: Callable[[Any], None]) -> None:
    if key in st.session_state:  # the component may have gone since
        take(getattr(st.session_state[key], name))


def toolbar(server: Server, session: Session) -> DeltaGenerator:
    """Draw the playback and buttons. Returns the container that says how far the run has come."""
    presenting, key = session.page.view.is_presenter_view, page_layout.PLAYBACK
    idle = session.lacks_schemes or not server.fits(session.page.record)
    with st.container(**CENTRED, gap="xsmall", key=page_layout.TOOLBAR):
        if presenting and session.opens_run:
            words, shown = widgets.presenter_settings(session.page)
            with st.popover(words, icon=":material/tune:", key="presenter_settings"):
                controls(session, shown)
        with st.container(key=page_layout.SHARED_STEP):
            progress = st.container()
            if session.opens_run and session.page.view.bench_link.plays:
                server.components[key](
                    data=playback_data(session.page, idle, session.links_followed),
                    key=key,
                    on_moment_change=lambda: report(key, "moment", session.show_step),
                )
        draw_pieces(*widgets.toolbar_buttons(session, idle))
        if not presenting:
            server.components["copy_link"](**widgets.copy_link_arguments(session.link))
    return progress


def pinned_runs(server: Server, session: Session) -> None:
    """List the pinned runs; clicking one unpins it."""
    with st.container(**CENTRED, gap="small", key=page_layout.PINS):  # stands there if empty, too
        if pins := widgets.unpin_buttons(session, server.fits):
            st.caption(_("Pinned, in grey:"), width="content")
            draw_pieces(*pins)


def notices(session: Session) -> None:
    container = st.empty()  # always there, or all that follows would move
    if session.notes:
        container.warning("\n\n".join(map(escape_markdown, session.notes)), icon=":material/info:")


def bench_area(server: Server, session: Session) -> Containers:
    """Lay out the containers of all pieces, and draw what stays the same between them."""
    view = session.page.view
    link = view.bench_link
    with st.container(key=page_layout.SHARED_SCHEME):
        for name, arguments in widgets.chart_components(session, report).items():
            server.components[name](key=name, **arguments)
        left, right = st.columns(2, gap="medium") if link.has_two_columns else (st, st)
        if not view.is_presenter_view:
            draw_controls(left, st.session_state, session, link.over_chart)
        left_chart = held_container(left, page_layout.left_key(view.bench))
        right_chart = held_container(right, page_layout.right_key(view.bench))
    draw_controls(left, st.session_state, session, link.under_chart)
    if link.trains:
        notes = _(prose.DASHED_NOTE), *predict(session.page.experiment).notes
        right.caption(join_sentences(*notes))
    return {Slot.LEFT: left_chart, Slot.RIGHT: right_chart} | look_closer(session)


def look_closer(session: Session) -> Containers:
    """Draw the choice of a section and its controls. Returns the section's containers."""
    view = session.page.view
    labels, key = view.bench_link.sections, "section"
    st.session_state[key] = view.open_section
    st.segmented_control(
        _("Look closer"),
        list(labels),
        format_func=lambda name: _(labels[name]),
        key=key,
        on_change=lambda: session.enter_value(key, st.session_state[key] or ""),
    )
    with st.container(key=page_layout.closer_key(str(view.open_section))):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name in widgets.section_settings(session.page):
                control(session, name, page_layout.closer_key(name))
            draw_pieces(*widgets.section_buttons(session))
        section, history = st.container(key=page_layout.CLOSER_CHART), st.empty()
    tried_experiments(session, history)
    return {Slot.SECTION: section, Slot.HISTORY: history}


def tried_experiments(session: Session, container: DeltaGenerator) -> None:
    """List all experiments that were trained to their end; a button opens each again."""
    if session.page.view.open_section == "tried":
        with container.container():
            draw_pieces(*widgets.tried_pieces(session, button_column))


def button_column(key: str, press: Callable[[int], None]) -> Any:
    """Return the heading of a column of buttons, whose labels are its cells; rows count from 0."""
    options: Any = {"key": key, "on_click": lambda: press(st.session_state[key].row)}
    return st.column_config.ButtonColumn("", type="tertiary", pinned=True, **options)


def show(server: Server, session: Session, containers: Containers) -> None:
    """Draw the run while it is computed, and the pinned runs."""
    look = server.look(session)
    renderer = Renderer(containers, look, session, button_column)
    measurements = look.stream.measurements
    with closing(server.follow(look, end_if_left, session.is_restless)) as queue_positions:
        for queue_position in queue_positions:
            renderer.draw(len(measurements), queue_position)
            if session.remember_run(look.stream):  # now: a search that follows may be left
                tried_experiments(session, containers[Slot.HISTORY])
    renderer.draw(len(measurements), at_rest=True)
    if session.remember_run(look.stream):
        tried_experiments(session, containers[Slot.HISTORY])


if __name__ == "__main__":
    main()
else:  # `streamlit run` finds it here, and imports all of the above before it answers
    app = st.App(__file__, lifespan=prepare, middleware=MIDDLEWARE)
