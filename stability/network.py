"""The stack: all networks of an experiment in one set of tensors, N = schemes x replicates of them.

Layers of one shape share one tensor, `(layers, N, fan_out, fan_in)`: the first, the hidden ones, the last. So the norms
and the optimizer take one kernel for all hidden layers of all networks, and `baddbmm` multiplies N networks at once.
"""

from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from stability.experiment import Experiment
from stability.randomness import generator
from stability.schemes import Layer, Noise


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
        hidden = experiment.depth - 1, experiment.networks, experiment.width
        self.gains = [self.leaf(torch.ones(hidden))] if experiment.norm.gain else []
        self.shifts = [self.leaf(torch.zeros(hidden))] if experiment.norm.shift else []

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases, *self.gains, *self.shifts]

    def drawn(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Weights and biases of one layer in all networks, schemes outermost; replicates share their noise."""
        noises = [Noise(self.experiment.seed, replicate, layer) for replicate in range(self.experiment.replicates)]
        pairs = [scheme.draw(layer, noise) for scheme in self.experiment.rows for noise in noises]
        return torch.stack([weights for weights, _ in pairs]), torch.stack([biases for _, biases in pairs])

    def leaf(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.experiment.format.dtype).requires_grad_()

    def forward(self, x: Tensor, step: int | None = None) -> Pass:
        """Feeds one batch `(batch, features)` to all networks; `step` names the dropout masks.

        Without a step, as on held-out data, there is no dropout, and only the last layer is kept.
        """
        e, seen = self.experiment, Pass()
        weights = [matrix.mT for group in self.weights for matrix in group.unbind()]
        biases = [vector.unsqueeze(1) for group in self.biases for vector in group.unbind()]
        h = x.expand(e.networks, *x.shape)  # (N, batch, features)
        for index in range(1, e.depth + 1):
            z = torch.baddbmm(biases[index - 1], h, weights[index - 1])  # (N, batch, fan_out)
            if e.residual and 1 < index < e.depth:
                z = z + seen.z[-1]
            seen.z.append(z)
            if index < e.depth:
                seen.u.append(self.normalized(z, index))
                seen.h.append(e.phi.phi(seen.u[-1]))
                h = self.dropped(seen.h[-1], index, step)
            if step is None:
                seen = Pass(z=[z])
        return seen

    def normalized(self, z: Tensor, index: int) -> Tensor:
        u = self.experiment.norm.apply(z)
        for gain in self.gains:
            u = u * gain[index - 1].unsqueeze(1)
        for shift in self.shifts:
            u = u + shift[index - 1].unsqueeze(1)
        return u

    def dropped(self, h: Tensor, index: int, step: int | None) -> Tensor:
        """Inverted dropout; the mask is drawn by (seed, replicate, step, layer) and is the same for all schemes."""
        e = self.experiment
        if step is None or not e.dropout:
            return h
        randoms = (generator(e.seed, "dropout", replicate, index, step) for replicate in range(e.replicates))
        kept = torch.stack([torch.rand(h.shape[1:], generator=random, dtype=torch.float32) >= e.dropout for random in randoms])
        return h * (kept.to(h) / (1 - e.dropout)).repeat(len(e.schemes), 1, 1)  # schemes outermost
