"""First weights whose norms are learned before training, on random examples; see `metainit`."""

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from stability.catalogues.metainit import gradient_quotients, norm_factors
from stability.engine.family import Family
from stability.engine.losses import mean_losses
from stability.engine.network import Stack
from stability.randomness import generator
from stability.records.experiment import Experiment

# Settings on which first weights do not depend, at their defaults.
NOT_BEFORE_TRAINING = {
    name: getattr(Experiment, name)
    for name, knob in Experiment.knobs().items()
    if knob.group == "Training" and name not in ("batch", "precision")
}


def learn_norms(stack: Stack) -> None:
    """Let the schemes that learn the norms of their weights do so, in place.

    In float64 and without dropout, whatever the experiment.
    """
    if not any(row.meta_steps for _, row in stack.family.members):
        return
    experiments = tuple(replace(e, **NOT_BEFORE_TRAINING) for e in stack.family.experiments)
    for group, factors in zip(stack.weights, learned_factors(experiments), strict=True):
        group.data *= factors[..., None, None].to(group)


@lru_cache(maxsize=16)  # probes draw the same network again and again
def learned_factors(experiments: tuple[Experiment, ...]) -> list[Tensor]:
    """Return by what each matrix is multiplied, `(layers, N)`; 1 where nothing is learned."""
    stack = Stack(Family(experiments), torch.device("cpu"))
    e = stack.experiment
    rows = [row for _, row in stack.family.members for _ in range(e.replicates)]
    counts = torch.tensor([row.meta_steps(*row.arguments) if row.meta_steps else 0 for row in rows])
    networks = counts.nonzero().flatten()
    found = [torch.ones(group.shape[:2], dtype=torch.float64) for group in stack.weights]
    learner = stack.select(networks).mapped(lambda tensor: tensor.double(), precision="float64")
    velocities = [torch.zeros_like(factors[:, networks]) for factors in found]
    for step in range(int(counts.max())):
        steps = step_factors(learner, *random_examples(e, step), velocities)
        for factor, factors, matrix in zip(steps, found, learner.weights, strict=True):
            factor = torch.where(step < counts[networks], factor, 1.0)
            matrix.mul_(factor[..., None, None])
            factors[:, networks] *= factor
    return found


@torch.enable_grad()
def step_factors(learner: Stack, x: Tensor, y: Tensor, velocities: list[Tensor]) -> list[Tensor]:
    """Return by what a step on these examples multiplies each matrix, `(layers, N)`."""
    tracked = learner.mapped(lambda tensor: tensor.detach().requires_grad_())
    losses = mean_losses(tracked.forward(x).output, y)
    quotients = gradient_quotients(losses, tracked.parameters)
    return norm_factors(quotients, tracked.weights, velocities)


def random_examples(e: Experiment, step: int) -> tuple[Tensor, Tensor]:
    """Return a batch of inputs N(0, 1) and of targets that have nothing to do with them."""
    random, row = generator(e.seed, "metainit", step=step), e.dataset_row
    x = torch.randn(e.batch, e.layers[0].fan_in, generator=random, dtype=torch.float64)
    if row.classes:
        return x, torch.randint(row.classes, (e.batch,), generator=random)
    return x, torch.randn(e.batch, row.outputs, generator=random, dtype=torch.float64)
