"""Products that are tiny are taken in float64, of the networks alone of which they are."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from stability.engine.tiny_products import LEAST, NONE_TINY, TinyProducts
from stability.engine.training import batch_indices, draw_stack_and_data, measure
from stability.records.experiment import Experiment

VANISHING = Experiment(
    schemes=("he_normal", "normal:0.01", "xavier_normal", "normal:0.004", "zeros"),
    depth=28, width=32, batch=16, samples=64, steps=4, noise=0.2,
)  # fmt: skip


@pytest.mark.parametrize("size", [1e-18, 1e-19, 1e-20])
def test_tiny_products_are_rounded_once_and_others_not_touched(size):
    torch.manual_seed(0)
    left, right = torch.randn(3, 8, 16), torch.randn(3, 16, 8)
    left[1], right[1] = size * left[1], size * right[1]
    tiny = TinyProducts({"z": torch.tensor([[False, True, False]])})
    exact = torch.bmm(left.double(), right.double())
    for found in (
        tiny.bmm("z", 1)(left, right),
        tiny.bmm("z", 1)(left, right, out=torch.empty(3, 8, 8)),
    ):
        assert torch.equal(found[1], exact[1].float())
        assert torch.equal(found[[0, 2]], torch.bmm(left, right)[[0, 2]])


def test_a_size_of_0_and_one_that_is_no_number_are_not_tiny():
    sizes = torch.tensor([[0.0, LEAST / 2, LEAST, torch.nan, torch.inf]], dtype=torch.float64)
    assert NONE_TINY.of_sizes({"z": sizes[:, [0, 2, 3, 4]]}) is NONE_TINY
    tiny = NONE_TINY.of_sizes({"z": sizes})
    assert tiny.bmm("z", 1) is not torch.bmm
    assert tiny.of_sizes({"z": sizes}) is tiny
    assert tiny.bmm("delta", 1) is torch.bmm
    assert tiny.select(slice(2, None)).bmm("z", 1) is torch.bmm


@pytest.mark.parametrize("settings", [{}, {"activation": "tanh", "precision": "bfloat16"}])
def test_no_number_depends_on_the_networks_beside_it(settings):
    """Some of which vanish in float32, and some do not."""
    e = replace(VANISHING, **settings)
    together = [*measure(e)]
    norms = together[-1].weight_gradient[:, 0]
    assert ((norms > 0) & (norms < LEAST)).any(axis=1)[:2].tolist() == [False, True]
    for place, scheme in enumerate(e.schemes):
        for alone, beside in zip(measure(replace(e, schemes=scheme)), together, strict=True):
            for name in [field.name for field in fields(alone)][1:]:
                own, shared = getattr(alone, name), getattr(beside, name)[place : place + 1]
                assert np.array_equal(own, shared, equal_nan=True), (scheme, alone.step, name)


def test_gradients_that_are_subnormal_are_those_of_float64():
    """By autograd in float64, from the same weights, at a step at which they are known as tiny.

    A product of float32 is off by half the least subnormal number, 1.4e-45, and what it is made of
    by the rounding of 28 layers.
    """
    e = replace(VANISHING, schemes="normal:0.01", steps=1)
    stack, data = draw_stack_and_data(e)
    batch = next(batch_indices(e))
    x, y = data.x[batch], data.y[batch]
    stack.tiny = TinyProducts(
        {name: torch.ones(e.depth, 1) > 0 for name in ("z", "delta", "weights")}
    )
    passed = stack.forward(x, step=0)
    backward = stack.backward(passed, stack.losses(passed.output, y), torch.ones(1).double())

    exact = [weights[0].double().requires_grad_() for weights, _ in stack.layers()]
    h = x.double()
    for weights in exact[:-1]:
        h = torch.relu(h @ weights.T)
    torch.nn.functional.cross_entropy(h @ exact[-1].T, y).backward()
    found = [matrix[0] for group in backward.stored_weights for matrix in group]
    for index in (2, 10, 16):
        expected = exact[index].grad
        assert 0 < expected.abs().max() < 1e-37
        assert torch.allclose(found[index].double(), expected, rtol=1e-4, atol=2e-45)
