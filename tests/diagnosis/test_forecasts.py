"""Forecasts are worded as such, rest on tables that know every choice, and use what was seen."""

import math
from dataclasses import replace

import pytest
from verdict_cases import SMALL, finding, finished, likely, sample, small

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.diagnosis.evidence import evidence_of_run
from stability.diagnosis.features import categories, numeric_features
from stability.diagnosis.forecast import Outlook, outlook_from_start, progress_features
from stability.diagnosis.odds import OddsTable, odds_tables, shares
from stability.diagnosis.verdicts import current_verdicts, forecast, judge, verdicts_before_training
from stability.records.experiment import Experiment

CATALOGUES = {
    "dataset": DATASETS, "optimizer": OPTIMIZERS, "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS, "precision": PRECISIONS, "residual": ("False", "True"),
}  # fmt: skip
BEGINNINGS = "It will ", "It may ", "It overflows before the first step"
TABLE = OddsTable(
    base=-1.0,
    curves={"depth": ((0.0, 1.0, 3.0), (0.0, 2.0, 1.0)), "rate": ((-1.0, 1.0), (0.0, 4.0))},
    choices={"activation": {"relu": 0.5, "tanh": -0.25}},
)


@pytest.mark.parametrize(("numbers", "choices", "expected"), [
    ({"depth": 0.5, "rate": 0.0}, {"activation": "relu"}, -1 + 1 + 2 + 0.5),
    ({"depth": 2.0, "rate": -9.0}, {"activation": "tanh"}, -1 + 1.5 + 0 - 0.25),
    ({"depth": 99.0}, {"activation": "unheard of", "optimizer": "sgd"}, -1 + 1),
    ({}, {}, -1),
])  # fmt: skip
def test_log_odds_add_up_what_every_number_and_choice_contributes(numbers, choices, expected):
    assert TABLE.log_odds(numbers, choices) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("log_odds", [(0.0, 0.0), (1.0, -2.0, 0.5), (900.0, -900.0), (-2000.0,)])
def test_shares_add_up_to_one_and_stand_in_the_ratio_of_their_odds(log_odds):
    found = shares({str(i): value for i, value in enumerate(log_odds)})
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    for i, value in enumerate(log_odds):
        assert found[str(i)] == pytest.approx(found["0"] * math.exp(min(700, value - log_odds[0])))


@pytest.mark.parametrize("name", ["forecast", "progress"])
def test_the_tables_know_every_number_and_every_choice_that_can_be_made(name):
    tables = odds_tables(name)
    assert tables.keys() == Outlook.__annotations__.keys()
    start = likely(SMALL).evidence.start
    numbers = numeric_features(SMALL, start).keys()
    choices = categories(SMALL).keys()
    if name == "progress":
        outlook = outlook_from_start(SMALL, start)
        numbers, choices = progress_features(SMALL, outlook, ((0, 3.0), (9, 1.0))).keys(), set()
    for table in tables.values():
        assert table.curves.keys() == numbers
        assert table.choices.keys() == choices
        for setting in choices:
            assert set(table.choices[setting]) == set(CATALOGUES[setting]), setting
        for knots, heights in table.curves.values():
            assert list(knots) == sorted(set(knots))
            assert len(knots) == len(heights)


def test_the_probabilities_of_an_outlook_add_up_to_one_before_and_while_training():
    for run in sample():
        for count in (1, 20):
            for evidence in evidence_of_run(run, count):
                outlook = evidence.outlook
                assert sum(vars(outlook).values()) == pytest.approx(1, abs=1e-9)
                assert min(vars(outlook).values()) >= 0


def test_a_forecast_is_worded_as_one():
    for run in sample():
        for count in (1, run.experiment.steps // 2):
            for verdict in current_verdicts(run, count):
                if verdict.forecast:
                    assert verdict.sentence.startswith(BEGINNINGS), verdict


def test_the_number_of_networks_in_a_hundred_is_a_singular_where_it_is_one():
    (evidence,) = evidence_of_run(finished(small(learning_rate=1e-5)), 1)
    for share, said in ((0.001, "fewer than 1 of 100 such networks learn in"),
                        (0.012, ": 1 of 100 such networks learns in"),
                        (0.02, ": 2 of 100 such networks learn in")):  # fmt: skip
        foreseen = replace(evidence)
        vars(foreseen)["outlook"] = Outlook(share, 0.0, 1 - share, 0.0)
        assert said in judge(foreseen).sentence


def test_the_default_experiment_is_foreseen():
    e = Experiment()
    said = [verdict.word for verdict in forecast(e)]
    assert said == ["learns", "vanishing", "exploding"]


def test_a_learning_rate_a_thousand_times_the_typical_one_is_foreseen_to_diverge():
    verdict = likely(small(learning_rate=20.0))
    assert verdict.word == "diverged"
    assert "The start is healthy, but a step is too long" in verdict.sentence
    assert dict(verdict.remedy.settings)["learning_rate"] < 1


@pytest.mark.parametrize("e", [
    small(schemes=("xavier_normal",), depth=14, learning_rate=0.01),
    small(learning_rate=1e-5),
    small(schemes=("zeros",)),
    small(dataset="checkerboard", schemes=("xavier_normal",), depth=2, learning_rate=0.05),
], ids=["vanishing", "tiny rate", "zeros", "checkerboard"])  # fmt: skip
def test_a_network_that_is_stuck_one_step_before_the_end_is_not_foretold_to_learn(e):
    run = finished(e)
    assert finding(e).word not in ("learns", "slow"), finding(e)
    (verdict,) = current_verdicts(run, e.steps)
    assert verdict.forecast
    assert verdict.word not in ("learns", "slow"), verdict
    assert verdict.evidence.outlook.learns < 0.1


def test_a_network_that_has_learned_one_step_before_the_end_is_foretold_to_learn():
    e = small(learning_rate=0.1)
    before, late = (current_verdicts(finished(e), count)[0] for count in (1, e.steps))
    assert late.word == "learns"
    assert late.evidence.outlook.learns > max(0.9, before.evidence.outlook.learns)


def test_before_the_end_only_what_has_diverged_is_found_and_the_rest_foretold():
    e = small(schemes=("he_normal", "normal:1", "normal:1e6"), depth=20, steps=20)
    run = finished(e)
    broken = run.breaks[1, 0].step + 1
    for count, expected in ((1, [True, True, False]), (broken, [True, False, False]),
                            (21, [False] * 3)):  # fmt: skip
        assert [verdict.forecast for verdict in current_verdicts(run, count)] == expected


def test_the_public_forecast_is_that_of_the_first_measurement():
    e = small(schemes=("he_normal", "zeros", "normal:1e6"))
    first = finished(replace(e, steps=1)).measurements[0]
    assert forecast(e) == verdicts_before_training(e, first)
    assert [verdict.scheme for verdict in forecast(e)] == list(e.schemes)
