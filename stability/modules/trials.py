"""Small experiments on a module, for what one pass cannot tell; the caller restores it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import register_module_forward_hook

from stability.modules import sizes
from stability.modules.examination import Examination, projected
from stability.modules.tensors import call_module, map_tensors, tensors_in

MOST_TRIAL_STEPS = 8  # a row of zero factors opens one a step
TRIAL_STEP = 0.01  # of the RMS of a weight
FEW_EXAMPLES = 2  # that are passed again to see whether they are mixed
ALIKE = 1e-3  # of the spread of outputs: smaller differences are rounding


def weights_that_open(look: Examination, names: set[str]) -> set[str]:
    """Return those of these weights, of gradient 0, that have one within a few trial steps."""
    closed = set(names)
    parameters = {f.name: f.parameter for f in look.parameters if f.parameter.requires_grad}
    for _ in range(MOST_TRIAL_STEPS):
        with torch.random.fork_rng(devices=[]):
            outputs = call_module(look.module, look.inputs)
            value = look.loss(outputs, look.targets) if look.loss else projected(outputs)
        if not isinstance(value, Tensor) or not value.requires_grad:
            break
        value.backward()  # type: ignore[no-untyped-call]
        closed -= {name for name in closed if has_gradient(parameters[name])}
        for parameter in parameters.values():
            step(parameter)
        if not closed:
            break
    return names - closed


def has_gradient(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.to_dense().any())


def step(parameter: nn.Parameter) -> None:
    """Move a parameter against its gradient by a small share of its size, and clear the latter."""
    gradient, parameter.grad = parameter.grad, None
    if gradient is None:
        return
    gradient = gradient.to_dense()
    size = sizes.rms(gradient)
    if size and math.isfinite(size):
        length = TRIAL_STEP * (sizes.rms(parameter) or 1.0)
        parameter.data.sub_((length * (gradient / size)).to(parameter))


def is_affine(look: Examination) -> bool:
    """Return True if the outputs are an affine function of the inputs, also far from them."""
    given = list(tensors_in(look.inputs))
    if not given or not all(tensor.is_floating_point() for tensor in given):
        return False

    def outputs_at(factor: float) -> Tensor:
        with torch.random.fork_rng(devices=[]):  # a module may need its own gradients
            outputs = call_module(look.module, map_tensors(lambda t: t * factor, look.inputs))
        return torch.cat([sizes.plain(t).flatten() for t in tensors_in(outputs)
                          if sizes.is_measurable(t)]).double()  # fmt: skip

    zero, one, minus, three = map(outputs_at, (0.0, 1.0, -1.0, 3.0))
    size = float((one - zero).norm())
    if not size or not math.isfinite(size):
        return False
    even = float((one + minus - 2 * zero).norm())
    return even < ALIKE * size and float((three - zero - 3 * (one - zero)).norm()) < ALIKE * size


def mixing_module(look: Examination) -> str | None:
    """Return the first module in which an example depends on others; None if there is none.

    The other examples are replaced by copies of one of them: what is done with them stays legal.
    """
    if not look.examples or look.examples < 2 or relates_examples(look):
        return None
    with evaluating(look.module):
        return first_that_mixes(look)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Let batch norms use what they have stored, and nothing draw at random."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def first_that_mixes(look: Examination) -> str | None:
    first = next(tensors_in(look.inputs))
    axis = list(first.shape).index(look.examples or 0)
    place = place_of_change(look, axis)
    if place is None or axis > 0 or not time_comes_first(look):
        return place
    return place if place_of_change(look, 1) is not None else None


def relates_examples(look: Examination) -> bool:
    """Return True where examples are related on purpose: nodes of a graph, pairs of a batch.

    So it is where batch statistics cannot be switched off, too.
    """
    n = look.examples
    tensors = [*tensors_in(look.inputs), *look.module.buffers()]
    pairs = [look.operations[i].shape for i in look.outputs]
    edges = any(len(t.shape) == 2 and t.shape[0] == 2 and not t.is_floating_point()
                and n != 2 for t in tensors)  # fmt: skip
    square = any(tuple(shape).count(n) > 1 for shape in [*(t.shape for t in tensors), *pairs])
    norms = {name for name, part in look.module.named_modules() if isinstance(part, _BatchNorm)}
    bare = any(o.name == "batch_norm" and o.values_per_statistic < math.inf
               and o.place not in norms for o in look.operations)  # fmt: skip
    return edges or square or bare


def time_comes_first(look: Examination) -> bool:
    """Return True if the second axis may be the batch: targets do not tell the two apart."""
    first = next(tensors_in(look.inputs), None)
    wanted = next(tensors_in(look.targets), None)
    if first is None or first.dim() < 2:
        return False
    return wanted is None or (wanted.dim() > 1 and wanted.shape[:2] == first.shape[:2])


def place_of_change(look: Examination, axis: int) -> str | None:
    """Return the first module whose result for the last example changes with the others.

    A few examples are enough, if the module takes fewer than it was given.
    """
    first = next(tensors_in(look.inputs))
    if first.dim() <= axis:
        return None
    n = first.shape[axis]

    def last(tensor: Tensor) -> Tensor:
        fits = tensor.dim() > axis and tensor.shape[axis] == n
        return tensor.narrow(axis, n - FEW_EXAMPLES, FEW_EXAMPLES) if fits else tensor

    if n > FEW_EXAMPLES:
        with suppress(Exception):  # of a module that is made for one size of batch
            return change_among(look, map_tensors(last, look.inputs), axis, FEW_EXAMPLES)
    return change_among(look, look.inputs, axis, n)


def change_among(look: Examination, inputs: Any, axis: int, n: int) -> str | None:
    """Return the first module whose result for the last of `n` examples changes with the others."""

    def replaced(tensor: Tensor) -> Tensor:
        if tensor.dim() <= axis or tensor.shape[axis] != n:
            return tensor
        # The last example stays: a layer that takes the examples for time looks back alone. Of two
        # examples the first becomes a copy of the last.
        order = torch.tensor([max(n - 2, 1)] * (n - 1) + [n - 1], device=tensor.device)
        return tensor.index_select(axis, order)

    before = list(results_of_last(look, inputs, axis, n))
    after = list(results_of_last(look, map_tensors(replaced, inputs), axis, n))
    if len(before) != len(after) or not differs(before[-1][1], after[-1][1]):
        return None
    changed = (place for (place, one), (_, other) in zip(before, after, strict=True)
               if differs(one, other))  # fmt: skip
    return next(changed)


def differs(one: list[Tensor], other: list[Tensor]) -> bool:
    for a, b in zip(one, other, strict=True):
        size = float((a - a.mean()).norm()) or float(a.norm())
        if a.shape == b.shape and float((a - b).norm()) > ALIKE * size > 0:
            return True
    return False


def results_of_last(
    look: Examination, inputs: Any, axis: int, n: int
) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield for each call of a leaf module, and at last for all, what the last example got."""
    names = {id(calls.module): calls.name for calls in look.leaf_layers}
    found: list[tuple[str, list[Tensor]]] = []

    def lasts(result: Any) -> list[Tensor]:
        return [sizes.plain(t.select(axis, -1)) for t in tensors_in(result)
                if sizes.is_measurable(t) and t.dim() > axis and t.shape[axis] == n]  # fmt: skip

    def keep(module: nn.Module, args: object, result: Any) -> None:
        if id(module) in names:
            found.append((names[id(module)], lasts(result)))

    handle = register_module_forward_hook(keep)
    try:
        with torch.random.fork_rng(devices=[]):  # a module may need its own gradients
            outputs = call_module(look.module, inputs)
    finally:
        handle.remove()
    yield from found
    yield "", lasts(outputs)
