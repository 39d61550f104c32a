"""The one training loop: `measure(experiment)` yields a measurement at every step.

It never sleeps, prints or plots. Divergence is data: inf and NaN are yielded. A caller that stops
iterating pauses or cancels the training.
"""

from collections.abc import Iterator
from dataclasses import fields
from itertools import chain

import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.catalogues.optimizers import OptimizerState
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.loss_scaling import INITIAL_SCALE, next_scale, skip_overflowed
from stability.engine.measurement import Measurement
from stability.engine.network import BackwardPass, Stack, per_network
from stability.engine.quantities import (
    accuracy,
    build_measurement,
    quantities_of_step,
    sampled_quantities,
)
from stability.engine.scaled_norms import norms
from stability.randomness import generator
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps


def measure(experiment: Experiment, device: str | torch.device = "cpu") -> Iterator[Measurement]:
    """Train all networks at once; yield steps + 1 measurements, each computed on request."""
    stack, data, batches = begin_training(experiment, torch.device(device))
    training = Training(stack, data)
    for step, batch in zip(range(experiment.steps + 1), batches, strict=False):
        yield training.measure_and_update(step, batch)


@torch.inference_mode(False)  # even if the caller is in inference mode
def begin_training(e: Experiment, device: torch.device) -> tuple[Stack, Data, Iterator[Tensor]]:
    """Return the networks before step 0, their data, and the indices of the batches."""
    batches = batch_indices(e)
    first = next(batches)
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    data = Data(*(getattr(data, field.name).to(device) for field in fields(Data)))
    stack = Stack(e, device)
    stack.adjust(data.x[first])
    return stack, data, chain([first], batches)


def draw_stack_and_data(e: Experiment, device: str | torch.device = "cpu") -> tuple[Stack, Data]:
    """Return the networks before step 0, and their data."""
    stack, data, _ = begin_training(e, torch.device(device))
    return stack, data


def batch_indices(e: Experiment) -> Iterator[Tensor]:
    """Yield the indices of one batch after another, without end.

    Each epoch is a new shuffle of the examples without its last partial batch.
    """
    random = generator(e.seed, "batches")
    while True:
        epoch = torch.randperm(e.samples, generator=random)[: e.samples // e.batch * e.batch]
        yield from epoch.view(-1, e.batch)


def first_batch(e: Experiment, data: Data) -> tuple[Tensor, Tensor]:
    """Return the examples x and y of step 0."""
    indices = next(batch_indices(e))
    return data.x[indices], data.y[indices]


class Training:
    """Networks between two steps, with the state of the optimizer and of loss scaling."""

    def __init__(self, stack: Stack, data: Data):
        e = stack.experiment
        self.stack, self.data = stack, data
        scale = INITIAL_SCALE if e.number_format.scales_loss else 1.0
        self.scale = torch.full((e.network_count,), scale, dtype=torch.float64, device=stack.device)
        self.good_steps = torch.zeros(e.network_count, dtype=torch.int64, device=stack.device)
        self.states: list[OptimizerState] = [{} for _ in stack.parameters]
        self.update = torch.zeros(e.depth, e.network_count)  # norms of the last step, (L, N)

    # A paused run waits at the yield of `measure` and must not keep activations in memory: they are
    # local variables here. Autograd modes are set by decorators, for any modes of the caller, so
    # that `measure` yields in the caller's modes.
    @torch.inference_mode(False)
    @torch.enable_grad()
    def measure_and_update(self, step: int, batch: Tensor) -> Measurement:
        """Measure on the batch of these indices, then update unless `step` is the last."""
        stack, data, e = self.stack, self.data, self.stack.experiment
        y = data.y[batch]
        passed = stack.forward(data.x[batch], step)
        losses = stack.losses(passed.output, y)
        backward = stack.backward(passed, losses, self.scale)
        with torch.no_grad():
            found = {"loss": losses, "update": self.update}
            if e.number_format.scales_loss:
                found["scale"] = self.scale
            if step in sampled_steps(e.steps):
                output = stack.forward(data.x_test).output
                found["test_loss"] = stack.losses(output, data.y_test)
                found["test_accuracy"] = accuracy(output, data.y_test)
                grid = INPUT_GRIDS[e.dataset_row.plotted_dimensions].to(stack.device)
                if len(grid):  # batch norm: by statistics of the grid
                    found["learned_outputs"] = stack.first_replicates().forward(grid).output
                found |= sampled_quantities(passed, backward)
            found |= quantities_of_step(stack, y, passed, backward)
            measurement = build_measurement(e, step, found)
            if step < e.steps:
                self._update(backward)
        return measurement

    def _update(self, backward: BackwardPass) -> None:
        """Clip the gradient of each network and take the optimizer's step, with weight decay."""
        stack, e, updates = self.stack, self.stack.experiment, []
        overflowed = ~backward.norm.isfinite()
        clipping = (e.clip / (backward.norm + 1e-6)).clamp(max=1)  # as clip_grad_norm_ of torch
        parameters = zip(stack.parameters, backward.parameters, self.states, strict=True)
        for index, (parameter, gradient, state) in enumerate(parameters):
            is_matrix = index < len(stack.weights)
            if e.clip:
                gradient = gradient * per_network(clipping.to(gradient), gradient)
            rule = e.optimizer_row.step_for(is_matrix, is_matrix and stack.group_is_hidden[index])
            if e.number_format.scales_loss:
                rule = skip_overflowed(rule, overflowed)
            weight_decay = e.weight_decay if is_matrix else 0.0
            step = rule(parameter, gradient, state, e.learning_rate, weight_decay)
            parameter.add_(step)
            if is_matrix:
                updates.append(norms(step))
        self.update = torch.cat(updates)
        if e.number_format.scales_loss:
            self.scale, self.good_steps = next_scale(self.scale, self.good_steps, overflowed)
