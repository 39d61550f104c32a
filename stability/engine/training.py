"""The one training loop: `measure(experiment)` yields a measurement at every step.

It never sleeps, prints or plots. Divergence is data: inf and NaN are yielded. A caller that stops
iterating pauses or cancels the training.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import fields
from functools import partial
from itertools import chain

import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.catalogues.number_formats import at_least_float32
from stability.catalogues.optimizers import OptimizerState
from stability.engine.drawing import dropout_masks
from stability.engine.family import Family
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.learned_norms import learn_norms
from stability.engine.loss_scaling import INITIAL_SCALE, next_scale, skip_overflowed
from stability.engine.losses import accuracies
from stability.engine.measurement import Measurement
from stability.engine.network import Stack
from stability.engine.parameters import per_network, rate_of_layers, rate_over
from stability.engine.passes import BackwardPass
from stability.engine.quantities import (
    Found,
    LayerWatch,
    build_measurement,
    sampled_profiles,
    sampled_snapshots,
)
from stability.engine.scaled_norms import norms
from stability.engine.stored_steps import StoredSteps
from stability.engine.workers import Workers
from stability.randomness import generator
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

# Numbers that one layer computes for a block of networks, four bytes each: half a megabyte fits in
# the cache of a processor; a GPU is the faster the more it has to do at once.
BLOCK_NUMBERS = {"cpu": 2**17}
BLOCK_NUMBERS_ELSEWHERE = 2**26
STEP_NUMBERS = 2**16  # that the optimizer changes at once, beside as many of each of its means
LARGE_LAYER = 2**16  # numbers, beyond which a layer leaves the cache before the next one is done


def measure(
    experiment: Experiment | Family,
    device: str | torch.device = "cpu",
    snapshots: bool = True,
    ends_only: bool = False,
) -> Iterator[Measurement]:
    """Train all networks at once; yield steps + 1 measurements, each computed on request.

    Without `snapshots`, which are costly, these are NaN at all steps. With `ends_only`, so is what
    is measured of single units and of rounding, except at the first and at the last step.
    """
    stack, data, batches = begin_training(experiment, torch.device(device))
    training = Training(stack, data, snapshots, ends_only)
    for step, batch in zip(range(stack.experiment.steps + 1), batches, strict=False):
        yield training.measure_and_update(step, batch)


@torch.inference_mode(False)  # even if the caller is in inference mode
def begin_training(
    experiment: Experiment | Family, device: torch.device
) -> tuple[Stack, Data, Iterator[Tensor]]:
    """Return the networks before step 0, their data, and the indices of the batches."""
    stack = Stack(experiment, device)
    e = stack.experiment
    batches = batch_indices(e)
    first = next(batches)
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    data = Data(*(getattr(data, field.name).to(device) for field in fields(Data)))
    stack.adjust(data.x[first])
    learn_norms(stack)
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
    """All networks of an experiment between two steps.

    They train in blocks, one after another: of a block, what one layer computes fits in the cache.
    Networks share nothing, so no number depends on the blocks. `stack` holds all parameters; those
    of networks that have ended stay as they were last computed.
    """

    def __init__(self, stack: Stack, data: Data, snapshots: bool = True, ends_only: bool = False):
        e = stack.experiment
        self.stack, self.data = stack, data
        parts = stack.in_blocks(e.batch, block_numbers(stack))
        self.blocks = [Block(stack.select(part), snapshots, ends_only) for part in parts]
        self.workers = Workers()

    @property
    def update(self) -> Tensor:
        """The norms of the last step of the networks that have not ended, `(L, N)`."""
        return torch.cat([block.update for block in self.blocks], dim=1)

    # A paused run waits at the yield of `measure` and must not keep activations in memory: they are
    # local variables here. Autograd modes are set by decorators, for any modes of the caller, so
    # that `measure` yields in the caller's modes.
    @torch.inference_mode(False)
    @torch.no_grad()
    def measure_and_update(self, step: int, batch: Tensor) -> Measurement:
        """Measure on the batch of these indices, then update unless `step` is the last."""
        e = self.stack.experiment
        x, y = self.data.x[batch], self.data.y[batch]
        masks = dropout_masks(e, step, len(batch)) if e.dropout else ()
        work = partial(Block.measure_and_update, step=step, x=x, y=y, masks=masks, data=self.data)
        found = self.workers.map(work, self.blocks, step not in sampled_steps(e.steps))
        self.blocks = [left for block in self.blocks if (left := block.without_ended())]
        return build_measurement(e, step, found, len(self.stack.family.members))


class Block:
    """Networks that train together, with the state of the optimizer and of loss scaling."""

    def __init__(self, stack: Stack, snapshots: bool, ends_only: bool = False):
        e, count = stack.experiment, len(stack.networks)
        self.stack, self.snapshots = stack, snapshots
        self.steps_of_units = {0, e.steps} if ends_only else range(e.steps + 1)
        # The memory of a large layer is used again at once. Not on a GPU, where the look at a
        # number that this takes costs more.
        numbers = count * e.batch * max(layer.fan_out for layer in e.layers)
        self.is_large = stack.device.type == "cpu" and numbers > LARGE_LAYER
        scale = INITIAL_SCALE if e.number_format.scales_loss else 1.0
        self.scale = torch.full((count,), scale, dtype=torch.float64, device=stack.device)
        self.good_steps = torch.zeros(count, dtype=torch.int64, device=stack.device)
        # Norms of the last step, (L, N).
        self.update = torch.zeros(e.depth, count, dtype=torch.float64, device=stack.device)
        self.weight = torch.cat([norms(weights) for weights in stack.weights])  # (L, N)
        self.lost: dict[str, Tensor] = {}  # shares of the last step; before sampled steps
        self.ended = torch.zeros(count, dtype=torch.bool, device=stack.device)
        # The optimizer takes as many layers at once as fit in the cache.
        self.layers_at_once = [
            max(1, min(STEP_NUMBERS, block_numbers(stack)) // max(1, parameter[:1].numel()))
            for parameter in stack.parameters
        ]
        self.states: list[dict[int, OptimizerState]] = [{} for _ in stack.parameters]

    @torch.inference_mode(False)
    @torch.no_grad()  # on every thread
    def measure_and_update(
        self, step: int, x: Tensor, y: Tensor, masks: Sequence[Tensor], data: Data
    ) -> Found:
        """Measure on the batch x, y, then update unless `step` is the last."""
        stack, e = self.stack, self.stack.experiment
        sampled, units = step in sampled_steps(e.steps), step in self.steps_of_units
        keep = (sampled and units) or not self.is_large
        watch = LayerWatch(e.phi, keep, units)
        passed = stack.forward(x, step, masks=masks, watch=watch, overwrite=not keep)
        losses = stack.losses(passed.output, y)
        backward = stack.backward(passed, losses, self.scale, watch, keep)
        found = {
            "loss": losses.mean,
            "accuracy": accuracies(passed.output, y),
            "gradient_norm": backward.norm,
            "weight_gradient": backward.weight_norms,
            "weight": self.weight,
            "update": self.update,
            **watch.quantities(self.scale),
        }
        if e.number_format.scales_loss:
            found["scale"] = self.scale
        if sampled:
            found |= self._held_out(data)
        if sampled and units:
            found |= sampled_profiles(passed)
            if self.snapshots:
                found |= sampled_snapshots(passed, backward) | self._learned_outputs()
        found |= self.lost
        # What depends on a network is NaN for ever once each layer's weights have NaN, and all of
        # the output is: each z has NaN, so each delta, and so each step.
        self.ended = self.weight.isnan().all(dim=0) & passed.output.isnan().all(dim=(1, 2))
        if step < e.steps:
            following = step + 1
            counts_lost = following in sampled_steps(e.steps) and following in self.steps_of_units
            self._update(step, backward, counts_lost)
        return Found(stack.networks, found)

    def _held_out(self, data: Data) -> dict[str, Tensor]:
        """Measure on the held-out examples."""
        output = outputs(self.stack, data.x_test)
        return {
            "test_loss": self.stack.losses(output, data.y_test).mean,
            "test_accuracy": accuracies(output, data.y_test),
        }

    def _learned_outputs(self) -> dict[str, Tensor]:
        """Return the function that has been learned, where it can be drawn."""
        stack, e = self.stack, self.stack.experiment
        row = e.dataset_row
        grid = row.scaling.scale_inputs(INPUT_GRIDS[row.plotted_dimensions].to(stack.device))
        if not len(grid):
            return {}
        # Batch norm: by statistics of the grid.
        learned = outputs(stack.first_replicates(), grid)  # (schemes, points, outputs)
        return {"learned_outputs": at_least_float32(learned).movedim(0, -1)}

    def _update(self, step: int, backward: BackwardPass, counts_lost: bool) -> None:
        """Clip the gradient of each network and take the optimizer's step, with weight decay."""
        stack, e = self.stack, self.stack.experiment
        overflowed = ~backward.norm.isfinite()
        decay, clip, epsilon = map(stack.rate, ("weight_decay", "clip", "epsilon"))
        is_clipped = isinstance(clip, Tensor) or bool(clip)
        # As clip_grad_norm_ of torch.
        clipping = ((backward.norm + 1e-6).reciprocal() * clip).clamp(max=1)
        steps = StoredSteps(e.number_format, not self.is_large, counts_lost)
        each = stack.parameters, backward.parameters, self.layers_at_once, self.states
        parameters = zip(*each, stack.learning_rates(step), strict=True)
        for index, (parameter, gradient, at_once, states, rate) in enumerate(parameters):
            is_matrix = index < len(stack.weights)
            rule = e.optimizer_row.step_for(is_matrix, is_matrix and stack.group_is_hidden[index])
            if e.number_format.scales_loss:
                rule = skip_overflowed(rule, overflowed)
            pull = rate_over(decay, parameter) if is_matrix else 0.0
            more = pull, e.momentum, rate_over(epsilon, parameter)
            for first in range(0, len(parameter), at_once):
                part = slice(first, first + at_once)
                layers, slopes = parameter[part], gradient[part]
                if is_clipped:
                    slopes = slopes * per_network(clipping.to(slopes), slopes)
                state = states.setdefault(first, {})
                change = rule(layers, slopes, state, rate_of_layers(rate, part), *more)
                if is_matrix:
                    steps.add(layers, change)
                else:
                    steps.add_vectors(layers, change, any(parameter is g for g in stack.gains))
        self.update, self.weight = steps.norms()
        self.lost = steps.lost_shares()
        if e.number_format.scales_loss:
            self.scale, self.good_steps = next_scale(self.scale, self.good_steps, overflowed)

    def without_ended(self) -> "Block | None":
        """Return the block without the networks that have ended; None if all have."""
        if not self.ended.any():
            return self
        left = (~self.ended).nonzero().flatten()
        if not len(left):
            return None
        other = copy(self)
        other.stack = self.stack.select(left)
        other.scale, other.good_steps, other.ended = (
            values[left] for values in (self.scale, self.good_steps, self.ended)
        )
        other.update, other.weight = self.update[:, left], self.weight[:, left]
        other.lost = {name: shares[:, left] for name, shares in self.lost.items()}
        other.states = [
            {first: select_networks(state, left) for first, state in states.items()}
            for states in self.states
        ]
        return other


def outputs(stack: Stack, x: Tensor) -> Tensor:
    """Return the outputs `(N, examples, outputs)` of all networks, a few of them at a time."""
    parts = stack.in_blocks(len(x), block_numbers(stack))
    found = [stack.select(part).forward(x).output for part in parts]
    return (
        torch.cat(found) if found else x.new_empty(0, len(x), stack.experiment.dataset_row.outputs)
    )


def block_numbers(stack: Stack) -> int:
    return BLOCK_NUMBERS.get(stack.device.type, BLOCK_NUMBERS_ELSEWHERE)


def select_networks(state: OptimizerState, networks: Tensor) -> OptimizerState:
    return {n: v[:, networks] if isinstance(v, Tensor) else v for n, v in state.items()}
