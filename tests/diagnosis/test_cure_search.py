"""The search for a cure as a stream: the same cures, in short steps, computed once for all."""

import gc
import math
from dataclasses import replace
from functools import cache
from weakref import WeakSet

import pytest
from small_runs import counting, in_threads, small

from stability.diagnosis.cure_search import CURE_BYTES, CureSearch, best_first, describe_change
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.trials import Cure, SickNetwork, cures
from stability.engine.registry import Registry
from stability.engine.runs import Run
from stability.records.experiment import Experiment

pytestmark = pytest.mark.case
SICK = small(
    schemes=("he_normal", "normal:0.001"),
    depth=3,
    width=16,
    features=8,
    batch=32,
    steps=6,
    learning_rate=0.5,
)
SICK_NETWORK = SickNetwork.of(SICK, "normal:0.001")
HOPELESS = replace(SICK, steps=1, learning_rate=1e-6)


@cache
def found_cures() -> list[Cure]:
    """All changes of the sick network, tried once for all tests."""
    return list(CureSearch(SICK_NETWORK))


def spelled(tried: list[Cure]) -> list[str]:
    """The cures as texts, in which one NaN equals another."""
    return list(map(repr, tried))


@pytest.mark.parametrize("e", [SICK, HOPELESS], ids=["curable", "hopeless"])
def test_a_search_yields_what_the_library_yields_and_ends_with_it(e):
    search = CureSearch(SickNetwork.of(e, "normal:0.001"))
    found = list(search)
    assert spelled(found) == spelled(list(cures(e, "normal:0.001")))
    assert search.finished
    assert len(found) <= search.last_index + 1
    assert search.cure_count == sum(cure.cures for cure in found)
    pairs = len(found) - search.record.change_count
    assert bool(pairs) == (e is HOPELESS), "pairs are tried where no single change cures"
    assert bool(search.cure_count) == (e is SICK)


def test_what_was_found_stays_and_is_the_same_whatever_stands_beside_the_network():
    registry = Registry({SickNetwork: CureSearch})
    search = registry.open(SICK_NETWORK)
    first = list(search)
    alone = SickNetwork.of(replace(SICK, schemes=("normal:0.001",)), "normal:0.001")
    again = registry.open(alone)
    assert again is search
    with counting() as counted:
        assert all(one is other for one, other in zip(again, first, strict=True))
    assert not counted.started


def test_two_readers_share_one_search_that_trains_each_change_once():
    search = CureSearch(SICK_NETWORK)
    with counting() as counted:
        one, other = in_threads(2, lambda index: list(search))
    assert spelled(one) == spelled(other)
    assert set(counted.started.values()) == {1}


def test_a_reader_may_leave_within_a_change_and_nothing_is_trained_twice():
    search = CureSearch(SICK_NETWORK)

    def leave() -> None:
        raise InterruptedError

    with counting() as counted:
        for _ in range(5):
            with pytest.raises(InterruptedError):
                search.advance(math.inf, between_steps=leave)
        assert not search.measurements, "one step each"
        assert sum(counted.pulled.values()) == 5
        search.train()
    assert set(counted.started.values()) == {1}
    assert spelled(search.measurements) == spelled(found_cures())


def test_others_are_served_between_two_steps_of_a_search(monkeypatch):
    # However slow this machine is just now: the search has not had its first turn when a run comes.
    monkeypatch.setattr("stability.engine.registry.FIRST_TURN", math.inf)
    registry = Registry({SickNetwork: CureSearch, Experiment: Run}, soon=0.0)
    search, run = registry.open(SICK_NETWORK), registry.open(small(seed=3))
    following = registry.follow(search, search.last_index + 1, 0.0)
    assert next(following) == 0
    with registry.attend(run):
        assert registry.queue_position(run) == 1
        assert next(following) == 0, "its turn was not over"
        assert registry.queue_position(run) == 0
        assert next(following) == 1
        run.train()
        assert next(following) == 0
    following.close()
    assert not search.finished


def living_runs() -> WeakSet[Run]:
    """All runs of this process: the registry of a page keeps those of other tests."""
    gc.collect()
    return WeakSet(thing for thing in gc.get_objects() if type(thing) is Run)


def test_a_finished_search_keeps_no_run_and_its_cost_grows_with_the_networks():
    before = living_runs()
    search = CureSearch(SickNetwork.of(replace(HOPELESS, seed=77), "normal:0.001"))
    search.advance(0.0)
    assert search.nbytes > 10**6, "of the run that trains"
    assert living_runs() - before
    search.train()
    assert not living_runs() - before
    assert search.nbytes == CURE_BYTES * len(search.measurements)
    wide = SickNetwork.of(replace(SICK, width=128), "normal:0.001")
    assert wide.cost.operations > 4 * SICK_NETWORK.cost.operations
    assert wide.cost.bytes > SICK_NETWORK.cost.bytes


def test_the_best_cure_comes_first_and_what_diverged_last():
    found = best_first(found_cures())
    assert [cure.cures for cure in found] == sorted((cure.cures for cure in found), reverse=True)
    for group in (True, False):
        losses = [cure.loss for cure in found if cure.cures == group]
        finite = [loss for loss in losses if not math.isnan(loss)]
        assert losses[: len(finite)] == sorted(finite)


def test_a_change_is_named_by_its_settings():
    both = Remedy("he_normal", (("optimizer", "adam"), ("learning_rate", 0.001)))
    assert describe_change(both) == "He (normal), optimizer Adam, learning rate 0.001"
