"""Dynamic loss scaling: the loss is multiplied so that float16 gradients stay above 6e-8.

A step whose gradient overflows is skipped, and the scale halves. Micikevicius et al. 2018,
sec. 3.2; like torch.amp.GradScaler, but with a scale for each network, which grows after 100 good
steps instead of 2000: runs are short here.
"""

import torch
from torch import Tensor

from stability.catalogues.optimizers import OptimizerState, Rate, StepRule
from stability.engine.parameters import per_network

INITIAL_SCALE, GOOD_STEPS_TO_GROW = 2.0**16, 100
SMALLEST_SCALE = 2.0**-126  # reached after divergence; below it floats lose digits


def next_scale(factor: Tensor, good_steps: Tensor, overflowed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors `(N,)` of the losses and the counts of good steps, after one more step.

    A factor is halved if the step overflowed, and doubled after 100 good steps in a row.
    """
    good_steps = torch.where(overflowed, 0, good_steps + 1)
    grows = good_steps == GOOD_STEPS_TO_GROW
    larger = torch.where(grows, factor * 2, factor)
    factor = torch.where(overflowed, factor / 2, larger).clamp(min=SMALLEST_SCALE)
    return factor, torch.where(grows, 0, good_steps)


def skip_overflowed(rule: StepRule, overflowed: Tensor) -> StepRule:
    """Return a rule that does not change networks which overflowed, nor their optimizer state.

    The optimizer's count of steps becomes one count per network, even if none overflowed: no
    network may depend on the others.
    """
    any_overflowed = bool(overflowed.any())

    def step_or_skip(
        parameter: Tensor, gradient: Tensor, state: OptimizerState, *settings: Rate
    ) -> Tensor:
        skipped = per_network(overflowed, gradient)
        before: OptimizerState = {}
        if any_overflowed:
            before = {name: torch.as_tensor(value).clone() for name, value in state.items()}
            gradient = torch.where(skipped, 0, gradient)
        step = rule(parameter, gradient, state, *settings)
        for name, after in state.items():
            if not isinstance(after, Tensor):  # the count of steps, an exponent: in float64
                after = torch.full_like(overflowed, after, dtype=torch.float64)
                after = per_network(after, gradient)
            if any_overflowed:
                after = torch.where(skipped, before.get(name, 0), after)
            state[name] = after
        if any_overflowed:
            step = torch.where(skipped, 0, step)
        return step.to(gradient.dtype)

    return step_or_skip
