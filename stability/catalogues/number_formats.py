"""Number formats, and those in which a network can be trained."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.i18n import Translated

MOST_SQUARES = 2**40  # that are ever added up


@dataclass(frozen=True, kw_only=True)
class Format(Entry):
    """A row: activations and gradients are rounded to `dtype` after every operation.

    Weights and the optimizer's state are stored in `master_dtype` if given. With `scales_loss` the
    loss is multiplied before the backward pass, to keep small gradients above the smallest number.
    `why_untrainable` is a sentence on why no network is trained in the format; else it is empty.
    `pytorch` trains a model in the format, with its inputs `x` and targets `y`.
    """

    dtype: torch.dtype
    master_dtype: torch.dtype | None = None
    scales_loss: bool = False
    why_untrainable: Translated = Translated("")
    pytorch: str = ""

    @property
    def is_trainable(self) -> bool:
        return not self.why_untrainable

    @property
    def itemsize(self) -> int:
        """The bytes of a stored number."""
        return self.dtype.itemsize

    @property
    def weight_dtype(self) -> torch.dtype:
        """The dtype in which weights and the optimizer's state are stored."""
        return self.master_dtype or self.dtype

    @property
    def largest_finite(self) -> float:
        return torch.finfo(self.dtype).max

    @property
    def smallest_normal(self) -> float:
        """The number below which digits are lost one by one."""
        return torch.finfo(self.dtype).tiny

    @property
    def smallest_subnormal(self) -> float:
        """The smallest number above 0; at most half of it is rounded to 0."""
        return self.smallest_normal * self.epsilon

    @property
    def epsilon(self) -> float:
        """The gap between 1 and the next number."""
        return torch.finfo(self.dtype).eps

    @property
    def compute_dtype(self) -> torch.dtype:
        """The dtype of tensors during computation; it represents every number of `dtype`.

        CPUs without 16-bit instructions multiply float16 matrices 15 times slower than float32
        ones, bfloat16 matrices 4 times. So results are computed in float32 and rounded, like
        torch's own 16-bit matrix products, which are summed in float32, too.
        """
        return torch.float32 if self.itemsize < 4 else self.dtype

    @property
    def squares_fit(self) -> bool:
        """True if the square of no number leaves the range in which results are computed."""
        limits = torch.finfo(self.compute_dtype)
        most = self.largest_finite**2 if self.is_rounded else math.inf
        return self.smallest_subnormal**2 > limits.tiny and most < limits.max / MOST_SQUARES

    @property
    def is_rounded(self) -> bool:
        """True if results are computed in a wider dtype and rounded."""
        return self.compute_dtype != self.dtype


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return the tensor in float32 if it has fewer bits, for sums and norms over many numbers."""
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


CAST = "model, x = model.to(torch.{0}), x.to(torch.{0})  # without torch.autocast"

FORMATS = catalogue(
    Format(
        key="float32", label="float32", source="IEEE 754-2019, binary32",
        formula=r"\epsilon = 2^{-23}, \quad x_{\max} \approx 3.4 \cdot 10^{38}",
        summary="The usual choice: 7 digits, magnitudes from 1e-45 to 3e38.", dtype=torch.float32,
        pytorch=CAST.format("float32"),
    ),
    Format(
        key="float64", label="float64", source="IEEE 754-2019, binary64",
        formula=r"\epsilon = 2^{-52}, \quad x_{\max} \approx 1.8 \cdot 10^{308}",
        summary="Twice the bytes: 16 digits, magnitudes from 5e-324 to 2e308.", dtype=torch.float64,
        pytorch=CAST.format("float64"),
    ),
    Format(
        key="bfloat16", label="bfloat16", source="Kalamkar et al. 2019",
        formula=r"\epsilon = 2^{-7}, \quad x_{\max} \approx 3.4 \cdot 10^{38}",
        summary="The range of float32 in half the bytes, for 2 to 3 digits: from 9e-41 to 3e38, "
        "but 256 + 1 is 256.", dtype=torch.bfloat16, pytorch=CAST.format("bfloat16"),
    ),
    Format(
        key="float16", label="float16", source="IEEE 754-2019, binary16",
        formula=r"\epsilon = 2^{-10}, \quad x_{\max} = 65504",
        summary="Half precision: 3 to 4 digits, but only from 6e-8 to 65504. Weights, gradients, "
        "optimizer: all in it.", dtype=torch.float16, pytorch=CAST.format("float16"),
    ),
    Format(
        key="float8_e4m3", label="float8 E4M3", source="Micikevicius et al. 2022",
        formula=r"\epsilon = 2^{-3}, \quad x_{\max} = 448",
        summary="One byte, about one digit: from 0.002 to 448, no infinity: what is too large is "
        "NaN, or is clipped.",
        dtype=torch.float8_e4m3fn,
        why_untrainable="float8_e4m3 is shown by the ladder alone: no network is "
        "trained in it here.",
    ),
    Format(
        key="float8_e5m2", label="float8 E5M2", source="Micikevicius et al. 2022",
        formula=r"\epsilon = 2^{-2}, \quad x_{\max} = 57344",
        summary="One byte with the range of float16, from 1.5e-5 to 57344, for less than one "
        "digit: made for gradients.",
        dtype=torch.float8_e5m2,
        why_untrainable="float8_e5m2 is shown by the ladder alone: no network is "
        "trained in it here.",
    ),
)  # fmt: skip
PRECISIONS = catalogue(
    *(row for row in FORMATS.values() if row.is_trainable),
    Format(
        key="float16_scaled", label="float16, loss scaled", source="Micikevicius et al. 2018",
        formula=r"g = \nabla_{16} (s \, \mathrm{loss}) / s, \quad s \leftarrow 2 s \text{ or } s / 2",  # noqa: E501
        summary="Signals and gradients in float16, weights in float32; the loss is multiplied to "
        "keep gradients above 6e-8.",
        dtype=torch.float16, master_dtype=torch.float32, scales_loss=True,
        pytorch="scaler = torch.amp.GradScaler(x.device.type)\n"
        "with torch.autocast(x.device.type, torch.float16): loss = loss_function(model(x), y)\n"
        "scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()",
    ),
)  # fmt: skip
