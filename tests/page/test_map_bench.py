"""The bench "Map": its answer, its settings, its cells on the Train bench; last in a browser."""

import json
import re
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from app_pages import cards, charts, look_closer, notices, press, query, sound, state
from app_pages import page as open_page
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from small_maps import SMALL_MAP, computed, small_sweep
from streamlit.testing.v1 import AppTest

from stability.cells.map_run import MapRun
from stability.page.map_sections import cell_lines, map_downloads
from stability.page.map_sentences import answer_sentence, progress_words
from stability.page.map_session import (
    cancel_map,
    cell_beside_neighbours,
    is_cancelled,
    open_map,
    resume_map,
    sweep_around,
)
from stability.page.server import Server
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.sweep import Sweep
from stability.records.view import View

pytestmark = pytest.mark.page
LEARNING = {"width": 16, "features": 8, "steps": 60, "learning_rate": 0.1}


def bench(**link: str) -> AppTest:
    return open_page(**SMALL_MAP | link)


def sweep_of(at: AppTest) -> Sweep:
    return at.session_state.session.page.sweep


def page_of(sweep: Sweep, **view) -> Page:
    return Page(view=View(bench="map", **view)).with_record(sweep)


# What is shown


def test_a_map_says_first_how_many_networks_learn_and_shows_every_cell():
    at = bench()
    assert "of 9 networks learn" in cards(at)
    assert "all 9 cells" in cards(at)
    assert charts(at)["cells"].num_rows == 9
    assert charts(at)["border"].num_rows
    assert "a scale, not a wall" in "".join(caption.value for caption in at.caption)


def test_another_quantity_is_shown_without_computing_again():
    server, session = Server({}), Session()
    looks = []
    for quantity in ("test_accuracy", "verdict"):
        session.show_page(page_of(small_sweep(quantity=quantity)))
        looks.append(server.look(session))
    assert looks[0].stream is looks[1].stream
    pictures = [look.bench.scene(look).figure((), 0) for look in looks]
    assert pictures[0].spec != pictures[1].spec


def test_the_answer_names_the_deepest_network_that_learns_and_where():
    sweep = small_sweep(**LEARNING)
    cells = computed(sweep)
    sentence = answer_sentence(sweep, cells)
    learning = [cell for cell in cells if sum(cell.outcome.learns)]
    assert sentence.startswith(f"{len(learning)} of 9 networks learn; the deepest that learns has ")
    assert f"{max(cell.y for cell in learning)} layers, at sigma_w " in sentence
    assert answer_sentence(sweep, cells[:2]).startswith("So far, ")
    none = [cell for cell in cells if not sum(cell.outcome.learns)]
    assert answer_sentence(sweep, none).startswith("So far, none of ")


def test_the_answer_of_rates_names_the_largest_at_which_one_learns():
    sweep = small_sweep(**LEARNING | {"y": "learning_rate", "y_range": (0.01, 1.0), "depth": 3})
    assert "the largest learning rate at which one learns is " in answer_sentence(
        sweep, computed(sweep)
    )


@pytest.mark.parametrize(
    ("section", "pieces"), [("cut", "Open this cell on Train"), ("lines", "cells.compute(sweep)")]
)
def test_a_section_shows_the_map_in_another_way(section, pieces):
    at = bench(section=section)
    texts = [one.value for one in at.code] + [button.label for button in at.button]
    assert any(pieces in text for text in texts)


def test_the_lines_of_python_make_the_same_map():
    sweep = small_sweep(steps=3, activation="relu", y_axis="log", x_range=(0.5, 2.0))
    first = cell_lines(sweep).splitlines()[2]
    assert eval(first.partition("= ")[2], {"Sweep": Sweep, "Experiment": Experiment}) == sweep


def test_a_map_can_be_taken_along_with_its_link():
    sweep = small_sweep()
    run = MapRun(sweep.with_any_quantity()).train()
    rows = dict(map_downloads(run, page_of(sweep), {}, "http://here/"))
    files = {one.options["file_name"]: one.options["data"] for row in rows.values() for one in row}
    kinds = [name.rpartition(".")[2] for name in files]
    assert kinds == ["png", "svg", "csv", "parquet", "json"]
    made = {name.rpartition(".")[2]: make() for name, make in files.items()}
    assert made["png"].startswith(b"\x89PNG")
    assert "<svg" in made["svg"].decode()
    assert len(made["csv"].splitlines()) == 10
    assert "bench=map" in json.loads(made["json"])["link"]


# Settings


def test_a_setting_that_is_varied_has_no_control_but_a_sentence():
    at = bench()
    assert not [slider for slider in at.sidebar.slider if slider.key == "depth"]
    assert any("the map varies it upward" in one.value for one in at.sidebar.caption)
    at = sound(at.sidebar.selectbox(key="y").set_value("learning_rate").run())
    assert [slider for slider in at.sidebar.slider if slider.key == "depth"]
    assert sweep_of(at).y_range == (0.0001, 1.0)


def test_two_numbers_are_the_ends_of_an_axis():
    at = bench()
    at = sound(at.sidebar.number_input(key="y_range_high").set_value(5).run())
    assert query(at)["y_range"] == "2,5"
    at = sound(at.sidebar.number_input(key="y_range_low").set_value(9).run())
    assert "the smaller first" in notices(at)
    assert sweep_of(at).y_range == (2.0, 5.0)


def test_the_initialization_is_one_and_may_be_typed():
    at = bench()
    for shown, scheme in (("Orthogonal gain 1", "orthogonal:1"), ("N(0, 0.02)", "normal:0.02")):
        session = at.session_state.session
        session.enter_value("schemes", [shown])
        at = sound(at.run())
        assert sweep_of(at).base.schemes == (scheme,)
    assert state(at) == Experiment(), "that of the Train bench stays"
    assert at.session_state.session.chosen_schemes == Experiment().schemes


def test_an_optimizer_brings_its_typical_rate():
    at = bench()
    at = sound(at.sidebar.selectbox(key="optimizer").set_value("adam").run())
    assert sweep_of(at).base.learning_rate == sweep_of(at).base.optimizer_row.learning_rate != 0.02


def test_a_map_survives_a_visit_to_another_bench():
    at = bench()
    sweep = sweep_of(at)
    at.session_state.session.open_bench("product")
    at = sound(at.run())
    assert sweep_of(at) == sweep
    at.session_state.session.open_bench("map")
    assert sweep_of(sound(at.run())) == sweep


# To and from Train


def test_a_map_of_an_experiment_varies_the_value_of_its_first_scheme_that_has_one():
    e = Experiment(activation="gelu", depth=7, width=16)
    sweep = sweep_around(e, Sweep(x_cells=5))
    assert (sweep.x, sweep.y, sweep.x_cells) == ("scheme_value", "depth", 5)
    assert sweep.base.schemes == ("normal:1",)
    assert sweep.base.activation == "gelu"
    plain = sweep_around(replace(e, schemes=("he_normal",)), Sweep())
    assert (plain.x, plain.y) == ("learning_rate", "depth")


def test_a_button_on_train_leads_to_the_map_of_its_settings():
    session = Session()
    session.show_page(Page(Experiment(schemes=("he_normal",), activation="selu")))
    open_map(session)
    assert session.page.view.bench == "map"
    assert session.page.sweep.base.activation == "selu"


def test_a_cell_opens_beside_its_neighbours():
    sweep = small_sweep()
    cell, pins = cell_beside_neighbours(sweep, 1, 2)
    assert cell.schemes == tuple(f"scaled_normal:{value:g}" for value in sweep.x_values)
    assert (cell.depth, pins) == (6, ())
    corner, _ = cell_beside_neighbours(sweep, 0, 0)
    assert len(corner.schemes) == 2
    rates = small_sweep(x="learning_rate")
    cell, pins = cell_beside_neighbours(rates, 1, 0)
    assert cell.learning_rate == rates.x_values[1]
    assert [pin.learning_rate for pin in pins] == [rates.x_values[0], rates.x_values[2]]


def test_a_click_on_a_cell_trains_it():
    at = bench()
    sweep = sweep_of(at)
    at = press(look_closer(at, "cut"), "Open this cell on Train")
    assert at.session_state.session.page.view.bench == "train"
    assert set(state(at).schemes) <= {f"scaled_normal:{value:g}" for value in sweep.x_values}
    assert sweep_of(at) == sweep


# Computing


def test_thirty_visitors_of_one_link_share_one_computation():
    server, page = Server({}), page_of(small_sweep())
    streams = set()
    for _ in range(30):
        session = Session()
        session.show_page(page)
        streams.add(server.look(session).stream)
    assert len(streams) == 1
    assert streams.pop().gives_way


def test_a_map_that_is_left_keeps_its_cells_and_goes_on_where_it_stood():
    server, session = Server({}), Session()
    session.show_page(page_of(small_sweep(steps=9)))
    look = server.look(session)
    with closing(server.follow(look)) as positions:
        server.registry.soon, server.registry.at_once = 0.0, 0.0
        next(positions)
    before = list(look.stream.measurements)
    again = server.look(session)
    assert again.stream is look.stream
    list(server.follow(again))
    assert again.stream.finished
    assert again.stream.measurements[: len(before)] == before


def test_a_cancelled_map_is_not_computed_for_this_visitor_until_it_is_resumed():
    server, session = Server({}), Session()
    session.show_page(page_of(small_sweep(steps=8)))
    cancel_map(session)
    assert is_cancelled(session)
    look = server.look(session)
    assert list(server.follow(look)) == []
    assert progress_words(look.stream, is_cancelled=True, remark="") == "0 of 9 cells, stopped"
    session.change_setting("quantity", "verdict")
    assert is_cancelled(session), "the same cells"
    resume_map(session)
    list(server.follow(server.look(session)))
    assert look.stream.finished


def test_a_map_that_takes_too_long_is_refused_with_what_fits_and_keeps_its_border():
    at = bench(x_cells="100", y_cells="100", width="128", steps="500", y_range="2,60")
    assert "This map would take about" in notices(at)
    assert "10 minutes" in notices(at)
    (use,) = [button.label for button in at.button if button.label.startswith("Use ")]
    assert "columns" in use
    assert charts(at)["cells"].num_rows == 0
    assert charts(at)["border"].num_rows


# In a browser


def cell_count(page: Tab) -> int:
    """How many cells the map in a browser knows."""
    return page.evaluate("(rows('cells') ?? []).filter((row) => row.computed).length")


@pytest.mark.browser
def test_a_map_fills_in_and_a_click_on_a_cell_trains_it_beside_its_neighbours(page: Tab, server):
    page.goto(f"{server.url}?{urlencode(SMALL_MAP | {'steps': '60', 'width': '16'}, safe=',')}")
    page.wait_for_function("(rows('cells') ?? []).length === 9")
    expect(page.get_by_text("all 9 cells")).to_be_visible()
    page.wait_for_function("rows('cells').every((row) => row.computed)")
    page.wait_for_function("document.querySelector('canvas.marks')")
    box = page.locator("canvas.marks").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    expect(page.get_by_role("heading", name="Scaled normal 1.75")).to_be_visible()
    assert "scaled_normal" in page.url
    assert "bench=map" not in page.url


@pytest.mark.browser
def test_a_map_is_cancelled_and_resumed_where_it_stood(page: Tab, server):
    link = SMALL_MAP | {"x_cells": "9", "y_cells": "9", "steps": "400", "y_range": "20,40"}
    page.goto(f"{server.url}?{urlencode(link, safe=',')}")
    page.wait_for_function("(rows('cells') ?? []).some((row) => row.computed)")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile(r"^\d+ of \d+ cells, stopped$"))).to_be_visible()
    known = cell_count(page)
    assert 0 < known < 81
    page.get_by_role("button", name="Resume").click()
    page.wait_for_function(f"rows('cells').filter((row) => row.computed).length > {known}")
