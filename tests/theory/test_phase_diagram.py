"""The phase diagram against single fixed points, mpmath, and wide networks that are simulated."""

import math

import mpmath
import numpy as np
import pytest
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.mean_field import critical_sigma_w2, fixed_point
from stability.records.experiment import Experiment
from stability.theory.phase_diagram import (
    COLUMNS,
    LEAST_SIGMA_W2,
    ROWS,
    diagram_of,
    diagram_with_schemes,
    scheme_variances,
)


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_a_cell_is_the_fixed_point_of_its_centre(key):
    diagram = diagram_of(key)
    for row, column in ((0, 0), (ROWS // 3, COLUMNS // 4), (3, COLUMNS // 2), (1, COLUMNS - 1)):
        alone = fixed_point(key, diagram.sigma_w2[column], diagram.sigma_b2[row])
        many = diagram.fixed_points
        for name in ("q", "c", "chi_1", "xi_c"):
            one, of_many = getattr(alone, name), getattr(many, name)[row, column]
            assert of_many == pytest.approx(one, rel=1e-8, nan_ok=True), name
        assert np.exp(diagram.log_q[row, column]) == pytest.approx(alone.q, rel=1e-8)
        assert diagram.chi_1[row, column] == pytest.approx(alone.chi_1, rel=1e-8)


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_the_critical_line_goes_through_the_critical_points_of_its_biases(key):
    w, b = diagram_of(key).critical_line
    assert ((b >= 0) & (w > 0)).all()
    size = ACTIVATIONS[key].frequency ** 2
    for sigma_b2 in (0.0, 0.05 / size, 0.3 / size, 0.7 / size):
        try:
            edge = critical_sigma_w2(key, sigma_b2)
        except ValueError:
            assert not len(b) or b.min() > sigma_b2 or len(b) == 1
            continue
        if edge > LEAST_SIGMA_W2 / size:
            continue
        assert np.interp(sigma_b2, b, w) == pytest.approx(edge, rel=1e-3)


def test_a_rectifier_has_one_critical_point_and_softplus_none():
    assert np.array(diagram_of("relu").critical_line).ravel() == pytest.approx([2, 0])
    leaky = diagram_of("leaky_relu_0.2").critical_line
    assert np.array(leaky).ravel() == pytest.approx([2 / 1.04, 0])
    assert len(diagram_of("softplus").critical_line[0]) == 0
    assert len(diagram_of("sigmoid").critical_line[0]) == 0, "its edge, at 103, is far outside"


def test_the_line_of_tanh_is_the_published_one():
    """(sigma_w2, sigma_b2) = (1.76, 0.05): Schoenholz et al. 2017."""
    w, b = diagram_of("tanh").critical_line
    assert np.interp(0.05, b, w) == pytest.approx(1.76, abs=5e-3)


@pytest.mark.parametrize(("sigma_w2", "sigma_b2"), [(0.9, 0.2), (2.3, 0.05), (3.9, 0.9)])
def test_q_and_chi_1_of_tanh_are_those_of_mpmath(sigma_w2, sigma_b2):
    def mean(f, q):
        return mpmath.quad(lambda z: mpmath.npdf(z) * f(mpmath.sqrt(q) * z), [-12, -3, 0, 3, 12])

    def gap(q):
        return sigma_w2 * mean(lambda u: mpmath.tanh(u) ** 2, q) + sigma_b2 - q

    q = mpmath.findroot(gap, (0.5, 1.5), solver="anderson", tol=1e-24)
    chi_1 = sigma_w2 * mean(lambda u: mpmath.sech(u) ** 4, q)
    point = fixed_point("tanh", sigma_w2, sigma_b2)
    assert point.q == pytest.approx(float(q), rel=1e-10)
    assert point.chi_1 == pytest.approx(float(chi_1), rel=1e-10)


SIMULATED = [
    ("tanh", 3.0, 0.09), ("relu", 1.4, 0.2), ("gelu", 1.5, 0.3), ("sigmoid", 3.0, 0.5),
]  # fmt: skip


@pytest.mark.case
@pytest.mark.parametrize(("key", "sigma_w2", "sigma_b2"), SIMULATED)
def test_wide_random_networks_settle_where_theory_says(key, sigma_w2, sigma_b2):
    """Two inputs go through 8 networks of 50 layers of 400 units; each network counts once.

    Their means differ from theory by at most 4.5 standard errors, which eight such means do with
    a chance of 99 in 100; the bias of finite width, of the order of 1 / 400, may add 1 %.
    """
    samples = np.array([settled(key, sigma_w2, sigma_b2, seed) for seed in range(8)])
    point = fixed_point(key, sigma_w2, sigma_b2)
    assert max(point.xi_c, point.xi_q) < 10, "fifty layers suffice"
    error = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    for name, mean, spread in zip(("q", "chi_1", "c"), samples.mean(axis=0), error, strict=True):
        value = getattr(point, name)
        assert abs(mean - value) < 4.5 * spread + 0.01 * max(abs(value), 0.1), name


def settled(key: str, sigma_w2: float, sigma_b2: float, seed: int) -> tuple[float, float, float]:
    """Return q, chi_1 and c of a simulated network, means over its last ten layers."""
    row, width = ACTIVATIONS[key], 400
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(2, width, generator=generator)
    seen = []
    for _ in range(50):
        weights = torch.randn(width, width, generator=generator) * math.sqrt(sigma_w2 / width)
        biases = torch.randn(width, generator=generator) * math.sqrt(sigma_b2)
        z = h @ weights.T + biases
        h = row.phi(z)
        q = z.square().mean()
        slope = row.dphi(z, h.clone()).square().mean()
        seen.append((q, sigma_w2 * slope, (z[0] * z[1]).mean() / q))
    return tuple(float(value) for value in np.mean(seen[-10:], axis=0))


def test_schemes_stand_at_the_variances_of_the_middle_layer():
    e = Experiment(
        schemes=("he_normal", "xavier_normal", "pytorch", "lsuv", "scaled_normal:3"),
        activation="tanh",
        bias_std=0.5,
    )
    points = [scheme_variances(e, row) for row in e.scheme_rows]
    assert points[:2] == [(2, 0.25), (1, 0.25)]
    assert points[2] == pytest.approx((1 / 3, 1 / (3 * 64)))
    assert points[3] is None
    assert diagram_with_schemes(e).most_sigma_w2 == pytest.approx(9.9)
    assert diagram_with_schemes(Experiment(schemes="normal:1")).most_sigma_w2 == LEAST_SIGMA_W2
