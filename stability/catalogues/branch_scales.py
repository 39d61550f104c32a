"""Factors on the branches of residual networks: what a branch ends with is multiplied by one."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from stability.catalogues.entry import Entry, catalogue


@dataclass(frozen=True, kw_only=True)
class BranchScale(Entry):
    """A row: `factor(depth)` is the factor at the start, in a network of so many weight layers.

    Where it `is_learned`, each branch has one of its own, which is trained as biases are.
    """

    factor: Callable[[int], float]
    is_learned: bool = False


BRANCH_SCALES = catalogue(
    BranchScale(
        key="one", label="1", source="He et al. 2016", formula="z_l = z_k + f(z_k)",
        summary="Every branch adds all that it has: with He weights each one doubles the variance.",
        factor=lambda depth: 1.0,
    ),
    BranchScale(
        key="root_half", label="1/√2", source="Gehring et al. 2017, sec. 3.5",
        formula=r"z_l = z_k + f(z_k) / \sqrt 2",
        summary="Every branch adds half of its variance: with He weights each one makes the "
        "variance 1.5 times as large.",
        factor=lambda depth: 1 / math.sqrt(2),
    ),
    BranchScale(
        key="root_depth", label="1/√(2L)", source="Hayou et al. 2021",
        formula=r"z_l = z_k + f(z_k) / \sqrt{2 L}",
        summary="The more layers, the less each adds: with He weights all branches together make "
        "the variance at most 1.65 times as large.",
        factor=lambda depth: 1 / math.sqrt(2 * depth),
    ),
    BranchScale(
        key="learned", label="Learned, from 0 (ReZero)", source="Bachlechner et al. 2021",
        formula=r"z_l = z_k + \alpha_l f(z_k), \quad \alpha_l = 0",
        summary="Each branch has a factor that is trained and starts at 0, so that depth starts "
        "without effect.",
        factor=lambda depth: 0.0, is_learned=True,
    ),
)  # fmt: skip
