"""The recorder: all operations of torch that a module and its loss call, with their sizes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from stability.modules import sizes
from stability.modules.lineage import Lineage
from stability.modules.measuring import Call, measure_operation
from stability.modules.operation import BACKWARD, MODULE, Operation
from stability.modules.operations import (
    ACTIVATION_KINDS,
    CONVOLUTIONS,
    REARRANGED,
    RECURRENT,
    function_name,
    is_rectifier_at_0,
)
from stability.modules.tensors import batch_axis, tensors_in
from stability.modules.units import FlatUnits, flat_units


@dataclass
class LayerCalls:
    """The calls of one module: `result` is the operation that gave its first result, or -1."""

    name: str
    module: nn.Module
    count: int = 0
    has_inner: bool = False  # another module was called within
    result: int = -1


class Recorder(TorchFunctionMode):
    """Records while it is entered; `phase` says whether the module or its loss is at work."""

    def __init__(self, module: nn.Module, examples: int | None):
        super().__init__()
        self.operations: list[Operation] = []
        self.lineage = Lineage(module, self.operations)
        self.phase = MODULE
        self.examples = examples
        self.used: dict[str, None] = {}  # names of parameters that took part, in order
        self.layers: dict[str, LayerCalls] = {}
        self.made_leaves: dict[int, Tensor] = {}  # copies of inputs whose gradient is taken, too
        self._module_names = {id(part): name for name, part in module.named_modules()}
        self._within: list[str] = []
        self._handles: list[Any] = []

    def __enter__(self) -> "Recorder":
        self._handles = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def _enter_module(self, module: nn.Module, args: object) -> None:
        outer = self._within[-1] if self._within else ""
        name = self._module_names.get(id(module), outer)
        for above in self._within:
            if above != name and not name.startswith(f"{above}.parametrizations"):
                self.layers[above].has_inner = True
        calls = self.layers.setdefault(name, LayerCalls(name, module))
        calls.count += 1
        self._within.append(name)

    def _leave_module(self, module: nn.Module, args: object, output: object) -> None:
        if not self._within:
            return
        calls = self.layers[self._within.pop()]
        result = next(tensors_in(output), None)
        if calls.count == 1 and result is not None:
            calls.result = self.lineage.operation_of(result)
            if calls.result >= 0 and not calls.has_inner:
                self._profile(self.operations[calls.result], result)

    def _profile(self, operation: Operation, result: Tensor) -> None:
        operation.is_profiled = True
        if operation.rms != operation.rms and sizes.is_measurable(result):
            phase, self.phase = self.phase, BACKWARD  # what is measured here is not recorded
            with torch.no_grad():
                axis = batch_axis(tuple(result.shape), self.examples)
                operation.rms, operation.spread = sizes.rms(result), sizes.spread_over(result, axis)
            self.phase = phase

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.phase == BACKWARD:
            return function(*args, **kwargs)
        name = function_name(function)
        if name in RECURRENT:
            args = (self._with_history(args[0]), *args[1:])
        given = list(tensors_in((args, kwargs)))
        units = self._flat_units(name, function, given, args, kwargs)
        result = function(*args, **kwargs)
        results = list(tensors_in(args[0] if name == "setitem" else result))
        if results:
            operation = self._new_operation(name, given, args)
            operation.units = units
            self._take(operation, Call(args, kwargs, given, results[0]))
            self.lineage.remember(results, operation.index)
            self.operations.append(operation)
        return result

    def _with_history(self, x: Tensor) -> Tensor:
        """Return a recurrent layer's input with a gradient of its own, or as it is."""
        if x.requires_grad or not torch.is_grad_enabled() or not x.is_floating_point():
            return x
        leaf = x.detach().requires_grad_()
        self.made_leaves[id(leaf)] = leaf
        self.lineage.copy(leaf, x)
        return leaf

    def _flat_units(
        self, name: str, function: Any, given: list[Tensor], args: Any, kwargs: Any
    ) -> FlatUnits | None:
        kind = ACTIVATION_KINDS.get("relu" if is_rectifier_at_0(name, args, kwargs) else name)
        if kind is None or self.phase != MODULE or not given:
            return None
        layer = self.lineage.nearest_layer(self.lineage.operation_of(given[0]))
        return flat_units(
            function, args, kwargs, kind, layer.unit_count if layer else None,
            layer is not None and layer.name in CONVOLUTIONS,
        )  # fmt: skip

    def _new_operation(self, name: str, given: list[Tensor], args: Any) -> Operation:
        index, lineage = len(self.operations), self.lineage
        place = self._within[-1] if self._within else ""
        parents = dict.fromkeys(p for t in given if (p := lineage.operation_of(t)) >= 0)
        parameters = dict.fromkeys(
            lineage.parameter_name(t, place) for t in given if lineage.is_parameter(t)
        )
        self.used |= parameters
        for parent in parents:
            self.operations[parent].children.append(index)
        return Operation(
            index, name, place, self.phase, tuple(parents), tuple(parameters),
            frozenset[str]().union(*(lineage.origins_of(t) for t in given)),
            scalar=max((abs(a) for a in args if isinstance(a, int | float)), default=0.0),
        )  # fmt: skip

    def _take(self, operation: Operation, call: Call) -> None:
        """Measure a result now, and its gradient when that comes."""
        result = call.result
        operation.shape, operation.dtype = tuple(result.shape), result.dtype
        if not sizes.is_measurable(result):
            return
        with torch.no_grad():
            measure_operation(operation, call, self.lineage, self.examples)
        if result.requires_grad and operation.name not in REARRANGED:

            def take_gradient(gradient: Tensor) -> None:
                operation.gradient_largest = sizes.largest(gradient)
                if operation.is_layer or operation.is_profiled:
                    operation.gradient = sizes.norm(gradient)

            result.register_hook(take_gradient)  # type: ignore[no-untyped-call]
