"""The pictures of the Product bench ask for nothing that its tables do not hold, never change, and hold still as data come."""

import json
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from test_charts import nodes, units, used

from stability import charts, frames
from stability.frames.product import MOST_FACTORS_DRAWN, rounded_range
from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.engine.products import log10_norms_by_factor
from stability.records.product import Product

PRODUCTS = {
    "book": Product(replicates=20),
    "one number": Product(n=1, count=1, replicates=3),
    "uniform": Product(n=3, family="uniform", count=30, replicates=1),
    "rotations": Product(family="orthogonal", count=10, replicates=2, sigma=1.1),
    "long and small": Product(n=2, sigma=1e-3, count=1000, replicates=5),
    "zero": Product(sigma=0, count=5, replicates=2),
}
PICTURES = {
    "growth": (charts.product_chart, charts.product_spec, lambda p: frames.product_tables(p, list(log10_norms_by_factor(p)))),
    "exponents": (charts.exponent_chart, charts.exponent_spec, frames.exponent_tables),
    "healing": (charts.healing_chart, charts.healing_spec, frames.healing_tables),
    "bounds": (charts.bound_chart, charts.bound_spec, frames.bound_tables),
}


@pytest.fixture(params=PRODUCTS)
def product(request) -> Product:
    return PRODUCTS[request.param]


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)


# What a chart reads


@pytest.mark.parametrize("picture", PICTURES)
def test_the_named_data_of_a_chart_are_those_that_frames_make_and_hold_every_field_it_uses(picture, product):
    _, spec, tables = PICTURES[picture]
    given, asked = tables(product), defaultdict(set)
    for unit, data in units(spec(product)):
        if "name" in data:
            asked[data["name"]] |= used(unit)[0]
        else:
            assert used(unit)[0] == set(), "data without a name have no fields"
    assert set(asked) == set(given)
    for name, names in asked.items():
        assert names <= set(given[name].column_names), name


@pytest.mark.parametrize("picture", PICTURES)
def test_a_spec_is_built_once_whatever_does_not_show(picture, product):
    spec = PICTURES[picture][1]
    assert spec(product) is spec(replace(product, seed=7, sigma=0.3, n=9, replicates=4))


@pytest.mark.parametrize("picture", PICTURES)
def test_the_spec_is_the_valid_chart(picture):
    chart, spec, _ = PICTURES[picture]
    assert json.dumps(chart(PRODUCTS["book"]).to_dict(validate=True)) == json.dumps(spec(PRODUCTS["book"]))


@pytest.mark.parametrize("picture", PICTURES)
def test_a_chart_is_drawn_on_a_canvas_has_a_name_for_screen_readers_and_carries_no_data(picture, product):
    whole = PICTURES[picture][1](product)
    assert whole["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(whole["description"]) > 20
    for node in nodes(whole):
        assert "datasets" not in node
        assert not isinstance(node.get("data"), dict) or set(node["data"]) in ({"name"}, {"sequence"})


@pytest.mark.parametrize("picture", PICTURES)
def test_a_notebook_completes_a_chart(picture):
    (chart, _, tables), product = PICTURES[picture], PRODUCTS["book"]
    assert set(charts.with_data(chart(product), tables(product)).to_dict()["datasets"]) == set(tables(product))


@pytest.mark.parametrize("picture", PICTURES)
def test_all_that_is_drawn_lies_between_the_limits(picture, product):
    tables = PICTURES[picture][2](product)
    low, high = tables["limits"]["height"].to_pylist()
    assert low < high
    for name, table in tables.items():
        heights = {"median", "low", "high", "mean", "frobenius", "law", "measured", "value", "height"} & set(table.column_names)
        for column in heights:
            values = numbers(table, column)
            assert (np.isnan(values) | ((low - 1e-9 <= values) & (values <= high + 1e-9))).all(), (name, column)


# The norm


def test_growth_is_the_median_and_nine_of_ten_of_the_norms():
    product = PRODUCTS["book"]
    norms = product.log10_norms()
    drawn = frames.product_tables(product, list(norms.T))["growth"]
    assert drawn["factor"].to_pylist() == list(range(101))
    for name, share in (("low", 0.05), ("median", 0.5), ("high", 0.95)):
        assert numbers(drawn, name) == pytest.approx(np.quantile(norms, share, axis=0))


def test_a_long_line_is_thinned_keeps_its_points_as_it_grows_and_shows_the_newest():
    product = PRODUCTS["long and small"]
    norms, before = list(log10_norms_by_factor(product)), set()
    for count in (1, 2, 500, 777, 1001):
        shown = frames.product_tables(product, norms[:count])["growth"]["factor"].to_pylist()
        assert shown[-1] == count - 1
        assert len(shown) <= MOST_FACTORS_DRAWN
        assert before <= set(shown)
        before = set(shown[:-1])


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
def test_the_axis_stands_still_while_the_norms_come(family):
    product = Product(family=family, sigma=0.6, replicates=60)
    norms = list(log10_norms_by_factor(product))
    held = {tuple(frames.product_tables(product, norms[:count])["limits"]["height"].to_pylist()) for count in range(1, 102, 4)}
    assert len(held) <= 3, "where no law is known, the axis may follow twice"


def test_zeros_are_null_and_their_law_has_no_row():
    tables = frames.product_tables(PRODUCTS["zero"], list(log10_norms_by_factor(PRODUCTS["zero"])))
    assert tables["growth"]["median"].null_count == 6
    assert len(tables["law"]) == 0


def test_the_law_is_labelled_once_on_the_side_that_is_free():
    for sigma, side in ((1.0, 1), (0.1, -1)):
        product = Product(sigma=sigma, replicates=2)
        named = frames.product_tables(product, list(log10_norms_by_factor(product)))["law"]["named"].to_pylist()
        assert [mark for mark in named if mark] == [side]


def test_number_formats_end_where_the_axis_reaches_and_words_do_not_overlap():
    def ends(**settings):
        product = Product(replicates=2, **settings)
        return frames.product_tables(product, list(log10_norms_by_factor(product)))["formats"].to_pylist()

    assert ends(n=16, sigma=0.25, count=5) == []
    short = ends(count=30)
    assert math.log10(65504) == pytest.approx(short[0]["height"])
    assert short[0]["text"] == "float16 ends"
    texts = [row["text"] for row in ends(count=1000)]
    assert texts.count("float32 and bfloat16 end") >= 1
    assert "" in texts, "near one another, only one is named"


def test_limits_are_whole_steps_around_what_is_shown_and_never_empty():
    assert rounded_range(np.array([0.2, 24.9]), 1.0) == (0, 25)
    assert rounded_range(np.array([-3.0, -3.0]), 1.0) == (-4, -2)
    assert rounded_range(np.array([np.nan])) == (-1, 1)


# Exponents, healing and bounds


def test_exponents_are_decades_a_factor_by_share_with_their_law_where_there_is_one():
    table = frames.exponent_tables(Product())["exponents"]
    assert table["share"].to_pylist() == [0.125, 0.375, 0.625, 0.875]
    assert table["law"].null_count == 0
    assert frames.exponent_tables(PRODUCTS["uniform"])["exponents"]["law"].null_count == 3
    assert len(frames.exponent_tables(PRODUCTS["zero"])["exponents"]) == 0


def test_healing_shows_every_size_and_where_this_product_stands():
    tables = frames.healing_tables(Product(n=16, sigma=0.25))
    assert tables["healing"]["n"].to_pylist() == list(range(1, 257))
    (here,) = tables["here"].to_pylist()
    assert here["height"] == pytest.approx(numbers(tables["healing"], "height")[15])
    (far,) = frames.healing_tables(Product(sigma=1e-9))["here"].to_pylist()
    assert far["height"] == -30
    assert far["text"].endswith("10⁻⁸⁷⁵·⁸")
    assert len(frames.healing_tables(PRODUCTS["uniform"])["here"]) == 0


def test_bounds_are_four_lines_each_named_at_its_end_or_one_word_for_all():
    table = frames.bound_tables(Product())["bounds"].to_pylist()
    assert {row["text"]: row["named"] for row in table if row["named"]} == {
        "at most": 1, "largest": -1, "smallest": 1, "at least": -1,
    }  # fmt: skip
    alike = frames.bound_tables(PRODUCTS["rotations"])["bounds"].to_pylist()
    assert [row["text"] for row in alike if row["named"]] == ["all alike"]
