"""Averages over one and two bell curves against mpmath, closed forms and sampling."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_moments import correlation, slope_correlation

from stability.catalogues.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from stability.catalogues.gaussian_moments import second_moment, slope_moment

# Where a rule ends its panels. Others have kinks at 0, if any; a sine has many periods.
KINKS = {"hardtanh": (-1, 1), "sine": tuple(np.arange(-30, 30.1, 0.4))}


# written down a second time
EXACT = {
    "linear": lambda u: u,
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
    "tanh": mpmath.tanh,
    "hardtanh": lambda u: max(min(u, 1), -1),
    "softsign": lambda u: u / (1 + abs(u)),
    "erf": mpmath.erf,
    "relu": lambda u: max(u, 0),
    "leaky_relu": lambda u: max(u, u / 100),
    "leaky_relu_0.2": lambda u: max(u, u / 5),
    "elu": lambda u: u if u > 0 else mpmath.expm1(u),
    "selu": lambda u: SELU_SCALE * (u if u > 0 else SELU_ALPHA * mpmath.expm1(u)),
    "gelu": lambda u: u * mpmath.ncdf(u),
    "silu": lambda u: u / (1 + mpmath.exp(-u)),
    "mish": lambda u: u * mpmath.tanh(mpmath.log(1 + mpmath.exp(u))),
    "softplus": lambda u: mpmath.log(1 + mpmath.exp(u)),
    "sine": lambda u: mpmath.sin(30 * u),
}


EXACT_SLOPE = {
    "linear": lambda u: 1,
    "sigmoid": lambda u: 1 / (4 * mpmath.cosh(u / 2) ** 2),
    "tanh": lambda u: mpmath.sech(u) ** 2,
    "hardtanh": lambda u: int(abs(u) < 1),
    "softsign": lambda u: 1 / (1 + abs(u)) ** 2,
    "erf": lambda u: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(u**2)),
    "relu": lambda u: int(u > 0),
    "leaky_relu": lambda u: 1 if u > 0 else mpmath.mpf(1) / 100,
    "leaky_relu_0.2": lambda u: 1 if u > 0 else mpmath.mpf(1) / 5,
    "elu": lambda u: 1 if u > 0 else mpmath.exp(u),
    "selu": lambda u: SELU_SCALE * (1 if u > 0 else SELU_ALPHA * mpmath.exp(u)),
    "gelu": lambda u: mpmath.ncdf(u) + u * mpmath.npdf(u),
    "silu": lambda u: (1 + u / (1 + mpmath.exp(u))) / (1 + mpmath.exp(-u)),
    "mish": lambda u: (
        EXACT["mish"](u) / u
        + u * mpmath.sech(mpmath.log(1 + mpmath.exp(u))) ** 2 / (1 + mpmath.exp(-u))
    ),
    "softplus": lambda u: 1 / (1 + mpmath.exp(-u)),
    "sine": lambda u: 30 * mpmath.cos(30 * u),
}


any_activation = st.sampled_from(sorted(ACTIVATIONS))


any_q = st.floats(-6, 5).map(math.exp)


few = settings(max_examples=60, deadline=None)


def mean_square(phi, q: float, kinks: tuple[float, ...]) -> float:
    """E phi(u)^2 for u ~ N(0, q) to 12 digits, in pieces that end at kinks and other bends."""
    with mpmath.workdps(16):
        scale = mpmath.sqrt(q)
        inner = {point for point in (0, *kinks, -1, 1, -6, 6, -40, 40) if abs(point) < 9 * scale}
        ends = sorted({*inner, *(scale * z for z in (-11, -2, 2, 11))})
        twice_variance = 2 * scale**2
        whole = mpmath.quad(
            lambda u: phi(u) ** 2 * mpmath.exp(-u * u / twice_variance),
            ends, method="gauss-legendre", maxdegree=4,
        )  # fmt: skip
        return float(whole / mpmath.sqrt(mpmath.pi * twice_variance))


def phi_of(key: str, u: np.ndarray) -> np.ndarray:
    return ACTIVATIONS[key].phi(torch.from_numpy(u)).numpy()


def dphi_of(key: str, u: np.ndarray) -> np.ndarray:
    at = torch.from_numpy(u)
    return ACTIVATIONS[key].dphi(at, ACTIVATIONS[key].phi(at)).numpy()


def product_mean(of, q: float, c: float, kinks: tuple[float, ...]) -> float:
    """E of(u1) of(u2) by a product of Gauss-Legendre rules in u1 and u2.

    Their panels are at most 0.15 wide and end at kinks.
    """
    reach, (x, weights) = 8.5 * math.sqrt(q), np.polynomial.legendre.leggauss(6)
    edges = np.unique(np.r_[np.linspace(-reach, 0, 81), np.linspace(0, reach, 81), kinks])
    half = np.diff(edges)[:, None] / 2
    u, weights = (edges[:-1, None] + half * (x + 1)).ravel(), (half * weights).ravel()
    form = (u[:, None] ** 2 - 2 * c * np.outer(u, u) + u**2) / (1 - c**2)
    density = np.exp(-form / (2 * q)) / (2 * math.pi * q * math.sqrt(1 - c**2))
    return (weights * of(u)) @ density @ (weights * of(u))


@pytest.mark.parametrize("key", ACTIVATIONS)
@pytest.mark.parametrize("q", [1e-4, 0.03, 1.7, 60.0, 1e4])
def test_second_and_slope_moments_are_those_of_mpmath(key, q):
    kinks, q = KINKS.get(key, ()), q / ACTIVATIONS[key].frequency ** 2
    assert math.isclose(second_moment(key, q), mean_square(EXACT[key], q, kinks), rel_tol=1e-9)
    assert math.isclose(slope_moment(key, q), mean_square(EXACT_SLOPE[key], q, kinks), rel_tol=1e-9)


@pytest.mark.parametrize("key", ACTIVATIONS)
@pytest.mark.parametrize(
    ("q", "c"), [(0.01, 0.6), (0.4, -0.7), (1.0, 0.0), (1.3, 0.95), (5.0, 0.5)]
)
def test_averages_of_two_are_those_of_a_rule_on_the_plane(key, q, c):
    kinks, scale = KINKS.get(key, ()), second_moment(key, q)
    # Where phi' jumps, the plane is cut along the axes alone, and so are the panels.
    assert math.isclose(
        correlation(key, q, c),
        product_mean(lambda u: phi_of(key, u), q, c, kinks),
        abs_tol=1e-7 * scale,
    )
    slope = product_mean(lambda u: dphi_of(key, u), q, c, kinks)
    assert math.isclose(slope_correlation(key, q, c), slope, abs_tol=1e-6 * slope_moment(key, q))


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_averages_are_those_of_a_sample(key):
    """Five standard errors, s / sqrt(n) of a mean of n; the draws are fixed by a seed."""
    q, c, n = 2.3, 0.8, 200_000
    a, b = np.random.default_rng(0).standard_normal((2, n))
    u, other = math.sqrt(q) * a, math.sqrt(q) * (c * a + math.sqrt(1 - c**2) * b)
    for of, one, two in (
        (phi_of, second_moment, correlation),
        (dphi_of, slope_moment, slope_correlation),
    ):
        for sample, expected in (
            (of(key, u) ** 2, one(key, q)),
            (of(key, u) * of(key, other), two(key, q, c)),
        ):
            assert abs(sample.mean() - expected) <= 5 * sample.std() / math.sqrt(n) + 1e-12


def test_averages_of_erf_are_those_of_the_closed_forms():
    """Williams 1997, for phi(u) = erf(u)."""
    q, c = np.geomspace(1e-12, 1e4, 300)[:, None], np.linspace(-1, 1, 41)
    assert np.allclose(
        second_moment("erf", q), 2 / math.pi * np.arcsin(2 * q / (1 + 2 * q)), rtol=1e-12
    )
    assert np.allclose(slope_moment("erf", q), 4 / (math.pi * np.sqrt(1 + 4 * q)), rtol=1e-12)
    error = correlation("erf", q, c) - 2 / math.pi * np.arcsin(2 * q * c / (1 + 2 * q))
    assert (abs(error) < 1e-8 * second_moment("erf", q)).all()
    slopes = 4 / (math.pi * np.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2))
    assert np.allclose(slope_correlation("erf", q, c), slopes, rtol=1e-6)


@pytest.mark.parametrize(
    ("key", "a"), [("linear", 1.0), ("relu", 0.0), ("leaky_relu", 0.01), ("leaky_relu_0.2", 0.2)]
)
def test_averages_of_rectifiers_are_those_of_the_arc_cosine_kernels(key, a):
    """Cho & Saul 2009, degrees 0 and 1, of a u + (1 - a) max(u, 0)."""
    q, c = np.geomspace(1e-300, 1e300, 61)[:, None], np.linspace(-1, 1, 41)
    theta = np.arccos(c)
    step = (math.pi - theta) / (2 * math.pi)
    ramp = (np.sin(theta) + (math.pi - theta) * c) / (2 * math.pi)
    assert np.allclose(correlation(key, q, c) / q, (1 - a) ** 2 * ramp + a * c, rtol=0, atol=1e-10)
    assert np.allclose(slope_correlation(key, q, c), (1 - a) ** 2 * step + a, rtol=0, atol=1e-9)
    assert np.allclose(second_moment(key, q) / q, (1 + a**2) / 2, rtol=1e-12)
    assert np.allclose(slope_moment(key, q), (1 + a**2) / 2, rtol=1e-12)


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_averages_stay_sane_from_zero_to_infinity(key):
    q = np.r_[0.0, np.geomspace(1e-300, 1e300, 2001), math.inf]
    for values, rising in ((second_moment(key, q), True), (slope_moment(key, q)[[0, -1]], False)):
        assert not np.isnan(values).any()
        assert (values >= 0).all()
        assert (
            not rising or (np.diff(values[:-1]) >= -1e-12 * values[:-2]).all()
        )  # so iteration of V runs one way
    h = phi_of(key, np.array([0.0, -1e-300, 1e-300]))
    assert math.isclose(second_moment(key, 0), h[0] ** 2, rel_tol=1e-12)
    assert math.isclose(
        slope_moment(key, 0), (dphi_of(key, np.array([-1e-300, 1e-300])) ** 2).mean(), rel_tol=1e-12
    )
    if ACTIVATIONS[key].frequency != 1:  # a wave is steep as often there as anywhere
        return
    far = phi_of(key, np.array([-1e200, 1e200])) / 1e200
    if far[1] > 0.1:
        assert second_moment(key, math.inf) == math.inf
    assert math.isclose(slope_moment(key, math.inf), (far**2).mean(), rel_tol=1e-11, abs_tol=1e-99)


def test_a_table_has_no_seams():
    """Neighbours on either side of an end of a cell differ by what the slope between them says."""
    ends = np.exp(np.arange(-70.0, 71.0))
    for key in ACTIVATIONS:
        for moment in (second_moment, slope_moment):
            assert np.allclose(
                moment(key, ends * (1 - 1e-13)), moment(key, ends * (1 + 1e-13)), rtol=2e-11
            )


@few
@given(any_activation, any_q)
def test_equal_signals_stay_equal(key, q):
    assert math.isclose(correlation(key, q, 1), second_moment(key, q), rel_tol=1e-12)
    assert math.isclose(slope_correlation(key, q, 1), slope_moment(key, q), rel_tol=1e-9)


@few
@given(any_activation, st.floats(-6, 2).map(math.exp), st.floats(-0.95, 0.95))
def test_the_slope_of_the_correlation_map_is_the_correlation_of_slopes(key, q, c):
    """Price 1958: d E phi(u1) phi(u2) / dc = q E phi'(u1) phi'(u2)."""
    step = 1e-3  # leaves step^2 / 6 times a third derivative, 1 / (1 - c^2)^2.5 at most
    change = (correlation(key, q, c + step) - correlation(key, q, c - step)) / (2 * step)
    slack = 1e-6 * (1 - c**2) ** -2.5 * slope_moment(key, q) * q
    assert abs(change - q * slope_correlation(key, q, c)) <= slack
