"""A pasted network that can be built: its text is read, and its sizes fit together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import nn

from stability.catalogues.activations import ACTIVATIONS, Activation, leaky_relu
from stability.catalogues.draws import Layer
from stability.catalogues.schemes import parse_scheme
from stability.i18n import N_, _, cache_by_language
from stability.modules.layer_kinds import LAYER_KINDS, MOST_UNITS, LayerKind, Sizes
from stability.modules.layer_sizes import (
    ACTIVATION_LAYERS,
    MOST_WORDS,
    begins_with_sizes,
    is_scheme,
    read_sizes,
)
from stability.modules.layer_text import CONTAINER, LayerReader, LayerText
from stability.modules.text_error import EXAMPLE_OF_LAYERS, EXAMPLE_OF_SIZES, TextError
from stability.text import lower_first

MOST_PARAMETERS = 50_000_000
NOTHING = N_("Paste the sizes of your layers, such as {example}, or what print(model) writes.")
REFUSALS = (
    TypeError, ValueError, RuntimeError, ArithmeticError, AssertionError, NotImplementedError,
    IndexError,
)  # fmt: skip  # of torch, for arguments that a layer cannot have
RESERVED = nn.Sequential()  # its attributes cannot be names of layers


@dataclass(frozen=True)
class PlannedLayer:
    """A layer of the network, with all its arguments by name.

    `sizes` are the numbers of its inputs and outputs; None where any number goes through.
    """

    kind: LayerKind
    arguments: Mapping[str, Any]
    place: int  # in the text
    sizes: Sizes | None
    parameters: int

    @property
    def function(self) -> tuple[str, frozenset[tuple[str, Any]]]:
        """The kind with the arguments that decide what it computes."""
        computes = {name: value for name, value in self.arguments.items() if name != "inplace"}
        return self.kind.name, frozenset(computes.items())


@dataclass(frozen=True)
class NetworkPlan:
    """A network that fits together: its layers in order, and its scheme, "" if none is named."""

    root: LayerText
    layers: tuple[PlannedLayer, ...]
    scheme: str

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The numbers of features, of units behind each Linear layer, and so of outputs."""
        sizes = [layer.sizes for layer in self.layers if layer.kind.is_linear and layer.sizes]
        return sizes[0][0], *(fan_out for _, fan_out in sizes)

    @cached_property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def units(self) -> list[int]:
        """The number of units behind each layer."""
        sizes = [layer.sizes[1] if layer.sizes else 0 for layer in self.layers]
        return list(accumulate(sizes, lambda before, size: size or before, initial=self.widths[0]))

    def scheme_layers(self) -> list[Layer]:
        """Return the Linear layers as schemes take them, each with the activation behind it.

        The last has that of the layer before. An activation that the catalogue lacks counts as
        linear.
        """
        rows, row = [], ACTIVATIONS["linear"]
        for layer in reversed(self.layers):
            row = activation_of_layer(layer) if layer.kind.is_activation else row
            if layer.kind.is_linear and layer.sizes:
                rows.append((*layer.sizes, row))
                row = ACTIVATIONS["linear"]
        if len(rows) > 1:
            rows[0] = (*rows[0][:2], rows[1][2])
        return [
            Layer(index, len(rows), fan_in, fan_out, row, bias_std=0.0, residual=False)
            for index, (fan_in, fan_out, row) in enumerate(reversed(rows), start=1)
        ]


def activation_key(layer: PlannedLayer) -> str:
    """Return the key of the activation that a layer computes, "" where the catalogue lacks it."""
    return ACTIVATION_KEYS.get(layer.function, "")


def activation_of_layer(layer: PlannedLayer) -> Activation:
    """Return the row of the activation that a layer computes; the linear one if there is none."""
    if "negative_slope" in layer.arguments:
        return leaky_relu(float(layer.arguments["negative_slope"]))
    return ACTIVATIONS[activation_key(layer) or "linear"]


def require_scheme(plan: NetworkPlan, scheme: str) -> None:
    """Raise ValueError if this scheme cannot start the network."""
    row = parse_scheme(scheme)
    for layer in plan.scheme_layers():
        settings = {
            "width": layer.fan_out if layer.index < layer.depth else 2,
            "depth": layer.depth,
            "residual": False,
            "activation": layer.activation.key,
            "bias_std": 0.0,
        }
        for sentence, *_rest in row.needs(settings):
            refusal = _("{scheme} cannot start this network: {reason}.")
            raise ValueError(refusal.format(scheme=row.title, reason=sentence))


@cache_by_language(maxsize=16)
def read_network(text: str) -> NetworkPlan | str:
    """Return the plan of a network, or the sentence that says why the text is none.

    It is one line of layer sizes or what `print(model)` writes, each with a scheme behind it if
    wanted.
    """
    if not text.strip():
        return _(NOTHING).format(example=EXAMPLE_OF_SIZES)
    try:
        return plan_network(text)
    except ValueError as error:
        return str(error)


def plan_network(text: str) -> NetworkPlan:
    """Return the plan of a network. ValueError says where the text stops being one."""
    root, scheme = read_sizes(text) if begins_with_sizes(text) else read_printed(text)
    layers = tuple(planned_layers(text, root))
    plan = NetworkPlan(root, layers, scheme)
    if not any(layer.kind.is_linear for layer in layers):
        raise TextError(text, root.offset, _("there is no Linear layer in it"), EXAMPLE_OF_LAYERS)
    if plan.parameters > MOST_PARAMETERS:
        sentence = _(
            "This network has {count:,} parameters; at most {most:,} are built here, and "
            "stability.diagnose takes any number in a notebook."
        )
        raise ValueError(sentence.format(count=plan.parameters, most=MOST_PARAMETERS))
    require_fit(text, layers)
    if scheme:
        require_scheme(plan, scheme)
    return plan


def read_printed(text: str) -> tuple[LayerText, str]:
    """Return the network that print(model) wrote, and the key of the scheme behind it."""
    reader = LayerReader(text)
    root, rest = reader.read_root(), text[reader.offset :].strip()
    if len(rest) > MOST_WORDS or not is_scheme(rest):
        expected = _("expected the end of the text, or an initialization")
        raise TextError(text, reader.offset, expected, "")
    return root, parse_scheme(rest).key if rest else ""


def planned_layers(text: str, layer: LayerText) -> Iterator[PlannedLayer]:
    """Yield the layers within a layer in the order of computation."""
    for key, child in layer.children:
        if hasattr(RESERVED, key):
            reason = _("no layer can have the name {name}").format(name=key)
            raise TextError(text, child.offset, reason, "")
        yield from planned_layers(text, child)
    if layer.name != CONTAINER:
        yield plan_layer(text, layer)


def plan_layer(text: str, layer: LayerText) -> PlannedLayer:
    """Return the plan of one layer, whose arguments torch takes."""
    kind = LAYER_KINDS[layer.name]
    try:
        arguments = kind.bind(layer.arguments)
        sizes = kind.sizes(arguments)
        for size in sizes or ():
            require_size(text, layer, size)
        if reason := kind.refusal(arguments):
            raise TypeError(reason)
        fan_in = sizes[0] if sizes else 2
        typed = tuple((name, type(value), value) for name, value in arguments.items())
        parameters = try_layer(layer.name, typed, fan_in)
    except TextError:
        raise
    except REFUSALS as error:
        sentence = _("{layer} cannot be built like this, since {reason}")
        reason = sentence.format(layer=layer.name, reason=lower_first(first_line(error)))
        raise TextError(text, layer.offset, reason, EXAMPLE_OF_LAYERS) from None
    return PlannedLayer(kind, arguments, layer.offset, sizes, parameters)


def require_size(text: str, layer: LayerText, size: Any) -> None:
    """Raise TextError unless this is the size of a layer."""
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_UNITS:
        reason = _("the sizes of a layer are whole numbers from 1 to {most:,}, not {size}")
        raise TextError(text, layer.offset, reason.format(most=MOST_UNITS, size=repr(size)))


@lru_cache(maxsize=1024)
def try_layer(name: str, arguments: tuple[tuple[str, type, Any], ...], fan_in: int) -> int:
    """Build and call a layer without memory for a matrix. Returns how many parameters it has.

    Arguments have their types beside them, since 1 and True are equal.
    """
    kind = LAYER_KINDS[name]
    # Most are called where they take little memory: torch imports its compiler, for two seconds,
    # before it calls anything without. Those that draw would change what others draw after them.
    with torch.device("meta" if kind.is_linear or kind.is_random else "cpu"), torch.no_grad():
        module = kind.make(**{name: value for name, _, value in arguments})
        if not kind.is_linear:  # which takes whatever has its size
            module(torch.zeros(2, fan_in))
    return sum(parameter.numel() for parameter in module.parameters())


def first_line(error: Exception) -> str:
    """Return what torch says about arguments that it refuses, on one short line."""
    line = (str(error).splitlines() or [""])[0].rstrip(". ")
    return line if len(line) <= 100 else f"{line[:99]}…"


def require_fit(text: str, layers: tuple[PlannedLayer, ...]) -> None:
    """Raise TextError at the first layer that does not take what the one before it gives."""
    units: int | None = None
    for layer in layers:
        if not layer.sizes:
            continue
        fan_in, fan_out = layer.sizes
        if units not in (None, fan_in):
            reason = _("{layer} takes {fan_in:,} inputs, but {units:,} reach it").format(
                layer=layer.kind.name, fan_in=fan_in, units=units
            )
            example = f"Linear({units}, {fan_out})" if layer.kind.is_linear else ""
            raise TextError(text, layer.place, reason, example)
        units = fan_out


ACTIVATION_KEYS = {
    plan_layer(layer.name, layer).function: key for key, layer in ACTIVATION_LAYERS.items()
}
