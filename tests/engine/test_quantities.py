"""Each quantity against its definition, taken by brute force, and norms to the ends of the range of
numbers.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stability.catalogues.activations import ACTIVATIONS
from stability.engine.losses import losses_with_gradients, mean_losses
from stability.engine.measurement import CURVES, PROFILES, SNAPSHOTS
from stability.engine.passes import ForwardPass
from stability.engine.quantities import (
    HISTOGRAM_BINS,
    LayerWatch,
    distinct_by_layer,
    pre_activation_histograms,
    spread_by_layer,
    to_schemes_and_replicates,
)
from stability.engine.scaled_norms import Norms, norms, stacks_of_one_shape
from stability.engine.training import batch_indices, draw_stack_and_data, measure
from stability.records.experiment import Experiment

ONE = {"schemes": ("he_normal",), "depth": 3, "width": 16}
# Where a float32 and a float64 run part: 30 layers of roundings of 6e-8, each a sum of 64 products.
SINGLE = 1e-4


def rows(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(
        dtype
    )


def ratio(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest relative difference."""
    return ((a - b).abs() / b.abs()).max().item()


@pytest.mark.parametrize(
    "scale", [1e-44, 1e-38, 1e-30, 1e-23, 1e-19, 1e-12, 1.0, 1e15, 1e19, 1e30, 1e37]
)
def test_norms_are_right_wherever_the_numbers_themselves_can_be_written(scale):
    entries = (
        rows(3, 4, 5, 6).double() * scale
    ).float()  # what is left of the digits below 1e-38 is the input
    expected = torch.linalg.vector_norm(entries.double().flatten(2), dim=2)
    assert ratio(norms(entries), expected) < 1e-6  # 30 squares, each rounded to 6e-8


def test_norms_are_right_where_large_and_small_entries_meet():
    entries = torch.cat([rows(2, 3, 9) * scale for scale in (1e-30, 1e-22, 1e-19, 1e-5)], dim=2)
    for count in (18, 27, 36):
        expected = torch.linalg.vector_norm(entries[..., :count].double(), dim=2)
        assert ratio(norms(entries[..., :count]), expected) < 1e-6


@given(st.integers(-9, 17))
def test_norms_equal_the_plain_norm_wherever_its_squares_stay_in_range(exponent):
    entries = rows(2, 3, 40) * 10.0**exponent
    assert torch.equal(norms(entries), torch.linalg.vector_norm(entries, dim=2).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zeros_infinities_and_nan_stay_what_they_are(dtype):
    inf, nan = math.inf, math.nan
    entries = torch.tensor(
        [[[0, 0], [inf, 1], [-inf, 0], [nan, 1], [nan, inf], [3, 4], [0, 1e-30]]], dtype=dtype
    )
    expected = torch.tensor([[0, inf, inf, nan, nan, 5, 1e-30]], dtype=torch.float64)
    assert torch.allclose(norms(entries), expected, rtol=1e-6, equal_nan=True)


def test_norms_of_a_mixed_stack_do_not_depend_on_their_neighbours():
    entries = torch.cat([rows(1, 4, 50) * scale for scale in (1e-30, 1.0, 1e30)])
    alone = torch.cat([norms(part) for part in entries.split(1)])
    assert torch.equal(norms(entries), alone)


@given(
    st.lists(st.sampled_from([(2, 3, 4), (2, 5, 4), (2, 3, 9)]), max_size=12), st.integers(1, 100)
)
def test_stacking_keeps_every_tensor_in_its_place(shapes, most):
    tensors = [torch.full(shape, float(index)) for index, shape in enumerate(shapes)]
    unstacked = [tensor for stack in stacks_of_one_shape(tensors, most) for tensor in stack]
    assert len(unstacked) == len(tensors)
    assert all(torch.equal(*both) for both in zip(unstacked, tensors, strict=True))


@pytest.mark.parametrize("scheme", ["normal:1", "normal:0.0015", "orthogonal:8"])
@pytest.mark.parametrize("dataset", ["blobs", "spirals"])
def test_a_linear_network_that_leaves_the_squared_range_of_float32_is_reported_rightly(
    scheme, dataset
):
    """Width 64: the signal grows 8-fold a layer, to 1e27, or shrinks 80-fold, to 1e-34.

    Squares of both are out of range.
    """
    depth = 18 if scheme == "normal:0.0015" else 30
    e = Experiment(
        schemes=(scheme,), activation="linear", depth=depth, width=64, dataset=dataset, steps=1
    )
    single, double = (next(measure(replace(e, precision=key))) for key in ("float32", "float64"))
    # Not `gradient_norm` of a loss that has saturated: softmax of logits of 1e27 is 0 or 1, the
    # same in both formats.
    for name in ("signal", "signal_gradient", "weight_gradient", "weight"):
        seen, expected = getattr(single, name), getattr(double, name)
        assert ((expected > 1e20) | (expected < 1e-20)).any() or name == "weight"
        assert np.abs(seen / expected - 1).max() < SINGLE, name


def test_the_signal_of_a_linear_network_grows_by_its_gain_at_every_layer():
    """Orthogonal weights of gain 8 multiply every length by 8, so the profile is known exactly, up
    to 8^35 = 4e31.
    """
    e = Experiment(
        schemes=("orthogonal:8",), activation="linear", depth=36, width=32, features=32, steps=1
    )
    signal = next(measure(e)).signal[0, 0, :-1]
    assert np.abs(signal[1:] / signal[:-1] / 8 - 1).max() < 1e-5  # two layers of float32
    assert signal[-1] > 1e31


def test_one_table_serves_many_passes_whenever_norms_are_settled():
    """Layers from 1e-30 to 1e30 in every order of rows, against the norms in float64."""
    table = Norms(5)
    for scale in (1e-30, 1.0, 1e30):
        layers = rows(5, 3, 8, 4)
        layers[1] *= scale
        expected = torch.linalg.vector_norm(layers.double(), dim=(2, 3))
        for keeps, looks in ((True, False), (False, True), (False, False)):
            table.begin(keeps, looks)
            for row in (4, 0):
                table.add(row, layers[row])
            table.add_stack(1, layers[1:4])
            found = table.values()
            is_right = table.settles or scale == 1
            assert table.any_doubtful == (scale != 1)
            assert torch.allclose(found, expected, rtol=1e-6, atol=0) == is_right


def one_pass(u: torch.Tensor, activation: str = "relu") -> ForwardPass:
    """A pass of hidden pre-activations `(layers, N, batch, width)`, with an output layer that is
    not looked at.
    """
    layers = list(u.unbind())
    return ForwardPass(
        z=[*layers, layers[0]], u=layers, h=[ACTIVATIONS[activation].phi(layer) for layer in layers]
    )


def saturated_and_dead(e: Experiment, passed: ForwardPass) -> dict[str, torch.Tensor]:
    """What is measured of the layers of a pass on their way back, from the last one on."""
    (networks, batch, _), dtype = passed.z[0].shape, passed.z[0].dtype
    precision = str(dtype).removeprefix("torch.")
    e = replace(e, depth=len(passed.z), replicates=networks, batch=batch, precision=precision)
    watch = LayerWatch(draw_stack_and_data(e)[0])
    for z in passed.z:
        watch.forward(z)
    watch.backward(passed.z[-1])
    for u, h in zip(reversed(passed.u), reversed(passed.h), strict=True):
        watch.backward(u)
        watch.slopes(e.phi.dphi(u, h), u)
    return watch.quantities(torch.ones(len(passed.z[-1])))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 40.0, math.inf])
def test_saturated_and_dead_units_are_counted_as_by_hand(activation, scale):
    """The slope at an infinite u is NaN for some activations, and then not near 0."""
    u = rows(2, 3, 8, 16, dtype=torch.float64) * (5 if scale == math.inf else scale)
    if scale == math.inf:
        u[:, :2, ::2, 6], u[:, 1:, 1::3, 7] = math.inf, -math.inf
    u[:, :, :, :5] = (
        -u[:, :, :, :5].abs() * 40
    )  # rectifiers: some units that are off on the whole batch
    phi = ACTIVATIONS[activation].phi
    found = saturated_and_dead(Experiment(**ONE, activation=activation), one_pass(u, activation))
    grid = torch.linspace(-20, 20, 400_001, dtype=torch.float64).requires_grad_()
    steepest = torch.autograd.grad(phi(grid).sum(), grid)[0].abs().max()
    for layer in range(2):
        for network in range(3):
            points = u[layer, network].clone().requires_grad_()
            (slope,) = torch.autograd.grad(phi(points).sum(), points)
            saturated = (
                sum(bool(entry.abs() < 0.005 * steepest) for entry in slope.flatten())
                / slope.numel()
            )
            dead = sum(all(entry == 0 for entry in unit) for unit in slope.T) / 16
            assert found["saturated"][layer, network].item() == pytest.approx(
                saturated, abs=1e-6
            )  # a mean of 0 and 1
            assert found["dead"][layer, network].item() == pytest.approx(dead, abs=1e-6)


def test_a_share_of_units_that_are_nan_is_no_share():
    u = rows(1, 2, 8, 16)
    u[0, 1, 3, 4] = math.nan
    found = saturated_and_dead(Experiment(**ONE), one_pass(u))
    assert found["dead"].isnan().tolist() == found["saturated"].isnan().tolist() == [[False, True]]


EDGES = np.concatenate(
    [[-np.inf], np.arange(-32, 33) / 4, [np.inf]]
)  # 64 bins of a quarter, and the two beside them


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-40, 0.1, 3.0, 1e30])
def test_the_bins_hold_what_numpy_counts_in_every_layer_and_network(scale, dtype):
    """At 1e-40 half of a bell lies below 0, however small it is."""
    u = (rows(2, 3, 8, 16, dtype=torch.float64) * scale).to(dtype)
    found = pre_activation_histograms(one_pass(u))
    assert found.shape == (2, HISTOGRAM_BINS + 2, 3)
    for layer in range(2):
        for network in range(3):
            counted, _ = np.histogram(u[layer, network].double().numpy(), EDGES)
            assert (found[layer, :, network] * 128).tolist() == counted.tolist()
    assert (found.sum(dim=1) - 1).abs().max() < 1e-6


def test_an_edge_lies_in_the_bin_at_its_right_and_infinities_lie_outside():
    entries = torch.tensor(
        [
            -math.inf,
            -8.0,
            -0.25,
            -0.0,
            0.0,
            0.25,
            7.75,
            math.nextafter(8.0, 0),
            8.0,
            math.inf,
            -9.0,
            1e38,
        ],
        dtype=torch.float64,
    )
    found = pre_activation_histograms(one_pass(entries.view(1, 1, 3, 4)))[0, :, 0] * 12
    at = {0: 2, 1: 1, 32: 1, 33: 2, 34: 1, 64: 2, 65: 3}  # 0 and 65: outside
    assert found.tolist() == pytest.approx(
        [at.get(index, 0) for index in range(HISTOGRAM_BINS + 2)]
    )


def test_pre_activations_with_nan_among_them_have_no_histogram_and_their_neighbours_have():
    u = rows(1, 2, 8, 16)
    u[0, 1, 3, 4] = math.nan
    found = pre_activation_histograms(one_pass(u))[0]
    assert found[:, 1].isnan().all()
    assert found[:, 0].sum().item() == pytest.approx(1)


@pytest.mark.parametrize("normalization", ["none", "batch", "layer", "rms"])
def test_the_histogram_is_that_of_what_the_activation_sees_after_normalization(normalization):
    e = Experiment(
        **ONE | {"schemes": ("he_normal", "normal:1")},
        normalization=normalization,
        samples=64,
        batch=16,
        steps=1,
    )
    stack, data = draw_stack_and_data(e)
    seen, found = stack.forward(data.x[next(batch_indices(e))], 0), next(measure(e)).pre_activations
    for layer, (u, z) in enumerate(zip(seen.u, seen.z, strict=False)):
        for scheme in range(2):
            counted, other = (np.histogram(v[scheme].detach().numpy(), EDGES)[0] for v in (u, z))
            assert (found[scheme, 0, layer] * 256).tolist() == counted.tolist()
            assert (counted.tolist() == other.tolist()) == (normalization == "none")


def test_a_network_without_hidden_layers_has_no_histograms():
    assert next(measure(Experiment(**ONE | {"depth": 1}, steps=1))).pre_activations.shape == (
        1,
        1,
        0,
        HISTOGRAM_BINS + 2,
    )


def spread_by_definition(z: torch.Tensor) -> float:
    """RMS of `(batch, units)` minus the mean over the batch, in plain NumPy."""
    entries = z.double().numpy()
    return float(np.sqrt(np.mean((entries - entries.mean(axis=0)) ** 2)))


@pytest.mark.parametrize("batch", [1, 2, 15, 64])
@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
def test_the_spread_is_the_rms_of_what_is_left_without_the_mean_over_the_batch(shift, batch):
    z = rows(2, 3, batch, 16, dtype=torch.float64) + shift * rows(16, dtype=torch.float64)
    found = spread_by_layer(one_pass(z))  # of both layers, and of the first again as the output
    expected = [[spread_by_definition(network) for network in layer] for layer in z[[0, 1, 0]]]
    assert found.tolist() == [pytest.approx(row, rel=1e-9, abs=0) for row in expected]
    assert (found == 0).all() == (batch == 1)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float32, scale) for scale in (1e-36, 1e-30, 1e-19, 1e19, 1e30, 5e37)]
    + [(torch.float64, scale) for scale in (1e-290, 1e-170, 1e170, 2e307)]
    + [(torch.bfloat16, 1e-30)],
)
def test_the_spread_is_right_for_numbers_of_any_size_that_can_be_written(dtype, scale):
    z = (rows(1, 3, 15, 16, dtype=torch.float64) * scale).to(dtype)
    expected = [spread_by_definition(network.double() / scale) for network in z[0]]
    assert (spread_by_layer(one_pass(z))[0] / scale).tolist() == pytest.approx(expected, rel=1e-9)


def test_examples_that_differ_in_the_last_digit_have_their_spread_and_equal_ones_have_none():
    one = rows(1, 16).expand(15, 16)
    other = one.clone()
    other[4, 7] = torch.nextafter(one[4, 7], torch.tensor(math.inf))
    found = spread_by_layer(one_pass(torch.stack([one, other])[None]))[0]
    assert found[0] == 0
    assert found[1].item() == pytest.approx(spread_by_definition(other), rel=1e-6)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_what_is_not_finite_has_no_spread_and_its_neighbours_have(odd):
    u = rows(1, 2, 32, 16)
    u[0, 1, 3, 4] = odd
    assert spread_by_layer(one_pass(u))[0].isnan().tolist() == [False, True]


def test_large_biases_hold_the_signal_up_while_nothing_differs_between_examples_any_more():
    e = Experiment(**ONE | {"schemes": ("normal:0.01",), "depth": 12}, activation="tanh", steps=1)
    without, with_biases = (
        next(measure(replace(e, bias_std=std, precision="float64"))) for std in (0.0, 3.0)
    )
    for found in (without, with_biases):
        assert (found.spread <= found.signal).all()
    assert (without.signal[0, 0] / without.signal[0, 0, 0])[-1] < 1e-10
    assert with_biases.signal.min() > 1
    assert (with_biases.spread / with_biases.signal)[0, 0, -1] < 1e-10
    assert (without.spread / without.signal).min() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("planted", [1, 2, 7, 15, 16])
def test_planted_units_are_counted_once_each(planted, scale, dtype):
    """Copies as a constant initialization makes them: equal up to rounding."""
    units = rows(1, 2, 32, planted, dtype=torch.float64)
    copies = units[..., torch.arange(16) % planted] * scale
    rounding = torch.finfo(dtype).eps * rows(1, 2, 32, 16, dtype=torch.float64)
    seen = one_pass((copies * (1 + rounding)).to(dtype))
    assert distinct_by_layer(seen).tolist() == [[planted, planted]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [64, 1024])
def test_units_are_distinct_from_a_hundred_thousandth_of_the_rms_on_at_any_one_example(
    batch, dtype
):
    """Half of the copies, all of them with rounding, differ at one example: by half of the limit,
    or by twice the limit.
    """
    random, counted = torch.Generator().manual_seed(3), {}
    for example in range(0, batch, batch // 64):
        for limits in (0.5, 2):
            u = (
                torch.randn(batch, 1, generator=random, dtype=torch.float64)
                .expand(batch, 16)
                .clone()
            )
            u[example, ::2] += limits * 1e-5 * u.square().mean().sqrt()
            u *= 1 + torch.finfo(dtype).eps * torch.randn(
                batch, 16, generator=random, dtype=torch.float64
            )
            counted[example, limits] = distinct_by_layer(one_pass(u.to(dtype)[None, None])).item()
    assert counted == {(example, limits): 1 + (limits > 1) for example, limits in counted}


def test_zeros_are_one_distinct_unit_and_random_units_are_all_distinct():
    u = torch.stack([torch.zeros(32, 16), rows(32, 16)]).unsqueeze(0)
    assert distinct_by_layer(one_pass(u)).tolist() == [[1, 16]]


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_units_that_are_no_numbers_are_not_counted(odd):
    u = rows(1, 2, 32, 16)
    u[0, 1, 3, 4] = odd
    assert distinct_by_layer(one_pass(u)).isnan().tolist() == [[False, True]]


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_constant_networks_keep_one_distinct_unit_while_they_train_and_random_ones_keep_all(
    activation, precision
):
    e = Experiment(
        schemes=("constant", "zeros", "scaled_normal"),
        activation=activation,
        depth=4,
        width=24,
        steps=40,
        precision=precision,
    )
    for measurement in measure(e):
        counts = measurement.distinct
        if not np.isnan(counts).any():
            assert (counts[0] == 1).all()
            assert (counts[1] == 1).all()
            assert (counts[2] == 24).all()


def test_losses_and_accuracy_are_means_over_the_batch():
    output, classes, values = rows(2, 5, 3), torch.tensor([0, 2, 1, 1, 0]), rows(5, 3)
    for network in range(2):
        chances = [row.exp() / row.exp().sum() for row in output[network]]
        expected = -sum(chance[y].log() for chance, y in zip(chances, classes, strict=True)) / 5
        assert mean_losses(output, classes)[network].item() == pytest.approx(
            expected.item(), rel=1e-6
        )
        right = (
            sum(int(row.argmax() == y) for row, y in zip(output[network], classes, strict=True)) / 5
        )
        found = losses_with_gradients(output, classes).accuracy[network]
        assert found.item() == pytest.approx(right)
        squares = (output[network] - values).square()
        assert mean_losses(output, values)[network].item() == pytest.approx(
            squares.mean().item(), rel=1e-6
        )
    assert losses_with_gradients(output, values).accuracy.isnan().all()


def test_of_equal_outputs_the_first_counts_whatever_the_networks_beside_them():
    """Such as one of NaN, which has no largest output at all."""
    output, y = torch.zeros(2, 4, 2), torch.tensor([0, 1, 1, 0])
    output[1] = math.nan
    assert losses_with_gradients(output, y).accuracy.tolist() == [0.5, 0.0]


def test_an_output_with_nan_in_it_is_never_right():
    output = torch.tensor([[[1.0, 0.0], [math.nan, math.nan], [0.0, math.nan], [0.0, 1.0]]])
    assert losses_with_gradients(output, torch.tensor([0, 0, 1, 0])).accuracy.item() == 0.25


def test_arrays_are_arranged_with_schemes_outermost_then_replicates_then_layers():
    e = Experiment(schemes=("zeros", "constant"), replicates=3)
    assert to_schemes_and_replicates(e, torch.arange(6)).tolist() == [[0, 1, 2], [3, 4, 5]]
    by_layer = to_schemes_and_replicates(e, torch.arange(6) + 10 * torch.arange(4).unsqueeze(1))
    assert by_layer.shape == (2, 3, 4)
    assert by_layer[1, 2].tolist() == [5, 15, 25, 35]


def test_the_profiles_are_the_quantities_that_have_a_layer_axis():
    measurement = next(measure(Experiment(schemes=("zeros",), depth=3, width=4, steps=1)))
    with_layers = {
        name for name in measurement.__slots__ if np.ndim(getattr(measurement, name)) == 3
    }
    with_layers -= {"learned_outputs"}  # whose axes are schemes, points and outputs
    assert set(PROFILES) == with_layers


def test_without_snapshots_all_else_is_measured_as_with_them():
    e = Experiment(schemes=("he_normal",), dataset="moons", depth=3, width=8, steps=3)
    for whole, lean in zip(measure(e), measure(e, snapshots=False), strict=True):
        for name in (*CURVES, *PROFILES):
            np.testing.assert_array_equal(getattr(whole, name), getattr(lean, name))
        for name in SNAPSHOTS:
            assert np.isfinite(getattr(whole, name)).all()
            assert np.isnan(getattr(lean, name)).all()
