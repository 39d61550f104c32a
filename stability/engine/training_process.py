"""Trainings in a process of their own.

The threads that draw pages share one interpreter, and a step of training among them takes several
times as long. In another process it neither waits for them nor slows them down, uses another core,
and if memory runs out, the pages stay.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from stability.engine.measurement import Measurement
from stability.engine.process_settings import configure_process
from stability.engine.runs import Run
from stability.engine.streams import Stretch
from stability.engine.training import measure
from stability.engine.workers import allow_workers, available_cores
from stability.i18n import _

# Seconds between two answers, and for how long a training goes on without being asked for more: it
# is computed while a page is drawn, and ends soon after everybody has left.
ANSWER, AHEAD = 0.04, 0.25
START = "start of the training process"
MOST_AT_ONCE = 8  # trainings that compute; the others wait


class TrainingAhead:
    """An experiment that is trained here, for a thread of another process to ask for.

    Threads that train slow each other down: ahead of questions trains only whoever was asked last.
    """

    last_asked: "TrainingAhead | None" = None  # of all

    def __init__(self, *arguments: Any, **how: Any):
        self._source = measure(*arguments, **how)
        self._ready: list[Measurement] = []
        self._changed = threading.Condition()
        self._answers_at = 0.0  # it computes until then at least, by the monotonic clock
        self._is_computing = self._is_over = False
        self._failure: Exception | None = None

    def measurements(self) -> list[Measurement]:
        """Return those since the last call, one at least; none at the end. Raises what `measure`
        raised.
        """
        with self._changed:
            self._answers_at, TrainingAhead.last_asked = time.monotonic() + ANSWER, self
            if not (self._is_computing or self._is_over):
                self._is_computing = True
                trainers().submit(self._compute)
            self._changed.wait_for(lambda: self._is_over, ANSWER)
            self._changed.wait_for(lambda: self._is_over or self._ready)
            ready, self._ready = self._ready, []
            if self._failure and not ready:
                raise self._failure
            return ready

    def _compute(self) -> None:
        while self._is_computing:
            found = self._next()
            with self._changed:
                if found:
                    self._ready.append(found)
                self._is_over = not found
                self._is_computing = bool(found) and time.monotonic() < self._ends_at
                self._changed.notify_all()

    @property
    def _ends_at(self) -> float:
        return self._answers_at + (AHEAD if TrainingAhead.last_asked is self else 0.0)

    def _next(self) -> Measurement | None:
        try:
            return next(self._source, None)
        except Exception as failure:
            self._failure = failure.with_traceback(None)  # which holds the tensors of the step
            return None


@cache
def trainers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="training")


class TrainingProcess(BaseManager):
    """The process, which lives as long as the one that started it."""

    training: Callable[..., TrainingAhead]


TrainingProcess.register("training", TrainingAhead)
_process: TrainingProcess | None = None  # None while there is none, or it does not answer yet


def start_training_process() -> threading.Thread:
    """Start the process, in the background; until it answers, experiments are trained here.

    Returns the thread that waits for its answer.
    """
    thread = threading.Thread(target=_start, name=START, daemon=True)
    thread.start()
    return thread


def _start() -> None:
    global _process
    process = TrainingProcess(ctx=get_context("spawn"))
    process.start(_prepare)
    _process = process


def _prepare() -> None:
    """Make the process fast, and let it end with the one that started it, however that ends."""
    configure_process()
    allow_workers(available_cores())
    with suppress(OSError):  # on Linux: if memory runs out, this process is ended, not the pages'
        Path("/proc/self/oom_score_adj").write_text("500")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        parent.join()
    os._exit(0)


def measure_apart(*arguments: Any, **how: Any) -> Iterator[Measurement | Stretch]:
    """Yield what `measure` yields, from the training process if there is one.

    Raises what `measure` raises, and RuntimeError if the process ends meanwhile; a new one starts.
    """
    global _process
    process = _process
    if not process:
        yield from Run.source(*arguments, **how)
        return
    try:
        training = process.training(*arguments, **how)
        while found := training.measurements():
            yield Stretch(found)
    except (EOFError, ConnectionError) as end:
        if process is _process:
            _process = None
            start_training_process()
        reason = _("the process that trains it has ended, perhaps for want of memory")
        raise RuntimeError(reason) from end


class RunApart(Run):
    """A run that is trained in the training process."""

    @staticmethod
    def source(*arguments: Any, **how: Any) -> Iterator[Measurement | Stretch]:
        """Yield the measurements, as `measure_apart` does."""
        return measure_apart(*arguments, **how)
