"""Normalizations, which stand between a pre-activation and its activation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.catalogues.number_formats import at_least_float32


@dataclass(frozen=True, kw_only=True)
class Normalization(Entry):
    """A row: `apply` maps z `(N, batch, width)` to u before the trained gain and shift.

    The gain starts at 1, the shift at 0. `variance(q)` is the variance of u in a wide layer whose z
    has variance q for each example, numbers or arrays; None where examples are mixed.
    """

    apply: Callable[[Tensor], Tensor]
    variance: Callable[[Any], Any] | None = None
    has_gain: bool = True
    has_shift: bool = True
    min_batch: int = 1

    @property
    def mixes_examples(self) -> bool:
        """True if the result for one example depends on the rest of its batch."""
        return self.variance is None


def standardize_over_batch(z: Tensor) -> Tensor:
    """Standardize each unit by the batch's own statistics, eps 1e-5.

    Like torch.nn.BatchNorm1d(track_running_stats=False), 16-bit formats are computed in float32 and
    only the result is rounded.
    """
    widened = at_least_float32(z)
    variance, mean = torch.var_mean(widened, dim=-2, correction=0, keepdim=True)
    return ((widened - mean) * torch.rsqrt(variance + 1e-5)).to(z.dtype)


NORMALIZATIONS = catalogue(
    Normalization(
        key="none", label="None", source="-", formula=r"u = z",
        summary="The pre-activation enters the activation as it is: nothing hides what the "
        "initialization did.",
        apply=lambda z: z, has_gain=False, has_shift=False, variance=lambda q: q,
    ),
    Normalization(
        key="batch", label="Batch norm", source="Ioffe & Szegedy 2015",
        formula=r"u = \gamma (z - \mathrm{mean}_B z) / \sqrt{\mathrm{Var}_B z + 10^{-5}} + \beta",
        summary="Each unit is standardised over the batch, always by the batch's own statistics.",
        apply=standardize_over_batch, min_batch=2,
    ),
    Normalization(
        key="layer", label="Layer norm", source="Ba, Kiros & Hinton 2016",
        formula=r"u = \gamma (z - \mathrm{mean}_j z) / \sqrt{\mathrm{Var}_j z + 10^{-5}} + \beta",
        summary="Each example is standardised over the units of the layer.",
        apply=lambda z: F.layer_norm(z, z.shape[-1:]), variance=lambda q: q / (q + 1e-5),
    ),
    Normalization(
        key="rms", label="RMS norm", source="Zhang & Sennrich 2019",
        formula=r"u = \gamma z / \sqrt{\mathrm{mean}_j z^2 + \epsilon}",
        summary="Each example is divided by the root mean square of its layer; the mean stays.",
        has_shift=False, apply=lambda z: F.rms_norm(z, z.shape[-1:]),
        variance=lambda q: q / (q + torch.finfo(torch.float32).eps),
    ),
)  # fmt: skip
