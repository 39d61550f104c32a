"""Functions that stand between the last layer and the loss, where most networks have none."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.i18n import Translated


@dataclass(frozen=True, kw_only=True)
class OutputActivation(Entry):
    """A row: `apply` maps the last z `(N, batch, outputs)` to the outputs that the loss takes.

    `backward(gradient, output)` turns a gradient by outputs into one by z. `reach` is the
    largest distance of two outputs, which bounds what a softmax behind them can say. `pytorch` is
    the module of torch.nn; empty where there is none. `harm_to_classes` and `harm_to_values` say
    what goes wrong before a cross-entropy, and before a squared error, as clauses.
    """

    apply: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    reach: float = math.inf
    pytorch: str = ""
    harm_to_classes: Translated = Translated("")
    harm_to_values: Translated = Translated("")

    def least_loss(self, classes: int | None) -> float:
        """Return the cross-entropy below which no network can come; 0 for a regression."""
        return math.log(1 + (classes - 1) * math.exp(-self.reach)) if classes else 0.0


def softmax(z: Tensor) -> Tensor:
    """Return the softmax over the last axis; torch takes a tenth of the time over another one."""
    return z.mT.softmax(dim=-2).mT.contiguous()


def softmax_backward(gradient: Tensor, output: Tensor) -> Tensor:
    """Return the gradient by z: all outputs add up to 1, so their mean gradient is taken away."""
    return output * (gradient - (gradient * output).sum(dim=-1, keepdim=True))


OUTPUT_ACTIVATIONS = catalogue(
    OutputActivation(
        key="none", label="None", source="-", formula="o = z_L",
        summary="The loss takes the pre-activations of the last layer: logits, or the values.",
        apply=lambda z: z, backward=lambda gradient, output: gradient,
    ),
    OutputActivation(
        key="softmax", label="Softmax", source="Bridle 1990",
        formula=r"o_k = e^{z_k} / \textstyle\sum_j e^{z_j}",
        summary="Shares that add up to 1. A cross-entropy has one inside, so this is a second one.",
        apply=softmax, backward=softmax_backward, reach=1.0,
        pytorch="nn.Softmax(dim=-1)",
        harm_to_classes="the cross-entropy has a softmax inside, so that this is a second one",
        harm_to_values="a softmax of one output is always 1",
    ),
    OutputActivation(
        key="sigmoid", label="Sigmoid", source="torch.sigmoid",
        formula=r"o = 1 / (1 + e^{-z})",
        summary="Every output lies between 0 and 1: right before a binary cross-entropy, which is "
        "none of the losses here.",
        apply=torch.sigmoid, backward=lambda gradient, output: gradient * output * (1 - output),
        reach=1.0, pytorch="nn.Sigmoid()",
        harm_to_classes="the cross-entropy takes logits of any size, and these are at most 1 apart",
        harm_to_values="the outputs lie between 0 and 1, and the targets do not",
    ),
    OutputActivation(
        key="relu", label="ReLU", source="Nair & Hinton 2010", formula=r"o = \max(0, z)",
        summary="No output is negative, and where one would be, no gradient passes back.",
        apply=torch.relu, backward=lambda gradient, output: gradient * (output > 0),
        pytorch="nn.ReLU()",
        harm_to_classes="no logit is negative, and where one would be, no gradient passes",
        harm_to_values="no output is negative, and half of the targets are",
    ),
)  # fmt: skip
