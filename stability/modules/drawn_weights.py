"""Fresh weights for the layers of a module: each block of a weight is drawn by itself."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stability.catalogues.activations import ACTIVATIONS, Activation
from stability.catalogues.draws import Draws, Layer
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.schemes import parse_scheme
from stability.i18n import _
from stability.modules.weight_matrices import NORMALIZATIONS, WeightLayer, WeightMatrix
from stability.text import quote

LARGEST_ORTHOGONAL = 2**23  # entries; the decomposition of a larger matrix takes many seconds
MOST_BLOCKS = 2**20  # of a weight; they are numbered
FORGET_BIAS = 1.0  # an LSTM remembers from the start (Jozefowicz et al. 2015)


@dataclass(frozen=True)
class LayerDraws:
    """The random weights of the layers of a module, numbered as they are registered."""

    scheme: Scheme
    activation: Activation
    seed: int

    def layer(self, index: int, fan_in: int, fan_out: int) -> Layer:
        return Layer(index + 1, index + 2, fan_in, fan_out, self.activation, 0.0, residual=False)

    def block(self, matrix: WeightMatrix, index: int, number: int) -> tuple[Tensor, Tensor]:
        """Return the weights `(rows, columns)` and the biases `(rows,)` of one block, float64."""
        shape = self.layer(index, matrix.columns, matrix.rows)
        draws = Draws(self.seed, number, shape)
        if draw := ROLES.get(matrix.role):
            return draw(draws, matrix), torch.zeros(matrix.rows, dtype=torch.float64)
        if self.scheme.adjust:  # the data decide about the size
            return orthogonal_weights(draws, matrix), self.scheme.bias(shape, draws)
        fans = self.layer(index, matrix.fan_in, matrix.fan_out)
        return self.scheme.draw(shape if self.scheme.weights else fans, draws)

    def weight(self, matrix: WeightMatrix, index: int, place: int) -> tuple[Tensor, Tensor]:
        """Return a weight in its own shape and the biases of its units, complex where it is.

        `place` is that of the weight among those of its layer.
        """
        count = matrix.blocks * (2 if matrix.read().is_complex() else 1)
        first = place * MOST_BLOCKS
        drawn = [self.block(matrix, index, number) for number in range(first, first + count)]
        weights, biases = (torch.stack(part) for part in zip(*drawn, strict=True))
        if count > matrix.blocks:  # the variance of real and imaginary part together
            weights = torch.complex(*weights.chunk(2)) / math.sqrt(2)
            biases = torch.complex(*biases.chunk(2)) / math.sqrt(2)
        return matrix.arrange(weights), biases.flatten()


def orthogonal_weights(draws: Draws, matrix: WeightMatrix) -> Tensor:
    """Return (semi-)orthogonal weights of variance 1 / fan_in."""
    rows, columns = draws.shape
    if rows * columns > LARGEST_ORTHOGONAL:
        return draws.normal / math.sqrt(columns)
    return draws.orthogonal * math.sqrt(max(rows, columns) / columns)


def recurrent_weights(draws: Draws, matrix: WeightMatrix) -> Tensor:
    """Return a matrix that keeps the length of a state: orthogonal, or the identity for a ReLU.

    Saxe et al. 2014; Le, Jaitly & Hinton 2015.
    """
    if getattr(matrix.owner, "nonlinearity", "") == "relu":
        return torch.eye(*draws.shape, dtype=torch.float64)
    return orthogonal_weights(draws, matrix)


Role = Callable[[Draws, WeightMatrix], Tensor]
ROLES: Mapping[str, Role] = {
    "recurrent": recurrent_weights,
    "table": lambda draws, matrix: draws.normal,
}


def draw_layers(layers: Iterable[WeightLayer], draws: LayerDraws) -> None:
    """Draw all weights and biases that may be trained; a tied weight once, as a layer's."""
    numbered = sorted(enumerate(layers), key=lambda each: each[1].is_table)
    done: set[int] = set()
    for index, layer in numbered:
        biases: dict[str, Tensor] = {}
        for place, matrix in enumerate(layer.matrices):
            if matrix.is_trainable and not done & {id(p) for p in matrix.parameters}:
                weights, biases[matrix.bias_name] = draws.weight(matrix, index, place)
                matrix.write(weights)
                done |= {id(p) for p in matrix.parameters}
        for owner, name in layer.biases:
            draw_bias(owner, name, biases)


def draw_bias(owner: nn.Module, name: str, drawn: Mapping[str, Tensor]) -> None:
    """Give a bias its drawn values, else 0; the forget gate of an LSTM starts open."""
    bias = owner._parameters.get(name)
    if bias is None or not bias.requires_grad:
        return
    values = drawn.get(name)
    bias.data.copy_(torch.zeros_like(bias) if values is None else values.view_as(bias))
    if isinstance(owner, nn.LSTM | nn.LSTMCell) and name.startswith("bias_ih"):
        bias.data[owner.hidden_size : 2 * owner.hidden_size] += FORGET_BIAS


def draw_normalizations(module: nn.Module) -> None:
    """Set gains to 1 and shifts to 0."""
    for part in module.modules():
        if isinstance(part, NORMALIZATIONS):
            for name, value in ("weight", 1.0), ("bias", 0.0):
                parameter = part._parameters.get(name)
                if parameter is not None and parameter.requires_grad:
                    parameter.data.fill_(value)


def scheme_for_single_layers(text: str, activation: Activation) -> Scheme:
    """Return the scheme that a text names. ValueError if it needs to know the whole network."""
    try:
        scheme = parse_scheme(text)
    except ValueError as error:
        sentence = _("scheme must be {legal}, not {value}")
        raise ValueError(sentence.format(legal=error, value=quote(text))) from None
    lone_layer = {
        "residual": False, "depth": 2, "width": 1, "bias_std": 0.0, "activation": activation.key
    }  # fmt: skip
    for sentence, field, _value in scheme.needs(lone_layer):
        if field != "activation":
            sentence = _("its layers are drawn with each other in mind")
        refusal = _("scheme cannot be {scheme} here: {reason}")
        raise ValueError(refusal.format(scheme=scheme.key, reason=sentence))
    return scheme


def activation_of(module: nn.Module) -> Activation:
    """Return the activation of which a module has most layers; ReLU if it has none that is known.

    Functions such as `torch.tanh` are no layers, so they are not seen.
    """
    rows = {row.pytorch.partition("(")[0].removeprefix("nn."): row for row in ACTIVATIONS.values()}
    rows.pop("Identity", None)
    names = [type(part).__name__ for part in module.modules()]
    found = max(rows, key=names.count)
    return rows[found if found in names else "ReLU"]
