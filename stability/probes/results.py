"""The cache of the probes' results."""

from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar
from weakref import WeakValueDictionary

NEWEST = 32

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def remembered(compute: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Cache the newest results of a function, and all others that are still referred to.

    A finished computation in the registry refers to its result, so drawing it computes nothing.
    """
    known: WeakValueDictionary[object, Result] = WeakValueDictionary()
    newest: deque[Result] = deque(maxlen=NEWEST)

    @wraps(compute)
    def look_up(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        key = (args, *kwargs.items())
        result = known.get(key)
        if result is None:
            result = known[key] = compute(*args, **kwargs)
            newest.append(result)
        return result

    return look_up
