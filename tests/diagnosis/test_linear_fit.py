"""The loss of the best linear function, against fits made in other ways."""

import math

import numpy as np
import pytest
import torch
from verdict_cases import small

from stability.diagnosis.linear_fit import best_linear_loss
from stability.records.experiment import Experiment


def arrays(e: Experiment) -> list[np.ndarray]:
    """Return x, y, x_test, y_test, the inputs with a column of ones."""
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, y, x_test, y_test = (t.numpy() for t in (data.x, data.y, data.x_test, data.y_test))
    return [np.c_[x, np.ones(len(x))], y, np.c_[x_test, np.ones(len(x_test))], y_test]


@pytest.mark.parametrize("settings", [
    {"dataset": "sine"}, {"dataset": "linear", "features": 8}, {"dataset": "teacher", "seed": 5},
])  # fmt: skip
def test_of_a_regression_it_is_that_of_the_normal_equations(settings):
    x, y, x_test, y_test = arrays(e := small(**settings))
    weights = np.linalg.solve(x.T @ x, x.T @ y)
    assert best_linear_loss(e) == pytest.approx(np.mean((x_test @ weights - y_test) ** 2), rel=1e-8)


@pytest.mark.parametrize("settings", [
    {"dataset": "circles"}, {"dataset": "xor", "seed": 3}, {"dataset": "moons", "noise": 0.4},
    {"dataset": "blobs", "noise": 2.0, "features": 3},
])  # fmt: skip
def test_of_a_classification_it_is_that_of_many_steps_of_gradient_descent(settings):
    x, y, x_test, y_test = map(torch.from_numpy, arrays(e := small(**settings)))
    layer = torch.nn.Linear(x.shape[1], e.dataset_row.classes, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.9)
    for _ in range(1500):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layer(x), y).backward()
        optimizer.step()
    expected = torch.nn.functional.cross_entropy(layer(x_test), y_test).item()
    assert best_linear_loss(e) == pytest.approx(expected, rel=2e-3)


def test_no_line_parts_circles_or_squares_and_a_line_fits_a_line():
    for dataset in ("circles", "xor"):
        assert best_linear_loss(small(dataset=dataset)) == pytest.approx(math.log(2), rel=0.05)
    assert best_linear_loss(small(dataset="linear", noise=0.0, features=8)) < 1e-20


def test_it_is_unknown_where_the_examples_are_too_many_to_fit_at_once():
    assert math.isnan(best_linear_loss(small(samples=4096, features=1024)))
    assert best_linear_loss(small(samples=4096, features=1024, dataset="sine")) < 1
