"""Initialization schemes: each row says how the weights of one layer are drawn.

A scheme is written `family` or `family:value`: `xavier_normal`, `normal:0.01`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.draws import Layer, Draws
from stability.catalogues.entry import Entry, catalogue
from stability.catalogues.mean_field import critical_sigma_w2, second_moment
from stability.text import exact_number, parse_number, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Scheme(Entry):
    """A row. `variance(layer)` is Var W, None where entries are not drawn alike; `weights(layer, noise)` draws them.

    A family with a `value` takes it as a further last argument of both. `bias(layer, noise)` draws the biases, of
    `bias_variance(layer)`. `value_name` says what the value is; `low` is its smallest legal one, `whole` whether it is a
    count.

    `needs(settings)` yields what other settings disagree: a sentence, the field, its nearest legal value. `adjust(z)` is asked
    after a forward pass of the first batch, layer by layer: the factor for the weights that led to z `(batch, units)`.
    """

    variance: Callable[..., float] | None = None
    weights: Callable[..., Tensor] | None = None
    bias: Callable[[Layer, Draws], Tensor] = lambda layer, noise: noise.normal_bias * layer.bias_std
    bias_variance: Callable[[Layer], float] = lambda layer: layer.bias_std**2
    distribution: str = "normal"
    value: float | None = None
    value_name: str = ""
    low: float = 0.0
    integer_value: bool = False
    needs: Callable[[Mapping[str, Any]], Iterator[tuple[str, str, Any]]] = lambda settings: iter(())
    adjust: Callable[[Tensor], float] | None = None

    @property
    def title(self) -> str:
        """The label with its value, as chips and legends write it."""
        return self.label if self.value is None else f"{self.label} {exact_number(self.value)}"

    @property
    def arguments(self) -> tuple[float, ...]:
        return () if self.value is None else (self.value,)

    def weight_variance(self, layer: Layer) -> float | None:
        """Var W of this layer, None where the scheme promises none."""
        return self.variance(layer, *self.arguments) if self.variance else None

    def draw(self, layer: Layer, noise: Draws) -> tuple[Tensor, Tensor]:
        """Weights `(fan_out, fan_in)` and biases `(fan_out,)`, float64."""
        if self.weights:
            weights = self.weights(layer, noise, *self.arguments)
        else:
            weights = getattr(noise, self.distribution) * math.sqrt(self.weight_variance(layer))
        return weights, self.bias(layer, noise)


def constant_weights(layer: Layer, value: float) -> Tensor:
    return torch.full((layer.fan_out, layer.fan_in), value, dtype=torch.float64)


def sparse_weights(layer: Layer, noise: Draws, count: int) -> Tensor:
    count = min(count, layer.fan_in)
    kept = (noise.sparse_order < count).to(torch.float64)  # a random order puts each place below count alike
    return noise.normal * kept / math.sqrt(count)


def mirrored_weights(layer: Layer, noise: Draws) -> Tensor:
    """First [V; -V], middle [V -V; -V V], last [V -V], V orthogonal: phi(a) - phi(-a) = a for a ReLU."""
    mirrored_in, mirrored_out = layer.index > 1, layer.index < layer.depth
    block = replace(layer, fan_in=layer.fan_in // (1 + mirrored_in), fan_out=layer.fan_out // (1 + mirrored_out))
    weights = replace(noise, layer=block).orthogonal
    weights = torch.cat([weights, -weights], dim=1) if mirrored_in else weights
    return torch.cat([weights, -weights], dim=0) if mirrored_out else weights


def he_weights(layer: Layer, noise: Draws) -> Tensor:
    return noise.normal * math.sqrt(2 / ((1 + layer.activation.negative_slope**2) * layer.fan_in))


def require_even_width(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    width = settings["width"]
    if width % 2 and settings["depth"] > 1:
        yield f"width must be even for the scheme looks_linear, not {width}", "width", width + 1


def require_residual(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    if not settings["residual"]:
        yield "residual must be true for the scheme fixup, not false", "residual", True


def require_edge_of_chaos(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    activation, bias_std = settings["activation"], settings["bias_std"]
    if not has_edge_of_chaos(activation, 0.0) and not has_edge_of_chaos(activation, bias_std):
        yield f"activation must have an edge of chaos for the scheme critical, not {activation}", "activation", "tanh"
        activation = "tanh"
    if not has_edge_of_chaos(activation, bias_std):
        yield f"bias_std must be 0 for the scheme critical with {activation}, not {exact_number(bias_std)}", "bias_std", 0.0


@lru_cache(maxsize=1024)
def critical_sigma_w2_or_none(activation: str, bias_std: float) -> float | None:
    """sigma_w2 at the edge of chaos, None where there is none."""
    try:
        return critical_sigma_w2(activation, bias_std**2)
    except ValueError:
        return None


def has_edge_of_chaos(activation: str, bias_std: float) -> bool:
    return critical_sigma_w2_or_none(activation, bias_std) is not None


def unit_gain_variance(layer: Layer) -> float:
    """1 / (fan_in E phi(z)^2), z ~ N(0, 1); the first layer sees the inputs without an activation."""
    return 1 / (layer.fan_in * (float(second_moment(layer.activation, 1.0)) if layer.index > 1 else 1))


def unit_variance_factor(z: Tensor) -> float:
    """Mishkin & Matas 2016: until the variance is within a tenth of 1; silent or broken layers are left alone."""
    std = z.double().std(correction=0).item()
    return 1 / std if 0 < std < math.inf and abs(std**2 - 1) > 0.1 else 1.0


def normal_and_uniform(key: str, label: str, **common) -> tuple[Scheme, Scheme]:
    """A formula for the variance drawn from a bell curve and from a flat one."""
    return (
        Scheme(key=f"{key}_normal", label=f"{label} (normal)", distribution="normal", **common),
        Scheme(key=f"{key}_uniform", label=f"{label} (uniform)", distribution="uniform", **common),
    )


SCHEMES = catalogue(
    Scheme(
        key="zeros", label="Zeros", source="Dive into Deep Learning, Numerical Stability and Initialization",
        summary="Every weight 0: no signal passes, and no gradient reaches a hidden layer.",
        formula=r"W = 0", weights=lambda layer, noise: constant_weights(layer, 0.0),
    ),
    Scheme(
        key="constant", label="Constant", source="Dive into Deep Learning, Numerical Stability and Initialization",
        summary="Every weight the same: all units of a layer stay copies of one, however many there are.",
        formula=r"W = c", value=0.1, value_name="weight", low=-math.inf,
        weights=lambda layer, noise, value: constant_weights(layer, value),
    ),
    Scheme(
        key="identity", label="Identity", source="Le, Jaitly & Hinton 2015", formula=r"W = I",
        summary="Ones on the main diagonal, the rest 0: the signal passes unchanged, and units beyond the inputs stay silent.",
        weights=lambda layer, noise: torch.eye(layer.fan_out, layer.fan_in, dtype=torch.float64),
    ),
    Scheme(
        key="normal", label="Normal", source="Krizhevsky et al. 2012 (0.01)", value=0.01, value_name="standard deviation",
        summary="One standard deviation for all layers, whatever their size: right for one width, wrong for the rest.",
        formula=r"W \sim N(0, \sigma^2)", variance=lambda layer, std: std**2,
    ),
    Scheme(
        key="uniform", label="Uniform", source="torch.nn.init.uniform_", value=0.05, value_name="half-width", distribution="uniform",
        summary="Evenly spread between -a and a for all layers, whatever their size.",
        formula=r"W \sim U(-a, a)", variance=lambda layer, half_width: half_width**2 / 3,
    ),
    Scheme(
        key="truncated_normal", label="Truncated normal", source="tf.keras.initializers.TruncatedNormal", value=0.01,
        value_name="standard deviation after the cut", distribution="truncated_normal",
        summary="A bell curve without its tails: what is beyond two standard deviations is drawn again.",
        formula=r"W \sim N(0, s^2) \text{ within } \pm 2 s, \quad \mathrm{Var}\,W = \sigma^2",
        variance=lambda layer, std: std**2,
    ),
    Scheme(
        key="pytorch", label="PyTorch default", source="torch.nn.Linear, reset_parameters", distribution="uniform",
        summary="What nn.Linear does when nobody asks: a third of LeCun's variance, and random biases. bias_std is ignored.",
        formula=r"W, b \sim U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})", variance=lambda layer: 1 / (3 * layer.fan_in),
        bias=lambda layer, noise: noise.uniform_bias / math.sqrt(3 * layer.fan_in),
        bias_variance=lambda layer: 1 / (3 * layer.fan_in),
    ),
    *normal_and_uniform(
        "lecun", "LeCun", source="LeCun et al. 1998, sec. 4.6", variance=lambda layer: 1 / layer.fan_in,
        summary="Keeps the forward variance of a linear layer.", formula=r"\mathrm{Var}\,W = 1 / n_{in}",
    ),
    *normal_and_uniform(
        "xavier", "Xavier", source="Glorot & Bengio 2010", variance=lambda layer: 2 / (layer.fan_in + layer.fan_out),
        summary="A compromise between keeping the signal forward and the gradient backward, for units that are linear near 0.",
        formula=r"\mathrm{Var}\,W = 2 / (n_{in} + n_{out})",
    ),
    *normal_and_uniform(
        "he", "He", source="He et al. 2015, sec. 2.2",
        summary="Keeps the forward second moment of a rectifier: half of it is cut away, so the variance is doubled.",
        formula=r"\mathrm{Var}\,W = 2 / ((1 + a^2) \, n_{in})",
        variance=lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_in),
    ),
    Scheme(
        key="he_fan_out", label="He, fan out (normal)", source="He et al. 2015, sec. 2.2",
        summary="Keeps the backward second moment of a rectifier: the gradient stays level, the signal pays for it.",
        formula=r"\mathrm{Var}\,W = 2 / ((1 + a^2) \, n_{out})",
        variance=lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_out),
    ),
    Scheme(
        key="orthogonal", label="Orthogonal", source="Saxe et al. 2014", value=1.0, value_name="gain",
        summary="Turns and mirrors but does not stretch: every direction keeps its length, not only the average one.",
        formula=r"W^\top W = g^2 I", variance=lambda layer, gain: gain**2 / max(layer.fan_in, layer.fan_out),
        weights=lambda layer, noise, gain: gain * noise.orthogonal,
    ),
    Scheme(
        key="scaled_normal", label="Scaled normal", source="Poole et al. 2016", value=1.0, value_name="sigma_w",
        summary="The family of mean-field theory: sigma_w turns the knob from order to chaos.",
        formula=r"\mathrm{Var}\,W = \sigma_w^2 / n_{in}", variance=lambda layer, sigma_w: sigma_w**2 / layer.fan_in,
    ),
    Scheme(
        key="unit_gain", label="Unit gain", source="He et al. 2015, for any activation", variance=unit_gain_variance,
        summary="Keeps the forward second moment at 1, whatever the activation: He for ReLU, and a number for each other.",
        formula=r"\mathrm{Var}\,W = 1 / (n_{in} \, E \phi(z)^2), \quad z \sim N(0, 1)",
    ),
    Scheme(
        key="critical", label="Critical", source="Schoenholz et al. 2017", needs=require_edge_of_chaos,
        summary="Stands on the edge of chaos: two inputs neither merge nor fly apart, and the gradient keeps its size.",
        formula=r"\mathrm{Var}\,W = \sigma_w^2 / n_{in} \text{ where } \chi_1 = \sigma_w^2 \, E \phi'(u)^2 = 1",
        variance=lambda layer: critical_sigma_w2_or_none(layer.activation.key, layer.bias_std) / layer.fan_in,
    ),
    Scheme(
        key="sparse", label="Sparse", source="Martens 2010", value=15.0, value_name="number of weights", low=1.0, integer_value=True,
        summary="A few incoming weights for each unit, large enough that the sum has variance 1; the rest are 0.",
        formula=r"m = \min(k, n_{in}) \text{ of them} \sim N(0, 1/m)", variance=lambda layer, count: 1 / layer.fan_in,
        weights=lambda layer, noise, count: sparse_weights(layer, noise, int(count)),
    ),
    Scheme(
        key="looks_linear", label="Looks linear", source="Balduzzi et al. 2017", needs=require_even_width,
        summary="Mirrored pairs of units: with ReLU the network starts as a product of orthogonal matrices, exactly linear.",
        formula=r"W = \begin{pmatrix} V & -V \\ -V & V \end{pmatrix}, \quad V^\top V = I",
        weights=lambda layer, noise: mirrored_weights(layer, noise),
    ),
    Scheme(
        key="lsuv", label="LSUV", source="Mishkin & Matas 2016", formula=r"W \leftarrow W / \mathrm{std}(z_l)",
        summary="Orthogonal, then each layer in turn is rescaled until its signal on the first batch has variance 1.",
        weights=lambda layer, noise: noise.orthogonal, adjust=unit_variance_factor,
    ),
    Scheme(
        key="fixup", label="Fixup", source="Zhang et al. 2019", needs=require_residual,
        formula=r"W_1 \text{ as He}, \quad W_l = 0 \; (l > 1)",
        summary="For residual networks: every branch and the output start at 0, so that depth starts without effect.",
        weights=lambda layer, noise: he_weights(layer, noise) if layer.index == 1 else constant_weights(layer, 0.0),
    ),
)  # fmt: skip


def parse_scheme(text: str) -> Scheme:
    """The scheme that `family` or `family:value` names, its key canonical. ValueError says what is legal."""
    family, colon, value = str(text).strip().lower().partition(":")
    if family not in SCHEMES:
        raise ValueError("one of " + ", ".join(SCHEMES) + did_you_mean(family, SCHEMES))
    row = SCHEMES[family]
    if not colon:
        return row
    if row.value is None:
        raise ValueError(f"{row.key}, which takes no value")
    number, low = parse_number(value) + 0.0, max(row.low, -1e6)
    if not low <= number <= 1e6 or (row.integer_value and not number.is_integer()):
        kind = "whole " * row.integer_value + row.value_name
        raise ValueError(f"{row.key} with a {kind} from {exact_number(low)} to 1e6, as in {row.key}:{exact_number(row.value)}")
    return replace(row, key=f"{row.key}:{exact_number(number)}", value=number)


def family_and_value(text: str) -> tuple[str, float | None]:
    """What two spellings of one scheme share: `normal` and `normal:0.01` are the same."""
    scheme = parse_scheme(text)
    return scheme.key.partition(":")[0], scheme.value


def scheme_title(text: str) -> str:
    """A scheme as chips, cards and menus write it; what names no scheme, such as half-typed text, stays as it is."""
    try:
        return parse_scheme(text).title
    except ValueError:
        return text
