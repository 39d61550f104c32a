"""What is shown of a run, and the one link that carries it beside the experiment."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability import view
from stability.experiment import Experiment
from stability.quantities import PROFILES
from stability.schemes import SCHEMES
from stability.view import QUANTITIES, View

SCHEME = st.sampled_from([*SCHEMES, "normal:0.3", "orthogonal:2"])
VIEWS = st.builds(View, st.sampled_from([""]) | SCHEME, st.sampled_from(list(QUANTITIES)))
EXPERIMENTS = st.builds(
    Experiment,
    schemes=st.lists(SCHEME, min_size=1, max_size=8, unique_by=lambda text: text).map(tuple),
    depth=st.integers(1, 101),
    activation=st.sampled_from(["relu", "tanh"]),
    seed=st.integers(0, 2**31 - 1),
)


@given(EXPERIMENTS, VIEWS)
def test_a_link_carries_both_and_gives_both_back(experiment, shown):
    assert view.from_query(view.to_query(experiment, shown)) == (experiment, shown, [])


@given(EXPERIMENTS, VIEWS)
def test_a_link_is_plain_text_and_says_only_what_differs_from_the_defaults(experiment, shown):
    query = view.to_query(experiment, shown)
    assert all(isinstance(text, str) for pair in query.items() for text in pair)
    differing = {field.name for record in (experiment, shown) for field in fields(record)
                 if getattr(record, field.name) != getattr(type(record)(), field.name)}  # fmt: skip
    assert set(query) == differing | {"v"}


def test_the_settings_of_both_have_names_of_their_own():
    assert not {field.name for field in fields(Experiment)} & {field.name for field in fields(View)}


@given(st.dictionaries(st.sampled_from([field.name for field in (*fields(Experiment), *fields(View))]) | st.text(), st.text()))
def test_any_link_opens_and_each_sentence_names_a_key_of_it(query):
    experiment, shown, notes = view.from_query(query)
    assert view.from_query(view.to_query(experiment, shown)) == (experiment, shown, [])
    for note in notes:
        assert any(name in note or repr(name)[:50] in note for name in query)


@given(EXPERIMENTS, VIEWS, st.text().filter(lambda text: text.strip().lower() not in QUANTITIES))
def test_a_bad_value_of_the_view_is_named_and_harms_nothing_else(experiment, shown, text):
    query = view.to_query(experiment, shown) | {"heat_quantity": text}
    opened, mended, notes = view.from_query(query)
    assert opened == experiment
    assert mended == replace(shown, heat_quantity=View().heat_quantity)
    (note,) = notes
    assert "heat_quantity" in note


@pytest.mark.parametrize(("text", "canonical"), [("NORMAL:1e-2", "normal:0.01"), (" he_normal ", "he_normal"), ("", "")])
def test_the_scheme_of_the_heat_map_is_canonical(text, canonical):
    assert view.from_query({"heat_scheme": text})[1].heat_scheme == canonical == View(heat_scheme=text).heat_scheme


@pytest.mark.parametrize("text", ["he_norma", "normal:-1", "he_normal,zeros", "zeros:1"])
def test_what_is_no_scheme_is_refused_with_what_is_legal(text):
    with pytest.raises(ValueError, match="heat_scheme must be"):
        View(heat_scheme=text)
    _, shown, notes = view.from_query({"heat_scheme": text})
    assert shown == View()
    assert len(notes) == 1


@given(EXPERIMENTS, VIEWS)
def test_the_heat_map_shows_the_chosen_scheme_while_it_is_there_else_the_first(experiment, shown):
    scheme = shown.scheme(experiment)
    assert scheme == (shown.heat_scheme if shown.heat_scheme in experiment.schemes else experiment.schemes[0])


def test_every_quantity_of_the_heat_map_is_measured_layer_by_layer():
    assert set(QUANTITIES) <= set(PROFILES)
