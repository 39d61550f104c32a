"""Normalizations keep shapes and formats."""

import pytest
import torch

from stability.catalogues.normalizations import NORMALIZATIONS


@pytest.mark.parametrize("row", NORMALIZATIONS.values(), ids=lambda row: row.key)
def test_a_normalization_keeps_the_shape_and_the_format(row):
    z = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    assert row.apply(z).shape == z.shape
    assert row.apply(z).dtype == z.dtype
