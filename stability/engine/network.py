"""The stack: all N = schemes x replicates networks of an experiment in one set of tensors.

Layers of one shape share one tensor, `(layers, N, fan_out, fan_in)`: the first, the hidden ones,
the last. So the norms and the optimizer take one kernel for all hidden layers of all networks, and
`baddbmm` multiplies N networks at once.

Where a number format is computed in a wider one, every number is rounded to the format after every
operation: on the way forward the result, on the way back its gradient. So the gradients of the
parameters are numbers of the format, and the optimizer works on those that are stored in it.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.draws import Draws, Layer
from stability.catalogues.number_formats import at_least_float32
from stability.engine.scaled_norms import norms
from stability.randomness import generator
from stability.records.experiment import Experiment

ADJUST_ROUNDS = 10  # of rescaling one layer


@dataclass(eq=False)
class ForwardPass:
    """The tensors of one forward pass by layer, `(N, batch, units)`; u and h of hidden layers."""

    z: list[Tensor] = field(default_factory=list)
    u: list[Tensor] = field(default_factory=list)
    h: list[Tensor] = field(default_factory=list)  # phi(u), before dropout

    @property
    def output(self) -> Tensor:
        return self.z[-1]


@dataclass(eq=False)
class BackwardPass:
    """The gradients of the mean losses; stored ones are multiplied by the `scale` `(N,)`."""

    parameters: list[Tensor]  # (layers, N, ...), in the order of Stack.parameters
    parameter_norms: list[Tensor]  # (layers, N) of each
    norm: Tensor  # (N,) over all parameters
    stored_weights: list[Tensor]  # (layers, N, fan_out, fan_in)
    stored_z: list[Tensor]  # (N, batch, units) by layer
    scale: Tensor


class Stack:
    """The parameters of all networks, as leaves: a tensor `(layers, N, ...)` a group of layers."""

    def __init__(self, experiment: Experiment, device: torch.device):
        self.experiment = experiment
        self.device = device
        layers, norm = experiment.layers, experiment.normalization_row
        self.compute_dtype = experiment.number_format.compute_dtype(device)
        self.weights: list[Tensor] = []  # (layers, N, fan_out, fan_in)
        self.biases: list[Tensor] = []  # (layers, N, fan_out)
        self.group_is_hidden: list[bool] = []
        # The first and the last layer stand alone; a single layer is the first.
        for group in filter(None, (layers[:1], layers[1:-1], layers[1:][-1:])):
            self.group_is_hidden.append(not group[0].is_end)
            weights, biases = zip(*(draw_layer(experiment, layer) for layer in group), strict=True)
            self.weights.append(self._leaf(torch.stack(weights)))
            self.biases.append(self._leaf(torch.stack(biases)))
        ones = torch.ones(experiment.depth - 1, experiment.network_count, experiment.width)
        self.gains = [self._leaf(ones)] if norm.has_gain else []
        self.shifts = [self._leaf(torch.zeros_like(ones))] if norm.has_shift else []

    def _leaf(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.experiment.number_format.weight_dtype).requires_grad_()

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases, *self.gains, *self.shifts]

    # Stacks made from others

    def mapped(self, change: Callable[[Tensor], Tensor], **settings: Any) -> "Stack":
        """Return a stack of the changed parameters, its experiment with these settings replaced."""
        other = copy(self)
        other.experiment = replace(self.experiment, **settings)
        other.weights, other.biases, other.gains, other.shifts = (
            [change(group) for group in groups]
            for groups in (self.weights, self.biases, self.gains, self.shifts)
        )
        other.device = other.weights[0].device
        other.compute_dtype = other.experiment.number_format.compute_dtype(other.device)
        return other

    def first_replicates(self) -> "Stack":
        """Return the first network of each scheme: views of the same numbers, without gradients."""
        replicates = self.experiment.replicates
        return self.mapped(lambda group: group.detach()[:, ::replicates], replicates=1)

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights `(N, fan_out, fan_in)` and biases `(N, fan_out)` by layer, detached."""
        weights = [matrix for group in self.weights for matrix in group.detach()]
        biases = [vector for group in self.biases for vector in group.detach()]
        return list(zip(weights, biases, strict=True))

    def with_layers(self, layers: Sequence[tuple[Tensor, Tensor]]) -> "Stack":
        """Return a stack of these weights and biases, as from `layers`; all else is shared."""
        other = copy(self)
        other.weights = [weights.unsqueeze(0) for weights, _ in layers]
        other.biases = [biases.unsqueeze(0) for _, biases in layers]
        other.group_is_hidden = [not layer.is_end for layer in self.experiment.layers]
        return other

    # Forward and backward

    def forward(
        self,
        x: Tensor,
        step: int | None = None,
        every_layer: bool | None = None,
        rescale: Callable[[int, Tensor], Tensor | None] | None = None,
    ) -> ForwardPass:
        """Feed one batch `(batch, features)` to all networks.

        `step` names the dropout masks; without it, as on held-out data, there is no dropout, and
        only the last layer is kept unless `every_layer` is asked for. `rescale` sees z of each
        layer and may return other weights, with which z is computed again.
        """
        e, passed = self.experiment, ForwardPass()
        keep = step is not None if every_layer is None else every_layer
        layers = zip(self._by_layer(self.weights), self._by_layer(self.biases), strict=True)
        h = self.to_compute_dtype(x).expand(e.network_count, *x.shape)  # (N, batch, features)
        z = None
        for index, (weights, biases) in enumerate(layers, start=1):
            z_before, z = z, self.pre_activation(index, h, z, weights, biases)
            rounds = ADJUST_ROUNDS
            while rescale and rounds and (rescaled := rescale(index, z)) is not None:
                z = self.pre_activation(index, h, z_before, rescaled, biases)
                rounds -= 1
            if keep or index == e.depth:
                passed.z.append(z)
            if index < e.depth:
                u = self.normalize(z, index)
                h = self._apply(e.phi.phi, u)
                if keep:
                    passed.u.append(u)
                    passed.h.append(h)
                if step is not None and e.dropout:
                    h = self._apply(partial(drop_units, e, index, step), h)
        return passed

    def backward(self, passed: ForwardPass, losses: Tensor, scale: Tensor) -> BackwardPass:
        """Return the gradients of the losses `(N,)`, each multiplied by its `scale` on the way."""
        # The networks share no parameter, so the gradient of the sum is each one's own.
        stored = torch.autograd.grad(
            losses, [*self.parameters, *passed.z], scale.to(losses), materialize_grads=True
        )
        layers = len(passed.z)
        of_parameters, of_z = list(stored[:-layers]), stored[-layers:]
        of_weights = of_parameters[: len(self.weights)]
        if self.experiment.number_format.scales_loss:
            of_parameters = [g / per_network(scale.to(g), g) for g in of_parameters]
        of_each = [norms(gradient) for gradient in of_parameters]
        of_all = torch.cat(of_each).T.contiguous()  # (N, layers): one order of summation for any N
        return BackwardPass(
            parameters=of_parameters,
            parameter_norms=of_each,
            norm=norms(of_all.unsqueeze(0))[0],
            stored_weights=of_weights,
            stored_z=[self.to_compute_dtype(gradient) for gradient in of_z],
            scale=scale,
        )

    def losses(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the mean losses `(N,)` of outputs `(N, batch, classes)`.

        With loss scaling in float32, as in torch.autocast: 2.3 times 65536 is beyond float16.
        """
        if self.experiment.number_format.scales_loss:
            return mean_losses(output.float(), y)
        return mean_losses(output, y, self.round_to_format)

    @torch.no_grad()
    def adjust(self, x: Tensor) -> None:
        """Let the schemes that adjust to a batch x, such as LSUV, rescale their weights by it."""
        e = self.experiment
        rows = [row for row in e.scheme_rows for _ in range(e.replicates)]
        adjusts = {n: row.adjust for n, row in enumerate(rows) if row.adjust}
        if not adjusts:
            return
        stored = [matrix for group in self.weights for matrix in group.unbind()]  # views

        def rescale(index: int, z: Tensor) -> Tensor | None:
            factors = {n: adjust(at_least_float32(z[n])) for n, adjust in adjusts.items()}
            if all(factor == 1 for factor in factors.values()):
                return None
            for n, factor in factors.items():
                stored[index - 1][n] *= factor
            return self.to_compute_dtype(stored[index - 1])

        self.forward(x, step=0, every_layer=False, rescale=rescale)

    def pre_activation(
        self, index: int, h: Tensor, z_before: Tensor | None, weights: Tensor, biases: Tensor
    ) -> Tensor:
        """Return z = W h + b of layer `index`, `(N, batch, fan_out)`; residual: plus z before."""
        z = self.round_to_format(torch.baddbmm(biases.unsqueeze(1), h, weights.mT))
        if z_before is not None and self.experiment.residual and index < self.experiment.depth:
            z = self.round_to_format(z + z_before)
        return z

    def normalize(self, z: Tensor, index: int) -> Tensor:
        """Return u of hidden layer `index`: z normalized, times the gain, plus the shift."""
        u = self._apply(self.experiment.normalization_row.apply, z)
        for gain in self.gains:
            u = self.round_to_format(u * self.to_compute_dtype(gain[index - 1]).unsqueeze(1))
        for shift in self.shifts:
            u = self.round_to_format(u + self.to_compute_dtype(shift[index - 1]).unsqueeze(1))
        return u

    # Numbers of the format

    def to_compute_dtype(self, tensor: Tensor) -> Tensor:
        """Round a stored tensor to the number format, and cast it to the dtype of computing."""
        return tensor.to(self.experiment.number_format.dtype).to(self.compute_dtype)

    def round_to_format(self, tensor: Tensor) -> Tensor:
        """Round the result of an operation to the format in place, and later its gradient likewise.

        In place behind autograd's back: an operation that keeps its result for the way back keeps
        it rounded, as it would had it been computed in the format.
        """
        dtype = self.experiment.number_format.dtype
        if tensor.dtype != dtype:
            tensor.data.copy_(tensor.data.to(dtype))
            if tensor.requires_grad:
                hook: Callable[[Tensor], Tensor] = lambda g: g.to(dtype).to(g.dtype)  # noqa: E731
                tensor.register_hook(hook)  # type: ignore[no-untyped-call]
        return tensor

    def _apply(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the function's result, rounded; x itself where the function hands it through."""
        result = function(x)
        return x if result is x else self.round_to_format(result)

    def _by_layer(self, groups: list[Tensor]) -> Iterator[Tensor]:
        """Yield the parameters of one layer after another, `(N, ...)`, to compute with."""
        return (layer for group in groups for layer in self.to_compute_dtype(group).unbind())


def draw_layer(e: Experiment, layer: Layer) -> tuple[Tensor, Tensor]:
    """Draw weights `(N, fan_out, fan_in)` and biases `(N, fan_out)`, schemes outermost.

    The replicates of all schemes share their noise.
    """
    noises = [Draws(e.seed, replicate, layer) for replicate in range(e.replicates)]
    pairs = [row.draw(layer, noise) for row in e.scheme_rows for noise in noises]
    return torch.stack([weights for weights, _ in pairs]), torch.stack([b for _, b in pairs])


def drop_units(e: Experiment, index: int, step: int, h: Tensor) -> Tensor:
    """Apply inverted dropout to h of layer `index`, `(N, batch, width)`.

    The mask follows from (seed, replicate, step, layer) and is the same for all schemes.
    """
    drawn = [
        torch.rand(h.shape[1:], generator=random, dtype=torch.float32)
        for random in (generator(e.seed, "dropout", r, index, step) for r in range(e.replicates))
    ]
    kept = (torch.stack(drawn) >= e.dropout).to(e.number_format.dtype)
    mask = (kept / (1 - e.dropout)).to(h)
    return h * mask.repeat(len(e.schemes), 1, 1)  # schemes outermost


def mean_losses(
    output: Tensor, y: Tensor, rounded: Callable[[Tensor], Tensor] = lambda result: result
) -> Tensor:
    """Return the mean losses `(N,)` of outputs `(N, batch, classes)`; every result is `rounded`.

    Cross-entropy where y are classes, else the squared error.
    """
    if y.is_floating_point():
        return rounded(rounded(rounded(output - y).square()).mean(dim=(1, 2)))
    classes = y.expand(len(output), -1)
    each = rounded(F.cross_entropy(output.transpose(1, 2), classes, reduction="none"))
    return rounded(each.mean(dim=1))


def per_network(values: Tensor, stack: Tensor) -> Tensor:
    """Return values `(N,)` as `(1, N, 1, ...)`, to broadcast over a stack `(layers, N, ...)`."""
    return values.view(1, -1, *[1] * (stack.dim() - 2))
