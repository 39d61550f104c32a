"""The networks of an experiment one after another, each as torch.nn and torch.optim have it."""

from collections.abc import Callable, Iterator
from itertools import cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stability.engine.network import Stack
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.records.experiment import Experiment

NORM = torch.linalg.vector_norm
STEPS = 3  # of one network before the next: so its numbers are in the cache
PlainStep = Callable[[nn.ModuleList, torch.optim.Optimizer, Tensor, Tensor], list[float]]


def one_after_another(e: Experiment, step: PlainStep) -> Iterator[None]:
    """All networks, three steps of one after three of another."""
    stack, data = draw_stack_and_data(e)
    order = list(islice(batch_indices(e), 16))
    networks = [plain_network(stack, index) for index in range(e.network_count)]
    optimizers = [torch.optim.SGD(layers.parameters(), e.learning_rate) for layers in networks]
    for first in cycle(range(len(order) - STEPS)):
        for layers, optimizer in zip(networks, optimizers, strict=True):
            for batch in order[first : first + STEPS]:
                step(layers, optimizer, data.x[batch], data.y[batch])
        yield


def plain_network(stack: Stack, index: int) -> nn.ModuleList:
    layers = nn.ModuleList(
        nn.Linear(layer.fan_in, layer.fan_out) for layer in stack.experiment.layers
    )
    with torch.no_grad():
        for layer, (weights, biases) in zip(layers, stack.layers(), strict=True):
            layer.weight.copy_(weights[index])
            layer.bias.copy_(biases[index])
    return layers


def step_with_all_norms(
    layers: nn.ModuleList, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> list[float]:
    """One step, and the norms of a Measurement, without the held-out set and the shares and counts
    of units, which the engine measures besides. All norms of a network leave torch at once.
    """
    zs, h = [], x
    for layer in layers:
        zs.append(layer(h))
        zs[-1].retain_grad()
        h = torch.relu(zs[-1])
    loss = F.cross_entropy(zs[-1], y)
    optimizer.zero_grad()
    loss.backward()
    with torch.no_grad():
        before = [layer.weight.clone() for layer in layers]
        optimizer.step()
        of_parameters = [NORM(parameter.grad) for parameter in layers.parameters()]
        norms = [NORM(tensor) for z in zs for tensor in (z, z.grad)] + [
            NORM(weight) for weight in before
        ]
        updates = [
            NORM(layer.weight - weight) for layer, weight in zip(layers, before, strict=True)
        ]
        accuracy = (zs[-1].argmax(dim=1) == y).float().mean()
        total = NORM(torch.stack(of_parameters))
        return torch.stack([loss, accuracy, total, *of_parameters, *norms, *updates]).tolist()


def step_with_weight_gradients(
    layers: nn.ModuleList, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor
) -> list[float]:
    """One step; records the loss and the norms of the weights' gradients alone."""
    h = x
    for layer in layers[:-1]:
        h = torch.relu(layer(h))
    loss = F.cross_entropy(layers[-1](h), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        return torch.stack([loss, *(NORM(layer.weight.grad) for layer in layers)]).tolist()
