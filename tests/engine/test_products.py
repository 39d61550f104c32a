"""The Product bench, against plain products, mpmath, and the moments that a family promises."""

import dataclasses
import math
import re
import string

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stability import text
from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.engine.products import (
    NUMBERS_PER_GROUP,
    factor_matrices,
    log10_norms_by_factor,
    numbers_per_draw,
    product_corner,
    replicate_groups,
    unit_products,
)
from stability.page.matrix_html import factors_to_print, matrices_html
from stability.records.knobs import Choice, Integer, Knob, Real
from stability.records.product import Product

KNOBS = Product.knobs()
PROMISED = {"n": (1, 256), "count": (1, 1000)}


def legal(knob: Knob) -> st.SearchStrategy:
    match knob:
        case Integer():
            return st.integers(knob.low, knob.high)
        case Real():
            return st.floats(knob.low, knob.high)
        case Choice():
            return st.sampled_from(list(knob.rows))
    raise TypeError(f"no strategy for {knob}")


def every() -> st.SearchStrategy[Product]:
    """Any legal product; about half of the settings at their defaults, as in a link."""
    mixed = {name: st.just(getattr(Product(), name)) | legal(knob) for name, knob in KNOBS.items()}
    return st.fixed_dictionaries(mixed).map(lambda settings: Product(**settings))


def all_factors(product: Product) -> np.ndarray:
    """The factors of every replicate, sigma put in, `(count + 1, replicates, n, n)`."""
    stream = factor_matrices(product, range(product.replicates))
    return np.stack([next(stream).numpy() for _ in range(product.count + 1)]) * product.scale


# The settings and their link


@given(every())
def test_a_link_reads_back_as_the_product_that_spelled_it(product):
    assert Product.from_query(product.to_query()) == (product, [])


@given(every())
def test_a_link_is_spelled_with_plain_characters_only(product):
    plain = set(string.ascii_lowercase + string.digits + "_.,:-")
    assert all(set(text) <= plain for pair in product.to_query().items() for text in pair)


@given(
    st.dictionaries(
        st.sampled_from([*KNOBS, "v", "depth"]),
        st.text() | st.floats().map(str) | st.integers().map(str),
    )
)
def test_any_mangled_link_opens_and_says_what_it_could_not_take(query):
    product, notes = Product.from_query(query)
    assert Product.from_query(product.to_query()) == (product, [])
    assert len(notes) <= len(query)
    assert ("depth" in query) == any("depth" in note for note in notes)


@pytest.mark.parametrize("name", KNOBS)
def test_a_bad_value_is_refused_by_a_sentence_with_the_field_the_value_and_what_is_legal(name):
    bad = object()
    with pytest.raises(ValueError, match=f"^{name} must be ") as caught:
        dataclasses.replace(Product(), **{name: bad})
    assert text.quote(bad) in str(caught.value)
    assert KNOBS[name].legal_values() in str(caught.value)


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_range_of_a_setting_is_legal(name):
    low, high = PROMISED[name]
    assert KNOBS[name].low <= low
    assert KNOBS[name].high >= high


def test_the_defaults_of_the_first_version_stand():
    assert Product() == Product(n=4, sigma=1.0, count=100, family="normal", replicates=200, seed=0)


def test_a_product_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Product().n = 3


# Against plain products


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_norms_are_those_of_the_factors_multiplied_in_plain_float64(family, n):
    product = Product(n=n, sigma=0.7, count=9, family=family, replicates=5, seed=3)
    found, plain = product.log10_norms(), np.broadcast_to(np.eye(n), (5, n, n))
    assert found.shape == (5, 10)
    for k, factor in enumerate(all_factors(product)):
        plain = factor @ plain
        assert found[:, k] == pytest.approx(np.log10(np.linalg.norm(plain, axis=(1, 2))), abs=1e-12)


@pytest.mark.parametrize("sigma", [1e-300, 5e-324, 1e-5, 10.0])
def test_norms_far_beyond_float64_are_those_of_exact_arithmetic(sigma):
    product = Product(n=3, sigma=sigma, count=400, replicates=1, seed=1)
    with mpmath.workdps(40):
        plain = mpmath.eye(3)
        for factor in all_factors(dataclasses.replace(product, sigma=1.0))[:, 0]:
            plain = mpmath.matrix(factor.tolist()) * plain
        expected = mpmath.log10(mpmath.mnorm(plain, "f")) + 401 * mpmath.log10(mpmath.mpf(sigma))
        assert abs(product.log10_norms()[0, -1] / float(expected) - 1) < 1e-13


def test_a_thousand_factors_of_the_largest_size_neither_overflow_nor_underflow():
    norms = Product(n=256, sigma=10, count=1000, replicates=1).log10_norms()
    assert norms.shape == (1, 1001)
    assert np.isfinite(norms).all()
    assert norms[0, -1] > 2000  # log10 of sigma sqrt(n) is 2.2


def test_a_hundred_further_factors_of_the_book_s_size_reach_about_10_to_the_25():
    norms = Product().log10_norms()
    assert norms.shape == (200, 101)
    assert np.median(norms[:, -1]) == pytest.approx(
        25, abs=0.6
    )  # 4 standard errors of a median: 1.253 x 1.6 / sqrt(200)


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
@pytest.mark.parametrize("n", [1, 5])
def test_products_of_zeros_have_no_logarithm_and_nothing_breaks(family, n):
    product = Product(n=n, sigma=0, count=3, family=family, replicates=2)
    assert (product.log10_norms() == -np.inf).all()
    assert not product_corner(product, 4).after(3).mantissa.any()


# Randomness


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
@pytest.mark.parametrize("n", [1, 3, 4, 33, 64])
def test_a_longer_product_begins_with_the_shorter_one_and_more_replicates_only_add(family, n):
    short = Product(n=n, count=4, family=family, replicates=2).log10_norms()
    assert np.array_equal(
        Product(n=n, count=70, family=family, replicates=2).log10_norms()[:, :5], short
    )
    assert np.array_equal(
        Product(n=n, count=4, family=family, replicates=19).log10_norms()[:2], short
    )


def test_how_replicates_are_grouped_moves_no_number():
    product = Product(n=150, count=2, replicates=50)
    assert len(replicate_groups(product)) > 1
    alone = [
        next(log10_norms_by_factor(dataclasses.replace(product, count=1, replicates=size)))[-1]
        for size in (1, 47, 50)
    ]
    assert next(log10_norms_by_factor(product))[[0, 46, 49]].tolist() == alone


@pytest.mark.parametrize("n", [1, 4, 16, 65, 256])
def test_replicates_are_parted_so_that_what_is_drawn_at_once_is_bounded(n):
    product = Product(n=n, replicates=1000)
    assert [replicate for group in replicate_groups(product) for replicate in group] == list(
        range(1000)
    )
    assert all(
        len(group) * numbers_per_draw(n) <= max(NUMBERS_PER_GROUP, numbers_per_draw(n))
        for group in replicate_groups(product)
    )


def test_equal_products_are_equal_and_another_seed_is_another_product():
    assert np.array_equal(Product().log10_norms(), Product().log10_norms())
    assert not np.isclose(Product(seed=1).log10_norms()[:, 0], Product().log10_norms()[:, 0]).any()


def test_replicates_and_factors_are_different_draws():
    drawn = all_factors(Product(n=2, count=80, replicates=9))
    assert len(np.unique(drawn)) == drawn.size


@pytest.mark.parametrize(
    ("gained", "plain"), [("xavier_normal", "normal"), ("xavier_uniform", "uniform")]
)
def test_families_of_one_noise_differ_by_their_size_alone(gained, plain):
    norms, own = (
        Product(n=16, count=20, family=family, sigma=sigma)
        for family, sigma in ((gained, 3.0), (plain, 0.75))
    )
    assert norms.log10_norms() == pytest.approx(own.log10_norms(), abs=1e-11)


# What a family promises


@pytest.mark.parametrize(
    ("family", "std"),
    [("normal", 0.5), ("uniform", 0.5), ("xavier_normal", 0.125), ("xavier_uniform", 0.125)],
)
def test_entries_have_mean_0_and_the_standard_deviation_of_the_family(family, std):
    """4 standard errors: std / sqrt(N) of the mean, std^2 sqrt(2 / N) of a normal variance."""
    entries = all_factors(Product(n=16, sigma=0.5, count=40, family=family, replicates=10)).ravel()
    assert abs(entries.mean()) < 4 * std / math.sqrt(entries.size)
    assert entries.var() == pytest.approx(std**2, rel=4 * math.sqrt(2 / entries.size))


def test_uniform_entries_end_at_root_3_standard_deviations():
    entries = np.abs(all_factors(Product(n=16, sigma=0.5, family="uniform", replicates=2)))
    assert 0.999 * 0.5 * math.sqrt(3) < entries.max() <= 0.5 * math.sqrt(3)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_orthogonal_factors_are_orthogonal_times_the_gain_and_both_reflect_and_rotate(n):
    drawn = all_factors(
        Product(n=n, sigma=1.5, count=60, family="orthogonal", replicates=2)
    ).reshape(-1, n, n)
    assert np.allclose(drawn @ drawn.transpose(0, 2, 1), 2.25 * np.eye(n), atol=1e-12)
    signs = np.sign(np.linalg.det(drawn / 1.5))
    assert abs(signs.mean()) < 4 / math.sqrt(len(drawn))


# Printed


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
def test_the_printed_matrices_are_the_first_replicate_s_after_any_number_of_factors(family):
    product = Product(count=12, sigma=2.5, family=family, seed=5)
    drawn, corner = all_factors(product)[:, 0], product_corner(product, 4)
    after = np.linalg.multi_dot(drawn[::-1])
    middle = np.linalg.multi_dot(drawn[7::-1])
    for k, expected in ((7, middle), (0, drawn[0]), (12, after)):
        matrix = corner.after(k)
        assert matrix.mantissa * 10.0**matrix.power == pytest.approx(
            expected, rel=1e-11, abs=1e-11 * np.abs(after).max()
        )
        assert 1 <= np.abs(matrix.mantissa).max() < 10
    norm = math.log10(np.linalg.norm(matrix.mantissa)) + matrix.power
    assert norm == pytest.approx(product.log10_norms()[0, -1], abs=1e-12)


def test_a_product_beyond_float64_is_printed_with_its_power_of_ten_before_it():
    product = Product(count=1000, sigma=1e-3)
    power = product_corner(product, 4).after(1000).power
    assert power < -2700
    html = matrices_html(product, 1000)
    assert f"10<sup>−{-power}</sup> ×" in html
    assert html.count("<td>") == 32
    assert "After 1000 further factors" in html


def test_of_many_large_factors_fewer_are_multiplied_and_the_caption_counts_them():
    for family in PRODUCT_FAMILIES:
        large = Product(n=256, count=1000, family=family)
        assert 20 <= factors_to_print(large) < 300
        assert factors_to_print(dataclasses.replace(large, count=20)) == 20
    assert factors_to_print(Product(n=64, count=1000)) == 1000
    html = matrices_html(large, 1000)
    assert re.search(r"After \d\d of 1000 further factors, its first 4", html)


def test_of_a_large_matrix_the_corner_is_printed_with_dots_and_said_to_be_one():
    html = matrices_html(Product(n=30, count=1), 1)
    assert html.count("<tr>") == 10
    assert html.count("…") == 8
    assert "After 1 further factor, its first 4 rows and columns of 30" in html


def test_the_printed_matrices_have_no_colour_of_their_own():
    html = matrices_html(Product(), 0)
    assert "color" not in html.replace("border-color", "")
    assert "#" not in html


def test_unit_products_come_with_norm_1_at_every_step():
    for unit, power in unit_products(Product(n=3, count=30), range(7)):
        assert torch.linalg.vector_norm(unit, dim=(1, 2)).numpy() == pytest.approx(1, abs=1e-14)
        assert power.shape == (7,)
