"""The steps that stored weights take, against the weights themselves; and the updates that rounding
loses, counted one by one.
"""

import math
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from stability.catalogues.number_formats import PRECISIONS
from stability.engine.measurement import Measurement
from stability.engine.network import Stack
from stability.engine.stored_steps import lost_share
from stability.engine.training import Training, batch_indices, draw_stack_and_data, measure
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

SMALL = {"depth": 4, "width": 8, "features": 5, "samples": 64, "batch": 16, "steps": 6, "seed": 3}
# Steps of which bfloat16 loses nearly all, since they are far below half a unit in the last place.
TINY = {"optimizer": "adamw", "learning_rate": 3e-6, "activation": "gelu", "normalization": "layer"}


def weights_of(stack: Stack) -> list[Tensor]:
    """The stored weights by layer, `(N, fan_out, fan_in)`, in float64."""
    return [matrix.detach().double().clone() for group in stack.weights for matrix in group]


def trained(e: Experiment) -> list[tuple[Measurement, list[Tensor], list[Tensor]]]:
    """Step by step: the measurement, the weights it saw, and their gradients as stored."""
    stack, data = draw_stack_and_data(e)
    training, found = Training(stack, data), []
    for step, batch in enumerate(islice(batch_indices(e), e.steps + 1)):
        passed = stack.forward(data.x[batch], step)
        losses = stack.losses(passed.output, data.y[batch])
        gradients = stack.backward(passed, losses, torch.ones(e.network_count)).parameters
        slopes = [matrix.clone() for group in gradients[: len(stack.weights)] for matrix in group]
        weights = weights_of(stack)
        found.append((training.measure_and_update(step, batch), weights, slopes))
    return found


@pytest.mark.parametrize("settings", [{}, TINY, {"optimizer": "momentum", "weight_decay": 0.1}])
@pytest.mark.parametrize("precision", ["bfloat16", "float16_scaled"])
def test_the_update_of_a_rounded_format_is_the_difference_of_the_stored_weights(
    precision, settings
):
    e = Experiment(schemes=("he_normal", "orthogonal"), precision=precision, **SMALL, **settings)
    before = None
    for measurement, weights, _ in trained(e):
        differences = [new - old for new, old in zip(weights, before or weights, strict=True)]
        expected = torch.stack([d.flatten(1).norm(dim=1) for d in differences], dim=1)  # (N, L)
        assert measurement.update[:, 0] == pytest.approx(expected.numpy(), rel=1e-5)
        before = weights


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_step_of_sgd_is_that_of_torch_to_the_last_bit(precision, schedule):
    e = Experiment(
        schemes=("he_normal", "pytorch"), precision=precision, schedule=schedule, **SMALL
    )
    stack, data = draw_stack_and_data(e)
    training = Training(stack, data)
    plain = [parameter.detach().clone() for parameter in stack.parameters]
    optimizer = torch.optim.SGD(plain)
    for step, batch in enumerate(islice(batch_indices(e), e.steps)):
        passed = stack.forward(data.x[batch], step)
        losses = stack.losses(passed.output, data.y[batch])
        gradients = stack.backward(passed, losses, torch.ones(e.network_count)).parameters
        for parameter, gradient in zip(plain, gradients, strict=True):
            parameter.grad = gradient.clone()
        optimizer.param_groups[0]["lr"] = e.learning_rate * e.rate_factor(step)
        optimizer.step()
        training.measure_and_update(step, batch)
        assert all(map(torch.equal, stack.parameters, plain))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_update_of_other_formats_is_that_difference_up_to_the_rounding_of_weights(precision):
    e = Experiment(schemes=("he_normal",), precision=precision, **SMALL)
    steps = trained(e)
    for (_, before, _), (measurement, after, _) in pairwise(steps):
        for layer, (old, new) in enumerate(zip(before, after, strict=True)):
            rounding = e.number_format.epsilon * old.norm().item()
            assert measurement.update[0, 0, layer] == pytest.approx(
                (new - old).norm().item(), abs=rounding
            )


@pytest.mark.parametrize("learning_rate", [1e-6, 1e-4, 0.01])
@pytest.mark.parametrize("precision", ["bfloat16", "float16", "float32", "float64"])
def test_lost_updates_are_the_steps_of_gradient_descent_that_leave_a_weight_as_it_was(
    precision, learning_rate
):
    e = Experiment(
        schemes=("he_normal", "xavier_normal"),
        precision=precision,
        learning_rate=learning_rate,
        **SMALL,
    )
    steps = trained(e)
    for (_, before, slopes), (measurement, after, _) in pairwise(steps):
        for network in range(2):
            for layer in range(e.depth):
                step = (slopes[layer][network] * -learning_rate).flatten().tolist()
                old, new = (w[layer][network].flatten().tolist() for w in (before, after))
                stays = [a == b for s, a, b in zip(step, old, new, strict=True) if s != 0]
                share = sum(stays) / max(1, len(stays))
                assert measurement.lost_updates[network, 0, layer] == pytest.approx(share)


def test_small_steps_are_nearly_all_lost_in_bfloat16_and_hardly_any_is_in_float32():
    e = Experiment(schemes=("he_normal",), steps=5, **TINY)
    rounded, exact = (
        list(measure(replace(e, precision=key)))[1:] for key in ("bfloat16", "float32")
    )
    assert min(measurement.lost_updates.min() for measurement in rounded) > 0.98
    assert max(measurement.lost_updates.max() for measurement in exact) < 0.02
    for low, high in zip(rounded, exact, strict=True):
        assert (low.update < high.update / 5).all(), "what is lost is not part of the step"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_lost_updates_are_counted_before_sampled_steps_and_at_no_other(precision):
    e = Experiment(schemes=("he_normal", "normal:1"), precision=precision, **SMALL | {"steps": 70})
    for measurement in measure(replace(e, learning_rate=1e-4)):
        counted = measurement.step in sampled_steps(e.steps) and measurement.step > 0
        assert np.isfinite(measurement.lost_updates).all() == counted
        assert np.isnan(measurement.lost_updates).all() == (not counted)


@pytest.mark.parametrize("normalization", ["batch", "layer", "rms"])
@pytest.mark.parametrize(("precision", "learning_rate"), [
    ("bfloat16", 0.01), ("float16", 1e-3), ("bfloat16", 0.1), ("float32", 1e-6),
])  # fmt: skip
def test_lost_updates_of_gains_are_the_steps_that_leave_a_gain_as_it_was(
    precision, learning_rate, normalization
):
    """Each gain by itself, from the gradients of the engine; widths differ from layer to layer."""
    e = Experiment(
        schemes=("he_normal", "xavier_normal"), precision=precision, learning_rate=learning_rate,
        normalization=normalization, taper=2.0, **SMALL,
    )  # fmt: skip
    stack, data = draw_stack_and_data(e)
    training, expected, seen = Training(stack, data), None, set()
    first = 2 * len(stack.weights)  # behind weights and biases
    for step, batch in enumerate(islice(batch_indices(e), e.steps + 1)):
        passed = stack.forward(data.x[batch], step)
        losses = stack.losses(passed.output, data.y[batch])
        parts = stack.backward(passed, losses, torch.ones(2)).parameters
        slopes = [row for group in parts[first:][: len(stack.gains)] for row in group.clone()]
        old = [row.detach().clone() for group in stack.gains for row in group]
        measurement = training.measure_and_update(step, batch)
        if expected is not None:
            found = measurement.lost_gain_updates[:, 0]
            assert found == pytest.approx(np.array(expected))
            seen |= {*found.ravel().tolist()}
        new = [row.detach() for group in stack.gains for row in group]
        steps = [-learning_rate * slope for slope in slopes]
        expected = [
            [
                ((a == b)[n] & (s != 0)[n]).sum().item() / max(1, (s != 0)[n].sum().item())
                for a, b, s in zip(old, new, steps, strict=True)
            ]
            for n in range(2)
        ]
    assert len(seen) > 1, "shares between none and all"


def test_gains_near_one_lose_what_small_weights_keep():
    """Half a unit in the last place of 1 is 2^-9 downward; most weights are far below 1."""
    e = Experiment(
        schemes=("he_normal",), precision="bfloat16", normalization="layer", optimizer="adam",
        learning_rate=1e-3, steps=5,
    )  # fmt: skip
    for measurement in list(measure(e))[1:]:
        assert (measurement.lost_gain_updates == 1).all()
        assert measurement.lost_updates.max() < 0.6


@pytest.mark.parametrize("settings", [{}, {"normalization": "rms"}, {"depth": 1}])
def test_networks_without_gains_have_no_share_of_them(settings):
    e = Experiment(schemes=("he_normal",), **SMALL | settings)
    for measurement in measure(e):
        shares = measurement.lost_gain_updates
        assert shares.shape == (1, 1, e.depth - 1)
        has_gains = bool(e.normalization_row.has_gain) and measurement.step > 0
        assert np.isfinite(shares).all() == (has_gains or not shares.size)


def test_a_network_whose_step_is_zero_loses_nothing():
    for measurement in list(measure(Experiment(schemes=("zeros",), **SMALL)))[1:]:
        assert (measurement.update[0, 0, :-1] == 0).all()
        assert (measurement.lost_updates == 0).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16", "float16_scaled"])
def test_networks_that_diverge_keep_shares_between_none_and_all_until_they_end(precision):
    e = Experiment(
        schemes=("normal:1", "he_normal"), precision=precision, learning_rate=10.0, **SMALL
    )
    for measurement in list(measure(e))[1:]:
        shares = measurement.lost_updates
        assert ((shares >= 0) & (shares <= 1) | np.isnan(measurement.weight)).all()


def test_steps_of_nan_and_infinity_are_not_lost_and_zeros_are_no_steps():
    nan, inf = math.nan, math.inf
    before = torch.tensor([[[[1.0, 1.0, 1.0, 1.0, 2.0, -inf]]]])
    step = torch.tensor([[[[nan, inf, 0.0, 1e-9, 1.0, nan]]]])
    assert lost_share(before, before + step, step).item() == pytest.approx(1 / 5)
    none = torch.zeros_like(step)
    assert lost_share(before, before + none, none).item() == 0
    assert lost_share(before * step, before + step, step).isnan().all(), "NaN before the step"
