"""One recorded call of a function of torch."""

import math
from dataclasses import dataclass, field

import torch

from stability.modules.operations import SOFTMAXES
from stability.modules.units import FlatUnits

MODULE, LOSS, BACKWARD = "module", "loss", "backward"


@dataclass
class LossComparison:
    """How a loss, or a difference in it, sets outputs against targets.

    `output` and `target` are operations, or -1; `target_low` to `target_rms` are of the targets as
    they are compared. `mean` is the value per example of a cross-entropy, `classes` their number,
    and `log_total` how far the logarithm of the summed probabilities is from 0, at most.
    """

    output: int
    output_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    output_rms: float = math.nan
    target_low: float = math.nan
    target_high: float = math.nan
    target_rms: float = math.nan
    target_std: float = math.nan
    targets_are_real: bool = False
    mean: float = math.nan
    classes: int = 0
    log_total: float = 0.0


@dataclass(eq=False)
class Operation:
    """One call. Sizes are those of its first result; `gradient` is that by the result.

    `origins` say what the result depends on: "input", "parameter", "target". `weight_names` are the
    parameters behind the weight of a layer; `input_*` are of what a layer is given.
    """

    index: int
    name: str
    place: str
    phase: str
    parents: tuple[int, ...]
    parameters: tuple[str, ...]
    origins: frozenset[str]
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    # The result
    largest: float = 0.0
    has_nan: bool = False
    has_inf: bool = False
    has_negative_inf: bool = False
    rms: float = math.nan
    spread: float = math.nan
    scalar: float = 0.0  # the largest number among its arguments that is not a tensor
    given_largest: float = math.nan  # of what a result too large for float16 is made of
    # A layer with weights
    is_layer: bool = False
    weight_names: tuple[str, ...] = ()
    weight_is_zero: bool = False
    unit_count: int = 0
    fan_in: int = 0
    fan_out: int = 0
    input_rms: float = math.nan
    input_spread: float = math.nan
    input_offset: float = 0.0
    input_is_raw: bool = False  # no parameter has touched it
    summands: tuple[tuple[int, float], ...] = ()  # of an addition: operation and RMS
    # What it is besides
    units: FlatUnits | None = None
    one_hot: float = 0.0
    is_softmax_of_one: bool = False
    values_per_statistic: float = math.inf
    comparison: LossComparison | None = None
    # The way back
    is_profiled: bool = False  # its gradient's size is wanted
    gradient: float = math.nan
    gradient_largest: float = -1.0  # where none arrived
    times: tuple[float, ...] = ()
    time_gradients: tuple[float, ...] = ()
    children: list[int] = field(default_factory=list)

    @property
    def is_finite(self) -> bool:
        """True if the result has neither NaN nor inf."""
        return not (self.has_nan or self.has_inf or self.has_negative_inf)

    @property
    def is_softmax(self) -> bool:
        """True for a softmax and its logarithm."""
        return self.name in SOFTMAXES
