"""Dynamic loss scaling: the loss is multiplied so that float16 gradients stay above 6e-8.

A step whose gradient overflows is skipped, and the scale halves. Micikevicius et al. 2018,
sec. 3.2; as torch.amp.GradScaler, but for each network on its own, and trying a larger scale after
100 good steps instead of 2000: runs are short here.
"""

import torch
from torch import Tensor

from stability.catalogues.optimizers import OptimizerState, StepRule
from stability.engine.network import per_network

INITIAL_SCALE, GOOD_STEPS_TO_GROW = 2.0**16, 100
SMALLEST_SCALE = 2.0**-126  # reached where a loss is gone for good; below it floats lose digits


def next_scale(factor: Tensor, good_steps: Tensor, overflowed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors `(N,)` of the losses and their counts of good steps after a step.

    A factor is halved where the step overflowed, and doubled after 100 good ones.
    """
    good_steps = torch.where(overflowed, 0, good_steps + 1)
    grows = good_steps == GOOD_STEPS_TO_GROW
    larger = torch.where(grows, factor * 2, factor)
    factor = torch.where(overflowed, factor / 2, larger).clamp(min=SMALLEST_SCALE)
    return factor, torch.where(grows, 0, good_steps)


def skip_overflowed(rule: StepRule, overflowed: Tensor) -> StepRule:
    """Return a rule that leaves the networks which overflowed, and their state, as they are.

    The optimizer's count of steps becomes one for each network, whether any overflowed or not: no
    network may depend on its neighbours.
    """
    any_overflowed = bool(overflowed.any())

    def careful_step(
        parameter: Tensor, gradient: Tensor, state: OptimizerState, *settings: float
    ) -> Tensor:
        skipped = per_network(overflowed, gradient)
        before: OptimizerState = {}
        if any_overflowed:
            before = {name: torch.as_tensor(value).clone() for name, value in state.items()}
            gradient = torch.where(skipped, 0, gradient)
        step = rule(parameter, gradient, state, *settings)
        for name, after in state.items():
            if not isinstance(after, Tensor):  # a count of steps: in float64, for powers of it
                after = torch.full_like(overflowed, after, dtype=torch.float64)
                after = per_network(after, gradient)
            if any_overflowed:
                after = torch.where(skipped, before.get(name, 0), after)
            state[name] = after
        if any_overflowed:
            step = torch.where(skipped, 0, step)
        return step.to(gradient.dtype)

    return careful_step
