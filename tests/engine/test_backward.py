"""The way back that is written by hand, against autograd through the way forward."""

from dataclasses import fields, replace
from itertools import islice, product

import numpy as np
import pytest
import torch
from torch import Tensor

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.engine import blocks, training
from stability.engine.blocks import Block
from stability.engine.losses import losses_with_gradients
from stability.engine.measurement import Measurement
from stability.engine.training import draw_stack_and_data, first_batch, measure
from stability.records.experiment import Experiment

SMALL = {"depth": 5, "width": 12, "features": 7, "samples": 64, "batch": 15, "steps": 3, "seed": 1}
SCHEMES = ("he_normal", "orthogonal", "lecun_uniform")
QUANTITIES = [field.name for field in fields(Measurement)][1:]
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


def both_gradients(e: Experiment) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of step 0 by all z and parameters: by hand, and by autograd."""
    stack, data = draw_stack_and_data(e)
    x, y = first_batch(e, data)
    passed = stack.forward(x, step=0)
    losses = stack.losses(passed.output, y)
    scale = torch.full((e.network_count,), 2.0, dtype=torch.float64)
    by_hand = stack.backward(passed, losses, scale)
    wanted = [*passed.z, *stack.parameters]
    expected = torch.autograd.grad(losses.mean.sum() * 2, wanted)
    factor = 2 if e.number_format.scales_loss else 1  # gradients are handed on divided by the scale
    vectors = [factor * gradient for gradient in by_hand.parameters[len(stack.weights) :]]
    stored = [*by_hand.stored_weights, *vectors]
    return [*by_hand.stored_z, *stored], list(expected)


def largest_error(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest difference as a part of the largest entry of its tensor.

    Behind a batch norm the gradient by a bias is 0, a sum whose terms cancel: so no entry counts as
    less than a ten thousandth of the largest of all.
    """
    found, expected = ([g.detach().double() for g in part] for part in (found, expected))
    sizes = [g.abs().max().item() for g in expected]
    errors = [(a - b).abs().max().item() for a, b in zip(found, expected, strict=True)]
    return max(
        error / max(size, 1e-4 * max(sizes)) for error, size in zip(errors, sizes, strict=True)
    )


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_equal_those_of_autograd(activation, normalization, residual):
    """A few roundings of 1e-16 a layer, which norms multiply."""
    settings = {"activation": activation, "normalization": normalization, "residual": residual}
    e = Experiment(
        schemes=SCHEMES, precision="float64", dropout=0.2, bias_std=0.3, **settings, **SMALL
    )
    found, expected = both_gradients(e)
    # Softplus is u itself above 20, which its slope, a sigmoid, reaches but for 2e-9.
    assert largest_error(found, expected) < 1e-11


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("normalization", ["none", "rms"])
def test_gradients_are_rounded_where_autograd_rounds_them(precision, normalization):
    """Sums that fall to either side of an edge differ by one unit in the last place."""
    settings = {"normalization": normalization, "activation": "tanh", "residual": True}
    e = Experiment(schemes=SCHEMES, precision=precision, dropout=0.2, **settings, **SMALL)
    found, expected = both_gradients(e)
    assert largest_error(found, expected) < 4 * e.number_format.epsilon * e.depth
    dtype = e.number_format.dtype
    assert all(torch.equal(g.double(), g.to(dtype).double()) for g in found)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_gradient_of_a_loss_is_that_of_autograd(dataset):
    row, random = DATASETS[dataset], torch.Generator().manual_seed(0)
    output = torch.randn(3, 8, row.outputs, generator=random, dtype=torch.float64).requires_grad_()
    y = row.load(64, 4, 0.1, 0, torch.float64).y[:8]
    losses, scale = losses_with_gradients(output, y), torch.tensor([1.0, 2.0, 65536.0])
    (expected,) = torch.autograd.grad(losses.mean, output, scale.double())
    assert torch.allclose(losses.by_output(scale), expected, rtol=1e-13, atol=1e-15)


def test_a_normalization_without_a_way_back_of_its_own_is_left_to_autograd(monkeypatch):
    e = Experiment(schemes=SCHEMES, normalization="layer", precision="float64", **SMALL)
    own, _ = both_gradients(e)
    row = replace(NORMALIZATIONS["layer"], backward=None)
    monkeypatch.setattr(Experiment, "normalization_row", row)
    by_autograd, _ = both_gradients(e)
    assert largest_error(own, by_autograd) < 1e-12


def equal(one: Measurement, other: Measurement) -> bool:
    """True if all arrays agree to the last bit."""
    pairs = ((getattr(one, name), getattr(other, name)) for name in QUANTITIES)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_no_number_depends_on_blocks_and_on_memory_that_is_used_again(
    activation, normalization, monkeypatch
):
    settings = {"activation": activation, "normalization": normalization, "dropout": 0.1}
    e = Experiment(
        schemes=SCHEMES, replicates=2, optimizer="adam", **SMALL | settings | {"steps": 40}
    )
    whole = list(islice(measure(e), 6))
    for block, large in product((200, 10**6), (0, 10**6)):
        monkeypatch.setattr(blocks, "BLOCK_NUMBERS", {"cpu": block})
        monkeypatch.setattr(blocks, "LARGE_LAYER", large)
        assert all(map(equal, whole, measure(e)))


@pytest.mark.parametrize("large", [0, 10**6])
def test_a_pass_whose_norms_leave_the_range_is_made_again_with_the_same_numbers(large, monkeypatch):
    """The networks diverge within a few steps, and until then nobody looks at their norms."""
    more = {"learning_rate": 10.0, "dataset": "teacher", "dropout": 0.2, "steps": 400}
    e = Experiment(schemes=SCHEMES, **SMALL | more)
    monkeypatch.setattr(blocks, "LARGE_LAYER", large)
    trusting = list(islice(measure(e), 10))
    never = property(lambda block: False, lambda block, value: None)
    monkeypatch.setattr(Block, "trusts", never, raising=False)
    assert all(map(equal, trusting, measure(e)))
    assert np.isfinite(trusting[0].loss).all()
    assert not np.isfinite(trusting[-1].loss).any()


@pytest.mark.parametrize("settings", [{}, {"optimizer": "momentum", "dropout": 0.2}])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_networks_that_have_ended_leave_and_nobody_sees_it(depth, settings, monkeypatch):
    more = {"depth": depth, "steps": 40, "learning_rate": 10.0, "dataset": "teacher"}
    schemes = ("normal:0.001", "normal:1000000", "xavier_normal")
    e = Experiment(schemes=schemes, replicates=2, **SMALL | more | settings)
    trained = training.Training(*draw_stack_and_data(e))
    with_leavers = []
    for step, batch in zip(range(e.steps + 1), training.batch_indices(e), strict=False):
        with_leavers.append(trained.measure_and_update(step, batch))
    left = [int(n) for block in trained.blocks for n in block.stack.networks]
    assert len(left) < 6
    monkeypatch.setattr(Block, "without_ended", lambda self: self)
    assert all(map(equal, with_leavers, measure(e)))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_a_device_measures_what_the_processor_measures(device, optimizer, normalization):
    """Sums in another order: 1e-3 of the largest entry after three steps of float32."""
    settings = {"optimizer": optimizer, "normalization": normalization, "learning_rate": 0.001}
    e = Experiment(schemes=SCHEMES, activation="tanh", **settings, **SMALL)
    for here, there in zip(measure(e), measure(e, device), strict=True):
        for name in set(QUANTITIES) - {"pre_activations", "rounding_shares"}:
            a, b = (np.nan_to_num(getattr(one, name)) for one in (here, there))
            assert np.abs(a - b).max(initial=0) <= 1e-3 * np.abs(a).max(initial=0), name
