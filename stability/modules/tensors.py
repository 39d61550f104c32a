"""Tensors in whatever they come in: tuples, lists, dicts, and objects with fields."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

MOST_NESTED = 8  # levels of containers that are looked into


def tensors_in(thing: Any, level: int = 0) -> Iterator[Tensor]:
    """Yield the tensors of nested containers, in order."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, PackedSequence):
        yield thing.data
    elif level < MOST_NESTED:
        if isinstance(thing, Mapping):
            parts = list(thing.values())
        elif isinstance(thing, list | tuple | set | frozenset):
            parts = list(thing)
        elif is_dataclass(thing) and not isinstance(thing, type):
            parts = list(vars(thing).values())
        else:
            return
        for part in parts:
            yield from tensors_in(part, level + 1)


def call_module(module: Any, inputs: Any) -> Any:
    """Call a module as `module(x)`, `module(*inputs)` of a tuple, `module(**inputs)` of a dict."""
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return module(*inputs)
    return module(**inputs) if isinstance(inputs, dict) else module(inputs)


def map_tensors(function: Any, thing: Any) -> Any:
    """Return the same containers with another tensor in the place of each."""
    if isinstance(thing, Tensor):
        return function(thing)
    if isinstance(thing, dict):
        return type(thing)({key: map_tensors(function, value) for key, value in thing.items()})
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return type(thing)(*(map_tensors(function, part) for part in thing))
    if isinstance(thing, list | tuple):
        return type(thing)(map_tensors(function, part) for part in thing)
    return thing


def trainable(things: Any) -> Any:
    """Return the same, with copies of tensors that were made for inference alone."""
    return map_tensors(lambda x: x.clone() if x.is_inference() else x, things)


def batch_size(inputs: Any, targets: Any) -> int | None:
    """Return the number of examples: the length that inputs and targets share, or None."""
    given = [t.shape for t in tensors_in(inputs) if t.dim() > 0]
    wanted = [t.shape for t in tensors_in(targets) if t.dim() > 0]
    if not given:
        return None
    first = given[0][0]
    # Time may come first: then it is the second axis whose length the targets have.
    second = given[0][1] if len(given[0]) > 2 else None
    if wanted and wanted[0][0] != first and second == wanted[0][0]:
        return second
    return first


def batch_axis(shape: tuple[int, ...], examples: int | None) -> int | None:
    """Return the axis over which examples lie; the first where they are folded into one."""
    if not shape or not examples:
        return None
    if examples in shape:
        return shape.index(examples)
    return 0 if shape[0] % examples == 0 and shape[0] else None
