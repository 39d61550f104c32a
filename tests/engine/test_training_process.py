"""The process that trains: its measurements are those of this one, and its end is survived."""

import math
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest

from stability.engine import training_process
from stability.engine.failures import RunError
from stability.engine.runs import Run
from stability.engine.training_process import (
    PROCESSES,
    RunApart,
    TrainingAhead,
    TrainingProcess,
    call_apart,
    start_training_process,
)
from stability.records.experiment import Experiment

pytestmark = pytest.mark.process
SMALL = Experiment(depth=4, width=8, samples=64, batch=16, steps=30)
LONG = Experiment(depth=4, width=8, samples=64, batch=16, steps=5000)
SECONDS = 60  # at most, until something happens that is waited for


@pytest.fixture(scope="module", autouse=True)
def process() -> Iterator[None]:
    start_training_process().join(SECONDS)
    yield
    for one in until_started():
        one.shutdown()
    PROCESSES._asked.clear()


def until_started() -> list[TrainingProcess]:
    """The processes, once all answer."""
    for thread in threading.enumerate():
        if thread.name == training_process.START:
            thread.join(SECONDS)
    assert PROCESSES._asked
    return list(PROCESSES._asked)


def same(run: Run, other: Run) -> bool:
    return len(run.measurements) == len(other.measurements) and all(
        np.array_equal(getattr(one, field.name), getattr(another, field.name), equal_nan=True)
        for one, another in zip(run.measurements, other.measurements, strict=True)
        for field in fields(one)
        if getattr(one, field.name) is not None
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schemes": "normal:9", "replicates": 2, "optimizer": "adam"},
        {"precision": "float16_scaled", "dropout": 0.2, "normalization": "layer"},
    ],
)
def test_a_run_is_bitwise_the_same_in_either_process(settings):
    e = Experiment(**SMALL.settings() | settings)
    assert same(RunApart(e).train(), Run(e).train())


def test_what_the_engine_raises_there_is_raised_here():
    with pytest.raises(RunError, match=r"step 0: .*nowhere"):
        RunApart(SMALL, device="nowhere").train()
    assert RunApart(SMALL).train().finished


def test_a_training_rests_soon_after_nobody_asks_for_more_and_goes_on_when_asked():
    training = TrainingAhead(LONG)
    count = len(training.measurements())
    with training._changed:
        assert training._changed.wait_for(lambda: not training._is_computing, SECONDS)
        ahead = len(training._ready)
    assert count + ahead < LONG.steps
    assert training.measurements()[0].step == count


def test_only_the_training_that_was_asked_last_goes_on_by_itself(monkeypatch):
    monkeypatch.setattr(training_process, "AHEAD", 3600.0)
    first, last = TrainingAhead(LONG), TrainingAhead(LONG)
    first.measurements()
    last.measurements()
    with first._changed:
        assert first._changed.wait_for(lambda: not first._is_computing, SECONDS)
        assert not first._is_over
    assert TrainingAhead.last_asked is last
    first.measurements()  # so that the last one rests


def test_a_run_whose_process_was_killed_says_so_and_goes_on_in_another_one():
    run, [process] = RunApart(LONG), until_started()
    run.advance(0.1)
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="the process that trains it has ended"):
        run.train()
    assert len(run.measurements) <= LONG.steps
    assert process not in until_started()
    short = RunApart(SMALL)
    assert run.advance(0.1) is None
    assert same(short.train(), Run(SMALL).train())
    alone = Run(LONG)
    alone.measurement_at(len(run.measurements) - 1)
    assert [m.loss.tolist() for m in run.measurements] == [
        m.loss.tolist() for m in alone.measurements
    ]


def test_a_function_is_called_there_and_raises_here():
    assert call_apart(os.getpid) == until_started()[0]._process.pid
    with pytest.raises(ValueError, match="math domain error"):
        call_apart(math.sqrt, -1.0)


def test_a_function_is_called_here_where_no_process_answers(monkeypatch):
    monkeypatch.setattr(PROCESSES, "_asked", {})
    assert call_apart(os.getpid) == os.getpid()


def test_a_second_process_starts_when_the_first_is_busy_and_no_third(monkeypatch):
    monkeypatch.setattr(PROCESSES, "most", 2)
    [first] = until_started()
    assert PROCESSES.least_asked() is first
    assert until_started() == [first], "one that rests is enough"
    with PROCESSES.asking(first):
        assert PROCESSES.least_asked() is first, "until the second one answers"
        [second] = set(until_started()) - {first}
        assert [PROCESSES.least_asked() for _ in range(2)] == [second, second]
        with PROCESSES.asking(second):
            in_turns = [PROCESSES.least_asked() for _ in range(3)]
            assert in_turns == [first, second, first]
            assert set(until_started()) == {first, second}
    run, alone = RunApart(SMALL), Run(SMALL)
    with PROCESSES.asking(first):
        assert same(run.train(), alone.train())
    second.shutdown()
    del PROCESSES._asked[second]


STARTS = """
import os, signal
from stability.engine.training_process import PROCESSES, start_training_process
start_training_process().join()
[process] = PROCESSES._asked
print(process._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_ends_with_the_one_that_started_it_even_if_that_is_killed():
    ended = subprocess.run([sys.executable, "-c", STARTS], capture_output=True, text=True)
    try:
        line = os.pidfd_open(int(ended.stdout))
    except ProcessLookupError:
        return  # it is gone already
    assert select.select([line], [], [], SECONDS)[0]
    os.close(line)
