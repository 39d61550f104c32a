"""Whose page is drawn next: one at a time, as threads that draw share one interpreter.

Two pages that are drawn at once are both ready when the second of them could have been.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stability.page.session import Session

DRAWS_ON, CALM, RESTLESS = range(3)  # the ranks, the first before the others
LOOK_UP = 0.2  # seconds between two looks whether the visitor still waits
LONG_TURN = 1.0  # seconds of drawing after which the next page is drawn beside it
GoOn = Callable[[], object]


@dataclass(eq=False)
class Turn:
    """Somebody's claim to draw; `go_on` raises if the visitor has left or gone on."""

    session: Session
    go_on: GoOn
    rank: int
    since: float
    begins: threading.Event = field(default_factory=threading.Event)
    taken_at: float = 0.0


class DrawingTurns:
    """Turns at drawing: of pages of calm visitors that are drawn already, then of calm visitors
    who come, then of restless ones.

    Within a rank who waits longest comes first; who changes a setting while waiting keeps that
    place.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Turn] = []
        self._drawing: dict[int, Turn] = {}  # by thread: one, or more if one takes long

    @contextmanager
    def turn(self, session: Session, go_on: GoOn) -> Iterator[None]:
        """Wait until this page may be drawn; inside the block it is, but for what is paused."""
        session.waits_since = since = session.waits_since or time.monotonic()
        turn = Turn(session, go_on, RESTLESS if session.is_restless else CALM, since)
        self._take(turn)
        session.waits_since = None
        try:
            yield
        finally:
            self._release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let others draw inside the block, if it is this thread's turn; then draw on."""
        before = self._release()
        yield
        if before:  # an exception is followed by another run, or by a sentence
            rank = RESTLESS if before.rank == RESTLESS else DRAWS_ON
            self._take(Turn(before.session, before.go_on, rank, time.monotonic()))

    def _take(self, turn: Turn) -> None:
        with self._lock:
            self._waiting.append(turn)
        try:
            while not self._begins(turn):
                turn.begins.wait(LOOK_UP)
                turn.go_on()
        finally:
            with self._lock:
                self._waiting.remove(turn)
            self._call_next()

    def _begins(self, turn: Turn) -> bool:
        """Return True, and note it, if it is this one's turn: the first of those who may draw."""
        now = time.monotonic()
        with self._lock:
            turn.begins.clear()
            nobody_draws = all(now - one.taken_at > LONG_TURN for one in self._drawing.values())
            begins = nobody_draws and turn is self._first()
            if begins:
                turn.taken_at, self._drawing[threading.get_ident()] = now, turn
            return begins

    def _first(self) -> Turn | None:
        """Return the turn that comes next."""
        return min(self._waiting, key=lambda turn: (turn.rank, turn.since), default=None)

    def _call_next(self) -> None:
        with self._lock:
            first = self._first()
        if first:
            first.begins.set()

    def _release(self) -> Turn | None:
        """End the turn of this thread. Returns it, None if it had none."""
        with self._lock:
            turn = self._drawing.pop(threading.get_ident(), None)
        self._call_next()
        return turn


TURNS = DrawingTurns()
