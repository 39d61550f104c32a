"""A section is whole at first, then live; some of it takes its turn, or waits for the end."""

from dataclasses import replace

import pytest

from stability.engine.registry import Registry
from stability.engine.runs import ProductRun, Run
from stability.page.lost_update_sentences import sentences_about_lost_updates
from stability.page.pieces import Picture, paragraphs
from stability.page.product_sections import PRODUCT_SECTIONS
from stability.page.safe_text import sentence_html
from stability.page.sections import TOO_LARGE, TRAIN_SECTIONS, OpenSection, Section
from stability.probes.symmetries import row_differences, symmetry_changes
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.view import View
from stability.text import share_in_words

E = Experiment(
    schemes=("constant", "xavier_normal"),
    depth=3,
    width=4,
    features=3,
    samples=64,
    batch=8,
    steps=3,
    activation="tanh",
)
P = Product(n=3, replicates=2, count=5)


@pytest.mark.parametrize("key", [key for key in TRAIN_SECTIONS if key != "tried"])
def test_a_section_is_whole_at_first_and_then_only_what_a_step_may_change(key):
    section, view = TRAIN_SECTIONS[key], View(section=key)
    for e in (E, replace(E, dataset="moons"), replace(E, dataset="sine"), replace(E, depth=1)):
        run = Run(e).train()
        opened = OpenSection(section, e, view)
        whole = opened.pieces(run, 1)
        assert whole
        for count in (2, 4):
            assert list(opened.pieces(run, count)) == [
                place for place in whole if place[0] == "live"
            ]
        assert list(OpenSection(section, e, view).pieces(run, 4)) == list(whole)


@pytest.mark.parametrize("key", list(PRODUCT_SECTIONS))
def test_what_takes_long_waits_for_the_last_factor_and_is_drawn_once(key):
    section, run = PRODUCT_SECTIONS[key], ProductRun(P)
    opened = OpenSection(section, P, View(bench="product", section=key))
    run.measurement_at(2)
    before = opened.pieces(run, 3)
    waits = paragraphs(["Drawn after the last factor."]) in before.values()
    assert waits == section.waits_for_end
    run.train()
    after = opened.pieces(run, 6)
    assert waits == any(isinstance(piece, Picture) for piece in after.values())
    assert set(opened.pieces(run, 6)) == {place for place in before if place[0] == "live"}


def test_what_no_step_changes_is_made_once():
    made = []
    section = Section(
        static=lambda e, view: made.append(e) or [paragraphs(["static"])],
        live=lambda run, view, count: [paragraphs([f"live {count}"])],
    )
    opened = OpenSection(section, E, View())
    for count in (1, 2, 3):
        opened.pieces(Run(E), count)
    assert made == [E]
    assert symmetry_changes(E, 2) is symmetry_changes(E, 2)
    assert row_differences(E, 2) is row_differences(E, 2)


def test_live_pieces_stand_above_static_ones():
    section = Section(
        static=lambda e, view: [paragraphs(["below"])],
        live=lambda run, view, count: [paragraphs(["above"])],
    )
    pieces = OpenSection(section, E, View()).pieces(Run(E), 1)
    assert list(pieces.values()) == [paragraphs(["above"]), paragraphs(["below"])]


@pytest.mark.parametrize("key", ["pre_activations", "symmetry", "singular_values"])
def test_where_there_is_nothing_to_see_the_reason_stands_alone_and_nothing_is_computed(key):
    e = replace(E, depth=1)
    opened = OpenSection(TRAIN_SECTIONS[key], e, View(section=key))
    assert opened.probes == []
    (reason,) = opened.pieces(Run(e), 1).values()
    assert reason == paragraphs([TRAIN_SECTIONS[key].absent(e)])


@pytest.mark.parametrize("key", ["symmetry", "gains", "singular_values"])
def test_what_must_be_computed_takes_its_turn_before_it_is_drawn(key):
    registry, run = Registry({Experiment: Run}), Run(E).train()
    opened = OpenSection(TRAIN_SECTIONS[key], E, View(section=key))
    assert opened.probes
    opened.computations = [registry.open(probe) for probe in opened.probes]
    assert opened.pieces(run, 1) == {}
    for computation in opened.computations:
        assert list(registry.follow(computation, 1, 1.0))
    assert opened.pieces(run, 1)


@pytest.mark.parametrize("key", ["symmetry", "gains", "singular_values"])
def test_what_would_take_too_long_is_refused_in_a_sentence(key):
    asked = []
    view = View(section=key)
    opened = OpenSection(TRAIN_SECTIONS[key], E, view, affords=asked.append)
    assert opened.probes == []
    assert list(opened.pieces(Run(E), 1).values()) == [paragraphs([TOO_LARGE])]
    larger = []
    OpenSection(TRAIN_SECTIONS[key], replace(E, width=64), view, affords=larger.append)
    assert larger[0].operations > asked[0].operations
    assert larger[0].bytes > asked[0].bytes


BFLOAT16 = replace(
    E, schemes=("he_normal",), precision="bfloat16", optimizer="adam", learning_rate=1e-3, width=32
)


@pytest.mark.parametrize("normalization", ["none", "layer"])
def test_the_section_of_formats_says_what_rounding_took_of_weights_and_of_gains(normalization):
    run = Run(replace(BFLOAT16, normalization=normalization)).train()
    last = run.measurements[-1]
    (sentence,) = sentences_about_lost_updates(run, len(run.measurements), 3)
    weights = share_in_words(last.lost_updates.mean())
    assert f"rounding took {weights} of the update of the weights before step 3" in sentence
    if normalization == "none":
        assert "gains" not in sentence
    else:
        assert (
            f"and {share_in_words(last.lost_gain_updates.mean())} of that of the gains" in sentence
        )
    section = OpenSection(TRAIN_SECTIONS["formats"], run.experiment, View(section="formats"))
    said = repr(sentence_html(sentence)).strip("'")
    assert any(said in str(piece) for piece in section.pieces(run, 4).values())


def test_nothing_is_said_of_updates_before_the_first_or_where_hardly_any_is_lost():
    run = Run(BFLOAT16).train()
    assert not sentences_about_lost_updates(run, 4, 0)
    assert not sentences_about_lost_updates(
        Run(replace(BFLOAT16, precision="float32")).train(), 4, 3
    )


def test_replicates_that_lose_their_numbers_leave_the_sentence_to_the_others():
    run = Run(replace(BFLOAT16, schemes=("normal:1e6", "he_normal"), normalization="rms")).train()
    assert all("nan" not in sentence for sentence in sentences_about_lost_updates(run, 4, 3))
