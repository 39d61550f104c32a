"""The registry: one run for equal settings, what it drops, and who may train now."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from small_runs import counting, in_threads, small

from stability.engine.cost import Cost
from stability.engine.failures import RunError
from stability.engine.process_settings import configure_process
from stability.engine.registry import MOST_PAUSED, OUTRAN, STREAM_BYTES, Probe, Registry
from stability.engine.runs import Run
from stability.records.experiment import Experiment

configure_process()  # as on the page: the garbage collector skips all that was imported


def registry_of_runs(**limits) -> Registry:
    return Registry({Experiment: Run}, **limits)


def test_equal_experiments_have_one_run_and_others_have_their_own():
    registry = registry_of_runs()
    run = registry.open(small(seed=1))
    assert registry.open(small(seed=1)) is run
    assert registry.open(small(seed=2)) is not run
    assert registry.open(Experiment.from_query(small(seed=1).to_query())[0]) is run


def test_readers_who_open_one_experiment_together_get_one_run():
    for _ in range(20):
        registry = registry_of_runs()
        assert (
            len(
                {
                    id(run)
                    for run in in_threads(
                        8, lambda index, registry=registry: registry.open(small())
                    )
                }
            )
            == 1
        )


def alive(runs: list[weakref.ref]) -> list[int]:
    """The places in the list of the runs that something still holds."""
    gc.collect()
    return [index for index, run in enumerate(runs) if run() is not None]


def opened(registry: Registry, seed: int) -> weakref.ref:
    """A finished run that nothing but the registry holds."""
    run = registry.open(small(seed=seed))
    with registry.attend(run):
        assert list(run)
    return weakref.ref(run)


def test_the_least_recently_opened_runs_are_dropped_by_bytes():
    one = Run(small())
    assert list(one)
    registry = registry_of_runs(most_bytes=int((one.nbytes + STREAM_BYTES) * 4.5))
    runs = [opened(registry, seed) for seed in range(4)]
    assert alive(runs) == [0, 1, 2, 3]
    registry.open(small(seed=0))  # now 1 is the oldest
    runs += [opened(registry, seed) for seed in (4, 5)]
    assert 0 in alive(runs)
    assert alive(runs)[-2:] == [4, 5]
    assert 1 not in alive(runs)
    registry.open(small(seed=0))
    assert sum(runs[index]().nbytes for index in alive(runs)) <= registry.most_bytes


def test_a_run_that_somebody_attends_is_never_dropped():
    registry = registry_of_runs(most_bytes=0)
    with registry.attend(registry.open(small(seed=0))):
        runs = [opened(registry, seed) for seed in range(5)]
        assert alive(runs) == [0, 4], "the attended one and the newest"
    registry.open(small(seed=9))
    assert alive(runs) == []


def test_a_run_that_was_dropped_while_somebody_still_had_it_in_hand_does_not_block_its_successor():
    """Between opening and attending others may open theirs."""
    registry = registry_of_runs(most_bytes=0)
    dropped = registry.open(small(seed=0))
    registry.open(small(seed=1))
    with ExitStack() as late:
        with registry.attend(dropped):
            successor = registry.open(small(seed=0))
            late.enter_context(registry.attend(successor))
            assert [registry.queue_position(run) for run in (dropped, successor)] == [0, 1]
        assert registry.queue_position(successor) == 0
        runs = [opened(registry, seed) for seed in range(2, 4)]
        assert alive(runs) == [1]
        assert registry.open(small(seed=0)) is successor, "it is attended"
    other = registry.open(small(seed=2))
    with registry.attend(other):
        assert registry.queue_position(other) == 0


class WeighedRun(Run):
    """A run that counts how often it is asked for its bytes."""

    asked = 0

    @property
    def nbytes(self) -> int:
        self.asked += 1
        return super().nbytes


def test_the_total_of_all_bytes_is_kept_and_nobody_else_is_asked_when_a_run_is_opened():
    registry = Registry({Experiment: WeighedRun})
    runs = [registry.open(small(seed=seed)) for seed in range(5)]
    for run in runs:
        assert list(registry.follow(run, run.last_index + 1, 1.0))
    assert registry.total_bytes == sum(run.nbytes + STREAM_BYTES for run in runs)
    before = [run.asked for run in runs]
    registry.open(small(seed=0))
    assert [run.asked for run in runs[1:]] == before[1:]
    registry.most_bytes = 0
    registry.open(small(seed=9))
    assert registry.total_bytes == registry.open(small(seed=9)).nbytes + STREAM_BYTES


# The queue


class Visitors(RuleBasedStateMachine):
    """Any order of opening, attending, training and leaving, against a list of who came first."""

    opened = Bundle("opened")

    @initialize(slots=st.integers(1, 3), most_bytes=st.sampled_from([0, 2**29]))
    def start(self, slots: int, most_bytes: int):
        self.registry = registry_of_runs(most_bytes=most_bytes, slots=slots)
        self.visits: list[tuple[Run, ExitStack]] = []
        self.queue: list[Run] = []  # who is attended, first come first
        self.registered: set[Run] = (
            set()
        )  # those that were opened last for their settings, and attended ever since

    @rule(target=opened, seed=st.integers(0, 2))
    def open(self, seed: int):
        run = self.registry.open(small(seed=seed, steps=3))
        self.registered.intersection_update(self.queue)
        assert {run} >= {one for one in self.registered if one.experiment == run.experiment}
        self.registered.add(run)
        return run

    @rule(run=opened)
    def attend(self, run: Run):
        visit = ExitStack()
        visit.enter_context(self.registry.attend(run))
        self.visits.append((run, visit))
        self.queue += [run] if run not in self.queue else []

    @rule(data=st.data())
    def leave(self, data):
        if self.visits:
            run, visit = self.visits.pop(data.draw(st.integers(0, len(self.visits) - 1)))
            visit.close()
            if run not in [other for other, _ in self.visits]:
                self.queue.remove(run)

    @rule(data=st.data(), count=st.integers(1, 3))
    def train(self, data, count: int):
        mine = [run for run in self.queue if self.registry.queue_position(run) == 0]
        if mine:
            run = data.draw(st.sampled_from(mine))
            for _ in range(count):
                run.advance(0)

    @invariant()
    def first_come_first_served(self):
        waiting = [run for run in self.queue if not run.finished]
        for index, run in enumerate(waiting):
            assert self.registry.queue_position(run) == max(0, index + 1 - self.registry.slots)
        for run in self.queue:
            assert not run.finished or self.registry.queue_position(run) == 0

    def teardown(self):
        for _, visit in getattr(self, "visits", []):
            visit.close()


def test_trainings_run_one_after_another_in_the_order_in_which_they_were_asked_for():
    run_state_machine_as_test(Visitors, settings=settings(max_examples=60, stateful_step_count=25))


def test_who_waits_sees_how_many_trainings_come_first_and_moves_up_as_they_end_or_are_left():
    registry = registry_of_runs()
    runs = [registry.open(small(seed=seed)) for seed in range(4)]
    with ExitStack() as stay:
        visits = [stay.enter_context(ExitStack()) for _ in runs]
        for run, visit in zip(runs, visits, strict=True):
            visit.enter_context(registry.attend(run))
        assert [registry.queue_position(run) for run in runs] == [0, 1, 2, 3]
        assert list(runs[0])  # the first ends
        assert [registry.queue_position(run) for run in runs] == [0, 0, 1, 2]
        visits[2].close()  # a waiting one is left
        assert [registry.queue_position(run) for run in runs[1::2]] == [0, 1]
        visits[1].close()  # the training one is left
        assert registry.queue_position(runs[3]) == 0
        with registry.attend(runs[1]):  # and comes back, behind
            assert registry.queue_position(runs[1]) == 1


def test_a_second_viewer_waits_no_longer_than_the_first_and_stays_when_the_first_leaves():
    registry = registry_of_runs()
    first, second = registry.open(small(seed=0)), registry.open(small(seed=1))
    with ExitStack() as early, registry.attend(second), registry.attend(first):
        early.enter_context(registry.attend(first))
        assert (registry.queue_position(second), registry.queue_position(first)) == (0, 1)
    with registry.attend(first):
        with registry.attend(second), registry.attend(first):
            assert (registry.queue_position(first), registry.queue_position(second)) == (0, 1)
        assert registry.queue_position(first) == 0


def test_a_run_that_everybody_left_has_stopped_and_can_be_resumed():
    registry = registry_of_runs()
    with counting() as counted:
        run = registry.open(small())
        with registry.attend(run):
            run.advance(0)
        other = registry.open(small(seed=1))
        with registry.attend(other):
            assert registry.queue_position(other) == 0
            assert list(other)
        assert counted.pulled[run.experiment] == 1
        with registry.attend(registry.open(small())):
            assert len(list(run)) == 13
        assert counted.pulled[run.experiment] == 13
        assert counted.started[run.experiment] == 1


# Turns


class SlowRun(Run):
    """A run each of whose steps counts as a second."""

    def _pull(self) -> None:
        super()._pull()
        self.seconds = float(len(self.measurements))


def test_of_many_runs_that_were_left_only_the_last_ones_keep_their_state_and_all_can_go_on():
    registry = registry_of_runs()
    runs = [registry.open(small(seed=seed)) for seed in range(MOST_PAUSED + 3)]
    for run in runs:
        with closing(registry.follow(run, 3, 0.0)) as positions:
            assert next(positions) == 0
    kept = [run._source is not None for run in runs]
    assert kept == [False] * 3 + [True] * MOST_PAUSED
    for run in (runs[0], runs[-1]):
        count = len(run.measurements)
        assert 0 < count < small().steps
        losses = [m.loss.tolist() for m in run.train().measurements]
        assert losses == [m.loss.tolist() for m in Run(run.experiment)]


def test_long_runs_take_turns_and_who_has_had_none_comes_before_those_that_had():
    registry = Registry({Experiment: SlowRun}, soon=0.0, at_once=0.0)
    one, two, late = runs = [registry.open(small(seed=seed)) for seed in range(3)]

    def positions() -> list[int]:
        return [registry.queue_position(run) for run in runs]

    with ExitStack() as stay:
        ways = {
            run: stay.enter_context(closing(registry.follow(run, 13, 0.0))) for run in (one, two)
        }
        stay.enter_context(registry.attend(one))
        stay.enter_context(registry.attend(two))
        assert positions()[:2] == [0, 1]
        next(ways[one])  # its first turn is over
        assert positions()[:2] == [1, 0]
        stay.enter_context(registry.attend(late))
        assert positions() == [2, 0, 1], "it has had no turn yet"
        next(ways[two])
        assert positions() == [1, 2, 0]
        late.advance(1e9)
        assert late.finished
        before = len(one.measurements)
        while registry.queue_position(one) == 0:
            next(ways[one])
        assert len(one.measurements) - before == 2, "a later turn is longer"
        assert positions() == [1, 0, 0]


def test_who_has_nobody_beside_them_goes_on_turn_after_turn():
    registry = Registry({Experiment: SlowRun}, soon=0.0, at_once=0.0)
    run = registry.open(small())
    assert set(registry.follow(run, 13, 0.0)) == {0}
    assert run.finished


def test_a_run_that_takes_far_longer_than_foreseen_is_stopped_and_keeps_what_it_has():
    registry = Registry({Experiment: SlowRun}, soon=0.0, at_once=0.0)
    run, other = registry.open(small()), registry.open(small(seed=1))
    for _ in range(2):
        assert set(registry.follow(other, 13, 0.0, most_seconds=3.0)) <= {0}
        assert (len(other.measurements), other.finished) == (3, False)
    assert other.stopped == OUTRAN
    with registry.attend(other), registry.attend(run):
        assert registry.queue_position(run) == 0
        assert registry.queue_length() == 1
    assert len(list(other)) == 13, "read by itself it goes on where it stopped"


# Failures


def test_a_failed_training_does_not_hold_up_the_queue():
    registry = registry_of_runs()
    with counting(fails_before=2):
        failing = registry.open(small(seed=0))
        waiting = registry.open(small(seed=1, steps=1))
        with ExitStack() as stay:
            with registry.attend(failing):
                stay.enter_context(registry.attend(waiting))
                assert registry.queue_position(waiting) == 1
                with pytest.raises(RunError):
                    list(failing)
            assert registry.queue_position(waiting) == 0
            assert len(list(waiting)) == 2


def test_leaving_by_an_exception_leaves_the_queue():
    registry = registry_of_runs()
    run, other = registry.open(small(seed=0)), registry.open(small(seed=1))
    with pytest.raises(KeyboardInterrupt), registry.attend(run):
        raise KeyboardInterrupt
    with registry.attend(other):
        assert registry.queue_position(other) == 0


# Following


def test_who_follows_gets_the_measurements_that_were_asked_for_and_leaves_the_queue():
    registry = registry_of_runs()
    run, other = registry.open(small(seed=0)), registry.open(small(seed=1))
    positions = list(registry.follow(run, 5, 0.0))
    assert set(positions) == {0}
    assert len(run.measurements) == 5
    assert list(registry.follow(run, 5, 0.0)) == []
    with registry.attend(other):
        assert registry.queue_position(other) == 0


def counts_when_shown(**waits: float) -> list[int]:
    """How many measurements of 13 there are whenever who follows a run with patience is asked to
    look.
    """
    registry = registry_of_runs(**waits)
    run = registry.open(small())
    return [len(run.measurements) for _ in registry.follow(run, 13, 3600.0)]


def test_a_run_that_is_over_in_a_moment_is_shown_once():
    assert counts_when_shown(soon=3600.0, at_once=0.0) == [13]
    assert counts_when_shown(soon=0.0, at_once=3600.0) == [13], "it is near its end, by its speed"


def test_a_longer_run_is_first_shown_as_soon_as_there_is_a_curve():
    assert counts_when_shown(soon=0.0, at_once=0.0) == [2, 13]


def test_who_leaves_between_two_steps_has_left_the_queue_and_the_run_can_go_on():
    registry = registry_of_runs(soon=3600.0)
    run, other = registry.open(small(seed=0)), registry.open(small(seed=1))

    def leave_after_four() -> None:
        if len(run.measurements) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(registry.follow(run, 13, 3600.0, leave_after_four))
    assert len(run.measurements) == 4
    with registry.attend(other):
        assert registry.queue_position(other) == 0
    with counting() as counted:
        list(registry.follow(run, 13, 3600.0))
    assert run.finished
    assert counted.started == {}, "nothing is computed twice"


def test_who_closes_the_iterator_has_left():
    registry = registry_of_runs()
    run, other = registry.open(small(seed=0)), registry.open(small(seed=1))
    with registry.attend(other), closing(registry.follow(run, 13, 0.01)) as positions:
        assert next(positions) == 1
        assert registry.queue_position(run) == 1
    assert registry.queue_position(run) == 0
    assert run.measurements == []


def test_who_waits_goes_on_at_once_when_the_run_before_ends_or_is_left():
    registry, patience = registry_of_runs(), 60.0  # longer than anybody waits here
    first, second = registry.open(small(seed=0)), registry.open(small(seed=1))
    started = threading.Event()

    def follow_second() -> list[int]:
        started.set()
        return list(registry.follow(second, 13, patience))

    with ThreadPoolExecutor(1) as pool:
        with registry.attend(first):
            waiting = pool.submit(follow_second)
            assert started.wait(patience)
        assert set(waiting.result(patience)) == {0}
    assert second.finished


def test_many_who_follow_many_runs_see_each_of_them_finished_and_trained_once():
    registry = registry_of_runs()

    def follow(index: int) -> int:
        run = registry.open(small(seed=index % 3))
        assert all(position >= 0 for position in registry.follow(run, 13, 0.01))
        return len(run.measurements)

    with counting() as counted:
        assert in_threads(9, follow) == [13] * 9
    assert set(counted.pulled.values()) == {13}


# Computations beside a run


def probe_of(compute, *arguments) -> Probe:
    return Probe(compute, arguments, Cost(calls=1, operations=1, bytes=1))


def test_a_computation_takes_its_turn_and_is_made_once_for_all():
    calls, registry = [], registry_of_runs()

    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    computation = registry.open(probe_of(double, 21))
    assert registry.open(probe_of(double, 21)) is computation
    with registry.attend(registry.open(small())):
        with closing(registry.follow(computation, 1, 0.0)) as positions:
            assert next(positions) == 1
        assert calls == []
    for _ in range(2):
        list(registry.follow(computation, 1, 0.0))
    assert computation.measurements == [42]
    assert calls == [21]
    assert computation.finished


def test_a_computation_that_failed_can_be_tried_again():
    fails, registry = [True], registry_of_runs()

    def once_too_large() -> str:
        if fails:
            fails.clear()
            raise MemoryError("no room")
        return "done"

    computation = registry.open(probe_of(once_too_large))
    with pytest.raises(RunError, match="no room"):
        list(registry.follow(computation, 1, 0.0))
    list(registry.follow(registry.open(probe_of(once_too_large)), 1, 0.0))
    assert computation.measurements == ["done"]


def test_while_one_step_takes_long_one_more_stream_advances_beside_it(monkeypatch):
    monkeypatch.setattr("stability.engine.registry.LONG_STEP", 0.0)
    registry, begun, let_end = registry_of_runs(), threading.Event(), threading.Event()

    def long_step() -> bool:
        begun.set()
        return let_end.wait(60)

    computation = registry.open(probe_of(long_step))
    second, third = (registry.open(small(seed=seed)) for seed in (1, 2))
    with ThreadPoolExecutor(1) as pool, ExitStack() as visits:
        ended = pool.submit(list, registry.follow(computation, 1, 0.0))
        assert begun.wait(60)
        for run in (second, third):
            visits.enter_context(registry.attend(run))
        assert [registry.queue_position(run) for run in (computation, second, third)] == [0, 0, 1]
        assert list(registry.follow(second, 3, 0.0))
        assert len(second.measurements) == 3
        let_end.set()
        ended.result()
    assert computation.measurements == [True]
