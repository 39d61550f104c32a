"""Symmetries of a network: changes of hidden units that leave its output as it is.

As long as two units have equal weights in and out, they get the same gradient, and training
cannot tell them apart. Equal weights on the way in are not enough: row i of d(loss)/dW_l is
sum_b phi'(z_i) (W_{l+1}^T delta_{l+1})_i h_{l-1}, so rows of units with equal z tie only where
their outgoing weights tie, too. A constant W_1 below a random W_2 comes apart at the first step.
Dive into Deep Learning, Numerical Stability and Initialization, says less.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.draws import Draws
from stability.catalogues.entry import Entry, catalogue
from stability.engine.losses import mean_losses
from stability.engine.network import Stack
from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.training import draw_stack_and_data, first_batch
from stability.records.experiment import Experiment

# The weights of one hidden layer's units, of N networks:
# incoming (N, width, fan_in), bias (N, width), outgoing (N, fan_out, width)
Units = tuple[Tensor, Tensor, Tensor]
Transformation = Callable[[Tensor, Tensor, Tensor, int, int], Units]


@dataclass(frozen=True, kw_only=True)
class Symmetry(Entry):
    """A row: `change(incoming, bias, outgoing, i, j)` returns the units with i and j transformed.

    The output is compared with the output after `start`, or before any change where there is none.
    `why_broken(e, layer)` says in a sentence why the output changes, empty where it does not;
    `description` names the change, with fields for {one}, {other} and the {layer}.
    """

    change: Transformation
    start: Transformation | None = None
    why_broken: Callable[[Experiment, int], str] = lambda e, layer: ""
    description: str


@dataclass(frozen=True, eq=False)
class OutputChange:
    """The largest entries of a difference and of the tensor before it, for each network."""

    moved: np.ndarray  # (S, R) NaN where not finite
    size: np.ndarray  # (S, R)


def swap_units(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """Return the units with i and j swapped."""
    order = torch.arange(bias.shape[-1], device=bias.device)
    order[[i, j]] = order[[j, i]]
    return incoming[:, order], bias[:, order], outgoing[:, :, order]


def swap_incoming(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """Return the units with the incoming weights of i and j swapped, the outgoing ones not."""
    return *swap_units(incoming, bias, outgoing, i, j)[:2], outgoing


def rescale_unit(factor: float) -> Transformation:
    """Return a change of unit i: incoming weights times `factor`, outgoing ones over `factor`."""

    def rescale(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
        return (
            multiply_unit(incoming, 1, i, factor),
            multiply_unit(bias, 1, i, factor),
            multiply_unit(outgoing, 2, i, 1 / factor),
        )

    return rescale


def multiply_unit(tensor: Tensor, dim: int, unit: int, factor: float) -> Tensor:
    """Return a copy in which one unit is multiplied by `factor`."""
    copy = tensor.clone()
    copy.select(dim, unit).mul_(factor)
    return copy


def copy_unit(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """Make unit j a copy of unit i on the way in; each keeps its outgoing weights."""
    incoming, bias = incoming.clone(), bias.clone()
    incoming[:, j], bias[:, j] = incoming[:, i], bias[:, i]
    return incoming, bias, outgoing


def shift_outgoing(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """Make unit j a copy of unit i, and give its outgoing weights to unit i."""
    shifted = multiply_unit(outgoing, 2, j, 0.0)
    shifted[:, :, i] += outgoing[:, :, j]
    return *copy_unit(incoming, bias, outgoing, i, j)[:2], shifted


def scales_with_input(e: Experiment, layer: int, factor: float) -> bool:
    """Return True if z times `factor` gives a unit's output, behind its norm, times `factor`.

    An added constant is allowed where the norm of the next layer removes it, as batch norm does:
    sigmoid(-u) = 1 - sigmoid(u).
    """
    norm, phi = e.normalization_row.apply, e.phi.phi
    random = torch.Generator().manual_seed(0)
    z = 2 * torch.randn((1, 64, 8), generator=random, dtype=torch.float64)
    expected = multiply_unit(phi(norm(z)), 2, 0, factor)
    rest = phi(norm(multiply_unit(z, 2, 0, factor))) - expected
    next_removes_constants = torch.allclose(norm(z + z[:, :1]), norm(z))
    if next_removes_constants and not e.residual and layer < e.depth - 1:
        rest = rest - rest[:, :1]
    return bool((rest.abs() < 1e-9).all())


def unless_scales_with_input(factor: float, words: str) -> Callable[[Experiment, int], str]:
    """Return the `why_broken` of a symmetry that needs units which scale with their input."""

    def why_broken(e: Experiment, layer: int) -> str:
        if scales_with_input(e, layer, factor):
            return ""
        norm = e.normalization_row
        behind = f" behind {norm.label.lower()}" if norm.has_gain else ""
        return f"{e.phi.label} units{behind} do not {words} with their input."

    return why_broken


SYMMETRIES: Mapping[str, Symmetry] = catalogue(
    Symmetry(
        key="swap", label="Swap two units", source="Hecht-Nielsen 1990", change=swap_units,
        summary="Two hidden units change places, with all their weights: "
        "a sum does not know the order of its terms.",
        formula=r"W_l \to P W_l, \quad b_l \to P b_l, \quad W_{l+1} \to W_{l+1} P^\top",
        description="Units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="swap_incoming", label="Swap their incoming weights only", source="-",
        summary="The contrast: each unit's answer now leaves by the other's way out.",
        formula=r"W_l \to P W_l", change=swap_incoming,
        why_broken=lambda e, layer: "Their outgoing weights stay where they were.",
        description="Only the incoming weights of units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="flip", label="Flip a sign", source="Chen, Lu & Hecht-Nielsen 1993",
        summary="All weights of one unit change their sign, in and out: "
        "an odd activation hands the sign through.",
        formula=r"\phi(-u) = -\phi(u)", change=rescale_unit(-1.0),
        why_broken=unless_scales_with_input(-1.0, "change sign"),
        description="All signs of unit {one} of {layer} flipped",
    ),
    Symmetry(
        key="rescale", label="Rescale", source="Neyshabur et al. 2015",
        summary="Incoming weights doubled, outgoing ones halved: "
        "straight lines from 0 hand the factor through.",
        formula=r"\phi(2 u) = 2 \phi(u)", change=rescale_unit(2.0),
        why_broken=unless_scales_with_input(2.0, "double"),
        description="Unit {one} of {layer} doubled on the way in and halved on the way out",
    ),
    Symmetry(
        key="shift", label="Shift between copies", source="Fukumizu & Amari 2000",
        summary="Of two units that are copies on the way in, "
        "only the sum of their outgoing weights matters.",
        formula=r"a_i \phi(u) + a_j \phi(u) = (a_i + a_j) \phi(u)",
        start=copy_unit, change=shift_outgoing,
        description="Unit {other} of {layer} made a copy of unit {one}, "
        "and its outgoing weights given to that",
    ),
)  # fmt: skip


def why_no_symmetries(e: Experiment) -> str:
    """Return a sentence that says why there are no symmetries; empty where there are."""
    return "" if e.depth > 1 else "No hidden units at depth 1: the only layer is the output."


def layers_changed_together(e: Experiment, layer: int) -> range:
    """Return the hidden layers whose units change together: with residual connections all.

    A skip adds unit i of one hidden layer to unit i of the next, past all weights: a change of one
    layer alone is then no symmetry.
    """
    return range(1, e.depth) if e.residual else range(layer, layer + 1)


def check_hidden(e: Experiment, layer: int) -> None:
    """Raise ValueError where there is no such hidden layer."""
    if not 1 <= layer < e.depth:
        raise ValueError(f"layer must be a hidden one, from 1 to {e.depth - 1}, not {layer}")


@lru_cache(maxsize=32)
def symmetry_changes(
    experiment: Experiment, layer: int = 1, units: tuple[int, int] = (0, 1)
) -> Mapping[str, OutputChange]:
    """Return by how much each of SYMMETRIES moves the output before training, on the first batch.

    In float64 and without dropout, so that a symmetry moves it by rounding alone; but chaotic
    networks amplify rounding, with tanh at normal:1 to the output's size from depth 50 on. `layer`
    counts from 1, `units` from 0; with residual connections the same units of all hidden layers are
    changed. Empty at depth 1. ValueError where there is no such layer or unit.
    """
    if why_no_symmetries(experiment):
        return MappingProxyType({})
    check_hidden(experiment, layer)
    width = experiment.width
    if len({*units}) != 2 or not all(0 <= unit < width for unit in units):
        raise ValueError(f"units must be two different ones from 0 to {width - 1}, not {units}")
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, _ = first_batch(e, data)

    @torch.no_grad()
    def output_after(change: Transformation | None) -> Tensor:
        changed = stack
        if change:
            changed = transform_units(stack, change, layers_changed_together(e, layer), units)
        return changed.forward(x).output  # (N, batch, outputs)

    found, plain = {}, output_after(None)
    for key, row in SYMMETRIES.items():
        before = output_after(row.start) if row.start else plain
        found[key] = largest_entries(e, output_after(row.change) - before, before)
    return MappingProxyType(found)


def largest_entries(e: Experiment, difference: Tensor, before: Tensor) -> OutputChange:
    """Return the largest absolute entries of `(N, ..., ...)`; NaN where not finite."""
    sizes = (tensor.abs().amax(dim=(1, 2)) for tensor in (difference, before))  # keeps NaN
    moved, size = (torch.where(size.isfinite(), size, torch.nan) for size in sizes)
    return OutputChange(to_schemes_and_replicates(e, moved), to_schemes_and_replicates(e, size))


def transform_units(
    stack: Stack, change: Transformation, layers: range, units: tuple[int, int]
) -> Stack:
    """Return a stack with units of these layers (from 1) transformed, one layer after another."""
    weights, biases = map(list, zip(*stack.layers(), strict=True))
    for index in layers:
        weights[index - 1], biases[index - 1], weights[index] = change(
            weights[index - 1], biases[index - 1], weights[index], *units
        )
    return stack.with_layers(list(zip(weights, biases, strict=True)))


@lru_cache(maxsize=32)
@torch.inference_mode(False)
@torch.enable_grad()
def row_differences(experiment: Experiment, layer: int = 1) -> Mapping[str, OutputChange]:
    """Return how far the rows of d(loss)/dW_l of a hidden layer differ on the first batch.

    `drawn`: with the outgoing weights W_{l+1} as they are; `random`: with N(0, 1/fan_in) in their
    place. In float64 and without dropout. Below a W_L of one constant c gradients are 0: softmax
    errors add up to 0, and c times their sum is 0 but for rounding. Constant hidden layers learn
    from the second step on, with equal rows. Empty at depth 1; ValueError where
    there is no such layer.
    """
    if why_no_symmetries(experiment):
        return MappingProxyType({})
    check_hidden(experiment, layer)
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, y = first_batch(e, data)
    layers, found, above = stack.layers(), {}, e.layers[layer]
    draws = [Draws(e.seed, replicate, above).normal for replicate in range(e.replicates)]
    drawn, bias = layers[layer]
    random = torch.stack(draws * len(e.schemes)) / above.fan_in**0.5
    for name, outgoing in (("drawn", drawn), ("random", random.to(drawn))):
        own = layers[layer - 1][0].clone().requires_grad_()
        layers[layer - 1 : layer + 1] = [(own, layers[layer - 1][1]), (outgoing, bias)]
        losses = mean_losses(stack.with_layers(layers).forward(x).output, y)
        (gradient,) = torch.autograd.grad(losses.sum(), own)  # (N, width, fan_in)
        apart = gradient.amax(dim=1, keepdim=True) - gradient.amin(dim=1, keepdim=True)
        found[name] = largest_entries(e, apart, gradient)
    return MappingProxyType(found)
