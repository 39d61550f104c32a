"""Leave no trace: all that hangs on a module is afterwards as it was before."""

import random
from collections import deque
from collections.abc import Iterator, MutableMapping, MutableSequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_file

HOOKS = "_backward_hooks", "_post_accumulate_grad_hooks"
GLOBAL_HOOKS = [value for name, value in vars(module_file).items()
                if name.startswith("_global_") and isinstance(value, MutableMapping)]  # fmt: skip


class Safekeeping:
    """A copy of all values that hang on some objects, in lists, dicts and attributes too.

    `tensors` are all of them, each once. Storages are copied whole, so that views and tied weights
    come back as what they were.
    """

    def __init__(self, *objects: object):
        self.tensors: list[Tensor] = []
        self._seen: dict[int, object] = {}  # holds them, so that no id is used twice
        self._contents: list[tuple[Any, Any]] = []
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []
        self._generators: list[tuple[torch.Generator, Tensor]] = []
        self._gradients: list[tuple[Tensor, Tensor | None]] = []
        for thing in (*objects, *GLOBAL_HOOKS):
            self._visit(thing)
        self._aliases = [tensor.data for tensor in self.tensors]
        self._states = [LeafState(t) if t.is_leaf else None for t in self.tensors]
        storages = {s.data_ptr(): s for alias in self._aliases for s in storages_of(alias)}
        self._storages = [(storage, copy_storage(storage)) for storage in storages.values()]

    def _visit(self, thing: object) -> None:
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        if isinstance(thing, Tensor):
            self.tensors.append(thing)
        elif isinstance(thing, np.ndarray):
            self._arrays.append((thing, thing.copy()))
        elif isinstance(thing, torch.Generator):
            self._generators.append((thing, thing.get_state()))
        elif isinstance(thing, dict | list | set | deque):
            self._contents.append((thing, thing.copy()))
        for part in parts_of(thing):
            self._visit(part)

    def keep_gradient(self, leaf: Tensor) -> None:
        """Keep the gradient of a leaf that was not known before, and let it start from none."""
        self._gradients.append((leaf, leaf.grad))
        leaf.grad = None

    def restore(self) -> None:
        """Bring all back: contents of containers first, then values, gradients and hooks."""
        for container, content in self._contents:
            refill(container, content)
        for array, numbers in self._arrays:
            array[...] = numbers
        for generator, stream in self._generators:
            generator.set_state(stream)
        for storage, kept in self._storages:
            storage.copy_(kept)
        for leaf, gradient in self._gradients:
            leaf.grad = gradient
        for tensor, alias, state in zip(self.tensors, self._aliases, self._states, strict=True):
            if tensor.data_ptr() != alias.data_ptr() or tensor.shape != alias.shape:
                tensor.data = alias
            if state:
                state.give_back(tensor)


class LeafState:
    """The gradient of a leaf, whether it requires one, and its hooks."""

    def __init__(self, leaf: Tensor):
        self.gradient, self.requires_grad = leaf.grad, leaf.requires_grad
        hooks = {name: getattr(leaf, name, None) for name in HOOKS}
        self.hooks = {name: value and value.copy() for name, value in hooks.items()}

    def give_back(self, leaf: Tensor) -> None:
        """Let a leaf be as it was."""
        if not leaf.is_leaf:  # an operation in place gave it a history
            leaf.detach_()
        leaf.grad = None
        leaf.requires_grad_(self.requires_grad)
        leaf.grad = self.gradient
        for name, hooks in self.hooks.items():
            setattr(leaf, name, hooks)


def parts_of(thing: object) -> list[Any]:
    """Return what hangs on an object: what a container holds, the attributes of a module."""
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | deque):
        return list(thing)
    if isinstance(thing, nn.Module | SimpleNamespace) or is_dataclass(thing):
        return [vars(thing)] if hasattr(thing, "__dict__") else []
    return []


def storages_of(tensor: Tensor) -> list[torch.UntypedStorage]:
    """Return the storages of a tensor's numbers: two for a sparse one, none without memory."""
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices().untyped_storage(), tensor._values().untyped_storage()]
    if tensor.layout is not torch.strided or not tensor.numel():
        return []
    return [tensor.untyped_storage()]


def refill(container: Any, content: Any) -> None:
    """Give a container the content that it had, in the same order."""
    if isinstance(container, MutableSequence):
        if len(container) != len(content) or any(
            a is not b for a, b in zip(container, content, strict=True)
        ):
            container.clear()
            container.extend(content)
    elif list(container) != list(content) or (
        isinstance(container, dict) and any(container[k] is not content[k] for k in content)
    ):
        container.clear()
        container.update(content)


def copy_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    copied: torch.UntypedStorage = storage.clone()  # type: ignore[no-untyped-call]
    return copied


def cuda_is_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Give back the random states of torch, NumPy and Python as they were."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if cuda_is_in_use() else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def untouched(*objects: object) -> Iterator[Safekeeping]:
    """Leave objects and random states as they are, whatever is done with them in the meantime."""
    kept = Safekeeping(*objects)
    with random_states_kept(), torch.inference_mode(False), torch.enable_grad():
        for tensor in kept.tensors:
            if tensor.is_leaf:
                tensor.grad = None
        try:
            yield kept
        finally:
            kept.restore()
