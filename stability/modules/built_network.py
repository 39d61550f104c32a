"""A planned network as plain modules of torch.nn, started by its scheme from a fixed seed.

The global random numbers are never drawn: modules are made without numbers, which are filled in.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from stability.catalogues.draws import Draws
from stability.catalogues.schemes import parse_scheme
from stability.modules.layer_kinds import LAYER_KINDS
from stability.modules.layer_text import CONTAINER, LayerText
from stability.modules.network_plan import NetworkPlan
from stability.randomness import generator

PYTORCH_START = "pytorch"  # the scheme where none is named
MOST_ROUNDS = 10  # of a scheme that adjusts to data


def build_network(plan: NetworkPlan, scheme: str = "", seed: int = 0, batch: int = 64) -> nn.Module:
    """Return the module, in float32 and training mode.

    The Linear layers start by `scheme`, else by that of the text, else as PyTorch starts them. The
    weights are those of an Experiment with this seed and these sizes. Schemes that adjust to data
    see `standard_inputs`.
    """
    with torch.device("meta"):
        module = make_module(plan.root)
    module = module.to_empty(device="cpu")
    row = parse_scheme(scheme or plan.scheme or PYTORCH_START)
    leaves = list(leaf_modules(module))
    linear = [leaf for leaf in leaves if isinstance(leaf, nn.Linear)]
    with torch.no_grad():
        reset_others(leaves)
        for leaf, layer in zip(linear, plan.scheme_layers(), strict=True):
            weights, bias = row.draw(layer, Draws(seed, 0, layer))
            leaf.weight.copy_(weights)
            if leaf.bias is not None:
                leaf.bias.copy_(bias)
        if row.adjust:
            adjust_to_inputs(leaves, row.adjust, standard_inputs(plan, seed, batch))
    return module


def standard_inputs(plan: NetworkPlan, seed: int = 0, batch: int = 64) -> Tensor:
    """Return standard normal inputs, `(batch, features)`, in float32."""
    random = generator(seed, "data")
    return torch.randn(batch, plan.widths[0], generator=random, dtype=torch.float64).float()


def reset_others(leaves: Sequence[nn.Module]) -> None:
    """Set the parameters and buffers of all but Linear layers to their start, without a draw."""
    for leaf in leaves:
        if not isinstance(leaf, nn.Linear) and hasattr(leaf, "reset_parameters"):
            leaf.reset_parameters()  # type: ignore[operator]


def adjust_to_inputs(
    leaves: Sequence[nn.Module], adjust: Callable[[Tensor], float], inputs: Tensor
) -> None:
    """Multiply the weights of each Linear layer in turn by the factor that its outputs ask for.

    Layers that draw random numbers let everything through meanwhile.
    """
    h = inputs
    for leaf in leaves:
        if LAYER_KINDS[type(leaf).__name__].is_random:
            h = leaf.eval()(h)
            leaf.train()
            continue
        if isinstance(leaf, nn.Linear):
            for _ in range(MOST_ROUNDS):
                if (factor := adjust(leaf(h))) == 1:
                    break
                leaf.weight.mul_(factor)
        h = leaf(h)
    reset_others(leaves)  # the running statistics, which have seen the inputs


def make_module(layer: LayerText) -> nn.Module:
    """Return the module of a layer with those within it; a Sequential keeps their names."""
    if layer.name != CONTAINER:
        kind = LAYER_KINDS[layer.name]
        return kind.make(**kind.bind(layer.arguments))
    module = nn.Sequential()
    for key, child in layer.children:
        module.add_module(key, make_module(child))
    return module


def leaf_modules(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules without children in the order in which Sequentials call them."""
    children = list(module.children())
    if not children and not isinstance(module, nn.Sequential):
        yield module
    for child in children:
        yield from leaf_modules(child)
