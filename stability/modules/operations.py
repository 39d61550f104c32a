"""How the functions of torch are told apart: weight layers, activations, losses, mere views."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any

LINEAR = {"linear", "bilinear", "conv1d", "conv2d", "conv3d",
          "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}  # fmt: skip
CONVOLUTIONS = {name for name in LINEAR if name.startswith("conv")}
# These are weight layers only if one factor is made of parameters alone.
PRODUCTS = {"matmul", "rmatmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "mv"}
RECURRENT = {"rnn_tanh", "rnn_relu", "lstm", "gru"}
CELLS = {"rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell"}
ATTENTION = {"multi_head_attention_forward"}
NAMED_WEIGHTS = LINEAR | RECURRENT | CELLS | ATTENTION

SOFTMAXES = {"softmax", "log_softmax"}
NORMALIZATIONS = {"layer_norm", "group_norm", "batch_norm", "instance_norm", "rms_norm"}
# They give the numbers that they are given, elsewhere or in another shape or type.
REARRANGED = {
    "view", "reshape", "flatten", "unflatten", "transpose", "permute", "t", "T", "mT", "H", "mH",
    "squeeze", "unsqueeze", "contiguous", "expand", "expand_as", "getitem", "chunk", "split",
    "unbind", "movedim", "swapaxes", "data", "detach", "clone", "narrow", "select", "alias",
    "view_as", "reshape_as", "requires_grad", "roll", "flip", "repeat", "repeat_interleave",
    "broadcast_to", "atleast_1d", "atleast_2d", "index_select", "gather", "take", "tile", "real",
}  # fmt: skip
CASTS = {"to", "float", "half", "double", "bfloat16", "type", "type_as", "cpu", "cuda"}
THINNED = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"}
PASSED_ON = REARRANGED | CASTS | THINNED
# With constants, and among themselves, these keep a function affine.
AFFINE = PASSED_ON | LINEAR | PRODUCTS | {
    "add", "sub", "radd", "rsub", "neg", "mean", "sum", "cat", "stack", "concat", "pad", "div",
    "true_divide", "truediv", "mul", "rmul", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "interpolate", "upsample", "identity",
}  # fmt: skip
MASKED = {"masked_fill", "where", "full", "full_like", "triu", "tril", "fill", "new_full",
          "masked_scatter", "index_fill", "setitem", "nan_to_num"}  # fmt: skip

ELEMENTWISE_LOSSES = {
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "poisson_nll_loss", "gaussian_nll_loss",
    "soft_margin_loss", "kl_div",
}  # fmt: skip
DISTANCES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
DIFFERENCES = DISTANCES | {"sub", "rsub"}
REGRESSIONS = DIFFERENCES | {"poisson_nll_loss", "gaussian_nll_loss"}
COMBINATIONS = {"sub", "rsub", "mul", "rmul", "add"}  # that broadcast in silence


@dataclass(frozen=True)
class ActivationKind:
    """A row: the range of an elementwise activation, and where it is flat.

    `max_slope` is the largest abs(phi'), `flat_by_design` the share that is flat on purpose; a
    rectifier is off where its slope is 0, which `dead` counts and not `saturated`.
    """

    low: float = -inf
    high: float = inf
    max_slope: float = 1.0
    flat_by_design: float = 0.0
    rectifies: bool = False


ACTIVATION_KINDS: dict[str, ActivationKind] = {
    "relu": ActivationKind(low=0, rectifies=True),
    "threshold": ActivationKind(low=0, rectifies=True),
    "relu6": ActivationKind(0, 6, rectifies=True),
    "hardtanh": ActivationKind(-1, 1, flat_by_design=0.32),
    "sigmoid": ActivationKind(0, 1, max_slope=0.25),
    "hardsigmoid": ActivationKind(0, 1, max_slope=1 / 6),
    "tanh": ActivationKind(-1, 1),
    "softsign": ActivationKind(-1, 1),
    "erf": ActivationKind(-1, 1, max_slope=2 / sqrt(pi)),
    "softplus": ActivationKind(low=0),
    "logsigmoid": ActivationKind(high=0),
    "leaky_relu": ActivationKind(),
    "rrelu": ActivationKind(),
    "prelu": ActivationKind(),
    "elu": ActivationKind(low=-1),
    "celu": ActivationKind(low=-1),
    "selu": ActivationKind(low=-1.7581, max_slope=1.7581),
    "gelu": ActivationKind(low=-0.17, max_slope=1.13),
    "silu": ActivationKind(low=-0.279, max_slope=1.1),
    "mish": ActivationKind(low=-0.309, max_slope=1.09),
    "hardswish": ActivationKind(low=-0.375, max_slope=1.5),
}


def function_name(function: Callable[..., Any]) -> str:
    """Return the plain name of a function of torch: `add` for `Tensor.__iadd__` and `add_`."""
    name: str = getattr(function, "__name__", "")
    if name == "__get__":  # of a property such as Tensor.mT
        name = getattr(getattr(function, "__self__", None), "__name__", name)
    plain = name.strip("_")
    if name.startswith("__i") and plain in {"iadd", "isub", "imul", "itruediv", "imatmul"}:
        plain = plain[1:]
    return plain


def is_rectifier_at_0(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return True for a clamp from below at 0, which is a ReLU by another name."""
    if name not in {"clamp", "clamp_min", "clip"}:
        return False
    low = args[1] if len(args) > 1 else kwargs.get("min")
    high = args[2] if len(args) > 2 else kwargs.get("max")
    return isinstance(low, int | float) and low == 0 and high is None
