"""A block of networks that train together: of it, what one layer computes fits in the cache."""

from collections.abc import Iterator, Sequence
from copy import copy

import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.catalogues.number_formats import at_least_float32
from stability.catalogues.optimizers import OptimizerState, Rate
from stability.engine.found_parts import Found
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.loss_scaling import INITIAL_SCALE, next_scale, skip_overflowed
from stability.engine.losses import Losses
from stability.engine.network import Stack
from stability.engine.parameters import STACK_NUMBERS, per_network, rate_over
from stability.engine.passes import BackwardPass, ForwardPass
from stability.engine.quantities import LayerWatch, sampled_profiles, sampled_snapshots
from stability.engine.scaled_norms import norms
from stability.engine.stored_steps import StoredSteps
from stability.engine.tiny_products import NONE_TINY
from stability.records.step_sampling import sampled_steps

# Numbers that one layer computes for a block of networks, four bytes each: half a megabyte fits in
# the cache of a processor; a GPU is the faster the more it has to do at once.
BLOCK_NUMBERS = {"cpu": 2**17}
BLOCK_NUMBERS_ELSEWHERE = 2**26
LARGE_LAYER = 2**16  # numbers, beyond which a layer leaves the cache before the next one is done


class Block:
    """Networks that train together, with the state of the optimizer and of loss scaling."""

    def __init__(self, stack: Stack, snapshots: bool, ends_only: bool = False):
        e, count = stack.experiment, len(stack.networks)
        self.snapshots = snapshots
        self.steps_of_units = {0, e.steps} if ends_only else range(e.steps + 1)
        # The memory of a large layer is used again at once. Not on a GPU, where the look at a
        # number that this takes costs more.
        numbers = count * e.batch * max(layer.fan_out for layer in e.layers)
        self.is_large = stack.device.type == "cpu" and numbers > LARGE_LAYER
        self._take_tensors(stack)
        self.trusts = True  # that no norm is near the ends of the range
        scale = INITIAL_SCALE if e.number_format.scales_loss else 1.0
        self.scale = torch.full((count,), scale, dtype=torch.float64, device=stack.device)
        self.good_steps = torch.zeros(count, dtype=torch.int64, device=stack.device)
        # Norms of the last step, (L, N).
        self.update = torch.zeros(e.depth, count, dtype=torch.float64, device=stack.device)
        self.weight = torch.cat([norms(weights) for weights in stack.weights])  # (L, N)
        self.lost: dict[str, Tensor] = {}  # shares of the last step; before sampled steps
        self.ended: Tensor | None = None  # in the last step
        # The optimizer takes as many layers at once as fit in the cache.
        self.layers_at_once = [
            max(1, min(STACK_NUMBERS, block_numbers(stack)) // max(1, parameter[:1].numel()))
            for parameter in stack.parameters
        ]
        self.states: list[dict[int, OptimizerState]] = [{} for _ in stack.parameters]

    def _take_tensors(self, stack: Stack) -> None:
        """Take over these networks, and make the tensors that stay from step to step."""
        self.stack = stack.keep_views()
        self.gradients = stack.mapped(torch.empty_like).keep_views()
        self.watch, self.steps = LayerWatch(stack), StoredSteps(stack)

    @torch.inference_mode()  # on every thread
    def measure_and_update(
        self, step: int, x: Tensor, y: Tensor, masks: Sequence[Tensor], data: Data
    ) -> Found:
        """Measure on the batch x, y, then update unless `step` is the last."""
        e = self.stack.experiment
        sampled, units = step in sampled_steps(e.steps), step in self.steps_of_units
        passed, losses, backward, of_layers = self._pass(step, x, y, masks, sampled and units)
        found = {
            "loss": losses.mean,
            "accuracy": losses.accuracy,
            "gradient_norm": backward.norm,
            "weight_gradient": backward.weight_norms,
            "weight": self.weight,
            "update": self.update,
            **of_layers,
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
        self.ended = self._ended(losses.mean, passed.output)
        self._look_for_tiny(found, backward.any_doubtful)
        if step < e.steps:
            following = step + 1
            counts_lost = following in sampled_steps(e.steps) and following in self.steps_of_units
            self._update(step, backward, counts_lost)
        return Found(self.stack.networks, found)

    def _pass(
        self, step: int, x: Tensor, y: Tensor, masks: Sequence[Tensor], keep: bool
    ) -> tuple[ForwardPass, Losses, BackwardPass, dict[str, Tensor]]:
        """Pass forward and back, and measure each layer.

        Nobody looks at a norm before the end while those of the step before were far from the ends
        of the range. If one of this step is not, the pass is made again: it gives the same numbers.
        """
        stack, trusts = self.stack, self.trusts
        keep = keep or not (trusts or self.is_large)
        watch = self.watch.begin(keep, not trusts, step in self.steps_of_units)
        passed = stack.forward(x, step, masks=masks, watch=watch, overwrite=not keep)
        losses = stack.losses(passed.output, y)
        quick = not watch.norms.settles  # if a gradient is infinite, the pass is made again
        backward = stack.backward(passed, losses, self.scale, watch, keep, self.gradients, quick)
        of_layers = watch.quantities(self.scale)
        self.trusts = not watch.norms.any_doubtful
        if trusts and not (self.trusts or keep):
            return self._pass(step, x, y, masks, keep)
        return passed, losses, backward, of_layers

    def _ended(self, loss: Tensor, output: Tensor) -> Tensor | None:
        """Return which networks have ended; None if none has.

        What depends on a network is NaN for ever once each layer's weights have NaN, and all of the
        output is: each z has NaN, so each delta, and so each step.
        """
        if self.trusts or not loss.isnan().any():
            return None
        ended = self.weight.isnan().all(dim=0) & output.isnan().all(dim=(1, 2))
        return ended if ended.any() else None

    def _look_for_tiny(self, found: dict[str, Tensor], any_doubtful: bool) -> None:
        """Find out which products of the next step are tiny: none, unless some norm is doubtful."""
        stack, e = self.stack, self.stack.experiment
        stack.tiny, before = NONE_TINY, stack.tiny
        if self.trusts and not any_doubtful:
            return
        if stack.device.type != "cpu" or e.number_format.compute_dtype != torch.float32:
            return
        sizes = {"weights": found["weight_gradient"]} if any_doubtful else {}
        if not self.trusts:
            sizes |= {"z": found["signal"], "delta": found["signal_gradient"] / e.batch}
        stack.tiny = before.of_sizes(sizes)

    def _held_out(self, data: Data) -> dict[str, Tensor]:
        """Measure on the held-out examples, a few networks at a time."""
        losses = [
            part.losses(part.forward(data.x_test, overwrite=True).output, data.y_test)
            for part in parts_that_fit(self.stack, len(data.x_test))
        ]
        return {
            "test_loss": torch.cat([part.mean for part in losses]),
            "test_accuracy": torch.cat([part.accuracy for part in losses]),
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
        """Take the step of the optimizer, and measure it."""
        steps = self.steps.begin(not self.is_large, counts_lost)
        if self.stack.experiment.follows_gradient:
            self._descend(step, backward, steps)
        else:
            self._step_by_rule(step, backward, steps)
        self.weight, self.lost = steps.weight_norms(), steps.lost_shares()

    def _descend(self, step: int, backward: BackwardPass, steps: StoredSteps) -> None:
        """Follow the gradient, as torch.optim.SGD does; its norm gives that of the step."""
        stack, rates = self.stack, self.stack.learning_rates(step)
        each = stack.parameters, backward.parameters, self.layers_at_once, rates
        for index, parts in enumerate(zip(*each, strict=True)):
            for layers, slopes, rate in split_alike(*parts):
                steps.subtract(index, layers, slopes, rate)
        self.update = backward.weight_norms * stack.rates_by_layer(rates)

    def _step_by_rule(self, step: int, backward: BackwardPass, steps: StoredSteps) -> None:
        """Clip the gradient of each network and take the optimizer's step, with weight decay."""
        stack, e = self.stack, self.stack.experiment
        overflowed = ~backward.norm.isfinite() if e.number_format.scales_loss else None
        decay, clip, epsilon = map(stack.rate, ("weight_decay", "clip", "epsilon"))
        clipping = clipping_factors(backward.norm, clip)
        rates = stack.learning_rates(step)
        each = stack.parameters, backward.parameters, self.layers_at_once, rates
        for index, parts in enumerate(zip(*each, strict=True)):
            parameter, is_matrix = parts[0], index < len(stack.weights)
            rule = e.optimizer_row.step_for(is_matrix, is_matrix and stack.group_is_hidden[index])
            if overflowed is not None:
                rule = skip_overflowed(rule, overflowed)
            pull = rate_over(decay, parameter) if is_matrix else 0.0
            more = pull, e.momentum, rate_over(epsilon, parameter)
            for number, (layers, slopes, rate) in enumerate(split_alike(*parts)):
                if clipping is not None:
                    slopes = slopes * per_network(clipping.to(slopes), slopes)
                state = self.states[index].setdefault(number, {})
                steps.add(index, layers, rule(layers, slopes, state, rate, *more))
        self.update = steps.update_norms()
        if overflowed is not None:
            self.scale, self.good_steps = next_scale(self.scale, self.good_steps, overflowed)

    def without_ended(self) -> "Block | None":
        """Return the block without the networks that have ended; None if all have."""
        if self.ended is None:
            return self
        left = (~self.ended).nonzero().flatten()
        if not len(left):
            return None
        other = copy(self)
        other._take_tensors(self.stack.select(left))
        other.ended = None
        other.scale, other.good_steps = self.scale[left], self.good_steps[left]
        other.update, other.weight = self.update[:, left], self.weight[:, left]
        other.lost = {name: shares[:, left] for name, shares in self.lost.items()}
        other.states = [
            {number: select_networks(state, left) for number, state in states.items()}
            for states in self.states
        ]
        return other


def split_alike(
    parameter: Tensor, gradient: Tensor, size: int, rate: Rate
) -> list[tuple[Tensor, Tensor, Rate]]:
    """Return parts of all three, of so many layers each; a rate may be the same for all layers."""
    if parameter.shape[0] <= size:
        return [(parameter, gradient, rate)]
    pairs = zip(torch.split(parameter, size), torch.split(gradient, size), strict=True)
    if isinstance(rate, Tensor) and rate.shape[0] > 1:
        return [(*pair, part) for pair, part in zip(pairs, torch.split(rate, size), strict=True)]
    return [(*pair, rate) for pair in pairs]


def clipping_factors(norm: Tensor, clip: float | Tensor) -> Tensor | None:
    """Return what gradients of this norm `(N,)` are multiplied by, as by clip_grad_norm_ of torch.

    None where `clip` is 0, for all networks alike.
    """
    if not (isinstance(clip, Tensor) or clip):
        return None
    return ((norm + 1e-6).reciprocal() * clip).clamp(max=1)


def outputs(stack: Stack, x: Tensor) -> Tensor:
    """Return the outputs `(N, examples, outputs)` of all networks, a few of them at a time."""
    found = [part.forward(x, overwrite=True).output for part in parts_that_fit(stack, len(x))]
    return (
        torch.cat(found) if found else x.new_empty(0, len(x), stack.experiment.dataset_row.outputs)
    )


def parts_that_fit(stack: Stack, examples: int) -> Iterator[Stack]:
    """Yield all networks, a few at a time: what one layer computes of so many examples fits in the
    cache.
    """
    return (stack.select(part) for part in stack.in_blocks(examples, block_numbers(stack)))


def block_numbers(stack: Stack) -> int:
    return BLOCK_NUMBERS.get(stack.device.type, BLOCK_NUMBERS_ELSEWHERE)


def select_networks(state: OptimizerState, networks: Tensor) -> OptimizerState:
    return {n: v[:, networks] if isinstance(v, Tensor) else v for n, v in state.items()}
