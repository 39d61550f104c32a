"""Singular values of products and their bounds against exact arithmetic; exponents against law."""

import math

import mpmath
import numpy as np
import pytest

from stability.catalogues.product_families import PRODUCT_FAMILIES
from stability.engine.products import factor_matrices
from stability.page.probe_sentences import bounds_sentence
from stability.probes.product_singular_values import (
    MOST_SAMPLES,
    affordable_factors,
    measured_exponents,
    sampled_factors,
    singular_bounds,
    why_shortened,
)
from stability.records.product import Product
from stability.theory.product_law import product_exponents


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
def test_both_ends_keep_their_digits_where_the_condition_number_is_far_beyond_1e16(family):
    product = Product(n=3, sigma=0.3, count=60, family=family, seed=4)
    found, stream = singular_bounds(product), factor_matrices(product, range(1))
    with mpmath.workdps(120):
        plain, expected = mpmath.eye(3), []
        for _ in range(61):
            plain = mpmath.matrix(next(stream)[0].tolist()) * product.scale * plain
            expected.append(
                [float(mpmath.log10(value)) for value in mpmath.svd_r(plain, compute_uv=False)]
            )
    largest, _, smallest = np.array(expected)[found.factor].T
    assert found.largest == pytest.approx(largest, abs=1e-9)
    assert found.smallest == pytest.approx(smallest, abs=1e-9)
    assert family == "orthogonal" or (largest - smallest)[-1] > 20


@pytest.mark.parametrize("family", PRODUCT_FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 16, 100])
def test_the_bounds_hold_at_every_look_and_are_met_by_the_first_matrix(family, n):
    found = singular_bounds(Product(n=n, count=30, family=family))
    assert (found.lower <= found.smallest + 1e-9).all()
    assert (found.smallest <= found.largest + 1e-9).all()
    assert (found.largest <= found.upper + 1e-9).all()
    assert found.factor[0] == 0
    assert [found.lower[0], found.upper[0]] == pytest.approx(
        [found.smallest[0], found.largest[0]], abs=1e-9
    )


def test_the_bounds_are_the_sums_of_the_factors_own_logarithms():
    product = Product(n=5, count=20, sigma=2.0)
    stream, found = factor_matrices(product, range(1)), singular_bounds(product)
    ends = np.cumsum(
        [
            np.log10(2 * np.linalg.svd(next(stream)[0], compute_uv=False)[[0, -1]])
            for _ in range(21)
        ],
        axis=0,
    )
    assert np.stack([found.upper, found.lower], axis=1) == pytest.approx(
        ends[found.factor], abs=1e-10
    )


def test_the_work_is_bounded_and_what_is_left_out_is_said():
    large = Product(n=256, count=1000)
    assert 8 <= affordable_factors(large) < 100
    assert f"first {affordable_factors(large) - 1} further factors" in why_shortened(large)
    assert why_shortened(Product(n=32, count=1000)) == why_shortened(Product(n=256, count=8)) == ""
    assert len(sampled_factors(1001)) == MOST_SAMPLES
    assert sampled_factors(2).tolist() == [0, 1]
    for count in (3, 59, 60, 61, 62, 100, 1001):
        assert sampled_factors(count)[[0, 1, -1]].tolist() == [0, 1, count - 1]
        assert (np.diff(sampled_factors(count)) > 0).all()


def test_sigma_moves_all_by_its_logarithm_and_0_leaves_nothing():
    one, tiny = singular_bounds(Product()), singular_bounds(Product(sigma=1e-300))
    assert tiny.smallest - one.smallest == pytest.approx(-300 * (one.factor + 1), rel=1e-12)
    assert len(singular_bounds(Product(sigma=0)).largest) == 0
    assert why_shortened(Product(sigma=0)) == "No singular values at sigma 0: all are 0."
    assert bounds_sentence(Product(sigma=0)) == ""


def test_two_matrices_are_compared_in_words():
    assert bounds_sentence(Product(count=1)).startswith(
        "The first two matrices together stretch by "
    )
    assert bounds_sentence(Product(count=100)).partition(" After ")[0] == bounds_sentence(
        Product(count=1)
    )
    assert "After 100 further factors one direction" in bounds_sentence(Product())
    assert "alike" in bounds_sentence(Product(family="orthogonal"))


@pytest.mark.parametrize("family", ["normal", "xavier_normal"])
@pytest.mark.parametrize("n", [1, 2, 4, 16, 64])
def test_measured_exponents_are_those_of_the_law(n, family):
    """Means of independent logarithms of chi-squares: within 4 standard errors.

    These are sqrt(psi'((n - i) / 2) / 4 / factors).
    """
    product = Product(n=n, count=500, sigma=0.7, family=family, seed=8)
    errors = [
        math.sqrt(float(mpmath.psi(1, mpmath.mpf(n - i) / 2)) / 4 / affordable_factors(product))
        for i in range(n)
    ]
    assert (
        np.abs(measured_exponents(product) - product_exponents(product)) < 4 * np.array(errors)
    ).all()


def test_measured_exponents_add_up_to_the_mean_logarithm_of_the_determinants():
    product = Product(n=6, count=50, family="uniform", sigma=1.3)
    stream = factor_matrices(product, range(1))
    volumes = [np.linalg.slogdet(1.3 * next(stream)[0].numpy()).logabsdet for _ in range(51)]
    assert measured_exponents(product).sum() == pytest.approx(np.mean(volumes))


def test_orthogonal_factors_stretch_every_direction_by_the_gain():
    assert measured_exponents(Product(family="orthogonal", sigma=1.5)) == pytest.approx(
        np.full(4, math.log(1.5)), abs=1e-12
    )
