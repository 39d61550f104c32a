"""The page. `main` is its table of contents; the state is one Visit, and the link spells its Page."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stability import charts, frames
from stability.course.lessons import Lesson
from stability.engine.cost import Speed, describe_refusal, measure_speed, nearest_that_fits, product_cost, training_cost
from stability.engine.process_settings import configure_process
from stability.engine.registry import Registry
from stability.engine.runs import RunError
from stability.page import table_headings as heads
from stability.page.benches import SCENE_TYPES
from stability.page.cards import (
    COURSE_INTRODUCTION,
    DASHED_NOTE,
    NO_SCHEMES,
    HEADING_HTML,
    GREETING,
    LESSON_MARKS,
    escape_markdown,
    lesson_links,
    page_css,
    legend_data,
)
from stability.page.components import PARTS
from stability.page.renderer import DRAW, Renderer
from stability.page.sections import SECTIONS
from stability.page.session import Session
from stability.page.widgets import NEEDS_RUN, choice_widget, presenter_buttons, option_icon, answer_feedback, toolbar_buttons, setting_widget
from stability.records import knobs
from stability.records.experiment import MOST_SCHEMES, Experiment
from stability.records.knobs import ChoiceList
from stability.records.product import Product
from stability.records.view import BENCH_LINKS, View
from stability.theory.prediction import predict

COSTS = {Experiment: training_cost, Product: product_cost}
SHRINKABLE = {Experiment: ("steps", "replicates", "width", "depth", "batch"), Product: ("replicates", "count", "n")}
MOST_SECONDS, MOST_BYTES = 60, 2 * 2**30  # of one run on this page; the library knows no such limit


@dataclass(frozen=True)
class Server:
    """What all visitors share."""

    registry: Registry
    speed: Speed
    components: dict[str, Callable]

    def fits(self, settings: Experiment | Product) -> bool:
        cost = COSTS[type(settings)](settings)
        return self.speed.seconds(cost) <= MOST_SECONDS and cost.bytes <= MOST_BYTES


@st.cache_resource(show_spinner="Getting ready …")
def shared_server() -> Server:
    configure_process()
    first = Experiment()
    predict(first)  # its tables and charts, before anybody waits for them
    for pins in ((), (first,)):
        charts.training_spec(first, first.schemes[0], View().heat_quantity, pins)
        charts.depth_spec(first, pins)
    parts = {name: st.components.v2.component(name, **part) for name, part in PARTS.items()}
    return Server(Registry(), measure_speed(), parts)


def main() -> None:
    st.set_page_config("Stability: what an initialization does", page_icon="⚖️", layout="wide")
    visit = st.session_state.setdefault("visit", Session())
    visit.follow_link(st.query_params.to_dict())
    presents = visit.page.view.is_presenter_view
    if not presents:
        with st.sidebar:
            controls(visit)
    if address := visit.link_to_write():
        st.query_params.from_dict(address)
    st.container(key="css").markdown(page_css(presents), unsafe_allow_html=True)  # HTML comes later, and charts would jump
    top = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    top.html(HEADING_HTML, width="content")
    house, bar = shared_server(), presenter_bar if presents else bench_tabs
    with top:
        bar(visit)
    notices(visit)
    places = {"claim": lesson(house, visit) if visit.lesson else st.container()}
    if not visit.page.view.bench_link.record_field:
        lesson_list(house, visit)
    elif not visit.awaits_answer:
        places["progress"] = st.container() if presents else toolbar(house, visit)
        pins(house, visit)
        main_area(house, visit, places)


def main_area(house: Server, visit: Session, places: dict[str, DeltaGenerator]) -> None:
    """What is on the table, or why it is not."""
    place = st.empty()  # as in `notices`
    if visit.lacks_schemes:
        place.info(NO_SCHEMES, icon=":material/add_chart:")
    elif not house.fits(visit.page.record):
        with place.container():
            refusal(house, visit)
    else:
        try:
            show(house, visit, places)
        except RunError as failure:
            st.error(f"{escape_markdown(str(failure).capitalize())}. Other settings still work.", icon=":material/error:")


# The sidebar


def controls(visit: Session) -> None:
    """What matters most in sight, the rest folded by group; or, while somebody searches, what was found."""
    if visit.awaits_answer or not visit.page.view.bench_link.record_field:
        return st.caption("The settings appear here, once an experiment is shown.")
    words = st.text_input("Find", placeholder="Find a setting", label_visibility="collapsed", icon=":material/search:")
    if words.strip():
        found = knobs.settings_matching(visit.settings, words)
        return controls_of(visit, found) if found else st.caption(f"No setting speaks of “{escape_markdown(words)}”.")
    controls_of(visit, {name: knob for name, knob in visit.settings.items() if knob.main})
    for group, (folded, count) in visit.groups.items():
        with st.expander(f"{group}, more" + f" · {count} changed" * bool(count), key=f"more_{group}"):
            controls_of(visit, folded)


def controls_of(visit: Session, settings: dict[str, knobs.Knob]) -> None:
    """Controls one below another; those that differ from the defaults carry a way back."""
    for name, knob in settings.items():
        value, default = getattr(visit.page.record, name), getattr(visit.default_settings, name)
        beside = not isinstance(knob, ChoiceList)  # chips need the whole width
        with st.container(horizontal=beside, vertical_alignment="bottom", gap="small", key=f"setting_{name}"):
            control(visit, name)
            if value != default:
                st.button(
                    "", icon=":material/undo:", key=f"undo_{name}", type="tertiary", on_click=visit.change_setting,
                    args=(name, default), help=f"Changed; back to {escape_markdown(knob.label_with_value(default))}",
                )  # fmt: skip


def control(visit: Session, name: str, key: str = "") -> None:
    """The widget of one setting. Its key is the setting's name, if no other widget has that; it reports to the visit."""
    key, knob, value = key or name, visit.knobs[name], visit.value(name)
    options = visit.options(name)
    kind, arguments = choice_widget(knob, options) if options else setting_widget(knob, value)
    st.session_state[key] = value
    shared = {"label": knob.label, "help": knob.help, "key": key}
    getattr(st, kind)(**shared, **arguments, on_change=lambda: visit.enter_value(name, st.session_state[key]))


# The course


def bench_tabs(visit: Session) -> None:
    st.session_state["nav"] = "course" if visit.lesson else visit.page.view.bench
    st.segmented_control(
        "Bench", list(BENCH_LINKS), format_func=lambda bench: BENCH_LINKS[bench].label, key="nav", label_visibility="collapsed",
        required=not visit.lesson, on_change=lambda: visit.open_bench(st.session_state["nav"] or "course"),
    )  # fmt: skip


def presenter_bar(visit: Session) -> None:
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        for label, icon, key, deed, to in presenter_buttons(visit):
            st.button(label, icon=f":material/{icon}:", on_click=deed, args=to, shortcut=key, key=f"conduct_{key}")


def lesson_list(house: Server, visit: Session) -> None:
    """All lessons, by the book's sections, each a link; and which were answered in this visit."""
    st.caption(COURSE_INTRODUCTION)
    for index, (section, lessons) in enumerate(visit.lessons_by_section.items()):
        st.header(section)
        ways = {found.key: f"{LESSON_MARKS[visit.answered_rightly(found)]} {found.title}" for found in lessons}
        links(house, visit, section, lesson_links(ways), f"section_{index}")


def links(house: Server, visit: Session, label: str, ways: list[dict[str, str]], key: str) -> None:
    data = {"label": label, "links": ways, "kind": key.partition("_")[0]}
    house.components["links"](data=data, key=key, on_chosen_change=lambda: visit.open_lesson(st.session_state[key].chosen))


def lesson(house: Server, visit: Session) -> DeltaGenerator:
    """The open lesson: its question, then what it teaches. Returns the place of its claim."""
    found = visit.lesson
    with st.container(key="lesson"):
        if not visit.page.view.is_presenter_view:
            links(house, visit, "Lessons", lesson_links(visit.neighbouring_lessons, "All lessons"), "neighbours")
        st.header(found.section if visit.awaits_answer else found.title)
        st.markdown(found.question)
        if visit.awaits_answer or not visit.page.view.is_presenter_view:
            options(visit, found)
        if visit.awaits_answer:
            copy_link(house, visit)
            return st.container()
        return answered(visit, found)


def answered(visit: Session, found: Lesson) -> DeltaGenerator:
    """The answer and what it teaches; for a room it is folded, so that the pictures are in sight. Returns the claim's place."""
    right, why, look = answer_feedback(found, visit.page.view.answer)
    if visit.page.view.is_presenter_view:
        with st.expander(right):
            st.markdown(f"{why}\n\n{look}")
        return st.container()
    left, side = st.columns(2, gap="medium")
    left.markdown(f"{right} {why}")
    side.markdown(look)
    return side.container()


def copy_link(house: Server, visit: Session) -> None:
    data = {"query": urlencode(visit.link, safe=",:")}
    house.components["copy_link"](data=data, key="copy_link", width="content", height="content")


def options(visit: Session, found: Lesson) -> None:
    """What may be answered, and once it was, whether it was right."""
    with st.container(horizontal=True):
        for number, option in enumerate(found.options, 1):
            icon = option_icon(found, visit.page.view.answer, number)
            st.button(option, key=f"option_{number}", on_click=visit.answer_question, args=(str(number),), icon=icon)
        if visit.awaits_answer and not visit.page.view.is_presenter_view:
            st.button("Just show me", key="option_shown", on_click=visit.answer_question, args=("shown",), type="tertiary")


# The main area


def toolbar(house: Server, visit: Session) -> DeltaGenerator:
    """Returns the place beside it, or beneath where there is no room."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="toolbar"):
        idle = visit.lacks_schemes or not house.fits(visit.page.record)
        for label, icon, deed, words in toolbar_buttons(visit):
            does = {"key": f"tool_{deed}", "on_click": getattr(visit, deed), "disabled": idle and deed in NEEDS_RUN}
            st.button(label, icon=f":material/{icon}:", help=words, **does)  # by its key Resume is the same button as Pause
        copy_link(house, visit)
        return st.container(key="progress")


def pins(house: Server, visit: Session) -> None:
    """What is kept behind the curves; a click lets go of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pins"):  # empty, it holds the place
        shown = visit.page.pins if visit.page.view.bench_link.trains else ()
        if shown:
            st.caption("Pinned, in grey:", width="content")
        for index, kept in enumerate(shown):
            words = visit.page.change_from_pin(kept) + " (too large here: not drawn)" * (not house.fits(kept))
            st.button(words, f"unpin_{index}", "Let go of it.", visit.unpin, (kept,), icon=":material/close:")


def notices(visit: Session) -> None:
    place = st.empty()  # always there, or all that follows would move, and what was there before stay behind it
    if visit.is_fresh:
        place.info(GREETING, icon=":material/waving_hand:")
    elif visit.notes:
        place.warning("\n\n".join(escape_markdown(note) for note in visit.notes), icon=":material/info:")


def refusal(house: Server, visit: Session) -> None:
    """A run that is too large for this server: the estimate, and the nearest setting that fits."""
    record = visit.page.record
    nearest = nearest_that_fits(record, house.fits, SHRINKABLE[type(record)])
    words, sentence = describe_refusal(record, nearest, COSTS[type(record)](record), house.speed, MOST_SECONDS, MOST_BYTES)
    st.warning(sentence, icon=":material/hourglass_disabled:")
    st.button(f"Use {words}", on_click=visit.reopen, args=(nearest,), type="primary")


# The stream and its pictures


def show(house: Server, visit: Session, places: dict[str, DeltaGenerator]) -> None:
    """Draws what there is at once; attends the run until its end, and then those pinned, or until the step of a pause."""
    page, run = visit.page, house.registry.open(visit.page.record)
    pinned = {page.pin_label(pin): house.registry.open(pin) for pin in visit.pins_behind if house.fits(pin)}
    scene = SCENE_TYPES[type(page.record)](run, page, page.waiting_schemes(visit.chosen_schemes), pinned, visit.lesson and visit.lesson.claim)
    stage = Renderer(visit, scene, lay_out(house, visit) | places)
    until = visit.position if visit.paused else run.last_index + 1
    if len(run.measurements) == until - 1:
        run.measurement_at(until - 1)  # a single step waits for nobody
    for running, most in ((run, until), *((kept, kept.last_index + 1) for kept in pinned.values() if not visit.paused)):
        with house.registry.attend(running):
            while not running.finished and len(running.measurements) < most:
                # At first for longer: one's own run that was just left may hold the place, and of that nothing is told.
                place = house.registry.wait_for_turn(running, DRAW if stage.waits else 2 * DRAW)
                if not place:
                    running.advance(DRAW if running.measurements else 0.0, most)
                stage.draw(min(until, len(run.measurements)), place)
    stage.draw(min(until, len(run.measurements)), still=True)
    if page.view.bench_link.trains and not visit.paused and page.experiment not in visit.tried:
        visit.tried[page.experiment] = frames.summary_frame(run)
        tried(visit, stage.containers["tried"])


def lay_out(house: Server, visit: Session) -> dict[str, DeltaGenerator]:
    """The places of all pieces, by name, and what between them never changes."""
    places = {"cards": st.container()}  # not st.empty(): a rerun keeps them until it draws anew
    train = visit.page.view.bench_link.trains
    remedies = st.container(key="remedies" if train else None, horizontal=True)
    places |= {f"remedy_{index}": remedies.empty() for index in range(MOST_SCHEMES)}
    around = st
    for key in charts.SHARED_PARAMETERS.values():  # what the charts share is carried by elements around them
        around = around.container(key=key)
    with around:
        if train:
            legend(house, visit)
        left, right = st.columns(2, gap="medium")
    places |= {"left": left.container(key="left_chart"), "right": right.container(key="right_chart")}
    if train:
        with left.container(horizontal=True):
            control(visit, "heat_scheme")
            control(visit, "heat_quantity")
        right.caption(" ".join([DASHED_NOTE, *predict(visit.page.experiment).notes]))
    return places | closer(visit)


def legend(house: Server, visit: Session) -> None:
    """The charts' legend and the step of the profiles; both act in the browser, and the step comes here for the link."""
    data = legend_data(visit.page.experiment, visit.page.view.moment)
    house.components["strip"](data=data, key="strip", on_moment_change=lambda: visit.show_step(st.session_state["strip"].moment))


def closer(visit: Session) -> dict[str, DeltaGenerator]:
    """What is made only when it is looked at: the choice of it, its own controls, and its places."""
    view, sections = visit.page.view, visit.page.view.bench_link.sections
    st.session_state["section"] = view.open_section
    st.segmented_control(
        "Look closer", list(sections), format_func=sections.get, key="section",
        on_change=lambda: visit.enter_value("section", st.session_state["section"] or ""),
    )  # fmt: skip
    section = SECTIONS.get(view.open_section)
    with st.container(key=f"closer_{view.open_section}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            for name in visit.offered(section.settings) if section else ():
                control(visit, name, key=f"closer_{name}")
            for label, deed in section.actions if section else ():
                st.button(label, on_click=getattr(visit, deed))
        places = {"closer": st.container(key="closer_chart"), "tried": st.empty()}
    tried(visit, places["tried"])
    return places


def tried(visit: Session, place: DeltaGenerator) -> None:
    """What was tried in this visit, one below another; a click opens it again."""
    if visit.page.view.open_section != "tried":
        return
    if not visit.tried:
        place.caption("Each experiment that came to its end is listed here.")
        return
    rows, owners = visit.history
    key = f"tried_{len(rows)}_{visit.reopened}"  # a new table has no row chosen, so that any row can be clicked again
    with place.container():
        st.caption("Click the box before a row to open its settings again.")
        st.dataframe(
            rows, hide_index=True, key=key, selection_mode="single-row", column_config=heads.TRIED_HEADINGS,
            on_select=lambda: [visit.reopen(owners[row]) for row in st.session_state[key].selection.rows],
        )  # fmt: skip
        csv = rows.to_csv(index=False)
        st.download_button("Download as CSV", csv, "tried.csv", "text/csv", on_click="ignore", key=f"download_{key}")


if __name__ == "__main__":
    main()
