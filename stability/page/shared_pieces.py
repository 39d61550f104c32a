"""Pieces that are made once for all visitors whose pages show the same at the same moment."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

MOST_KEPT = 64  # of the results that were asked for last
FRESH = 0.2  # seconds for which another visitor's drawing is good enough


class SharedPieces:
    """Results by key, each made by the first visitor who asks; the others wait for it."""

    def __init__(self) -> None:
        self._results: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._drawn: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, or returned when this key was last asked for."""
        with self._lock:
            result, is_new = self._results.get(key), key not in self._results
            if result is None:
                result = self._results[key] = Future()
            self._results.move_to_end(key)
            if len(self._results) > MOST_KEPT:
                self._results.popitem(last=False)
        if is_new:
            self._make(key, make, result)
        return result.result()

    def _make(self, key: Hashable, make: Callable[[], Any], result: "Future[Any]") -> None:
        try:
            result.set_result(make())
        except BaseException as failure:  # of those who wait, too; the next one tries again
            with self._lock:
                self._results.pop(key, None)
            result.set_exception(failure)

    def count_to_draw(self, page: Hashable, count: int, before: int) -> int:
        """Return how many measurements a visitor is shown who was shown `before` of these.

        As many as somebody else was shown a moment ago, if that is news.
        """
        with self._lock:
            drawn_at, drawn = self._drawn.get(page, (0.0, 0))
            if before < drawn <= count and time.monotonic() - drawn_at < FRESH:
                return drawn
            self._drawn[page] = time.monotonic(), count
            self._drawn.move_to_end(page)
            if len(self._drawn) > MOST_KEPT:
                self._drawn.popitem(last=False)
            return count
