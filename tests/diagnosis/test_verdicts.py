"""Verdicts tell the truth: each word where it belongs and not beside it, and forecasts that come
true.
"""

import math
import random
import re
from dataclasses import fields, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from stability.catalogues import schemes
from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES
from stability.diagnosis.evidence import evidence_before_training, starting_indicators
from stability.diagnosis.findings import FORECASTS
from stability.diagnosis.forecast import FORECAST_ACCURACY, learning_probability
from stability.diagnosis.indicators import scheme_indicators
from stability.diagnosis.remedies import suggest_better_start
from stability.diagnosis.verdicts import (
    Verdict,
    choose_remedy,
    current_verdicts,
    forecast,
    verdicts_before_training,
)
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.records.experiment import MOST_SCHEMES, Experiment, scheme_disagreements

SMALL = Experiment(schemes=("he_normal",), depth=4, width=16, samples=128, batch=32, steps=60)
ARRAYS = [field.name for field in fields(Measurement)][1:]
HELD_OUT_SEED = 302  # the forecast was fitted on samples of other seeds


def verdict_case(word: str, beside: dict, **settings) -> tuple[str, Experiment, Experiment]:
    experiment = replace(SMALL, **settings)
    return word, experiment, replace(experiment, **beside)


# A word, an experiment that earns it, and a near neighbour that does not.
EARNED = (
    verdict_case("learns", {"learning_rate": 1e-5}, learning_rate=0.1),
    verdict_case(
        "slow", {"schemes": ("he_normal",)}, schemes=("normal:1",), activation="tanh", steps=30
    ),
    verdict_case("stalled", {"learning_rate": 0.1}, learning_rate=1e-5),
    verdict_case(
        "vanishing", {"depth": 3}, schemes=("xavier_normal",), depth=20, width=32, steps=150
    ),
    verdict_case(
        "exploding", {"depth": 2}, schemes=("normal:1",), depth=10, learning_rate=1e-6, clip=0.1
    ),
    verdict_case(
        "saturated",
        {"schemes": ("normal:0.2",)},
        schemes=("normal:2",),
        activation="tanh",
        learning_rate=1e-4,
    ),
    verdict_case("dead", {"activation": "leaky_relu"}, width=2, depth=12),
    verdict_case("symmetric", {"schemes": ("xavier_normal",)}, schemes=("constant",)),
    verdict_case("diverged", {"learning_rate": 0.02}, learning_rate=20.0),
    verdict_case("overflowed", {"schemes": ("normal:0.1",)}, schemes=("normal:1e6",), depth=20),
)


@cache
def finished(experiment: Experiment) -> Run:
    run = Run(experiment)
    assert list(run)
    return run


def finding(experiment: Experiment) -> Verdict:
    return current_verdicts(finished(experiment), experiment.steps + 1)[0]


def likely(experiment: Experiment) -> list[Verdict]:
    return verdicts_before_training(
        experiment, finished(replace(experiment, steps=1)).measurements[0]
    )


def random_scheme(draw: random.Random) -> str:
    row = draw.choice(list(SCHEMES.values()))
    if row.value is None or draw.random() < 0.3:
        return row.key
    value = (
        draw.randint(3, 30)
        if row.integer_value
        else float(f"{row.value * 10 ** draw.uniform(-1, 1):.2g}")
    )
    return f"{row.key}:{value}"


def random_experiment(draw: random.Random) -> Experiment:
    """Eight networks of one kind: any setting, a tenth to ten times the typical learning rate."""
    optimizer, chosen = draw.choice(list(OPTIMIZERS.values())), {}
    e = Experiment(
        activation=draw.choice(list(ACTIVATIONS)),
        depth=draw.randint(1, 20),
        width=2 * draw.randint(2, 16),
        residual=draw.random() < 0.25,
        normalization=draw.choice(["none", "none", *NORMALIZATIONS]),
        dropout=draw.choice([0, 0, 0.2]),
        bias_std=draw.choice([0, 0, 0.1]),
        dataset=draw.choice(list(DATASETS)),
        samples=512,
        batch=32,
        steps=draw.randint(50, 100),
        optimizer=optimizer.key,
        learning_rate=optimizer.learning_rate * 10 ** draw.uniform(-1, 1),
        clip=draw.choice([0, 0, 1.0]),
        weight_decay=draw.choice([0, 0, 0.01]),
        seed=draw.randrange(2**31),
    )
    while len(chosen) < MOST_SCHEMES:
        text = random_scheme(draw)
        if not list(scheme_disagreements(text, e.settings())):
            chosen.setdefault(schemes.family_and_value(text), text)
    return replace(e, schemes=tuple(chosen.values()))


@cache
def sample() -> tuple[Run, ...]:
    """200 random networks, eight at once."""
    draw = random.Random(HELD_OUT_SEED)
    return tuple(finished(random_experiment(draw)) for _ in range(25))


def loss_halved(run: Run) -> list[bool]:
    """By scheme: whether the held-out loss was halved."""
    first, last = run.measurements[0].test_loss[:, 0], run.measurements[-1].test_loss[:, 0]
    return [
        math.isfinite(start) and end < start / 2 for start, end in zip(first, last, strict=True)
    ]


def test_every_verdict_is_earned_by_one_of_the_experiments_here():
    assert {word for word, _, _ in EARNED} == set(FORECASTS)


@pytest.mark.parametrize(
    ("word", "experiment", "neighbour"), EARNED, ids=[word for word, _, _ in EARNED]
)
def test_a_word_is_said_where_it_belongs_and_not_beside_it(word, experiment, neighbour):
    assert finding(experiment).word == word, finding(experiment)
    assert finding(neighbour).word != word, finding(neighbour)


def test_a_network_learns_or_is_slow_if_and_only_if_its_held_out_loss_was_halved():
    for run in sample():
        e = run.experiment
        for verdict, halved in zip(
            current_verdicts(run, e.steps + 1), loss_halved(run), strict=True
        ):
            assert (verdict.word in ("learns", "slow")) == halved, (verdict, e)


def test_no_network_that_left_the_range_of_numbers_is_called_healthy():
    broken = [(run, scheme) for run in sample() for scheme, _ in run.breaks]
    assert broken
    for run, scheme in broken:
        assert current_verdicts(run, run.experiment.steps + 1)[scheme].word in (
            "diverged",
            "overflowed",
        )


def test_forecasts_are_right_as_often_as_is_said():
    right = []
    for run in sample():
        foretold = [
            verdict.word in ("learns", "slow")
            for verdict in verdicts_before_training(run.experiment, run.measurements[0])
        ]
        right += [said == halved for said, halved in zip(foretold, loss_halved(run), strict=True)]
    share = sum(right) / len(right)
    print(f"\nforecasts right: {share:.3f} of {len(right)}")
    assert len(right) == 200
    assert share >= 0.85
    error = math.sqrt(
        FORECAST_ACCURACY * (1 - FORECAST_ACCURACY) / 25 / 2
    )  # eight networks of one kind count as two
    assert abs(share - FORECAST_ACCURACY) <= 2 * error


def test_a_forecast_is_worded_as_one_and_names_the_optimizer():
    for run in sample()[:8]:
        for verdict in verdicts_before_training(run.experiment, run.measurements[0]):
            assert verdict.forecast
            fate, label = FORECASTS[verdict.word], run.experiment.optimizer_row.label
            assert verdict.sentence.startswith(f"is likely to {fate} under {label}")
        for verdict in current_verdicts(run, len(run.measurements)):
            assert not verdict.forecast
            assert verdict.sentence.startswith(verdict.word)
            assert "likely" not in verdict.sentence


def test_every_sentence_holds_a_number_and_no_number_is_spelled_badly():
    for run in sample():
        for verdict in [
            *verdicts_before_training(run.experiment, run.measurements[0]),
            *current_verdicts(run, len(run.measurements)),
        ]:
            assert re.search(r"\d|\binf\b|\bNaN\b", verdict.sentence), verdict.sentence
            assert not re.search(r"e[-+]0|\de\+|nan|\.\.|  | ,", verdict.sentence), verdict.sentence
            assert isinstance(verdict.number, float)


def test_every_remedy_makes_a_legal_experiment_that_differs_and_keeps_the_seed():
    for run in sample():
        e = run.experiment
        for verdict in [
            *verdicts_before_training(e, run.measurements[0]),
            *current_verdicts(run, len(run.measurements)),
        ]:
            assert (verdict.remedy is None) <= (verdict.word in ("learns", "slow")), verdict
            if verdict.remedy:
                cured = verdict.remedy.apply(e, verdict.scheme)
                assert cured != e
                assert (cured.seed, cured.dataset) == (e.seed, e.dataset)
                assert bool(verdict.remedy.scheme) != bool(verdict.remedy.settings)


@pytest.mark.parametrize("activation", ["tanh", "relu", "hardtanh", "leaky_relu"])
def test_another_normalization_is_offered_only_where_its_own_first_step_promises_more(activation):
    """Behind batch norm gradients explode with the depth, and behind layer norm those of tanh do,
    too.
    """
    scheme = ACTIVATIONS[activation].suited_scheme or "xavier_normal"
    e = Experiment(
        schemes=(scheme,),
        activation=activation,
        normalization="batch",
        depth=100,
        width=16,
        batch=32,
        steps=60,
    )
    (verdict,) = verdicts_before_training(e, next(measure(e)))
    assert verdict.word == "exploding"
    alone = [replace(e, normalization=key) for key in ("batch", "layer")]
    before, after = (
        learning_probability(one, scheme_indicators(one, next(measure(one)))[0]) for one in alone
    )
    assert verdict.remedy.settings == (
        (("normalization", "layer") if after > before + 0.1 else ("residual", True)),
    )


def test_where_nothing_else_is_left_half_the_depth_is_a_remedy():
    e = Experiment(schemes=("he_normal",), normalization="layer", residual=True, depth=9)
    (evidence,) = evidence_before_training(e, next(measure(e)))
    assert choose_remedy(suggest_better_start(e, "he_normal"), evidence).settings == (("depth", 4),)


def test_a_scheme_as_a_remedy_stands_beside_the_sick_one_or_in_its_place_where_eight_are_shown():
    e = replace(SMALL, schemes=("xavier_normal", "zeros"), depth=20)
    remedy = finding(e).remedy
    assert remedy.scheme == "he_normal"
    assert remedy.apply(e, "xavier_normal").schemes == ("xavier_normal", "he_normal", "zeros")
    full = replace(e, schemes=("zeros", *(f"normal:0.0{digit}" for digit in range(1, 8))))
    assert remedy.apply(full, "normal:0.02").schemes == tuple(
        "he_normal" if text == "normal:0.02" else text for text in full.schemes
    )


@pytest.mark.parametrize("word", ["vanishing", "stalled", "diverged", "symmetric"])
def test_the_remedy_cures(word):
    experiment = next(e for name, e, _ in EARNED if name == word)
    verdict = finding(experiment)
    for _ in range(4):  # a rate that is 1000 times off takes several
        experiment = verdict.remedy.apply(experiment, verdict.scheme)
        after = current_verdicts(finished(experiment), experiment.steps + 1)[-1]
        if after.word in ("learns", "slow"):
            return
        verdict = after
    pytest.fail(str(verdict))


def test_where_the_start_was_healthy_divergence_is_put_down_to_the_learning_rate():
    verdict = finding(replace(SMALL, learning_rate=20.0))
    assert "it is the learning rate, not the initialization" in verdict.sentence
    assert dict(verdict.remedy.settings).keys() == {"learning_rate"}
    sick = finding(replace(SMALL, schemes=("normal:1",), depth=20))
    assert sick.word == "diverged"
    assert "learning rate" not in sick.sentence
    assert sick.remedy.scheme == "he_normal"


def test_a_learning_rate_a_thousand_times_the_typical_one_is_foreseen_to_diverge():
    (verdict,) = likely(replace(SMALL, learning_rate=20.0))
    assert verdict.word == "diverged"
    assert verdict.sentence.endswith("it is the learning rate, not the initialization.")
    assert dict(verdict.remedy.settings)["learning_rate"] < 1


def test_verdicts_on_numbers_that_are_all_nan_or_infinite_or_zero_do_not_fail():
    run = finished(replace(SMALL, schemes=("he_normal", "zeros"), replicates=2, steps=3))
    first = run.measurements[0]
    for value in (math.nan, math.inf, 0.0):
        arrays = {name: np.full_like(getattr(first, name), value) for name in ARRAYS}
        verdict, *_ = verdicts_before_training(run.experiment, replace(first, **arrays))
        assert verdict.word not in ("learns", "slow")


def test_divergence_names_the_step_and_the_layer_that_broke_first():
    run = finished(replace(SMALL, learning_rate=20.0))
    event = run.breaks[0, 0]
    verdict = finding(run.experiment)
    assert verdict.sentence.startswith(
        f"diverged at step {event.step}: layer {event.layer} overflowed first"
    )
    assert verdict.number == event.step


def test_the_factor_of_a_layer_is_the_geometric_mean_over_the_layers():
    experiment = replace(SMALL, activation="sigmoid", schemes=("xavier_normal",), depth=12)
    verdict, gradient = (
        finding(experiment),
        finished(experiment).measurements[0].signal_gradient[0, 0],
    )
    factor = math.exp(np.mean([math.log(a / b) for a, b in pairwise(gradient)]))
    assert verdict.number == pytest.approx(factor, rel=1e-9)
    assert f"multiplies the gradient by {factor:.2g}; 11 layers make" in verdict.sentence


def test_a_signal_that_fades_behind_flat_weight_gradients_is_said_to():
    verdict = next(v for v in likely(Experiment()) if v.scheme == "xavier_normal")
    assert verdict.word == "vanishing"
    assert (
        "although the weight gradients look flat: from the start the signal shrinks to"
        in verdict.sentence
    )


def test_the_default_experiment_is_foreseen():
    assert [verdict.word for verdict in likely(Experiment())] == [
        "learns",
        "vanishing",
        "exploding",
    ]


def test_before_the_end_only_what_has_diverged_is_found_and_the_rest_foretold():
    e = replace(SMALL, schemes=("he_normal", "normal:1", "normal:1e6"), depth=20, steps=20)
    run = finished(e)
    assert [verdict.forecast for verdict in current_verdicts(run, 1)] == [True, True, False]
    assert [verdict.forecast for verdict in current_verdicts(run, run.breaks[1, 0].step + 1)] == [
        True,
        False,
        False,
    ]
    assert [verdict.forecast for verdict in current_verdicts(run, 21)] == [False] * 3


def test_findings_about_the_past_stay_when_profiles_are_thinned():
    whole, thin = finished(SMALL), Run(SMALL, profile_bytes=1)
    assert list(thin)
    assert thin.measurements[30].signal is None
    assert current_verdicts(thin, 31) == current_verdicts(whole, 31)
    assert current_verdicts(thin, 61) == current_verdicts(whole, 61)


def test_one_replicate_that_diverged_is_enough_and_counted():
    run = finished(
        replace(SMALL, learning_rate=2.0, replicates=5, schemes=("he_normal",), steps=40)
    )
    count = len({replicate for _, replicate in run.breaks})
    assert count > 0
    verdict = current_verdicts(run, 41)[0]
    assert verdict.word == "diverged"
    assert f"({count} of 5 replicates)" in verdict.sentence


def test_a_network_without_hidden_layers_has_verdicts_too():
    run = finished(
        replace(
            SMALL, depth=1, schemes=("zeros", "he_normal", "constant"), learning_rate=0.1, steps=100
        )
    )
    assert [verdict.word for verdict in current_verdicts(run, 101)] == ["learns"] * 3
    assert len(current_verdicts(run, 1)) == 3


def test_signs_of_replicates_are_those_of_the_middle_one():
    e = replace(SMALL, replicates=3, steps=1)
    first = finished(e).measurements[0]
    (seen,) = scheme_indicators(e, first)
    assert seen.relative_loss == sorted(first.test_loss[0])[1] / math.log(10)
    assert seen.signal == tuple(np.median(first.signal[0], axis=0))


def test_every_activation_names_a_scheme_that_suits_it_or_none():
    assert {row.suited_scheme for row in ACTIVATIONS.values()} <= {"", *SCHEMES}


def test_the_public_forecast_is_that_of_the_first_measurement():
    e = replace(SMALL, schemes=("he_normal", "zeros", "normal:1e6"))
    assert forecast(e) == likely(e)
    assert [verdict.scheme for verdict in forecast(e)] == list(e.schemes)


def test_a_network_that_skips_more_than_twenty_steps_is_judged_by_the_first_that_it_takes():
    """Its gradients need the loss scale halved that often; a skipped step tells little of them."""
    chaotic = replace(SMALL, schemes=("scaled_normal:3",), activation="tanh", learning_rate=1e-4)
    e = replace(chaotic, depth=90, precision="float16_scaled")
    run = finished(e)
    skipped = [not np.isfinite(m.gradient_norm).all() for m in run.measurements]
    taken = skipped.index(False)
    assert taken > 20, taken
    (start,) = starting_indicators(run, len(run.measurements))
    assert start.step == taken
    gradient = run.measurements[taken].signal_gradient[0, 0]
    assert start.log_gradient == pytest.approx(math.log10(gradient[0] / gradient[-1]))
    assert starting_indicators(run, taken)[0].step == 0, "none is taken yet"
