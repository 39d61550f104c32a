"""The record that a row of the catalogue of initialization schemes fills."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stability.catalogues.draws import Draws, Layer
from stability.catalogues.entry import Entry
from stability.text import exact_number

OtherSettings = Mapping[str, Any]
Disagreement = tuple[str, str, Any]  # a sentence, the field to change, its nearest legal value


@dataclass(frozen=True, kw_only=True)
class Scheme(Entry):
    """A row. `variance(layer)` is Var W, None where a layer's entries are not drawn alike.

    `weights(layer, draws)` draws them; without it they are those of `distribution`, scaled. A
    family with a `value` takes it as a further last argument of both; `value_name` says what it is,
    `low` is its smallest legal one, `integer_value` whether it is a count. `bias(layer, draws)`
    draws the biases, of `bias_variance(layer)`.

    `needs(settings)` yields the other settings that disagree. `adjust(z)` is asked after a forward
    pass of the first batch, layer by layer, for the factor of the weights that led to z
    `(batch, units)`.
    """

    variance: Callable[..., float] | None = None
    weights: Callable[..., Tensor] | None = None
    bias: Callable[[Layer, Draws], Tensor] = lambda layer, draws: draws.normal_bias * layer.bias_std
    bias_variance: Callable[[Layer], float] = lambda layer: layer.bias_std**2
    distribution: str = "normal"
    value: float | None = None
    value_name: str = ""
    low: float = 0.0
    integer_value: bool = False
    needs: Callable[[OtherSettings], Iterator[Disagreement]] = lambda settings: iter(())
    adjust: Callable[[Tensor], float] | None = None

    @property
    def title(self) -> str:
        """The label with its value, as chips and legends write it."""
        return self.label if self.value is None else f"{self.label} {exact_number(self.value)}"

    @property
    def arguments(self) -> tuple[float, ...]:
        return () if self.value is None else (self.value,)

    def weight_variance(self, layer: Layer) -> float | None:
        """Return Var W of this layer, None where the scheme promises none."""
        return self.variance(layer, *self.arguments) if self.variance else None

    def draw(self, layer: Layer, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return weights `(fan_out, fan_in)` and biases `(fan_out,)`, float64."""
        if self.weights:
            weights = self.weights(layer, draws, *self.arguments)
        else:
            variance = self.weight_variance(layer)
            assert variance is not None, "a row has weights or a variance"
            weights = getattr(draws, self.distribution) * math.sqrt(variance)
        return weights, self.bias(layer, draws)
