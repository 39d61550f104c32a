"""The threads of a training process compute in turns, and none waits long for another."""

import math
import threading
import time
from itertools import pairwise

import pytest

from stability.engine import computing_turns, training_process
from stability.engine.computing_turns import ComputingTurns
from stability.engine.training_process import TrainingAhead
from stability.records.experiment import Experiment


def start(turns: ComputingTurns, name: str, order: list[str]) -> threading.Thread:
    """A thread that waits for a turn, and notes when it has it."""

    def compute() -> None:
        with turns.turn():
            order.append(name)

    waiting = len(turns._waiting)
    thread = threading.Thread(target=compute)
    thread.start()
    while len(turns._waiting) == waiting and thread.is_alive():
        time.sleep(0.001)
    return thread


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(computing_turns, "LONG_TURN", 60.0)


def test_who_has_waited_longest_comes_first(patient):
    turns, order = ComputingTurns(), []
    with turns.turn():
        threads = [start(turns, name, order) for name in ("first", "second", "third")]
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second", "third"]


def test_others_compute_beside_one_that_takes_long():
    turns, order = ComputingTurns(), []
    with turns.turn():
        start(turns, "other", order).join(10)
        assert order == ["other"]


def test_a_turn_ends_with_an_exception(patient):
    turns, order = ComputingTurns(), []
    with pytest.raises(ValueError, match="in a step"), turns.turn():
        raise ValueError("in a step")
    start(turns, "other", order).join(10)
    assert order == ["other"]


def test_a_turn_is_over_after_a_while(monkeypatch):
    turns = ComputingTurns()
    monkeypatch.setattr(computing_turns, "TURN", math.inf)
    with turns.turn() as turn:
        assert not turn.is_over
        monkeypatch.setattr(computing_turns, "TURN", 0.0)
        assert turn.is_over


def test_of_two_trainings_each_makes_its_steps_together(patient, monkeypatch):
    """Both are asked at once, and give the same measurements as one after the other."""
    monkeypatch.setattr(training_process, "TURNS", ComputingTurns())
    e = Experiment(depth=4, width=8, samples=64, batch=16, steps=60)
    order, found = [], {}

    class Counted(TrainingAhead):
        def _next(self):
            order.append(id(self))
            return super()._next()

    def read(seed: int) -> None:
        training = Counted(Experiment(**{**e.settings(), "seed": seed}))
        found[seed] = []
        while measurements := training.measurements():
            found[seed] += measurements

    threads = [threading.Thread(target=read, args=[seed]) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(found[seed]) for seed in (1, 2)] == [61, 61]
    changes = sum(one != other for one, other in pairwise(order))
    assert changes < 20  # without turns at about every step, which makes 120
