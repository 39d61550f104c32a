"""The loss of the best linear function: where a network stands that has bent nothing yet."""

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.records.experiment import Experiment

MOST_NUMBERS = 2**18  # of the training inputs: more would take longer than a draw may
ROUNDS = 50  # of the optimizer; the loss is convex


def best_linear_loss(e: Experiment) -> float:
    """Return the held-out loss of the best linear fit of the training examples, biases included.

    NaN where the examples are too many to fit at once.
    """
    if e.samples * e.dataset_row.input_dimension(e.features) > MOST_NUMBERS:
        return math.nan
    return fit(e.data_alone)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
@torch.enable_grad()
def fit(e: Experiment) -> float:
    """Return the loss of the best linear fit; it is the same at any scale of the inputs."""
    row = replace(e, input_scale=1.0, input_offset=0.0).dataset_row
    data = row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, x_test = (torch.cat([x, torch.ones_like(x[:, :1])], dim=1) for x in (data.x, data.x_test))
    if row.classes is None:
        weights = torch.linalg.lstsq(x, data.y).solution
        return float((x_test @ weights - data.y_test).square().mean())
    weights = fit_logistic(x, data, row.classes)
    return float(torch.nn.functional.cross_entropy(x_test @ weights, data.y_test))


def fit_logistic(x: Tensor, data: Data, classes: int) -> Tensor:
    """Return the weights `(features, classes)` of the logistic regression on x, y."""
    weights = torch.zeros(x.shape[1], classes, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ weights, data.y)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()
