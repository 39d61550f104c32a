"""The layers of a module along the way from the input to the loss."""

from functools import cached_property

from stability.modules.examination import Examination
from stability.modules.operation import MODULE, Operation
from stability.modules.operations import PASSED_ON


class Paths:
    """Which layers lie downstream of which; embeddings count as layers."""

    def __init__(self, look: Examination):
        self.operations = look.operations
        self.nodes = [
            o for o in self.operations
            if o.phase == MODULE and (o.is_layer or o.name == "embedding")
        ]  # fmt: skip

    @cached_property
    def _reached(self) -> list[int]:
        """For each operation the set of nodes downstream of it, as the bits of a number."""
        bits = {o.index: 1 << i for i, o in enumerate(self.nodes)}
        reached = [0] * len(self.operations)
        for o in reversed(self.operations):
            for child in o.children:
                if child > o.index:
                    reached[o.index] |= reached[child] | bits.get(child, 0)
        return reached

    def downstream(self, operation: Operation) -> list[Operation]:
        """Return the layers whose results depend on that of an operation, in order."""
        bits = self._reached[operation.index]
        return [node for i, node in enumerate(self.nodes) if bits >> i & 1]

    @cached_property
    def sources(self) -> list[Operation]:
        """The layers that no other layer lies in front of."""
        behind = 0
        for node in self.nodes:
            behind |= self._reached[node.index]
        return [node for i, node in enumerate(self.nodes) if not behind >> i & 1]

    def sinks(self, source: Operation) -> list[Operation]:
        """Return the layers downstream of a source that no layer follows."""
        return [node for node in self.downstream(source) if not self._reached[node.index]]

    def descends(self, later: Operation, earlier: Operation) -> bool:
        """Return True if one operation depends on the result of another."""
        stack, seen = [later.index], {later.index}
        while stack:
            index = stack.pop()
            if index == earlier.index:
                return True
            for parent in self.operations[index].parents:
                if parent not in seen and parent >= earlier.index:
                    seen.add(parent)
                    stack.append(parent)
        return False

    def last_function(self, index: int) -> Operation | None:
        """Return the operation that made a result what it is, mere rearrangements left out."""
        while index >= 0:
            operation = self.operations[index]
            if operation.name not in PASSED_ON:
                return operation
            index = operation.parents[0] if operation.parents else -1
        return None

    def layer_before(self, index: int) -> Operation | None:
        """Return the nearest layer upstream of an operation, or that itself."""
        queue, seen = [index], {index}
        while queue:
            index = max(queue)
            queue.remove(index)
            if index < 0:
                continue
            operation = self.operations[index]
            if operation.is_layer and operation.phase == MODULE:
                return operation
            fresh = [parent for parent in operation.parents if parent not in seen]
            seen.update(fresh)
            queue += fresh
        return None
