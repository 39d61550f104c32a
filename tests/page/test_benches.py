"""The rows of the benches: each whole, and what a look at one computes and shows."""

from dataclasses import replace

import pytest

from stability.course.claims import Claim, parse_claim
from stability.engine.registry import Registry
from stability.engine.runs import ProductRun, Run
from stability.page.benches import BENCHES, Look, open_claim, open_section
from stability.page.cards import FORECAST_NOTE
from stability.page.pieces import Slot, paragraphs
from stability.page.sections import TOO_LARGE
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.product import Product
from stability.records.view import BENCH_LINKS, View

E = Experiment(
    schemes=("normal:0.001",), depth=6, width=4, features=3, samples=64, batch=8, steps=3
)
P = Product(n=3, replicates=2, count=5)


def look_at(page: Page, pins: int = 0, claim: Claim | None = None) -> Look:
    section = open_section(page, lambda cost: True)
    opened_claim = open_claim(claim, page, lambda cost: True)
    for opened in (section, opened_claim):
        opened.computations = [Registry({}).open(probe) for probe in opened.probes]
    return Look(
        stream=BENCHES[type(page.record)].stream(page.record),
        page=page,
        section=section,
        pinned={f"seed {seed}": Run(replace(E, seed=seed)) for seed in range(1, pins + 1)},
        waiting={},
        claim=opened_claim,
    )


def test_every_bench_that_a_link_can_show_is_one_whole_row():
    shown = {link.record: link for link in BENCH_LINKS.values() if link.record}
    assert BENCHES.keys() == shown.keys()
    assert [key for key, link in BENCH_LINKS.items() if not link.record] == ["course"]
    for kind, bench in BENCHES.items():
        record = kind()
        assert bench.stream(record).record == record
        assert bench.cost(record).operations > 0
        assert set(bench.shrinkable) <= set(record.knobs())
        assert set(bench.sections) == set(shown[kind].sections)


def test_the_section_of_a_page_is_computed_between_the_first_pictures_and_the_rest():
    look = look_at(Page(experiment=E, view=View(section="gains")), pins=2)
    run, (computation,) = look.stream, look.section.computations
    pins = [(pin, 4) for pin in look.pinned.values()]
    assert look.streams == [(run, 1), (computation, 1), (run, 4), *pins]
    assert look_at(Page(experiment=E, view=View())).streams[0][1] == 4


def test_a_claim_is_read_once_what_it_needs_beside_the_run_is_computed():
    claim = parse_claim("moved[each][swap] < 1e-12 and forward[each] > 0 and loss[each] > 0")
    look = look_at(Page(experiment=E), claim=claim)
    run, (moves, gains) = look.stream, look.claim.computations
    assert look.streams == [(run, 1), (moves, 1), (gains, 1), (run, 4)]
    run.train()
    assert not look.claim.pieces(run, 4)
    moves.train()
    gains.train()
    (reading,) = look.claim.pieces(run, 4).values()
    assert "<b>Measured here:</b>" in reading.content
    refused = open_claim(claim, look.page, lambda cost: False)
    assert not refused.probes
    assert list(refused.pieces(run, 4).values()) == [paragraphs([TOO_LARGE])]


@pytest.mark.parametrize(
    ("position", "text"), [(0, ""), (1, "1 training before yours"), (2, "2 trainings before yours")]
)
def test_a_remark_says_who_comes_first(position, text):
    assert look_at(Page(experiment=E)).remark(position) == text


def test_cards_and_sentences_are_those_of_the_step_shown_and_the_matrix_its_own():
    look = look_at(Page(experiment=E, view=View(moment=0)))
    look.stream.train()
    cards = look.bench.scene(look).frequent_pieces(4, 4)[Slot.CARDS].htmls
    assert "will probably" in "".join(cards)
    look = look_at(Page(view=View(bench="product", moment=2)).with_record(P))
    look.stream.train()
    scene = look.bench.scene(look)
    assert "fter 2 further factors" in scene.frequent_pieces(6, 6)[Slot.CARDS].content
    assert "After 2 further factors" in scene.occasional_pieces(6)[Slot.RIGHT].content


def test_a_scene_of_training_offers_remedies_and_draws_profiles_seldom():
    look = look_at(Page(experiment=E))
    look.stream.train()
    scene = look.bench.scene(look)
    assert set(scene.occasional_pieces(4)) == {Slot.RIGHT, Slot.NETWORK}
    assert set(scene.frequent_pieces(4, 4)) == {Slot.CARDS, Slot.LEFT}
    remedies = scene.last_pieces(4)[Slot.REMEDIES]
    assert [button.press for button in remedies] == [Session.apply_remedy, Session.find_cure]
    assert [button.arguments[-1] for button in remedies] == ["normal:0.001"] * 2
    assert remedies == scene.last_pieces(4)[Slot.REMEDIES]


def test_a_card_says_while_it_is_a_forecast_how_often_forecasts_come_true():
    look = look_at(Page(experiment=E))
    look.stream.train()
    first, last = (
        look.bench.scene(look).frequent_pieces(count, count)[Slot.CARDS].htmls for count in (1, 4)
    )
    note = FORECAST_NOTE.partition("{")[0]
    assert all(note in card for card in first)
    assert not any(note in card for card in last)


def test_a_product_shows_its_matrices_after_the_factors_so_far():
    look = look_at(Page(view=View(bench="product")).with_record(P))
    assert isinstance(look.stream, ProductRun)
    scene = look.bench.scene(look)
    look.stream.measurement_at(2)
    assert set(scene.frequent_pieces(3, 3)) == {Slot.CARDS, Slot.LEFT}
    (matrices,) = scene.occasional_pieces(3).values()
    assert "After 2 further factors" in matrices.content
