"""The kinds of findings, one row each: a cause stands before its symptoms and silences them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stability.modules import findings_of_chains as chains
from stability.modules import findings_of_layers as layers
from stability.modules import findings_of_numbers as numbers
from stability.modules import findings_of_the_graph as graph
from stability.modules import findings_of_the_loss as losses
from stability.modules.examination import Examination
from stability.modules.finding import ModuleFinding
from stability.modules.paths import Paths

# What a signal or a gradient that is wrong for another reason looks like, too.
SYMPTOMS = ("symmetric", "dead", "bottleneck", "saturated", "zero_gradient", "exploding",
            "vanishing", "first_loss", "scale_imbalance", "leaves_float16")  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A row: its definition, the function that finds it, and the kinds that follow from it."""

    key: str
    definition: str
    find: Callable[[Examination, Paths], Iterator[ModuleFinding]]
    silences: tuple[str, ...] = ()


KINDS = (
    Kind("non_finite_input", "a floating input or target holds NaN or inf",
         numbers.non_finite_inputs,
         ("non_finite_forward", "non_finite_backward", "output_activation", "mixes_examples",
          "input_scale", "target_scale", *SYMPTOMS)),
    Kind("unregistered", "what the loss depends on requires a gradient and is no parameter",
         graph.unregistered),
    Kind("detached", "a parameter took part in the forward pass and no path leads back to it",
         graph.detached, ("zero_gradient", "vanishing")),
    Kind("unused", "a parameter never took part in the forward pass", graph.unused),
    Kind("non_finite_forward", "the values of a module leave the finite numbers",
         numbers.non_finite_forward,
         ("non_finite_backward", "output_activation", "mixes_examples", "input_scale",
          "target_scale", *SYMPTOMS)),
    Kind("non_finite_backward", "values and loss are finite, some gradient is not",
         numbers.non_finite_backward, ("input_scale", *SYMPTOMS)),
    Kind("output_activation", "the last function does not fit the loss",
         losses.output_activations, ("target_scale", *SYMPTOMS)),
    Kind("broadcast_loss", "outputs and targets of different shapes are broadcast",
         losses.broadcast_losses),
    Kind("norm_of_one", "a normalization takes its statistics over one or two values",
         layers.norms_of_one, ("mixes_examples", "no_nonlinearity", *SYMPTOMS)),
    Kind("mixes_examples", "the output of an example depends on the inputs of another",
         layers.mixed_examples, ("dead", "exploding", "vanishing")),
    Kind("input_scale", "inputs far from unit scale reach a layer with weights",
         numbers.input_scale, SYMPTOMS),
    Kind("target_scale", "regression targets are far from unit scale",
         numbers.target_scale, ("dead", "exploding", "vanishing", "first_loss")),
    Kind("symmetric", "the units of a hidden layer have equal weights and equal gradients",
         graph.symmetric, ("dead", "bottleneck", "saturated", "zero_gradient", "exploding",
                           "vanishing", "identical_layers")),
    Kind("dead", "nearly all rectifiers of a layer are off for every example",
         layers.dead_layers, ("bottleneck", "saturated", "zero_gradient", "exploding",
                              "vanishing")),
    Kind("bottleneck", "a few rectified units are all off for many examples",
         layers.bottlenecks, ("vanishing",)),
    Kind("saturated", "many activations are flat, or attention is nearly one-hot",
         layers.saturated_layers, ("zero_gradient", "exploding", "vanishing")),
    Kind("zero_gradient", "the gradient of a weight is exactly 0 and never opens",
         graph.zero_gradients, ("exploding", "vanishing")),
    Kind("exploding", "a layer or a chain multiplies signal or gradient by 1000",
         chains.exploding, ("vanishing", "first_loss", "scale_imbalance", "leaves_float16")),
    Kind("vanishing", "signal or gradient shrinks to less than 1/1000 through depth or time",
         chains.vanishing),
    Kind("first_loss", "a cross-entropy begins far above guessing", losses.first_losses),
    Kind("scale_imbalance", "of two summed representations, one an embedding, one is far larger",
         layers.scale_imbalances),
    Kind("no_nonlinearity", "layers with weights follow one another without a nonlinear function",
         layers.without_nonlinearity),
    Kind("leaves_float16", "a value is too large for float16", numbers.leaves_float16),
    Kind("identical_layers", "two layers hold the same random weights in separate storage",
         graph.identical_layers, ("vanishing",)),
)  # fmt: skip


def findings_of(look: Examination) -> Iterator[ModuleFinding]:
    """Yield the findings of a look, the most important first."""
    paths = Paths(look)
    found: dict[str, list[ModuleFinding]] = {}
    silent: set[str] = set()
    for kind in KINDS:
        if kind.key not in silent and (findings := list(kind.find(look, paths))):
            found[kind.key] = findings
            silent.update(kind.silences)
    for key, findings in found.items():
        if key not in silent:
            yield from findings
