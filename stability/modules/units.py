"""Flat activations: shares of their values, of their units and of the examples."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stability.modules.operations import ACTIVATION_KINDS, ActivationKind
from stability.modules.sizes import share

FLAT_SLOPE = 0.005  # of the largest: a slope below it counts as flat
MOST_NUMBERS = 2**22  # that are differentiated again


@dataclass(frozen=True)
class FlatUnits:
    """Shares of an activation: `flat` of all values; `dead` of the units, flat for every example;
    `off` of the examples for which all units are flat. `units` is their number.
    """

    kind: ActivationKind
    flat: float
    dead: float
    off: float
    units: int


def flat_units(
    function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any],
    kind: ActivationKind, unit_count: int | None, is_convolution: bool,
) -> FlatUnits | None:  # fmt: skip
    """Return where an activation is flat on its input, by its own derivative."""
    u, *rest = args if args else (kwargs["input"],)
    kwargs = {key: value for key, value in kwargs.items() if key not in ("inplace", "out", "input")}
    if not u.is_floating_point() or not u.numel():
        return None
    u = u.detach()
    if u.dim() > 1 and u.numel() > MOST_NUMBERS:
        u = u[: max(1, MOST_NUMBERS * len(u) // u.numel())]
    # With its own hooks, so that a checkpoint around it does not count what is saved here.
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(identity, identity):
        u = u.clone().requires_grad_()
        result = function(u + 0, *[part for part in rest if not isinstance(part, bool)], **kwargs)
        (slope,) = torch.autograd.grad(result.sum(), u)
    low = 0.0 if kind.rectifies else FLAT_SLOPE * kind.max_slope
    return shares_of(slope.abs() <= low, kind, unit_count, is_convolution)


def identity(tensor: Tensor) -> Tensor:
    return tensor


BOUNDED_STATES = {  # recurrent layers that apply an activation inside
    "rnn_tanh": "tanh", "rnn_tanh_cell": "tanh", "rnn_relu": "relu", "rnn_relu_cell": "relu",
}  # fmt: skip


def state_units(name: str, states: Tensor) -> FlatUnits:
    """Return where the activation inside a recurrent layer is flat, by the states it gives."""
    kind = ACTIVATION_KINDS[BOUNDED_STATES[name]]
    h = states.detach()
    flat = h == 0 if kind.rectifies else 1 - h.square() < FLAT_SLOPE
    return shares_of(flat, kind, h.shape[-1], is_convolution=False)


def shares_of(
    flat: Tensor, kind: ActivationKind, unit_count: int | None, is_convolution: bool
) -> FlatUnits:
    """Return the shares of a mask of flat values, whose units lie along one of its axes."""
    axis = unit_axis(flat.shape, unit_count, is_convolution)
    if axis is None:
        rows = flat.flatten(1) if flat.dim() > 1 else flat[:, None]
        dead, off, units = rows.all(0), rows.all(1), unit_count or rows.shape[1]
    else:
        by_unit = flat.movedim(axis, -1)
        dead, units = by_unit.flatten(0, -2).all(0), flat.shape[axis]
        # A unit of a map is off for an example where it is so at all positions.
        off = (by_unit.flatten(1).all(1) if is_convolution and flat.dim() > 2
               else by_unit.flatten(0, -2).all(1))  # fmt: skip
    return FlatUnits(kind, share(flat), share(dead), share(off), units)


def unit_axis(shape: tuple[int, ...], unit_count: int | None, is_convolution: bool) -> int | None:
    """Return the axis of the units, or of the channels; None where it cannot be told."""
    if len(shape) < 2:
        return None
    preferred = [1, *range(2, len(shape))] if is_convolution else range(len(shape) - 1, 0, -1)
    if unit_count is None:  # four axes are those of images
        return 1 if len(shape) > 3 else len(shape) - 1
    return next((axis for axis in preferred if shape[axis] == unit_count), None)


def excess(units: FlatUnits) -> float:
    """Return the share of flat values beyond those that are flat by design."""
    return max(0.0, units.flat - units.kind.flat_by_design)
