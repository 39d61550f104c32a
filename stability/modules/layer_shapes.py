"""The arguments of the functions of torch that apply weights: input, weight and their shapes."""

import inspect
import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from stability.modules.operations import (
    ATTENTION,
    CELLS,
    CONVOLUTIONS,
    LINEAR,
    NORMALIZATIONS,
    RECURRENT,
)

ATTENTION_SIGNATURE = inspect.signature(F.multi_head_attention_forward)
Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def argument(
    args: Arguments, kwargs: Keywords, position: int, name: str, default: Any = None
) -> Any:
    """Return an argument, whether it was given by position or by name."""
    return args[position] if len(args) > position else kwargs.get(name, default)


def input_of(name: str, args: Arguments, kwargs: Keywords) -> Any:
    """Return what a function is given first: the input of a layer."""
    if args:
        return args[0]
    return next((kwargs[key] for key in ("input", "query", "self") if key in kwargs), None)


def layer_weight(name: str, args: Arguments, kwargs: Keywords) -> Tensor | None:
    """Return the weight of a named layer: of a recurrent one that of its state."""
    if name in LINEAR:
        position = 2 if name == "bilinear" else 1
        return as_tensor(argument(args, kwargs, position, "weight"))
    if name in RECURRENT:
        lists = [part for part in args if isinstance(part, list | tuple) and len(part) > 1]
        weights = [part for part in lists if getattr(part[0], "dim", lambda: 0)() == 2]
        return as_tensor(weights[0][1]) if weights else None
    if name in CELLS:
        return as_tensor(argument(args, kwargs, 3, "w_hh"))
    if name in ATTENTION:
        given = ATTENTION_SIGNATURE.bind(*args, **kwargs).arguments
        first = given.get("in_proj_weight")
        return as_tensor(first if first is not None else given.get("q_proj_weight"))
    return None


def as_tensor(value: Any) -> Tensor | None:
    return value if isinstance(value, Tensor) else None


def fans(name: str, weight: Tensor, groups: int = 1) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight as a function applies it."""
    field = math.prod(weight.shape[2:])
    if name.startswith("conv_transpose"):
        return weight.shape[0] * field // groups, weight.shape[1] * field
    if name in CONVOLUTIONS:
        return weight.shape[1] * field, weight.shape[0] * field // groups
    if name == "bilinear":
        return weight.shape[1] * weight.shape[2], weight.shape[0]
    return weight.shape[-1], weight.shape[0] if weight.dim() > 1 else 1


def conv_groups(name: str, args: Arguments, kwargs: Keywords) -> int:
    """Return the number of groups of a convolution, 1 of any other layer."""
    if name not in CONVOLUTIONS:
        return 1
    value = argument(args, kwargs, 6, "groups", 1)
    return value if isinstance(value, int) else 1


def count_units(name: str, weight: Tensor) -> int:
    """Return the number of units, or of channels, that a weight gives."""
    return weight.shape[1 if name.startswith("conv_transpose") else 0]


def time_axis(args: Arguments) -> int | None:
    """Return the axis of time of a recurrent function's input; None if it is packed."""
    x = args[0]
    if isinstance(args[1], Tensor) and args[1].dim() == 1 and not args[1].is_floating_point():
        return None  # batch sizes by step
    return 1 if x.dim() == 3 and args[-1] is True else 0


def values_per_statistic(name: str, args: Arguments, kwargs: Keywords) -> float:
    """Return over how many values a normalization takes a mean; inf if it takes none."""
    x = input_of(name, args, kwargs)
    if name not in NORMALIZATIONS or not isinstance(x, Tensor) or not x.numel():
        return math.inf
    if name in ("layer_norm", "rms_norm"):
        return float(math.prod(argument(args, kwargs, 1, "normalized_shape", ())))
    if name == "group_norm":
        return float(math.prod(x.shape[1:]) / argument(args, kwargs, 1, "num_groups", 1))
    if name == "batch_norm":
        training = argument(args, kwargs, 5, "training", False)
        return x.numel() / x.shape[1] if training else math.inf
    batch_statistics = argument(args, kwargs, 5, "use_input_stats", True)
    return math.prod(x.shape[2:]) if batch_statistics else math.inf
