"""Reductions over the replicates of one scheme."""

import math

import numpy as np


def ranged(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, smallest and largest of the finite numbers along the last axis, that of the replicates; NaN where none is."""
    ordered = np.sort(np.where(np.isfinite(values), values, math.nan))  # NaN last
    finite = np.isfinite(values).sum(axis=-1)
    at = [np.maximum(index, 0)[..., None] for index in ((finite - 1) // 2, finite // 2, finite - 1)]
    left, right, high = (np.take_along_axis(ordered, index, axis=-1)[..., 0] for index in at)
    return np.where(left == right, left, (left + right) / 2), ordered[..., 0], high
