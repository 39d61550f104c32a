"""Pieces and their elements, on containers that write down what is drawn in them."""

import math

from stability.engine.runs import Run
from stability.page.benches import Look, open_claim, open_section
from stability.page.pieces import Picture, Slot, html
from stability.page.renderer import LOADING, Renderer, draw_piece, held_cards
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES
from stability.records.page import Page
from stability.records.view import View

E = Experiment(
    schemes=("normal:0.001", "he_normal"),
    depth=6,
    width=4,
    features=3,
    samples=64,
    batch=8,
    steps=3,
)


class Container:
    """A place of the page: what is drawn in it is written down, and is a place again."""

    def __init__(self, name: str, log: list[tuple[str, str]]):
        self.name, self.log = name, log

    def __getattr__(self, kind: str):
        def draw(*arguments, **named) -> "Container":
            self.log.append((self.name, kind))
            return Container(f"{self.name}/{kind}", self.log)

        return draw


def renderer_of(
    section: str = "", experiment: Experiment = E, opened_at: float = -LOADING
) -> tuple[Renderer, list]:
    page = Page(experiment=experiment, view=View(section=section))
    look = Look(
        stream=Run(experiment).train(),
        page=page,
        section=open_section(page, lambda cost: True),
        pinned={},
        waiting={},
        claim=open_claim(None, page, lambda cost: True),
    )
    log: list[tuple[str, str]] = []
    containers: dict = {slot: Container(slot.name, log) for slot in Slot}
    containers[Slot.CARDS] = [Container("CARDS", log) for _ in experiment.schemes]
    session = Session()
    session.opened_at = opened_at
    return Renderer(containers, look, session, lambda key, press: {}), log


def test_every_piece_is_drawn_where_it_was_drawn_before():
    renderer, log = renderer_of("numbers")
    renderer.draw(1, at_rest=True)
    first = log.copy()
    assert ("SECTION", "dataframe") in first
    log.clear()
    renderer.draw(2, at_rest=True)
    assert {name for name, _ in log} == {
        "PROGRESS/html",
        "NETWORK/html",
        "CARDS/html",
        "LEFT/vega_lite_chart",
        "RIGHT/vega_lite_chart",
        "SECTION/dataframe",
    }


def test_text_that_stands_there_already_is_not_sent_again():
    renderer, log = renderer_of()
    for _ in range(3):
        renderer.draw(2, at_rest=True)
        words, charts = (
            [name for name, kind in log if kind == method] for method in ("html", "vega_lite_chart")
        )
        log.clear()
    assert not words
    assert len(charts) == 2


def test_between_two_slow_draws_only_what_is_quick_is_drawn():
    renderer, log = renderer_of("numbers")
    renderer.draw(1)
    log.clear()
    renderer.draw(2)
    drawn = {name.partition("/")[0] for name, _ in log}
    assert drawn <= {"PROGRESS", "CARDS", "LEFT"}


def test_while_a_browser_loads_nothing_is_drawn_between_two_slow_draws_but_the_end():
    renderer, log = renderer_of(opened_at=math.inf)  # it never ends here
    renderer.draw(2)
    log.clear()
    renderer.draw(3)
    assert log == []
    renderer.draw(4, at_rest=True)
    assert ("LEFT/vega_lite_chart", "vega_lite_chart") in log


def test_remedies_stand_on_cards_and_are_drawn_only_where_they_changed():
    renderer, log = renderer_of()
    renderer.draw(4, at_rest=True)
    buttons = [name for name, kind in log if kind == "button"]
    assert buttons
    assert all(name.startswith("CARDS/container/empty") for name in buttons)
    log.clear()
    renderer.draw(4, at_rest=True)
    assert not [name for name, kind in log if kind == "button"]


def test_each_scheme_has_a_place_that_is_held_and_the_other_places_are_emptied():
    log: list[tuple[str, str]] = []
    session = Session()
    held = held_cards(Container("page", log), session)
    count = len(session.chosen_schemes)
    assert len(held) == count
    made = [kind for name, kind in log if name == "page/container"]
    assert made == ["container"] * count + ["empty"] * (MOST_SCHEMES - count)
    session.chosen_schemes = ()
    assert held_cards(Container("page", log), session) == []


def test_who_waits_is_told_once_and_old_curves_go():
    renderer, log = renderer_of()
    log.clear()
    for _ in range(2):
        renderer.draw(0, queue_position=1)
    emptied = [name for name, _ in log if name in ("LEFT", "RIGHT")]
    assert emptied == ["LEFT", "RIGHT"]
    said = log.count(("CARDS", "html"))
    renderer.draw(0)
    assert log.count(("CARDS", "html")) == said == len(E.schemes), "the others are blank"


def test_small_pictures_stand_in_one_row_that_wraps():
    e = Experiment(**{"schemes": E.schemes, "depth": 3, "width": 4, "samples": 64, "batch": 8},
                   steps=3, dataset="moons")  # fmt: skip
    renderer, log = renderer_of("learned", e)
    renderer.draw(4, at_rest=True)
    assert log.count(("SECTION", "container")) == 1 + 2, "and two of buttons: PNG and SVG"
    assert log.count(("SECTION/container", "vega_lite_chart")) == len(e.schemes)


def test_a_spec_is_not_changed_by_being_drawn_and_larger_in_a_room():
    spec, log = {"vconcat": [], "config": {}}, []
    element = draw_piece(Container("here", log), Picture(spec, {}))
    assert spec == {"vconcat": [], "config": {}}
    assert element.name == "here/vega_lite_chart"
    assert draw_piece(Container("here", log), html("x")).name == "here/html"
