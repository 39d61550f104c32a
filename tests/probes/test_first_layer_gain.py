"""The first layer's gains against plain torch, against the law by Monte Carlo, and as drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stability import frames
from stability.catalogues.schemes import SCHEMES
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.page import table_headings
from stability.page.probe_sentences import first_layer_sentences
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.records.experiment import Experiment

FAMILIES = "xavier", "lecun", "he"
DRAWN = (
    "normal:0.1",
    "uniform:0.2",
    *(f"{family}_{noise}" for family in FAMILIES for noise in ("normal", "uniform")),
)
SIZES = (32, 64), (16, 128), (128, 16), (64, 64)  # features and width
SMALL = Experiment(
    schemes=("he_normal", "pytorch"),
    depth=3,
    width=8,
    features=5,
    samples=64,
    batch=16,
    bias_std=0.3,
)


# One network


@pytest.mark.parametrize("dataset", ["blobs", "teacher"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_gains_are_those_of_a_plain_torch_network(dataset, precision):
    e = replace(SMALL, dataset=dataset, precision=precision, replicates=2)
    found, (stack, data) = (
        measure_first_layer_gain(e),
        draw_stack_and_data(replace(e, precision="float64")),
    )
    batch = next(batch_indices(e))
    x, y = data.x[batch], data.y[batch]
    for n in range(e.network_count):
        model = nn.Sequential(
            nn.Linear(5, 8),
            nn.ReLU(),
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, data.y.max() + 1 if e.dataset_row.classes else 1),
        ).double()
        for place, (weights, biases) in enumerate(stack.layers()):
            model[2 * place].load_state_dict({"weight": weights[n], "bias": biases[n]})
        z = (x @ model[0].weight.T + model[0].bias).detach().requires_grad_()
        loss = (
            F.cross_entropy(model[1:](z), y)
            if e.dataset_row.classes
            else F.mse_loss(model[1:](z), y)
        )
        (delta,) = torch.autograd.grad(loss, z)
        weight = model[0].weight.detach()
        place = np.unravel_index(n, found.forward.shape)
        assert found.variance[place] == pytest.approx(weight.square().mean().item())
        assert found.forward[place] == pytest.approx(
            ((x @ weight.T).square().mean() / x.square().mean()).item()
        )
        assert found.backward[place] == pytest.approx(
            ((delta @ weight).square().mean() / delta.square().mean()).item()
        )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "settings", [{}, {"depth": 1}, {"normalization": "batch"}, {"dropout": 0.3}]
)
def test_every_scheme_has_gains_and_those_that_promise_a_variance_a_prediction(scheme, settings):
    e, _ = Experiment.from_query(
        {"schemes": scheme, "width": "8", "samples": "64"}
        | {k: str(v) for k, v in settings.items()}
    )
    found = measure_first_layer_gain(e)
    assert found.forward.shape == found.backward.shape == found.variance.shape == (1, 1)
    assert np.isfinite(found.forward).all()
    layer, promised = e.layers[0], SCHEMES[scheme].weight_variance(e.layers[0])
    expected = [np.nan if promised is None else n * promised for n in (layer.fan_in, layer.fan_out)]
    assert [*found.predicted_forward, *found.predicted_backward] == pytest.approx(
        expected, nan_ok=True
    )


def test_an_orthogonal_square_keeps_every_length_both_ways():
    found = measure_first_layer_gain(
        Experiment(schemes=("orthogonal",), features=32, width=32, depth=5, activation="tanh")
    )
    assert found.forward == pytest.approx(np.ones((1, 1)))
    assert found.backward == pytest.approx(np.ones((1, 1)))


def test_zeros_pass_nothing_and_what_is_not_finite_is_not_known():
    found = measure_first_layer_gain(Experiment(schemes=("zeros", "normal:1000000"), depth=80))
    assert found.forward[0] == found.variance[0] == 0
    assert np.isnan(found.backward).all()
    assert found.forward[1] == pytest.approx(found.predicted_forward[1], rel=0.5)


def test_gradients_too_small_for_the_format_still_have_their_gain():
    found = measure_first_layer_gain(
        Experiment(schemes=("normal:0.001",), depth=40, activation="tanh")
    )
    assert found.backward == pytest.approx(found.predicted_backward[:, None], rel=0.5)


def test_gains_do_not_depend_on_neighbours_nor_on_what_the_caller_has_switched_off():
    both, alone = (
        measure_first_layer_gain(SMALL),
        measure_first_layer_gain(replace(SMALL, schemes=("pytorch",))),
    )
    assert both.backward[1] == pytest.approx(alone.backward[0])
    with torch.inference_mode():
        assert np.array_equal(measure_first_layer_gain(SMALL).backward, both.backward)


# The law


def sampled(e: Experiment, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Gains over the predicted ones of 16 networks for each of some seeds, `(S, 16 x seeds)`."""
    e, parts = replace(e, replicates=16), []
    for seed in range(seeds):
        found = measure_first_layer_gain(replace(e, seed=seed))
        parts.append(
            (
                found.forward / found.predicted_forward[:, None],
                found.backward / found.predicted_backward[:, None],
            )
        )
    return tuple(np.concatenate(part, axis=1) for part in zip(*parts, strict=True))


def errors(ratios: np.ndarray) -> np.ndarray:
    """Standard errors of the means, from the seeds: replicates of a seed share their data."""
    means = ratios.reshape(len(ratios), -1, 16).mean(axis=2)
    return means.std(axis=1, ddof=1) / np.sqrt(means.shape[1])


@pytest.mark.case
@pytest.mark.parametrize(("features", "width"), [*SIZES, (2, 40)])
def test_forward_the_mean_square_grows_by_fan_in_times_the_variance(features, width):
    """Exact in the mean: within 4 standard errors, and these below 5%."""
    e = Experiment(schemes=DRAWN, depth=2, features=features, width=width, samples=64)
    forward, _ = sampled(e, 16)
    assert (errors(forward) < 0.05).all()
    assert (np.abs(forward.mean(axis=1) - 1) < 4 * errors(forward)).all()


@pytest.mark.case
@pytest.mark.parametrize(("features", "width"), SIZES)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_backward_the_mean_square_grows_by_fan_out_times_the_variance(features, width, activation):
    """Within 4 standard errors and 6%, since errors and slopes are not independent of W_1."""
    e = Experiment(
        schemes=DRAWN, depth=2, features=features, width=width, samples=64, activation=activation
    )
    _, backward = sampled(e, 8)
    assert (np.abs(backward.mean(axis=1) - 1) < 4 * errors(backward) + 0.06).all()


@pytest.mark.case
def test_backward_the_law_is_exact_for_a_delta_that_knows_nothing_of_the_weights():
    """With two inputs slopes depend so much on W_1 that the mean lies below.

    With the delta of another network it does not.
    """
    e = Experiment(
        schemes=("he_normal", "lecun_uniform"),
        depth=2,
        features=2,
        width=40,
        samples=64,
        activation="tanh",
    )
    _, backward = sampled(e, 16)
    assert (backward.mean(axis=1) + 4 * errors(backward) < 1).all()
    ratios = []
    for seed in range(16):
        one = replace(e, replicates=16, seed=seed, precision="float64")
        stack, data = draw_stack_and_data(one)
        batch = next(batch_indices(one))
        weights, seen = stack.weights[0][0].detach(), stack.forward(data.x[batch], 0)
        loss = sum(F.cross_entropy(output, data.y[batch]) for output in seen.output)
        delta = (
            torch.autograd.grad(loss, seen.z[0])[0]
            .unflatten(0, (2, 16))
            .roll(1, dims=1)
            .flatten(0, 1)
        )
        sent = (delta @ weights).square().mean(dim=(1, 2)) / delta.square().mean(dim=(1, 2))
        ratios.append(
            sent.view(2, 16).numpy() / measure_first_layer_gain(one).predicted_backward[:, None]
        )
    other = np.concatenate(ratios, axis=1)
    assert (np.abs(other.mean(axis=1) - 1) < 4 * errors(other)).all()


@pytest.mark.case
@pytest.mark.parametrize(
    "settings", [{}, {"dataset": "teacher", "activation": "linear"}, {"features": 256, "width": 32}]
)
def test_networks_lie_beside_the_prediction_by_what_the_directions_filled_allow(settings):
    """sqrt(2 / (n r)), r = tr(K)^2 / tr(K^2), from the vectors themselves.

    Within a third for 128 networks of normal weights: their own standard deviation is known to
    1 / sqrt(256) = 6%, and r differs from network to network.
    """
    e = Experiment(schemes=("lecun_normal",), depth=2, samples=64, replicates=16, **settings)
    expected, ratios = [], []
    for seed in range(8):
        one = replace(e, seed=seed, precision="float64")
        stack, data = draw_stack_and_data(one)
        batch = next(batch_indices(one))
        x, y, found = data.x[batch], data.y[batch], measure_first_layer_gain(one)
        z = (
            (x @ stack.weights[0][0].mT + stack.biases[0][0].unsqueeze(1)).detach().requires_grad_()
        )  # (N, batch, width)
        output = one.phi.phi(z) @ stack.weights[1][0].mT
        many = y.expand(16, *y.shape).flatten(0, 1)
        loss = (
            F.cross_entropy(output.flatten(0, 1), many)
            if one.dataset_row.classes
            else F.mse_loss(output.flatten(0, 1), many)
        )
        (delta,) = torch.autograd.grad(loss, z)
        expected.append(
            [
                2 / (e.layers[0].fan_out * directions_filled(x)),
                np.mean([2 / (e.layers[0].fan_in * directions_filled(d)) for d in delta]),
            ]
        )
        ratios.append(
            [
                found.forward[0] / found.predicted_forward,
                found.backward[0] / found.predicted_backward,
            ]
        )
    spread = np.concatenate(ratios, axis=1).std(axis=1)
    assert spread == pytest.approx(np.sqrt(np.mean(expected, axis=0)), rel=1 / 3)


def directions_filled(vectors: torch.Tensor) -> float:
    """The number of directions that the vectors `(batch, n)` fill."""
    gram = vectors @ vectors.T
    return (gram.trace() ** 2 / gram.square().sum()).item()


def test_normal_and_uniform_agree_and_xavier_stands_between_both_conditions():
    e = Experiment(
        schemes=("xavier_normal", "xavier_uniform"), depth=2, features=128, width=32, samples=64
    )
    forward, backward = sampled(e, 8)
    for ratios in (forward, backward):
        assert abs(ratios[0].mean() - ratios[1].mean()) < 4 * np.hypot(*errors(ratios))
    found = measure_first_layer_gain(e)
    assert found.predicted_forward == pytest.approx([1.6, 1.6])
    assert found.predicted_backward == pytest.approx([0.4, 0.4])
    assert found.predicted_forward + found.predicted_backward == pytest.approx([2, 2]), (
        "the mean of both is kept"
    )


# How they are drawn


PICTURES = {
    "wide": Experiment(schemes=DRAWN, depth=2, features=256, width=16, replicates=3),
    "square": Experiment(schemes=("xavier_normal", "zeros"), depth=2, features=32, width=32),
    "far off": Experiment(
        schemes=("normal:1000000", "normal:1e-6", "constant"), depth=40, replicates=2
    ),
    "nothing": Experiment(schemes=("zeros",), depth=1, dataset="sine"),
}


@pytest.mark.parametrize("e", PICTURES.values(), ids=PICTURES)
def test_tables_hold_what_a_log_axis_can_show_inside_its_limits(e):
    tables = frames.gain_tables(e)
    measured, bounds = tables["gains"].to_pandas(), tables["limits"].to_pandas()
    assert measured["scheme"].tolist() == list(e.schemes)
    for axis, names in (("variance", ["variance"]), ("factor", ["forward", "backward"])):
        low, high = bounds[axis]
        assert 0 < low < high < np.inf
        for name in names:
            ends = ("", "_low", "_high") if e.replicates > 1 else ("",)
            for end in ends:
                assert measured[name + end].dropna().between(low, high).all()
    special = tables["conditions"].to_pandas().set_index("label")["variance"]
    fan_in, fan_out = e.layers[0].fan_in, e.layers[0].fan_out
    assert (special["forward kept"] * fan_in, special["backward kept"] * fan_out) == pytest.approx(
        (1, 1)
    )
    assert special["Xavier"] == pytest.approx(SCHEMES["xavier_normal"].weight_variance(e.layers[0]))
    law = tables["law"].to_pandas()
    assert law["forward"].tolist() == pytest.approx((law["variance"] * fan_in).tolist())
    assert law["backward"].tolist() == pytest.approx((law["variance"] * fan_out).tolist())
    assert (law["variance"].diff().dropna() >= 0).all()


def test_a_table_shows_the_median_and_range_over_the_replicates():
    e = PICTURES["wide"]
    measured, found = frames.gain_tables(e)["gains"].to_pandas(), measure_first_layer_gain(e)
    for name in ("variance", "forward", "backward"):
        values = getattr(found, name)
        assert measured[name].tolist() == np.median(values, axis=1).tolist()
        assert measured[f"{name}_low"].tolist() == values.min(axis=1).tolist()
        assert measured[f"{name}_high"].tolist() == values.max(axis=1).tolist()


def test_the_frame_has_titles_and_headings_for_its_columns():
    e = PICTURES["square"]
    frame = frames.gain_frame(e)
    assert frame["scheme"].tolist() == [row.title for row in e.scheme_rows]
    assert list(frame.columns) == list(table_headings.GAIN_HEADINGS)
    assert len({heading["label"] for heading in table_headings.GAIN_HEADINGS.values()}) == len(
        table_headings.GAIN_HEADINGS
    )
    assert frame["predicted_forward"].isna().tolist() == [False, True]


def test_a_sentence_never_says_nan():
    for e in (
        Experiment(schemes=("zeros",), width=8),
        Experiment(schemes=("normal:1e6",), depth=101, width=8),
    ):
        (sentence,) = first_layer_sentences(e)
        assert "nan" not in sentence
        assert "backward unknown" in sentence
