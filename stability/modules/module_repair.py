"""Re-initialize a module in place: by a scheme, or so that data keep their size through it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from stability.modules.balancing import READOUT_SIZE, RECIPES, Balancing, Recipe, layers_behind
from stability.modules.bare_weights import BareWeights, SeeScores, Visit, bare_parameters
from stability.modules.drawn_weights import (
    LayerDraws,
    activation_of,
    draw_layers,
    draw_normalizations,
    scheme_for_single_layers,
)
from stability.modules.refusals_of_modules import check_module
from stability.modules.safekeeping import Safekeeping, untouched
from stability.modules.tensors import call_module, tensors_in, trainable
from stability.modules.weight_matrices import WeightLayer, known_layers

LEVEL_ENOUGH = 1.0  # powers of ten between the largest and the smallest spread, or gradient


def repair(module: nn.Module, inputs: Any, scheme: str = "lsuv", *, seed: int = 0) -> None:
    """Draw all weights and biases of a module anew, in place, by the types of its layers.

    `scheme` is any scheme that draws each layer by itself, by any of its names, or "lsuv", which
    looks at the data: see `Balancing`. The inputs are a batch as the module takes it: a tensor, a
    tuple of arguments, or a dict of them. Embeddings become N(0, 1), recurrent matrices orthogonal
    (of a ReLU the identity), gains 1, shifts and biases 0, or the biases of the scheme. Matrices of
    own modules are drawn if the pass multiplies by them. Frozen and all other parameters stay, and
    so do buffers, gradients, hooks, the mode and the random states. Equal seeds draw equal weights.

    ValueError for an unknown scheme and a module that has no weights to draw. What the module
    raises comes through; then nothing has been changed.
    """
    check_module(module)
    activation = activation_of(module)
    draws = LayerDraws(scheme_for_single_layers(scheme, activation), activation, seed)
    with untouched(module, inputs) as kept:
        trial = Trial(module, inputs, seed, kept)
        values = trial.balanced(draws) if draws.scheme.adjust else trial.drawn(draws)
    load_tensors(trial.tensors, values)


class Trial:
    """A module whose weights are tried out, with a batch; `kept` brings everything back."""

    def __init__(self, module: nn.Module, inputs: Any, seed: int, kept: Safekeeping):
        self.module, self.seed, self.kept = module, seed, kept
        self.inputs = trainable(inputs)
        self.tensors = weight_tensors(module)
        self.known = dict(known_layers(module))
        self.bare = bare_parameters(module)
        self.bare_layers: dict[int, WeightLayer] = {}
        self.steps: dict[Any, int] = {}
        outputs = self.run(self.record_call)  # what does not fit raises here
        last = set([*self.steps.values()][-1:])
        self.readouts = layers_behind(tensors_in(outputs), self.steps) or last
        self.layers = [*self.known.values(), *self.bare_layers.values()]

    def record_call(
        self, layer: WeightLayer, again: Callable[[], Any], inputs: Sequence[Any], output: Any
    ) -> Any:
        self.steps |= {tensor.grad_fn: id(layer) for tensor in tensors_in(output)}
        return output

    def run(self, visit: Visit, see_scores: SeeScores | None = None) -> Any:
        """Return the module's outputs, while each call of a layer with weights is visited."""
        torch.manual_seed(self.seed)
        weights = BareWeights(self.bare, self.bare_layers, visit, see_scores)
        with listening(self.known, visit), weights:
            return call_module(self.module, self.inputs)

    def drawn(self, draws: LayerDraws) -> list[Tensor]:
        """Return the values of all parameters as a scheme draws them."""
        self.kept.restore()
        draw_layers(self.layers, draws)
        draw_normalizations(self.module)
        return [tensor.detach().clone() for tensor in self.tensors]

    def balanced(self, draws: LayerDraws) -> list[Tensor]:
        """Return the values by the first recipe that is level enough, else by the most level."""
        start = self.drawn(draws)
        best, chosen = math.inf, start
        for recipe in RECIPES:
            sizes = dict.fromkeys(self.readouts, READOUT_SIZE)
            unevenness, tamed = self.unevenness(start, recipe, sizes)
            if tamed:
                unevenness, _ = self.unevenness(start, recipe, sizes | tamed)
            if unevenness < best:
                best, chosen = unevenness, [t.detach().clone() for t in self.tensors]
            if best <= LEVEL_ENOUGH:
                break
        return chosen

    def unevenness(
        self, start: Sequence[Tensor], recipe: Recipe, sizes: Mapping[int, float]
    ) -> tuple[float, dict[int, float]]:
        """Balance by a recipe; return how uneven it is, and sizes that suit attention better."""
        self.kept.restore()
        load_tensors(self.tensors, start)
        balancing = Balancing(sizes, recipe, self.inputs)
        outputs = self.run(balancing.visit, balancing.see_scores)
        return balancing.unevenness(outputs, self.seed), balancing.tamed


@contextmanager
def listening(layers: dict[nn.Module, WeightLayer], visit: Visit) -> Iterator[None]:
    """Visit every call of a layer; what the visit returns is its output."""
    busy: set[nn.Module] = set()

    def visit_call(part: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        if part in busy:
            return None
        busy.add(part)
        try:
            inputs = (*args, *kwargs.values())
            return visit(layers[part], lambda: part(*args, **kwargs), inputs, output)
        finally:
            busy.discard(part)

    hooks = [part.register_forward_hook(visit_call, with_kwargs=True) for part in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def weight_tensors(module: nn.Module) -> list[Tensor]:
    """Return the parameters, and the buffers by which a parametrization knows its weight."""
    buffers = [b for name, b in module.named_buffers() if "parametrizations." in name]
    return [*module.parameters(), *buffers]


def load_tensors(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.data.copy_(value)
