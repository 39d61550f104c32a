"""Predictions against wide random networks, against closed forms, and where there are none.

Sampling errors. A prediction is the root of an expected square, so each network of a sample gives a
ratio, measured^2 over predicted^2, whose mean is 1; its standard error s / sqrt(n) comes from the
sample. Ratios of one layer to the layer it is computed from are sharper than the ratios themselves,
because the chance of the other layers drops out. Allowed are four standard errors and a bias:
networks are WIDTH wide and theory holds for infinitely wide ones. The mean square of a layer
fluctuates by a relative variance of about 5 / width (Hanin & Rolnick 2018), a curved average of it
is off by a share of that, and a normalization takes 2 of its width dimensions out of the gradient:
5 / width a layer, whatever the layer, where width is that of the units that dropout leaves.

Layers have few outputs, 10 at the end, so one activation says little about the last one. Each
activation has its own seed, so that all together, 240 networks of each scheme, say it: there a
variance that is wrong by a factor of 1.2 in any layer shows.
"""

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.datasets import DATASETS
from stability.catalogues.scheme_needs import has_edge_of_chaos
from stability.catalogues.schemes import SCHEMES
from stability.engine.measurement import Measurement
from stability.engine.process_settings import configure_process
from stability.engine.training import Training, batch_indices, draw_stack_and_data, measure
from stability.records.experiment import Experiment
from stability.theory.prediction import (
    BAND_PERCENTILES,
    MONTE_CARLO_SAMPLES,
    SOFTMAX_LOG_Q,
    band_factors,
    expected_softmax_squares,
    predict,
)

configure_process()  # as on the page: large arrays are kept, not fetched from the system anew

WIDTH, DEPTH = 128, 4
ERRORS, BIAS = 4, 5 / WIDTH  # the bias is that of one layer
SMALL = {"features": 100, "samples": 64, "batch": 8, "steps": 1, "replicates": 16}
WIDE = SMALL | {"width": WIDTH, "depth": DEPTH}
# Every scheme with a prediction; with values where by default all signals would die, or too few
# weights make a sum.
DRAWN = (
    (
        "normal:0.1",
        "truncated_normal:0.1",
        "uniform:0.15",
        "pytorch",
        "scaled_normal:1.3",
        "lecun_normal",
        "lecun_uniform",
    ),
    (
        "xavier_normal",
        "xavier_uniform",
        "he_normal",
        "he_uniform",
        "he_fan_out",
        "orthogonal",
        "unit_gain",
        "critical",
    ),
    ("sparse:40", "siren", "geometric", "mup:100"),
)
ABSENT = (
    "constant",
    "zeros",
    "identity",
    "looks_linear",
    "lsuv",
    "fixup",
    "zero_hadamard",
    "metainit",
)
FIELDS = "signal", "signal_gradient"

NARROW, LAYERS, SEEDS = (
    24,
    8,
    60,
)  # where a band is wide, and how many times 16 networks have a look at it


def start(e: Experiment) -> Measurement:
    """The first batch, measured as at a step after the last, where what takes longest, held-out
    examples and the update above all, is left out.
    """
    training = Training(*draw_stack_and_data(e))
    return training.measure_and_update(e.steps + 1, next(batch_indices(e)))


def squares(e: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Measured^2 / predicted^2 of signal and gradient, `(S, R, L)` each."""
    seen, expected = start(e), predict(e)
    return tuple((getattr(seen, name) / getattr(expected, name)[:, None]) ** 2 for name in FIELDS)


def by_step(signal: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each layer by the one before it, forward and backward."""
    forward = signal / np.concatenate([np.ones_like(signal[..., :1]), signal[..., :-1]], axis=-1)
    return forward, gradient / np.concatenate(
        [gradient[..., 1:], np.ones_like(gradient[..., :1])], axis=-1
    )


def allowed_error(ratios: np.ndarray, bias: float | np.ndarray) -> np.ndarray:
    """The distance from 1 allowed to the mean of ratios `(S, n, L)` over n networks: `(S, L)`."""
    return ERRORS * ratios.std(axis=1, ddof=1) / math.sqrt(ratios.shape[1]) + bias


def agree(found: tuple[np.ndarray, np.ndarray], where: object = "", bias: float = BIAS) -> None:
    """Asserts that the ratios `(S, n, L)` of signal and gradient have the mean 1, layer after layer
    and step by step.
    """
    layers = np.arange(1, found[0].shape[-1] + 1)
    for name, ratios, count in zip(FIELDS, found, (layers, layers[::-1]), strict=True):
        assert (abs(ratios.mean(axis=1) - 1) <= allowed_error(ratios, bias * count)).all(), (
            where,
            name,
            ratios.mean(axis=1),
        )
    for name, ratios in zip(FIELDS, by_step(*found), strict=True):
        assert (abs(ratios.mean(axis=1) - 1) <= allowed_error(ratios, bias)).all(), (
            where,
            name,
            "by step",
            ratios.mean(axis=1),
        )


def ratios_of(e: Experiment, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of more networks, each seed with its own data."""
    found = [squares(replace(e, seed=e.seed + more)) for more in range(seeds)]
    return tuple(np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))


@lru_cache
def every_scheme(
    activation: str, residual: bool
) -> tuple[tuple[str, ...], tuple[np.ndarray, np.ndarray]]:
    """The schemes that this activation has, and their ratios; each activation and each kind of
    network has its own seed.
    """
    seed = 2 * list(ACTIVATIONS).index(activation) + residual
    common = WIDE | {"activation": activation, "residual": residual, "seed": seed}
    drawn = [
        tuple(key for key in keys if key != "critical" or has_edge_of_chaos(activation, 0.0))
        for keys in DRAWN
    ]
    found = [squares(Experiment(schemes=keys, **common)) for keys in drawn]
    return sum(drawn, ()), tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def test_every_scheme_is_compared_or_known_to_have_no_prediction():
    compared = {key.partition(":")[0] for keys in DRAWN for key in keys}
    assert compared | set(ABSENT) == set(SCHEMES)
    assert not compared & set(ABSENT)


@pytest.mark.case
@pytest.mark.parametrize(("mean", "dataset"), [(0.3, "teacher"), (1.732, "blobs")])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_signals_of_weights_with_a_mean_are_those_of_the_common_part(activation, mean, dataset):
    """Gradients are not predicted: they come back along the direction that all units share."""
    schemes = ("lecun_normal", "uniform:0.1", "sparse:40", "pytorch")
    settings = {"activation": activation, "weight_mean": mean, "dataset": dataset, "bias_std": 0.2}
    e = Experiment(schemes=schemes, **WIDE | settings | {"seed": 81})
    with np.errstate(invalid="ignore"):
        signal, gradient = ratios_of(e, 2)
    layers = np.arange(1, e.depth + 1)
    assert (abs(signal.mean(axis=1) - 1) <= allowed_error(signal, BIAS * layers)).all()
    assert np.isnan(gradient).all()
    assert "No prediction of gradients" in predict(e).notes[0]


@pytest.mark.case
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_wide_random_networks_have_the_predicted_signals_and_gradients(activation, residual):
    keys, found = every_scheme(activation, residual)
    agree(found, keys)


@pytest.mark.case
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_no_layer_of_any_scheme_is_off_by_a_fifth(residual):
    """All activations together: there the error allowed is itself below a fifth, in every layer of
    every scheme.
    """
    parts = {}
    for activation in ACTIVATIONS:
        keys, found = every_scheme(activation, residual)
        for index, key in enumerate(keys):
            parts.setdefault(key, []).append([ratios[index] for ratios in by_step(*found)])
    for key, found in parts.items():
        for name, ratios in zip(FIELDS, map(np.concatenate, zip(*found, strict=True)), strict=True):
            limit = allowed_error(ratios[None], BIAS)
            assert (limit < 0.2).all(), (key, name, limit)
            assert (abs(ratios[None].mean(axis=1) - 1) <= limit).all(), (
                key,
                name,
                ratios.mean(axis=0),
            )


@pytest.mark.case
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_inputs_of_any_scale_and_mean_are_predicted(activation):
    schemes = "he_normal", "xavier_uniform", "orthogonal", "pytorch"
    data = {"input_scale": 7.0, "input_offset": 1.5, "seed": 50, "activation": activation}
    agree(ratios_of(Experiment(schemes=schemes, **WIDE | data), 2))
    data |= {"dataset": "teacher", "target_scale": 5.0, "target_offset": 1.0, "input_scale": 1.0}
    agree(ratios_of(Experiment(schemes=schemes, **WIDE | data), 2))


@pytest.mark.case
def test_gains_of_the_ends_are_predicted_and_a_mean_of_the_weights_is_said_not_to_be():
    schemes = "he_normal", "xavier_uniform", "orthogonal", "pytorch"
    agree(
        ratios_of(
            Experiment(
                schemes=schemes, **WIDE | {"readout_gain": 0.2, "first_gain": 1.5, "seed": 60}
            ),
            2,
        )
    )
    zero = predict(Experiment(schemes=schemes[:3], **WIDE | {"readout_gain": 0.0}))
    assert (zero.signal[:, -1] == 0).all()
    assert (zero.signal_gradient[:, 0] == 0).all()
    branched = WIDE | {"weight_mean": 1.0, "residual": True}
    shifted = predict(Experiment(schemes=schemes, **branched))
    assert np.isnan(shifted.signal).all()
    assert "No prediction with weights that are not drawn around 0" in shifted.notes[0]
    behind, plain = (
        predict(Experiment(schemes=schemes, **WIDE | {"output_activation": key}))
        for key in ("softmax", "none")
    )
    assert np.array_equal(behind.signal, plain.signal)
    assert np.isnan(behind.signal_gradient).all()
    assert "a Softmax at the output" in behind.notes[0]


@pytest.mark.case
@pytest.mark.parametrize("features", [40, 700])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_layers_that_are_not_square_are_predicted(features, residual):
    schemes = "he_fan_out", "xavier_uniform", "orthogonal", "pytorch"
    e = Experiment(
        schemes=schemes,
        **WIDE | {"features": features, "residual": residual, "seed": features, "depth": 3},
    )
    found = ratios_of(e, 2)
    agree(found)
    assert all(
        (allowed_error(ratios, BIAS)[:, 0] < 0.2).all() for ratios in by_step(*found)
    )  # a wrong fan would be a factor of 2 or more


@pytest.mark.case
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_signals_and_gradients_of_layers_that_taper_are_predicted(activation):
    """From 400 units to 100: a fan taken for the other would be off by 1.26 in every layer."""
    schemes = "he_fan_out", "xavier_uniform", "geometric", "lecun_normal", "orthogonal", "pytorch"
    settings = {"activation": activation, "depth": 8, "taper": 4.0, "seed": 70, "width": 400}
    found = ratios_of(Experiment(schemes=schemes, **WIDE | settings), 3)
    agree(found)
    assert all((allowed_error(ratios, BIAS)[:, :3] < 0.25).all() for ratios in by_step(*found))


def test_no_scheme_keeps_both_ways_where_widths_fall():
    """The mean squares forward and back of linear layers differ by n_in / n_out in each of them."""
    e = Experiment(
        schemes=("lecun_normal", "xavier_normal", "geometric"),
        **SMALL | {"activation": "linear", "taper": 16.0, "depth": 9, "width": 512},
    )
    found = predict(e)
    forward = found.signal[:, -2] / found.signal[:, 0]
    back = found.signal_gradient[:, 0] / found.signal_gradient[:, -2]
    assert np.allclose(forward / back, 4, rtol=1e-9)
    assert np.allclose(forward[[0, 2]], [1, 2], rtol=1e-9)  # all of it to one side, or half
    assert 1.7 < forward[1] < 2


def test_branches_of_he_weights_multiply_the_variance_by_one_plus_the_square_of_their_scale():
    common = SMALL | {"residual": True, "schemes": ("he_normal",), "depth": 30}
    for key, row in BRANCH_SCALES.items():
        q = predict(Experiment(branch_scale=key, **common)).signal[0, :-1] ** 2
        assert np.allclose(q[1:] / q[:-1], 1 + row.factor(30) ** 2, rtol=1e-9), key
        halves = predict(Experiment(branch_scale=key, branch_layers=2, **common)).signal[0] ** 2
        # A branch of two layers of He weights ends with the variance that it began with, too.
        assert np.allclose(halves[2:-1:2] / halves[:-3:2], 1 + row.factor(30) ** 2, rtol=1e-9), key


@pytest.mark.case
@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.4},
        {"dropout": 0.4, "residual": True},
        {"dropout": 0.3, "activation": "relu"},
        {"bias_std": 0.7},
        {"bias_std": 0.7, "residual": True},
        {"bias_std": 0.7, "activation": "relu"},
        {"normalization": "layer"},
        {"normalization": "layer", "activation": "relu"},
        {"normalization": "layer", "residual": True, "activation": "softplus"},
        {"residual": True, "branch_layers": 2, "activation": "relu", "depth": 6},
        {"residual": True, "branch_scale": "root_half", "activation": "relu"},
        {"residual": True, "branch_scale": "root_depth", "branch_layers": 2, "bias_std": 0.7},
        {"residual": True, "branch_scale": "learned", "normalization": "layer"},
        {"normalization": "layer", "residual": True, "norm_position": "after", "depth": 6},
        {"normalization": "rms", "residual": True, "norm_position": "after", "branch_layers": 2},
        {"normalization": "layer", "norm_position": "before", "activation": "relu", "depth": 6},
        {"normalization": "rms", "residual": True, "norm_position": "before", "dropout": 0.3},
        {"activation": "leaky_relu", "slope": 0.4, "depth": 6},
        {"normalization": "rms"},
        {"normalization": "rms", "residual": True, "activation": "relu"},
        {
            "normalization": "rms",
            "dropout": 0.4,
            "bias_std": 0.7,
            "residual": True,
            "activation": "gelu",
        },
    ],
    ids=lambda settings: " ".join(f"{key}={value}" for key, value in settings.items()),
)
def test_dropout_biases_and_norms_are_predicted(settings):
    common = WIDE | {"activation": "tanh", "seed": 100, "depth": 4} | settings
    found = ratios_of(
        Experiment(schemes=("he_normal", "pytorch", "normal:0.0002", "orthogonal"), **common), 2
    )
    agree(found, bias=BIAS / (1 - settings.get("dropout", 0)))
    hidden = [ratios[0, :, :-1] for ratios in by_step(*found)]
    assert all(
        (allowed_error(ratios[None], BIAS) < 0.25).all() for ratios in hidden
    )  # dropout alone is a factor of 1 / 0.6


@pytest.mark.case
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_kind_of_data_is_predicted(dataset):
    """Three layers of a bell curve of weights: what two features are added up to is normal only
    then.
    """
    common = WIDE | {
        "dataset": dataset,
        "depth": 3,
        "batch": 16,
        "activation": "tanh",
        "seed": 200,
        "noise": 0.3,
    }
    e = Experiment(schemes=("scaled_normal:2", "normal:0.01"), **common)
    agree(ratios_of(e, 6), dataset)


@pytest.mark.case
@pytest.mark.parametrize("dataset", ["teacher", "linear", "sine", "blobs", "moons"])
def test_a_network_of_one_layer_is_predicted(dataset):
    e = Experiment(
        schemes=("scaled_normal:1.5", "uniform:0.3", "pytorch"),
        dataset=dataset,
        seed=300,
        depth=1,
        **SMALL,
    )
    assert predict(e).signal.shape == predict(e).signal_gradient.shape == (3, 1)
    if dataset not in ("sine", "moons"):
        agree(ratios_of(e, 8), dataset)
    else:  # one or two flat weights make no bell curve; the mean square of z asks for none
        signal, _ = ratios_of(e, 8)
        assert (abs(signal.mean(axis=1) - 1) <= allowed_error(signal, 0)).all()


@pytest.mark.parametrize("value", [0.0, 0.003, 0.1, 3.0])
def test_the_gradient_of_a_regression_is_four_times_the_variance_of_the_output_and_the_target(
    value,
):
    """With one layer q is Var w |x|^2, and the loss is (z - y)^2.

    Equal up to the rounding of x and y to float32.
    """
    e = Experiment(schemes=(f"normal:{value}",), dataset="linear", depth=1, bias_std=0.5, **SMALL)
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, y = (part[next(batch_indices(e))].numpy() for part in (data.x, data.y))
    q = value**2 * (x**2).sum(axis=1) + 0.25
    assert predict(e).signal[0, 0] == pytest.approx(math.sqrt(q.mean()), rel=1e-6)
    assert predict(e).signal_gradient[0, 0] == pytest.approx(
        math.sqrt(4 * (q.mean() + (y**2).mean())), rel=1e-6
    )


def test_the_gradient_of_a_classification_lies_between_an_even_guess_and_a_sure_one():
    """|softmax - e_y|^2 of C classes is 1 - 1/C for even shares, and 2 with the chance 1 - 1/C for
    a sure and blind guess.
    """
    schemes = tuple(f"normal:{value}" for value in (0, 1e-6, 0.1, 1, 10, 1e6))
    for dataset in ("blobs", "spirals"):
        e = Experiment(schemes=schemes, dataset=dataset, depth=1, **SMALL)
        classes, level = e.dataset_row.classes, predict(e).signal_gradient[:, 0] ** 2
        even = (classes - 1) / classes**2
        assert (np.diff(level) > -1e-12).all()  # rounding
        assert level[:2] == pytest.approx(
            [even, even], rel=0.01
        )  # flat below the table, to first order in its lowest q
        assert level[-1] == pytest.approx(
            2 * even, rel=0.01
        )  # of logits of 1e7 none are close, but in one draw of a thousand


def test_the_softmax_of_two_logits_agrees_with_a_sum_over_their_difference():
    """Their difference d is N(0, 2 q), and |softmax|^2 = 1 - 2 s (1 - s), s = sigmoid(d).

    The sum is fine to 1e-6; the table's standard error is the spread of |softmax|^2 over draws, by
    the same sum, over the root of their number.
    """
    z = np.linspace(-9, 9, 2_000_001)
    weights = np.exp(-(z**2) / 2)
    weights /= weights.sum()
    for log_q, tabled in zip(SOFTMAX_LOG_Q[::4], expected_softmax_squares(2)[::4], strict=True):
        share = 1 / (1 + np.exp(-np.minimum(abs(z) * math.sqrt(2 * math.exp(log_q)), 700)))
        values = share**2 + (1 - share) ** 2
        mean = weights @ values
        error = math.sqrt(weights @ (values - mean) ** 2 / MONTE_CARLO_SAMPLES)
        assert abs(tabled - mean) <= ERRORS * error + 1e-6, log_q


@pytest.mark.parametrize("classes", [2, 10])
def test_the_softmax_of_many_logits_agrees_with_draws_of_its_own(classes):
    """Both are means over draws: their variances add."""
    noise = torch.randn(
        20_000, classes, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    for log_q, tabled in zip(
        SOFTMAX_LOG_Q[::6], expected_softmax_squares(classes)[::6], strict=True
    ):
        values = (noise * math.exp(log_q / 2)).softmax(dim=1).square().sum(dim=1)
        error = values.std().item() * math.sqrt(1 / len(values) + 1 / MONTE_CARLO_SAMPLES)
        assert abs(tabled - values.mean().item()) <= ERRORS * error + 1e-12, log_q


def test_schemes_that_are_not_drawn_weight_by_weight_have_no_prediction_and_a_note_says_which():
    e = Experiment(schemes=(*ABSENT[1:], "he_normal"), residual=True, depth=4, **SMALL)
    found = predict(e)
    for values in (
        found.signal,
        found.signal_gradient,
        found.signal_band,
        found.signal_gradient_band,
    ):
        assert np.isnan(values[:-1]).all()
    assert np.isfinite(found.signal[-1]).all()
    assert np.isfinite(found.signal_gradient[-1]).all()
    (note,) = found.notes
    assert all(row.title in note for row in e.scheme_rows[:-1])
    assert e.scheme_rows[-1].title not in note


def test_batch_norm_has_no_prediction_and_a_note_says_why():
    found = predict(Experiment(schemes=("he_normal", "zeros"), normalization="batch", **SMALL))
    assert np.isnan([found.signal, found.signal_gradient]).all()
    assert np.isnan([found.signal_band, found.signal_gradient_band]).all()
    (note,) = found.notes
    assert "batch norm" in note


def test_a_prediction_for_all_needs_no_note():
    assert predict(Experiment(schemes=("he_normal", "orthogonal"), **SMALL)).notes == ()


def test_a_prediction_does_not_depend_on_the_other_schemes():
    both = predict(Experiment(schemes=("he_normal", "zeros", "xavier_uniform"), **WIDE))
    for index, key in ((0, "he_normal"), (2, "xavier_uniform")):
        alone = predict(Experiment(schemes=(key,), **WIDE))
        for name in (*FIELDS, "signal_band", "signal_gradient_band"):
            assert np.array_equal(
                getattr(alone, name)[0], getattr(both, name)[index], equal_nan=True
            )


def test_what_is_predicted_is_named_as_it_is_measured():
    e = Experiment(schemes=("he_normal",), **WIDE)
    seen, expected = next(measure(e)), predict(e)
    for name in FIELDS:
        assert getattr(expected, name).shape == getattr(seen, name)[:, 0].shape
        assert np.array_equal(getattr(seen, name), getattr(start(e), name)), "and so it is here"
    assert not hasattr(expected, "weight_gradient")


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize("scheme", ["normal:1", "normal:1000000", "normal:0.000001", "normal:0"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"residual": True}, {"normalization": "layer"}],
    ids=["plain", "residual", "layer"],
)
@pytest.mark.parametrize("dataset", ["blobs", "teacher"])
def test_the_deepest_networks_are_predicted_without_a_warning(
    activation, scheme, settings, dataset
):
    e = Experiment(
        schemes=(scheme,),
        activation=activation,
        depth=101,
        width=512,
        dataset=dataset,
        batch=2,
        **settings,
    )
    found = predict(e)
    assert not np.isnan(found.signal).any()
    assert not np.isnan(found.signal_gradient).any()
    assert (found.signal >= 0).all()
    if activation == "relu" and scheme == "normal:1" and not settings:
        assert (np.diff(found.signal[0, :100]) > 0).all()  # by 16 or more a layer
        assert found.signal[0, 99] > 1e100


@lru_cache
def one_example(activation: str) -> tuple[np.ndarray, np.ndarray]:
    """Ratios `(n, L)` for one example each; those of the gradient by that of the output, which a
    band leaves out.

    One output: its error only scales what comes back, so that the law is that of Gaussian matrices
    and nothing else.
    """
    common = SMALL | {
        "width": NARROW,
        "depth": LAYERS,
        "batch": 1,
        "features": 8,
        "dataset": "linear",
    }
    signal, gradient = ratios_of(
        Experiment(schemes=("he_normal",), activation=activation, **common), SEEDS
    )
    return signal[0], (gradient / gradient[..., -1:])[0]


@pytest.mark.case
@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu_0.2"])
def test_nine_of_ten_networks_lie_within_the_band_of_one_example(activation):
    """960 networks, standard error of a share of 0.9: 0.0097.

    Each end of the band is a percentile of 4096 draws: 0.0034.
    """
    share, networks = (BAND_PERCENTILES[1] - BAND_PERCENTILES[0]) / 100, 16 * SEEDS
    tail = 1 - BAND_PERCENTILES[1] / 100
    error = math.sqrt(share * (1 - share) / networks + 2 * tail * (1 - tail) / MONTE_CARLO_SAMPLES)
    e = Experiment(
        schemes=("he_normal",), activation=activation, width=NARROW, depth=LAYERS, dataset="linear"
    )
    found = predict(e)
    for ratios, band in zip(
        one_example(activation), (found.signal_band[0], found.signal_gradient_band[0]), strict=True
    ):
        low, high = band
        assert (low <= high).all()
        within = ((np.sqrt(ratios) >= low) & (np.sqrt(ratios) <= high)).mean(axis=0)
        assert (abs(within - share) <= ERRORS * error)[low < high].all(), within
    assert (found.signal_gradient_band[0, :, -1] == 1).all()  # of the output by itself


@pytest.mark.case
def test_the_logarithm_of_a_squared_gradient_has_the_variance_of_hanin_and_rolnick():
    """5 / n a layer of ReLU to leading order, 2 / n of a linear one; the next order is below 5 / n
    of that.

    A variance of n numbers that are nearly normal has the relative standard error sqrt(2 / n).
    """
    for activation, leading in (("relu", 5), ("linear", 2)):
        seen = (
            np.log(one_example(activation)[1][:, 0]).var(ddof=1) / (LAYERS - 1) * NARROW / leading
        )
        assert abs(seen - 1) <= ERRORS * math.sqrt(2 / (16 * SEEDS)) + 5 / NARROW
    width = 400  # the band by itself; 5 to 95 percent of a normal are 2 x 1.645 standard deviations
    for linear, leading in ((False, 5), (True, 2)):
        low, high = np.log(band_factors((width,) * LAYERS, 0.0, linear)[1, :, 0] ** 2)
        seen = ((high - low) / (2 * 1.645)) ** 2 / (LAYERS - 1) * width / leading
        # a percentile's error is sqrt(p (1 - p) / n) by the density 0.103 there; twice that of two
        # ends, for a square
        error = 2 * math.sqrt(2 * 0.05 * 0.95 / MONTE_CARLO_SAMPLES) / 0.103 / (2 * 1.645)
        assert abs(seen - 1) <= ERRORS * error + 5 / width


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "tanh"},
        {"activation": "hardtanh"},
        {"activation": "gelu"},
        {"residual": True},
        {"bias_std": 0.1},
        {"dropout": 0.1},
        {"normalization": "layer"},
        {"schemes": ("he_uniform",)},
        {"schemes": ("orthogonal",)},
        {"schemes": ("sparse",)},
        {"schemes": ("pytorch",)},
        {"schemes": ("truncated_normal",)},
    ],
    ids=str,
)
def test_where_no_law_of_the_spread_is_known_there_is_no_band(settings):
    found = predict(Experiment(**{"schemes": ("he_normal",), "depth": 4, **SMALL} | settings))
    assert np.isnan([found.signal_band, found.signal_gradient_band]).all()
    assert np.isfinite([found.signal, found.signal_gradient]).all()


@pytest.mark.parametrize(
    "scheme",
    ["he_normal", "he_fan_out", "normal:0.3", "lecun_normal", "xavier_normal", "scaled_normal:2"],
)
@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu"])
def test_gaussian_weights_and_straight_lines_have_a_band_that_no_scale_of_the_weights_moves(
    scheme, activation
):
    found, he = (
        predict(Experiment(schemes=(key,), activation=activation, **WIDE))
        for key in (scheme, "he_normal")
    )
    for name in ("signal_band", "signal_gradient_band"):
        assert np.isfinite(getattr(found, name)).all()
        assert np.array_equal(getattr(found, name), getattr(he, name))
