"""How many blocks of networks train at once: one, or as many as there are processors.

Two threads take half the time on idle cores, and longer than one on cores that others use. So each
run tries both, and keeps to what was faster of late. Blocks share nothing: results do not depend on
it.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

STEPS_BETWEEN_TRIALS = 50  # of what was slower
Item = TypeVar("Item")
Result = TypeVar("Result")

_most_at_once = 1


def allow_workers(count: int) -> None:
    """Let runs that begin from now on train up to `count` blocks at once, each on a thread."""
    global _most_at_once
    _most_at_once = count


def available_cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def thread_pool() -> ThreadPoolExecutor:
    # On a thread of its own, MKL takes all cores for a product unless torch has said otherwise. One
    # is then the default of all threads that begin later, too.
    return ThreadPoolExecutor(available_cores(), "block", torch.set_num_threads, (1,))


class Workers:
    """The choice of one run between one thread and several."""

    def __init__(self) -> None:
        self.most = _most_at_once
        self.seconds = {1: 0.0} | {self.most: 0.0}  # of a step, of late; 0 if not yet tried
        self.steps = 0

    def map(
        self, work: Callable[[Item], Result], items: Sequence[Item], is_typical: bool = True
    ) -> list[Result]:
        """Return the results of all items. Time counts only of steps that are like the others."""
        count = self._next_count() if len(items) > 1 else 1
        start = time.perf_counter()
        results = list(map(work, items) if count == 1 else thread_pool().map(work, items))
        if is_typical:
            took, before = time.perf_counter() - start, self.seconds[count]
            self.seconds[count] = (took + 2 * before) / 3 if before else took
        return results

    def _next_count(self) -> int:
        self.steps += 1
        choose = min if self.steps % STEPS_BETWEEN_TRIALS else max
        return choose(self.seconds, key=lambda count: self.seconds[count])
