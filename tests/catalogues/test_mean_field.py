"""Fixed points against iteration, their own equations and published values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_moments import correlation, slope_correlation

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.gaussian_moments import second_moment, slope_moment
from stability.catalogues.mean_field import FixedPoint, critical_sigma_w2, fixed_point

FIELDS = "q", "c", "chi_1", "chi_q", "xi_q", "xi_c", "xi_gradient"


any_activation = st.sampled_from(sorted(ACTIVATIONS))


any_w = st.floats(0.05, 5)


any_b = st.just(0.0) | st.floats(1e-6, 2)


few = settings(max_examples=60, deadline=None)


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
    assert math.isclose(
        point.chi_q, sigma_w2 * np.diff(near)[0] / (2e-4 * point.q), rel_tol=1e-6, abs_tol=1e-9
    )
    if not math.isnan(point.c):
        image = (sigma_w2 * correlation(key, point.q, point.c) + sigma_b2) / point.q
        assert math.isclose(image, point.c, abs_tol=1e-8)
        slope = sigma_w2 * slope_correlation(key, point.q, point.c)
        assert slope <= 1 + 1e-9
        if slope:  # where it is 0, a layer forgets all of a difference
            assert math.isclose(-1 / point.xi_c, math.log(slope), rel_tol=1e-6, abs_tol=1e-9)
        else:
            assert point.xi_c == 0


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
    """q is fixed where sigma_w2 = (q - sigma_b2) / E phi^2.

    A small signal stops up to the first maximum of this curve.
    """
    sigma_b2, q = 0.02, np.exp(np.arange(-3.9, 3, 1e-5))
    curve = (q - sigma_b2) / second_moment(key, q)
    last = curve[np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:]))[0] + 1]
    below, above = (
        fixed_point(key, last * (1 - 1e-8), sigma_b2),
        fixed_point(key, last * (1 + 1e-8), sigma_b2),
    )
    assert above.q == math.inf
    if below.q < math.inf:  # else the first layer starts beyond both
        assert 0.99 < below.chi_q < 1
        assert math.isclose(last * second_moment(key, below.q) + sigma_b2, below.q, rel_tol=1e-7)


def test_the_edge_of_chaos_of_tanh_is_the_published_one():
    """(1.76, 0.05): Schoenholz et al. 2017, Pennington et al. 2017; no biases: 1 / phi'(0)^2."""
    assert math.isclose(critical_sigma_w2("tanh", 0.05), 1.76, abs_tol=5e-3)
    assert critical_sigma_w2("tanh", 0.0) == pytest.approx(1, abs=1e-11)
    assert critical_sigma_w2("erf", 0.0) == pytest.approx(math.pi / 4, rel=1e-11)


def test_the_half_stable_points_of_gelu_and_swish_are_the_published_ones():
    """Roberts, Yaida & Hanin 2022, sec. 5.3.4: (C_b, C_W) where both slopes are 1.

    For GELU the kernel is (3 + sqrt 17) / 2.
    """
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
    """Klambauer et al. 2017, eq. 14. The slope of the correlation map is above 1 there."""
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
    for key, sigma_b2 in [("softplus", b) for b in (0.0, 0.01, 1.0, 100.0)] + [
        (key, 0.0) for key in ("gelu", "silu", "mish")
    ]:
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
    single, several = (
        fixed_point("tanh", 2, 0.1),
        fixed_point(ACTIVATIONS["tanh"], [1.0, 2.0, 3.0], [[0.0], [0.1]]),
    )
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
        with pytest.raises(
            ValueError, match=f"{name} is {value}, legal is a finite number of at least 0"
        ):
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
