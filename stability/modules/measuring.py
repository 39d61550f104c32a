"""The sizes of one operation: of its result, of its weight and of what it is given."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stability.modules import sizes
from stability.modules.attention import one_hot_rows
from stability.modules.comparisons import comparison
from stability.modules.layer_shapes import (
    conv_groups,
    count_units,
    fans,
    input_of,
    layer_weight,
    time_axis,
    values_per_statistic,
)
from stability.modules.lineage import ADDITIONS, Lineage, owner_of
from stability.modules.operation import LOSS, Operation
from stability.modules.operations import (
    ATTENTION,
    CONVOLUTIONS,
    NAMED_WEIGHTS,
    NORMALIZATIONS,
    PRODUCTS,
    REARRANGED,
    RECURRENT,
    SOFTMAXES,
)
from stability.modules.tensors import batch_axis
from stability.modules.units import BOUNDED_STATES, state_units

FLOAT16_MAX = 65504
FEWEST_ROWS = 8  # of a table whose columns are judged one by one
ATTENDING = SOFTMAXES | ATTENTION | {"scaled_dot_product_attention"}


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of a function of torch, and its first result."""

    args: Any
    kwargs: Any
    given: list[Tensor]
    result: Tensor


def measure_operation(o: Operation, call: Call, lineage: Lineage, examples: int | None) -> None:
    """Fill in the sizes of an operation."""
    if o.name in REARRANGED:
        return inherit(o, [lineage.operations[parent] for parent in o.parents])
    o.largest = sizes.largest(call.result)
    if not math.isfinite(o.largest):
        numbers = sizes.plain(call.result)
        o.has_nan = bool(numbers.isnan().any())
        o.has_inf = bool((numbers == math.inf).any())
        o.has_negative_inf = bool((numbers == -math.inf).any())
    if o.largest > FLOAT16_MAX:
        o.given_largest = largest_given(o, call, lineage)
    if o.phase == LOSS:
        o.comparison = comparison(lineage, o.name, call.args, call.kwargs)
        return None
    measure_layer(o, call, lineage, examples)
    if o.name in ATTENDING:
        o.one_hot = one_hot_rows(o.name, call.args, call.kwargs)
        o.is_softmax_of_one = o.name in SOFTMAXES and softmax_length(call) == 1
    if o.name in NORMALIZATIONS:
        o.values_per_statistic = values_per_statistic(o.name, call.args, call.kwargs)
    if o.name in ADDITIONS and len(call.given) == 2:
        o.summands = tuple((lineage.operation_of(t), sizes.rms(t))
                           for t in call.given if sizes.is_measurable(t))  # fmt: skip
    return None


def largest_given(o: Operation, call: Call, lineage: Lineage) -> float:
    """Return the largest number that the data bring to an operation; inf where they only mask.

    Zeros and ones times a large constant are a mask, and so is a large constant in a sum.
    """
    sums = o.name in ADDITIONS | {"sub", "rsub"}
    given = [sizes.plain(t) for t in call.given
             if sizes.is_measurable(t) and (sums or lineage.origins_of(t))]  # fmt: skip
    if all(bool(((t == 0) | (t == 1)).all()) for t in given):
        return math.inf
    return max([sizes.largest(t) for t in given] + [o.scalar] * sums)


def inherit(o: Operation, before: list[Operation]) -> None:
    """Let a result that holds the same numbers be as finite and as large as what it is made of."""
    o.largest = max((b.largest for b in before), default=0.0)
    o.has_nan = any(b.has_nan for b in before)
    o.has_inf = any(b.has_inf for b in before)
    o.has_negative_inf = any(b.has_negative_inf for b in before)


def measure_layer(o: Operation, call: Call, lineage: Lineage, examples: int | None) -> None:
    """Fill in what is asked of layers with weights, and of embeddings the size of their result."""
    weight = weight_in(o.name, call, lineage)
    if weight is None and o.name != "embedding":
        return
    axis = batch_axis(tuple(call.result.shape), examples)
    o.rms, o.spread = sizes.rms(call.result), sizes.spread_over(call.result, axis)
    if weight is not None:
        o.is_layer = True
        o.weight_names = tuple(lineage.parameters_behind(weight, o.place))
        o.weight_is_zero = sizes.is_zero(weight)
        o.unit_count = count_units(o.name, weight)
        o.fan_in, o.fan_out = fans(o.name, weight, conv_groups(o.name, call.args, call.kwargs))
        measure_input(o, call, weight, lineage, examples)
    if names := o.weight_names or o.parameters:
        o.place = owner_of(names[0]) or names[0]


def measure_input(
    o: Operation, call: Call, weight: Tensor, lineage: Lineage, examples: int | None
) -> None:
    """Fill in the sizes of what a layer is given, and by step those of a recurrent one's result."""
    x = input_of(o.name, call.args, call.kwargs)
    if o.name in PRODUCTS:
        x = next((t for t in call.given if t is not weight), None)
    if sizes.is_measurable(x):
        o.input_spread = sizes.spread_over(x, batch_axis(tuple(x.shape), examples))
        o.input_is_raw = "parameter" not in lineage.origins_of(x)
        if o.input_is_raw:
            o.input_rms = sizes.rms_of_nonzero(x)
            o.input_offset = offset(x, o.name in CONVOLUTIONS)
    if o.name in BOUNDED_STATES and o.units is None:
        o.units = state_units(o.name, call.result)
    if o.name in RECURRENT and (time := time_axis(call.args)) is not None:
        o.times = sizes_by_step(call.result, time)
        if x.requires_grad:

            def take(gradient: Tensor) -> None:
                o.time_gradients = sizes_by_step(gradient, time)

            x.register_hook(take)


def weight_in(name: str, call: Call, lineage: Lineage) -> Tensor | None:
    """Return the weight that a function applies; None if it applies none."""
    if name in NAMED_WEIGHTS:
        return layer_weight(name, call.args, call.kwargs)
    if name not in PRODUCTS:
        return None
    fixed = [t for t in call.given if t.dim() > 1 and lineage.origins_of(t) == {"parameter"}]
    moving = [t for t in call.given if lineage.origins_of(t) - {"parameter"}]
    return fixed[0] if len(fixed) == 1 and moving else None


def sizes_by_step(x: Tensor, time: int) -> tuple[float, ...]:
    """Return the 2-norm of each step along the axis of time."""
    rows = sizes.plain(x).movedim(time, 0).flatten(1)
    return tuple(torch.linalg.vector_norm(rows, dim=1).tolist())


def softmax_length(call: Call) -> int:
    """Return over how many values a softmax is taken."""
    x = call.args[0] if call.args else call.kwargs["input"]
    dim = call.args[1] if len(call.args) > 1 else call.kwargs.get("dim")
    return x.shape[dim] if dim is not None and x.dim() else 0


def offset(x: Tensor, is_convolution: bool) -> float:
    """Return how many standard deviations lie between 0 and the mean of an input.

    It is the largest of those of the whole and, in a table, of its columns whose mean is over 1.
    """
    x = sizes.plain(x)
    parts = [x.flatten()[:, None]]
    if x.dim() == 2 and len(x) >= FEWEST_ROWS and not is_convolution:
        parts.append(x)
    worst = 0.0
    for part in parts:
        mean, std = part.mean(0).abs(), part.std(0)
        ratios = torch.where((mean > 1) & (std > 0), mean / std, torch.zeros_like(mean))
        worst = max(worst, float(ratios.max()))
    return worst
