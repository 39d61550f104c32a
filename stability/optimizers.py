"""Optimizers over stacks of parameters: each row turns a gradient into the step that is added to the parameter."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stability.catalogue import Entry, catalogue

State = dict[str, Tensor | int]  # of one parameter: empty at first, changed in place


@dataclass(frozen=True, kw_only=True)
class Optimizer(Entry):
    """A row. `step(gradient, state, learning_rate)` returns what is added to the parameter; all tensors have its shape.

    `learning_rate` is typical for the networks of this page. `formula` and `step` follow torch.optim with its defaults.
    """

    step: Callable[[Tensor, State, float], Tensor]
    learning_rate: float


def sgd(gradient: Tensor, state: State, learning_rate: float) -> Tensor:
    return gradient * -learning_rate


def momentum(gradient: Tensor, state: State, learning_rate: float) -> Tensor:
    state["velocity"] = state["velocity"].mul_(0.9).add_(gradient) if state else gradient.clone()
    return state["velocity"] * -learning_rate


def adam(gradient: Tensor, state: State, learning_rate: float) -> Tensor:
    if not state:
        state.update(step=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
    state["step"] += 1
    mean = state["mean"].lerp_(gradient, 1 - 0.9)
    square = state["square"].mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
    rate = learning_rate / (1 - 0.9 ** state["step"])
    return -rate * mean / ((square / (1 - 0.999 ** state["step"])).sqrt_() + 1e-8)


OPTIMIZERS = catalogue(
    Optimizer(
        key="sgd", label="SGD", source="Robbins & Monro 1951", step=sgd, learning_rate=0.02,
        summary="Plain gradient descent: a gradient that is too small or too large is felt in full.",
        formula=r"W \leftarrow W - \eta \, g",
    ),
    Optimizer(
        key="momentum", label="SGD with momentum", source="Polyak 1964; torch.optim.SGD", step=momentum, learning_rate=0.005,
        summary="Sums gradients with a memory of about ten steps (0.9).",
        formula=r"v \leftarrow 0.9 \, v + g, \quad W \leftarrow W - \eta \, v",
    ),
    Optimizer(
        key="adam", label="Adam", source="Kingma & Ba 2015, algorithm 1; torch.optim.Adam", step=adam, learning_rate=0.001,
        summary="Divides by the gradient's own size, so it forgives gradients that shrink evenly, until they are zero.",
        formula=r"W \leftarrow W - \eta \, \hat m / (\sqrt{\hat v} + 10^{-8})",
    ),
)  # fmt: skip
