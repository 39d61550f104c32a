"""The page. `main` is its table of contents; the state is one Session, and the link spells its Page."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stability import charts, frames, page_layout
from stability.course.lessons import Lesson
from stability.engine.cost import Cost, Speed, describe_refusal, measure_speed, nearest_that_fits
from stability.engine.process_settings import configure_process
from stability.engine.registry import Registry
from stability.engine.runs import RunError
from stability.page import table_headings
from stability.page.benches import BENCHES, Look, bench_of, open_section
from stability.page.cards import HEADING_HTML, legend_data
from stability.page.components import COMPONENTS
from stability.page.course_page import (
    answer_feedback,
    lessons_by_section,
    neighbour_links,
    option_icon,
    section_links,
)
from stability.page.css import page_css
from stability.page.pieces import Slot
from stability.page.prose import COURSE_INTRODUCTION, DASHED_NOTE, GREETING, NO_SCHEMES
from stability.page.renderer import FREQUENT, Renderer
from stability.page.safe_text import escape_markdown
from stability.page.session import Session
from stability.page.settings import (
    default_record,
    folded_groups,
    offered_settings,
    shown_settings,
)
from stability.page.widgets import Button, presenter_buttons, setting_control, toolbar_buttons
from stability.records import knobs
from stability.records.experiment import Experiment
from stability.records.knobs import ChoiceList, Knob
from stability.records.product import Product
from stability.records.view import BENCH_LINKS, View
from stability.theory.prediction import predict

# The most that one run may take on this page; the library knows no such limit.
MOST_SECONDS, MOST_BYTES = 60, 2 * 2**30
CONTAINER_ROW = {"horizontal": True, "vertical_alignment": "center"}


@dataclass(frozen=True)
class Server:
    """What all visitors share."""

    registry: Registry
    speed: Speed
    components: dict[str, Callable[..., Any]]

    def affords(self, cost: Cost) -> bool:
        return self.speed.seconds(cost) <= MOST_SECONDS and cost.bytes <= MOST_BYTES

    def fits(self, record: Experiment | Product) -> bool:
        return self.affords(bench_of(record).cost(record))


@st.cache_resource(show_spinner="Getting ready …")
def shared_server() -> Server:
    configure_process()
    first = Experiment()
    predict(first)  # its tables and charts, before anybody waits for them
    for pins in ((), (first,)):
        charts.training_spec(first, first.schemes[0], View().heat_quantity, pins)
        charts.depth_spec(first, pins)
    components = {name: st.components.v2.component(name, **part) for name, part in COMPONENTS.items()}
    registry = Registry({bench.record: bench.stream for bench in BENCHES.values()})
    return Server(registry, measure_speed(), components)


def main() -> None:
    st.set_page_config("Stability: what an initialization does", page_icon="⚖️", layout="wide")
    # After a touch Streamlit starts a new thread for this script while the former one still ends,
    # and gives each its own lock around the one session state: a widget that looks through that
    # state may meet "dictionary changed size during iteration". Rare, and gone with the next run.
    # Only `runner.fastReruns = false` would avoid it, and then a touch waits for a training step.
    session = st.session_state.setdefault("session", Session())
    session.follow_link(st.query_params.to_dict())
    presenting = session.page.view.is_presenter_view
    if not presenting:
        with st.sidebar:
            settings_panel(session)
    if link := session.link_to_write():
        st.query_params.from_dict(link)
    # The style sheet comes before any HTML or chart, or charts would change their width.
    st.container(key=page_layout.PAGE_STYLE).markdown(page_css(presenting), unsafe_allow_html=True)
    top = st.container(**CONTAINER_ROW, horizontal_alignment="distribute")
    top.html(HEADING_HTML, width="content")
    server = shared_server()
    with top:
        if presenting:
            presenter_bar(session)
        else:
            bench_tabs(session)
    notices(session)
    claim = open_lesson(server, session) if session.lesson else st.container()
    if session.page.view.bench not in BENCHES:
        lesson_list(server, session)
    elif not session.awaits_answer:
        progress = st.container() if presenting else toolbar(server, session)
        pinned_runs(server, session)
        main_area(server, session, {Slot.CLAIM: claim, Slot.PROGRESS: progress})


def main_area(server: Server, session: Session, containers: dict[Slot, DeltaGenerator]) -> None:
    """The current run, or why it cannot be shown."""
    message = st.empty()  # as in `notices`
    if session.lacks_schemes:
        message.info(NO_SCHEMES, icon=":material/add_chart:")
        return
    if not server.fits(session.page.record):
        with message.container():
            refusal(server, session)
        return
    containers |= bench_area(server, session)
    try:
        show(server, session, containers)
    except RunError as failure:
        reason = escape_markdown(str(failure).capitalize())
        st.error(f"{reason}. Other settings still work.", icon=":material/error:")
        st.button("Try again", icon=":material/refresh:")  # each run of the script does


# The sidebar


def settings_panel(session: Session) -> None:
    """What matters most in sight, the rest folded by group; or, during a search, what was found."""
    if session.awaits_answer or session.page.view.bench not in BENCHES:
        st.caption("The settings appear here, once an experiment is shown.")
        return
    words = st.text_input(
        "Find", placeholder="Find a setting", label_visibility="collapsed", icon=":material/search:"
    )
    shown = shown_settings(session.page)
    if words.strip():
        found = knobs.settings_matching(shown, words)
        controls(session, found)
        if not found:
            st.caption(f"No setting speaks of “{escape_markdown(words)}”.")
        return
    controls(session, {name: knob for name, knob in shown.items() if knob.main})
    for group, (folded, changed) in folded_groups(session.page).items():
        label = f"{group}, more · {changed} changed" if changed else f"{group}, more"
        with st.expander(label, key=f"more_{group}"):
            controls(session, folded)


def controls(session: Session, settings: dict[str, Knob]) -> None:
    """Controls one below another; those that differ from the defaults carry a way back."""
    defaults = default_record(session.page)
    for name, knob in settings.items():
        value = getattr(session.page.record, name)
        default = getattr(defaults, name)
        beside = not isinstance(knob, ChoiceList)  # chips need the whole width
        with st.container(
            horizontal=beside,
            vertical_alignment="bottom",
            gap="small",
            key=page_layout.setting_key(name),
        ):
            control(session, name)
            if value != default:
                st.button(
                    "",
                    icon=":material/undo:",
                    key=page_layout.undo_key(name),
                    type="tertiary",
                    on_click=session.change_setting,
                    args=(name, default),
                    help=f"Changed; back to {escape_markdown(knob.label_with_value(default))}",
                )


def control(session: Session, name: str, key: str = "") -> None:
    """The widget of one setting, under its name unless another widget has that key."""
    key = key or name
    found = setting_control(session.page, session.chosen_schemes, name)
    st.session_state[key] = found.value
    getattr(st, found.widget)(
        key=key,
        on_change=lambda: session.enter_value(name, st.session_state[key]),
        **found.arguments,
    )


# The course


def bench_tabs(session: Session) -> None:
    st.session_state["nav"] = "course" if session.lesson else session.page.view.bench
    st.segmented_control(
        "Bench",
        list(BENCH_LINKS),
        format_func=lambda bench: BENCH_LINKS[bench].label,
        key="nav",
        label_visibility="collapsed",
        required=not session.lesson,
        on_change=lambda: session.open_bench(st.session_state["nav"] or "course"),
    )


def draw_button(button: Button, disabled: bool = False) -> None:
    st.button(
        button.label,
        key=button.key,
        help=button.help,
        icon=f":material/{button.icon}:",
        shortcut=button.shortcut,
        disabled=disabled,
        on_click=button.press,
    )


def presenter_bar(session: Session) -> None:
    with st.container(**CONTAINER_ROW, width="content"):
        for button in presenter_buttons(session):
            draw_button(button)


def lesson_list(server: Server, session: Session) -> None:
    """All lessons by the book's sections, each a link, marked where it was answered."""
    st.caption(COURSE_INTRODUCTION)
    for index, (section, lessons) in enumerate(lessons_by_section().items()):
        st.header(section)
        links = section_links(lessons, session.answers)
        links_to_lessons(server, session, section, links, f"section_{index}")


def links_to_lessons(
    server: Server, session: Session, label: str, links: list[dict[str, str]], key: str
) -> None:
    server.components["links"](
        data={"label": label, "links": links, "kind": key.partition("_")[0]},
        key=key,
        on_chosen_change=lambda: session.open_lesson(st.session_state[key].chosen),
    )


def open_lesson(server: Server, session: Session) -> DeltaGenerator:
    """Show a lesson: its question, then what it teaches. Returns the container of its claim."""
    lesson, presenting = session.lesson, session.page.view.is_presenter_view
    with st.container(key=page_layout.LESSON):
        if not presenting:
            links = neighbour_links(lesson.key)
            links_to_lessons(server, session, "Lessons", links, "neighbours")
        st.header(lesson.section if session.awaits_answer else lesson.title)
        st.markdown(lesson.question)
        if session.awaits_answer or not presenting:
            answer_options(session, lesson)
        if session.awaits_answer:
            copy_link(server, session)
            return st.container()
        return feedback(lesson, session.page.view.answer, presenting)


def feedback(lesson: Lesson, answer: str, presenting: bool) -> DeltaGenerator:
    """What a lesson says to an answer; folded for a room, where the pictures must be in sight."""
    verdict, why, look_for = answer_feedback(lesson, answer)
    if presenting:
        with st.expander(verdict):
            st.markdown(f"{why}\n\n{look_for}")
        return st.container()
    left, right = st.columns(2, gap="medium")
    left.markdown(f"{verdict} {why}")
    right.markdown(look_for)
    return right.container()


def answer_options(session: Session, lesson: Lesson) -> None:
    """The options of a question, and once it was answered, which was right."""
    view = session.page.view
    with st.container(horizontal=True):
        for number, option in enumerate(lesson.options, 1):
            st.button(
                option,
                key=f"option_{number}",
                icon=option_icon(lesson, view.answer, number),
                on_click=session.answer_question,
                args=(str(number),),
            )
        if session.awaits_answer and not view.is_presenter_view:
            st.button(
                "Just show me",
                key="option_shown",
                type="tertiary",
                on_click=session.answer_question,
                args=("shown",),
            )


def copy_link(server: Server, session: Session) -> None:
    query = urlencode(session.link, safe=",:")
    server.components["copy_link"](
        data={"query": query}, key="copy_link", width="content", height="content"
    )


# The main area


def toolbar(server: Server, session: Session) -> DeltaGenerator:
    """Draw the toolbar. Returns the container beside it, or beneath where there is no room."""
    with st.container(**CONTAINER_ROW, gap="xsmall", key=page_layout.TOOLBAR):
        idle = session.lacks_schemes or not server.fits(session.page.record)
        for button in toolbar_buttons(session):
            draw_button(button, disabled=idle and button.needs_run)
        copy_link(server, session)
        return st.container(key=page_layout.PROGRESS)


def pinned_runs(server: Server, session: Session) -> None:
    """The pinned runs; a click on one unpins it."""
    page = session.page
    with st.container(**CONTAINER_ROW, gap="small", key=page_layout.PINS):  # empty, it stays
        pins = page.pins if page.view.bench_link.trains else ()
        if pins:
            st.caption("Pinned, in grey:", width="content")
        for index, pin in enumerate(pins):
            change = page.change_from_pin(pin)
            label = change if server.fits(pin) else f"{change} (too large here: not drawn)"
            st.button(
                label,
                key=f"unpin_{index}",
                help="Let go of it.",
                on_click=session.unpin,
                args=(pin,),
                icon=":material/close:",
            )


def notices(session: Session) -> None:
    # Always there, or all that follows would move, and what was there before stay behind it.
    container = st.empty()
    if session.notes:
        notes = "\n\n".join(escape_markdown(note) for note in session.notes)
        container.warning(notes, icon=":material/info:")
    elif session.is_fresh:
        container.info(GREETING, icon=":material/waving_hand:")


def refusal(server: Server, session: Session) -> None:
    """A run that is too large for this server: its estimate, and the nearest settings that fit."""
    record = session.page.record
    bench = bench_of(record)
    nearest = nearest_that_fits(record, server.fits, bench.shrinkable)
    words, sentence = describe_refusal(
        record, nearest, bench.cost(record), server.speed, MOST_SECONDS, MOST_BYTES
    )
    st.warning(sentence, icon=":material/hourglass_disabled:")
    st.button(f"Use {words}", on_click=session.reopen, args=(nearest,), type="primary")


def bench_area(server: Server, session: Session) -> dict[Slot, DeltaGenerator]:
    """The containers of all pieces, and what between them never changes."""
    page, trains = session.page, session.page.view.bench_link.trains
    containers = {Slot.CARDS: st.container()}  # not st.empty(): a rerun keeps them until it draws
    key = page_layout.REMEDIES if trains else None
    containers[Slot.REMEDIES] = st.container(key=key, horizontal=True)
    # What the charts share is carried by elements around them.
    shared = st.container(key=page_layout.SHARED_STEP).container(key=page_layout.SHARED_SCHEME)
    with shared:
        if trains:
            legend(server, session)
        left, right = st.columns(2, gap="medium")
    containers[Slot.LEFT] = left.container(key=page_layout.LEFT_CHART)
    containers[Slot.RIGHT] = right.container(key=page_layout.RIGHT_CHART)
    if trains:
        with left.container(horizontal=True):
            control(session, "heat_scheme")
            control(session, "heat_quantity")
        right.caption(" ".join([DASHED_NOTE, *predict(page.experiment).notes]))
    return containers | look_closer(session)


def legend(server: Server, session: Session) -> None:
    """The charts' legend and the step of the profiles: both act in the browser; the step comes back."""
    key = page_layout.LEGEND
    server.components[key](
        data=legend_data(session.page.experiment, session.page.view.moment),
        key=key,
        on_moment_change=lambda: session.show_step(st.session_state[key].moment),
    )


def look_closer(session: Session) -> dict[Slot, DeltaGenerator]:
    """The choice of a section, its own controls, and its containers."""
    view = session.page.view
    labels = view.bench_link.sections
    st.session_state["section"] = view.open_section
    st.segmented_control(
        "Look closer",
        list(labels),
        format_func=labels.get,
        key="section",
        on_change=lambda: session.enter_value("section", st.session_state["section"] or ""),
    )
    section = BENCHES[view.bench].sections.get(view.open_section)
    with st.container(key=page_layout.closer_key(str(view.open_section))):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name in offered_settings(session.page, section.settings) if section else ():
                control(session, name, page_layout.closer_key(name))
            for action in section.actions if section else ():
                st.button(action.label, on_click=action.press, args=(session,))
        containers = {Slot.SECTION: st.container(key=page_layout.CLOSER_CHART)}
        containers[Slot.HISTORY] = st.empty()
    tried_experiments(session, containers[Slot.HISTORY])
    return containers


def tried_experiments(session: Session, container: DeltaGenerator) -> None:
    """What was tried in this session, one below another; a click opens it again."""
    if session.page.view.open_section != "tried":
        return
    if not session.history:
        container.caption("Each experiment that came to its end is listed here.")
        return
    rows, owners = session.history.table()
    # A new table has no row chosen, so that any row can be clicked again.
    key = f"tried_{len(rows)}_{session.history.times_reopened}"

    def reopen_chosen() -> None:
        for row in st.session_state[key].selection.rows:
            session.reopen(owners[row])

    with container.container():
        st.caption("Click the box before a row to open its settings again.")
        st.dataframe(
            rows,
            hide_index=True,
            key=key,
            selection_mode="single-row",
            column_config=table_headings.TRIED_HEADINGS,
            on_select=reopen_chosen,
        )
        st.download_button(
            "Download as CSV",
            rows.to_csv(index=False),
            "tried.csv",
            "text/csv",
            on_click="ignore",
            key=f"download_{key}",
        )


# The stream and its pictures


def show(server: Server, session: Session, containers: dict[Slot, DeltaGenerator]) -> None:
    """Draw the run while it is computed, then those pinned; or up to the step of a pause."""
    page, playback, registry = session.page, session.playback, server.registry
    run, pins = registry.open(page.record), filter(server.fits, session.pins_behind)
    section = open_section(page, server.affords)
    section.computations = [registry.open(probe) for probe in section.probes]
    look = Look(
        bench=BENCHES[page.view.bench],
        stream=run,
        page=page,
        section=section,
        pinned={page.pin_label(pin): registry.open(pin) for pin in pins},
        waiting=page.waiting_schemes(session.chosen_schemes),
        claim=session.lesson.claim if session.lesson else None,
        paused=playback.paused,
    )
    renderer = Renderer(containers, look, session.apply_remedy)
    until = playback.until(run.last_index)
    if len(run.measurements) == until - 1:
        run.measurement_at(until - 1)  # a single step waits for nobody
    for stream, count in look.streams(until):
        with closing(registry.follow(stream, count, FREQUENT)) as queue_positions:
            for queue_position in queue_positions:
                playback.count = max(1, min(until, len(run.measurements)))
                renderer.draw(min(until, len(run.measurements)), queue_position)
    playback.count = min(until, len(run.measurements))
    renderer.draw(playback.count, at_rest=True)
    if page.view.bench_link.trains and not playback.paused and page.experiment not in session.history:
        session.history.add(page.experiment, frames.summary_frame(run))
        tried_experiments(session, containers[Slot.HISTORY])


if __name__ == "__main__":
    main()
