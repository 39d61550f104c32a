"""How a loss sets outputs against targets: shapes, ranges, the first value of a cross-entropy."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.modules import sizes
from stability.modules.layer_shapes import argument
from stability.modules.lineage import Lineage
from stability.modules.operation import LossComparison
from stability.modules.operations import COMBINATIONS, DIFFERENCES, DISTANCES, ELEMENTWISE_LOSSES

CROSS_ENTROPIES = {
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
}  # fmt: skip


LOSSES = DISTANCES | ELEMENTWISE_LOSSES | CROSS_ENTROPIES | {"ctc_loss"}
COMPARED = LOSSES | DIFFERENCES | COMBINATIONS


def comparison(lineage: Lineage, name: str, args: Any, kwargs: Any) -> LossComparison | None:
    """Return what a function of the loss compares; None if it sets no outputs against targets.

    A named loss does so whatever it is given; a difference, or a product, only if one part of it
    is made of targets alone.
    """
    if name not in COMPARED:
        return None
    first, second = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
    first = kwargs.get("log_probs") if first is None else first
    second = kwargs.get("other", kwargs.get("targets")) if second is None else second
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return None
    if lineage.origins_of(first) == {"target"}:
        first, second = second, first
    against_targets = lineage.origins_of(second) == {"target"}
    if (not against_targets and name not in LOSSES) or "target" in lineage.origins_of(first):
        return None
    found = LossComparison(lineage.operation_of(first), tuple(first.shape), tuple(second.shape))
    if sizes.is_measurable(first):
        found.output_rms = sizes.rms(first)
    if sizes.is_measurable(second):
        fill_targets(found, sizes.plain(second))
    if name in CROSS_ENTROPIES:
        fill_cross_entropy(found, name, first, second, kwargs)
    elif name in ("kl_div", "ctc_loss"):
        found.log_total = log_total(sizes.plain(first))
    return found


def fill_targets(found: LossComparison, numbers: Tensor) -> None:
    """Fill in the range and the sizes of real targets, of those that are finite."""
    numbers = numbers[numbers.isfinite()]
    if numbers.numel():
        found.targets_are_real = True
        found.target_low, found.target_high = numbers.min().item(), numbers.max().item()
        found.target_rms = sizes.rms(numbers)
        found.target_std = float(numbers.std()) if numbers.numel() > 1 else 0.0


def fill_cross_entropy(
    found: LossComparison, name: str, outputs: Tensor, targets: Tensor, kwargs: Any
) -> None:
    """Fill in its mean over the examples, the number of classes and the sum of probabilities."""
    function = getattr(F, name)
    outputs = outputs.detach()
    keep = {"ignore_index", "label_smoothing"}
    found.mean = float(function(outputs, targets, **{k: v for k, v in kwargs.items() if k in keep}))
    found.classes = 2
    if name in ("cross_entropy", "nll_loss"):
        axis = 1 if outputs.dim() > 1 else 0
        found.classes = outputs.shape[axis]
    if name == "nll_loss":
        found.log_total = log_total(sizes.plain(outputs))


def log_total(logarithms: Tensor) -> float:
    """Return by how much summed probabilities miss 1, as a logarithm, along the best axis."""
    if not torch.isfinite(logarithms).any():
        return 0.0
    axes = range(1, logarithms.dim()) if logarithms.dim() > 1 else (0,)
    misses = [logarithms.logsumexp(axis).abs().nan_to_num(math.inf).max() for axis in axes]
    return float(min(misses))
