"""Singular values of the hidden layers against plain torch.nn and the laws of random matrices.

Laws are tested with the deviation that finite width leaves, stated where it is used; seeds are
fixed, so luck plays no part.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stability import frames
from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.schemes import SCHEMES
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.page.probe_sentences import singular_value_sentences
from stability.probes import jacobian
from stability.probes.jacobian import (
    example_count,
    largest_and_median,
    linear_edge,
    predicted_edge,
    singular_values,
)
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES

SMALL = Experiment(
    schemes=("he_normal", "lsuv", "pytorch"),
    depth=5,
    width=6,
    features=4,
    samples=64,
    batch=8,
    bias_std=0.3,
    replicates=2,
)
PHI = {
    "linear": nn.Identity,
    "erf": lambda: torch.erf,
    "hardtanh": nn.Hardtanh,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
    "leaky_relu": nn.LeakyReLU,
    "leaky_relu_0.2": lambda: nn.LeakyReLU(0.2),
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "selu": nn.SELU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "sine": lambda: lambda u: torch.sin(30 * u),
}
NORM = {"none": lambda width: nn.Identity(), "layer": nn.LayerNorm, "rms": nn.RMSNorm}


class Hidden(nn.Module):
    """z_{L-1} of one example as a function of its z_1, written with torch.nn alone."""

    def __init__(self, e: Experiment, weights: list[Tensor], biases: list[Tensor]):
        super().__init__()
        self.residual, self.phi, self.norm = (
            e.residual,
            PHI[e.activation](),
            NORM[e.normalization](e.width).double(),
        )
        self.linear = nn.ModuleList(nn.Linear(e.width, e.width).double() for _ in weights)
        for layer, weight, bias in zip(self.linear, weights, biases, strict=True):
            layer.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, z: Tensor) -> Tensor:
        for layer in self.linear:
            through = layer(self.phi(self.norm(z)))
            z = z + through if self.residual else through
        return z


def reference(e: Experiment) -> np.ndarray:
    """The same values `(S, R, values)` by torch.autograd, one network and example at a time."""
    stack, data = draw_stack_and_data(e)
    x = data.x[next(batch_indices(e))[: example_count(e)]].double()
    found = []
    for n in range(e.network_count):
        weights = [matrix[n].detach().double() for group in stack.weights for matrix in group]
        biases = [vector[n].detach().double() for group in stack.biases for vector in group]
        network = Hidden(e, weights[1:-1], biases[1:-1])
        matrices = [
            torch.autograd.functional.jacobian(network, F.linear(row, weights[0], biases[0]))
            for row in x
        ]
        found.append(
            np.sort(
                np.concatenate(
                    [np.linalg.svd(matrix.numpy(), compute_uv=False) for matrix in matrices]
                )
            )[::-1]
        )
    return np.stack(found).reshape(len(e.schemes), e.replicates, -1)


def assert_same(e: Experiment) -> None:
    """Equal to 1e-12 of the largest; what rounding has swallowed is below that in the reference."""
    values, expected = singular_values(e), reference(e)
    assert (
        values.shape == expected.shape == (len(e.schemes), e.replicates, example_count(e) * e.width)
    )
    largest = expected[..., :1]
    assert (np.abs(np.nan_to_num(values) - expected) <= 1e-12 * largest).all()


# Against plain PyTorch


def test_every_activation_has_its_reference():
    assert set(PHI) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_values_are_those_of_a_plain_torch_network(activation, residual):
    assert_same(replace(SMALL, activation=activation, residual=residual))


@pytest.mark.parametrize("normalization", ["layer", "rms"])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_values_are_those_of_a_plain_torch_network_with_normalization(
    normalization, residual, activation
):
    assert_same(
        replace(SMALL, normalization=normalization, residual=residual, activation=activation)
    )


@pytest.mark.parametrize(
    "settings",
    [{"depth": 3}, {"width": 100}, {"precision": "float64"}, {"batch": 1}, {"dropout": 0.5}],
)
def test_values_are_those_of_a_plain_torch_network_whatever_its_size(settings):
    assert_same(replace(SMALL, **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"branch_layers": 2, "branch_scale": "root_half"},
        {"branch_layers": 2, "normalization": "layer", "depth": 6},
        {"branch_scale": "root_depth", "normalization": "rms"},
        {"branch_scale": "learned"},
        {"taper": 3.0, "residual": False},
        {"taper": 3.0, "residual": False, "normalization": "layer", "depth": 6},
        {"norm_position": "after", "normalization": "layer", "branch_layers": 2},
        {"norm_position": "before", "normalization": "rms", "branch_scale": "root_half"},
    ],
)
def test_values_of_any_architecture_are_those_of_the_engine_by_autograd(settings):
    """One example, since the engine's own pass is that of all examples; the oracle holds it."""
    common = {"residual": True, "batch": 1, "precision": "float64"}
    e = replace(SMALL, **common | settings)
    stack, data = draw_stack_and_data(e)
    passed = stack.forward(data.x[next(batch_indices(e))], every_layer=True)
    last, first = passed.z[-2], passed.z[0]  # (N, 1, width)
    rows = [torch.autograd.grad(unit, first, retain_graph=True)[0] for unit in last.sum(0)[0]]
    expected = torch.linalg.svdvals(torch.stack(rows, dim=2)[:, 0]).detach()  # (N, width)
    found = singular_values(e).reshape(expected.shape)  # as many as the narrower layer has units
    assert np.allclose(np.nan_to_num(found), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_values_from_the_largest_to_the_smallest(scheme):
    e = replace(SMALL, schemes=(scheme,), residual=True, activation="tanh")
    values = singular_values(e)
    known = values[np.isfinite(values)]
    assert len(known)
    assert (known >= 0).all()
    assert_same(e)
    for row in values.reshape(-1, values.shape[2]):
        finite = np.isfinite(row)
        assert not (np.diff(finite.astype(int)) > 0).any(), "what is not known stands last"
        assert (np.diff(row[finite]) <= 0).all()


# What is exact


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_orthogonal_linear_layers_keep_every_direction(precision):
    e = Experiment(
        schemes=("orthogonal", "orthogonal:2"), activation="linear", depth=22, precision=precision
    )
    one, two = singular_values(e)[:, 0]
    assert one == pytest.approx(np.ones(4 * 64), abs=1e-6 if precision == "float32" else 1e-12)
    assert two == pytest.approx(np.full(4 * 64, 2.0**20), rel=1e-6)


def test_branches_that_start_at_zero_keep_every_direction():
    e = Experiment(schemes=("fixup", "zeros"), residual=True)
    assert (singular_values(e) == 1).all()


def test_zeros_lead_to_zeros_and_tiny_values_do_not():
    e = Experiment(schemes=("zeros", "normal:1e-6"), activation="linear", depth=48, width=16)
    nothing, tiny = singular_values(e)[:, 0]
    assert (nothing == 0).all()
    assert 1e-270 < tiny[0] < 1e-200  # 46 factors of about 4e-6 times a few
    assert not (tiny == 0).any()


def test_what_leaves_the_range_of_numbers_is_not_known():
    e = Experiment(
        schemes=("normal:1000000", "lecun_normal"), activation="linear", depth=60, width=16
    )
    broken, whole = singular_values(e)[:, 0]
    assert np.isnan(broken).all()
    assert np.isfinite(whole[0])


def test_a_scheme_does_not_depend_on_its_neighbours_nor_a_replicate_on_the_others():
    alone = singular_values(replace(SMALL, schemes=("pytorch",), replicates=1))
    assert singular_values(SMALL)[2, 0] == pytest.approx(alone[0, 0], rel=1e-9, nan_ok=True)


def test_values_do_not_depend_on_what_the_caller_has_switched_off():
    values = singular_values(replace(SMALL, normalization="layer"))
    for switch in (torch.no_grad, torch.inference_mode):
        with switch():
            assert np.array_equal(
                singular_values(replace(SMALL, normalization="layer")), values, equal_nan=True
            )


# The laws of random matrices


def test_the_edge_of_one_factor_is_that_of_marchenko_and_pastur():
    assert linear_edge(1) == 4
    assert linear_edge(2) == pytest.approx(27 / 4)
    for factors in range(1, 100):
        assert linear_edge(factors) == pytest.approx(
            (factors + 1) ** (factors + 1) / factors**factors
        )


MEAN, STD = -1.21, 1.27  # of the law of Tracy & Widom for real matrices


@pytest.mark.parametrize("factors", [1, 2, 5])
def test_the_largest_value_of_wide_gaussian_layers_is_near_the_edge(factors):
    """Within 4 standard deviations of the law of an edge at n = 200, singly and on average.

    20 networks. The density of y = squared value / edge ends as (a / pi) sqrt(1 - y),
    a = sqrt(2 (L + 1) / L^3), so y is about 1 + (n a)^(-2/3) t with t from Tracy & Widom's law:
    1 - 0.02, 0.04 and 0.08.
    """
    e = Experiment(
        schemes=("lecun_normal",), activation="linear", depth=factors + 2, width=200, replicates=4
    )
    largest = np.concatenate(
        [singular_values(replace(e, seed=seed))[0, :, 0] ** 2 for seed in range(5)]
    )
    scale = (e.width * np.sqrt(2 * (factors + 1) / factors**3)) ** (-2 / 3)
    t = (largest / linear_edge(factors) - 1) / scale
    assert (np.abs(t - MEAN) < 4 * STD).all()
    assert abs(t.mean() - MEAN) < 4 * STD / np.sqrt(len(t))


def test_the_predicted_edge_follows_the_variance_of_the_scheme():
    e = Experiment(
        schemes=("scaled_normal:1.5", "he_normal", "normal:0.1"),
        activation="linear",
        depth=5,
        width=200,
    )
    assert predicted_edge(e) == pytest.approx(
        np.sqrt(linear_edge(3) * np.array([1.5**2, 2, 2]) ** 3)
    )
    ratios = singular_values(e)[:, 0, 0] / predicted_edge(e)
    assert ratios == pytest.approx(np.full(3, ratios[0]), rel=1e-6), "one noise, three scales"
    assert ratios[0] == pytest.approx(1, abs=0.14)  # 1 - 0.03, and four standard deviations of 0.03


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "relu"},
        {"residual": True},
        {"normalization": "layer"},
        {"depth": 2},
        {"width": 300},
        *(
            {"schemes": (scheme,)}
            for scheme in ("orthogonal", "sparse", "lsuv", "zeros", "lecun_uniform")
        ),
    ],
)
def test_no_edge_is_predicted_where_no_law_is_known(settings):
    e = replace(Experiment(schemes=("lecun_normal",), activation="linear"), **settings)
    assert np.isnan(predicted_edge(e)).all()


def test_he_keeps_the_mean_square_of_rectified_directions():
    """Each layer multiplies it by 2 x the share of active units: 1 on average.

    Its spread over networks is measured here.
    """
    e = Experiment(
        schemes=("he_normal", "scaled_normal:1"),
        depth=7,
        width=64,
        replicates=16,
        batch=1,
        samples=64,
    )
    squares = np.concatenate(
        [
            np.square(np.nan_to_num(singular_values(replace(e, seed=seed)))).mean(2)
            for seed in range(4)
        ],
        1,
    )
    for measured, expected in zip(squares, (1, 0.5**5), strict=True):
        error = measured.std(ddof=1) / np.sqrt(measured.size)
        assert error < 0.1 * expected, "64 networks say something"
        assert abs(measured.mean() - expected) < 4 * error


# Where there is nothing to show


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"depth": 2}, "depth 2"),
        ({"depth": 1}, "depth 1"),
        ({"width": 300}, "width 300"),
        ({"normalization": "batch"}, "batch norm"),
    ],
)
def test_where_there_is_nothing_a_sentence_says_why(settings, word):
    e = replace(SMALL, **settings)
    assert singular_values(e).shape == (3, 2, 0)
    assert word in jacobian.why_no_singular_values(e)
    assert jacobian.why_no_singular_values(e).endswith(".")


@pytest.mark.parametrize("activation", ["linear", "relu", "gelu"])
def test_a_pass_that_leaves_its_range_has_no_singular_value_whatever_the_slope_is_there(activation):
    e = replace(SMALL, schemes=("normal:1e6", "he_normal"), activation=activation, depth=70)
    lost, whole = singular_values(e)
    assert np.isnan(lost).all(), "a slope of 0 at NaN is no vanishing gradient"
    assert np.isfinite(whole).any()
    assert singular_value_sentences(e)[0].endswith("not finite.")


def test_the_median_is_that_of_all_directions_also_of_those_that_rounding_swallows():
    """A ReLU layer sets half of its units to 0: after a few layers most directions are gone."""
    linear = replace(SMALL, activation="linear", schemes=("he_normal",))
    values = singular_values(replace(linear, replicates=1))[0, 0]
    assert np.isfinite(values).all()
    assert largest_and_median(linear) == pytest.approx(np.array([[values[0], np.median(values)]]))
    rectified = Experiment(schemes=("he_normal", "zeros"), depth=8, width=32, samples=64)
    values = singular_values(replace(rectified, replicates=1))[0, 0]
    assert 0 < np.isfinite(values).sum() < len(values) / 2, "rounding leaves less than half"
    (largest, median), nothing = largest_and_median(rectified)
    assert (largest, nothing.tolist()) == (values[0], [0, 0])
    assert np.isnan(median)
    sentence, zeros = singular_value_sentences(rectified)
    assert "half of all directions by less than 10^" in sentence
    assert sentence.endswith("which rounding swallows.")
    assert zeros.endswith("half of all directions by 0 or less.")


def test_no_more_directions_are_taken_than_a_picture_shows():
    assert jacobian.why_no_singular_values(SMALL) == ""
    for width in (2, 64, 65, 128, 200, 256):
        e = Experiment(width=width)
        assert 1 <= example_count(e) <= 4
        assert example_count(e) * width <= jacobian.MOST_DIRECTIONS
    assert MOST_SCHEMES * jacobian.MOST_DIRECTIONS <= 2048


# How they are drawn


DRAWN = {
    "lines": Experiment(
        schemes=("lecun_normal", "zeros", "he_uniform"),
        activation="linear",
        width=128,
        replicates=2,
    ),
    "residual": replace(SMALL, schemes=("fixup", "looks_linear"), residual=True),
    "critical": replace(SMALL, schemes=("critical",), activation="tanh"),
    "nothing": replace(SMALL, depth=2),
    "not finite": Experiment(schemes=("normal:1000000",), activation="linear", depth=80),
}


@pytest.mark.parametrize("e", DRAWN.values(), ids=DRAWN)
def test_tables_hold_what_a_log_axis_can_show_inside_its_limits(e):
    tables = frames.singular_tables(e)
    frame, (low, high) = tables["singular"].to_pandas(), tables["limits"]["value"].to_pylist()
    assert 0 < low < high < np.inf
    for column in ("value", "edge"):
        shown = frame[column].dropna()
        assert shown.between(low, high).all()
    assert len(frame) <= frames.MOST_LINE_POINTS * len(e.schemes)
    assert bool(len(frame)) != bool(jacobian.why_no_singular_values(e))
    assert frame["rank"].between(0, 1, inclusive="neither").all()


def test_a_table_goes_from_the_largest_value_of_the_first_network_to_the_smallest():
    e = DRAWN["lines"]
    frame = frames.singular_tables(e)["singular"].to_pandas()
    values = singular_values(e)
    for index, scheme in enumerate(e.schemes):
        rows = frame[frame["scheme"] == scheme]
        assert (rows["rank"].diff().dropna() > 0).all()
        first = values[index, 0, 0]
        assert rows["value"].iloc[0] == pytest.approx(first) or (
            first == 0 and rows["value"].isna().all()
        )
        assert rows["edge"].notna().all() == (scheme == "lecun_normal")
        assert 5 <= rows["marked"].sum() <= 8
