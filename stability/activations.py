"""Activation functions and their derivatives."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogue import Entry, catalogue


@dataclass(frozen=True, kw_only=True)
class Activation(Entry):
    """A row: `phi(u)`, and `dphi(u, h)` where h = phi(u), elementwise on tensors of any shape.

    `steepest` is the largest abs(phi'); `flat_share` the share of u ~ N(0, 1) that is flat by design (ReLU 1/2);
    `negative_slope` that of the leaky ReLUs, 0 for all others.
    """

    phi: Callable[[Tensor], Tensor]
    dphi: Callable[[Tensor, Tensor], Tensor]
    steepest: float = 1.0
    flat_share: float = 0.0
    negative_slope: float = 0.0


def gelu_derivative(u: Tensor, h: Tensor) -> Tensor:
    cumulative = torch.erfc(u * -math.sqrt(0.5)) / 2
    return cumulative + u * torch.exp(u.square() / -2) / math.sqrt(2 * math.pi)


ACTIVATIONS = catalogue(
    Activation(
        key="linear", label="Linear", source="Saxe et al. 2014", formula=r"\phi(u) = u",
        summary="No activation at all: a product of matrices, and the cleanest place to see one explode.",
        phi=lambda u: u, dphi=lambda u, h: torch.ones_like(u),
    ),
    Activation(
        key="sigmoid", label="Sigmoid", source="Rumelhart, Hinton & Williams 1986", formula=r"\phi(u) = 1 / (1 + e^{-u})",
        summary="Squeezes into (0, 1). Its slope is at most 1/4, so every layer cuts the gradient.",
        phi=torch.sigmoid, dphi=lambda u, h: h * (1 - h), steepest=0.25,
    ),
    Activation(
        key="tanh", label="Tanh", source="LeCun et al. 1998", formula=r"\phi(u) = \tanh u",
        summary="Squeezes into (-1, 1), slope 1 at zero: a linear unit for small signals, flat for large ones.",
        phi=torch.tanh, dphi=lambda u, h: 1 - h.square(),
    ),
    Activation(
        key="relu", label="ReLU", source="Nair & Hinton 2010", formula=r"\phi(u) = \max(u, 0)",
        summary="Passes what is positive, cuts the rest: half of the signal's second moment is gone at each layer.",
        phi=torch.relu, dphi=lambda u, h: torch.gt(u, 0, out=torch.empty_like(u)), flat_share=0.5,
    ),
    Activation(
        key="gelu", label="GELU", source="Hendrycks & Gimpel 2016", formula=r"\phi(u) = u \, \Phi(u)",
        summary="A smooth ReLU, exact form: the input times the share of a bell curve below it.",
        phi=F.gelu, dphi=gelu_derivative, steepest=1.1289042,
    ),
)  # fmt: skip
