"""The table of a look: a row for each leaf layer, in the order in which they were first called."""

import math
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.draws import Layer
from stability.catalogues.schemes import SCHEMES
from stability.i18n import N_
from stability.modules import sizes
from stability.modules.examination import Examination, ParameterFacts
from stability.modules.measuring import FLOAT16_MAX
from stability.modules.operation import Operation
from stability.modules.recording import LayerCalls

FLOAT16_MIN = 6e-8  # the smallest number of float16 but 0
CLOSE = 0.1  # relative: a standard deviation this near to a scheme's looks like it,
SAMPLING = 2.0  # or within so many of its own standard errors
# In this order: where fan_in equals fan_out several have one variance.
FAMILIES = "pytorch", "he_{}", "xavier_{}", "lecun_{}", "he_fan_out"

COLUMNS = (
    "layer", "kind", "fan_in", "fan_out", "weight_std", "looks_like", "signal", "spread",
    "signal_gradient", "weight_gradient", "flat", "dead", "twins", "frozen", "tied", "shared",
    "leaves",
)  # fmt: skip


def layer_table(look: Examination) -> pd.DataFrame:
    """Return the columns of `COLUMNS`; NaN where a layer has no such number.

    signal and signal_gradient are RMS over examples and units, the latter of one example's loss;
    spread is what differs between examples; weight_gradient a Frobenius norm; flat, dead and twins
    are shares; `leaves` names the formats that cannot hold the signal, in English.
    """
    rows = [layer_row(look, calls) for calls in look.leaf_layers]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def layer_row(look: Examination, calls: LayerCalls) -> dict[str, Any]:
    own = [look.by_name[f"{calls.name}.{name}".lstrip(".")]
           for name, _ in calls.module.named_parameters()]  # fmt: skip
    matrices = [facts for facts in own if facts.parameter.dim() > 1]
    result = look.operations[calls.result] if calls.result >= 0 else None
    layer = next((o for o in look.layers if o.place == calls.name), None)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
    row |= {
        "layer": calls.name,
        "kind": type(calls.module).__name__,
        "looks_like": "",
        "leaves": "",
    }
    if layer:
        row |= {"fan_in": layer.fan_in, "fan_out": layer.fan_out}
    if matrices:
        row |= weight_columns(matrices, layer)
    if result:
        row |= signal_columns(result, look.examples)
    row["frozen"] = bool(own) and not any(facts.parameter.requires_grad for facts in own)
    row["tied"] = any(len(facts.names) > 1 for facts in own)
    row["shared"] = calls.count > 1
    return row


def weight_columns(matrices: list[ParameterFacts], layer: Operation | None) -> dict[str, Any]:
    weight = matrices[0].parameter
    gradients = [facts.gradient for facts in matrices if facts.gradient is not None]
    return {
        "weight_std": sizes.std(weight),
        "looks_like": scheme_like(weight, layer.fan_in, layer.fan_out) if layer else "",
        "weight_gradient": math.hypot(*gradients) if gradients else math.nan,
        "twins": matrices[0].twins.share if matrices[0].twins else 0.0,
    }


def signal_columns(result: Operation, examples: int | None) -> dict[str, Any]:
    numbers = math.prod(result.shape)
    leaves = [name for name, out in (
        ("float16", result.largest > FLOAT16_MAX),
        (N_("float16 (rounds to 0)"), 0 < result.rms < FLOAT16_MIN),
    ) if out]  # fmt: skip
    units = result.units
    return {
        "signal": result.rms, "spread": result.spread,
        "signal_gradient": result.gradient / math.sqrt(numbers) * (examples or 1)
        if numbers else math.nan,
        "flat": units.flat if units else math.nan,
        "dead": units.dead if units and units.kind.rectifies else math.nan,
        "leaves": ", ".join(leaves),
    }  # fmt: skip


def scheme_like(weight: Tensor, fan_in: int, fan_out: int) -> str:
    """Return the scheme whose weights have this spread and shape of distribution; "" if none.

    Constant weights are "zeros" or "constant", orthonormal rows or columns "orthogonal".
    """
    numbers = sizes.plain(weight)
    if sizes.is_zero(numbers):
        return "zeros"
    std = sizes.std(numbers)
    if not std > 0:
        return "constant"
    if is_orthogonal(numbers):
        return "orthogonal"
    uniform = sizes.largest(numbers) < math.sqrt(3) * std * 1.05
    close = max(CLOSE, SAMPLING / math.sqrt(2 * numbers.numel()))
    layer = Layer(1, 2, fan_in, fan_out, ACTIVATIONS["relu"], 0.0, False)
    for family in FAMILIES:
        key = family.format("uniform" if uniform else "normal")
        if key == "pytorch" and not uniform:
            continue
        variance = SCHEMES[key].variance
        wanted = variance(layer) if variance else None
        if wanted and abs(std / math.sqrt(wanted) - 1) < close:
            return key
    return ""


def is_orthogonal(numbers: Tensor) -> bool:
    rows = numbers.flatten(1) if numbers.dim() > 2 else numbers
    rows = rows if len(rows) <= rows.shape[1] else rows.mT
    if len(rows) < 2 or len(rows) > 512:
        return False
    gram = rows @ rows.mT
    eye = gram.diagonal().mean() * torch.eye(len(rows), device=gram.device)
    return bool((gram - eye).abs().max() < 1e-3 * gram.diagonal().mean())
