"""Optimizers over stacks of parameters: each row turns a gradient into the step that is added to the parameter."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue

OptimizerState = dict[str, Tensor | int]  # of one tensor of parameters: empty at first, changed in place
StepRule = Callable[[Tensor, Tensor, OptimizerState, float, float], Tensor]


@dataclass(frozen=True, kw_only=True)
class Optimizer(Entry):
    """A row. `step(parameter, gradient, state, learning_rate, weight_decay)` returns what is added to the parameter.

    All tensors are `(layers, N, ...)`. `matrices` and `hidden` take its place for weight matrices, and for those of
    hidden layers. `learning_rate` is typical for the networks of this page. Where torch.optim has the optimizer, the row
    follows it with its defaults.
    """

    step: StepRule
    learning_rate: float
    matrix_step: StepRule | None = None
    hidden_step: StepRule | None = None

    def step_for(self, matrix: bool, hidden: bool) -> StepRule:
        """The step for one tensor of parameters."""
        return (hidden and self.hidden_step) or (matrix and self.matrix_step) or self.step


def add_weight_decay(parameter: Tensor, gradient: Tensor, weight_decay: float) -> Tensor:
    return gradient + weight_decay * parameter if weight_decay else gradient


def sgd(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    return add_weight_decay(parameter, gradient, weight_decay) * -learning_rate


def update_velocity(gradient: Tensor, state: OptimizerState) -> Tensor:
    state["velocity"] = state["velocity"].mul_(0.9).add_(gradient) if state else gradient.clone()
    return state["velocity"]


def momentum(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    return update_velocity(add_weight_decay(parameter, gradient, weight_decay), state) * -learning_rate


def nesterov(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    gradient = add_weight_decay(parameter, gradient, weight_decay)
    return (gradient + 0.9 * update_velocity(gradient, state)) * -learning_rate


def adam(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    gradient = add_weight_decay(parameter, gradient, weight_decay)
    if not state:
        state.update(step=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
    state["step"] += 1
    mean = state["mean"].lerp_(gradient, 1 - 0.9)
    square = state["square"].mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
    rate = learning_rate / (1 - 0.9 ** state["step"])
    return -rate * mean / ((square / (1 - 0.999 ** state["step"])).sqrt_() + 1e-8)


def adamw(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    step = adam(parameter, gradient, state, learning_rate, 0.0)
    return step - learning_rate * weight_decay * parameter if weight_decay else step


def rmsprop(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    gradient = add_weight_decay(parameter, gradient, weight_decay)
    state.setdefault("square", torch.zeros_like(gradient))
    square = state["square"].mul_(0.99).addcmul_(gradient, gradient, value=1 - 0.99)
    return gradient * -learning_rate / (square.sqrt() + 1e-8)


def lars(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    """Each matrix of each network moves by a thousandth of its own norm, whatever the gradient's size."""
    size, slope = (torch.linalg.vector_norm(tensor, dim=(-2, -1), keepdim=True) for tensor in (parameter, gradient))
    ratio = 0.001 * size / (slope + weight_decay * size)
    ratio = torch.where((size > 0) & (slope > 0), ratio, 1)
    return -update_velocity(learning_rate * ratio * add_weight_decay(parameter, gradient, weight_decay), state)


def muon(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
    """Momentum 0.95 with Nesterov, orthogonalized in float32, scaled to the size of an AdamW step."""
    state.setdefault("mean", torch.zeros_like(gradient))
    mean = state["mean"].lerp_(gradient, 1 - 0.95)
    update = orthogonalize(gradient.lerp(mean, 0.95)).to(gradient.dtype)
    step = update * (-learning_rate * 0.2 * max(gradient.shape[-2:]) ** 0.5)
    return step - learning_rate * weight_decay * parameter if weight_decay else step


def orthogonalize(matrices: Tensor) -> Tensor:
    """Five Newton-Schulz rounds towards U V^T of each matrix U S V^T, in float32. Jordan et al. 2024; torch.optim.Muon."""
    x = matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x


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
        key="nesterov", label="Nesterov momentum", source="Sutskever et al. 2013; torch.optim.SGD", step=nesterov,
        summary="Momentum that looks one step ahead (0.9).", learning_rate=0.005,
        formula=r"v \leftarrow 0.9 \, v + g, \quad W \leftarrow W - \eta \, (g + 0.9 \, v)",
    ),
    Optimizer(
        key="adam", label="Adam", source="Kingma & Ba 2015, algorithm 1; torch.optim.Adam", step=adam, learning_rate=0.001,
        summary="Divides by the gradient's own size, so it forgives gradients that shrink evenly, until they are zero.",
        formula=r"W \leftarrow W - \eta \, \hat m / (\sqrt{\hat v} + 10^{-8})",
    ),
    Optimizer(
        key="adamw", label="AdamW", source="Loshchilov & Hutter 2019; torch.optim.AdamW", step=adamw, learning_rate=0.001,
        summary="Adam whose weight decay pulls at the weights themselves instead of entering the gradient.",
        formula=r"W \leftarrow (1 - \eta \lambda) W - \eta \, \hat m / (\sqrt{\hat v} + 10^{-8})",
    ),
    Optimizer(
        key="rmsprop", label="RMSprop", source="Tieleman & Hinton 2012; torch.optim.RMSprop", step=rmsprop,
        learning_rate=0.0005,
        summary="Divides by a running RMS of the gradient, with a memory of about a hundred steps.",
        formula=r"v \leftarrow 0.99 \, v + 0.01 \, g^2, \quad W \leftarrow W - \eta \, g / (\sqrt v + 10^{-8})",
    ),
    Optimizer(
        key="lars", label="LARS", source="You et al. 2017", step=momentum, matrix_step=lars, learning_rate=0.5,
        summary="Every weight matrix moves in proportion to its own norm, however small or large its gradient is.",
        formula=r"v \leftarrow 0.9 \, v + \eta \, 10^{-3} \frac{\|W\|}{\|g\| + \lambda \|W\|} (g + \lambda W)",
    ),
    Optimizer(
        key="muon", label="Muon", source="Jordan et al. 2024; torch.optim.Muon, match_rms_adamw", step=adamw, hidden_step=muon,
        summary="Makes the step of each hidden matrix orthogonal: every direction moves alike. AdamW does the rest.",
        formula=r"W \leftarrow W - 0.2 \, \eta \sqrt{\max(n_{in}, n_{out})} \, U V^\top", learning_rate=0.001,
    ),
)  # fmt: skip
