"""Turns at computing, for the threads of one process.

They share an interpreter, which each operation on tensors gives up and takes back: two networks
that train on two threads at once take longer than one after the other, and twice the processor
time.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TURN = 0.04  # seconds: the data of a turn that is much shorter have left the cache by the next one
LONG_TURN = 0.1  # seconds of computing after which others compute beside it


@dataclass(eq=False)
class ComputingTurn:
    """The claim of a thread to compute, and since when it does, by the monotonic clock."""

    since: float = math.inf

    @property
    def is_over(self) -> bool:
        """True if others should have their turn."""
        return time.monotonic() >= self.since + TURN


class ComputingTurns:
    """Turns at computing: one at a time, who has waited longest comes first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[ComputingTurn] = deque()
        self._computing: set[ComputingTurn] = set()  # one, or more if one takes long

    @contextmanager
    def turn(self) -> Iterator[ComputingTurn]:
        """Wait until it is this thread's turn, which lasts as long as the block."""
        turn = ComputingTurn()
        with self._changed:
            self._waiting.append(turn)
            while turn is not self._waiting[0] or not self._is_free:
                self._changed.wait(LONG_TURN)
            self._waiting.popleft()
            self._computing.add(turn)
            turn.since = time.monotonic()
        try:
            yield turn
        finally:
            with self._changed:
                self._computing.remove(turn)
                self._changed.notify_all()

    @property
    def _is_free(self) -> bool:
        """True if nobody computes, or all who do have taken long."""
        long_ago = time.monotonic() - LONG_TURN
        return all(turn.since <= long_ago for turn in self._computing)
