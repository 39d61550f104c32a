"""Products of random matrices are spoken of in plain sentences that agree with the law."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.engine.products import log10_norms_by_factor
from stability.page.product_sentences import sentences_about_product
from stability.records.product import Product


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
@pytest.mark.parametrize("n", [1, 4, 40])
def test_every_product_is_spoken_of_in_a_few_plain_sentences(family, n):
    for sigma in (0.0, 1e-300, n**-0.5, 1.0, 10.0):
        product = Product(n=n, sigma=sigma, family=family, count=20, replicates=3)
        norms = list(log10_norms_by_factor(product))
        for count in (1, 2, 21):
            found = sentences_about_product(product, norms[:count])
            assert 1 <= len(found) <= 4
            for sentence in found:
                assert re.fullmatch(r"[A-Z].*\.", sentence)
                assert not re.search(r"\bnan\b|\binf\b|None|  ", sentence)


def test_the_book_s_product_is_told_with_its_law_and_where_float16_ends():
    found = sentences_about_product(Product(), list(log10_norms_by_factor(Product())))
    measured, foretold = re.search(
        r"about 10\^([\d.]+) \(median of 200 .* law says 10\^([\d.]+)\.", found[0]
    ).groups()
    assert float(measured) == pytest.approx(float(foretold), abs=0.6)
    assert found[0].startswith("After 100 further factors ")
    assert re.fullmatch(
        r"The median exceeds the largest number of float16 after 1\d further factors\.", found[-1]
    )


def test_what_has_come_so_far_is_what_is_spoken_of():
    norms = list(log10_norms_by_factor(Product(replicates=1)))
    assert sentences_about_product(Product(replicates=1), norms[:1])[0].startswith(
        "With the first matrix the norm is about "
    )
    assert sentences_about_product(Product(replicates=1), norms[:2])[0].startswith(
        "After 1 further factor the norm is about "
    )


def test_the_variance_is_said_to_be_preserved_only_where_it_is():
    def words(**settings):
        product = Product(count=5, replicates=3, **settings)
        return " ".join(sentences_about_product(product, list(log10_norms_by_factor(product))))

    assert "preserve the variance" in words(sigma=0.5)
    assert "preserve the variance" in words(family="xavier_normal", n=9)
    assert "preserve the variance" in words(family="xavier_uniform", n=9)
    assert "preserve the variance" not in words()
    assert "preserve the variance" not in words(family="orthogonal", n=1)
    assert "exactly 2" in words(family="orthogonal", sigma=2.0)


def test_each_format_that_is_left_is_named_with_the_place():
    norms = [np.array([float(10 * k)]) for k in range(41)]
    assert sentences_about_product(Product(count=40, replicates=1), norms)[-1] == (
        "The median exceeds the largest number of float16 after 1 further factor, of float32 and "
        "bfloat16 after 4, of float64 after 31."
    )
    falling = [np.array([float(-k)]) for k in range(41)]
    assert sentences_about_product(Product(count=40, replicates=1), falling)[-1] == (
        "The median loses digits in float16 after 5 further factors, in float32 and bfloat16 after "
        "38; it falls below the smallest number of float16 after 8 further factors."
    )


def test_the_future_is_not_foretold_and_nine_of_ten_takes_twenty():
    norms = [np.linspace(0.0, 1.0, 20)] * 3
    many = Product(count=2, replicates=20)
    assert sentences_about_product(many, norms[:2])[-1] == (
        "So far the median is in the range of float16."
    )
    assert sentences_about_product(many, norms)[-1] == (
        "The median stays in the range of float16 all the way."
    )
    assert "nine of ten lie between 10^0.1 and 10^0.9" in sentences_about_product(many, norms)[0]
    few = sentences_about_product(replace(many, replicates=5), [norm[::4] for norm in norms])
    assert "all 5 lie between 10^0.0 and 10^0.8" in few[0]
