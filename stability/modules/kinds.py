"""The kinds of findings, one row each: a cause stands before its symptoms and silences them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stability.i18n import N_
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

    key: str  # which is translated where it is shown
    definition: str  # likewise
    find: Callable[[Examination, Paths], Iterator[ModuleFinding]]
    silences: tuple[str, ...] = ()


KINDS = (
    Kind(N_("non_finite_input"), N_("a floating input or target holds NaN or inf"),
         numbers.non_finite_inputs,
         ("non_finite_forward", "non_finite_backward", "output_activation", "mixes_examples",
          "input_scale", "target_scale", *SYMPTOMS)),
    Kind(N_("unregistered"),
         N_("what the loss depends on requires a gradient and is no parameter"),
         graph.unregistered),
    Kind(N_("detached"),
         N_("a parameter took part in the forward pass and no path leads back to it"),
         graph.detached, ("zero_gradient", "vanishing")),
    Kind(N_("unused"), N_("a parameter never took part in the forward pass"), graph.unused),
    Kind(N_("non_finite_forward"), N_("the values of a module leave the finite numbers"),
         numbers.non_finite_forward,
         ("non_finite_backward", "output_activation", "mixes_examples", "input_scale",
          "target_scale", *SYMPTOMS)),
    Kind(N_("non_finite_backward"), N_("values and loss are finite, some gradient is not"),
         numbers.non_finite_backward, ("input_scale", *SYMPTOMS)),
    Kind(N_("output_activation"), N_("the last function does not fit the loss"),
         losses.output_activations, ("target_scale", *SYMPTOMS)),
    Kind(N_("broadcast_loss"), N_("outputs and targets of different shapes are broadcast"),
         losses.broadcast_losses),
    Kind(N_("norm_of_one"), N_("a normalization takes its statistics over one or two values"),
         layers.norms_of_one, ("mixes_examples", "no_nonlinearity", *SYMPTOMS)),
    Kind(N_("mixes_examples"), N_("the output of an example depends on the inputs of another"),
         layers.mixed_examples, ("dead", "exploding", "vanishing")),
    Kind(N_("input_scale"), N_("inputs far from unit scale reach a layer with weights"),
         numbers.input_scale, SYMPTOMS),
    Kind(N_("target_scale"), N_("regression targets are far from unit scale"),
         numbers.target_scale, ("dead", "exploding", "vanishing", "first_loss")),
    Kind(N_("symmetric"),
         N_("the units of a hidden layer have equal weights and equal gradients"),
         graph.symmetric, ("dead", "bottleneck", "saturated", "zero_gradient", "exploding",
                           "vanishing", "identical_layers")),
    Kind(N_("dead"), N_("nearly all rectifiers of a layer are off for every example"),
         layers.dead_layers, ("bottleneck", "saturated", "zero_gradient", "exploding",
                              "vanishing")),
    Kind(N_("bottleneck"), N_("a few rectified units are all off for many examples"),
         layers.bottlenecks, ("vanishing",)),
    Kind(N_("saturated"), N_("many activations are flat, or attention is nearly one-hot"),
         layers.saturated_layers, ("zero_gradient", "exploding", "vanishing")),
    Kind(N_("zero_gradient"), N_("the gradient of a weight is exactly 0 and never opens"),
         graph.zero_gradients, ("exploding", "vanishing")),
    Kind(N_("exploding"), N_("a layer or a chain multiplies signal or gradient by 1000"),
         chains.exploding, ("vanishing", "first_loss", "scale_imbalance", "leaves_float16")),
    Kind(N_("vanishing"),
         N_("signal or gradient shrinks to less than 1/1000 through depth or time"),
         chains.vanishing),
    Kind(N_("first_loss"), N_("a cross-entropy begins far above guessing"), losses.first_losses),
    Kind(N_("scale_imbalance"),
         N_("of two summed representations, one an embedding, one is far larger"),
         layers.scale_imbalances),
    Kind(N_("no_nonlinearity"),
         N_("layers with weights follow one another without a nonlinear function"),
         layers.without_nonlinearity),
    Kind(N_("leaves_float16"), N_("a value is too large for float16"), numbers.leaves_float16),
    Kind(N_("identical_layers"),
         N_("two layers hold the same random weights in separate storage"),
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
