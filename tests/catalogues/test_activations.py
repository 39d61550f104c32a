"""Activations against autograd and on a fine grid."""

import math

import pytest
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.gaussian_moments import second_moment, slope_moment
from stability.engine.quantities import SATURATION_SLOPE
from stability.records.experiment import Experiment

FAR = torch.linspace(-30, 30, 600_001, dtype=torch.float64)  # steps of 1e-4  # steps of 1e-4


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_derivative_of_an_activation_is_what_autograd_says(row):
    u = torch.linspace(
        -12, 12, 4800, dtype=torch.float64, requires_grad=True
    )  # an even count: no point on a kink at 0
    h = row.phi(u)
    (slope,) = torch.autograd.grad(h.sum(), u)
    # The two may subtract numbers near 1 in another order: a few roundings of 1e-16, no more.
    assert torch.allclose(row.dphi(u, h), slope, rtol=1e-13, atol=1e-14)


# A wave has no phase there: neighbours in float32 are periods apart.
@pytest.mark.parametrize("key", [key for key, row in ACTIVATIONS.items() if row.frequency == 1])
def test_the_derivative_of_an_activation_is_right_to_the_ends_of_float32(key):
    row = ACTIVATIONS[key]
    u = torch.tensor([-3e38, -1e20, -60, -5, 5, 60, 1e20, 3e38])
    exact = row.dphi(u.double(), row.phi(u.double()))
    assert torch.allclose(
        row.dphi(u, row.phi(u)).double(),
        exact,
        rtol=0,
        atol=4 * torch.finfo(u.dtype).eps * row.max_slope,
    )


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_steepest_slope_of_an_activation_is_the_largest_on_a_fine_grid(row):
    largest = row.dphi(FAR, row.phi(FAR)).abs().max().item()
    assert math.isclose(
        row.max_slope, largest, rel_tol=1e-7
    )  # a smooth maximum between points 1e-4 apart is off by 1e-9


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_flat_share_of_an_activation_is_how_much_of_a_bell_curve_it_cuts_by_design(row):
    density = torch.exp(FAR.square() / -2) / math.sqrt(2 * math.pi)
    flat = row.dphi(FAR, row.phi(FAR)).abs() < SATURATION_SLOPE * row.max_slope
    # Up to 1%: where a smooth curve bends back or runs out, which is not by design.
    assert abs(row.saturated_by_design - density[flat].sum() * 1e-4) < 0.01


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_way_back_through_an_activation_is_that_of_autograd(row):
    u = torch.linspace(-40, 40, 8000, dtype=torch.float64, requires_grad=True)
    h, gradient = row.phi(u), torch.sin(torch.arange(8000, dtype=torch.float64))
    (expected,) = torch.autograd.grad(h, u, gradient)
    u, h = u.detach(), h.detach()
    found = row.backward(gradient.clone(), u, h, row.dphi(u, h))
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("key", ["relu", "hardtanh"])
def test_an_exact_zero_of_the_slope_cuts_off_infinite_gradients_and_nan_passes(key):
    row = ACTIVATIONS[key]
    u = torch.tensor([-3.0, 0.5, torch.nan], requires_grad=True)
    gradient = torch.tensor([torch.inf, torch.inf, torch.nan])
    (expected,) = torch.autograd.grad(row.phi(u), u, gradient)
    u = u.detach()
    found = row.backward(gradient.clone(), u, row.phi(u), row.dphi(u, row.phi(u)))
    assert torch.equal(found.nan_to_num(7), expected.nan_to_num(7))


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_facts_of_a_row_are_those_of_its_slope(row):
    """Whether it is monotone, has slopes of 0 and 1 alone, and can do without u on the way back."""
    h = row.phi(FAR)
    slope = row.dphi(FAR, h)
    assert row.is_monotone == bool((slope >= 0).all())
    assert row.slope_is_0_or_1 == bool(((slope == 0) | (slope == 1)).all())
    if row.overwrite:
        assert torch.equal(row.overwrite(FAR.clone()), h)
        assert torch.equal(row.dphi(h, h), slope)
    if row.dphi_in_place:
        memory = h.clone()
        assert row.dphi_in_place(memory, memory) is memory
        assert torch.equal(memory, slope)


def test_a_leaky_relu_of_any_slope_is_one_activation_whose_gain_he_follows():
    e = Experiment(activation="leaky_relu", slope=0.2, schemes=("he_normal",))
    u = torch.linspace(-3, 3, 13)
    assert torch.equal(e.phi.phi(u), ACTIVATIONS["leaky_relu_0.2"].phi(u))
    assert e.scheme_rows[0].weight_variance(e.layers[3]) == 2 / (1.04 * 64)
    assert Experiment(activation="leaky_relu").phi is ACTIVATIONS["leaky_relu"]
    for slope, like in ((0.0, "relu"), (1.0, "linear")):
        row = Experiment(activation="leaky_relu", slope=slope).phi
        for q in (0.3, 2.0):
            assert second_moment(row, q) == pytest.approx(second_moment(like, q))
            assert slope_moment(row, q) == pytest.approx(slope_moment(like, q))
