"""Optimizers over stacks of parameters: each row turns a gradient into a step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.text import exact_number

# The optimizer's memory for one tensor of parameters, empty at first and updated in place: running
# means as tensors, and the count of steps as a number, or as a tensor with one number per network.
OptimizerState = dict[str, Any]
# A number for all networks, or float64 `(1, N, 1, ...)`, or of each layer `(layers, N, 1, ...)`:
# then each network takes the very step that it would take by its number alone.
Rate = float | Tensor
# Of a parameter, its gradient, the state, the learning rate, the weight decay, the momentum, and
# what is added before a division. A rule that has no use for one of them ignores it. The step may
# take the memory of the gradient.
StepRule = Callable[[Tensor, Tensor, OptimizerState, Rate, Rate, Rate, Rate], Tensor]

USUAL_MOMENTUM, USUAL_EPSILON = 0.9, 1e-8  # the defaults of torch.optim


@dataclass(frozen=True, kw_only=True)
class Optimizer(Entry):
    """A row. `step` is the rule (see StepRule) that returns what to add to the parameter.

    All tensors are `(layers, N, ...)`. `matrix_step` replaces `step` for weight matrices,
    `hidden_step` for those of hidden layers. `learning_rate` is typical for the networks of this
    page. With `has_momentum` the rule averages gradients, `beta` being what it keeps of the past;
    with `has_epsilon` it divides, and `eps` keeps it from dividing by 0. With `divides_decay` the
    weight decay enters the gradient that it divides. With `follows_gradient` the step is the
    gradient times minus the learning rate, if there is no weight decay. An optimizer that
    torch.optim has behaves as it does there, with the same defaults.

    `scaling` says how a step grows with the gradient: `sgd` as it does, `adam` not at all. Schemes
    with learning rates for each layer have rules for these two.

    `pytorch` is a template of the lines that make it, with the fields of `pytorch_lines`. Where
    torch.optim has none that takes all parameters it is advice, and a program gets the rules.
    """

    step: StepRule
    learning_rate: float
    matrix_step: StepRule | None = None
    hidden_step: StepRule | None = None
    has_momentum: bool = False
    has_epsilon: bool = False
    divides_decay: bool = False
    follows_gradient: bool = False
    scaling: str = ""
    pytorch: str = ""

    @property
    def is_in_torch(self) -> bool:
        """True if its lines make an `optimizer` of torch.optim for all parameters alike."""
        return self.pytorch.startswith("optimizer = torch.optim.")

    def step_for(self, matrix: bool, hidden: bool) -> StepRule:
        """Return the rule for one tensor of parameters."""
        if hidden and self.hidden_step:
            return self.hidden_step
        if matrix and self.matrix_step:
            return self.matrix_step
        return self.step

    def pytorch_lines(
        self, learning_rate: float, weight_decay: float, momentum: float, epsilon: float
    ) -> str:
        """Return the lines that make the optimizer; arguments that torch assumes are left out."""
        rate, decay, beta, eps = map(exact_number, (learning_rate, weight_decay, momentum, epsilon))
        return self.pytorch.format(
            rate=rate,
            weight_decay=decay,
            decay=f", weight_decay={decay}" if weight_decay else "",
            momentum=beta,
            betas=f", betas=({beta}, 0.999)" if momentum != USUAL_MOMENTUM else "",
            eps=f", eps={eps}" if epsilon != USUAL_EPSILON else "",
        )


def times(tensor: Tensor, rate: Rate) -> Tensor:
    """Return the tensor times the rate of each network, rounded as by a single number."""
    return (tensor * as_factor(rate, tensor)).to(tensor.dtype)


def times_(tensor: Tensor, rate: Rate) -> Tensor:
    """Multiply the tensor in place by the rate of each network, rounded as by a single number."""
    return tensor.mul_(as_factor(rate, tensor))


def as_factor(rate: Rate, tensor: Tensor) -> Rate:
    """Return a rate in the dtype in which torch multiplies such a tensor by a number."""
    if not isinstance(rate, Tensor):
        return rate
    return rate.to(torch.promote_types(tensor.dtype, torch.float32))


def add_number(tensor: Tensor, number: Rate) -> Tensor:
    """Add a number, or that of each network, in place."""
    if tensor.itemsize < 4:  # as in `subtract_times`
        return tensor.copy_(add_number(tensor.float(), number))
    return tensor.add_(as_factor(number, tensor))


def subtract_times(step: Tensor, param: Tensor, rate: Rate) -> Tensor:
    """Subtract `param` times the rate of each network from `step`, in place."""
    if step.itemsize < 4:  # torch rounds the last few numbers of such a tensor otherwise
        return step.copy_(subtract_times(step.float(), param.float(), rate))
    if not isinstance(rate, Tensor):
        return step.sub_(param, alpha=rate)
    return step.addcmul_(param, -rate.to(step.dtype))


def divide(rate: Rate, divisor: Rate) -> Rate:
    """Return the rate over a divisor, rounded alike for one rate and for one of each network."""
    # torch divides a number by a tensor in two steps
    return divisor.reciprocal() * rate if isinstance(divisor, Tensor) else rate / divisor


def is_on(decay: Rate) -> bool:
    """Return False where the weight decay is 0: it is of all networks or of none."""
    return isinstance(decay, Tensor) or bool(decay)


def add_weight_decay(param: Tensor, grad: Tensor, decay: Rate) -> Tensor:
    return grad + times(param, decay) if is_on(decay) else grad


def update_velocity(grad: Tensor, state: OptimizerState, beta: Rate) -> Tensor:
    velocity: Tensor = state["velocity"].mul_(beta).add_(grad) if state else grad.clone()
    state["velocity"] = velocity
    return velocity


def sgd(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    return times_(add_weight_decay(param, grad, decay), -lr)


def momentum(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    return times(update_velocity(add_weight_decay(param, grad, decay), state, beta), -lr)


def nesterov(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    grad = add_weight_decay(param, grad, decay)
    return times_(grad + beta * update_velocity(grad, state, beta), -lr)


def adam(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    grad = add_weight_decay(param, grad, decay)
    if not state:
        state.update(step=0, mean=torch.zeros_like(grad), square=torch.zeros_like(grad))
    state["step"] += 1
    mean: Tensor = state["mean"].lerp_(grad, 1 - beta)
    square: Tensor = state["square"].mul_(0.999).addcmul_(grad, grad, value=1 - 0.999)
    root = (square / (1 - 0.999 ** state["step"])).sqrt_()
    add_number(root, eps)
    return times_(torch.div(mean, root, out=root), divide(-lr, 1 - beta ** state["step"]))


def adamw(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    step = adam(param, grad, state, lr, 0.0, beta, eps)
    return subtract_times(step, param, lr * decay) if is_on(decay) else step


def rmsprop(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    grad = add_weight_decay(param, grad, decay)
    if not state:  # setdefault would allocate zeros at every step
        state["square"] = torch.zeros_like(grad)
    square: Tensor = state["square"].mul_(0.99).addcmul_(grad, grad, value=1 - 0.99)
    root = square.sqrt()
    add_number(root, eps)
    return times_(torch.div(grad, root, out=root), -lr)


def lars(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    """Move each matrix by `lr` thousandths of its norm, whatever the norm of its gradient."""
    size, slope = (torch.linalg.vector_norm(t, dim=(-2, -1), keepdim=True) for t in (param, grad))
    ratio = 0.001 * size / (slope + times(size, decay))
    ratio = torch.where((size > 0) & (slope > 0), ratio, 1)
    return -update_velocity(times(ratio, lr) * add_weight_decay(param, grad, decay), state, beta)


def muon(
    param: Tensor, grad: Tensor, state: OptimizerState, lr: Rate, decay: Rate, beta: Rate, eps: Rate
) -> Tensor:
    """Orthogonalize the Nesterov momentum (0.95) and scale it to the size of a step of AdamW."""
    if not state:
        state["mean"] = torch.zeros_like(grad)
    mean: Tensor = state["mean"].lerp_(grad, 1 - 0.95)
    step = newton_schulz(grad.lerp(mean, 0.95)).to(grad.dtype)
    times_(step, -lr * 0.2 * max(grad.shape[-2:]) ** 0.5)
    return subtract_times(step, param, lr * decay) if is_on(decay) else step


def newton_schulz(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return each matrix U S V^T after five Newton-Schulz iterations towards U V^T, in `dtype`.

    Jordan et al. 2024; torch.optim.Muon computes in bfloat16.
    """
    x: Tensor = matrices.to(dtype).reshape(-1, *matrices.shape[-2:])  # (matrices, rows, columns)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        gram = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, gram, x, beta=3.4445)
    return (x.mT if tall else x).reshape(matrices.shape)


def construct(name: str, arguments: str = "", decay: str = "{decay}") -> str:
    """Return the template of a line that makes an optimizer of torch.optim."""
    return f"optimizer = torch.optim.{name}(model.parameters(), lr={{rate}}{arguments}{decay})"


OPTIMIZERS = catalogue(
    Optimizer(
        key="sgd", label="SGD", source="Robbins & Monro 1951",
        formula=r"W \leftarrow W - \eta \, g",
        summary="Plain gradient descent: a gradient that is too small or too large is felt in "
        "full.", step=sgd, learning_rate=0.02, scaling="sgd", follows_gradient=True,
        pytorch=construct("SGD"),
    ),
    Optimizer(
        key="momentum", label="SGD with momentum", source="Polyak 1964; torch.optim.SGD",
        formula=r"v \leftarrow 0.9 \, v + g, \quad W \leftarrow W - \eta \, v",
        summary="Sums gradients with a memory of about ten steps (0.9).",
        step=momentum, learning_rate=0.005, has_momentum=True, scaling="sgd",
        pytorch=construct("SGD", ", momentum={momentum}"),
    ),
    Optimizer(
        key="nesterov", label="Nesterov momentum", source="Sutskever et al. 2013; torch.optim.SGD",
        formula=r"v \leftarrow 0.9 \, v + g, \quad W \leftarrow W - \eta \, (g + 0.9 \, v)",
        summary="Momentum that looks one step ahead (0.9).", step=nesterov, learning_rate=0.005,
        has_momentum=True, scaling="sgd",
        pytorch=construct("SGD", ", momentum={momentum}, nesterov=True"),
    ),
    Optimizer(
        key="adam", label="Adam", source="Kingma & Ba 2015, algorithm 1; torch.optim.Adam",
        formula=r"W \leftarrow W - \eta \, \hat m / (\sqrt{\hat v} + 10^{-8})",
        summary="Divides by the gradient's own size, so it forgives gradients that shrink evenly, "
        "until they are zero.", step=adam, learning_rate=0.001,
        scaling="adam", has_momentum=True, has_epsilon=True, divides_decay=True,
        pytorch=construct("Adam", "{betas}{eps}"),
    ),
    Optimizer(
        key="adamw", label="AdamW", source="Loshchilov & Hutter 2019; torch.optim.AdamW",
        formula=r"W \leftarrow (1 - \eta \lambda) W - \eta \, \hat m / (\sqrt{\hat v} + 10^{-8})",
        summary="Adam whose weight decay pulls at the weights themselves instead of entering the "
        "gradient.", step=adamw, learning_rate=0.001, has_momentum=True,
        has_epsilon=True, scaling="adam",
        pytorch=construct("AdamW", "{betas}{eps}", decay=", weight_decay={weight_decay}"),
    ),
    Optimizer(
        key="rmsprop", label="RMSprop", source="Tieleman & Hinton 2012; torch.optim.RMSprop",
        formula=r"v \leftarrow 0.99 \, v + 0.01 \, g^2, \quad W \leftarrow W - \eta \, g / (\sqrt v + 10^{-8})",  # noqa: E501
        summary="Divides by a running RMS of the gradient, with a memory of about a hundred steps.",
        step=rmsprop, learning_rate=0.0005, has_epsilon=True, divides_decay=True, scaling="adam",
        pytorch=construct("RMSprop", "{eps}"),
    ),
    Optimizer(
        key="lars", label="LARS", source="You et al. 2017",
        formula=r"v \leftarrow 0.9 \, v + \eta \, 10^{-3} \frac{\|W\|}{\|g\| + \lambda \|W\|} (g + \lambda W)",  # noqa: E501
        summary="Every weight matrix moves in proportion to its own norm, however small or large "
        "its gradient is.", step=momentum, matrix_step=lars, learning_rate=0.5, has_momentum=True,
        pytorch="# torch.optim has no LARS. Take one from elsewhere, for the weight matrices:\n"
        "# lr={rate}, momentum={momentum}, trust_coefficient=0.001, weight_decay={weight_decay}",
    ),
    Optimizer(
        key="muon", label="Muon", source="Jordan et al. 2024; torch.optim.Muon, match_rms_adamw",
        formula=r"W \leftarrow W - 0.2 \, \eta \sqrt{\max(n_{in}, n_{out})} \, U V^\top",
        summary="Makes the step of each hidden matrix orthogonal: every direction moves alike. "
        "AdamW does the rest.", step=adamw, hidden_step=muon, learning_rate=0.001,
        has_momentum=True, has_epsilon=True,
        pytorch="muon = torch.optim.Muon(hidden_weights, lr={rate}, weight_decay={weight_decay}, "
        'adjust_lr_fn="match_rms_adamw")\n'
        "adamw = torch.optim.AdamW(other_parameters, lr={rate}, weight_decay={weight_decay}"
        "{betas}{eps})  # the rest",
    ),
)  # fmt: skip
