"""The only reductions over the replicates of a scheme: axis 1 of every measurement.

A diverged network is reported by its break and its verdict; it must not distort the statistics of
the others. So the median, the range and the mean are taken over the finite values.
"""

import numpy as np


def median_and_range(
    values: np.ndarray, axis: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the median, minimum and maximum of the finite values; NaN if there are none.

    The median of an even number of values is the mean of the middle two.
    """
    finite = np.isfinite(values)
    if values.shape[axis] == 1:  # as on most pages, which ask thousands of times
        only = np.where(finite, values, np.nan).squeeze(axis)
        return only, only, only
    ordered = np.sort(np.where(finite, values, np.nan), axis=axis)  # NaN last
    ordered = np.moveaxis(ordered, axis, -1)
    count = finite.sum(axis=axis)
    left, right, high = (
        np.take_along_axis(ordered, np.maximum(index, 0)[..., None], axis=-1)[..., 0]
        for index in ((count - 1) // 2, count // 2, count - 1)
    )
    with np.errstate(over="ignore"):  # the sum of two large values
        median = np.where(left == right, left, (left + right) / 2)
    return median, ordered[..., 0], high


def median_of_finite(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return the median of the finite values; NaN if there are none."""
    return median_and_range(values, axis)[0]


def worst_replicate(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return the largest value; NaN if any is NaN."""
    return np.asarray(np.max(values, axis=axis))


def median_or_worst(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return the median of the finite values; if there are none, inf or NaN, the worst."""
    if values.shape[axis] == 1:  # a replicate alone is both
        return np.asarray(values.take(0, axis))
    any_finite = np.isfinite(values).any(axis=axis)
    return np.where(any_finite, median_of_finite(values, axis), worst_replicate(values, axis))


def mean_of_finite(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return the mean of the finite values, NaN if there are none: for shares that add up to 1."""
    finite = np.isfinite(values)
    count = finite.sum(axis=axis)
    total = np.where(finite, values, 0).sum(axis=axis)
    return np.where(count, total / np.maximum(count, 1), np.nan)
