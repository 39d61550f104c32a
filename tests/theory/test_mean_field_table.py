"""The numbers beside the charts: where a scheme stands, and the formula with the numbers put in."""

import math
import re

import numpy as np
import pytest

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.schemes import SCHEMES
from stability.records.experiment import Experiment
from stability.theory.mean_field_table import (
    CENTRED_ONLY,
    SINKS_SLOWLY,
    mean_field_frame,
    variance_equation,
)
from stability.theory.prediction import predict


def row(e: Experiment, place: int = 0) -> dict:
    return mean_field_frame(e).iloc[place].to_dict()


def test_he_stands_on_the_edge_of_relu_and_its_neighbours_do_not():
    e = Experiment(schemes=("he_normal", "xavier_normal", "normal:1"))
    he, xavier, normal = (row(e, place) for place in range(3))
    assert he["sigma_w"] == pytest.approx(he["edge"])
    assert (he["phase"], xavier["phase"], normal["phase"]) == (
        "on the edge",
        "dies out",
        "explodes",
    )
    assert (he["chi_1"], xavier["chi_1"], normal["chi_1"]) == pytest.approx((1, 1 / 2, 32))
    assert math.isinf(he["reach"])
    assert xavier["reach"] == pytest.approx(6 / math.log(2))  # 6 xi, xi = -1 / ln chi_1


def test_tanh_is_ordered_below_its_edge_and_chaotic_above():
    e = Experiment(
        schemes=("scaled_normal:1.2", "critical", "scaled_normal:2"),
        activation="tanh",
        bias_std=math.sqrt(0.05),
    )
    below, at, above = (row(e, place) for place in range(3))
    assert (below["phase"], at["phase"], above["phase"]) == ("ordered", "on the edge", "chaotic")
    assert at["edge"] ** 2 == pytest.approx(1.761, abs=5e-4)  # Schoenholz et al. 2017
    assert all(one["edge"] == at["edge"] for one in (below, above))


@pytest.mark.parametrize("activation", ["tanh", "erf", "hardtanh", "softsign", "elu"])
def test_on_the_edge_without_biases_the_signal_is_said_to_fade_slowly_and_does(activation):
    e = Experiment(schemes=("critical", "scaled_normal:0.8"), activation=activation, depth=100)
    edge, below = row(e), row(e, 1)
    assert (edge["phase"], edge["q"], edge["note"]) == ("on the edge", 0, SINKS_SLOWLY)
    assert below["note"] == "The signal dies out: q runs to 0."
    q = predict(e).signal ** 2
    shares = q[:, 1:-1] / q[:, :-2]
    assert 0.95 < shares[0, -1] < 1, "and ever nearer to 1"
    assert (np.diff(shares[0, 5:]) > 0).all()
    assert shares[1, -1] == pytest.approx(below["chi_1"], abs=0.03)


@pytest.mark.parametrize(
    "settings", [{"residual": True}, {"normalization": "layer"}, {"dropout": 0.1}]
)
def test_what_is_not_a_plain_network_has_its_sizes_and_a_sentence(settings):
    one = row(Experiment(**settings))
    assert one["sigma_w"] == pytest.approx(math.sqrt(2))
    assert "plain networks" in one["note"]
    assert np.isnan(one["chi_1"])


@pytest.mark.parametrize("key", SCHEMES)
def test_every_scheme_has_its_row_and_what_has_no_theory_says_so(key):
    e = Experiment.from_query({"schemes": key})[0]
    one = row(e)
    assert one["scheme"] == SCHEMES[key].title
    if not SCHEMES[key].variance:
        assert "No theory" in one["note"]
        assert variance_equation(e, key) == ""


def test_weights_that_are_not_drawn_around_0_have_no_fixed_points():
    e = Experiment(schemes=("he_normal",), weight_mean=1.0)
    assert row(e)["note"] == CENTRED_ONLY
    assert variance_equation(e, "he_normal") == ""


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("settings", [{}, {"residual": True}, {"bias_std": 0.3, "dropout": 0.2}])
def test_the_formula_adds_up_to_the_prediction(activation, settings):
    e = Experiment(schemes=("xavier_normal",), activation=activation, depth=9, **settings)
    left, _, numbers, result = re.split(" = ", variance_equation(e, "xavier_normal"))
    assert left == r"\mathrm{Var}\,z_{5}"
    values = [
        [as_number(factor) for factor in part.split(r" \cdot ")]
        for part in tens(numbers).split(" + ")
    ]
    total = sum(math.prod(factors) for factors in values)
    assert total == pytest.approx(as_number(tens(result)), rel=0.03)  # three digits each
    assert as_number(tens(result)) == pytest.approx(predict(e).signal[0, 4] ** 2, rel=0.006)


def tens(text: str) -> str:
    return re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", text)


def as_number(text: str) -> float:
    return float(text)


def test_batch_normalization_has_no_formula():
    assert not NORMALIZATIONS["batch"].variance
    assert variance_equation(Experiment(normalization="batch"), "he_normal") == ""


def test_a_network_of_one_layer_has_a_row():
    assert row(Experiment(depth=1))["sigma_w"] > 0
