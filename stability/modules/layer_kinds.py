"""The kinds of layers that a pasted network may have: modules of torch.nn, a row each."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from stability.catalogues.activations import SIREN_FREQUENCY
from stability.i18n import N_, _

MOST_UNITS = 100_000  # of one layer
Arguments = Mapping[str, Any]  # all that a module takes, by name
Sizes = tuple[int, int]  # the numbers of its inputs and outputs
UNKNOWN = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


class Erf(nn.Module):
    """The error function, elementwise: an activation that torch.nn lacks."""

    def forward(self, u: Tensor) -> Tensor:
        return torch.erf(u)


class Sine(nn.Module):
    """A sine of frequency w0, elementwise, as networks of SIREN have: torch.nn lacks it, too."""

    def __init__(self, w0: float = SIREN_FREQUENCY) -> None:
        super().__init__()
        self.w0 = float(w0)

    def forward(self, u: Tensor) -> Tensor:
        return torch.sin(self.w0 * u)

    def extra_repr(self) -> str:
        return f"w0={self.w0}"


@dataclass(frozen=True, kw_only=True)
class LayerKind:
    """A row: the class of the module, and what its arguments mean for the network.

    `sizes(arguments)` returns the numbers of inputs and outputs; None where any number goes
    through. `refusal(arguments)` says why a layer, legal in PyTorch, cannot stand here; "" where it
    can. `is_linear` marks the layers that schemes start, `is_activation` elementwise functions,
    `is_random` layers that draw random numbers in training.
    """

    make: Callable[..., nn.Module]
    sizes: Callable[[Arguments], Sizes | None] = lambda arguments: None
    refusal: Callable[[Arguments], str] = lambda arguments: ""
    is_linear: bool = False
    is_activation: bool = False
    is_normalization: bool = False
    is_random: bool = False

    @property
    def name(self) -> str:
        """The name by which texts call it."""
        return str(getattr(self.make, "__name__", ""))

    def bind(self, arguments: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
        """Return all arguments by name, those that are not given too. TypeError if one is wrong."""
        given = {name: value for name, value in arguments if name}
        if len(given) < sum(bool(name) for name, _ in arguments):
            raise TypeError(_("an argument is given twice"))
        bound = signature_of(self.make).bind(
            *(value for name, value in arguments if not name), **given
        )
        bound.apply_defaults()
        return dict(bound.arguments)


@cache
def signature_of(make: Callable[..., nn.Module]) -> inspect.Signature:
    """Return the parameters of a module that a text may give: those that say what it computes."""
    signature = inspect.signature(make)
    shown = [
        parameter
        for name, parameter in signature.parameters.items()
        if name not in ("device", "dtype") and parameter.kind not in UNKNOWN
    ]
    return signature.replace(parameters=shown)


def one_size(name: str) -> Callable[[Arguments], Sizes | None]:
    """Return the sizes of a layer that keeps the number of units; its argument gives it."""

    def sizes(arguments: Arguments) -> Sizes:
        value = arguments[name]
        size = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        return size, size

    return sizes


def prelu_sizes(arguments: Arguments) -> Sizes | None:
    count = arguments["num_parameters"]
    return None if count == 1 else (count, count)


def require(name: str, legal: tuple[Any, ...], words: str) -> Callable[[Arguments], str]:
    """Return the refusal of a layer whose argument has another value."""

    def refusal(arguments: Arguments) -> str:
        is_legal = arguments[name] in legal and not isinstance(arguments[name], bool)
        if is_legal:
            return ""
        return _("{name} must be {legal} for inputs of one dimension").format(
            name=name, legal=_(words)
        )

    return refusal


def all_kinds() -> dict[str, LayerKind]:
    """Return all rows by name."""
    elementwise = (
        nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
        nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid,
        nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold, Erf,
        Sine,
    )  # fmt: skip
    along = require("dim", (0, 1, -1, -2), N_("0, 1 or -1"))
    rows = [
        LayerKind(
            make=nn.Linear, sizes=lambda a: (a["in_features"], a["out_features"]), is_linear=True
        ),
        *(LayerKind(make=make, is_activation=True) for make in elementwise),
        LayerKind(make=nn.PReLU, sizes=prelu_sizes, is_activation=True),
        LayerKind(make=nn.RReLU, is_activation=True, is_random=True),
        *(LayerKind(make=make, refusal=along) for make in (nn.Softmax, nn.LogSoftmax, nn.Softmin)),
        LayerKind(make=nn.BatchNorm1d, sizes=one_size("num_features"), is_normalization=True),
        LayerKind(make=nn.LayerNorm, sizes=one_size("normalized_shape"), is_normalization=True),
        LayerKind(make=nn.RMSNorm, sizes=one_size("normalized_shape"), is_normalization=True),
        LayerKind(
            make=nn.GroupNorm,
            sizes=one_size("num_channels"),
            refusal=lambda a: "" if a["num_groups"] else _("num_groups must be at least 1"),
            is_normalization=True,
        ),
        *(LayerKind(make=make, is_random=True) for make in (nn.Dropout, nn.AlphaDropout)),
        LayerKind(make=nn.Flatten, refusal=require("start_dim", (1,), "1")),
        LayerKind(make=nn.Identity),
    ]
    return {row.name: row for row in rows}


LAYER_KINDS = all_kinds()
