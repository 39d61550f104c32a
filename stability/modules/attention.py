"""The weights of attention, where a function of torch keeps them to itself."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stability.modules.layer_shapes import ATTENTION_SIGNATURE, argument
from stability.modules.operations import SOFTMAXES
from stability.modules.sizes import plain

FEWEST_CHOICES = 3  # of a row that is judged: of two entries one is soon nearly 1
ON_PURPOSE = -1e8  # scores below are masked
EXAMPLES = 8  # that are looked at where attention is computed again


def one_hot_rows(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    """Return the mean over rows of the largest weight; 0 where no row has three choices."""
    with torch.no_grad():
        if name in SOFTMAXES:
            scores = args[0] if args else kwargs["input"]
            dim = argument(args, kwargs, 1, "dim")
            if dim is None or not scores.dim():
                return 0.0
            return largest_of_rows(plain(scores).movedim(dim, -1))
        if name == "scaled_dot_product_attention":
            return largest_of_rows(attention_scores(args, kwargs))
        if name == "multi_head_attention_forward":
            given = dict(ATTENTION_SIGNATURE.bind(*args, **kwargs).arguments)
            given |= {"need_weights": True, "average_attn_weights": False, "dropout_p": 0.0}
            if given.get("is_causal") and given.get("attn_mask") is None:
                return 0.0
            weights: Any = F.multi_head_attention_forward(**given)[1]
            return largest_of_rows(plain(weights).log().clamp(min=2 * ON_PURPOSE))
    return 0.0


def attention_scores(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    query, key = (plain(argument(args, kwargs, i, name)[:EXAMPLES])
                  for i, name in enumerate(("query", "key")))  # fmt: skip
    mask = argument(args, kwargs, 3, "attn_mask")
    scale = argument(args, kwargs, 6, "scale") or 1 / math.sqrt(query.shape[-1])
    repeats = query.shape[-3] // key.shape[-3] if query.dim() > 3 else 1
    scores = query @ key.repeat_interleave(repeats, -3).mT * scale if repeats > 1 else (
        query @ key.mT * scale)  # fmt: skip
    if argument(args, kwargs, 5, "is_causal", False):
        ones = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(~ones.tril(), -math.inf)
    if mask is not None:
        mask = mask[:EXAMPLES] if mask.dim() == scores.dim() and len(mask) > 1 else mask
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype is torch.bool else scores + mask
    return scores


def largest_of_rows(scores: Tensor) -> float:
    choices = (scores > ON_PURPOSE).sum(-1)
    judged = choices >= FEWEST_CHOICES
    if not judged.any():
        return 0.0
    return float(scores.softmax(-1).amax(-1)[judged].mean())
