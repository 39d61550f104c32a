"""Runs: one stream for many readers, what it keeps of a long training, and who may train now."""

import gc
import math
import random
import time
import weakref
from dataclasses import fields, replace
from itertools import islice, product

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_runs import bytes_kept_alive, bytes_of_object, counting, in_threads, small

from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.engine.failures import RunError
from stability.engine.measurement import PROFILES, Measurement
from stability.engine.process_settings import configure_process
from stability.engine.runs import (
    ARRAY_OVERHEAD,
    PROFILE_BYTES,
    Break,
    ProductRun,
    Run,
    Stream,
    bytes_of_profiles,
    bytes_of_snapshot,
)
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps

# as on the page: who looks for garbage need not walk through all that was imported
configure_process()

SCALARS = [
    field.name
    for field in fields(Measurement)
    if field.name not in ("step", "rounding_shares", *PROFILES)
]  # which are averaged
EIGHT = tuple(f"normal:{std}" for std in range(1, 9))


def equal(a: Measurement, b: Measurement, names: list[str] = SCALARS) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in names)


# One stream, many readers


def visit(run: Run, how: random.Random) -> list[tuple[int, Measurement]]:
    """Joins, reads some of the stream in one of three ways, and leaves: pairs of an index and what
    was seen there.
    """
    way, first = how.randrange(3), how.randrange(run.experiment.steps + 2)
    if way == 0:
        return list(enumerate(islice(run, first)))
    if way == 1:
        seen = run.measurement_at(first)
        assert (seen is None) == (first > run.experiment.steps)
        return [(first, seen)] if seen else []
    before = len(run.measurements)
    run.advance(how.choice([0.0, 0.002]))
    return [(index, run.measurements[index]) for index in range(before, len(run.measurements))]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 25),
    profile_bytes=st.sampled_from([0, 2000, PROFILE_BYTES]),
)
def test_eight_readers_who_join_and_leave_at_random_see_one_stream_that_is_computed_once(
    seed, steps, profile_bytes
):
    with counting() as counted:
        run = Run(small(steps=steps, schemes=("he_normal", "normal:1000")), profile_bytes)

        def reader(index: int) -> list[tuple[int, Measurement]]:
            how = random.Random(seed + index)
            return [pair for _ in range(how.randrange(1, 12)) for pair in visit(run, how)]

        seen = [pair for pairs in in_threads(8, reader) for pair in pairs]
        whole = list(run)
        assert counted.pulled[run.experiment] == steps + 1
        assert counted.started[run.experiment] == 1
    assert run.finished
    assert [measurement.step for measurement in whole] == list(range(steps + 1))
    for (
        index,
        measurement,
    ) in seen:  # profiles may be let go of, numbers of a step are the same objects for everyone
        assert all(getattr(measurement, name) is getattr(whole[index], name) for name in SCALARS)


def test_a_run_goes_no_further_than_is_asked():
    run = Run(small(steps=20))
    run.advance(3600, most=5)
    assert len(run.measurements) == 5
    run.advance(0.0, most=5)
    assert len(run.measurements) == 6, "one step at least"


def test_where_networks_broke_can_be_read_while_others_break():
    schemes = "he_normal", "xavier_normal", "normal:0.5", "normal:1"
    run = Run(small(steps=30, schemes=schemes, replicates=8, learning_rate=100))

    def reader(index: int) -> int:
        while not run.finished:
            if index == 0:
                run.advance(0.0)
            elif run.measurements:
                assert len(run.counts_before_divergence(len(run.measurements))) == 4
                nonfinite_remarks(run, len(run.measurements))
                time.sleep(
                    0.001
                )  # who looks without a pause takes the interpreter from the training
        return len(run.breaks)

    assert len(set(in_threads(4, reader))) == 1
    assert len(run.breaks) > 8, "they break one after another"


def test_iterating_again_gives_the_same_objects_and_computes_nothing():
    with counting() as counted:
        run = Run(small())
        assert all(a is b for a, b in zip(list(run), list(run), strict=True))
        assert counted.pulled[run.experiment] == 13


def test_a_run_goes_on_where_its_last_reader_left_it():
    e = small(schemes=("xavier_normal", "he_normal"))
    run = Run(e)
    for count in (1, 4, 9):
        assert len(list(islice(run, count))) == len(run.measurements) == count
        assert not run.finished
    assert run.measurement_at(10).step == 10
    assert all(equal(a, b, [*SCALARS, *PROFILES]) for a, b in zip(run, measure(e), strict=True))


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_there_is_one_measurement_more_than_updates_and_nothing_past_the_end(steps):
    run = Run(small(steps=steps))
    assert run.measurement_at(steps).step == steps
    assert run.finished
    assert run.measurement_at(steps + 1) is None
    run.advance(0)
    assert len(run.measurements) == steps + 1


def test_advance_takes_one_step_at_least_and_ends_with_the_run():
    run = Run(small())
    run.advance(0)
    assert len(run.measurements) == 1
    run.advance(3600)
    assert len(run.measurements) == 13


# What is kept of a long run


@settings(max_examples=12)
@given(steps=st.integers(1, 30), profile_bytes=st.integers(0, 6000), replicates=st.integers(1, 3))
def test_a_thinned_run_keeps_every_number_of_a_step_and_evenly_spread_profiles_with_both_ends(
    steps, profile_bytes, replicates
):
    e = small(steps=steps, replicates=replicates)
    run = Run(e, profile_bytes)
    for count, measurement in enumerate(run, start=1):
        assert measurement.signal is not None, "the newest is whole while it is the newest"
        assert run.newest_profiles(count) is measurement
    assert all(equal(a, b) for a, b in zip(run, measure(e), strict=True))
    kept = [m.step for m in run if m.signal is not None]
    assert kept == sorted(run.profile_steps)
    assert {0, steps} <= set(kept)
    assert len(kept) <= max(2, profile_bytes // bytes_of_profiles(e))
    gaps = np.diff(kept)
    assert gaps.max() - gaps.min() <= 1
    for measurement in run:
        alike = {getattr(measurement, name) is None for name in PROFILES}
        assert alike == {measurement.step not in kept}, "all profiles of a step, or none"


LARGE = {"schemes": EIGHT, "replicates": 16, "width": 2, "features": 1, "batch": 1, "samples": 64}


@pytest.mark.parametrize(("depth", "steps"), [(1, 150), (6, 90)])
def test_a_run_says_truly_how_many_bytes_it_holds(depth, steps):
    for profile_bytes in (0, PROFILE_BYTES):
        run = Run(Experiment(**LARGE, depth=depth, steps=steps), profile_bytes)
        assert list(run)
        real = bytes_kept_alive(run.measurements)
        assert real <= run.nbytes <= 2 * real


def test_a_small_network_of_many_steps_says_truly_how_many_bytes_it_holds():
    run = Run(small(depth=1, batch=1, steps=800))
    assert list(run)
    real = bytes_kept_alive(run.measurements)
    assert real <= run.nbytes <= 2 * real


@pytest.mark.parametrize(
    "settings", [{"n": 4}, {"n": 40}, {"n": 256, "replicates": 4}, {"n": 2, "family": "orthogonal"}]
)
def test_a_growth_says_truly_how_many_bytes_it_holds_with_the_factors_that_are_drawn(settings):
    def tensors() -> dict[int, int]:
        storages = [
            thing.untyped_storage() for thing in gc.get_objects() if type(thing) is torch.Tensor
        ]
        return {storage.data_ptr(): storage.nbytes() for storage in storages}

    before, growth = tensors(), ProductRun(Product(**{"replicates": 30, "count": 20} | settings))
    assert growth.measurement_at(2) is not None
    real = sum(size for place, size in tensors().items() if place not in before)
    assert real <= growth.nbytes <= 2 * real
    assert list(growth)
    assert growth.nbytes <= 2 * sum(norms.nbytes + ARRAY_OVERHEAD for norms in growth.measurements)


def test_a_run_holds_at_most_32_megabytes_whatever_the_knobs():
    """By its own account, which the tests above hold against the memory itself."""
    for schemes, replicates, depth, steps in product(
        (EIGHT[:1], EIGHT), (1, 16), (1, 2, 101), (1, 30, 1000, 5000)
    ):
        run = Run(
            Experiment(schemes=schemes, replicates=replicates, depth=depth, width=2, steps=steps)
        )
        run.measurements, run.finished = [None] * (steps + 1), True
        assert run.nbytes <= 32e6, (len(schemes), replicates, depth, steps)


def test_a_run_at_the_extremes_of_its_knobs_holds_at_most_32_megabytes_of_memory():
    """5000 steps of 128 networks, from what a few of them really hold: thinned steps are alike, and
    so are kept ones.
    """
    run = Run(Experiment(**LARGE, depth=1, steps=90), profile_bytes=0)
    assert list(run)
    thinned = [m for m in run.measurements[1:-1] if np.isnan(m.test_loss).all()]
    assert all(m.signal is None for m in thinned)
    thinned = bytes_kept_alive(thinned) / len(thinned)
    for depth in (1, 101):
        e = Experiment(**LARGE, depth=depth, steps=5000)
        run = Run(e)
        first = next(measure(e))
        snapshot = (
            bytes_of_object(first.pre_activations)
            + bytes_of_object(first.rounding_shares) / e.replicates
        )
        kept = (
            bytes_kept_alive([first])
            - bytes_of_object(first.pre_activations)
            - bytes_of_object(first.rounding_shares)
        )
        parts = 5001 * thinned, len(run.profile_steps) * kept, len(run.snapshot_steps) * snapshot
        assert sum(parts) <= 32e6, parts


def test_a_large_run_keeps_its_snapshots_at_evenly_spread_steps_with_both_ends_and_says_so():
    e = Experiment(**LARGE, depth=40, steps=25)
    run, taken = Run(e), sorted(evenly_spread_steps(e.steps, SAMPLED_STEPS))
    for count, measurement in enumerate(run, start=1):
        assert np.isfinite(measurement.pre_activations).any() == (count - 1 in taken), (
            "the newest is whole"
        )
    shown = [m.step for m in run if np.isfinite(m.pre_activations).any()]
    assert shown == sorted(run.snapshot_steps)
    assert {0, e.steps} <= set(shown)
    assert len(shown) == PROFILE_BYTES // bytes_of_snapshot(e) < SAMPLED_STEPS
    gaps = np.diff([taken.index(step) for step in shown])
    assert gaps.max() - gaps.min() <= 1
    assert sum(m.pre_activations.nbytes for m in run if m.step in shown) <= PROFILE_BYTES
    assert (
        bytes_kept_alive(run.measurements) <= run.nbytes <= 2 * bytes_kept_alive(run.measurements)
    )
    assert Run(replace(e, schemes=EIGHT[:1])).snapshot_steps == set(taken), "a small one keeps all"


# Where networks break


def first_break(measurements: list[Measurement], network: tuple[int, int]) -> Break | None:
    """By brute force: the first step at which any number of the network is not finite, and there
    the first layer.
    """
    for m in measurements:
        forward, backward = m.signal[network], m.signal_gradient[network]
        for layer, value in enumerate(forward, start=1):
            if not math.isfinite(value):
                return Break(m.step, layer, word(value), backward=False)
        for layer in range(len(backward), 0, -1):
            if not math.isfinite(backward[layer - 1]):
                return Break(m.step, layer, word(backward[layer - 1]), backward=True)
        for value in (m.loss[network], m.gradient_norm[network], *m.weight_gradient[network]):
            if not math.isfinite(value):
                return Break(m.step, 0, word(value), backward=False)
    return None


def word(value: float) -> str:
    return "NaN" if math.isnan(value) else "inf"


@settings(max_examples=30)
@example(
    schemes=["zeros", "normal:1"],
    activation="relu",
    dataset="teacher",
    depth=3,
    learning_rate=100.0,
    replicates=2,
    residual=True,
    seed=0,
)  # a signal of -inf, which ReLU makes 0
@given(
    schemes=st.lists(
        st.sampled_from(
            ["zeros", "normal:1", "normal:30", "normal:1e6", "constant:-1e4", "he_normal"]
        ),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    activation=st.sampled_from(["linear", "tanh", "relu", "gelu"]),
    dataset=st.sampled_from(["blobs", "teacher"]),
    depth=st.integers(1, 14),
    learning_rate=st.sampled_from([0.01, 1.0, 100.0]),
    replicates=st.integers(1, 2),
    residual=st.booleans(),
    seed=st.integers(0, 99),
)
def test_breaks_are_the_first_step_and_layer_whose_numbers_are_not_finite(**settings):
    e = small(**settings, width=4, steps=6)
    run = Run(e)
    measurements = list(run)
    networks = product(range(len(e.schemes)), range(e.replicates))
    found = {network: first_break(measurements, network) for network in networks}
    assert run.breaks == {network: event for network, event in found.items() if event}
    for count in range(1, e.steps + 2):
        for scheme, finite in enumerate(run.counts_before_divergence(count)):
            steps = [event.step for (s, _), event in run.breaks.items() if s == scheme]
            assert finite == min([count, *(max(1, step) for step in steps)])


def test_thinning_does_not_hide_a_break():
    e = small(schemes=("normal:30", "he_normal"), depth=12, width=4, steps=30)
    whole, thinned = Run(e), Run(e, profile_bytes=0)
    assert list(whole)
    assert list(thinned)
    assert whole.breaks == thinned.breaks != {}


# Failures


@pytest.mark.parametrize("before", [0, 5])
def test_a_failure_inside_the_training_reaches_every_reader_and_keeps_what_was_measured(before):
    with counting(fails_before=before):
        run = Run(small())

        def reader(index: int) -> str:
            with pytest.raises(RunError) as raised:
                run.advance(3600, patience=60) if index % 2 else run.measurement_at(12)
            return str(raised.value)

        for message in in_threads(8, reader):
            assert f"step {before}" in message
            assert "no room" in message
        assert [run.measurement_at(index).step for index in range(before)] == list(range(before))
        with pytest.raises(RunError):
            list(run)
        assert not run.finished


@pytest.mark.parametrize("before", [0, 5])
def test_a_run_that_failed_is_tried_again_by_its_next_reader_and_goes_on_where_it_stopped(before):
    e = small(schemes=("xavier_normal", "normal:1000"))
    with counting(fails_before=before) as counted:
        run = Run(e)
        with pytest.raises(RunError):
            run.train()
        kept = list(run.measurements)
        assert [measurement.step for measurement in kept] == list(range(before))
        counted.fails_before = None  # there is room again
        assert run.train() is run
        assert counted.started[e] == 2
    assert run.finished
    assert all(one.loss is other.loss for one, other in zip(kept, run.measurements, strict=False))
    assert all(equal(a, b, [*SCALARS, *PROFILES]) for a, b in zip(run, measure(e), strict=True))
    assert run.breaks == Run(e).train().breaks


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (MemoryError(), "there is too little memory"),
        (RuntimeError("alloc.cpp: can't allocate memory: 9 bytes"), "there is too little memory"),
        (RuntimeError("NaN in He"), "NaN in He"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_failure_has_a_reason_in_words_and_keeps_no_tensor_of_its_step(failure, words):
    kept = []

    def start(record: int):
        tensor = torch.zeros(3)
        kept.append(weakref.ref(tensor))
        raise failure
        yield tensor

    with pytest.raises(RunError) as raised:
        Stream(0, 1, start).train()
    assert str(raised.value) == f"This run stopped before step 0: {words}"
    assert raised.value.__cause__ is failure
    assert kept[0]() is None


def test_advancing_a_run_that_failed_skips_what_it_has_step_by_step():
    with counting(fails_before=9) as counted:
        run = Run(small())
        with pytest.raises(RunError):
            run.train()
        counted.fails_before = None
        for _ in range(9):
            run.advance(0.0)
            assert len(run.measurements) == 9
        run.advance(0.0)
        assert len(run.measurements) == 10


def test_a_finished_run_counts_its_bytes_once():
    run = Run(small())
    *growing, before = [run.nbytes for _ in run]
    assert growing == sorted(growing)
    assert before < growing[-1], "the optimizer is gone"
    run.measurements.clear()
    assert run.nbytes == before


class Counting(Stream):
    """A stream of the numbers below its record, with a None before each; it may hold twice them."""

    def __init__(self, end: int):
        super().__init__(end, 2 * end, lambda end: (n for k in range(end) for n in (None, k)))

    def _count_bytes(self) -> int:
        return 0


def test_a_stream_may_end_sooner_than_it_could_and_look_up_between_its_values():
    stream = Counting(3)
    stream.advance(0.0)
    assert stream.measurements == []
    assert list(stream) == [0, 1, 2]
    assert stream.finished
    assert stream.measurement_at(3) is None
    assert list(Counting(3).train()) == [0, 1, 2]
    stream.advance(1.0)
    assert list(stream) == [0, 1, 2]
