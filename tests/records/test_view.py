"""A page, the view of its run, and the one link that carries both."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.catalogues.schemes import SCHEMES
from stability.engine.measurement import PROFILES
from stability.records.experiment import Experiment
from stability.records.page import PIN_PREFIXES, Page
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.view import HEAT_MAP_QUANTITIES, View

SCHEME = st.sampled_from([*SCHEMES, "normal:0.3", "orthogonal:2"])
VIEWS = st.builds(
    View,
    section=st.sampled_from(["", "symmetry", "theory"]),
    layer=st.integers(1, 100),
    heat_scheme=st.sampled_from([""]) | SCHEME,
    loss_axis=st.sampled_from(["", "log"]),
    heat_quantity=st.sampled_from(list(HEAT_MAP_QUANTITIES)),
)
PRODUCTS = st.builds(
    Product, n=st.integers(1, 256), sigma=st.floats(0, 10), count=st.integers(1, 1000)
)
EXPERIMENTS = st.builds(
    Experiment,
    schemes=st.lists(SCHEME, min_size=1, max_size=8, unique_by=lambda text: text).map(tuple),
    depth=st.integers(1, 101),
    activation=st.sampled_from(["relu", "tanh"]),
    residual=st.just(True),  # as one of the schemes needs
    seed=st.integers(0, 2**31 - 1),
)

NETWORKS = st.builds(
    PastedNetwork,
    architecture=st.text(max_size=200),
    scheme=st.sampled_from(["", *SCHEMES]),
    batch=st.integers(8, 1024),
)
PAGES = st.builds(
    Page, EXPERIMENTS, VIEWS, st.lists(EXPERIMENTS, max_size=3, unique=True).map(tuple)
)


@given(PAGES)
def test_a_link_carries_experiment_view_and_pins_and_gives_them_back(page):
    assert Page.from_query(page.to_query()) == (page, [])


@given(PAGES, PRODUCTS)
def test_a_link_to_products_carries_their_settings_and_leaves_out_what_is_not_seen(page, product):
    page = replace(
        page, product=product, view=replace(page.view, bench="product", section="bounds")
    )
    assert Page.from_query(page.to_query()) == (Page(view=page.view, product=product), [])


@given(NETWORKS)
def test_a_link_to_a_pasted_network_carries_its_text_as_it_is(network):
    page = Page(view=View(bench="network"), network=network)
    assert Page.from_query(page.to_query()) == (page, [])


@given(PAGES, PAGES)
def test_a_link_may_say_only_what_differs_from_another_page(page, base):
    assert Page.from_query(page.to_query(base), base) == (page, [])


def test_the_page_itself_needs_no_word_beside_its_version():
    page = Page(Experiment(depth=7), View(layer=3), (Experiment(depth=9),))
    assert page.to_query(page) == {"v": "1"}
    assert replace(page, pins=()).to_query(page) == {"v": "1", "pin": "none"}


def test_one_bench_does_not_know_the_settings_of_another():
    page, notes = Page.from_query({"bench": "product", "depth": "7", "n": "16"})
    assert page == Page(view=View(bench="product"), product=Product(n=16))
    assert "'depth' is no setting" in notes[0]


@given(EXPERIMENTS, VIEWS)
def test_a_link_is_plain_text_and_says_only_what_differs_from_the_defaults(experiment, shown):
    query = Page(experiment, shown).to_query()
    assert all(isinstance(text, str) for pair in query.items() for text in pair)
    differing = {field.name for record in (experiment, shown) for field in fields(record)
                 if getattr(record, field.name) != getattr(type(record)(), field.name)}  # fmt: skip
    assert set(query) == differing | {"v"}


def test_no_setting_of_a_bench_is_called_as_one_of_the_view():
    benches = Experiment, Product, PastedNetwork
    names = {field.name for bench in benches for field in fields(bench)}
    assert not names & {field.name for field in fields(View)}


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in (*fields(Experiment), *fields(View))]) | st.text(),
        st.text(),
    )
)
def test_any_link_opens_and_each_sentence_names_a_key_of_it(query):
    page, notes = Page.from_query(query)
    assert Page.from_query(page.to_query()) == (page, [])
    for note in notes:
        assert any(name in note or repr(name)[:50] in note for name in query)


@given(
    EXPERIMENTS,
    VIEWS,
    st.text().filter(lambda text: text.strip().lower() not in HEAT_MAP_QUANTITIES),
)
def test_a_bad_value_of_the_view_is_named_and_harms_nothing_else(experiment, shown, text):
    query = Page(experiment, shown).to_query() | {"heat_quantity": text}
    opened, notes = Page.from_query(query)
    assert opened.experiment == experiment
    assert opened.view == replace(shown, heat_quantity=View().heat_quantity)
    (note,) = notes
    assert "heat_quantity" in note


@pytest.mark.parametrize(
    ("text", "canonical"), [("NORMAL:1e-2", "normal:0.01"), (" he_normal ", "he_normal"), ("", "")]
)
def test_the_scheme_of_the_heat_map_is_canonical(text, canonical):
    assert (
        Page.from_query({"heat_scheme": text})[0].view.heat_scheme
        == canonical
        == View(heat_scheme=text).heat_scheme
    )


@pytest.mark.parametrize("text", ["he_norma", "normal:-1", "he_normal,zeros", "zeros:1"])
def test_what_is_no_scheme_is_refused_with_what_is_legal(text):
    with pytest.raises(ValueError, match="heat_scheme must be"):
        View(heat_scheme=text)
    page, notes = Page.from_query({"heat_scheme": text})
    assert page == Page()
    assert len(notes) == 1


@given(EXPERIMENTS, VIEWS)
def test_the_heat_map_shows_the_chosen_scheme_while_it_is_there_else_the_first(experiment, shown):
    scheme = shown.value_shown("heat_scheme", experiment)
    assert scheme == (
        shown.heat_scheme if shown.heat_scheme in experiment.schemes else experiment.schemes[0]
    )


def test_every_quantity_of_the_heat_map_is_measured_layer_by_layer():
    assert set(HEAT_MAP_QUANTITIES) <= set(PROFILES)


# Pins


def test_a_link_spells_of_a_pin_only_what_differs():
    page = Page(
        Experiment(depth=10),
        View(),
        (Experiment(depth=30), Experiment(depth=10), Experiment(depth=10, activation="tanh")),
    )
    pinned = {name: text for name, text in page.to_query().items() if name.startswith("pin")}
    assert pinned == {"pin.depth": "30", "pin2": "same", "pin3.activation": "tanh"}


@pytest.mark.parametrize("text", ["depth:30", "", "2", "none"])
def test_what_is_no_pin_is_named_and_kept_out(text):
    page, notes = Page.from_query({"pin2": text, "depth": "4"})
    assert page == Page(Experiment(depth=4))
    assert len(notes) == 1
    assert repr(text) in notes[0]


@given(
    st.dictionaries(
        st.builds(
            "{}.{}".format, st.sampled_from(PIN_PREFIXES), st.sampled_from(["depth", "x", ""])
        ),
        st.text(),
    )
)
def test_a_bad_pin_is_named_and_harms_nothing_else(query):
    page, notes = Page.from_query(query)
    assert (page.experiment, page.view) == (Experiment(), View())
    assert all("in a pin" in note for note in notes)


def test_the_oldest_of_three_pins_makes_room():
    page = Page()
    for depth in (1, 2, 3, 4, 3):
        page = replace(page, experiment=Experiment(depth=depth)).with_pin()
    assert [pin.depth for pin in page.pins] == [2, 4, 3]


def test_a_pin_is_labelled_by_what_differs():
    page = Page(Experiment(depth=10), View(), ())
    assert (
        page.pin_label(Experiment(depth=30, activation="tanh", residual=True))
        == "activation Tanh, depth 30, residual connections on"
    )
    assert page.pin_label(Experiment(depth=10)) == "this run"


# Chips that wait


def test_a_scheme_that_does_not_go_with_the_settings_waits_and_comes_back():
    chosen = ("he_normal", "looks_linear")
    page, notes = replace(Page(), experiment=Experiment(schemes=chosen)).with_setting(
        "width", 63, chosen
    )
    assert (page.experiment.schemes, page.experiment.width, notes) == (("he_normal",), 63, [])
    page, notes = page.with_setting("width", 62, chosen)
    assert (page.experiment.schemes, notes) == (chosen, [])


def test_where_no_scheme_is_left_the_setting_is_mended_and_the_page_says_so():
    page, (note,) = replace(Page(), experiment=Experiment(schemes=("looks_linear",))).with_setting(
        "width", 63, ("looks_linear",)
    )
    assert page.experiment == Experiment(schemes=("looks_linear",), width=64)
    assert "width" in note
    assert "63" in note


def test_batch_normalization_of_a_batch_of_one_is_refused_and_mended():
    with pytest.raises(ValueError, match="batch must be at least 2 for batch normalization, not 1"):
        Experiment(normalization="batch", batch=1)
    experiment, (note,) = Experiment.from_query({"normalization": "batch", "batch": "1"})
    assert experiment.batch == 2
    assert "batch normalization" in note
