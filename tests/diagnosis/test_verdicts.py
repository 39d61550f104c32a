"""Verdicts tell the truth: each word where it belongs and not beside it, and every number right."""

import math
import re
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from verdict_cases import everything_said, finding, findings, finished, sample, small

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.schemes import SCHEMES
from stability.diagnosis.evidence import starting_indicators
from stability.diagnosis.indicators import scheme_indicators
from stability.diagnosis.verdicts import current_verdicts, verdicts_before_training
from stability.diagnosis.words import EXPLANATIONS
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.text import number

pytestmark = pytest.mark.case
ARRAYS = [field.name for field in fields(Measurement)][1:]
BADLY_SPELLED = re.compile(r"e[-+]0|\de\+|\bnan\b|\.\.|  | ,|\b1 layers|\b1 in a row|\b0 of|None")


def verdict_case(word: str, beside: dict, **settings) -> tuple[str, Experiment, Experiment]:
    e = small(**settings)
    return word, e, replace(e, **beside)


# A word, an experiment that earns it, and a near neighbour that does not.
EARNED = (
    verdict_case("learns", {"learning_rate": 0.02}, learning_rate=0.1),
    verdict_case("slow", {"learning_rate": 0.1}, learning_rate=0.02),
    verdict_case("stalled", {"learning_rate": 0.1}, learning_rate=1e-5),
    verdict_case("vanishing", {"depth": 3}, schemes=("xavier_normal",), depth=20, steps=150),
    verdict_case("exploding", {"depth": 2}, schemes=("normal:1",), depth=10, learning_rate=1e-6),
    verdict_case("saturated", {"schemes": ("normal:0.2",)}, schemes=("normal:2",),
                 activation="tanh", learning_rate=1e-4),
    verdict_case("dead", {"activation": "leaky_relu"}, width=2, depth=12),
    verdict_case("symmetric", {"schemes": ("xavier_normal",)}, schemes=("constant",), steps=20),
    verdict_case("diverged", {"learning_rate": 0.02}, learning_rate=20.0),
    verdict_case("overflowed", {"schemes": ("normal:0.1",)}, schemes=("normal:1e6",), depth=20),
)  # fmt: skip
BIASED = {
    "one layer": small(depth=1, schemes=("zeros", "he_normal", "constant"), dataset="sine"),
    "one layer of classes": small(depth=1, schemes=("zeros", "normal:10"), learning_rate=1e-4),
    "two layers": small(depth=2, schemes=("he_normal", "normal:1", "zeros"), learning_rate=1e-4),
    "width 2": small(width=2, schemes=("he_normal", "xavier_normal"), activation="tanh"),
    "batches of 1": small(batch=1, schemes=("he_normal", "normal:1")),
    "one batch": small(samples=64, batch=64, schemes=("he_normal", "normal:0.01")),
    "replicates": small(replicates=4, learning_rate=2.0, schemes=("he_normal", "normal:0.3")),
    "float16": small(precision="float16", schemes=("he_normal", "normal:0.01"), depth=9),
    "bfloat16": small(precision="bfloat16", schemes=("he_normal", "normal:0.01"), depth=9),
    "one step": small(steps=1, schemes=("he_normal", "normal:1")),
}  # fmt: skip


def test_every_word_is_earned_by_one_of_the_experiments_here():
    assert {word for word, _, _ in EARNED} == set(EXPLANATIONS)


@pytest.mark.parametrize(("word", "e", "neighbour"), EARNED, ids=[word for word, _, _ in EARNED])
def test_a_word_is_said_where_it_belongs_and_not_beside_it(word, e, neighbour):
    assert finding(e).word == word, finding(e)
    assert finding(neighbour).word != word, finding(neighbour)


def test_a_network_learns_or_is_slow_if_and_only_if_its_held_out_loss_says_so():
    said = set()
    for run in (*sample(), *(finished(e) for _, e, _ in EARNED)):
        guessing = run.experiment.dataset_row.guessing_loss
        heights = run.measurements[-1].test_loss[:, 0] / guessing
        for index, verdict in enumerate(findings(run.experiment)):
            broke = (index, 0) in run.breaks
            assert (verdict.word == "learns") == (heights[index] < 0.5 and not broke), verdict
            assert (verdict.word == "slow") == (0.5 <= heights[index] < 0.9 and not broke), verdict
            said.add(verdict.word)
    assert {"learns", "slow"} < said


def test_a_network_that_left_the_range_of_numbers_diverged_or_overflowed():
    broken = {(run.experiment, scheme) for run in sample() for scheme, _ in run.breaks}
    assert broken
    for e, scheme in broken:
        assert findings(e)[scheme].word in ("diverged", "overflowed")


def test_a_finding_does_not_sound_like_a_forecast():
    for run in sample():
        for verdict in findings(run.experiment):
            assert not verdict.forecast
            assert not re.search(r"probabl|may |such networks", verdict.sentence), verdict


@pytest.mark.parametrize("e", BIASED.values(), ids=BIASED)
def test_extreme_experiments_have_verdicts_in_good_english(e):
    verdicts = everything_said(finished(e))
    assert len(verdicts) == 3 * len(e.schemes)
    for verdict in verdicts:
        assert verdict.word in EXPLANATIONS
        assert not BADLY_SPELLED.search(verdict.sentence), verdict.sentence
        if e.depth <= 2:
            assert not re.search("each (hidden )?layer|end to end", verdict.sentence), verdict
        if e.depth == 1:
            assert "hidden units" not in verdict.sentence
            assert verdict.word not in ("symmetric", "dead", "saturated")


def test_every_sentence_begins_and_ends_as_one_holds_a_number_and_spells_it_well():
    for run in sample():
        for verdict in everything_said(run):
            sentence, label = verdict.sentence, run.experiment.number_format.label
            assert sentence[0].isupper() or sentence.startswith(label), sentence
            assert sentence.endswith("."), sentence
            assert re.search(r"\d|\binf\b|\bNaN\b", sentence), sentence
            assert not BADLY_SPELLED.search(sentence), sentence
            assert isinstance(verdict.number, float)


def test_verdicts_on_numbers_that_are_all_nan_or_infinite_or_zero_do_not_fail():
    run = finished(small(schemes=("he_normal", "zeros"), replicates=2, steps=3))
    first = run.measurements[0]
    for value in (math.nan, math.inf, 0.0):
        arrays = {name: np.full_like(getattr(first, name), value) for name in ARRAYS}
        verdict, *_ = verdicts_before_training(run.experiment, replace(first, **arrays))
        assert verdict.word not in ("learns", "slow")


def test_divergence_names_the_step_and_the_layer_that_broke_first():
    run = finished(small(learning_rate=20.0))
    event, verdict = run.breaks[0, 0], finding(run.experiment)
    assert f"diverged at step {event.step}: the signal of layer {event.layer} " in verdict.sentence
    assert verdict.number == event.step


def test_one_replicate_that_diverged_is_enough_and_counted():
    run = finished(small(learning_rate=2.0, replicates=5, steps=40))
    count = len({replicate for _, replicate in run.breaks})
    assert 0 < count < 5
    verdict = finding(run.experiment)
    assert verdict.word == "diverged"
    assert f" in {count} of 5 replicates: " in verdict.sentence


@pytest.mark.parametrize(("rate", "said"), [(0.5, "All 3 replicates learn."),
                                            (1e-5, "No replicate learns.")])  # fmt: skip
def test_replicates_that_learn_are_counted(rate, said):
    assert said in finding(small(learning_rate=rate, replicates=3, steps=40)).sentence


def test_the_factor_of_a_hidden_layer_is_the_geometric_mean_over_the_hidden_layers():
    e = small(activation="sigmoid", schemes=("xavier_normal",), depth=12)
    gradient = finished(e).measurements[0].signal_gradient[0, 0, :-1]
    factor = math.exp(np.mean([math.log(a / b) for a, b in pairwise(gradient)]))
    assert finding(e).number == pytest.approx(factor, rel=1e-9)
    said = rf"each hidden layer multiplies the gradient by {number(factor)}, from end to end by"
    assert said in finding(e).sentence


def test_findings_about_the_past_stay_when_profiles_are_thinned():
    whole, thin = finished(small()), Run(small(), profile_bytes=1).train()
    assert thin.measurements[30].signal is None
    for count in (31, 61):
        assert current_verdicts(thin, count) == current_verdicts(whole, count)


def test_indicators_of_replicates_are_those_of_the_middle_one():
    e = small(replicates=3, steps=1)
    first = finished(e).measurements[0]
    (seen,) = scheme_indicators(e, first)
    assert seen.relative_loss == sorted(first.test_loss[0])[1] / math.log(10)
    assert seen.signal == tuple(np.median(first.signal[0], axis=0))


def test_every_activation_names_a_scheme_that_suits_it_or_none():
    assert {row.suited_scheme for row in ACTIVATIONS.values()} <= {"", *SCHEMES}


def test_schemes_that_learn_are_pointed_to_beside_one_that_does_not():
    e = small(schemes=("he_normal", "xavier_normal", "zeros"), depth=8, learning_rate=0.1)
    e = replace(e, steps=80)
    learns, *others = findings(e)
    assert learns.word == "learns"
    assert "the same network" not in learns.sentence
    sick = [verdict.sentence for verdict in others if verdict.word != "learns"]
    assert sick
    assert all("With He (normal), the same network learns." in sentence for sentence in sick)
    assert "the same network" not in finding(replace(e, schemes=("zeros", "constant"))).sentence


def test_a_network_that_skips_more_than_twenty_steps_is_judged_by_the_first_that_it_takes():
    """Its gradients need the loss scale halved that often; a skipped step tells little of them."""
    chaotic = small(schemes=("scaled_normal:3",), activation="tanh", learning_rate=1e-4)
    e = replace(chaotic, depth=90, precision="float16_scaled", steps=40)
    run = finished(e)
    skipped = [not np.isfinite(m.gradient_norm).all() for m in run.measurements]
    taken = skipped.index(False)
    assert taken > 20, taken
    (start,) = starting_indicators(run, len(run.measurements))
    assert start.step == taken
    gradient = run.measurements[taken].signal_gradient[0, 0]
    assert start.log_gradient == pytest.approx(math.log10(gradient[0] / gradient[-2]))
    assert starting_indicators(run, taken)[0].step == 0, "none is taken yet"
