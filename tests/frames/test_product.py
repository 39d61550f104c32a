"""The tables of the Product bench: the norm with its law, exponents, typical growth and bounds."""

import math

import numpy as np
import pyarrow as pa
import pytest

from stability import frames
from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.engine.products import log10_norms_by_factor
from stability.frames.product import MOST_FACTORS_DRAWN, rounded_range
from stability.records.product import Product

PRODUCTS = {
    "book": Product(replicates=20),
    "one number": Product(n=1, count=1, replicates=3),
    "uniform": Product(n=3, family="uniform", count=30, replicates=1),
    "rotations": Product(family="orthogonal", count=10, replicates=2, sigma=1.1),
    "long and small": Product(n=2, sigma=1e-3, count=1000, replicates=5),
    "zero": Product(sigma=0, count=5, replicates=2),
}


def numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)


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
    held = {
        tuple(frames.product_tables(product, norms[:count])["limits"]["height"].to_pylist())
        for count in range(1, 102, 4)
    }
    assert len(held) <= 3, "where no law is known, the axis may follow twice"


def test_zeros_are_null_and_their_law_has_no_row():
    tables = frames.product_tables(PRODUCTS["zero"], list(log10_norms_by_factor(PRODUCTS["zero"])))
    assert tables["growth"]["median"].null_count == 6
    assert len(tables["law"]) == 0


def test_number_formats_end_where_the_axis_reaches_and_words_do_not_overlap():
    def ends(**settings):
        product = Product(replicates=2, **settings)
        return frames.product_tables(product, list(log10_norms_by_factor(product)))[
            "formats"
        ].to_pylist()

    assert ends(n=16, sigma=0.25, count=5) == []
    short = ends(count=30)
    assert math.log10(65504) == pytest.approx(short[0]["height"])
    assert short[0]["text"] == "float16: largest"
    rows = {row["text"]: row for row in ends(count=1000, sigma=0.2)}
    assert rows["float64: smallest"]["at_start"], "the line ends near it"
    assert "" in rows, "near one another, only one is named"


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
