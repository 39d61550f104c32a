"""Normalizations keep shapes and formats."""

import pytest
import torch

from stability.catalogues.normalizations import NORMALIZATIONS


@pytest.mark.parametrize("row", NORMALIZATIONS.values(), ids=lambda row: row.key)
def test_a_normalization_keeps_the_shape_and_the_format(row):
    z = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    assert row.apply(z).shape == z.shape
    assert row.apply(z).dtype == z.dtype


@pytest.mark.parametrize("row", NORMALIZATIONS.values(), ids=lambda row: row.key)
def test_the_way_back_through_a_normalization_is_that_of_autograd(row):
    random = torch.Generator().manual_seed(0)
    z, gradient = (torch.randn(3, 9, 4, generator=random, dtype=torch.float64) for _ in range(2))
    z.requires_grad_()
    u, saved = row.forward(z)
    (expected,) = torch.autograd.grad(u * 1, z, gradient)
    found = row.backward(gradient, u.detach(), saved.detach())
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-14)
