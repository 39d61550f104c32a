"""Trainings in processes of their own.

The threads that draw pages share one interpreter, and a step of training among them takes several
times as long. In another process it neither waits for them nor slows them down, uses another core,
and if memory runs out, the pages stay. A further process starts when a training begins while all
are asked for others.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import get_context, parent_process
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any, TypeVar

from stability.engine.computing_turns import ComputingTurns
from stability.engine.measurement import Measurement
from stability.engine.process_settings import configure_process
from stability.engine.runs import Run
from stability.engine.streams import Stretch
from stability.engine.training import measure
from stability.engine.workers import allow_workers, available_cores
from stability.i18n import _

Returned = TypeVar("Returned")
# Seconds between two answers, and for how long a training goes on without being asked for more: it
# is computed while a page is drawn, and ends soon after everybody has left.
ANSWER, AHEAD = 0.04, 0.25
START = "start of the training process"
MOST_AT_ONCE = 8  # trainings that compute; the others wait
TURNS = ComputingTurns()


class TrainingAhead:
    """An experiment that is trained here, for a thread of another process to ask for.

    Threads that train slow each other down: they take turns, and ahead of questions trains
    only whoever was asked last.
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
        goes_on = True
        while goes_on:
            with TURNS.turn() as turn:
                while goes_on and not turn.is_over:
                    goes_on = self._step()

    def _step(self) -> bool:
        """Make one step. Returns False if it was the last one, until somebody asks for more."""
        found = self._next()
        with self._changed:
            if found:
                self._ready.append(found)
            self._is_over = not found
            self._is_computing = goes_on = bool(found) and time.monotonic() < self._ends_at
            if not goes_on or len(self._ready) == 1:  # what somebody may wait for
                self._changed.notify_all()
        return goes_on  # not _is_computing, which is another thread's from here on

    @property
    def _ends_at(self) -> float:
        return self._answers_at + (AHEAD if TrainingAhead.last_asked is self else 0.0)

    def _next(self) -> Measurement | None:
        try:
            return next(self._source, None)
        except Exception as failure:
            self._failure = failure.with_traceback(None)  # which holds the tensors of the step
            return None


class CallHere:
    """A call of a function in this process, for a thread of another one."""

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self._function, self._arguments = function, arguments

    def result(self) -> Any:
        with TURNS.turn():
            return self._function(*self._arguments)


@cache
def trainers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="training")


class TrainingProcess(BaseManager):
    """The process, which lives as long as the one that started it."""

    training: Callable[..., TrainingAhead]
    call: Callable[..., CallHere]


TrainingProcess.register("training", TrainingAhead)
TrainingProcess.register("call", CallHere)


class TrainingProcesses:
    """The processes of this program that train: none until the first one answers."""

    def __init__(self, most: int = 1):
        self.most = most
        self._asked: dict[TrainingProcess, int] = {}  # of how many trainings, at this moment
        self._starting = 0
        self._lock = threading.Lock()

    def start(self) -> threading.Thread:
        """Start one more, in the background. Returns the thread that waits for its answer."""
        with self._lock:
            self._starting += 1
        thread = threading.Thread(target=self._start, name=START, daemon=True)
        thread.start()
        return thread

    def _start(self) -> None:
        process = TrainingProcess(ctx=get_context("spawn"))
        try:
            process.start(_prepare)
        finally:
            with self._lock:
                self._starting -= 1
        self._asked[process] = 0

    def least_asked(self) -> TrainingProcess | None:
        """Return the process for a new training, or None; start one more if all are busy.

        Of those that are asked alike it is the one that was returned longest ago.
        """
        with self._lock:
            process = min(self._asked, key=self._asked.__getitem__, default=None)
            if process:
                self._asked[process] = self._asked.pop(process)  # now the last
            is_free = not process or not self._asked[process]
            has_room = len(self._asked) + self._starting < self.most
        if has_room and not is_free:
            self.start()
        return process

    @contextmanager
    def asking(self, process: TrainingProcess) -> Iterator[None]:
        """Ask a process; if it has ended, the first to notice starts another one."""
        self._count(process, 1)
        try:
            yield
        except (EOFError, ConnectionError):
            with self._lock:
                is_news = self._asked.pop(process, None) is not None
            if is_news:
                self.start()
            raise
        finally:
            self._count(process, -1)

    def _count(self, process: TrainingProcess, change: int) -> None:
        with self._lock:
            if process in self._asked:
                self._asked[process] += change


PROCESSES = TrainingProcesses()


def start_training_process(most: int = 1) -> threading.Thread:
    """Start the first of up to `most` training processes, in the background.

    Until it answers, experiments are trained here. Returns the thread that waits for its answer.
    """
    PROCESSES.most = most
    return PROCESSES.start()


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
    """Yield what `measure` yields, from a training process if there is one.

    Raises what `measure` raises, and RuntimeError if the process ends meanwhile; a new one starts.
    """
    process = PROCESSES.least_asked()
    if not process:
        yield from Run.source(*arguments, **how)
        return
    try:
        with PROCESSES.asking(process):
            training = process.training(*arguments, **how)
        while True:
            with PROCESSES.asking(process):
                found = training.measurements()
            if not found:
                return
            yield Stretch(found)
    except (EOFError, ConnectionError) as end:
        reason = _("the process that trains it has ended, perhaps for want of memory")
        raise RuntimeError(reason) from end


def call_apart(function: Callable[..., Returned], *arguments: Any) -> Returned:
    """Return what a function of a module returns, called in a training process if there is one."""
    process = PROCESSES.least_asked()
    if process:
        with suppress(EOFError, ConnectionError), PROCESSES.asking(process):
            found: Returned = process.call(function, *arguments).result()
            return found
    return function(*arguments)


class RunApart(Run):
    """A run that is trained in a training process."""

    @staticmethod
    def source(*arguments: Any, **how: Any) -> Iterator[Measurement | Stretch]:
        """Yield the measurements, as `measure_apart` does."""
        return measure_apart(*arguments, **how)
