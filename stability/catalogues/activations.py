"""Activation functions and their derivatives."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.catalogues.sine_moments import SineMoments
from stability.i18n import N_, lazy_gettext
from stability.text import exact_number

# The ways back of torch itself, where they are not the product of gradient and slope: at exact
# zeros of the slope, and where softplus goes over into u.
threshold_backward = torch.ops.aten.threshold_backward.grad_input
hardtanh_backward = torch.ops.aten.hardtanh_backward.grad_input
softplus_backward = torch.ops.aten.softplus_backward.grad_input
# Of a gradient of 1, the slope: one pass instead of nine.
gelu_backward = torch.ops.aten.gelu_backward
silu_backward = torch.ops.aten.silu_backward
mish_backward = torch.ops.aten.mish_backward


# Of a gradient by h, u, h and the slopes: the gradient by u, in place.
ThroughPhi = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def multiply_by_slope(gradient: Tensor, u: Tensor, h: Tensor, slope: Tensor) -> Tensor:
    return gradient.mul_(slope)


@dataclass(frozen=True, kw_only=True)
class Activation(Entry):
    """A row: `phi(u)`, and `dphi(u, h)` where h = phi(u), elementwise on tensors of any shape.

    `backward(gradient, u, h, slope)` turns a gradient by h into one by u, in place, where slope =
    dphi(u, h). An infinite gradient times a slope of exactly 0 is NaN; the rows of ReLU and hard
    tanh let such a slope cut it off, as torch does. `max_slope` is the largest abs(phi');
    `saturated_by_design` the probability that u ~ N(0, 1) lies where phi is flat on purpose (ReLU
    1/2); `negative_slope` the slope of a leaky ReLU below 0, else 0. `corners` are the kinks u of a
    piecewise linear phi, each with the jump of phi'; None for any other phi. `suited_scheme` is the
    scheme made for phi, empty where none helps. Where phi is not monotone, phi' is negative
    somewhere. `overwrite` is phi in place, if the way back needs h alone: it is given h as u, too.
    `dphi_in_place` is dphi in the memory of h, which it loses. `pytorch` is phi as a program in
    PyTorch makes it.

    Where phi depends on a setting of an experiment, `setting` names it and `with_value` returns the
    row for another value of it. `frequency` is a factor on u within phi, and `closed_moments` has
    the averages of phi over bell curves, where they are not to be tabled.
    """

    phi: Callable[[Tensor], Tensor]
    dphi: Callable[[Tensor, Tensor], Tensor]
    backward: ThroughPhi = multiply_by_slope
    overwrite: Callable[[Tensor], Tensor] | None = None
    dphi_in_place: Callable[[Tensor, Tensor], Tensor] | None = None
    max_slope: float = 1.0
    is_monotone: bool = True
    slope_is_0_or_1: bool = False
    saturated_by_design: float = 0.0
    negative_slope: float = 0.0
    corners: tuple[tuple[float, float], ...] | None = None
    suited_scheme: str = "xavier_normal"
    pytorch: str = ""
    setting: str = ""
    with_value: Callable[[float], "Activation"] | None = None
    frequency: float = 1.0
    closed_moments: SineMoments | None = None

    @cached_property
    def quick(self) -> "Activation":
        """The row with a way back that may lose h.

        Where an infinite gradient meets a slope of 0, it makes NaN.
        """
        backward = multiply_by_slope if self.slope_is_0_or_1 else self.backward
        return replace(self, dphi=self.dphi_in_place or self.dphi, backward=backward)


LEAKY_SLOPE = 0.01  # where nobody says another, as in torch
LEAKY = N_("A ReLU that lets {share}% of the negative side through, so that no unit is ever dead.")


@lru_cache(maxsize=256)
def leaky_relu(slope: float, key: str = "leaky_relu") -> Activation:
    """Return the row of a ReLU with this slope on the negative side, from 0 to 1."""
    text, share = exact_number(slope), f"{100 * slope:.3g}"
    return Activation(
        key=key, label="Leaky ReLU" if slope == LEAKY_SLOPE else f"Leaky ReLU {text}",
        source="Maas et al. 2013", formula=rf"\phi(u) = \max(u, {text} u)",
        summary=cast(str, lazy_gettext(LEAKY, share=share)),
        phi=lambda u: F.leaky_relu(u, slope),
        dphi=lambda u, h: torch.where(u > 0, torch.ones_like(u), slope), suited_scheme="he_normal",
        saturated_by_design=0.5 if slope < 0.005 else 0.0, negative_slope=slope,
        corners=((0.0, 1 - slope),), pytorch=f"nn.LeakyReLU({text})",
        setting="slope" if key == "leaky_relu" else "", with_value=leaky_relu,
    )  # fmt: skip


@lru_cache(maxsize=256)
def wave(w0: float) -> Activation:
    """Return the row of a sine of this frequency."""
    return Activation(
        key="sine", label="Sine", source="Sitzmann et al. 2020", formula=r"\phi(u) = \sin(w_0 u)",
        summary="A wave, as in networks that represent pictures: its slope is up to w0, so weights "
        "have to be smaller by it.",
        phi=lambda u: torch.sin(w0 * u), dphi=lambda u, h: w0 * torch.cos(w0 * u),
        max_slope=w0, is_monotone=False, suited_scheme="siren",
        pytorch=f"lambda u: torch.sin({exact_number(w0)} * u)",
        setting="w0", with_value=wave, frequency=w0, closed_moments=SineMoments(w0),
    )  # fmt: skip


SIREN_FREQUENCY = 30.0

# Klambauer et al. 2017: chosen so that mean 0 and variance 1 are a fixed point
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

ACTIVATIONS = catalogue(
    Activation(
        key="linear", label="Linear", source="Saxe et al. 2014", formula=r"\phi(u) = u",
        summary="No activation at all: a product of matrices, and the cleanest place to see one "
        "explode.",
        phi=lambda u: u, dphi=lambda u, h: torch.ones_like(u), suited_scheme="orthogonal",
        slope_is_0_or_1=True, corners=(), pytorch="nn.Identity()",
    ),
    Activation(
        key="sigmoid", label="Sigmoid", source="Rumelhart, Hinton & Williams 1986",
        formula=r"\phi(u) = 1 / (1 + e^{-u})",
        summary="Squeezes into (0, 1). Its slope is at most 1/4, so every layer cuts the gradient.",
        phi=torch.sigmoid, overwrite=torch.sigmoid_,
        dphi=lambda u, h: torch.addcmul(h, h, h, value=-1),
        dphi_in_place=lambda u, h: h.addcmul_(h, h, value=-1),
        suited_scheme="", max_slope=0.25, pytorch="nn.Sigmoid()",
    ),
    Activation(
        key="tanh", label="Tanh", source="LeCun et al. 1998", formula=r"\phi(u) = \tanh u",
        summary="Squeezes into (-1, 1), slope 1 at zero: a linear unit for small signals, flat for "
        "large ones.", phi=torch.tanh, overwrite=torch.tanh_,
        dphi=lambda u, h: torch.addcmul(h.new_ones(()), h, h, value=-1),
        dphi_in_place=lambda u, h: torch.addcmul(h.new_ones(()), h, h, value=-1, out=h),
        pytorch="nn.Tanh()",
    ),
    Activation(
        key="hardtanh", label="Hard tanh", source="Collobert 2004",
        formula=r"\phi(u) = \min(\max(u, -1), 1)",
        summary="Tanh with corners: slope exactly 1 inside (-1, 1) and exactly 0 outside.",
        phi=F.hardtanh, overwrite=F.hardtanh_, dphi=lambda u, h: (h.abs() < 1).to(h.dtype),
        dphi_in_place=lambda u, h: torch.lt(h.abs_(), 1, out=h),
        backward=lambda g, u, h, slope: hardtanh_backward(g, h, -1, 1, grad_input=g),
        slope_is_0_or_1=True, saturated_by_design=math.erfc(math.sqrt(0.5)),
        corners=((-1.0, 1.0), (1.0, -1.0)), pytorch="nn.Hardtanh()",
    ),
    Activation(
        key="softsign", label="Softsign", source="Glorot & Bengio 2010",
        formula=r"\phi(u) = u / (1 + |u|)",
        summary="Bounded like tanh, but it flattens slowly: it takes a large signal to saturate "
        "it.", phi=F.softsign, dphi=lambda u, h: (1 - h.abs()).square(), pytorch="nn.Softsign()",
    ),
    Activation(
        key="erf", label="Erf", source="Williams 1997", formula=r"\phi(u) = \mathrm{erf}(u)",
        summary="A sharper tanh whose averages over bell curves have closed forms.",
        phi=torch.erf, dphi=lambda u, h: 2 / math.sqrt(math.pi) * torch.exp(-u.square()),
        max_slope=2 / math.sqrt(math.pi),
        saturated_by_design=math.erfc(math.sqrt(-math.log(0.005) / 2)), pytorch="torch.erf",
    ),
    Activation(
        key="relu", label="ReLU", source="Nair & Hinton 2010", formula=r"\phi(u) = \max(u, 0)",
        summary="Passes what is positive, cuts the rest: half of the signal's second moment is "
        "gone at each layer.",
        phi=torch.relu, overwrite=torch.relu_, dphi=lambda u, h: torch.sign(h),
        dphi_in_place=lambda u, h: h.sign_(),
        backward=lambda g, u, h, slope: threshold_backward(g, h, 0, grad_input=g),
        slope_is_0_or_1=True, suited_scheme="he_normal", saturated_by_design=0.5,
        corners=((0.0, 1.0),), pytorch="nn.ReLU()",
    ),
    leaky_relu(LEAKY_SLOPE),
    leaky_relu(0.2, "leaky_relu_0.2"),
    Activation(
        key="elu", label="ELU", source="Clevert et al. 2016",
        formula=r"\phi(u) = u \text{ if } u > 0 \text{ else } e^u - 1",
        summary="A ReLU with a smooth negative side that ends at -1.",
        phi=F.elu, dphi=lambda u, h: torch.exp(u.clamp(max=0)), suited_scheme="he_normal",
        pytorch="nn.ELU()",
    ),
    Activation(
        key="selu", label="SELU", source="Klambauer et al. 2017",
        formula=r"\phi(u) = 1.0507 \, (u \text{ if } u > 0 \text{ else } 1.6733 (e^u - 1))",
        summary="An ELU scaled so that mean 0 and variance 1 reproduce themselves when Var W = 1 / "
        "fan_in.",
        phi=F.selu, dphi=lambda u, h: SELU_SCALE * torch.where(u > 0, 1, SELU_ALPHA * torch.exp(u)),
        max_slope=SELU_SCALE * SELU_ALPHA, suited_scheme="lecun_normal", pytorch="nn.SELU()",
    ),
    Activation(
        key="gelu", label="GELU", source="Hendrycks & Gimpel 2016",
        formula=r"\phi(u) = u \, \Phi(u)",
        summary="A smooth ReLU, exact form: the input times the share of a bell curve below it.",
        phi=F.gelu, dphi=lambda u, h: gelu_backward(torch.ones_like(u), u),
        suited_scheme="he_normal", max_slope=1.1289042,
        is_monotone=False, pytorch="nn.GELU()",
    ),
    Activation(
        key="silu", label="SiLU", source="Elfwing et al. 2018",
        formula=r"\phi(u) = u / (1 + e^{-u})",
        summary="A smooth ReLU, also called swish: the input times its own sigmoid.",
        phi=F.silu, dphi=lambda u, h: silu_backward(torch.ones_like(u), u),
        suited_scheme="he_normal", max_slope=1.0998393,
        is_monotone=False, pytorch="nn.SiLU()",
    ),
    Activation(
        key="mish", label="Mish", source="Misra 2020", formula=r"\phi(u) = u \tanh(\ln(1 + e^u))",
        summary="A smooth ReLU with a slightly deeper dip below zero.",
        phi=F.mish, dphi=lambda u, h: mish_backward(torch.ones_like(u), u),
        suited_scheme="he_normal", max_slope=1.0884982,
        is_monotone=False, pytorch="nn.Mish()",
    ),
    Activation(
        key="softplus", label="Softplus", source="Dugas et al. 2001",
        formula=r"\phi(u) = \ln(1 + e^u)",
        summary="A ReLU without a corner and never zero: every layer adds a positive mean, and "
        "means pile up.", phi=F.softplus, dphi=lambda u, h: torch.sigmoid(u), suited_scheme="",
        backward=lambda g, u, h, slope: softplus_backward(g, u, 1, 20, grad_input=g),
        pytorch="nn.Softplus()",
    ),
    wave(SIREN_FREQUENCY),
)  # fmt: skip


def activation_with(settings: Mapping[str, Any]) -> Activation:
    """Return the activation that settings name, with the value that they give it, if any."""
    row = ACTIVATIONS[settings["activation"]]
    if row.with_value is None or row.setting not in settings:
        return row
    return row.with_value(settings[row.setting])
