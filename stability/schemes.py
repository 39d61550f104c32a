"""Initialization schemes: each row says how the weights of one layer are drawn.

A scheme is written `family` or `family:value`: `xavier_normal`, `normal:0.01`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from stability.activations import Activation
from stability.catalogue import Entry, catalogue
from stability.randomness import generator
from stability.spelling import decimal, number_in, suggestion


@dataclass(frozen=True)
class Layer:
    """What a scheme may know of a layer: `index` runs from 1 to `depth`."""

    index: int
    depth: int
    fan_in: int
    fan_out: int
    activation: Activation
    bias_std: float
    residual: bool

    @property
    def is_end(self) -> bool:
        return self.index in (1, self.depth)


@dataclass(frozen=True)
class Noise:
    """Random matrices `(fan_out, fan_in)` of unit size in float64, the same whatever scheme scales them."""

    seed: int
    replicate: int
    layer: Layer

    def random(self, purpose: str) -> torch.Generator:
        return generator(self.seed, purpose, self.replicate, self.layer.index)

    @cached_property
    def shape(self) -> tuple[int, int]:
        return self.layer.fan_out, self.layer.fan_in

    @cached_property
    def normal(self) -> Tensor:
        return torch.randn(self.shape, generator=self.random("normal"), dtype=torch.float64)

    @cached_property
    def uniform(self) -> Tensor:
        """Variance 1: uniform on [-sqrt 3, sqrt 3]."""
        return uniform(self.random("uniform"), *self.shape)

    @cached_property
    def truncated_normal(self) -> Tensor:
        """Variance 1 AFTER the cut at 2 standard deviations of the bell curve it is cut from."""
        share = torch.rand(self.shape, generator=self.random("truncated_normal"), dtype=torch.float64)
        low = math.erfc(math.sqrt(2)) / 2  # of the bell curve below -2
        return torch.special.ndtri(low + share * (1 - 2 * low)) / CUT_STD

    @cached_property
    def sparse_order(self) -> Tensor:
        """For each unit its incoming weights in a random order."""
        return torch.rand(self.shape, generator=self.random("sparse"), dtype=torch.float64).argsort(dim=1)

    @cached_property
    def orthogonal(self) -> Tensor:
        """Orthonormal rows or columns, whichever are fewer, uniform over all such (Saxe et al. 2014; Mezzadri 2007)."""
        rows, columns = self.shape
        tall = torch.randn(max(rows, columns), min(rows, columns), generator=self.random("orthogonal"), dtype=torch.float64)
        q, r = torch.linalg.qr(tall)
        q = q * r.diagonal().sign()  # without it the distribution is not uniform
        return q if rows >= columns else q.T

    @cached_property
    def normal_bias(self) -> Tensor:
        return torch.randn(self.layer.fan_out, generator=self.random("biases"), dtype=torch.float64)

    @cached_property
    def uniform_bias(self) -> Tensor:
        return uniform(self.random("biases"), self.layer.fan_out)


CUT_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))  # of N(0, 1) cut at 2


def uniform(random: torch.Generator, *shape: int) -> Tensor:
    return (torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1) * math.sqrt(3)


@dataclass(frozen=True, kw_only=True)
class Scheme(Entry):
    """A row. `variance(layer)` is Var W, None where entries are not drawn alike; `weights(layer, noise)` draws them.

    A family with a `value` takes it as a further last argument of both. `bias(layer, noise)` draws the biases.
    `value_name` says what the value is; `low` is its smallest legal one, `whole` whether it is a count. `even_width`: units
    come in pairs.
    """

    variance: Callable[..., float] | None = None
    weights: Callable[..., Tensor] | None = None
    bias: Callable[[Layer, Noise], Tensor] = lambda layer, noise: noise.normal_bias * layer.bias_std
    noise: str = "normal"
    value: float | None = None
    value_name: str = ""
    low: float = 0.0
    whole: bool = False
    even_width: bool = False

    @property
    def title(self) -> str:
        """The label with its value, as chips and legends write it."""
        return self.label if self.value is None else f"{self.label} {decimal(self.value)}"

    @property
    def arguments(self) -> tuple[float, ...]:
        return () if self.value is None else (self.value,)

    def weight_variance(self, layer: Layer) -> float | None:
        """Var W of this layer, None where the scheme promises none."""
        return self.variance(layer, *self.arguments) if self.variance else None

    def draw(self, layer: Layer, noise: Noise) -> tuple[Tensor, Tensor]:
        """Weights `(fan_out, fan_in)` and biases `(fan_out,)`, float64."""
        if self.weights:
            weights = self.weights(layer, noise, *self.arguments)
        else:
            weights = getattr(noise, self.noise) * math.sqrt(self.weight_variance(layer))
        return weights, self.bias(layer, noise)


def full(layer: Layer, value: float) -> Tensor:
    return torch.full((layer.fan_out, layer.fan_in), value, dtype=torch.float64)


def sparse(layer: Layer, noise: Noise, count: int) -> Tensor:
    count = min(count, layer.fan_in)
    kept = (noise.sparse_order < count).to(torch.float64)  # a random order puts each place below count alike
    return noise.normal * kept / math.sqrt(count)


def looks_linear(layer: Layer, noise: Noise) -> Tensor:
    """First [V; -V], middle [V -V; -V V], last [V -V], V orthogonal: phi(a) - phi(-a) = a for a ReLU."""
    mirrored_in, mirrored_out = layer.index > 1, layer.index < layer.depth
    block = replace(layer, fan_in=layer.fan_in // (1 + mirrored_in), fan_out=layer.fan_out // (1 + mirrored_out))
    weights = replace(noise, layer=block).orthogonal
    weights = torch.cat([weights, -weights], dim=1) if mirrored_in else weights
    return torch.cat([weights, -weights], dim=0) if mirrored_out else weights


def pair(key: str, label: str, **common) -> tuple[Scheme, Scheme]:
    """A formula for the variance drawn from a bell curve and from a flat one."""
    return (
        Scheme(key=f"{key}_normal", label=f"{label} (normal)", noise="normal", **common),
        Scheme(key=f"{key}_uniform", label=f"{label} (uniform)", noise="uniform", **common),
    )


SCHEMES = catalogue(
    Scheme(
        key="zeros", label="Zeros", source="Dive into Deep Learning, Numerical Stability and Initialization",
        summary="Every weight 0: no signal passes, and no gradient reaches a hidden layer.",
        formula=r"W = 0", weights=lambda layer, noise: full(layer, 0.0),
    ),
    Scheme(
        key="constant", label="Constant", source="Dive into Deep Learning, Numerical Stability and Initialization",
        summary="Every weight the same: all units of a layer stay copies of one, however many there are.",
        formula=r"W = c", value=0.1, value_name="weight", low=-math.inf,
        weights=lambda layer, noise, value: full(layer, value),
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
        key="uniform", label="Uniform", source="torch.nn.init.uniform_", value=0.05, value_name="half-width", noise="uniform",
        summary="Evenly spread between -a and a for all layers, whatever their size.",
        formula=r"W \sim U(-a, a)", variance=lambda layer, half_width: half_width**2 / 3,
    ),
    Scheme(
        key="truncated_normal", label="Truncated normal", source="tf.keras.initializers.TruncatedNormal", value=0.01,
        value_name="standard deviation after the cut", noise="truncated_normal",
        summary="A bell curve without its tails: what is beyond two standard deviations is drawn again.",
        formula=r"W \sim N(0, s^2) \text{ within } \pm 2 s, \quad \mathrm{Var}\,W = \sigma^2",
        variance=lambda layer, std: std**2,
    ),
    Scheme(
        key="pytorch", label="PyTorch default", source="torch.nn.Linear, reset_parameters", noise="uniform",
        summary="What nn.Linear does when nobody asks: a third of LeCun's variance, and random biases. bias_std is ignored.",
        formula=r"W, b \sim U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})", variance=lambda layer: 1 / (3 * layer.fan_in),
        bias=lambda layer, noise: noise.uniform_bias / math.sqrt(3 * layer.fan_in),
    ),
    *pair(
        "lecun", "LeCun", source="LeCun et al. 1998, sec. 4.6", variance=lambda layer: 1 / layer.fan_in,
        summary="Keeps the forward variance of a linear layer.", formula=r"\mathrm{Var}\,W = 1 / n_{in}",
    ),
    *pair(
        "xavier", "Xavier", source="Glorot & Bengio 2010", variance=lambda layer: 2 / (layer.fan_in + layer.fan_out),
        summary="A compromise between keeping the signal forward and the gradient backward, for units that are linear near 0.",
        formula=r"\mathrm{Var}\,W = 2 / (n_{in} + n_{out})",
    ),
    *pair(
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
        key="sparse", label="Sparse", source="Martens 2010", value=15.0, value_name="number of weights", low=1.0, whole=True,
        summary="A few incoming weights for each unit, large enough that the sum has variance 1; the rest are 0.",
        formula=r"m = \min(k, n_{in}) \text{ of them} \sim N(0, 1/m)", variance=lambda layer, count: 1 / layer.fan_in,
        weights=lambda layer, noise, count: sparse(layer, noise, int(count)),
    ),
    Scheme(
        key="looks_linear", label="Looks linear", source="Balduzzi et al. 2017", even_width=True,
        summary="Mirrored pairs of units: with ReLU the network starts as a product of orthogonal matrices, exactly linear.",
        formula=r"W = \begin{pmatrix} V & -V \\ -V & V \end{pmatrix}, \quad V^\top V = I",
        weights=lambda layer, noise: looks_linear(layer, noise),
    ),
)  # fmt: skip


def read(text: str) -> Scheme:
    """The scheme that `family` or `family:value` names, its key canonical. ValueError says what is legal."""
    family, colon, value = str(text).strip().lower().partition(":")
    if family not in SCHEMES:
        raise ValueError("one of " + ", ".join(SCHEMES) + suggestion(family, SCHEMES))
    row = SCHEMES[family]
    if not colon:
        return row
    if row.value is None:
        raise ValueError(f"{row.key}, which takes no value")
    number, low = number_in(value) + 0.0, max(row.low, -1e6)
    if not low <= number <= 1e6 or (row.whole and not number.is_integer()):
        kind = "whole " * row.whole + row.value_name
        raise ValueError(f"{row.key} with a {kind} from {decimal(low)} to 1e6, as in {row.key}:{decimal(row.value)}")
    return replace(row, key=f"{row.key}:{decimal(number)}", value=number)


def identity(text: str) -> tuple[str, float | None]:
    """What two spellings of one scheme share: `normal` and `normal:0.01` are the same."""
    scheme = read(text)
    return scheme.key.partition(":")[0], scheme.value


def title(text: str) -> str:
    """A scheme as chips, cards and menus write it; what names no scheme, such as half-typed text, stays as it is."""
    try:
        return read(text).title
    except ValueError:
        return text
