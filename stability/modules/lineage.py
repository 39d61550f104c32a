"""The origins of tensors: operations, inputs, targets, parameters."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from stability.modules.operation import Operation
from stability.modules.operations import NORMALIZATIONS, PASSED_ON
from stability.modules.tensors import tensors_in

ADDITIONS = {"add", "radd"}
GIVEN_ON = PASSED_ON | NORMALIZATIONS | ADDITIONS | {"max_pool1d", "max_pool2d", "max_pool3d"}
FARTHEST = 64  # nodes of autograd's graph between two operations that are known


class Lineage:
    """Knows for each tensor the operation that it results from, and what it depends on."""

    def __init__(self, module: nn.Module, operations: list[Operation]):
        self.operations = operations
        self._names: dict[int, list[str]] = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            self._names.setdefault(id(parameter), []).append(name)
        self._origins: dict[int, str] = {}
        self._results: Any = WeakIdKeyDictionary()
        self._nodes: dict[int, int] = {}
        self._kept_nodes: list[Any] = []  # so that no id is used twice

    def watch(self, origin: str, things: Any) -> None:
        """Say what these tensors are: "input" or "target"."""
        self._origins |= {id(tensor): origin for tensor in tensors_in(things)}

    def remember(self, results: list[Tensor], index: int) -> None:
        """Remember the operation that gave these results."""
        for tensor in results:
            self._results[tensor] = index
            if tensor.grad_fn is not None:
                self._nodes[id(tensor.grad_fn)] = index
                self._kept_nodes.append(tensor.grad_fn)

    def copy(self, tensor: Tensor, source: Tensor) -> None:
        """Let a tensor come from where another one does."""
        if id(source) in self._origins:
            self._origins[id(tensor)] = self._origins[id(source)]
        elif (index := self.operation_of(source)) >= 0:
            self._results[tensor] = index

    def operation_of(self, tensor: Tensor) -> int:
        """Return the operation that a tensor results from, or -1.

        Where a function hides its own, such as one with a backward of its own, it is the nearest
        that is known in autograd's graph.
        """
        found: int = self._results.get(tensor, -1)
        if found >= 0 or tensor.grad_fn is None:
            return found
        queue: list[Any] = [tensor.grad_fn]
        seen: set[int] = set()
        while queue and len(seen) < FARTHEST:
            node = queue.pop(0)
            if id(node) in self._nodes:
                return self._nodes[id(node)]
            seen.add(id(node))
            self._kept_nodes.append(node)
            queue += [n for n, _ in node.next_functions if n is not None and id(n) not in seen]
        return -1

    def origins_of(self, tensor: Tensor) -> set[str]:
        """Return what a tensor depends on: "input", "parameter", "target"."""
        found = {self._origins[id(tensor)]} if id(tensor) in self._origins else set()
        if id(tensor) in self._names:
            found.add("parameter")
        index = self.operation_of(tensor)
        return found | (set(self.operations[index].origins) if index >= 0 else set())

    def is_parameter(self, tensor: Tensor) -> bool:
        """Return True for a parameter of the module itself."""
        return id(tensor) in self._names

    def parameter_name(self, parameter: Tensor, place: str) -> str:
        """Return the name of a parameter: of a tied one that in the module at work."""
        names = self._names[id(parameter)]
        return next((name for name in names if owner_of(name) == place), names[0])

    def parameters_behind(self, weight: Tensor, place: str) -> Iterator[str]:
        """Yield the names of the parameters that a weight is made of: its own, if it is one."""
        if self.is_parameter(weight):
            yield self.parameter_name(weight, place)
        queue = [self.operation_of(weight)]
        while queue:
            index = queue.pop()
            if index >= 0 and "input" not in self.operations[index].origins:
                yield from self.operations[index].parameters
                queue += self.operations[index].parents

    def nearest_layer(self, index: int) -> Operation | None:
        """Return the layer with weights whose result an operation gives on, normalized or not.

        Of a sum it is the latest of its parts.
        """
        queue = [index] if index >= 0 else []
        while queue:
            index = max(queue)
            queue.remove(index)
            operation = self.operations[index]
            if operation.is_layer:
                return operation
            if operation.name in GIVEN_ON:
                queue += [parent for parent in operation.parents if parent not in queue]
        return None


def owner_of(parameter: str) -> str:
    """Return the module that a parameter belongs to, also where it is parametrized."""
    inner = parameter.partition(".parametrizations.")
    return inner[0] if inner[1] else parameter.rpartition(".")[0]
