"""Schedules: how the learning rate falls during training, once the warm-up is over."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from stability.catalogues.entry import Entry, catalogue


@dataclass(frozen=True, kw_only=True)
class Schedule(Entry):
    """A row. `factor(step, steps)` is what update `step` of `steps` multiplies the rate by.

    Both count from the end of the warm-up, `step` from 0. `pytorch` makes the scheduler that
    does the same, with the field `steps`; empty where there is none.
    """

    factor: Callable[[float, float], float]
    pytorch: str = ""

    def factor_after_warmup(self, step: int, steps: int, warmup: int) -> float:
        """Return what update `step` multiplies the rate by, counted from 0 over the whole run.

        The first of the `warmup` updates takes 1 / warmup of the rate, the last all of it, as with
        torch's LinearLR(optimizer, 1 / warmup, total_iters=warmup - 1).
        """
        if step < warmup:
            return (step + 1) / warmup
        return self.factor(step - warmup, steps - warmup)


SCHEDULES = catalogue(
    Schedule(
        key="constant", label="Constant", source="Robbins & Monro 1951", formula=r"\eta_t = \eta",
        summary="The learning rate stays the same to the last step.",
        factor=lambda step, steps: 1.0,
    ),
    Schedule(
        key="cosine", label="Cosine to 0", source="Loshchilov & Hutter 2017, eq. 5, no restarts",
        formula=r"\eta_t = \tfrac{\eta}{2} (1 + \cos(\pi t / T))",
        summary="The learning rate falls to 0 along half a cosine: fast steps first, then ever "
        "finer ones.",
        factor=lambda step, steps: (1 + math.cos(math.pi * step / steps)) / 2,
        pytorch="CosineAnnealingLR(optimizer, {steps})",
    ),
)  # fmt: skip
