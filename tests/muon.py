"""Muon as torch.optim has it, but for the format in which it orthogonalizes."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Jordan et al. 2024: momentum 0.95 with Nesterov, five Newton-Schulz rounds, AdamW's size.

    torch.optim.Muon, of which this is the algorithm in `match_rms_adamw`, knows bfloat16 alone,
    whose two digits hide what is compared here.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        rate: float,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ):
        super().__init__(parameters, {"lr": rate, "weight_decay": weight_decay, "dtype": dtype})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for w in group["params"]:
                mean = self.state[w].setdefault("mean", torch.zeros_like(w))
                mean.lerp_(w.grad, 1 - 0.95)
                update = orthogonalize_like_torch(w.grad.lerp(mean, 0.95), group["dtype"])
                w.mul_(1 - group["lr"] * group["weight_decay"])
                w.add_(update, alpha=-group["lr"] * 0.2 * max(w.shape) ** 0.5)


def orthogonalize_like_torch(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a matrix near U V^T of a matrix U S V^T, in the operations of torch.optim.Muon."""
    x = matrix.to(dtype)
    tall = matrix.shape[0] > matrix.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.775, alpha=2.0315), x, beta=3.4445)
    return x.T if tall else x
