"""The class of the rows in the catalogue of initialization schemes."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from stability.catalogues.draws import Draws, Layer
from stability.catalogues.entry import Entry
from stability.i18n import Translated, _
from stability.text import exact_number, number

OtherSettings = Mapping[str, Any]
Disagreement = tuple[str, str, Any]  # a sentence, the field to change, its nearest legal value


@dataclass(frozen=True, kw_only=True)
class Scheme(Entry):
    """A row. `variance(layer)` is Var W; None where the entries have no common variance.

    `weights(layer, draws)` returns the weights; without it they are the draws of `distribution`,
    scaled to `variance`. A family with a `value` passes it as the last argument of both;
    `value_name` says what it is, `low` is its smallest legal value, `integer_value` whether it is a
    count, `usual_values` the range over which it is usually varied. `bias(layer, draws)` returns
    the biases, of variance `bias_variance(layer)`.

    `needs(settings)` yields the settings that the scheme cannot work with. `adjust(z)` takes z
    `(batch, units)` of one layer on the first batch and returns a factor for its weights.

    Where a scheme prescribes learning rates for each layer, `matrix_rate(layer, scaling)` is what
    that of its weights is multiplied by, `vector_rate` that of its biases and of what a
    normalization trains; both take the value last. `scaling` is that of the optimizer.

    `meta_steps(value)` is over how many steps the norms of the weights are learned before training;
    see `metainit`.

    `other_names` are what people call it besides its key and its label; see `scheme_names`.

    `pytorch` is a template of the lines that do the same to an nn.Linear `layer`; see
    `pytorch_lines` for its fields.
    """

    variance: Callable[..., float] | None = None
    weights: Callable[..., Tensor] | None = None
    bias: Callable[[Layer, Draws], Tensor] = lambda layer, draws: draws.normal_bias * layer.bias_std
    bias_variance: Callable[[Layer], float] = lambda layer: layer.bias_std**2
    distribution: str = "normal"
    value: float | None = None
    value_name: Translated = Translated("")
    low: float = 0.0
    integer_value: bool = False
    usual_values: tuple[float, float] = (0.01, 1.0)
    needs: Callable[[OtherSettings], Iterator[Disagreement]] = lambda settings: iter(())
    adjust: Callable[[Tensor], float] | None = None
    meta_steps: Callable[..., int] | None = None
    matrix_rate: Callable[..., float] | None = None
    vector_rate: Callable[..., float] | None = None
    other_names: tuple[str, ...] = ()
    pytorch: str = "nn.init.normal_(layer.weight, std={std})\n{bias}"

    @property
    def title(self) -> str:
        """The label with its value, as chips and legends write it."""
        return self.label if self.value is None else f"{self.label} {exact_number(self.value)}"

    @property
    def legal_values(self) -> str:
        """The values that the scheme takes, in words that follow "with"."""
        kind = _("a {value_name} from {low} to 1e6, as in {example}")
        if self.integer_value:
            kind = _("a whole {value_name} from {low} to 1e6, as in {example}")
        low, example = exact_number(max(self.low, -1e6)), exact_number(self.value or 0.0)
        example = f"{self.key}:{example}"
        return kind.format(value_name=self.value_name, low=low, example=example)

    @property
    def arguments(self) -> tuple[float, ...]:
        return () if self.value is None else (self.value,)

    def rate_factors(self, layer: Layer, scaling: str) -> tuple[float, float]:
        """Return the factors on the learning rates of the matrix and of the vectors of a layer."""
        if self.matrix_rate is None or self.vector_rate is None:
            return 1.0, 1.0
        arguments = layer, scaling, *self.arguments
        return self.matrix_rate(*arguments), self.vector_rate(*arguments)

    def weight_variance(self, layer: Layer) -> float | None:
        """Return Var W of this layer, None where the scheme promises none around a mean of 0."""
        if self.variance is None or layer.mean:
            return None
        return layer.gain**2 * self.variance(layer, *self.arguments)

    def draw(self, layer: Layer, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return weights `(fan_out, fan_in)` and biases `(fan_out,)`, float64."""
        if self.weights:
            weights = self.weights(layer, draws, *self.arguments)
            if layer.mean:
                weights = weights + layer.mean * weights.square().mean().sqrt()
        else:
            assert self.variance, "a row has weights or a variance"
            noise = getattr(draws, self.distribution)
            noise = noise + layer.mean if layer.mean else noise
            weights = noise * math.sqrt(self.variance(layer, *self.arguments))
        return layer.gain * weights, self.bias(layer, draws)

    def pytorch_lines(self, layer: Layer) -> str:
        """Return the lines of PyTorch that draw the weights and biases of such a layer.

        The template may name `value`; `distribution`; `std` and `sigma_w`, the roots of Var W and
        of fan_in Var W; `nonlinearity`, the arguments of kaiming_normal_; and `bias`, a line.
        """
        plain, slope = replace(layer, mean=0.0, gain=1.0), layer.activation.negative_slope
        variance = self.weight_variance(plain) or 0.0
        leaky = f'a={exact_number(slope)}, nonlinearity="leaky_relu"'
        return self.pytorch.format(
            value=exact_number(self.value or 0.0),
            distribution=self.distribution,
            std=number(math.sqrt(variance), 4),
            sigma_w=number(math.sqrt(layer.fan_in * variance), 4),
            nonlinearity=leaky if slope else 'nonlinearity="relu"',
            bias=bias_line(layer.bias_std),
        )


def bias_line(bias_std: float) -> str:
    """Return the line of PyTorch that draws the biases of a layer."""
    if bias_std:
        return f"nn.init.normal_(layer.bias, std={exact_number(bias_std)})"
    return "nn.init.zeros_(layer.bias)"
