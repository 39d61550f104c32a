"""LARS as the paper has it, for comparison: torch.optim has none."""

import torch


class Lars(torch.optim.Optimizer):
    """You et al. 2017, one matrix at a time: trust 0.001; a plain step where a norm
    is 0.
    """

    def __init__(self, parameters, rate, weight_decay=0.0, momentum=0.9):
        super().__init__(
            parameters, {"lr": rate, "weight_decay": weight_decay, "momentum": momentum}
        )

    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                g, decay, size = w.grad, group["weight_decay"], w.detach().norm()
                trust = (
                    0.001 * size / (g.norm() + decay * size) if size > 0 and g.norm() > 0 else 1.0
                )
                v = self.state[w].setdefault("v", torch.zeros_like(w.data))
                v.mul_(group["momentum"]).add_(group["lr"] * trust * (g + decay * w.data))
                w.data.sub_(v)
