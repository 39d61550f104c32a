"""Symmetries of a network: changes of hidden units that leave its output as it is.

As long as two units have equal weights in and out, they get the same gradient, and training
cannot tell them apart. Equal weights on the way in are not enough: row i of d(loss)/dW_l is
sum_b phi'(z_i) (W_{l+1}^T delta_{l+1})_i h_{l-1}, so rows of units with equal z tie only where
their outgoing weights tie, too. A constant W_1 below a random W_2 comes apart at the first step.
Dive into Deep Learning, Numerical Stability and Initialization, says less.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.draws import Draws
from stability.catalogues.entry import Entry, catalogue
from stability.engine.losses import mean_losses
from stability.engine.network import Stack
from stability.engine.quantities import to_schemes_and_replicates
from stability.engine.training import draw_stack_and_data, first_batch
from stability.i18n import N_, Translated, _
from stability.probes.results import remembered
from stability.records.experiment import Experiment

# width, i, j -> A, B, both (width, width): W_l and b_l become A W_l and A b_l, W_{l+1} W_{l+1} B
Transformation = Callable[[int, int, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Symmetry(Entry):
    """A linear change of the hidden units i and j.

    The output after `change` is compared with that after `start`, which changes nothing by default.
    `why_broken(e, layer)` says in a sentence why the output changes, empty where it does not;
    `description` names the change, with fields for {one}, {other} and the {layer}.
    """

    change: Transformation
    start: Transformation = lambda width, i, j: (rearranged(width, {}),) * 2
    why_broken: Callable[[Experiment, int], str] = lambda e, layer: ""
    description: Translated = Translated()


@dataclass(frozen=True, eq=False)
class OutputChange:
    """The largest entries of a difference and of the tensor before it, for each network."""

    moved: np.ndarray  # (S, R) NaN where not finite
    size: np.ndarray  # (S, R)


class OutputChanges(dict[str, OutputChange]):
    """Output changes by name; a dict of its own type, since a cache refers to it weakly."""


def rearranged(width: int, sources: Mapping[int, int]) -> Tensor:
    """Return the identity matrix with row k replaced by its row `sources[k]`, if there is one."""
    return torch.eye(width, dtype=torch.float64)[[sources.get(k, k) for k in range(width)]]


def multiplied(width: int, unit: int, factor: float) -> Tensor:
    """Return the identity matrix with one entry multiplied by `factor`."""
    matrix = torch.eye(width, dtype=torch.float64)
    matrix[unit, unit] = factor
    return matrix


def why_not_scaling(e: Experiment, layer: int, factor: float, plain: str, normalized: str) -> str:
    """Return why z times `factor` does not multiply a unit's output, behind its norm; or nothing.

    An added constant is allowed where the norm of the next layer removes it, as batch norm does:
    sigmoid(-u) = 1 - sigmoid(u).
    """
    row, phi = e.normalization_row, e.phi.phi
    is_before_product = e.norm_position_row.follows_activation

    def hidden(z: Tensor) -> Tensor:
        """Return what the next layer multiplies."""
        return row.apply(phi(z)) if is_before_product else phi(row.apply(z))

    random = torch.Generator().manual_seed(0)
    z = 2 * torch.randn((1, 64, 8), generator=random, dtype=torch.float64)
    by_factor = multiplied(8, 0, factor)
    rest = hidden(z @ by_factor) - hidden(z) @ by_factor
    next_removes_constants = torch.allclose(row.apply(z + z[:, :1]), row.apply(z))
    is_normalized_next = next_removes_constants and not is_before_product
    if is_normalized_next and not e.residual and layer < e.depth - 1:
        rest = rest - rest[:, :1]
    sentence = _(normalized if row.has_gain else plain)
    sentence = sentence.format(activation=e.phi.label, normalization=row.label.lower())
    return "" if (rest.abs() < 1e-9).all() else sentence


NO_NEW_SIGN = (
    N_("{activation} units do not change sign with their input."),
    N_("{activation} units behind {normalization} do not change sign with their input."),
)
NO_DOUBLE = (
    N_("{activation} units do not double with their input."),
    N_("{activation} units behind {normalization} do not double with their input."),
)
SYMMETRIES: Mapping[str, Symmetry] = catalogue(
    Symmetry(
        key="swap", label="Swap two units", source="Hecht-Nielsen 1990",
        summary="Two hidden units change places, with all their weights: "
        "a sum does not know the order of its terms.",
        formula=r"W_l \to P W_l, \quad b_l \to P b_l, \quad W_{l+1} \to W_{l+1} P^\top",
        change=lambda width, i, j: (rearranged(width, {i: j, j: i}),) * 2,
        description="Units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="swap_incoming", label="Swap their incoming weights only", source="-",
        summary="The contrast: each unit's answer now leaves by the other's way out.",
        formula=r"W_l \to P W_l",
        change=lambda width, i, j: (rearranged(width, {i: j, j: i}), rearranged(width, {})),
        why_broken=lambda e, layer: _("Their outgoing weights stay where they were."),
        description="Only the incoming weights of units {one} and {other} of {layer} swapped",
    ),
    Symmetry(
        key="flip", label="Flip a sign", source="Chen, Lu & Hecht-Nielsen 1993",
        summary="All weights of one unit change their sign, in and out: "
        "an odd activation hands the sign through.",
        formula=r"\phi(-u) = -\phi(u)",
        change=lambda width, i, j: (multiplied(width, i, -1),) * 2,
        why_broken=lambda e, layer: why_not_scaling(e, layer, -1, *NO_NEW_SIGN),
        description="All signs of unit {one} of {layer} flipped",
    ),
    Symmetry(
        key="rescale", label="Rescale", source="Neyshabur et al. 2015",
        summary="Incoming weights doubled, outgoing ones halved: "
        "straight lines from 0 hand the factor through.",
        formula=r"\phi(2 u) = 2 \phi(u)",
        change=lambda width, i, j: (multiplied(width, i, 2), multiplied(width, i, 0.5)),
        why_broken=lambda e, layer: why_not_scaling(e, layer, 2, *NO_DOUBLE),
        description="Unit {one} of {layer} doubled on the way in and halved on the way out",
    ),
    Symmetry(
        key="shift", label="Shift between copies", source="Fukumizu & Amari 2000",
        summary="Of two units that are copies on the way in, "
        "only the sum of their outgoing weights matters.",
        formula=r"a_i \phi(u) + a_j \phi(u) = (a_i + a_j) \phi(u)",
        start=lambda width, i, j: (rearranged(width, {j: i}), rearranged(width, {})),
        change=lambda width, i, j: (rearranged(width, {j: i}),) * 2,
        description="Unit {other} of {layer} made a copy of unit {one}, "
        "and its outgoing weights given to that",
    ),
)  # fmt: skip


def why_no_symmetries(e: Experiment) -> str:
    """Return a sentence that says why there are no symmetries; empty where there are."""
    return "" if e.depth > 1 else _("No hidden units at depth 1: the only layer is the output.")


def check_hidden(e: Experiment, layer: int) -> None:
    """Raise ValueError where there is no such hidden layer."""
    if not 1 <= layer < e.depth:
        raise ValueError(f"layer must be a hidden one, from 1 to {e.depth - 1}, not {layer}")


@remembered
def symmetry_changes(
    experiment: Experiment, layer: int = 1, units: tuple[int, int] = (0, 1)
) -> OutputChanges:
    """Return by how much each of SYMMETRIES moves the output before training, on the first batch.

    In float64 and without dropout, so that a symmetry moves it by rounding alone; but chaotic
    networks amplify rounding, with tanh at normal:1 to the output's size from depth 50 on. `layer`
    counts from 1, `units` from 0; with residual connections the same units of all hidden layers are
    changed. Empty at depth 1. ValueError where there is no such layer or unit.
    """
    if why_no_symmetries(experiment):
        return OutputChanges()
    check_hidden(experiment, layer)
    width = experiment.hidden_widths[layer - 1]
    if len({*units}) != 2 or not all(0 <= unit < width for unit in units):
        raise ValueError(f"units must be two different ones from 0 to {width - 1}, not {units}")
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, _ = first_batch(e, data)
    # A skip adds unit i of one hidden layer to unit i of the next, past all weights: a change of
    # one layer alone is then no symmetry.
    layers = range(1, e.depth) if e.residual else range(layer, layer + 1)

    @torch.no_grad()
    def output_after(change: Transformation) -> Tensor:
        return transform_units(stack, layers, *change(width, *units)).forward(x).output

    found = OutputChanges()
    for key, row in SYMMETRIES.items():
        before = output_after(row.start)  # (N, batch, outputs)
        found[key] = largest_entries(e, output_after(row.change) - before, before)
    return found


def largest_entries(e: Experiment, difference: Tensor, before: Tensor) -> OutputChange:
    """Return the largest absolute entries of `(N, ..., ...)`; NaN where not finite."""
    sizes = (tensor.abs().amax(dim=(1, 2)) for tensor in (difference, before))  # keeps NaN
    moved, size = (torch.where(size.isfinite(), size, torch.nan) for size in sizes)
    return OutputChange(to_schemes_and_replicates(e, moved), to_schemes_and_replicates(e, size))


def transform_units(stack: Stack, layers: range, way_in: Tensor, way_out: Tensor) -> Stack:
    """Return a stack with the units of these layers (from 1) transformed, one after another."""
    weights, biases = map(list, zip(*stack.layers(), strict=True))
    way_in, way_out = way_in.to(weights[0]), way_out.to(weights[0])
    for index in layers:
        weights[index - 1] = way_in @ weights[index - 1]
        biases[index - 1] = biases[index - 1] @ way_in.mT
        weights[index] = weights[index] @ way_out
    return stack.with_layers(list(zip(weights, biases, strict=True)))


@remembered
@torch.inference_mode(False)
@torch.enable_grad()
def row_differences(experiment: Experiment, layer: int = 1) -> OutputChanges:
    """Return how far the rows of d(loss)/dW_l of a hidden layer differ on the first batch.

    `drawn`: with the outgoing weights W_{l+1} as they are; `random`: with N(0, 1/fan_in) in their
    place. In float64 and without dropout. Below a W_L of one constant c gradients are 0: softmax
    errors add up to 0, and c times their sum is 0 but for rounding. Constant hidden layers learn
    from the second step on, with equal rows. Empty at depth 1; ValueError where
    there is no such layer.
    """
    if why_no_symmetries(experiment):
        return OutputChanges()
    check_hidden(experiment, layer)
    e = replace(experiment, precision="float64")
    stack, data = draw_stack_and_data(e)
    x, y = first_batch(e, data)
    layers, found, above = stack.layers(), OutputChanges(), e.layers[layer]
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
    return found
