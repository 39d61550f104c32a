"""Small experiments, a counted `measure`, and readers in threads: for the tests of runs and their
registry.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from threading import Barrier

import pytest

from stability.engine.measurement import Measurement
from stability.engine.training import measure
from stability.records.experiment import Experiment


def small(**settings) -> Experiment:
    """An experiment whose steps take about a millisecond."""
    plain = {
        "schemes": ("he_normal",),
        "depth": 2,
        "width": 2,
        "features": 2,
        "samples": 64,
        "batch": 2,
        "steps": 12,
    }
    return Experiment(**plain | settings)


class Counted:
    """The real `measure`, counted: how often it was started, and how many measurements were taken
    from it.
    """

    def __init__(self, fails_before: int | None = None):
        self.started, self.pulled, self.fails_before = Counter(), Counter(), fails_before

    def __call__(self, experiment: Experiment, **how) -> Iterator[Measurement]:
        self.started[experiment] += 1
        for measurement in measure(experiment, **how):
            if measurement.step == self.fails_before:
                raise MemoryError("no room")
            self.pulled[experiment] += 1
            yield measurement


@contextmanager
def counting(**how) -> Iterator[Counted]:
    counted = Counted(**how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stability.engine.runs.measure", counted)
        yield counted


def in_threads(count: int, work) -> list:
    """Return what `work(index)` returned in each of so many threads that start together.

    Raises what any of them raised.
    """
    start, interval = Barrier(count), sys.getswitchinterval()

    def begin(index: int):
        start.wait(timeout=60)
        return work(index)

    sys.setswitchinterval(1e-5)  # threads change places in the middle of everything
    try:
        with ThreadPoolExecutor(count) as pool:
            return [
                future.result(timeout=60)
                for future in [pool.submit(begin, index) for index in range(count)]
            ]
    finally:
        sys.setswitchinterval(interval)


def bytes_kept_alive(measurements: list[Measurement]) -> int:
    """Return the bytes that these measurements keep alive.

    They are the objects, their arrays, and whatever memory the arrays are views of.
    """
    objects = {id(thing): thing for thing in [measurements, *measurements]}
    for measurement in measurements:
        for field in fields(Measurement):
            thing = getattr(measurement, field.name)
            while thing is not None and not isinstance(thing, int):
                objects[id(thing)] = thing
                thing = getattr(thing, "base", None)
    return sum(bytes_of_object(thing) for thing in objects.values())


def bytes_of_object(thing: object) -> int:
    """Return the bytes of an array with its own numbers, of a view without them.

    Those of a tensor are counted with its record in C++ and its storage.
    """
    storage = getattr(thing, "untyped_storage", None)
    return sys.getsizeof(thing) + (storage().nbytes() + 400 if storage else 0)
