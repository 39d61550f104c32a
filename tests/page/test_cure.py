"""Find a cure: what the page searches, how it says so, and what the cards offer then."""

from dataclasses import replace
from functools import cache

import pytest
from app_pages import cards, look_closer, opened, press, query, sound, state
from streamlit.testing.v1 import AppTest

from stability.diagnosis.cure_search import CureSearch
from stability.diagnosis.remedies import Remedy, settings_remedy
from stability.diagnosis.trials import SickNetwork
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.runs import Run
from stability.page.card_buttons import remedy_buttons
from stability.page.cure_section import cure_pieces, search_progress, search_refusal, search_to_open
from stability.page.pieces import ButtonTable, RemedyButton
from stability.page.server import Server
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import View

pytestmark = pytest.mark.page
LINK = {
    "schemes": "normal:0.001,zeros", "depth": "3", "width": "16", "features": "8",
    "samples": "64", "batch": "32", "steps": "20", "learning_rate": "0.5",
}  # fmt: skip
E = Experiment.from_query(LINK)[0]


@cache
def finished_search() -> CureSearch:
    return CureSearch(SickNetwork.of(E, "normal:0.001")).train()


@cache
def finished_run() -> Run:
    return Run(E).train()


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


# On the page


def test_find_a_cure_opens_the_search_for_the_first_sick_scheme_and_lists_what_it_tried():
    at = press(opened(**LINK), "Find a cure")
    assert query(at)["section"] == "cure"
    assert query(at)["cure_scheme"] == "normal:0.001"
    assert f"all {finished_search().record.change_count} changes tried" in cards(at)
    rows = at.dataframe[0].value
    assert len(rows) == len(finished_search().measurements)
    assert rows["verdict"][0] == "learns", "the best first"
    assert list(rows)[:4] == ["apply", "change", "verdict", "loss"]
    (label,) = [label for label in labels(at) if label.startswith("Seen to cure: ")]
    at = press(at, "Cancel")
    assert "section" not in query(at)
    assert label in labels(at), "what was found stays"
    at = press(at, label)
    assert state(at) != E


def test_a_search_opened_by_hand_is_for_the_first_scheme_that_does_not_learn():
    at = look_closer(opened(**LINK), "cure")
    chooser = next(box for box in at.selectbox if box.key == "closer_cure_scheme")
    assert chooser.value == ""
    assert "Normal 0.001: all" in cards(at)
    at = sound(chooser.set_value("zeros").run())
    assert "Zeros: all" in cards(at)


def test_where_every_network_learns_there_is_nothing_to_cure():
    link = LINK | {"schemes": "he_normal", "steps": "200", "learning_rate": "0.1"}
    at = look_closer(opened(**link), "cure")
    assert "there is nothing to cure" in cards(at)
    assert "Find a cure" not in labels(at)
    assert not at.dataframe


# What is searched and said


def test_a_search_that_would_take_too_long_is_refused_in_one_sentence():
    server, session = Server({}), Session()
    session.show_page(Page(experiment=E, view=View(section="cure")))
    server.speed = replace(server.speed, call=1e3)
    look = server.look(session)
    look.stream.train()
    assert server.open_search(look) is None
    (piece,) = look.section.pieces(look.stream, E.steps + 1).values()
    assert "this page stops at 10 minutes" in piece.content
    assert search_refusal(1200, 2**31, 600, 2**30).count(".") == 1


def test_nothing_is_searched_before_the_last_step():
    run, view = Run(E), View(section="cure")
    run.measurement_at(2)
    waits, _ = cure_pieces(run, view, None)
    assert "after the last step" in waits.content
    assert search_to_open(finished_run(), view).scheme == "normal:0.001"
    chosen = search_to_open(finished_run(), replace(view, cure_scheme="zeros"))
    assert chosen.scheme == "zeros"


def test_progress_counts_changes_and_then_pairs():
    search = CureSearch(SickNetwork.of(replace(E, steps=1, learning_rate=1e-6), "normal:0.001"))
    singles = search.record.change_count
    assert search_progress(search) == f"the first of {singles} changes are being trained"
    search.measurement_at(0)
    assert search_progress(search).startswith(f"{len(search.measurements)} of {singles} changes")
    search.train()
    pairs = len(search.measurements) - singles
    assert (
        search_progress(search)
        == f"all {singles} changes and {pairs} pairs of them tried, none cures"
    )


def test_each_row_applies_its_change():
    _, table = cure_pieces(finished_run(), View(section="cure"), finished_search())
    assert isinstance(table, ButtonTable)
    for action, change in zip(table.actions, table.rows["change"], strict=True):
        session = Session()
        session.show_page(Page(experiment=E))
        action(session)
        assert session.page.experiment != E, change


# The row of buttons


def row(
    *verdicts: Verdict, searches: dict[str, CureSearch] | None = None
) -> tuple[RemedyButton, ...]:
    return remedy_buttons(E, verdicts, searches or {})


def with_remedy(verdict: Verdict, remedy: Remedy | None, word: str = "stalled") -> Verdict:
    changed = replace(verdict, word=word)
    vars(changed)["remedy"] = remedy  # as if it had been read before
    return changed


def test_one_button_offers_the_settings_that_several_schemes_ask_for():
    first, second = current_verdicts(finished_run(), E.steps + 1)
    remedy = settings_remedy(E, normalization="layer")
    first, alike = with_remedy(first, remedy), with_remedy(second, remedy)
    together, *finds = row(first, alike)
    assert together.label.startswith("For both: ")
    assert [(find.card, find.label) for find in finds] == [(0, "Find a cure"), (1, "Find a cure")]
    assert finds[0].arguments == ("normal:0.001",)
    other = with_remedy(second, settings_remedy(E, clip=1.0))
    assert [(button.card, button.arguments[-1]) for button in row(first, other)] == [
        (card, scheme) for _ in range(2) for card, scheme in enumerate(["normal:0.001", "zeros"])
    ]
    beside = Remedy(scheme="he_normal")
    assert len(row(with_remedy(first, beside), with_remedy(second, beside))) == 3
    third = with_remedy(replace(first, scheme="he_normal"), remedy)
    assert row(first, alike, third)[0].label.startswith("For all three: ")


def test_a_cure_that_was_found_takes_the_place_of_the_suggestion():
    first, second = current_verdicts(finished_run(), E.steps + 1)
    found, suggested, *_ = row(first, second, searches={"normal:0.001": finished_search()})
    assert found.label.startswith("Seen to cure: ")
    remedy, sick = found.arguments
    assert sick == "normal:0.001"
    assert next(cure for cure in finished_search() if cure.remedy == remedy).cures
    assert "Seen" not in suggested.label
    healthy = with_remedy(first, None, "learns")
    assert row(healthy, searches={"normal:0.001": finished_search()}) == ()
