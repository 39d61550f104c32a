"""Number formats that a network can be trained in."""

from dataclasses import dataclass

import torch

from stability.catalogue import Entry, catalogue


@dataclass(frozen=True, kw_only=True)
class Format(Entry):
    """A row: `dtype` is what weights, activations and gradients are stored in."""

    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        return self.dtype.itemsize


FORMATS = catalogue(
    Format(
        key="float32", label="float32", dtype=torch.float32, source="IEEE 754-2019, binary32",
        summary="The usual choice: 7 digits, magnitudes from 1e-45 to 3e38.",
        formula=r"\epsilon = 2^{-23}, \quad x_{\max} \approx 3.4 \cdot 10^{38}",
    ),
    Format(
        key="float64", label="float64", dtype=torch.float64, source="IEEE 754-2019, binary64",
        summary="Twice the bytes: 16 digits, magnitudes from 5e-324 to 2e308.",
        formula=r"\epsilon = 2^{-52}, \quad x_{\max} \approx 1.8 \cdot 10^{308}",
    ),
)  # fmt: skip
