"""The page. `main` is its table of contents; the state is one Visit, and the link spells its Page."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pyarrow as pa
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stability import charts, columns, frames, knobs, schemes, tabular
from stability.cost import Speed, cost, measured_speed, nearest_that_fits, too_large
from stability.experiment import Experiment
from stability.jacobian import absent
from stability.knobs import Choice, Flag, Integer, Number, Real, Several
from stability.markup import COPY_LINK, CURE, DASHED, STRETCH, cards_html, escaped, heading_html
from stability.prediction import predict
from stability.process import settle
from stability.readouts import equation, readouts
from stability.remedies import Remedy
from stability.runs import Registry, Run, RunError
from stability.verdicts import verdicts
from stability.view import QUANTITIES, View
from stability.visit import Visit

MOST_SECONDS, MOST_BYTES = 60, 2 * 2**30  # of one run on this page; the library knows no such limit
DRAW, REDRAW_SLOW = 0.25, 1.0  # seconds between draws of the training curves, and of profiles and heat map
GROUPS = "Compare", "Network", "Data", "Training"


@dataclass(frozen=True)
class Server:
    """What all visitors share."""

    registry: Registry
    speed: Speed
    copy_link: Callable

    def fits(self, experiment: Experiment) -> bool:
        return self.speed.seconds(experiment) <= MOST_SECONDS and cost(experiment).bytes <= MOST_BYTES


@st.cache_resource(show_spinner="Getting ready …")
def server() -> Server:
    settle()
    predict(Experiment())  # its tables, before anybody waits for them
    copy_link = st.components.v2.component("copy_link", **COPY_LINK)
    return Server(Registry(), measured_speed(), copy_link)


def main() -> None:
    st.set_page_config("Stability: what an initialization does", page_icon="⚖️", layout="wide")
    house, visit = server(), st.session_state.setdefault("visit", Visit())
    visit.follow(st.query_params.to_dict())
    with st.sidebar:
        controls(visit)
    if address := visit.address():
        st.query_params.from_dict(address)
    st.html(heading_html())
    toolbar(house, visit)
    pins(visit)
    notices(visit)
    place = st.empty()  # as in `notices`
    if not visit.chosen:
        words = "Choose at least one initialization in the sidebar, and its curves appear here."
        place.info(words, icon=":material/add_chart:")
    elif not house.fits(visit.page.experiment):
        with place.container():
            refusal(house, visit)
    else:
        try:
            show(house, visit)
        except RunError as failure:
            st.error(f"{escaped(str(failure).capitalize())}. Other settings still work.", icon=":material/error:")


# The sidebar


def controls(visit: Visit) -> None:
    """What matters most in sight, the rest folded by group; or, while somebody searches, what was found."""
    e, settings = visit.page.experiment, knobs.knobs(Experiment)
    if e.data.fixed_features:
        del settings["features"]
    words = st.text_input("Find", placeholder="Find a setting", label_visibility="collapsed", icon=":material/search:")
    if words.strip():
        found = knobs.found(settings, words)
        if not found:
            st.caption(f"No setting speaks of “{escaped(words)}”.")
        return controls_of(visit, found)
    controls_of(visit, {name: knob for name, knob in settings.items() if knob.main})
    for group in GROUPS:
        folded = {name: knob for name, knob in settings.items() if knob.group == group and not knob.main}
        count = len(folded.keys() & knobs.difference(e, Experiment()).keys())
        with st.expander(f"{group}, more" + f" · {count} changed" * bool(count), key=f"more_{group}"):
            controls_of(visit, folded)


def controls_of(visit: Visit, settings: dict[str, knobs.Knob]) -> None:
    """Controls one below another; those that differ from the defaults carry a way back."""
    for name, knob in settings.items():
        value, default = getattr(visit.page.experiment, name), getattr(Experiment(), name)
        beside = not isinstance(knob, Several)  # chips need the whole width
        with st.container(horizontal=beside, vertical_alignment="bottom", gap="small", key=f"setting_{name}"):
            control(visit, name, knob, value)
            if value != default:
                st.button(
                    "", icon=":material/undo:", key=f"undo_{name}", type="tertiary", on_click=visit.change,
                    args=(name, default), help=f"Changed; back to {escaped(knob.words(default))}",
                )  # fmt: skip


def control(visit: Visit, name: str, knob: knobs.Knob, value: Any) -> None:
    """The widget that fits the knob. Its key is the knob's name; it shows the state and reports to the visit."""
    shared = {"label": knob.label, "help": knob.help, "key": name, "on_change": changed, "args": (visit, name)}
    st.session_state[name] = value
    match knob:
        case Several():
            st.session_state[name] = list(visit.chosen)
            options = list(dict.fromkeys([*knob.rows, *visit.chosen]))
            st.multiselect(
                **shared, options=options, format_func=schemes.title, max_selections=knob.most, accept_new_options=True,
                placeholder="Add one",
            )  # fmt: skip
        case Choice():
            st.selectbox(**shared, options=list(knob.rows), format_func=lambda key: knob.rows[key].label)
        case Flag():
            st.toggle(**shared)
        case Number(log=True):
            st.select_slider(**shared, options=knob.stops(value), format_func=knob.spell)
        case Integer() if knob.high < 1000:
            st.slider(**shared, min_value=int(knob.low), max_value=int(knob.high))
        case Integer():
            st.number_input(**shared, min_value=int(knob.low), max_value=int(knob.high))
        case Real():
            st.number_input(**shared, min_value=float(knob.low), max_value=float(knob.high), step=0.05, format="%g")


def changed(visit: Visit, name: str) -> None:
    visit.enter(name, st.session_state[name])


# The main area


def toolbar(house: Server, visit: Visit) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        label, icon = ("Resume", ":material/play_arrow:") if visit.paused else ("Pause", ":material/pause:")
        st.button(label, icon=icon, on_click=visit.pause, help="Stops your view; nobody else's.")
        st.button("Step", icon=":material/skip_next:", on_click=visit.step, help="One step further, then paused.")
        st.button(
            "Pin", icon=":material/keep:", on_click=visit.pin, help="Keeps these curves, grey, behind whatever you set next."
        )
        st.button("New seed", icon=":material/casino:", on_click=visit.draw_anew, help="The same settings, drawn anew.")
        st.button("Reset", icon=":material/restart_alt:", on_click=visit.reset, help="Back to the settings of the first visit.")
        house.copy_link(
            data={"query": urlencode(visit.page.to_query(), safe=",:")}, key="copy_link", width="content", height="content"
        )


def pins(visit: Visit) -> None:
    """What is kept behind the curves; a click lets go of it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pins"):  # empty, it holds the place
        if visit.page.pins:
            st.caption("Pinned, in grey:", width="content")
        for index, kept in enumerate(visit.page.pins):
            st.button(
                visit.page.step_from(kept), icon=":material/close:", key=f"unpin_{index}", on_click=visit.unpin, args=(kept,),
                help="Let go of it.",
            )  # fmt: skip


def notices(visit: Visit) -> None:
    place = st.empty()  # always there, or all that follows would move, and what was there before stay behind it
    if visit.notes:
        place.warning("\n\n".join(escaped(note) for note in visit.notes), icon=":material/info:")


def refusal(house: Server, visit: Visit) -> None:
    """A run that is too large for this server: the estimate, and the nearest setting that fits."""
    nearest = nearest_that_fits(visit.page.experiment, house.fits)
    words, sentence = too_large(visit.page.experiment, nearest, house.speed, MOST_SECONDS, MOST_BYTES)
    st.warning(sentence, icon=":material/hourglass_disabled:")
    st.button(f"Use {words}", on_click=visit.reopen, args=(nearest,), type="primary")


# The run and its pictures


def show(house: Server, visit: Visit) -> None:
    """Draws what there is at once; then, unless paused, attends the run until it is finished, and after it those pinned."""
    page, run = visit.page, house.registry.open(visit.page.experiment)
    pinned = {page.label(pin): house.registry.open(pin) for pin in page.pins if pin != page.experiment and house.fits(pin)}
    stage = Stage.lay_out(run, visit, pinned)
    if visit.paused:
        run.at(visit.position - 1)
        return stage.draw(min(visit.position, len(run.measurements)), still=True)
    for running in (run, *pinned.values()):
        with house.registry.attend(running):
            while not running.finished:
                place = house.registry.place(running)
                if place:
                    time.sleep(DRAW)  # somebody else's training goes on meanwhile
                else:
                    running.advance(DRAW if running.measurements else 0.0)
                stage.draw(len(run.measurements), place)
    stage.draw(len(run.measurements), still=True)
    if page.experiment not in visit.tried:
        visit.tried[page.experiment] = frames.summary(run)
        tried(visit, stage.tried)


@dataclass
class Stage:
    """The places that are drawn again and again."""

    run: Run
    visit: Visit
    pinned: dict[str, Run]
    progress: DeltaGenerator
    cards: DeltaGenerator
    remedies: DeltaGenerator
    training: DeltaGenerator
    depth: DeltaGenerator
    tried: DeltaGenerator | None
    drawn_slow: float = -REDRAW_SLOW
    heat: pa.Table | None = None
    cures: tuple[tuple[str, Remedy], ...] = ()
    offers: int = 0

    @classmethod
    def lay_out(cls, run: Run, visit: Visit, pinned: dict[str, Run]) -> "Stage":
        progress, cards = st.container(), st.container()  # not st.empty(): a rerun keeps what they hold until it draws anew
        remedies = st.container(key="remedies").empty()
        left, right = st.columns(2, gap="medium")
        training = left.container(key="training_charts")
        with left.container(horizontal=True):
            heat_controls(visit)
        depth = right.container(key="depth_charts")
        right.caption(" ".join([DASHED, *predict(run.experiment).notes]))
        return cls(run, visit, pinned, progress, cards, remedies, training, depth, lower(visit))

    def draw(self, count: int, place: int = 0, still: bool = False) -> None:
        """The first `count` measurements; profiles and heat map only once a second, and where the view stands still."""
        e, shown, pins = self.run.experiment, self.visit.page.view, tuple(kept.experiment for kept in self.pinned.values())
        self.progress = self.progress.progress(max(0, count - 1) / e.steps, text=self.words(count, place))
        if not count:
            return
        self.visit.position = count
        waiting = self.visit.page.waiting(self.visit.chosen)
        found = verdicts(self.run, count)
        self.cards = self.cards.html(cards_html(self.run, count, found, waiting))
        self.offer(tuple((verdict.scheme, verdict.remedy) for verdict in found if verdict.remedy))
        if slow := still or time.monotonic() - self.drawn_slow >= REDRAW_SLOW:
            self.drawn_slow = time.monotonic()
            self.heat = frames.heat(self.run, shown.scheme(e), shown.heat_quantity, count)
        tables = frames.training_tables(self.run, count, self.pinned) | {"heat": self.heat}
        self.training = draw(self.training, charts.training_spec(e, shown.scheme(e), shown.heat_quantity, pins), tables)
        if slow:
            self.depth = draw(self.depth, charts.depth_spec(e, pins), frames.depth_tables(self.run, count, self.pinned))

    def offer(self, cures: tuple[tuple[str, Remedy], ...]) -> None:
        """A button for each remedy, drawn anew only where they are others."""
        if cures == self.cures:
            return
        self.cures, self.offers = cures, self.offers + 1
        with self.remedies.container(horizontal=True):
            for index, (sick, remedy) in enumerate(cures):
                st.button(
                    f"{schemes.title(sick)}: {remedy.label[:1].lower()}{remedy.label[1:]}", icon=":material/healing:",
                    key=f"cure_{self.offers}_{index}", on_click=self.visit.cure, args=(remedy, sick), help=CURE,
                )  # fmt: skip

    def words(self, count: int, place: int) -> str:
        steps = f"step {max(0, count - 1)} of {self.run.experiment.steps}"
        if place:
            return f"waiting for {place} other training{'s' * (place > 1)} on this server; {steps}"
        return ("paused at " if self.visit.paused else "") + steps


def lower(visit: Visit) -> DeltaGenerator | None:
    """What is made only when it is looked at; the place of the table of what was tried, where that is open."""
    for label, key, section in (("The numbers of the theory", "numbers", numbers), ("Singular values", "singular", singular)):
        with st.expander(label, key=key, on_change="rerun") as part:
            if part.open:
                section(visit.page.experiment)
    with st.expander("Tried in this visit", key="tried", on_change="rerun") as part:
        place = st.empty() if part.open else None
    tried(visit, place)
    return place


def singular(e: Experiment) -> None:
    if why := absent(e):
        return st.caption(why)
    draw(st.container(key="singular_chart"), charts.singular_spec(e), frames.singular_tables(e))
    st.caption(STRETCH)


def numbers(e: Experiment) -> None:
    st.dataframe(readouts(e), hide_index=True, column_config=columns.NUMBERS)
    for scheme in e.schemes:
        if words := equation(e, scheme):
            st.caption(schemes.title(scheme))
            st.latex(words)


def tried(visit: Visit, place: DeltaGenerator | None) -> None:
    """What was tried in this visit, one below another; a click opens it again."""
    if not place:
        return
    if not visit.tried:
        place.caption("Each experiment that came to its end is listed here.")
        return
    rows = pd.concat(list(visit.tried.values()), ignore_index=True)
    owners = [experiment for experiment, table in visit.tried.items() for _ in range(len(table))]
    key = f"tried_{len(rows)}_{visit.reopened}"  # a new table has no row chosen, so that any row can be clicked again
    with place.container():
        st.caption("Click the box before a row to open its settings again.")
        st.dataframe(
            rows, hide_index=True, key=key, selection_mode="single-row", column_config=columns.TRIED,
            on_select=lambda: [visit.reopen(owners[row]) for row in st.session_state[key].selection.rows],
        )  # fmt: skip
        csv = rows.to_csv(index=False)
        st.download_button("Download as CSV", csv, "tried.csv", "text/csv", on_click="ignore", key=f"download_{key}")


def draw(place: DeltaGenerator, spec: dict, tables: dict[str, pa.Table]) -> DeltaGenerator:
    """The same spec and new data: the browser keeps its picture and moves the lines."""
    datasets = {name: tabular.arrow(table) for name, table in tables.items()}
    return place.vega_lite_chart(None, spec | {"datasets": datasets}, width="stretch")


def heat_controls(visit: Visit) -> None:
    e, shown, settings = visit.page.experiment, visit.page.view, knobs.knobs(View)
    values = {"heat_scheme": shown.scheme(e), "heat_quantity": shown.heat_quantity}
    menus = {"heat_scheme": (e.schemes, schemes.title), "heat_quantity": (list(QUANTITIES), QUANTITIES.get)}
    for name, (options, words) in menus.items():
        st.session_state[name] = values[name]
        st.selectbox(
            settings[name].label, options, format_func=words, key=name, on_change=changed, args=(visit, name),
            help=settings[name].help,
        )  # fmt: skip


if __name__ == "__main__":
    main()
