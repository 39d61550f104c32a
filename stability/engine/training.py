"""The one training loop: `measure(experiment)` yields what is seen at every step. It never sleeps, prints or draws.

Divergence is data: inf and NaN are yielded. To pause, step or cancel is not to pull.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.datasets import Data
from stability.engine.input_grid import plotted_dimensions
from stability.engine.loss_scaling import skip_overflowed, per_network
from stability.engine.network import ForwardPass, Stack
from stability.engine.quantities import (
    HISTOGRAM_BINS,
    Measurement,
    accuracy,
    to_schemes_and_replicates,
    distinct_by_layer,
    outputs_on_grid,
    mean_losses,
    norms,
    pre_activation_histograms,
    saturated_and_dead,
    norms_of_pass,
    no_outputs_on_grid,
    read_only_ones,
    read_only_nans,
)  # fmt: skip
from stability.engine.rounding_shares import SHARES_SHAPE, fates
from stability.randomness import generator
from stability.records.experiment import Experiment
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps


def measure(experiment: Experiment) -> Iterator[Measurement]:
    """Trains all networks at once; yields steps + 1 measurements, computed as they are pulled."""
    e, (stack, data) = experiment, draw_stack_and_data(experiment)
    states: list[dict] = [{} for _ in stack.parameters]  # of the optimizer
    update = torch.zeros(e.depth, e.network_count)
    for step, batch in zip(range(e.steps + 1), batch_indices(e), strict=False):
        # In a function of its own: a paused run waits at the yield, and must hold no activations there.
        measurement, update = measure_and_update(stack, data, batch.to(stack.device), step, states, update)
        yield measurement


# Whatever the caller has switched off: as decorators, so that nothing is switched where `measure` yields.
@torch.inference_mode(False)
def draw_stack_and_data(e: Experiment) -> tuple[Stack, Data]:
    """The networks as they are drawn, and their data."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    data = Data(*(getattr(data, field.name).to(device) for field in fields(Data)))
    stack = Stack(e, device)
    stack.adjust(data.x[next(batch_indices(e))])
    return stack, data


@torch.inference_mode(False)
@torch.enable_grad()
def measure_and_update(
    stack: Stack, data: Data, batch: Tensor, step: int, states: list[dict], update: Tensor
) -> tuple[Measurement, Tensor]:
    """Measures batch `step`, then updates, unless it is the last. Returns the norms of the update too, `(L, N)`."""
    e = stack.experiment
    seen = stack.forward(data.x[batch], step)
    loss = held_against(stack, seen.output, data.y[batch])
    # The networks share no parameter, so the gradient of the sum is each one's own.
    gradients = torch.autograd.grad(loss, [*stack.parameters, *seen.z], stack.loss_scale.factor.to(loss), materialize_grads=True)
    of_parameters, of_z = gradients[: len(states)], [stack.to_compute_dtype(gradient) for gradient in gradients[len(states) :]]
    if stack.loss_scale.dynamic:
        of_parameters = [gradient / stack.loss_scale.factor_for(gradient) for gradient in of_parameters]
    arrays = nothing(e)
    with torch.no_grad():
        found = {"loss": loss, "accuracy": accuracy(seen.output, data.y[batch]), "update": update}
        found |= {"scale": stack.loss_scale.factor} if stack.loss_scale.dynamic else {}
        found |= norms_of_pass(stack, seen, of_parameters, of_z) | saturated_and_dead(e, seen)
        if step in evenly_spread_steps(e.steps, SAMPLED_STEPS):
            found |= costly(stack, data, seen) | {"fates": fates(seen, gradients[: len(stack.weights)], of_z)}
            arrays |= {"learned": outputs_on_grid(stack)} if plotted_dimensions(e.dataset_row) else {}
        if step < e.steps:
            update = descend(stack, of_parameters, states, found["gradient_norm"])
    arrays |= {name: to_schemes_and_replicates(e, value) for name, value in found.items()}
    return Measurement(step, **arrays), update


def held_against(stack: Stack, output: Tensor, y: Tensor) -> Tensor:
    """The losses `(N,)`. With loss scaling in float32, as torch.autocast takes them: 2.3 times 65536 is beyond float16."""
    return mean_losses(output.float(), y) if stack.loss_scale.dynamic else mean_losses(output, y, stack.round_to_format)


def nothing(e: Experiment) -> dict[str, np.ndarray]:
    """The costly quantities where they are not taken, and the scale where there is none."""
    by_layer = len(e.schemes), e.replicates, e.depth - 1
    costly = {"distinct": read_only_nans(*by_layer), "pre_activations": read_only_nans(*by_layer, HISTOGRAM_BINS + 2, dtype=np.float32)}
    outer = by_layer[:2]
    costly |= {"fates": read_only_nans(*outer, e.depth, *SHARES_SHAPE, dtype=np.float32), "learned": no_outputs_on_grid(e)}
    return costly | dict.fromkeys(("test_loss", "test_accuracy"), read_only_nans(*outer)) | {"scale": read_only_ones(*outer)}


def costly(stack: Stack, data: Data, seen: ForwardPass) -> dict[str, Tensor]:
    """The quantities that are taken at few steps."""
    output = stack.forward(data.x_test).output
    return {
        "test_loss": held_against(stack, output, data.y_test),
        "test_accuracy": accuracy(output, data.y_test),
        "distinct": distinct_by_layer(stack.experiment, seen),
        "pre_activations": pre_activation_histograms(stack.experiment, seen),
    }


def descend(stack: Stack, gradients: Sequence[Tensor], states: list[dict], gradient_norm: Tensor) -> Tensor:
    """Clips each network, decays the weight matrices, and takes the optimizer's step. Returns its norms, `(L, N)`.

    With loss scaling a network whose gradient overflowed stays where it is.
    """
    e, moved = stack.experiment, []
    overflowed = ~gradient_norm.isfinite() if stack.loss_scale.dynamic else None
    factor = (e.clip / (gradient_norm + 1e-6)).clamp(max=1)  # as torch.nn.utils.clip_grad_norm_
    for index, (parameter, gradient, state) in enumerate(zip(stack.parameters, gradients, states, strict=True)):
        matrices = index < len(stack.weights)
        if e.clip:
            gradient = gradient * per_network(factor.to(gradient), gradient)
        rule = e.optimizer_row.step_for(matrices, matrices and stack.hidden[index])
        rule = rule if overflowed is None else skip_overflowed(rule, overflowed)
        step = rule(parameter, gradient, state, e.learning_rate, e.weight_decay if matrices else 0.0)
        parameter.add_(step)
        if matrices:
            moved.append(norms(step))
    if overflowed is not None:
        stack.loss_scale.update_factor(overflowed)
    return torch.cat(moved)


def batch_indices(e: Experiment) -> Iterator[Tensor]:
    """Indices of one batch after another: a fresh shuffle each epoch, without replacement, the last partial one dropped."""
    random = generator(e.seed, "batches")
    while True:
        order = torch.randperm(e.samples, generator=random)
        yield from order.split(e.batch)[: e.samples // e.batch]
