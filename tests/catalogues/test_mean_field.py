"""Averages against mpmath, closed forms and sampling; fixed points against iteration, their equations and published values."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stability.catalogues.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from stability.catalogues.mean_field import (
    FixedPoint,
    correlation,
    critical_sigma_w2,
    fixed_point,
    second_moment,
    slope_correlation,
    slope_moment,
)

BELL = math.sqrt(2 * math.pi)
FIELDS = "q", "c", "chi_1", "chi_q", "xi_q", "xi_c", "xi_gradient"
CURVED = [key for key, row in ACTIVATIONS.items() if row.corners is None]
KINKS = {"hardtanh": (-1, 1)}  # others have theirs at 0, if any
EXACT = {  # written down a second time
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
    "mish": lambda u: EXACT["mish"](u) / u + u * mpmath.sech(mpmath.log(1 + mpmath.exp(u))) ** 2 / (1 + mpmath.exp(-u)),
    "softplus": lambda u: 1 / (1 + mpmath.exp(-u)),
}


def mean_square(phi, q: float, kinks: tuple[float, ...]) -> float:
    """E phi(u)^2 for u ~ N(0, q), in pieces that end at kinks and where activations bend, 20 digits."""
    with mpmath.workdps(20):
        scale = mpmath.sqrt(q)
        inner = {point for point in (0, *kinks, -1, 1, -6, 6, -40, 40) if abs(point) < 9 * scale}
        ends = sorted({*inner, *(scale * z for z in (-11, -2, 2, 11))})
        return float(mpmath.quad(lambda u: phi(u) ** 2 * mpmath.npdf(u, 0, scale), ends, maxdegree=5))


def phi_of(key: str, u: np.ndarray) -> np.ndarray:
    return ACTIVATIONS[key].phi(torch.from_numpy(u)).numpy()


def dphi_of(key: str, u: np.ndarray) -> np.ndarray:
    at = torch.from_numpy(u)
    return ACTIVATIONS[key].dphi(at, ACTIVATIONS[key].phi(at)).numpy()


def product_mean(of, q: float, c: float, kinks: tuple[float, ...]) -> float:
    """E of(u1) of(u2) by a product of Gauss-Legendre rules in u1 and u2, of panels of at most 0.15 that end at kinks."""
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
    kinks = KINKS.get(key, ())
    assert math.isclose(second_moment(key, q), mean_square(EXACT[key], q, kinks), rel_tol=1e-9)
    assert math.isclose(slope_moment(key, q), mean_square(EXACT_SLOPE[key], q, kinks), rel_tol=1e-9)


@pytest.mark.parametrize("key", ACTIVATIONS)
@pytest.mark.parametrize(("q", "c"), [(0.01, 0.6), (0.4, -0.7), (1.0, 0.0), (1.3, 0.95), (5.0, 0.5)])
def test_averages_of_two_are_those_of_a_rule_on_the_plane(key, q, c):
    kinks, scale = KINKS.get(key, ()), second_moment(key, q)
    # Where phi' jumps, the plane is cut along the axes alone, and so are the panels.
    assert math.isclose(correlation(key, q, c), product_mean(lambda u: phi_of(key, u), q, c, kinks), abs_tol=1e-7 * scale)
    slope = product_mean(lambda u: dphi_of(key, u), q, c, kinks)
    assert math.isclose(slope_correlation(key, q, c), slope, abs_tol=1e-6 * slope_moment(key, q))


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_averages_are_those_of_a_sample(key):
    """Five standard errors, s / sqrt(n) of a mean of n; the draws are fixed by a seed."""
    q, c, n = 2.3, 0.8, 200_000
    a, b = np.random.default_rng(0).standard_normal((2, n))
    u, other = math.sqrt(q) * a, math.sqrt(q) * (c * a + math.sqrt(1 - c**2) * b)
    for of, one, two in ((phi_of, second_moment, correlation), (dphi_of, slope_moment, slope_correlation)):
        for sample, expected in ((of(key, u) ** 2, one(key, q)), (of(key, u) * of(key, other), two(key, q, c))):
            assert abs(sample.mean() - expected) <= 5 * sample.std() / math.sqrt(n) + 1e-12


def test_averages_of_erf_are_those_of_the_closed_forms():
    """Williams 1997, for phi(u) = erf(u)."""
    q, c = np.geomspace(1e-12, 1e4, 300)[:, None], np.linspace(-1, 1, 41)
    assert np.allclose(second_moment("erf", q), 2 / math.pi * np.arcsin(2 * q / (1 + 2 * q)), rtol=1e-12)
    assert np.allclose(slope_moment("erf", q), 4 / (math.pi * np.sqrt(1 + 4 * q)), rtol=1e-12)
    error = correlation("erf", q, c) - 2 / math.pi * np.arcsin(2 * q * c / (1 + 2 * q))
    assert (abs(error) < 1e-8 * second_moment("erf", q)).all()
    slopes = 4 / (math.pi * np.sqrt((1 + 2 * q) ** 2 - (2 * q * c) ** 2))
    assert np.allclose(slope_correlation("erf", q, c), slopes, rtol=1e-6)


@pytest.mark.parametrize(("key", "a"), [("linear", 1.0), ("relu", 0.0), ("leaky_relu", 0.01), ("leaky_relu_0.2", 0.2)])
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
        assert not rising or (np.diff(values[:-1]) >= -1e-12 * values[:-2]).all()  # so iteration of V runs one way
    h = phi_of(key, np.array([0.0, -1e-300, 1e-300]))
    assert math.isclose(second_moment(key, 0), h[0] ** 2, rel_tol=1e-12)
    assert math.isclose(slope_moment(key, 0), (dphi_of(key, np.array([-1e-300, 1e-300])) ** 2).mean(), rel_tol=1e-12)
    far = phi_of(key, np.array([-1e200, 1e200])) / 1e200
    if far[1] > 0.1:
        assert second_moment(key, math.inf) == math.inf
    assert math.isclose(slope_moment(key, math.inf), (far**2).mean(), rel_tol=1e-11, abs_tol=1e-99)


def test_a_table_has_no_seams():
    """Neighbours on either side of an end of a cell differ by what the slope between them says."""
    ends = np.exp(np.arange(-70.0, 71.0))
    for key in ACTIVATIONS:
        for moment in (second_moment, slope_moment):
            assert np.allclose(moment(key, ends * (1 - 1e-13)), moment(key, ends * (1 + 1e-13)), rtol=2e-11)


any_activation = st.sampled_from(sorted(ACTIVATIONS))
any_q = st.floats(-6, 5).map(math.exp)
any_w = st.floats(0.05, 5)
any_b = st.just(0.0) | st.floats(1e-6, 2)
few = settings(max_examples=60, deadline=None)


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


@few
@given(any_activation, any_w, any_b)
def test_a_fixed_point_is_fixed_and_its_slopes_are_those_of_the_maps(key, sigma_w2, sigma_b2):
    point = fixed_point(key, sigma_w2, sigma_b2)
    if not 0 < point.q < math.inf:
        assert point.note
        return
    assert math.isclose(sigma_w2 * second_moment(key, point.q) + sigma_b2, point.q, rel_tol=1e-9)
    assert math.isclose(point.chi_1, sigma_w2 * slope_moment(key, point.q), rel_tol=1e-9)
    near = second_moment(key, point.q * np.array([1 - 1e-4, 1 + 1e-4]))
    assert math.isclose(point.chi_q, sigma_w2 * np.diff(near)[0] / (2e-4 * point.q), rel_tol=1e-6, abs_tol=1e-9)
    if not math.isnan(point.c):
        image = (sigma_w2 * correlation(key, point.q, point.c) + sigma_b2) / point.q
        assert math.isclose(image, point.c, abs_tol=1e-8)
        slope = sigma_w2 * slope_correlation(key, point.q, point.c)
        assert slope <= 1 + 1e-9
        assert math.isclose(-1 / point.xi_c, math.log(slope), rel_tol=1e-6, abs_tol=1e-9)


@few
@given(any_activation, any_w, any_b)
def test_correlations_settle_at_one_in_order_and_below_one_in_chaos(key, sigma_w2, sigma_b2):
    point = fixed_point(key, sigma_w2, sigma_b2)
    if 0 < point.q < math.inf and not math.isnan(point.c):
        assert (point.c < 1) == (point.chi_1 > 1)
        assert 0 <= point.c <= 1
        assert (point.xi_gradient < 0) == (point.chi_1 > 1)


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_iteration_from_the_first_layer_ends_at_the_fixed_point(key):
    """2500 rounds leave 0.99^2500 = 1e-11 of the distance."""
    w, b = (grid.ravel() for grid in np.meshgrid(np.linspace(0.2, 4.4, 8), [0.0, 0.03, 0.4, 2.0]))
    point, q = fixed_point(key, w, b), w + b
    with np.errstate(over="ignore"):
        for _ in range(2500):
            previous, q = q, np.minimum(w * second_moment(key, q) + b, 1e300)
    sure = (point.q > 0) & np.isfinite(point.q) & (point.chi_q < 0.99)
    assert sure.sum() + (point.q == 0).sum() + np.isinf(point.q).sum() > 28
    assert np.allclose(q[sure], point.q[sure], rtol=1e-8)
    assert (q >= previous)[np.isinf(point.q)].all()
    assert (q > w + b)[np.isinf(point.q)].all()
    assert (q[point.q == 0] < 2e-3).all()


@pytest.mark.parametrize("key", ["gelu", "silu", "mish"])
def test_two_fixed_points_are_told_from_none_up_to_where_they_meet(key):
    """q is fixed where sigma_w2 = (q - sigma_b2) / E phi^2: a small signal stops up to the first maximum of this curve."""
    sigma_b2, q = 0.02, np.exp(np.arange(-3.9, 3, 1e-5))
    curve = (q - sigma_b2) / second_moment(key, q)
    last = curve[np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:]))[0] + 1]
    below, above = fixed_point(key, last * (1 - 1e-8), sigma_b2), fixed_point(key, last * (1 + 1e-8), sigma_b2)
    assert above.q == math.inf
    if below.q < math.inf:  # else the first layer starts beyond both
        assert 0.99 < below.chi_q < 1
        assert math.isclose(last * second_moment(key, below.q) + sigma_b2, below.q, rel_tol=1e-7)


def test_the_edge_of_chaos_of_tanh_is_the_published_one():
    """(1.76, 0.05): Schoenholz et al. 2017 and Pennington et al. 2017. At sigma_b2 = 0 it is 1 / phi'(0)^2."""
    assert math.isclose(critical_sigma_w2("tanh", 0.05), 1.76, abs_tol=5e-3)
    assert critical_sigma_w2("tanh", 0.0) == pytest.approx(1, abs=1e-11)
    assert critical_sigma_w2("erf", 0.0) == pytest.approx(math.pi / 4, rel=1e-11)


def test_the_half_stable_points_of_gelu_and_swish_are_the_published_ones():
    """Roberts, Yaida & Hanin 2022, sec. 5.3.4: (C_b, C_W) where both slopes are 1. For GELU the kernel is (3 + sqrt 17) / 2."""
    for key, q, sigma_b2, sigma_w2 in (
        ("gelu", (3 + math.sqrt(17)) / 2, 0.17292239, 1.98305826),
        ("silu", 14.32017362, 0.55514317, 1.98800468),
    ):
        assert math.isclose(1 / slope_moment(key, q), sigma_w2, abs_tol=1e-8)
        assert math.isclose(q - sigma_w2 * second_moment(key, q), sigma_b2, abs_tol=5e-8)
        assert fixed_point(key, critical_sigma_w2(key, sigma_b2 + 1e-3), sigma_b2 + 1e-3).chi_q < 1
        with pytest.raises(ValueError, match="repels"):
            critical_sigma_w2(key, sigma_b2 - 1e-3)


def test_selu_keeps_mean_zero_and_variance_one():
    """Klambauer et al. 2017, eq. 14. The slope of the correlation map there is above 1: differences grow."""
    point = fixed_point("selu", 1, 0)
    assert math.isclose(point.q, 1, rel_tol=1e-12)
    assert abs(correlation("selu", 1, 0)) < 1e-9  # the mean, squared
    assert point.chi_q < 1 < point.chi_1
    assert abs(point.c) < 1e-8


@pytest.mark.parametrize("key", ["linear", "relu", "leaky_relu", "leaky_relu_0.2"])
def test_rectifiers_are_critical_where_he_says_and_then_every_q_is_fixed(key):
    """He et al. 2015, eq. 10, and sec. 2.2 for a slope a on the left: sigma_w2 = 2 / (1 + a^2)."""
    a = {"linear": 1.0}.get(key, ACTIVATIONS[key].negative_slope)
    sigma_w2 = 2 / (1 + a**2)
    assert math.isclose(critical_sigma_w2(key, 0), sigma_w2, rel_tol=1e-13)
    point = fixed_point(key, sigma_w2, 0)
    assert (point.q, point.chi_1, point.chi_q) == (sigma_w2, 1, 1)
    assert point.xi_gradient == point.xi_c == point.xi_q == math.inf
    assert "Every q" in point.note
    assert fixed_point(key, 0.99 * sigma_w2, 0).q == 0
    assert fixed_point(key, 1.01 * sigma_w2, 0).q == math.inf
    assert fixed_point(key, sigma_w2, 1e-9).q == math.inf
    with pytest.raises(ValueError, match="no finite q"):
        critical_sigma_w2(key, 1e-9)


@pytest.mark.parametrize("key", ACTIVATIONS)
@pytest.mark.parametrize("sigma_b2", [0.0, 1e-8, 0.05, 0.3, 2.0])
def test_an_activation_has_a_critical_point_that_attracts_or_says_why_not(key, sigma_b2):
    try:
        sigma_w2 = critical_sigma_w2(key, sigma_b2)
    except ValueError:
        with pytest.raises(ValueError, match=r"repels|no finite q"):
            critical_sigma_w2(key, sigma_b2)
        return
    point = fixed_point(key, sigma_w2, sigma_b2)
    assert math.isclose(point.chi_1, 1, abs_tol=1e-9)
    assert point.chi_q <= 1
    assert math.isfinite(point.q)


def test_softplus_is_never_critical_and_gelu_silu_and_mish_not_without_biases():
    """E phi phi'' > 0 makes chi_q larger than chi_1, so where chi_1 is 1 the fixed point repels."""
    for key, sigma_b2 in [("softplus", b) for b in (0.0, 0.01, 1.0, 100.0)] + [(key, 0.0) for key in ("gelu", "silu", "mish")]:
        with pytest.raises(ValueError, match=f"{key} has no critical sigma_w2 at sigma_b2 = "):
            critical_sigma_w2(key, sigma_b2)


def test_a_signal_that_dies_or_explodes_has_the_depth_scales_of_the_limit():
    dying, growing = fixed_point("tanh", 0.5, 0), fixed_point("relu", 3, 0)
    assert (dying.q, dying.c, growing.q, growing.c) == (0, 1, math.inf, 1)
    assert dying.chi_1 == pytest.approx(0.5, rel=1e-12)
    assert dying.xi_gradient == dying.xi_c == pytest.approx(1 / math.log(2), rel=1e-12)
    assert growing.xi_gradient == pytest.approx(-1 / math.log(1.5), rel=1e-12)
    assert "dies" in dying.note
    assert "infinity" in growing.note


def test_arrays_give_arrays_of_the_shape_of_both_and_numbers_give_floats():
    single, several = fixed_point("tanh", 2, 0.1), fixed_point(ACTIVATIONS["tanh"], [1.0, 2.0, 3.0], [[0.0], [0.1]])
    assert isinstance(single, FixedPoint)
    for name in FIELDS:
        assert isinstance(getattr(single, name), float)
        assert getattr(several, name).shape == (2, 3)
        assert getattr(several, name)[1, 1] == pytest.approx(getattr(single, name), rel=1e-9)
    assert single.note == several.note[1, 1] == ""
    assert fixed_point("tanh", [], 1).q.shape == (0,)
    assert second_moment("tanh", np.ones((2, 1, 3))).shape == (2, 1, 3)
    assert correlation("tanh", np.ones((2, 1)), np.zeros(3)).shape == (2, 3)


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_no_weights_leave_the_biases(key):
    assert fixed_point(key, 0, 0.3).q == pytest.approx(0.3, rel=1e-12)
    silent = fixed_point(key, 0, 0)
    assert (silent.q, silent.chi_1, silent.xi_gradient) == (0, 0, 0)


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, [1.0, -2.0]])
def test_bad_variances_are_refused_by_name_and_value(bad):
    value = str(np.ravel(bad)[-1])
    for name, call in {
        "sigma_w2": lambda: fixed_point("tanh", bad, 0),
        "sigma_b2": lambda: fixed_point("tanh", 1, bad),
    }.items():
        with pytest.raises(ValueError, match=f"{name} is {value}, legal is a finite number of at least 0"):
            call()


def test_other_bad_arguments_are_refused_by_name_and_value():
    for text, call in {
        "sigma_b2 is -1.0, legal is": lambda: critical_sigma_w2("tanh", -1),
        "q is -1.0, legal is a number from 0 to inf": lambda: second_moment("tanh", -1),
        "q is nan, legal is": lambda: slope_moment("tanh", [1, math.nan]),
        "q is inf, legal is": lambda: correlation("tanh", math.inf, 0),
        "c is 1.5, legal is a number from -1 to 1": lambda: correlation("tanh", 1, 1.5),
        "activation is 'than', legal is one of linear, ": lambda: fixed_point("than", 1, 0),
    }.items():
        with pytest.raises(ValueError, match=text):
            call()
