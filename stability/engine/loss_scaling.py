"""Dynamic loss scaling: the loss is multiplied before the way back, so that float16 gradients stay above 6e-8.

A gradient that overflows is not used: its step is skipped, and the scale halves. Micikevicius et al. 2018, sec. 3.2; as
torch.amp.GradScaler, but for each network on its own, and trying a larger scale every 100 good steps instead of 2000:
runs are short here.
"""

import torch
from torch import Tensor

from stability.catalogues.optimizers import OptimizerState, StepRule

START, GOOD_STEPS_TO_GROW = 2.0**16, 100
SMALLEST_SCALE = 2.0**-126  # of a network whose loss is gone for good; below it the scale is no normal float32, and soon 0


class LossScale:
    """`factor` `(N,)`, a power of two by which the loss of each network is multiplied; 1 for ever unless it is `moving`."""

    def __init__(self, networks: int, device: torch.device, dynamic: bool):
        self.dynamic = dynamic
        self.factor = torch.full((networks,), START if dynamic else 1.0, dtype=torch.float64, device=device)
        self.good_steps = torch.zeros(networks, dtype=torch.int64, device=device)  # steps since the last change

    def factor_for(self, tensor: Tensor) -> Tensor:
        """The factor, shaped to go with a stack `(layers, N, ...)`."""
        return per_network(self.factor, tensor).to(tensor.dtype)

    def update_factor(self, overflowed: Tensor) -> None:
        """After a step: `overflowed` `(N,)` tells whose gradient was not finite."""
        self.good_steps = torch.where(overflowed, 0, self.good_steps + 1)
        grown = self.good_steps == GOOD_STEPS_TO_GROW
        self.factor = torch.where(overflowed, self.factor / 2, torch.where(grown, self.factor * 2, self.factor)).clamp(
            min=SMALLEST_SCALE
        )
        self.good_steps[grown] = 0


def per_network(values: Tensor, stack: Tensor) -> Tensor:
    """A value a network `(N,)` as `(1, N, 1, ...)`."""
    return values.view(1, -1, *[1] * (stack.dim() - 2))


def skip_overflowed(rule: StepRule, overflowed: Tensor) -> StepRule:
    """The optimizer's rule, but the networks that overflowed do not move, nor does what the optimizer knows of them.

    Its count of steps is one for each network, whether any overflowed or not: no network is to notice its neighbours.
    """
    some = bool(overflowed.any())

    def careful(parameter: Tensor, gradient: Tensor, state: OptimizerState, learning_rate: float, weight_decay: float) -> Tensor:
        skipped = per_network(overflowed, gradient)
        before = {name: value.clone() for name, value in state.items()} if some else {}
        kept = torch.where(skipped, 0, gradient) if some else gradient
        step = rule(parameter, kept, state, learning_rate, weight_decay)
        for name, value in state.items():
            counted = not isinstance(value, Tensor)  # in float64, for powers of it
            after = per_network(torch.full_like(overflowed, value, dtype=torch.float64), gradient) if counted else value
            state[name] = torch.where(skipped, before.get(name, 0), after) if some else after
        return (torch.where(skipped, 0, step) if some else step).to(gradient.dtype)

    return careful
