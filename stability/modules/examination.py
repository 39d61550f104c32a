"""One look at a module: a pass forward and back, recorded, and a few trials that it calls for."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from stability.modules import sizes
from stability.modules.operation import BACKWARD, LOSS, MODULE, Operation
from stability.modules.recording import LayerCalls, Recorder
from stability.modules.safekeeping import Safekeeping
from stability.modules.tensors import batch_size, call_module, map_tensors, tensors_in
from stability.modules.twins import Twins, has_twin_rows, twin_rows

Loss = Callable[[Any, Any], Tensor]
PROJECTION_SEED = 0


@dataclass
class ParameterFacts:
    """A parameter under all of its names, and its gradient after one pass, None without one."""

    names: tuple[str, ...]
    parameter: nn.Parameter = field(repr=False)
    took_part: bool = False
    gradient: float | None = None
    gradient_is_zero: bool = False
    gradient_is_finite: bool = True
    twins: Twins | None = None

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]


@dataclass
class Stranger:
    """A leaf of the loss's graph that requires a gradient and is no parameter of the module."""

    shape: tuple[int, ...]
    name: str  # of the attribute it hangs on, or ""


class Examination:
    """One pass through a module, forward and back, and what it shows.

    Nothing is left behind if `safe` is restored afterwards.
    """

    def __init__(
        self, module: nn.Module, inputs: Any, targets: Any, loss: Loss | None, safe: Safekeeping
    ):
        self.module, self.inputs, self.targets, self.loss = module, inputs, targets, loss
        self.safe = safe
        self.examples = batch_size(inputs, targets)
        self.parameters = list(facts_of_parameters(module))
        self.strangers: list[Stranger] = []
        self.loss_value = math.nan
        self.outputs: tuple[int, ...] = ()  # the operations that gave them
        self.recorder = Recorder(module, self.examples)
        self.outputs_require_gradient = False
        self._pass()

    @property
    def operations(self) -> list[Operation]:
        """All recorded operations, in order."""
        return self.recorder.operations

    @cached_property
    def layers(self) -> list[Operation]:
        """The operations of layers with weights, in order of execution."""
        return [o for o in self.operations if o.is_layer and o.phase == MODULE]

    @cached_property
    def by_name(self) -> dict[str, ParameterFacts]:
        """The facts of parameters by each of their names."""
        return {name: facts for facts in self.parameters for name in facts.names}

    @property
    def leaf_layers(self) -> list[LayerCalls]:
        """The calls of modules inside which no other module was called, in order."""
        return [calls for calls in self.recorder.layers.values()
                if not calls.has_inner and ".parametrizations." not in calls.name]  # fmt: skip

    def _pass(self) -> None:
        recorder = self.recorder
        recorder.lineage.watch("input", self.inputs)
        targets = map_tensors(lambda t: t.view_as(t), self.targets)
        recorder.lineage.watch("target", targets)
        handles = [
            facts.parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
                facts_taker(facts)
            )
            for facts in self.parameters
            if facts.parameter.requires_grad
        ]
        with recorder:
            outputs = call_module(self.module, self.inputs)
            self.outputs = tuple(
                dict.fromkeys(
                    i for t in tensors_in(outputs) if (i := recorder.lineage.operation_of(t)) >= 0
                )
            )
            recorder.phase = LOSS
            value = self.loss(outputs, targets) if self.loss else projected(outputs)
        recorder.phase = BACKWARD
        self._take_gradients(value)
        for handle in handles:
            handle.remove()

    def _take_gradients(self, value: Any) -> None:
        recorder = self.recorder
        for facts in self.parameters:
            facts.took_part = any(name in recorder.used for name in facts.names)
        if not isinstance(value, Tensor):
            return
        self.loss_value = float(value.detach().real) if value.numel() == 1 else math.nan
        if value.requires_grad:
            self.outputs_require_gradient = True
            self._find_strangers(value)
            value.backward()  # type: ignore[no-untyped-call]

    def _find_strangers(self, value: Tensor) -> None:
        known = {id(facts.parameter) for facts in self.parameters}
        known |= {id(t) for t in tensors_in((self.inputs, self.targets))}
        names = {id(t): name for name, t in attributes(self.module)}
        for leaf in leaves_of_graph(value):
            # A copy of what was computed is made for a gradient within, and not to be learned.
            copied = self.recorder.lineage.origins_of(leaf)
            if id(leaf) not in known and id(leaf) not in self.recorder.made_leaves and not copied:
                self.strangers.append(Stranger(tuple(leaf.shape), names.get(id(leaf), "")))
                self.safe.keep_gradient(leaf)


def facts_of_parameters(module: nn.Module) -> Iterator[ParameterFacts]:
    """Yield the facts of each parameter once, with all of its names."""
    names: dict[int, list[str]] = {}
    parameters: dict[int, nn.Parameter] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
        parameters[id(parameter)] = parameter
    for key, parameter in parameters.items():
        yield ParameterFacts(tuple(names[key]), parameter)


def facts_taker(facts: ParameterFacts) -> Callable[[Tensor], None]:
    """Return a hook that reads a gradient when it is complete, and lets go of it at once."""
    with torch.no_grad():
        watches_twins = has_twin_rows(facts.parameter)

    def take(parameter: Tensor) -> None:
        gradient = parameter.grad
        parameter.grad = None
        if gradient is None:
            return
        dense = gradient.coalesce().values() if gradient.is_sparse else gradient
        facts.gradient = sizes.norm(dense) if dense.numel() else 0.0
        facts.gradient_is_finite = math.isfinite(sizes.largest(dense)) if dense.numel() else True
        facts.gradient_is_zero = facts.gradient == 0
        if watches_twins and not gradient.is_sparse:
            facts.twins = twin_rows(parameter, gradient)

    return take


def projected(outputs: Any) -> Tensor | None:
    """Return a fixed random projection of all outputs: a loss where none is given."""
    generator = torch.Generator().manual_seed(PROJECTION_SEED)
    total: Tensor | None = None
    for output in tensors_in(outputs):
        if sizes.is_measurable(output) and output.requires_grad:
            numbers = torch.view_as_real(output) if output.is_complex() else output
            # Signs, so that no output counts more than another, and as one loss per example.
            signs = torch.randint(0, 2, numbers.shape, generator=generator) * 2 - 1
            part = (numbers * signs.to(numbers)).sum() / max(
                1, len(numbers) if numbers.dim() else 1
            )
            total = part if total is None else total + part
    return total


def leaves_of_graph(value: Tensor) -> Iterator[Tensor]:
    """Yield all tensors at which autograd would accumulate a gradient."""
    stack, seen = [value.grad_fn], {value.grad_fn}
    while stack:
        node = stack.pop()
        if node is None:
            continue
        if hasattr(node, "variable"):
            yield node.variable
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append(following)


def attributes(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that hang on attributes, in lists and dicts too, with dotted names."""
    for prefix, part in module.named_modules():
        for key, value in vars(part).items():
            if key not in ("_parameters", "_modules"):
                name = ".".join(filter(None, (prefix, "" if key == "_buffers" else key)))
                for tensor in tensors_in(value):
                    yield name, tensor
                for inner in modules_in(value):
                    yield from ((name, parameter) for parameter in inner.parameters())


def modules_in(value: Any) -> Iterator[nn.Module]:
    """Yield the modules that a plain list or dict hides from a module."""
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, list | tuple | dict):
        yield from (part for part in parts if isinstance(part, nn.Module))
