"""Remarks say what no logarithm can show: where networks diverged, and what is exactly zero."""

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.engine.runs import Break, Run
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES
from stability.text import layer_range

TINY = {"width": 4, "features": 3, "samples": 64, "batch": 8}
EXPERIMENTS = {
    "sound": Experiment(**TINY, schemes=("he_normal", "xavier_normal"), depth=3, steps=5),
    "zeros": Experiment(**TINY, schemes=("zeros", "he_normal"), depth=6, steps=5),
    "broken at once": Experiment(
        **TINY, schemes=("zeros", "normal:1e5"), activation="linear", depth=30, steps=3
    ),
    "broken later": Experiment(
        **TINY,
        schemes=("normal:1", "normal:0.9"),
        activation="linear",
        dataset="teacher",
        depth=5,
        steps=14,
        learning_rate=0.5,
        replicates=3,
    ),
    "faded": Experiment(**TINY, schemes=("normal:0.001",), depth=40, steps=3, bias_std=0.0),
}


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


@pytest.fixture(params=EXPERIMENTS)
def run(request) -> Run:
    return finished(request.param)


def of(run: Run, count: int, scheme: str, diverged: bool) -> list[str]:
    return [
        remark.text
        for remark in nonfinite_remarks(run, count)
        if remark.scheme == scheme and remark.diverged == diverged
    ]


def breaks(run: Run, scheme: str, count: int) -> list[Break]:
    """The breaks of one scheme that had happened by then, earliest first."""
    events = [
        event for (index, _), event in run.breaks.items() if run.experiment.schemes[index] == scheme
    ]
    return sorted(
        (event for event in events if event.step < count),
        key=lambda event: (event.step, event.layer),
    )


def test_nothing_is_said_of_networks_whose_numbers_every_axis_can_show():
    run = finished("sound")
    assert [nonfinite_remarks(run, count) for count in range(1, 7)] == [[]] * 6


def test_every_scheme_that_diverged_has_one_sentence_with_the_first_step_and_layer(run):
    for count in range(1, len(run.measurements) + 1):
        for scheme in run.experiment.schemes:
            said, events = of(run, count, scheme, diverged=True), breaks(run, scheme, count)
            assert len(said) == min(1, len(events)), "not before it happens"
            for text, first in zip(said, events, strict=False):
                assert f"step {first.step} " in text
                assert first.value in text
                assert not first.layer or f"layer {first.layer} " in text
                assert ("gradient" in text) == first.backward


def test_the_short_form_for_a_mark_names_value_and_step_and_layer_where_there_is_one(run):
    for remark in nonfinite_remarks(run, len(run.measurements)):
        if remark.diverged:
            first = breaks(run, remark.scheme, len(run.measurements))[0]
            where = f"layer {first.layer}, " if first.layer else ""
            assert (remark.step, remark.label) == (
                first.step,
                f"{first.value} at {where}step {first.step}",
            )
        else:
            assert remark.label == ""


def test_of_several_replicates_it_is_said_how_many_diverged():
    run = finished("broken later")
    assert {scheme for scheme, _ in run.breaks} == {0, 1}
    assert len({event.step for event in run.breaks.values()}) > 1
    for count in range(1, 16):
        for scheme in run.experiment.schemes:
            for text in of(run, count, scheme, diverged=True):
                assert text.startswith(f"{len(breaks(run, scheme, count))} of 3 replicates ")
    for remark in nonfinite_remarks(finished("broken at once"), 4):
        assert "replicate" not in remark.text


def test_a_scheme_that_diverged_names_the_step_that_its_profiles_show(run):
    last = len(run.measurements)
    for index, scheme in enumerate(run.experiment.schemes):
        for text in of(run, last, scheme, diverged=True):
            shown = run.newest_profiles(run.counts_before_divergence(last)[index]).step
            assert text.endswith(f"By layer: step {shown}.")


def zero_layers(run: Run, scheme: str, name: str, step: int) -> list[int]:
    """By brute force: the layers at which a quantity is 0 in every replicate."""
    values = getattr(run.measurements[step], name)[run.experiment.schemes.index(scheme)]  # (R, L)
    return [
        layer
        for layer in range(1, run.experiment.depth + 1)
        if all(row[layer - 1] == 0 for row in values)
    ]


def test_exact_zeros_are_said_with_their_layers(run):
    for count in range(1, len(run.measurements) + 1):
        for index, scheme in enumerate(run.experiment.schemes):
            step = run.newest_profiles(run.counts_before_divergence(count)[index]).step
            found = {name: zero_layers(run, scheme, name, step) for name in HEAT_MAP_QUANTITIES}
            said = of(run, count, scheme, diverged=False)
            assert len(said) == (1 if any(found.values()) else 0)
            for text in said:
                assert f"step {step}" in text
                for name, layers in found.items():
                    what = f"the {name.replace('_', ' ')} at layer"
                    assert (what in text) == bool(layers), name
                    assert (
                        not layers
                        or f"the {name.replace('_', ' ')} at {layer_range(np.array(layers))}"
                        in text
                    )


def test_the_zeros_of_a_zero_initialization_are_said_from_the_start():
    run = finished("zeros")
    assert nonfinite_remarks(run, 1)[0].scheme == "zeros"
    assert "signal at layers 1 to 6" in nonfinite_remarks(run, 1)[0].text
    assert "weight gradient at layers 1 to 6" in nonfinite_remarks(run, 1)[0].text


def test_a_signal_that_faded_below_the_smallest_number_is_said_to_be_zero_from_that_layer_on():
    (remark,) = nonfinite_remarks(finished("faded"), 1)
    first = min(zero_layers(finished("faded"), "normal:0.001", "signal", 0))
    assert 1 < first < 40
    assert f"the signal at layers {first} to 40" in remark.text


def test_remarks_stand_in_the_order_of_the_schemes_and_divergence_before_zeros(run):
    for count in range(1, len(run.measurements) + 1):
        found = [
            (run.experiment.schemes.index(remark.scheme), not remark.diverged)
            for remark in nonfinite_remarks(run, count)
        ]
        assert found == sorted(found)


def test_remarks_about_the_past_stay_while_a_run_grows():
    run, seen = Run(EXPERIMENTS["broken later"]), []
    for count, _ in enumerate(run, start=1):
        now = nonfinite_remarks(run, count)
        seen.append(now)
        assert [remark.label for remark in nonfinite_remarks(run, 1)] == [
            remark.short for remark in seen[0]
        ]
    whole = finished("broken later")
    assert [[r.text for r in found if r.diverged] for found in seen] == [
        [r.text for r in nonfinite_remarks(whole, count) if r.diverged] for count in range(1, 16)
    ]


@given(st.sets(st.integers(1, 101), min_size=1).map(sorted))
def test_a_range_of_layers_is_spelled_by_its_ends_and_a_scattered_one_is_counted(layers):
    text = layer_range(np.array(layers))
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    first, last = layers[0], layers[-1]
    if len(layers) == 1:
        assert text == f"layer {first}"
    elif len(layers) == last - first + 1:
        assert text == f"layers {first} to {last}"
    else:
        assert numbers in ([len(layers), first, last], layers)
