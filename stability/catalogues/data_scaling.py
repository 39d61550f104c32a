"""The size and the middle of data as networks see them, which standardised data do not have."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class DataScaling:
    """Factors on standardised columns, and what is added before, in their standard deviations."""

    input_scale: float = 1.0
    input_offset: float = 0.0
    target_scale: float = 1.0
    target_offset: float = 0.0

    @property
    def input_size(self) -> float:
        """The root of the mean square of an input."""
        return size_at(self.input_scale, self.input_offset)

    @property
    def target_size(self) -> float:
        """The root of the mean square of a target of a regression."""
        return size_at(self.target_scale, self.target_offset)

    def scale_inputs(self, x: Tensor) -> Tensor:
        """Return standardised inputs as networks see them."""
        return scaled(x, self.input_scale, self.input_offset)

    def scale_targets(self, y: Tensor) -> Tensor:
        """Return standardised targets of a regression as the loss sees them."""
        return scaled(y, self.target_scale, self.target_offset)

    def standardize_outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs of a regression in standard deviations of the target, from its mean."""
        return outputs / self.target_scale - self.target_offset


STANDARDIZED = DataScaling()


def scaled(columns: Tensor, scale: float, offset: float) -> Tensor:
    """Return standardised columns at this scale; bitwise the same at scale 1 and offset 0."""
    return columns if (scale, offset) == (1, 0) else scale * (columns + offset)


def size_at(scale: float, offset: float) -> float:
    """Return the root of the mean square of standardised numbers at this scale."""
    return float(scale * (1 + offset**2) ** 0.5)
