"""The laws of the engine's stream: reproducible, independent of its neighbours, whole, and harmless
to its caller.
"""

import gc
import random
from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.measurement import PROFILES, Measurement
from stability.engine.process_settings import configure_process
from stability.engine.quantities import HISTOGRAM_BINS
from stability.engine.rounding_shares import SHARES_SHAPE
from stability.engine.training import batch_indices, measure
from stability.records.experiment import Experiment
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps

configure_process()  # as on the page: large arrays are kept, not fetched from the system again

QUANTITIES = [field.name for field in fields(Measurement)][1:]
OF_HIDDEN = "saturated", "dead", "distinct", "lost_gain_updates"  # layers alone
SMALL = {
    "depth": 8,
    "width": 16,
    "features": 9,
    "samples": 128,
    "batch": 32,
    "steps": 20,
    "seed": 3,
}
ALL = {
    **SMALL,
    "residual": True,
    "normalization": "batch",
    "dropout": 0.2,
    "optimizer": "adam",
    "clip": 0.5,
    "weight_decay": 0.01,
    "bias_std": 0.1,
}
EIGHT = (
    "he_normal",
    "zeros",
    "normal:3",
    "pytorch",
    "orthogonal",
    "xavier_uniform",
    "constant",
    "scaled_normal:1.5",
)


def same(one: Measurement, other: Measurement, first: tuple = (), second: tuple = ()) -> bool:
    """True if two measurements, or parts of their arrays, agree to the last bit."""
    return all(
        np.array_equal(getattr(one, name)[first], getattr(other, name)[second], equal_nan=True)
        for name in QUANTITIES
    )


@pytest.mark.parametrize("settings", [SMALL, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_equal_runs_are_bitwise_equal(settings, precision):
    e = Experiment(schemes=EIGHT, precision=precision, **{**settings, "steps": 6})  # an epoch is 4
    assert all(same(*both) for both in zip(measure(e), measure(replace(e)), strict=True))


def opening(e: Experiment) -> list[Measurement]:
    """The first epoch of four steps and what comes after it; two of the steps at which costly
    quantities are taken.
    """
    return list(islice(measure(e), 5))


@pytest.mark.parametrize("is_all", [False, True], ids=["plain", "all"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_scheme_alone_follows_the_same_curve_as_among_seven_others(is_all, precision):
    """One or two replicates: every two of settings, format and count meet."""
    settings = ALL if is_all else SMALL
    replicates = 1 + (is_all + [*PRECISIONS].index(precision)) % 2
    e = Experiment(
        schemes=EIGHT,
        precision=precision,
        replicates=replicates,
        **{**settings, "steps": 3 * SAMPLED_STEPS},
    )
    together, reverse = opening(e), opening(replace(e, schemes=EIGHT[::-1]))
    for index, scheme in enumerate(EIGHT):
        for measurement, one, other in zip(
            opening(replace(e, schemes=(scheme,))), together, reverse, strict=True
        ):
            assert same(measurement, one, (0,), (index,)), (scheme, measurement.step)
            assert same(measurement, other, (0,), (7 - index,)), (scheme, measurement.step)


@pytest.mark.parametrize("settings", [SMALL, ALL], ids=["plain", "all"])
def test_a_replicate_follows_the_same_curve_however_many_others_there_are(settings):
    e = Experiment(schemes=EIGHT[:3], replicates=3, **settings)
    for few, many in zip(measure(replace(e, replicates=2)), measure(e), strict=True):
        assert same(few, many, (), (slice(None), slice(2)))


def test_replicates_and_seeds_differ():
    e = Experiment(schemes=("he_normal",), replicates=3, **SMALL)
    first, other = next(measure(e)), next(measure(replace(e, seed=4)))
    numbers = [*first.signal[0, :, 0], *other.signal[0, :, 0]]
    assert len(set(numbers)) == 6


def test_a_run_leaves_the_global_generators_alone_and_does_not_read_them():
    e = Experiment(**ALL)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    one = list(measure(e))
    after = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()
    assert before[2] == after[2]
    torch.manual_seed(1)
    assert all(same(*both) for both in zip(one, measure(e), strict=True))


def test_a_yield_leaves_gradients_switched_on_for_the_caller():
    stream = measure(Experiment(**SMALL))
    for _ in range(3):
        next(stream)
        assert torch.is_grad_enabled()
    stream.close()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_caller_who_has_switched_gradients_off_gets_the_same_run(mode):
    with mode():
        inside = list(measure(Experiment(**SMALL)))
    assert all(same(*both) for both in zip(inside, measure(Experiment(**SMALL)), strict=True))


def test_the_default_format_of_the_caller_changes_nothing():
    before, expected = torch.get_default_dtype(), list(measure(Experiment(**ALL)))
    try:
        torch.set_default_dtype(torch.float64)
        found = list(measure(Experiment(**ALL)))
    finally:
        torch.set_default_dtype(before)
    assert all(same(*both) for both in zip(found, expected, strict=True))


def test_a_measurement_does_not_change_after_it_was_yielded():
    kept, copies = [], []
    for measurement in measure(Experiment(**ALL)):
        kept.append(measurement)
        copies.append(
            replace(measurement, **{name: getattr(measurement, name).copy() for name in QUANTITIES})
        )
    assert all(same(*both) for both in zip(kept, copies, strict=True))


@pytest.mark.parametrize("settings", [{}, {"precision": "float16"}, {"activation": "tanh"}])
def test_no_layer_of_a_pass_is_held_in_memory_between_two_steps(settings):
    batch = 59  # of no other test, whose tensors may be in memory, too
    e = Experiment(schemes=("he_normal", "normal:1e-30"), steps=3, batch=batch, **settings)
    for _ in measure(e):
        tensors = [found for found in gc.get_objects() if isinstance(found, torch.Tensor)]
        assert not [found for found in tensors if found.dim() == 3 and found.shape[1] == batch]


def test_a_second_stream_of_one_experiment_does_not_disturb_the_first():
    e = Experiment(**ALL)
    expected, first, second = list(measure(e)), measure(e), measure(e)
    for measurement in expected:
        assert same(next(first), measurement)
        if measurement.step % 2:
            next(second)


SETTINGS = {
    "schemes": st.lists(
        st.sampled_from([*SCHEMES, "normal:1e6", "normal:1e-6"]), min_size=1, max_size=3
    ),
    "depth": st.integers(1, 5),
    "width": st.integers(2, 9),
    "features": st.integers(1, 5),
    "samples": st.integers(64, 70),
    "batch": st.integers(1, 64),
    "steps": st.integers(1, 4),
    "replicates": st.integers(1, 3),
    "residual": st.booleans(),
    "activation": st.sampled_from(list(ACTIVATIONS)),
    "normalization": st.sampled_from(list(NORMALIZATIONS)),
    "optimizer": st.sampled_from(list(OPTIMIZERS)),
    "dataset": st.sampled_from(list(DATASETS)),
    "precision": st.sampled_from(list(PRECISIONS)),
    "learning_rate": st.floats(1e-6, 100),
    **{name: st.floats(0, 10) for name in ("noise", "bias_std", "weight_decay")},
    "dropout": st.floats(0, 0.95),
    "clip": st.floats(0, 1e6),
    "seed": st.integers(0, 2**31 - 1),
}


@settings(max_examples=30)
@given(st.fixed_dictionaries(SETTINGS).map(lambda settings: Experiment.reconcile(settings)[0]))
def test_any_experiment_yields_its_measurements_whatever_the_numbers_become(e):
    measurements = list(measure(e))
    assert [measurement.step for measurement in measurements] == list(range(e.steps + 1))
    outer = len(e.schemes), e.replicates
    for measurement in measurements:
        assert measurement.learned_outputs.shape == (
            len(e.schemes),
            len(INPUT_GRIDS[e.dataset_row.plotted_dimensions]),
            e.dataset_row.outputs,
        )
        for name in set(QUANTITIES) - {"learned_outputs"}:
            array, hidden = (getattr(measurement, name), name in (*OF_HIDDEN, "pre_activations"))
            by_layer = name in PROFILES and not hidden
            pictured = {
                "pre_activations": [HISTOGRAM_BINS + 2],
                "rounding_shares": SHARES_SHAPE,
            }.get(name, [])
            assert array.dtype == (np.float32 if pictured else np.float64)
            layers = (
                [e.depth]
                if by_layer or name == "rounding_shares"
                else [e.depth - 1]
                if hidden
                else []
            )
            assert array.shape == (*outer, *layers, *pictured)
            assert not (array < 0).any()
        assert np.isnan(measurement.accuracy).all() == (e.dataset_row.classes is None)
        for name in (
            "accuracy",
            "test_accuracy",
            "saturated",
            "dead",
            "lost_updates",
            "lost_gain_updates",
        ):
            assert not (getattr(measurement, name) > 1).any()
        assert not (measurement.distinct > e.width).any()
        assert not (measurement.distinct < 1).any()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_network_of_one_layer_trains_although_it_has_nothing_to_normalize(normalization):
    e = Experiment(schemes=("xavier_normal",), normalization=normalization, **{**SMALL, "depth": 1})
    losses = [measurement.loss.item() for measurement in measure(e)]
    assert losses[-1] < losses[0]


def test_no_update_led_to_the_first_measurement_and_one_to_each_other():
    first, *others = measure(Experiment(schemes=("he_normal",), **SMALL))
    assert (first.update == 0).all()
    assert all((measurement.update > 0).all() for measurement in others)


@pytest.mark.parametrize(("samples", "batch"), [(64, 64), (100, 32), (65, 1), (64, 33)])
def test_batches_are_fresh_shuffles_without_replacement_and_without_the_last_partial_one(
    samples, batch
):
    e, count = Experiment(samples=samples, batch=batch), samples // batch
    stream = batch_indices(e)
    epochs = [torch.stack(list(islice(stream, count))) for _ in range(3)]
    for epoch in epochs:
        assert epoch.shape == (count, batch)
        assert epoch.unique().numel() == count * batch
        assert 0 <= epoch.min() <= epoch.max() < samples
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[1], epochs[2])
    assert torch.equal(
        epochs[0],
        torch.stack(list(islice(batch_indices(replace(e, schemes=("zeros",), depth=3)), count))),
    )


@given(st.integers(1, 5000), st.integers(2, 60))
def test_the_steps_of_costly_quantities_are_spread_evenly_and_hold_the_first_and_the_last(
    steps, most
):
    chosen = sorted(evenly_spread_steps(steps, most))
    gaps = np.diff(chosen)
    assert len(chosen) == min(most, steps + 1)
    assert (chosen[0], chosen[-1]) == (0, steps)
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("steps", [1, 7, 200])
def test_costly_quantities_are_taken_at_sixty_steps_at_most_and_are_nan_between(steps):
    e = Experiment(
        schemes=("he_normal",), depth=2, width=4, samples=64, batch=8, steps=steps, dataset="moons"
    )
    measurements = list(measure(e))
    for name in (
        "test_loss",
        "test_accuracy",
        "spread",
        "distinct",
        "pre_activations",
        "rounding_shares",
        "learned_outputs",
    ):
        taken = [not np.isnan(getattr(measurement, name)).any() for measurement in measurements]
        assert taken[0]
        assert taken[-1]
        assert sum(taken) <= 60


def late_losses(seed: int) -> list[float]:
    """Loss of He, Xavier, normal:0.01 and PyTorch's default over the last 20 steps, in units of
    guessing, ln 10.
    """
    e = Experiment(
        schemes=("he_normal", "xavier_normal", "normal:0.01", "pytorch"),
        activation="relu",
        depth=30,
        width=64,
        dataset="blobs",
        noise=0.2,
        batch=32,
        optimizer="sgd",
        learning_rate=0.005,
        steps=300,
        seed=seed,
    )
    run = measure(e, snapshots=False, ends_only=True)
    late = [measurement.loss[:, 0] for measurement in run if measurement.step > e.steps - 20]
    return (np.mean(late, axis=0) / e.dataset_row.guessing_loss).tolist()


@pytest.mark.case
def test_he_learns_thirty_relu_layers_where_xavier_small_weights_and_the_default_stall():
    """He et al. 2015, sec. 2.2 and fig. 3, in this engine, for at least 4 of 5 seeds.

    Learned: below half of the loss of guessing; stalled: still above nine tenths of it. The fifth
    seed runs only where one of four fails. He's loss falls in bursts between steps 100 and 250,
    and when depends on the rounding of the processor: 300 steps leave a margin.
    """
    found = [late_losses(seed) for seed in range(4)]
    found += [late_losses(4)] if not all(map(reproduced, found)) else []
    assert sum(map(reproduced, found)) >= 4, found


def reproduced(late: list[float]) -> bool:
    he, *others = late
    return he < 0.5 and min(others) > 0.9
