"""The parameters of many networks of one shape, in one set of tensors.

Neighbouring layers of one shape share one tensor, `(layers, N, fan_out, fan_in)`: the first, the
hidden ones, the last. Where widths fall, each layer has a shape and so a tensor of its own.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, Self

import torch
from torch import Tensor

from stability.catalogues.draws import Layer
from stability.engine.drawing import draw_layer
from stability.engine.family import Family
from stability.engine.scaled_norms import Norms
from stability.engine.tiny_products import NONE_TINY
from stability.records.experiment import Experiment

# Of several layers that are measured at once, or changed beside as many of each mean of an
# optimizer: half a megabyte, which fits in the cache.
STACK_NUMBERS = 2**17


@dataclass(frozen=True, eq=False)
class KeptViews:
    """The results of `layers`, `stacked_weights`, `computing_layers`, `gain`, `shift`, `norms`."""

    layers: list[tuple[Tensor, Tensor]]
    stacked_weights: dict[int, Tensor]
    computing_layers: list[tuple[Tensor, Tensor, Tensor]]
    gains: list[Tensor]
    shifts: list[Tensor]
    norms: Norms


class Parameters:
    """The parameters of `networks`, indices into schemes x replicates, a tensor a group of layers.

    The schemes are those of an experiment, or of all experiments of a family; `experiment` has the
    settings that they share. Tensors are `(layers, N, ...)`, leaves of autograd when drawn.
    """

    def __init__(self, experiment: Experiment | Family, device: torch.device):
        self.family = Family.of(experiment)
        self.experiment = experiment = self.family.shared
        self.device = device
        self.rounds = experiment.number_format.is_rounded
        self.networks = torch.arange(self.family.network_count)
        self.tiny = NONE_TINY
        self._kept: KeptViews | None = None
        layers, norm = experiment.layers, experiment.normalization_row
        self.weights: list[Tensor] = []  # (layers, N, fan_out, fan_in)
        self.biases: list[Tensor] = []  # (layers, N, fan_out)
        self.group_is_hidden: list[bool] = []
        for group in groups_of_layers(layers):
            self.group_is_hidden.append(not group[0].is_end)
            # Cast layer by layer: drawn in float64, all of them take more memory than training.
            drawn = (map(self._stored, draw_layer(self.family, layer)) for layer in group)
            weights, biases = zip(*drawn, strict=True)
            self.weights.append(self._leaf(torch.stack(weights)))
            self.biases.append(self._leaf(torch.stack(biases)))
        widths = layers_by_width(experiment)
        ones = [torch.ones(count, len(self.networks), width) for count, width in widths]
        self.gains = [self._leaf(one) for one in ones if norm.has_gain]  # (layers, N, width)
        self.shifts = [self._leaf(torch.zeros_like(one)) for one in ones if norm.has_shift]
        zeros = torch.zeros(len(experiment.shortcuts), len(self.networks), 1)
        learned = experiment.branch_scale_row.is_learned and len(zeros)
        self.scales = [self._leaf(zeros)] if learned else []  # (branches, N, 1)

    def _leaf(self, tensor: Tensor) -> Tensor:
        return self._stored(tensor).requires_grad_()

    def _stored(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, self.experiment.number_format.weight_dtype)

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases, *self.gains, *self.shifts, *self.scales]

    def rate(self, name: str) -> float | Tensor:
        """Return one of the RATES of these networks: a number, or float64 `(N,)`."""
        return self._of_these(self.family.rates[name])

    def learning_rate(self, step: int) -> float | Tensor:
        """Return the learning rate of update `step` of these networks, as `rate` does."""
        return self._of_these(self.family.learning_rate(step))

    def learning_rates(self, step: int) -> list[float | Tensor]:
        """Return the learning rate of update `step` of each of `parameters`, to broadcast over it.

        Of each layer, where a scheme has rates for each layer.
        """
        rate = self.learning_rate(step)
        if self.family.rate_factors is None:
            return [rate_over(rate, parameter) for parameter in self.parameters]
        schemes = self.networks // self.experiment.replicates
        matrices, vectors = (f[:, schemes].to(self.device) for f in self.family.rate_factors)
        found: list[float | Tensor] = []
        for stacks, factors in (
            (self.weights, matrices),
            (self.biases, vectors),
            (self.gains, vectors),
            (self.shifts, vectors),
            (self.scales, torch.ones_like(vectors)),
        ):
            first = 0
            for stack in stacks:
                part = rate * factors[first : first + len(stack)]  # (layers, N)
                found.append(part.view(*part.shape, *[1] * (stack.dim() - 2)))
                first += len(stack)
        return found

    def rates_by_layer(self, rates: Sequence[float | Tensor]) -> float | Tensor:
        """Return the rates of the weights, of `learning_rates`, to multiply norms `(L, N)`."""
        pairs = [*zip(rates, self.weights, strict=False)]
        parts = [r[..., 0, 0].expand(len(w), -1) for r, w in pairs if isinstance(r, Tensor)]
        return torch.cat(parts) if parts else rates[0]

    def _of_these(self, rate: float | Tensor) -> float | Tensor:
        return rate[self.networks].to(self.device) if isinstance(rate, Tensor) else rate

    # Stacks made from others

    def mapped(self, change: Callable[[Tensor], Tensor], **settings: Any) -> Self:
        """Return a stack of the changed parameters, its experiment with these settings replaced."""
        other = copy(self)
        other._kept = None
        if settings:
            other.family = self.family.replaced(**settings)
            other.experiment = other.family.shared
            other.rounds = other.experiment.number_format.is_rounded
        groups = self.weights, self.biases, self.gains, self.shifts, self.scales
        other.weights, other.biases, other.gains, other.shifts, other.scales = (
            [change(tensor) for tensor in group] for group in groups
        )
        other.device = other.weights[0].device
        return other

    def select(self, chosen: slice | Tensor) -> Self:
        """Return some of the networks, without autograd; a slice shares memory with this stack."""
        other = self.mapped(lambda group: group.detach()[:, chosen])
        other.networks = self.networks[chosen.cpu() if isinstance(chosen, Tensor) else chosen]
        other.tiny = self.tiny.select(chosen)
        return other

    def first_replicates(self) -> Self:
        """Return those networks that are the first of their scheme, without autograd."""
        e = self.experiment
        if len(self.networks) == self.family.network_count:
            return self.select(slice(None, None, e.replicates))
        return self.select((self.networks % e.replicates == 0).nonzero().flatten())

    def in_blocks(self, examples: int, most_numbers: int) -> Iterator[slice]:
        """Yield slices of networks of which a layer computes at most `most_numbers` at a time.

        At least one network each; all of about one size.
        """
        widest = max(layer.fan_out for layer in self.experiment.layers)
        count = len(self.networks)
        blocks = -(-count // max(1, most_numbers // (examples * widest)))
        ends = [count * index // blocks for index in range(blocks + 1)] if blocks else []
        yield from map(slice, ends[:-1], ends[1:])

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Return weights `(N, fan_out, fan_in)` and biases `(N, fan_out)` by layer, detached."""
        if self._kept:
            return self._kept.layers
        weights = [matrix for group in self.weights for matrix in group.detach()]
        biases = [vector for group in self.biases for vector in group.detach()]
        return list(zip(weights, biases, strict=True))

    def stacked_weights(self) -> dict[int, Tensor]:
        """Return the weights of neighbouring layers together, by the number of the first of them.

        These are `(k, N, fan_out, fan_in)`, detached, of as many layers as fit in the cache.
        """
        if self._kept:
            return self._kept.stacked_weights
        found: dict[int, Tensor] = {}
        first = 1
        for group in self.weights:
            for stack in torch.split(group.detach(), max(1, STACK_NUMBERS // group[:1].numel())):
                found[first] = stack
                first += len(stack)
        return found

    def with_layers(self, layers: Sequence[tuple[Tensor, Tensor]]) -> Self:
        """Return a stack of these weights and biases, as from `layers`; all else is shared."""
        other = copy(self)
        other._kept, other.tiny = None, NONE_TINY
        other.networks = torch.arange(len(layers[0][0]))
        other.weights = [weights.unsqueeze(0) for weights, _ in layers]
        other.biases = [biases.unsqueeze(0) for _, biases in layers]
        other.group_is_hidden = [not layer.is_end for layer in self.experiment.layers]
        return other

    def computing_layers(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return W, its transpose and b `(N, 1, fan_out)` of each layer, to compute with."""
        if self._kept and not self.rounds:
            return self._kept.computing_layers
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for group, vectors in zip(self.weights, self.biases, strict=True):
            weights, biases = self.to_compute_dtype(group), self.to_compute_dtype(vectors)
            parts = weights, weights.mT, biases.unsqueeze(2)
            found += zip(*(part.unbind() for part in parts), strict=True)
        return found

    def keep_views(self) -> Self:
        """Make the views of all layers once and for all: from now on tensors change in place."""
        computing = [] if self.rounds else self.computing_layers()
        gains, shifts = ([*chain.from_iterable(stacks)] for stacks in (self.gains, self.shifts))
        stacks = self.stacked_weights()
        self._kept = KeptViews(self.layers(), stacks, computing, gains, shifts, self.norms())
        return self

    def norms(self) -> Norms:
        """Return a table for norms of what is stored, none of them taken yet.

        It has a row for each layer of each of `parameters`, in their order.
        """
        if self._kept:
            return self._kept.norms.begin()
        rows = sum(len(group) for group in self.parameters)
        return Norms(rows, self.experiment.number_format.squares_fit)

    def gain(self, index: int) -> Tensor:
        """Return the gains `(N, width)` of hidden layer `index`, counted from 0, if it has any."""
        return self._kept.gains[index] if self._kept else vector_of_layer(self.gains, index)

    def shift(self, index: int) -> Tensor:
        """Return the shifts, as `gain` does."""
        return self._kept.shifts[index] if self._kept else vector_of_layer(self.shifts, index)

    # Numbers of the format

    def to_compute_dtype(self, tensor: Tensor) -> Tensor:
        """Round a stored tensor to the number format, and cast it to the dtype of computing."""
        row = self.experiment.number_format
        rounded = tensor.to(row.dtype)
        return rounded.to(row.compute_dtype) if self.rounds else rounded

    def round_to_format(self, tensor: Tensor) -> Tensor:
        """Round the result of an operation to the format in place, and later its gradient likewise.

        In place behind autograd's back: an operation that keeps its result for the way back keeps
        it rounded, as it would had it been computed in the format.
        """
        if self.rounds:
            dtype = self.experiment.number_format.dtype
            tensor.data.copy_(tensor.data.to(dtype))
            if tensor.requires_grad:
                hook: Callable[[Tensor], Tensor] = lambda g: g.to(dtype).to(g.dtype)  # noqa: E731
                tensor.register_hook(hook)  # type: ignore[no-untyped-call]
        return tensor


def groups_of_layers(layers: Sequence[Layer]) -> Iterator[Sequence[Layer]]:
    """Yield the layers that share a tensor: hidden ones of one shape, and each end alone."""
    shape: Callable[[Layer], Hashable] = lambda layer: (  # noqa: E731
        layer.is_end and layer.index,
        layer.fan_in,
        layer.fan_out,
    )
    for _, group in groupby(layers, shape):
        yield [*group]


def layers_by_width(e: Experiment) -> list[tuple[int, int]]:
    """Return how many neighbouring hidden layers have one width, and that width, in their order."""
    return [(len([*equal]), width) for width, equal in groupby(e.hidden_widths)]


def vector_of_layer(stacks: Sequence[Tensor], index: int) -> Tensor:
    """Return the vectors `(N, width)` of hidden layer `index`, counted from 0, of such stacks."""
    for stack in stacks:
        if index < len(stack):
            return stack[index]
        index -= len(stack)
    raise IndexError("no such hidden layer")


def per_network(values: Tensor, stack: Tensor) -> Tensor:
    """Return values `(N,)` as `(1, N, 1, ...)`, to broadcast over a stack `(layers, N, ...)`."""
    return values.view(1, -1, *[1] * (stack.dim() - 2))


def rate_over(rate: float | Tensor, stack: Tensor) -> float | Tensor:
    """Return a rate of each network as `per_network` does, one of all networks as it is."""
    return per_network(rate, stack) if isinstance(rate, Tensor) else rate
