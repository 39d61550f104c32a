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

from stability.catalogues.draws import Layer, Draws
from stability.catalogues.number_formats import at_least_float32
from stability.engine.loss_scaling import LossScale
from stability.randomness import generator
from stability.records.experiment import Experiment

ADJUST_ROUNDS = 10  # of rescaling one layer


@dataclass
class ForwardPass:
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
        self.loss_scale = LossScale(experiment.network_count, device, experiment.number_format.scales_loss)
        hidden = experiment.depth - 1, experiment.network_count, experiment.width
        self.gains = [self.leaf(torch.ones(hidden))] if experiment.normalization_row.has_gain else []
        self.shifts = [self.leaf(torch.zeros(hidden))] if experiment.normalization_row.has_shift else []

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases, *self.gains, *self.shifts]

    def first_replicates(self) -> "Stack":
        """The first network of each scheme, for forward passes: views of the same numbers, without gradients."""
        first = copy(self)
        first.experiment = replace(self.experiment, replicates=1)
        for name in ("weights", "biases", "gains", "shifts"):
            setattr(first, name, [group.detach()[:, :: self.experiment.replicates] for group in getattr(self, name)])
        return first

    def drawn(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """Weights and biases of one layer in all networks, schemes outermost; replicates share their noise."""
        noises = [Draws(self.experiment.seed, replicate, layer) for replicate in range(self.experiment.replicates)]
        pairs = [scheme.draw(layer, noise) for scheme in self.experiment.scheme_rows for noise in noises]
        return torch.stack([weights for weights, _ in pairs]), torch.stack([biases for _, biases in pairs])

    def leaf(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.experiment.number_format.weight_dtype).requires_grad_()

    def to_compute_dtype(self, tensor: Tensor) -> Tensor:
        """A stored tensor as it is computed with: its numbers those of the format."""
        row = self.experiment.number_format
        return tensor.to(row.dtype).to(row.compute_dtype(self.device))

    def round_to_format(self, tensor: Tensor) -> Tensor:
        """What an operation made, rounded to the format in place; and so will be its gradient.

        In place behind autograd's back: an operation that keeps its result for the way back keeps it rounded, as it would
        had it been computed in the format.
        """
        to = self.experiment.number_format.dtype
        if tensor.dtype != to:
            tensor.data.copy_(tensor.data.to(to))
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: gradient.to(to).to(gradient.dtype))
        return tensor

    def applied(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """What a function makes of x, rounded; x itself where that is all it does."""
        made = function(x)
        return made if made is x else self.round_to_format(made)

    def forward(self, x: Tensor, step: int | None = None) -> ForwardPass:
        """Feeds one batch `(batch, features)` to all networks; `step` names the dropout masks.

        Without a step, as on held-out data, there is no dropout, and only the last layer is kept.
        """
        e, seen = self.experiment, ForwardPass()
        h = self.to_compute_dtype(x).expand(e.network_count, *x.shape)  # (N, batch, features)
        for index, (weights, biases) in enumerate(self.weights_and_biases(), start=1):
            z = self.pre_activation(index, h, seen.z, weights, biases)
            seen.z.append(z)
            if index < e.depth:
                seen.u.append(self.normalize(z, index))
                seen.h.append(self.applied(e.phi.phi, seen.u[-1]))
                h = self.drop_units(seen.h[-1], index, step)
            if step is None:
                seen = ForwardPass(z=[z])
        return seen

    def weights_and_biases(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights `(N, fan_in, fan_out)` and biases `(N, 1, fan_out)`, first to last layer."""
        weights = (matrix.mT for group in self.weights for matrix in self.to_compute_dtype(group).unbind())
        biases = (vector.unsqueeze(1) for group in self.biases for vector in self.to_compute_dtype(group).unbind())
        return zip(weights, biases, strict=True)

    def pre_activation(self, index: int, h: Tensor, before: list[Tensor], weights: Tensor, biases: Tensor) -> Tensor:
        """z of one layer, `(N, batch, fan_out)`; `before` ends with that of the layer before."""
        z = self.round_to_format(torch.baddbmm(biases, h, weights))
        return self.round_to_format(z + before[-1]) if self.experiment.residual and 1 < index < self.experiment.depth else z

    @torch.no_grad()
    def adjust(self, x: Tensor) -> None:
        """Lets every scheme that asks for it rescale its weights, layer by layer, to what the first batch makes of them."""
        e = self.experiment
        asking = [(n, e.scheme_rows[n // e.replicates].adjust) for n in range(e.network_count) if e.scheme_rows[n // e.replicates].adjust]
        h, before = self.to_compute_dtype(x).expand(e.network_count, *x.shape), []
        stored = [matrix for group in self.weights for matrix in group.unbind()] if asking else []
        for index, (own, (_, biases)) in enumerate(zip(stored, self.weights_and_biases(), strict=False), start=1):
            for _ in range(ADJUST_ROUNDS):
                z = self.pre_activation(index, h, before, self.to_compute_dtype(own).mT, biases)
                factors = [(n, adjust(at_least_float32(z[n]))) for n, adjust in asking]
                if all(factor == 1 for _, factor in factors):
                    break
                for n, factor in factors:
                    own[n] *= factor
            before = [self.pre_activation(index, h, before, self.to_compute_dtype(own).mT, biases)]
            if index < e.depth:
                h = self.drop_units(self.applied(e.phi.phi, self.normalize(before[0], index)), index, 0)

    def normalize(self, z: Tensor, index: int) -> Tensor:
        u = self.applied(self.experiment.normalization_row.apply, z)
        for gain in self.gains:
            u = self.round_to_format(u * self.to_compute_dtype(gain[index - 1]).unsqueeze(1))
        for shift in self.shifts:
            u = self.round_to_format(u + self.to_compute_dtype(shift[index - 1]).unsqueeze(1))
        return u

    def drop_units(self, h: Tensor, index: int, step: int | None) -> Tensor:
        """Inverted dropout; the mask is drawn by (seed, replicate, step, layer) and is the same for all schemes."""
        e = self.experiment
        if step is None or not e.dropout:
            return h
        randoms = (generator(e.seed, "dropout", replicate, index, step) for replicate in range(e.replicates))
        kept = torch.stack([torch.rand(h.shape[1:], generator=random, dtype=torch.float32) >= e.dropout for random in randoms])
        mask = self.round_to_format(kept.to(h) / (1 - e.dropout)).repeat(len(e.schemes), 1, 1)  # schemes outermost
        return self.round_to_format(h * mask)
