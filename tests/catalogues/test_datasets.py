"""Contracts that every data set keeps."""

import math
from dataclasses import replace

import pytest
import torch

from stability.catalogues.datasets import DATASETS, HELD_OUT_EXAMPLES, Data, standardize
from stability.randomness import generator
from stability.records.experiment import Experiment


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_training_data_are_standardised(row, noise):
    data = row.load(500, 7, noise, 3, torch.float64)
    for columns in (data.x, *([data.y] if row.classes is None else [])):
        variance, mean = torch.var_mean(columns, dim=0, correction=0)
        assert torch.allclose(mean, torch.zeros_like(mean), rtol=0, atol=1e-12)
        assert torch.allclose(variance, torch.ones_like(variance), rtol=1e-12)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_held_out_data_are_further_examples_on_the_scale_of_the_training_data(row):
    data = row.load(300, 7, 0.1, 3, torch.float64)
    x, _ = row.draw(300 + HELD_OUT_EXAMPLES, row.input_dimension(7), 0.1, generator(3, "data"))
    variance, mean = torch.var_mean(x[:300], dim=0, correction=0)
    assert torch.allclose(data.x_test, (x[300:] - mean) / variance.sqrt(), rtol=1e-12, atol=1e-12)
    if row.key != "one_hot":  # there are only so many words
        assert torch.cdist(data.x_test, data.x).min() > 0
    assert (len(data.x), len(data.y), len(data.x_test), len(data.y_test)) == (300, 300, 512, 512)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_targets_are_classes_from_zero_or_one_column_of_values(row):
    data = row.load(4096, 7, 0.1, 3, torch.float32)
    if row.classes is None:
        assert data.y.shape == (4096, 1)
        assert data.y.dtype == data.y_test.dtype == torch.float32
        assert (row.outputs, row.guessing_loss) == (1, 1.0)
    else:
        assert data.y.dtype == data.y_test.dtype == torch.int64
        assert set(data.y.tolist()) == set(data.y_test.tolist()) == set(range(row.classes))
        assert (row.outputs, row.guessing_loss) == (row.classes, math.log(row.classes))


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_data_depend_on_their_settings_alone(row):
    data, again = row.load(64, 5, 0.1, 3, torch.float64), row.load(64, 5, 0.1, 3, torch.float64)
    other, short = row.load(64, 5, 0.1, 4, torch.float64), row.load(64, 5, 0.1, 3, torch.float32)
    assert torch.equal(data.x, again.x)
    assert torch.equal(data.y_test, again.y_test)
    assert not torch.allclose(data.x, other.x)
    assert torch.equal(data.x.float(), short.x)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_data_have_as_many_columns_as_asked_unless_their_dimension_is_their_own(row):
    for features in (1, 9, 1024):
        assert row.load(64, features, 0.1, 0, torch.float32).x.shape[1] == (
            row.fixed_features or features
        )


@pytest.mark.parametrize("key", DATASETS)
def test_inputs_are_shifted_in_standard_deviations_and_then_scaled(key):
    plain = Experiment(dataset=key, samples=300, precision="float64")
    e = replace(plain, input_scale=77.0, input_offset=0.4)
    before, after = load(plain), load(e)
    for name in ("x", "x_test"):
        expected = 77 * getattr(before, name) + 77 * 0.4
        assert torch.allclose(getattr(after, name), expected, rtol=1e-12, atol=1e-9)
    assert torch.equal(before.y, after.y)
    size = after.x.square().mean().sqrt().item()
    assert math.isclose(size, e.dataset_row.scaling.input_size, rel_tol=1e-9)
    assert e.standardized == plain
    assert torch.equal(load(e.data_alone).x, after.x.float())


@pytest.mark.parametrize("key", DATASETS)
def test_targets_of_regressions_are_shifted_and_scaled_and_guessing_costs_their_variance(key):
    plain = Experiment(dataset=key, samples=300, precision="float64")
    e = replace(plain, target_scale=20.0, target_offset=-3.0)
    before, after = load(plain), load(e)
    assert torch.equal(before.x, after.x)
    if e.dataset_row.classes:
        assert torch.equal(before.y, after.y)
        assert e.dataset_row.guessing_loss == plain.dataset_row.guessing_loss
        return
    for name in ("y", "y_test"):
        assert torch.allclose(getattr(after, name), 20 * getattr(before, name) - 60, atol=1e-9)
    guesses = (after.y - after.y.mean()).square().mean().item()
    assert math.isclose(guesses, e.dataset_row.guessing_loss, rel_tol=1e-9)
    clean = [one.dataset_row.noise_free_targets(300, 32, 0.1, 0) for one in (plain, e)]
    assert torch.allclose(clean[1], 20 * clean[0] - 60, atol=1e-9)
    back = e.dataset_row.scaling.standardize_outputs(after.y.numpy())
    assert torch.allclose(torch.from_numpy(back), before.y, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 27, 100])
def test_blobs_have_as_many_classes_as_asked_and_guessing_costs_their_logarithm(classes):
    e = Experiment(classes=classes, samples=4096)
    assert set(load(e).y.tolist()) == set(range(classes))
    assert e.layers[-1].fan_out == classes
    assert math.isclose(e.dataset_row.guessing_loss, math.log(classes))


def test_classes_that_are_not_alike_are_as_frequent_as_asked_and_guessing_costs_less():
    e = Experiment(classes=5, imbalance=16.0, samples=4096)
    counts = torch.bincount(load(e).y, minlength=5)
    shares = torch.tensor([16.0, 8, 4, 2, 1], dtype=torch.float64) / 31
    errors = (counts - 4096 * shares) / (4096 * shares * (1 - shares)).sqrt()
    assert errors.abs().max() < 4  # standard deviations
    guess = -(shares * shares.log()).sum().item()
    assert math.isclose(e.dataset_row.guessing_loss, guess)
    assert guess < math.log(5)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_label_noise_replaces_training_labels_by_other_classes_and_no_held_out_ones(share):
    plain = Experiment(samples=4096)
    before, after = load(plain), load(replace(plain, label_noise=share))
    assert torch.equal(before.x, after.x)
    assert torch.equal(before.y_test, after.y_test)
    wrong = (before.y != after.y).double().mean().item()
    assert abs(wrong - share) <= 4 * math.sqrt(share * (1 - share) / 4096)
    others = (after.y - before.y)[before.y != after.y] % 10
    assert set(others.tolist()) == set(range(1, 10))


@pytest.mark.parametrize("exponent", [1, 3, 4, 12])
def test_the_target_of_power_is_that_power_of_the_input(exponent):
    row = Experiment(dataset="power", exponent=exponent).dataset_row
    x, y = row.draw(100, 1, 0.0, generator(0, "data"), **dict(row.more))
    assert torch.allclose(y, x**exponent)
    assert (x.abs() <= 1).all()


def load(e: Experiment) -> Data:
    return e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)


def test_a_constant_column_is_standardised_to_zero():
    assert (standardize(torch.full((5, 2), 3.0), 4) == 0).all()


@pytest.mark.parametrize("periods", [1, 2, 7])
def test_a_sine_has_as_many_periods_as_asked_for(periods):
    row = Experiment(dataset="sine", periods=periods).dataset_row
    x, y = row.draw(4096, 1, 0.0, generator(0, "data"), **dict(row.more))
    signs = y.flatten()[x.flatten().argsort()].sign()
    assert (signs.diff() != 0).sum() == 2 * periods - 1
    assert row.guessing_loss == 1


def test_one_hot_inputs_scaled_by_the_root_of_their_number_are_ones_and_nearly_zeros():
    e = Experiment(dataset="one_hot", features=100, input_scale=0.1, samples=4096)
    ones, zeros = (load(e).x.sort(dim=1).values[:, part] for part in (-1, slice(-1)))
    assert ones.mean() == pytest.approx(1, abs=0.02)
    assert zeros.abs().max() < 0.02
