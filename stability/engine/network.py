"""The stack: all networks of an experiment in one set of tensors, N = schemes x replicates of them.

Layers of one shape share one tensor, `(layers, N, fan_out, fan_in)`: the first, the hidden ones, the last. So the norms
and the optimizer take one kernel for all hidden layers of all networks, and `baddbmm` multiplies N networks at once.

Where a format is computed in a wider one, every number is rounded to it after every operation: on the way forward what the
operation made, on the way back the gradient of that. So the parameters' gradients are, and the optimizer works on numbers
stored in the format itself.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import groupby

import torch
from torch import Tensor

from stability.catalogues.draws import Layer, Noise
from stability.catalogues.number_formats import wide
from stability.engine.loss_scaling import LossScale
from stability.randomness import generator
from stability.records.experiment import Experiment

MOST_ROUNDS = 10  # of rescaling one layer


@dataclass
class Pass:
    """What one forward pass leaves behind: `z`, `u`, `h` by layer, each `(N, batch, units)`; u and h of hidden layers."""

    z: list[Tensor] = field(default_factory=list)
    u: list[Tensor] = field(default_factory=list)
    h: list[Tensor] = field(default_factory=list)  # phi(u), before dropout

    @property
    def output(self) -> Tensor:
        return self.z[-1]


class Stack:
    """The parameters, as leaves that autograd sees: lists of tensors `(layers, N, ...)`, a tensor for each group of layers."""

    def __init__(self, experiment: Experiment, device: torch.device):
        self.experiment, self.device = experiment, device
        self.weights: list[Tensor] = []  # (layers, N, fan_out, fan_in)
        self.biases: list[Tensor] = []  # (layers, N, fan_out)
        self.hidden: list[bool] = []  # whether a group is of hidden layers; the first and the last layer stand alone
        for hidden, layers in groupby(experiment.layers, key=lambda layer: layer.index if layer.is_end else 0):
            self.hidden.append(hidden == 0)
            weights, biases = zip(*map(self.drawn, layers), strict=True)
            self.weights.append(self.leaf(torch.stack(weights)))
            self.biases.append(self.leaf(torch.stack(biases)))
        self.scale = LossScale(experiment.networks, device, experiment.format.scaled)
        hidden = experiment.depth - 1, experiment.networks, experiment.width
        self.gains = [self.leaf(torch.ones(hidden))] if experiment.norm.gain else []
        self.shifts = [self.leaf(torch.zeros(hidden))] if experiment.norm.shift else []

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases, *self.gains, *self.shifts]

    def first(self) -> "Stack":
        """The first network of each scheme, for forward passes: views of the same numbers, without gradients."""
        first = copy(self)
        first.experiment = replace(self.experiment, replicates=1)
        for name in ("weights", "biases", "gains", "shifts"):
            setattr(first, name, [group.detach()[:, :: self.experiment.replicates] for group in getattr(self, name)])
        return first

    def drawn(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Weights and biases of one layer in all networks, schemes outermost; replicates share their noise."""
        noises = [Noise(self.experiment.seed, replicate, layer) for replicate in range(self.experiment.replicates)]
        pairs = [scheme.draw(layer, noise) for scheme in self.experiment.rows for noise in noises]
        return torch.stack([weights for weights, _ in pairs]), torch.stack([biases for _, biases in pairs])

    def leaf(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.experiment.format.of_weights).requires_grad_()

    def held(self, tensor: Tensor) -> Tensor:
        """A stored tensor as it is computed with: its numbers those of the format."""
        row = self.experiment.format
        return tensor.to(row.dtype).to(row.computed_in(self.device))

    def rounded(self, tensor: Tensor) -> Tensor:
        """What an operation made, rounded to the format in place; and so will be its gradient.

        In place behind autograd's back: an operation that keeps its result for the way back keeps it rounded, as it would
        had it been computed in the format.
        """
        to = self.experiment.format.dtype
        if tensor.dtype != to:
            tensor.data.copy_(tensor.data.to(to))
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: gradient.to(to).to(gradient.dtype))
        return tensor

    def applied(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """What a function makes of x, rounded; x itself where that is all it does."""
        made = function(x)
        return made if made is x else self.rounded(made)

    def forward(self, x: Tensor, step: int | None = None) -> Pass:
        """Feeds one batch `(batch, features)` to all networks; `step` names the dropout masks.

        Without a step, as on held-out data, there is no dropout, and only the last layer is kept.
        """
        e, seen = self.experiment, Pass()
        h = self.held(x).expand(e.networks, *x.shape)  # (N, batch, features)
        for index, (weights, biases) in enumerate(self.layers(), start=1):
            z = self.summed(index, h, seen.z, weights, biases)
            seen.z.append(z)
            if index < e.depth:
                seen.u.append(self.normalized(z, index))
                seen.h.append(self.applied(e.phi.phi, seen.u[-1]))
                h = self.dropped(seen.h[-1], index, step)
            if step is None:
                seen = Pass(z=[z])
        return seen

    def layers(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights `(N, fan_in, fan_out)` and biases `(N, 1, fan_out)`, first to last layer."""
        weights = (matrix.mT for group in self.weights for matrix in self.held(group).unbind())
        biases = (vector.unsqueeze(1) for group in self.biases for vector in self.held(group).unbind())
        return zip(weights, biases, strict=True)

    def summed(self, index: int, h: Tensor, before: list[Tensor], weights: Tensor, biases: Tensor) -> Tensor:
        """z of one layer, `(N, batch, fan_out)`; `before` ends with that of the layer before."""
        z = self.rounded(torch.baddbmm(biases, h, weights))
        return self.rounded(z + before[-1]) if self.experiment.residual and 1 < index < self.experiment.depth else z

    @torch.no_grad()
    def adjust(self, x: Tensor) -> None:
        """Lets every scheme that asks for it rescale its weights, layer by layer, to what the first batch makes of them."""
        e = self.experiment
        asking = [(n, e.rows[n // e.replicates].adjust) for n in range(e.networks) if e.rows[n // e.replicates].adjust]
        h, before = self.held(x).expand(e.networks, *x.shape), []
        stored = [matrix for group in self.weights for matrix in group.unbind()] if asking else []
        for index, (own, (_, biases)) in enumerate(zip(stored, self.layers(), strict=False), start=1):
            for _ in range(MOST_ROUNDS):
                z = self.summed(index, h, before, self.held(own).mT, biases)
                factors = [(n, adjust(wide(z[n]))) for n, adjust in asking]
                if all(factor == 1 for _, factor in factors):
                    break
                for n, factor in factors:
                    own[n] *= factor
            before = [self.summed(index, h, before, self.held(own).mT, biases)]
            if index < e.depth:
                h = self.dropped(self.applied(e.phi.phi, self.normalized(before[0], index)), index, 0)

    def normalized(self, z: Tensor, index: int) -> Tensor:
        u = self.applied(self.experiment.norm.apply, z)
        for gain in self.gains:
            u = self.rounded(u * self.held(gain[index - 1]).unsqueeze(1))
        for shift in self.shifts:
            u = self.rounded(u + self.held(shift[index - 1]).unsqueeze(1))
        return u

    def dropped(self, h: Tensor, index: int, step: int | None) -> Tensor:
        """Inverted dropout; the mask is drawn by (seed, replicate, step, layer) and is the same for all schemes."""
        e = self.experiment
        if step is None or not e.dropout:
            return h
        randoms = (generator(e.seed, "dropout", replicate, index, step) for replicate in range(e.replicates))
        kept = torch.stack([torch.rand(h.shape[1:], generator=random, dtype=torch.float32) >= e.dropout for random in randoms])
        mask = self.rounded(kept.to(h) / (1 - e.dropout)).repeat(len(e.schemes), 1, 1)  # schemes outermost
        return self.rounded(h * mask)
