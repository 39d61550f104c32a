"""Weights of own modules: parameters that a function of torch multiplies by."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stability.modules.attention import attention_scores
from stability.modules.weight_matrices import WeightLayer, WeightMatrix, known_layers, reshaped

Visit = Callable[[WeightLayer, Callable[[], Any], Sequence[Any], Any], Any]
SeeScores = Callable[[Tensor, Sequence[Tensor]], None]
Owners = Mapping[int, tuple[nn.Module, str]]  # of the ids of parameters


def bare_parameters(module: nn.Module) -> Owners:
    """Return who owns each matrix that belongs to no layer of a known type."""
    known = {
        id(p) for _, layer in known_layers(module) for m in layer.matrices for p in m.parameters
    }
    return {
        id(parameter): (part, name)
        for part in module.modules()
        for name, parameter in part._parameters.items()
        if parameter is not None and parameter.dim() > 1 and id(parameter) not in known
    }


class BareWeights(TorchFunctionMode):
    """Call `visit(layer, again, inputs, output)` at each product with a bare weight.

    What it returns is the result of the product. `layers` gains the layer of each parameter, as it
    is first used. `see_scores` is called with what each softmax is
    given, and with what that is made of.
    """

    def __init__(
        self,
        owners: Owners,
        layers: dict[int, WeightLayer],
        visit: Visit,
        see_scores: SeeScores | None = None,
    ):
        super().__init__()
        self.owners, self.layers, self.visit, self.see_scores = owners, layers, visit, see_scores

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if self.see_scores and name == "softmax" and args:
            self.see_scores(args[0], args[:1])
        elif self.see_scores and name == "scaled_dot_product_attention" and len(args) > 1:
            self.see_scores(attention_scores(tuple(args), kwargs), args[:2])
        output = func(*args, **kwargs)
        position = WEIGHT_POSITIONS.get(name)
        if position is None or not self.owners:
            return output
        for place in position:
            weight = args[place] if place < len(args) else kwargs.get("weight")
            if isinstance(weight, Tensor) and (found := self.layer_of(func, place, weight, args)):
                return self.visit(found, lambda: func(*args, **kwargs), args, output)
        return output

    def layer_of(
        self, func: Any, place: int, weight: Tensor, args: Sequence[Any]
    ) -> WeightLayer | None:
        """Return the layer that a product with this tensor makes, None if it is no bare weight."""
        base = weight if id(weight) in self.owners else weight._base
        if base is None or id(base) not in self.owners:
            return None
        flipped = base is not weight and weight.stride() == base.stride()[::-1]
        if base is not weight and not (flipped and weight.dim() == 2):
            return None
        if func.__name__ == "einsum" and (flipped or not is_plain_equation(args[0], place)):
            return None
        if id(base) not in self.layers:
            owner, name = self.owners[id(base)]
            self.layers[id(base)] = bare_layer(
                func.__name__, owner, name, base, place, flipped, args
            )
        return self.layers[id(base)]


# The functions that multiply by a weight, and the positions in which it may stand.
WEIGHT_POSITIONS = {
    "linear": (1,), "embedding": (1,), "matmul": (1, 0), "__matmul__": (1, 0), "mm": (1, 0),
    "bmm": (1, 0), "addmm": (2, 1), "baddbmm": (2, 1), "conv1d": (1,), "conv2d": (1,),
    "conv3d": (1,), "einsum": (1, 2),
}  # fmt: skip
UNITS_FIRST = {"linear", "embedding", "conv1d", "conv2d", "conv3d"}


def bare_layer(
    function: str, owner: nn.Module, name: str, weight: Tensor, place: int, flipped: bool,
    args: Sequence[Any],
) -> WeightLayer:  # fmt: skip
    """Return the layer that a function makes of a parameter."""
    if function == "einsum":
        return einsum_layer(owner, name, weight, args[0], place - 1)
    left = function not in UNITS_FIRST and place == min(WEIGHT_POSITIONS[function])
    units_first = (function in UNITS_FIRST or left) != flipped
    shape, fields = weight.shape, function.startswith("conv") and weight.dim() - 2
    if function == "embedding":
        rows, columns = shape
        return WeightLayer((WeightMatrix(owner, name, 1, rows, columns, 1, columns,
                                         reshaped(weight), "table"),))  # fmt: skip
    if fields:
        blocks, rows, columns = 1, shape[0], weight[0].numel()
    else:
        blocks, rows, columns = weight[..., 0, 0].numel(), shape[-2], shape[-1]
    if not units_first:
        rows, columns = columns, rows
    arrange = reshaped(weight) if units_first else lambda x: x.transpose(1, 2).reshape(shape)
    matrix = WeightMatrix(owner, name, blocks, rows, columns, columns, rows, arrange)
    biases = [
        (owner, key) for key, p in owner._parameters.items()
        if p is not None and p.dim() == 1 and any(p is arg for arg in args)
    ]  # fmt: skip
    axis = -2 if left else -1 - fields
    return WeightLayer((matrix,), (matrix,), biases=tuple(biases), unit_axis=axis)


def is_plain_equation(equation: Any, place: int) -> bool:
    """Return True if an einsum names each axis of this argument by a letter."""
    if not isinstance(equation, str):
        return False
    terms = equation.partition("->")[0].split(",")
    return place <= len(terms) and "." not in terms[place - 1]


def einsum_layer(
    owner: nn.Module, name: str, weight: Tensor, equation: str, operand: int
) -> WeightLayer:
    """Return the layer of an einsum: the axes of the weight over which it sums are its inputs."""
    terms, _, result = equation.replace(" ", "").partition("->")
    letters = terms.split(",")[operand]
    kept = result or {letter for letter in terms if terms.count(letter) == 1}
    order = sorted(range(len(letters)), key=lambda axis: letters[axis] not in kept)  # stable
    sizes = [weight.shape[axis] for axis in order]
    rows = math.prod(weight.shape[axis] for axis in order if letters[axis] in kept)
    columns = weight.numel() // rows

    def arrange(drawn: Tensor) -> Tensor:
        back = [order.index(axis) for axis in range(len(order))]
        return drawn.reshape(sizes).permute(back)

    matrix = WeightMatrix(owner, name, 1, rows, columns, columns, rows, arrange)
    return WeightLayer((matrix,), (matrix,))
