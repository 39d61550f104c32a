"""The reference of the engine's tests: one network of a stack in plain torch.nn and torch.optim,
written as a textbook would.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from lars import Lars
from muon import Muon
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
)

from stability.catalogues.datasets import Data
from stability.engine.network import Stack
from stability.randomness import generator
from stability.records.experiment import Experiment

PHI = {  # the others are called in torch.nn.functional as they are here
    "linear": lambda u: u,
    "erf": torch.erf,
    "leaky_relu_0.2": lambda u: F.leaky_relu(u, 0.2),
}
NORM = {
    "none": lambda width: nn.Identity(),
    "batch": lambda width: nn.BatchNorm1d(width, track_running_stats=False),
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
}
OUTPUT = {
    "none": nn.Identity(),
    "softmax": nn.Softmax(dim=1),
    "sigmoid": nn.Sigmoid(),
    "relu": nn.ReLU(),
}
BRANCH_SCALE = {  # None: learned from 0
    "one": lambda depth: 1,
    "root_half": lambda depth: 0.5**0.5,
    "root_depth": lambda depth: (2 * depth) ** -0.5,
    "learned": lambda depth: None,
}
OPTIMIZER = {  # each takes groups of parameters: hidden matrices, the first and the last, vectors
    "sgd": lambda groups, lr, beta, eps: [torch.optim.SGD(groups, lr)],
    "momentum": lambda groups, lr, beta, eps: [torch.optim.SGD(groups, lr, momentum=beta)],
    "nesterov": lambda groups, lr, beta, eps: [
        torch.optim.SGD(groups, lr, momentum=beta, nesterov=True)
    ],
    "adam": lambda groups, lr, beta, eps: [torch.optim.Adam(groups, lr, (beta, 0.999), eps)],
    "adamw": lambda groups, lr, beta, eps: [torch.optim.AdamW(groups, lr, (beta, 0.999), eps)],
    "rmsprop": lambda groups, lr, beta, eps: [torch.optim.RMSprop(groups, lr, eps=eps)],
    "lars": lambda groups, lr, beta, eps: [
        Lars(groups[:2], lr, momentum=beta),
        torch.optim.SGD(groups[2:], lr, momentum=beta),
    ],
    "muon": lambda groups, lr, beta, eps: [
        Muon(groups[:1], lr),  # in float32, as the engine
        torch.optim.AdamW(groups[1:], lr, (beta, 0.999), eps),
    ],
}


def branches(e: Experiment) -> list[list[int]]:
    """The numbers of the layers of each residual branch: all but the first and the last layer, one
    by one or in pairs.
    """
    layers = [*range(2, e.depth)] if e.residual else []
    size = e.branch_layers
    return [layers[first : first + size] for first in range(0, len(layers), size)]


def branch_scale(e: Experiment) -> nn.Parameter:
    number = BRANCH_SCALE[e.branch_scale](e.depth)
    scale = torch.full((1,), number or 0.0, dtype=e.number_format.dtype)
    return nn.Parameter(scale, requires_grad=number is None)


class PlainNetwork(nn.Module):
    """Network `n` of a stack. Its parameters are copies; `load` takes them from the stack anew."""

    def __init__(self, stack: Stack, n: int):
        super().__init__()
        e = self.e = stack.experiment
        self.n, self.dtype = n, e.number_format.dtype
        sizes = [(layer.fan_in, layer.fan_out) for layer in e.layers]
        self.linears = nn.ModuleList(
            skip_init(nn.Linear, *size, dtype=self.dtype) for size in sizes
        )
        self.scales = nn.ParameterList(branch_scale(e) for _ in branches(e))
        widths = [fan_out for _, fan_out in sizes[:-1]]
        self.norms = nn.ModuleList(NORM[e.normalization](n).to(self.dtype) for n in widths)
        self.load(stack.parameters)

    @torch.no_grad()
    def load(self, parameters: list[Tensor]) -> None:
        for own, stacked in zip(self.ordered(), unstack(parameters, self.n), strict=True):
            own.copy_(stacked)

    def ordered(self) -> list[nn.Parameter]:
        """Weights, biases, gains, shifts, each from the first to the last layer, as a stack has
        them.
        """
        norms = [list(norm.parameters()) for norm in self.norms]
        weights, biases = (
            [getattr(one, name) for one in self.linears] for name in ("weight", "bias")
        )
        return [
            *weights,
            *biases,
            *(p[0] for p in norms if p),
            *(p[1] for p in norms if len(p) > 1),
            *(scale for scale in self.scales if scale.requires_grad),
        ]

    def forward(self, x: Tensor, step: int | None) -> Tensor:
        """The output; `z` and `u` of every layer stay on the network.

        Without a step there is no dropout.
        """
        self.x, h, self.z, self.u, self.stream = x, x, [], [], {}
        pairs = zip(branches(self.e), self.scales, strict=True)
        ends = {layers[-1]: (layers[0] - 1, scale) for layers, scale in pairs}
        for number, linear in enumerate(self.linears, start=1):
            z = linear(h)
            if number in ends:
                before, scale = ends[number]
                z = self.stream[before] + scale * z
            self.z.append(z)
            if number < self.e.depth:
                norm, phi = self.norms[number - 1], phi_of(self.e)
                before_product = self.e.norm_position == "before"
                self.u.append(z if before_product else norm(z))
                h = norm(phi(z)) if before_product else phi(self.u[-1])
                self.stream[number] = self.u[-1] if self.e.norm_position == "after" else z
                if step is not None and self.e.dropout:
                    h = h * self.mask(h.shape, number, step)
        return OUTPUT[self.e.output_activation](z)

    def mask(self, shape: torch.Size, number: int, step: int) -> Tensor:
        """The mask of the definition: drawn by (seed, replicate, step, layer), the same for all
        schemes.
        """
        source = generator(self.e.seed, "dropout", self.n % self.e.replicates, number, step)
        kept = torch.rand(shape, generator=source) >= self.e.dropout
        return kept.to(self.dtype) / (1 - self.e.dropout)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return (
            F.mse_loss(output, y)
            if self.e.dataset_row.classes is None
            else F.cross_entropy(output, y)
        )

    def accuracy(self, output: Tensor, y: Tensor) -> float:
        """The share of right answers; an output with NaN in it is never right."""
        if not self.e.dataset_row.classes:
            return torch.nan
        return ((output.argmax(dim=1) == y) & ~output.isnan().any(dim=1)).double().mean().item()

    def measure(self, data: Data, batch: Tensor, step: int) -> dict[str, list]:
        """The pass on one batch, and every quantity by its definition: lists of tensors or numbers,
        by layer.
        """
        x, y = data.x[batch], data.y[batch]
        output = self(x, step)
        for z in self.z:
            z.retain_grad()
        self.zero_grad()
        loss = self.loss(output, y)
        loss.backward()
        gradients = [parameter.grad for parameter in self.ordered()]
        found = {
            "output": [output],
            "z": self.z,
            "dz": [z.grad for z in self.z],
            "gradient": gradients,
        }
        found |= {"loss": [loss.item()], "accuracy": [self.accuracy(output, y)], "scale": [1.0]}
        found["signal"] = [root_mean_square(z) for z in self.z]
        found["signal_gradient"] = [root_mean_square(len(x) * z.grad.double()) for z in self.z]
        found["weight_gradient"] = [norm(gradient) for gradient in gradients[: self.e.depth]]
        found["weight"] = [norm(linear.weight) for linear in self.linears]
        found["gradient_norm"] = [norm(torch.cat([gradient.flatten() for gradient in gradients]))]
        if step in (0, self.e.steps):
            found |= self.shares() | self.held_out(data)
        return found

    def shares(self) -> dict[str, list]:
        """Shares of units, layer by layer; of a layer with NaN in it there is none."""
        phi, found = (
            phi_of(self.e),
            {"saturated": [], "dead": [], "distinct": [], "pre_activations": []},
        )
        found["spread"] = [root_mean_square(z.double() - z.double().mean(0)) for z in self.z]
        for z, u in zip(self.z, self.u, strict=False):
            own = derivative(phi, u.detach()).abs()
            exact = u.dtype == torch.float64
            slope = own if exact else derivative(phi, u.detach().double()).abs()
            lost = torch.nan if u.isnan().any() else 0.0
            found["saturated"].append(
                (slope < 0.005 * steepest_slope(phi)).double().mean().item() + lost
            )
            found["dead"].append((own == 0).all(dim=0).double().mean().item() + lost)
            found["distinct"].append(count_distinct_units(z) + lost)
            found["pre_activations"].append(histogram(u) + lost)
        return found

    @torch.no_grad()
    def held_out(self, data: Data) -> dict[str, list[float]]:
        output = self(data.x_test, None)
        loss, accuracy = self.loss(output, data.y_test), self.accuracy(output, data.y_test)
        return {"test_loss": [loss.item()], "test_accuracy": [accuracy]}


# Yang et al. 2022, table 3, as factors on the learning rate that is right where fans are `base`.
MUP = {
    "sgd": {
        "input": lambda fan_in, fan_out, base: fan_out / base,
        "hidden": lambda fan_in, fan_out, base: 1,
        "output": lambda fan_in, fan_out, base: base / fan_in,
        "vector": lambda fan_in, fan_out, base: fan_out / base,
    },
    "adam": {
        "input": lambda fan_in, fan_out, base: 1,
        "hidden": lambda fan_in, fan_out, base: base / fan_in,
        "output": lambda fan_in, fan_out, base: base / fan_in,
        "vector": lambda fan_in, fan_out, base: 1,
    },
}
MUP |= dict.fromkeys(["momentum", "nesterov"], MUP["sgd"])
MUP |= dict.fromkeys(["adamw", "rmsprop"], MUP["adam"])


def rate_factors(e: Experiment, scheme: str, count: int) -> list[float]:
    """What the learning rate of each parameter is multiplied by, in the order of `ordered`."""
    family, _, base = scheme.partition(":")
    if family != "mup":
        return [1.0] * count
    table, base = MUP[e.optimizer], float(base or 64)
    kinds = ["input", *["hidden"] * (e.depth - 2), "output"]
    fans = [(layer.fan_in, layer.fan_out) for layer in e.layers]
    matrices = [table[kind](*fan, base) for kind, fan in zip(kinds, fans, strict=True)]
    hidden = [table["vector"](*fan, base) for fan in fans[:-1]]
    norms = {"none": 0, "rms": 1}.get(e.normalization, 2)
    found = [*matrices, *hidden, 1.0, *hidden * norms]  # what the network puts out is no wider
    return found + [1.0] * (count - len(found))


class PlainOptimizer:
    """torch.optim on float64 copies of one network's parameters, so that a step is known to all its
    digits.
    """

    def __init__(self, e: Experiment, parameters: list[Tensor], scheme: str = ""):
        self.clip = e.clip
        self.books = [nn.Parameter(parameter.detach().double()) for parameter in parameters]
        parts = (
            self.books[1 : e.depth - 1],
            [self.books[0], self.books[e.depth - 1]],
            self.books[e.depth :],
        )
        decays = e.weight_decay, e.weight_decay, 0.0
        groups = [
            {"params": part, "weight_decay": decay}
            for part, decay in zip(parts, decays, strict=True)
        ]
        factors = rate_factors(e, scheme, len(parameters))
        if {*factors} != {1.0}:  # a group of its own for each
            groups = [
                {
                    "params": [book],
                    "lr": factor * e.learning_rate,
                    "weight_decay": e.weight_decay if book.dim() == 2 else 0.0,
                }
                for book, factor in zip(self.books, factors, strict=True)
            ]
        make = OPTIMIZER[e.optimizer]
        self.optimizers = make(groups, e.learning_rate, e.momentum, e.epsilon)
        self.schedulers = [scheduler_of(e, optimizer) for optimizer in self.optimizers]

    def step(self, parameters: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """One update of these parameters by these gradients: what it adds to each."""
        for book, parameter, gradient in zip(self.books, parameters, gradients, strict=True):
            book.data.copy_(parameter.detach())
            book.grad = gradient.double()
        if self.clip:
            nn.utils.clip_grad_norm_(self.books, self.clip)
        before = [book.detach().clone() for book in self.books]
        for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
            optimizer.step()
            scheduler.step()
        return [book.detach() - start for book, start in zip(self.books, before, strict=True)]


def scheduler_of(e: Experiment, optimizer: Optimizer) -> LRScheduler:
    """The warm-up and the schedule in torch's own terms."""
    fall: LRScheduler = LambdaLR(optimizer, lambda step: 1.0)
    if e.schedule == "cosine":
        fall = CosineAnnealingLR(optimizer, max(1, e.steps - e.warmup))
    if not e.warmup:
        return fall
    rise = LinearLR(optimizer, 1 / e.warmup, total_iters=e.warmup - 1)
    return SequentialLR(optimizer, [rise, fall], [e.warmup])


def unstack(tensors: list[Tensor], n: int) -> list[Tensor]:
    """Network `n` of a list of stacks `(layers, N, ...)`, layer after layer."""
    return [layer.detach().clone() for stack in tensors for layer in stack[:, n].unbind()]


def phi_of(e: Experiment) -> Callable[[Tensor], Tensor]:
    if e.activation == "leaky_relu":
        return leak(e.slope)
    if e.activation == "sine":
        return wave(e.w0)
    return PHI.get(e.activation, getattr(F, e.activation, None))


@cache
def leak(slope: float) -> Callable[[Tensor], Tensor]:
    return lambda u: F.leaky_relu(u, slope)


@cache
def wave(w0: float) -> Callable[[Tensor], Tensor]:
    return lambda u: torch.sin(w0 * u)


def derivative(phi: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    u = u.clone().requires_grad_()
    return torch.autograd.grad(phi(u).sum(), u)[0]


@cache
def steepest_slope(phi: Callable[[Tensor], Tensor]) -> Tensor:
    return derivative(phi, torch.linspace(-30, 30, 60001, dtype=torch.float64)).abs().max()


def norm(tensor: Tensor) -> float:
    """The 2-norm in float64, scaled: squares of some of these networks leave even float64."""
    entries = tensor.detach().double().numpy().ravel()
    largest = float(np.abs(entries).max())
    scale = largest if 0 < largest < math.inf else 1.0
    return float(np.linalg.norm(entries / scale)) * scale


def root_mean_square(tensor: Tensor) -> float:
    return norm(tensor) / tensor.numel() ** 0.5


def count_distinct_units(z: Tensor) -> float:
    """Different units of a layer: two are alike if they differ nowhere by more than 1e-5 of the
    layer's RMS. Where one is like two that are not like each other, the first unit decides: a unit
    counts if it is like none that was counted before it.
    """
    units = (z.detach().double() / (root_mean_square(z) or 1)).T  # (width, batch)
    alike = torch.cdist(units, units, p=torch.inf) <= 1e-5
    if not alike.fill_diagonal_(False).any():
        return float(len(units))
    counted: list[int] = []
    for unit in range(len(units)):
        if not alike[unit, counted].any():
            counted.append(unit)
    return float(len(counted))


def histogram(u: Tensor) -> Tensor:
    """Shares of u below -8, in 64 bins of a quarter, and above 8."""
    edges = [-np.inf, *np.arange(-32, 33) / 4, np.inf]
    counts, _ = np.histogram(u.detach().double().numpy(), edges)
    return torch.from_numpy(counts / u.numel()).float()
