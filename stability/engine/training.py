"""The one training loop: `measure(experiment)` yields a measurement at every step.

It never sleeps, prints or plots. Divergence is data: inf and NaN are yielded. A caller that stops
iterating pauses or cancels the training.
"""

from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from itertools import chain

import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.engine.blocks import Block, block_numbers
from stability.engine.drawing import dropout_masks
from stability.engine.family import Family
from stability.engine.found_parts import build_measurement
from stability.engine.learned_norms import learn_norms
from stability.engine.measurement import Measurement
from stability.engine.network import Stack
from stability.engine.workers import Workers
from stability.randomness import generator
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps


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
        self.workers = Workers()
        # A thread alone saves more by fewer calls than it loses in the cache.
        numbers = block_numbers(stack) * (1 if self.workers.most > 1 else 2)
        parts = stack.in_blocks(e.batch, numbers)
        self.blocks = [Block(stack.select(part), snapshots, ends_only) for part in parts]

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
        x, y = (values.index_select(0, batch) for values in (self.data.x, self.data.y))
        masks = dropout_masks(e, step, len(batch)) if e.dropout else ()
        work = partial(Block.measure_and_update, step=step, x=x, y=y, masks=masks, data=self.data)
        found = self.workers.map(work, self.blocks, step not in sampled_steps(e.steps))
        self.blocks = [left for block in self.blocks if (left := block.without_ended())]
        return build_measurement(e, step, found, len(self.stack.family.members))
