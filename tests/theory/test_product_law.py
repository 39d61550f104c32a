"""The laws of random products against Monte Carlo and mpmath.

Monte Carlo agrees within 4 standard errors of its own, estimated from the sample; seeds are fixed,
so luck plays no part.
"""

import math

import mpmath
import numpy as np
import pytest
import torch

from stability.catalogues.product_families import lyapunov_exponents
from stability.engine.products import log10_norms_by_factor, unit_products
from stability.records.product import Product
from stability.theory.product_law import (
    LN10,
    critical_sigma,
    frobenius_offset,
    norm_law,
    norm_quantiles,
    product_exponents,
    typical_log_growth,
)

SIZES = {
    1: (1000, 30),
    2: (1000, 30),
    4: (1000, 30),
    16: (400, 30),
    64: (120, 12),
}  # replicates and further factors
LENGTHS = {2: 100, 4: 160, 16: 200}  # by size, further factors after which one direction is left


def gaussian(n: int, **settings) -> Product:
    replicates, count = SIZES[n]
    return Product(
        **({"n": n, "replicates": replicates, "count": count, "sigma": 0.8, "seed": 11} | settings)
    )


def vector_logs(product: Product) -> np.ndarray:
    """ln |P_k x| for the first unit vector, `(count + 1, replicates)`."""
    stream = unit_products(product, range(product.replicates))
    return np.stack(
        [
            torch.linalg.vector_norm(unit[:, :, 0], dim=1).log().numpy() + power.numpy() * LN10
            for unit, power in stream
        ]
    )


def offsets(product: Product, k: int) -> np.ndarray:
    """ln |P_k| - ln |P_k x|, the mean over the unit vectors x along the axes, `(replicates,)`."""
    for index, (unit, _) in enumerate(unit_products(product, range(product.replicates))):
        if index == k:
            return -torch.linalg.vector_norm(unit, dim=1).log().mean(dim=1).numpy()
    raise IndexError(k)


def four_errors(sample: np.ndarray) -> float:
    return 4 * sample.std(ddof=1) / math.sqrt(len(sample))


# The law of one vector


@pytest.mark.parametrize("sigma", [1.0, 0.01, 7.5])
@pytest.mark.parametrize("n", [1, 2, 4, 16, 64, 256])
def test_exponents_are_newman_s_in_exact_arithmetic(n, sigma):
    found = lyapunov_exponents(n, sigma)
    expected = [
        mpmath.log(sigma) + (mpmath.log(2) + mpmath.digamma(mpmath.mpf(n - i) / 2)) / 2
        for i in range(n)
    ]
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array(expected, dtype=float), abs=1e-13)
    assert (np.diff(found) < 0).all()


def test_exponents_of_zeros_are_minus_infinity_and_what_makes_no_sense_is_refused():
    assert (lyapunov_exponents(3, 0) == -np.inf).all()
    for n, sigma in ((0, 1.0), (3, -1.0), (3, math.nan)):
        with pytest.raises(ValueError, match="n must be at least 1 and sigma at least 0"):
            lyapunov_exponents(n, sigma)


@pytest.mark.parametrize("family", ["normal", "xavier_normal"])
@pytest.mark.parametrize("n", SIZES)
def test_the_length_of_a_vector_grows_by_the_law_in_mean_and_variance(n, family):
    product = gaussian(n, family=family)
    logs, known = vector_logs(product), norm_law(product)
    for k in (0, product.count):
        sample = logs[k]
        assert sample.mean() == pytest.approx(known.mean[k] * LN10, abs=four_errors(sample))
        variance = float((k + 1) * mpmath.psi(1, mpmath.mpf(n) / 2) / 4)
        squares = (sample - known.mean[k] * LN10) ** 2
        assert squares.mean() == pytest.approx(variance, abs=four_errors(squares))


@pytest.mark.parametrize("n", [4, 16])
def test_nine_of_ten_vectors_lie_in_the_law_s_band(n):
    """After 30 factors the sum of logarithms is nearly a bell curve; plus the binomial's error."""
    product = gaussian(n)
    logs, known = vector_logs(product)[-1] / LN10, norm_law(product)
    inside = np.mean((known.low[-1] < logs) & (logs < known.high[-1]))
    assert inside == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / len(logs)) + 0.01)


def test_the_law_says_25_decades_for_the_book_s_product():
    assert norm_law(Product()).frobenius[-1] == pytest.approx(25, abs=0.2)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_orthogonal_factors_grow_by_the_law_exactly(gain):
    product = Product(n=5, family="orthogonal", sigma=gain, count=40, replicates=3)
    known = norm_law(product)
    assert product.log10_norms() == pytest.approx(np.tile(known.frobenius, (3, 1)), abs=1e-11)
    assert known.frobenius[0] == pytest.approx(math.log10(gain * math.sqrt(5)))
    assert np.array_equal(known.low, known.high)
    assert np.array_equal(product_exponents(product), np.full(5, math.log10(gain) * LN10))


@pytest.mark.parametrize(
    "product", [Product(family="uniform"), Product(family="xavier_uniform"), Product(sigma=0)]
)
def test_where_no_law_is_known_none_is_given(product):
    assert norm_law(product) is None


# The norm of the matrix


@pytest.mark.parametrize("n", SIZES)
def test_the_first_matrix_has_the_norm_of_the_law(n):
    norms = next(log10_norms_by_factor(gaussian(n))) * LN10
    assert norms.mean() == pytest.approx(
        norm_law(gaussian(n)).frobenius[0] * LN10, abs=four_errors(norms)
    )
    exact = (mpmath.digamma(mpmath.mpf(n * n) / 2) - mpmath.digamma(mpmath.mpf(n) / 2)) / 2
    assert frobenius_offset(n, np.array([0]))[0] == pytest.approx(float(exact), abs=1e-13)


@pytest.mark.parametrize("n", LENGTHS)
def test_in_the_end_the_norm_lies_above_one_vector_as_rank_one_has_it(n):
    """Other directions, after so many factors, lower it by less than 0.02."""
    found = offsets(gaussian(n, replicates=1600 // n, count=LENGTHS[n]), LENGTHS[n])
    limit = float((mpmath.digamma(mpmath.mpf(n) / 2) - mpmath.digamma(0.5)) / 2)
    assert found.mean() == pytest.approx(limit, abs=four_errors(found) + 0.02)
    assert frobenius_offset(n, np.array([1e12]))[0] == pytest.approx(limit, abs=1e-6)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (4, 4), (4, 20), (16, 8), (16, 30), (64, 32)])
def test_between_its_ends_the_offset_is_right_to_3_hundredths_of_a_decade(n, k):
    found = offsets(gaussian(n, count=k, replicates=min(1000, 6000 // n)), k) / LN10
    assert found.mean() == pytest.approx(
        float(frobenius_offset(n, np.array([k]))[0]) / LN10, abs=four_errors(found) + 0.03
    )


@pytest.mark.parametrize("n", [1, 2, 4, 16, 64, 256])
def test_the_offset_grows_from_its_start_to_its_limit(n):
    found = frobenius_offset(n, np.arange(0, 100 * n))
    limit = float((mpmath.digamma(mpmath.mpf(n) / 2) - mpmath.digamma(0.5)) / 2)
    assert (np.diff(found) >= 0).all()
    assert found[-1] <= limit + 1e-12


# What keeps what


@pytest.mark.parametrize("n", [1, 4, 64, 256])
def test_at_the_critical_sigma_the_typical_product_neither_grows_nor_shrinks(n):
    assert lyapunov_exponents(n, critical_sigma(n))[0] == pytest.approx(0, abs=1e-12)
    assert critical_sigma(n) > n**-0.5


def test_where_the_variance_is_kept_the_typical_product_shrinks_and_that_heals_with_the_size():
    rates = np.array([typical_log_growth(n) for n in range(1, 257)])
    assert (rates < 0).all()
    assert (np.diff(rates) > 0).all()
    assert rates[63:] * 2 * np.arange(64, 257) == pytest.approx(-1, abs=0.01)


def test_where_the_variance_is_kept_the_median_shrinks_while_the_mean_square_stays():
    product = Product(n=16, sigma=0.25, count=40, replicates=1000, seed=2)
    squares = 100.0 ** product.log10_norms()
    assert squares[:, 8].mean() == pytest.approx(16, abs=four_errors(squares[:, 8]))
    assert np.median(squares[:, -1]) < 16 / 4


def test_quantiles_are_those_of_the_replicates_and_of_zeros_minus_infinity():
    low, median, high = norm_quantiles(np.array([np.arange(101.0), np.full(101, -np.inf)]))
    assert [low[0], median[0], high[0]] == [5, 50, 95]
    assert (np.array([low[1], median[1], high[1]]) == -np.inf).all()
