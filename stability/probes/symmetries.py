"""What can be done to hidden units that the output does not notice; and what cannot.

As long as two units have the same weights in and out, they get the same gradient, and training cannot tell them apart. Equal
weights on the way in are not enough: row i of d(loss)/dW_l is sum_b phi'(z_i) (W_{l+1}^T delta_{l+1})_i h_{l-1}, so rows of
units with equal z tie only where their outgoing weights tie, too. A constant W_1 below a random W_2 comes apart at the first
step. Dive into Deep Learning, Numerical Stability and Initialization, says less.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.draws import Draws
from stability.catalogues.entry import Entry, catalogue
from stability.engine.network import Stack
from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.network import mean_losses
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.records.experiment import Experiment

Units = tuple[Tensor, Tensor, Tensor]  # incoming (..., width, fan_in), bias (..., width), outgoing (..., fan_out, width)


@dataclass(frozen=True, kw_only=True)
class Symmetry(Entry):
    """A row: `change(incoming, bias, outgoing, i, j)` returns what these become when it is done to units i and j of a layer.

    Compared with what `start` makes of them: mostly themselves. `fails(e, layer)` says in a sentence why the output notices,
    empty where it does not; `deed` what was done, with places for {one}, {other} and the {layer}.
    """

    change: Callable[[Tensor, Tensor, Tensor, int, int], Units]
    start: Callable[[Tensor, Tensor, Tensor, int, int], Units] | None = None
    why_broken: Callable[[Experiment, int], str] = lambda e, layer: ""
    description: str


ROUNDING_SHARE, NEGLIGIBLE = 1e-9, 1e-12  # of the largest entry, and absolute: what is less is rounding


@dataclass(frozen=True)
class OutputChange:
    """A difference and what it is a part of: absolute numbers, the largest entry of each network."""

    moved: np.ndarray  # (S, R) NaN where not finite
    size: np.ndarray  # (S, R)


def select_units(tensor: Tensor, dim: int, places: Mapping[int, int]) -> Tensor:
    """The same units along one axis, but for those that another takes the place of."""
    order = torch.arange(tensor.shape[dim], device=tensor.device)
    for place, unit in places.items():
        order[place] = unit
    return tensor.index_select(dim, order)


def multiply_unit(tensor: Tensor, dim: int, unit: int, factor: float) -> Tensor:
    factors = torch.ones(tensor.shape[dim], dtype=tensor.dtype, device=tensor.device)
    factors[unit] = factor
    return tensor * (factors if dim == -1 else factors.unsqueeze(1))


def swap_units(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    both = {i: j, j: i}
    return select_units(incoming, -2, both), select_units(bias, -1, both), select_units(outgoing, -1, both)


def rescale_unit(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, factor: float) -> Units:
    """Unit i as much larger on the way in as smaller on the way out."""
    return multiply_unit(incoming, -2, i, factor), multiply_unit(bias, -1, i, factor), multiply_unit(outgoing, -1, i, 1 / factor)


def copy_unit(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """Unit j a copy of unit i on the way in; each keeps its own way out."""
    return select_units(incoming, -2, {j: i}), select_units(bias, -1, {j: i}), outgoing


def shift_outgoing(incoming: Tensor, bias: Tensor, outgoing: Tensor, i: int, j: int) -> Units:
    """The copy's outgoing weights given to the original."""
    given = multiply_unit(outgoing, -1, j, 0.0)
    given[..., i] += outgoing[..., j]
    return *copy_unit(incoming, bias, outgoing, i, j)[:2], given


def scales_with_input(e: Experiment, layer: int, factor: float) -> bool:
    """Whether a hidden unit, behind its normalization, is `factor` times itself where its z is.

    A constant beside that is allowed where the next layer takes it away, as batch norm does: sigmoid(-u) = 1 - sigmoid(u).
    """
    z = 2 * torch.randn((1, 64, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before, after = (e.phi.phi(e.normalization_row.apply(values)) for values in (z, multiply_unit(z, -1, 0, factor)))
    beside = after - multiply_unit(before, -1, 0, factor)
    if not e.residual and layer < e.depth - 1 and torch.allclose(e.normalization_row.apply(z + z[:, :1]), e.normalization_row.apply(z)):
        beside = beside - beside[:, :1]
    return bool((beside.abs() < 1e-9).all())


def unless_scales_with_input(factor: float, words: str) -> Callable[[Experiment, int], str]:
    def fails(e: Experiment, layer: int) -> str:
        behind = f" behind {e.normalization_row.label.lower()}" if e.normalization_row.has_gain else ""
        return "" if scales_with_input(e, layer, factor) else f"{e.phi.label} units{behind} do not {words} with their input."

    return fails


SYMMETRIES = catalogue(
    Symmetry(
        key="swap", label="Swap two units", source="Hecht-Nielsen 1990", change=swap_units,
        summary="Two hidden units change places, with all their weights: a sum does not know the order of its terms.",
        formula=r"W_l \to P W_l, \quad b_l \to P b_l, \quad W_{l+1} \to W_{l+1} P^\top",
        description="Units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="swap_incoming", label="Swap their incoming weights only", source="-",
        summary="The contrast: each unit's answer now leaves by the other's way out.", formula=r"W_l \to P W_l",
        change=lambda incoming, bias, outgoing, i, j: (*swap_units(incoming, bias, outgoing, i, j)[:2], outgoing),
        why_broken=lambda e, layer: "Their outgoing weights stay where they were.",
        description="Only the incoming weights of units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="flip", label="Flip a sign", source="Chen, Lu & Hecht-Nielsen 1993", why_broken=unless_scales_with_input(-1.0, "change sign"),
        summary="All weights of one unit change their sign, in and out: an odd activation hands the sign through.",
        formula=r"\phi(-u) = -\phi(u)", description="All signs of unit {one} of {layer} flipped",
        change=lambda incoming, bias, outgoing, i, j: rescale_unit(incoming, bias, outgoing, i, -1.0),
    ),
    Symmetry(
        key="rescale", label="Rescale", source="Neyshabur et al. 2015", why_broken=unless_scales_with_input(2.0, "double"),
        summary="Incoming weights doubled, outgoing ones halved: straight lines from 0 hand the factor through.",
        formula=r"\phi(2 u) = 2 \phi(u)", description="Unit {one} of {layer} doubled on the way in and halved on the way out",
        change=lambda incoming, bias, outgoing, i, j: rescale_unit(incoming, bias, outgoing, i, 2.0),
    ),
    Symmetry(
        key="shift", label="Shift between copies", source="Fukumizu & Amari 2000", start=copy_unit, change=shift_outgoing,
        summary="Of two units that are copies on the way in, only the sum of their outgoing weights matters.",
        formula=r"a_i \phi(u) + a_j \phi(u) = (a_i + a_j) \phi(u)",
        description="Unit {other} of {layer} made a copy of unit {one}, and its outgoing weights given to that",
    ),
)  # fmt: skip


def why_no_symmetries(e: Experiment) -> str:
    """Why there is nothing to show, as a sentence; empty where there is."""
    return "" if e.depth > 1 else "No hidden units at depth 1: the only layer is the output."


def layers_changed_together(e: Experiment, layer: int) -> range:
    """The hidden layers whose units change together: with residual connections all of them.

    A skip hands unit i of one hidden layer to unit i of the next, past all weights: done to one layer alone, none of
    SYMMETRIES is a symmetry there.
    """
    return range(1, e.depth) if e.residual else range(layer, layer + 1)


def check_hidden(e: Experiment, layer: int) -> None:
    if not 1 <= layer < e.depth:
        raise ValueError(f"layer must be a hidden one, from 1 to {e.depth - 1}, not {layer}")


@lru_cache(maxsize=32)
def symmetry_changes(experiment: Experiment, layer: int = 1, units: tuple[int, int] = (0, 1)) -> Mapping[str, OutputChange]:
    """By how much each of SYMMETRIES moves the output before training on the first batch, of its size; none where `absent`.

    In float64 and without dropout, so that a symmetry moves it by rounding alone; but chaotic networks amplify rounding, and
    tanh at normal:1 makes all of it from depth 50 on. `layer` counts from 1, `units` from 0; with residual connections the
    same units of all hidden layers are changed. NaN where the output is not finite.
    ValueError where there is no such layer or unit.
    """
    if why_no_symmetries(experiment):
        return MappingProxyType({})
    check_hidden(experiment, layer)
    if len({*units}) != 2 or not all(0 <= unit < experiment.width for unit in units):
        raise ValueError(f"units must be two different ones from 0 to {experiment.width - 1}, not {units}")
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, layers = data.x[next(batch_indices(e))], layers_changed_together(e, layer)
    plain = output(stack, x)
    return MappingProxyType({key: moved(stack, x, plain, row, layers, units) for key, row in SYMMETRIES.items()})


def moved(stack: Stack, x: Tensor, plain: Tensor, row: Symmetry, layers: range, units: tuple[int, int]) -> OutputChange:
    before = output(changed(stack, row.start, layers, units), x) if row.start else plain
    after = output(changed(stack, row.change, layers, units), x)
    values = (tensor.abs().amax(dim=(1, 2)) for tensor in (after - before, before))  # NaN wins
    return finite(stack.experiment, *values)


def finite(e: Experiment, *values: Tensor) -> OutputChange:
    return OutputChange(*(to_schemes_and_replicates(e, torch.where(value.isfinite(), value, torch.nan)) for value in values))


def changed(stack: Stack, change: Callable[..., Units], layers: range, units: tuple[int, int]) -> Stack:
    """A stack with the units of these layers changed, one layer after another; what is not changed is shared."""
    other = copy.copy(stack)
    weights = [matrix.detach() for group in stack.weights for matrix in group]  # (N, fan_out, fan_in)
    biases = [vector.detach() for group in stack.biases for vector in group]
    for index in layers:
        parts = change(weights[index - 1], biases[index - 1], weights[index], *units)
        weights[index - 1], biases[index - 1], weights[index] = parts
    other.weights, other.biases = ([tensor.unsqueeze(0) for tensor in tensors] for tensors in (weights, biases))
    return other


@torch.no_grad()
def output(stack: Stack, x: Tensor) -> Tensor:
    return stack.forward(x).output  # (N, batch, outputs)


def symmetry_sentence(e: Experiment, key: str, scheme: str, layer: int = 1, units: tuple[int, int] = (0, 1)) -> str:
    """What was found of one symmetry and scheme, the worst of its replicates; units are counted from 1 here, as layers are."""
    if why := why_no_symmetries(e):
        return why
    change, index = symmetry_changes(e, layer, units)[key], e.schemes.index(scheme)
    where = "all hidden layers" if e.residual and e.depth > 2 else f"layer {layer}"
    deed = SYMMETRIES[key].description.format(one=units[0] + 1, other=units[1] + 1, layer=where)
    by, of = change.moved[index].max(), change.size[index].max()
    subject = f"{deed}: the output of {e.scheme_rows[index].title}"
    if not np.isfinite(by):
        return f"{subject} is not finite."
    return f"{subject} moves by at most {by:.2g}, of {of:.2g}." if by else f"{subject} does not move at all."


@lru_cache(maxsize=32)
@torch.inference_mode(False)
@torch.enable_grad()
def row_differences(experiment: Experiment, layer: int = 1) -> Mapping[str, OutputChange]:
    """How far the rows of d(loss)/dW_l of a hidden layer differ on the first batch, of its largest entry.

    `drawn`: with the outgoing weights W_{l+1} as they are; `random`: with N(0, 1/fan_in) in their place. In float64 and
    without dropout. Behind a constant W_L there is no gradient to differ: the softmax sends back errors that add up to 0,
    and c times their sum is 0 but for rounding. Constant hidden layers learn from the second step on, tied. Nothing where
    `absent`; ValueError where there is no such layer.
    """
    if why_no_symmetries(experiment):
        return MappingProxyType({})
    check_hidden(experiment, layer)
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    batch, found = next(batch_indices(e)), {}
    weights = [matrix.detach() for group in stack.weights for matrix in group]
    noises = [Draws(e.seed, replicate, e.layers[layer]) for replicate in range(e.replicates)]
    random = torch.stack([noise.normal for noise in noises] * len(e.schemes)) / e.layers[layer].fan_in ** 0.5
    for name, outgoing in (("drawn", weights[layer]), ("random", random.to(weights[layer]))):
        own = weights[layer - 1].clone().requires_grad_()
        stack.weights = [w.unsqueeze(0) for w in (*weights[: layer - 1], own, outgoing, *weights[layer + 1 :])]
        loss = mean_losses(stack.forward(data.x[batch]).output, data.y[batch]).sum()
        (gradient,) = torch.autograd.grad(loss, own)  # (N, width, fan_in)
        apart = (gradient.amax(dim=1) - gradient.amin(dim=1)).amax(dim=1)
        found[name] = finite(e, apart, gradient.abs().amax(dim=(1, 2)))
    return MappingProxyType(found)


def tie_sentence(e: Experiment, scheme: str, layer: int = 1) -> str:
    """What ties the units of a layer that start alike, in a sentence; empty where they do not."""
    found, index = row_differences(e, layer), e.schemes.index(scheme)
    (drawn, of), (random, size) = ((change.moved[index].max(), change.size[index].max()) for change in found.values())
    if not (drawn <= max(ROUNDING_SHARE * of, NEGLIGIBLE) and random > max(ROUNDING_SHARE * size, NEGLIGIBLE)):
        return ""
    now = "gets a gradient of equal rows" if of > NEGLIGIBLE else "gets no gradient"
    above = f"were only the weights above it random, its rows would differ by up to {random:.2g}"
    return f"{e.scheme_rows[index].title}: layer {layer} {now} at the first step; {above}, its largest entry being {size:.2g}."
