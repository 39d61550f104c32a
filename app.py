"""The page. `main` is its table of contents; the state is one Experiment and one View, and the link spells both."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stability import cards, charts, frames, knobs, schemes, view
from stability.cost import Speed, cost, measured_speed, nearest_that_fits
from stability.experiment import Experiment
from stability.knobs import Choice, Flag, Integer, Number, Real, Several
from stability.process import settle
from stability.runs import Registry, Run, RunError
from stability.view import View

MOST_SECONDS, MOST_BYTES = 60, 2 * 2**30  # of one run on this page; the library knows no such limit
DRAW, REDRAW_SLOW = 0.25, 1.0  # seconds between draws of the training curves, and of profiles and heat map
PROMISE = "See what an initialization does to a deep network: one architecture, one data set, different first weights."
GROUPS = "Compare", "Network", "Data", "Training"
COPY_JS = """
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    const link = location.origin + location.pathname + "?" + data.query;
    try { await navigator.clipboard.writeText(link); button.textContent = "Link copied"; }
    catch { prompt("Copy this link", link); }
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  };
}
"""
COPY_CSS = """
button { font: inherit; color: var(--st-text-color); background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
  min-height: 2.5rem; padding: 0.25rem 0.75rem; font-size: 0.875rem; }
button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); outline: none; }
"""
PAGE_CSS = f"""<style>
.stMainBlockContainer {{ padding: 1.5rem 2rem 2rem; }}
@media (max-width: 48rem) {{ .stMainBlockContainer {{ padding: 4rem 1rem 2rem; }} }}
@media (max-width: 72rem) {{ .stColumn:has(.st-key-training_charts, .st-key-depth_charts) {{ min-width: 100%; }} }}
.heading {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }}
.heading h1, .heading p {{ margin: 0; padding: 0; }}
.st-key-training_charts, .st-key-depth_charts {{ padding-right: {charts.AXIS_WIDTH + 8}px; }}
</style>"""  # Streamlit makes a panel as wide as its place, and the axis stands beside it


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
    copy_link = st.components.v2.component("copy_link", html="<button>Copy link</button>", css=COPY_CSS, js=COPY_JS)
    return Server(Registry(), measured_speed(), copy_link)


def main() -> None:
    st.set_page_config("Stability: what an initialization does", page_icon="⚖️", layout="wide")
    house = server()
    follow_link()
    with st.sidebar:
        controls()
    write_link()
    heading()
    toolbar(house)
    notices()
    state, place = st.session_state, st.empty()
    if state.no_scheme:
        words = "Choose at least one initialization in the sidebar, and its curves appear here."
        place.info(words, icon=":material/add_chart:")
    elif not house.fits(state.experiment):
        with place.container():
            refusal(house, state.experiment)
    else:
        try:
            show(house, house.registry.open(state.experiment), state.view)
        except RunError as failure:
            st.error(f"{escaped(str(failure).capitalize())}. Other settings still work.", icon=":material/error:")


# The state and its link


def follow_link() -> None:
    """Takes the state from the address where it was opened, or changed by Back and Forward; else the controls have won."""
    state, query = st.session_state, st.query_params.to_dict()
    touched, state.touched = state.get("touched", False), False
    if "written" in state and (touched or query == state.written):
        return
    state.written = query
    experiment, shown, notes = view.from_query(query)
    remember(experiment, shown, notes)


def remember(experiment: Experiment, shown: View, notes: list[str] = ()) -> None:
    """Makes this the state of the session; a new experiment is seen from its start, and runs."""
    state = st.session_state
    if state.get("experiment") != experiment:
        state.paused, state.position = False, 1
    state.experiment, state.view, state.notes, state.no_scheme = experiment, shown, list(notes), False


def change(name: str, value: Any, notes: list[str] = ()) -> None:
    """One setting, by hand. Settings that now disagree are mended, and the page says so."""
    state = st.session_state
    state.touched = True
    if name in knobs.values(state.view):
        return remember(state.experiment, replace(state.view, **{name: value}))
    settings = knobs.values(state.experiment) | {name: value}
    typical = state.experiment.optimization.learning_rate
    experiment, more = knobs.mended(Experiment, settings)
    if name == "optimizer" and experiment.learning_rate == typical:  # not chosen by hand
        experiment = replace(experiment, learning_rate=experiment.optimization.learning_rate)
    remember(experiment, state.view, [*notes, *more])


def write_link() -> None:
    """The address shows the state. An address that already opens this very page is left as it is: Back must pass it."""
    state = st.session_state
    if view.from_query(state.written)[:2] != (state.experiment, state.view):
        state.written = view.to_query(state.experiment, state.view)
        st.query_params.from_dict(state.written)


# The sidebar


def controls() -> None:
    """One control for each knob, by group."""
    experiment = st.session_state.experiment
    for group in GROUPS:
        st.subheader(group, anchor=False)
        for name, knob in knobs.knobs(Experiment).items():
            fixed = name == "features" and experiment.data.fixed_features
            if knob.group == group and not fixed:
                control(name, knob, getattr(experiment, name))


def control(name: str, knob: knobs.Knob, value: Any) -> None:
    """The widget that fits the knob. Its key is the knob's name; it shows the state and reports to `changed`."""
    shared = {"label": knob.label, "help": knob.help, "key": name, "on_change": changed, "args": (name,)}
    st.session_state[name] = value
    match knob:
        case Several():
            st.session_state[name] = [] if st.session_state.no_scheme else list(value)
            options = list(dict.fromkeys([*knob.rows, *value]))
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


def changed(name: str) -> None:
    """Called when a control was moved by hand."""
    value, knob = st.session_state[name], (knobs.knobs(Experiment) | knobs.knobs(View))[name]
    if not isinstance(knob, Several):
        return change(name, value)
    try:
        taken, refused = knob.forgive(",".join(value))
        change(name, taken, [f"{knobs.refusal(name, part, legal)}; it was left out." for part, legal in refused])
    except ValueError as error:
        st.session_state.touched, st.session_state.no_scheme = True, not value
        st.session_state.notes = [knobs.refusal(name, text, error) + "." for text in value]


# The main area


def heading() -> None:
    st.html(f"{PAGE_CSS}<div class='heading'><h1>Stability</h1><p>{PROMISE}</p></div>")


def toolbar(house: Server) -> None:
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="center"):
        label, icon = ("Resume", ":material/play_arrow:") if state.paused else ("Pause", ":material/pause:")
        st.button(label, icon=icon, on_click=pause, help="Stops your view; nobody else's.")
        st.button("Step", icon=":material/skip_next:", on_click=step, help="One step further, then paused.")
        st.button("New seed", icon=":material/casino:", on_click=new_seed, help="The same settings, drawn anew.")
        st.button("Reset", icon=":material/restart_alt:", on_click=reset, help="Back to the settings of the first visit.")
        query = urlencode(view.to_query(state.experiment, state.view), safe=",:")
        house.copy_link(data={"query": query}, key="copy_link", width="content", height="content")


def pause() -> None:
    state = st.session_state
    state.touched, state.paused = True, not state.paused


def step() -> None:
    state = st.session_state
    state.touched, state.paused, state.position = True, True, min(state.position + 1, state.experiment.steps + 1)


def new_seed() -> None:
    change("seed", secrets.randbelow(10_000))


def reset() -> None:
    st.session_state.touched = True
    remember(Experiment(), View())


def notices() -> None:
    place = st.empty()  # always there, or all that follows would move, and what was there before stay behind it
    if st.session_state.notes:
        place.warning("\n\n".join(escaped(note) for note in st.session_state.notes), icon=":material/info:")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; a word joiner, which has no width, cuts what it would turn into a link."""
    text = re.sub(r"(?i)https?(?=:)|www(?=\.)|@", "\\g<0>\u2060", text)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|$:~^" else letter for letter in text)


def refusal(house: Server, experiment: Experiment) -> None:
    """A run that is too large for this server: the estimate, and the nearest setting that fits."""
    seconds, gigabytes = house.speed.seconds(experiment), cost(experiment).bytes / 2**30
    nearest = nearest_that_fits(experiment, house.fits)
    differing = {name: value for name, value in knobs.values(nearest).items() if value != getattr(experiment, name)}
    words = ", ".join(f"{knobs.knobs(Experiment)[name].label.lower()} {value}" for name, value in differing.items())
    st.warning(
        f"This run would take about {charts.number(seconds)} s and {charts.number(gigabytes)} GB here; this page stops at "
        f"{MOST_SECONDS} s and {MOST_BYTES // 2**30} GB. It fits with {words}.",
        icon=":material/hourglass_disabled:",
    )
    st.button(f"Use {words}", on_click=take, args=(nearest,), type="primary")


def take(experiment: Experiment) -> None:
    st.session_state.touched = True
    remember(experiment, st.session_state.view)


# The run and its pictures


def show(house: Server, run: Run, shown: View) -> None:
    """Draws what there is at once, then, unless paused, attends the run until it is finished."""
    state, stage = st.session_state, Stage.lay_out(run, shown)
    if state.paused:
        run.at(state.position - 1)
        return stage.draw(min(state.position, len(run.measurements)), state)
    with house.registry.attend(run):
        while not run.finished:
            place = house.registry.place(run)
            if place:
                time.sleep(DRAW)  # somebody else's training goes on meanwhile
            else:
                run.advance(DRAW if run.measurements else 0.0)
            stage.draw(len(run.measurements), state, place)
    stage.draw(len(run.measurements), state)


@dataclass
class Stage:
    """The places that are drawn again and again."""

    run: Run
    view: View
    progress: DeltaGenerator
    cards: DeltaGenerator
    training: DeltaGenerator
    depth: DeltaGenerator
    drawn_slow: float = -REDRAW_SLOW
    heat: pa.Table | None = None

    @classmethod
    def lay_out(cls, run: Run, shown: View) -> "Stage":
        progress, cards = st.container(), st.container()  # not st.empty(): a rerun keeps what they hold until it draws anew
        left, right = st.columns(2, gap="medium")
        training = left.container(key="training_charts")
        with left.container(horizontal=True):
            heat_controls(run.experiment, shown)
        return cls(run, shown, progress, cards, training, right.container(key="depth_charts"))

    def draw(self, count: int, state: Any, place: int = 0) -> None:
        """The first `count` measurements; profiles and heat map only once a second, and where the view stands still."""
        e = self.run.experiment
        self.progress = self.progress.progress(max(0, count - 1) / e.steps, text=self.words(count, place, state.paused))
        if not count:
            return
        state.position = count
        self.cards = self.cards.html(cards.html(self.run, count))
        if slow := state.paused or self.run.finished or time.monotonic() - self.drawn_slow >= REDRAW_SLOW:
            self.drawn_slow = time.monotonic()
            self.heat = frames.heat(self.run, self.view.scheme(e), self.view.heat_quantity, count)
        spec = charts.training_spec(e, self.view.scheme(e), self.view.heat_quantity)
        self.training = draw(self.training, spec, frames.training_tables(self.run, count) | {"heat": self.heat})
        if slow:
            self.depth = draw(self.depth, charts.depth_spec(e), frames.depth_tables(self.run, count))

    def words(self, count: int, place: int, paused: bool) -> str:
        steps = f"step {max(0, count - 1)} of {self.run.experiment.steps}"
        if place:
            return f"waiting for {place} other training{'s' * (place > 1)} on this server; {steps}"
        return ("paused at " if paused else "") + steps


def draw(place: DeltaGenerator, spec: dict, tables: dict[str, pa.Table]) -> DeltaGenerator:
    """The same spec and new data: the browser keeps its picture and moves the lines."""
    datasets = {name: frames.arrow(table) for name, table in tables.items()}
    return place.vega_lite_chart(None, spec | {"datasets": datasets}, width="stretch")


def heat_controls(experiment: Experiment, shown: View) -> None:
    st.session_state.heat_scheme, st.session_state.heat_quantity = shown.scheme(experiment), shown.heat_quantity
    words = knobs.knobs(View)
    st.selectbox(
        words["heat_scheme"].label, experiment.schemes, format_func=schemes.title, key="heat_scheme", on_change=changed,
        args=("heat_scheme",), help=words["heat_scheme"].help,
    )  # fmt: skip
    st.selectbox(
        words["heat_quantity"].label, list(view.QUANTITIES), format_func=view.QUANTITIES.get, key="heat_quantity",
        on_change=changed, args=("heat_quantity",), help=words["heat_quantity"].help,
    )  # fmt: skip


if __name__ == "__main__":
    main()
