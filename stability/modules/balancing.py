"""Scale and shift weights by what data become in their layer, in order of execution."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stability.modules.sizes import is_measurable, norm, plain, rms, spread_over
from stability.modules.tensors import batch_axis, batch_size, tensors_in
from stability.modules.weight_matrices import WeightLayer, WeightMatrix

LARGEST_SCORES = 2.0  # standard deviation; rows of attention are nearly one-hot beyond
MASKED = -1e3  # scores below are masked
READOUT_SIZE = 0.3  # small against what tells classes apart, so that the first answers are guesses


@dataclass(frozen=True)
class Recipe:
    """A rule for the outputs of a layer: their size, and whether they are centred.

    Centred, each unit has mean 0 over the batch, and the size is what differs between examples;
    else it is the RMS, and biases stay 0.
    """

    size: float
    centred: bool


# Centred layers keep examples apart through sigmoids, and small outputs where these are steep.
# Deep rectifiers keep their gradient better if their biases stay 0.
RECIPES = Recipe(1.0, True), Recipe(0.3, True), Recipe(1.0, False)


class Balancing:
    """One pass in which each layer is scaled, and its biases are set, before the next is reached.

    Mishkin & Matas 2016 scale by the standard deviation of a layer's outputs, Krähenbühl et al.
    2016 set the biases by their means. Here the deviation is that between examples, as what all
    of them share says nothing. The readouts start small.
    """

    def __init__(self, sizes: Mapping[int, float], recipe: Recipe, inputs: Any):
        """Prepare a pass; `sizes` are for layers, by id, that the recipe's size is not for."""
        self.sizes, self.recipe = dict(sizes), recipe
        self.tamed: dict[int, float] = {}  # the sizes that layers behind too large scores need
        self.steps: dict[Any, int] = {}  # of the graph, with the ids of their layers
        self.examples = batch_size(inputs, None)
        self.done: set[int] = set()
        self.outputs: list[Tensor] = []

    def visit(
        self, layer: WeightLayer, again: Callable[[], Any], inputs: Sequence[Any], output: Any
    ) -> Any:
        """Balance a layer at its first call, and return its output with the weights that it has."""
        parameters = {id(p) for matrix in layer.matrices for p in matrix.parameters}
        if parameters & self.done or layer.is_table:
            self.done |= parameters  # a tied weight keeps the size that suits a table
            return output
        self.done |= parameters
        for given in (x for x in inputs[:1] if layer.input_matrices and is_measurable(x)):
            scale_weights(layer.input_matrices, 1.0, self.size_of(given, -1))
            output = again()
        z = next(tensors_in(output), None)
        if z is None or not is_measurable(z):
            return output
        if layer.output_matrices:
            output = self.balance(layer, z, again)
        z = next(tensors_in(output))
        self.steps[z.grad_fn] = id(layer)
        if id(layer) not in self.sizes:
            self.outputs.append(z)
        return output

    def see_scores(self, scores: Tensor, made_of: Sequence[Tensor]) -> None:
        """Look at what a softmax is given; the layers behind share what is too large for it."""
        if not is_measurable(scores):
            return
        numbers = plain(scores)
        numbers = numbers[(numbers > MASKED) & numbers.isfinite()]
        size = float(numbers.std()) if numbers.numel() > 1 else 0.0
        if size > LARGEST_SCORES:
            behind = layers_behind(made_of, self.steps)
            for key in behind:
                before = self.sizes.get(key, self.recipe.size)
                self.tamed[key] = before * size ** (-1 / len(behind))

    def balance(self, layer: WeightLayer, z: Tensor, again: Callable[[], Any]) -> Any:
        """Scale a layer by its output z, shift its biases, and return the output after that."""
        size = self.sizes.get(id(layer), self.recipe.size)
        scale_weights(layer.output_matrices, size, self.size_of(z, layer.unit_axis))
        bias = layer.output_bias
        if self.recipe.centred and bias is not None:
            z = next(tensors_in(again())).detach()
            axes = [axis for axis in range(z.dim()) if axis != layer.unit_axis % z.dim()]
            mean = z.mean(axes) if axes else z
            if mean.isfinite().all():
                bias.data.sub_(mean.to(bias.dtype).reshape(bias.shape))
        return again()

    def size_of(self, z: Tensor, unit_axis: int) -> float:
        """Return the size that is to be set: the spread between examples, or the RMS."""
        if not self.recipe.centred:
            return rms(z)
        between = spread_over(z, batch_axis(tuple(z.shape), self.examples))
        if between > 0:
            return between
        z = plain(z)
        axes = [axis for axis in range(z.dim()) if axis != unit_axis % z.dim()]
        return rms(z - z.mean(axes, keepdim=True)) if axes else rms(z)

    def unevenness(self, outputs: Any, seed: int) -> float:
        """Return how many powers of ten lie between the layers, in spread or in gradient."""
        spreads = [spread_over(z, batch_axis(tuple(z.shape), self.examples)) for z in self.outputs]
        return max(decades(spreads), decades(self.gradients(outputs, seed)))

    def gradients(self, outputs: Any, seed: int) -> list[float]:
        """Return the 2-norms of the gradients of a random projection of the outputs."""
        random = torch.Generator().manual_seed(seed)
        ends = [x for x in tensors_in(outputs) if is_measurable(x) and x.requires_grad]
        reached = [z for z in self.outputs if z.requires_grad]
        if not ends or not reached:
            return []
        directions = [torch.randn(x.shape, generator=random).to(x) for x in ends]
        found = torch.autograd.grad(ends, reached, directions, allow_unused=True)
        return [norm(gradient) for gradient in found if gradient is not None]


def decades(sizes: Sequence[float]) -> float:
    """Return the powers of ten between the largest and the smallest; NaN are left out."""
    known = [size for size in sizes if not math.isnan(size)]
    if not known:
        return 0.0
    if min(known) <= 0 or math.isinf(max(known)):
        return math.inf
    return math.log10(max(known) / min(known))


def scale_weights(matrices: Sequence[WeightMatrix], size: float, measured: float) -> None:
    """Multiply weights by size / measured, where that is a number."""
    if 0 < measured < math.inf:
        for matrix in matrices:
            if matrix.is_trainable:
                matrix.write(matrix.read() * (size / measured))


def layers_behind(tensors: Iterable[Tensor], steps: Mapping[Any, int]) -> set[int]:
    """Return the ids of the layers from which a way leads to tensors past no other layer.

    `steps` are the steps of the graph with which layers end.
    """
    waiting: list[Any] = [tensor.grad_fn for tensor in tensors]
    seen: set[Any] = set()
    found = set()
    while waiting:
        step = waiting.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        if step in steps:
            found.add(steps[step])
        else:
            waiting += [before for before, _ in step.next_functions]
    return found
