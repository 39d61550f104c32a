"""Profiles relative to the layer at which they enter, so that a level one is 1 everywhere."""

import numpy as np


def relative_profile(quantity: str, values: np.ndarray) -> np.ndarray:
    """Return values by layer `(..., L)` over that of the layer where they enter the network.

    A signal enters at the first layer, a gradient at the last. So what counts is the course through
    the depth, and not the size: the gradients of a network that has learned are small in all
    layers. NaN where the value that it is divided by is 0 or not finite.
    """
    start = entrance(quantity, values)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(values / start)


def entrance(quantity: str, values: np.ndarray) -> np.ndarray:
    """Return the values `(...)` of the layer where they enter; NaN where one is 0 or not finite."""
    start = values[..., 0 if quantity == "signal" else -1]
    return np.where(np.isfinite(start) & (start != 0), start, np.nan)


def divided_by(values: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return sizes by layer `(..., L)` over `start`, or as they are where that is NaN.

    A size stays a number, and only 0 becomes 0.
    """
    limits = np.finfo(float)
    with np.errstate(over="ignore", under="ignore"):
        relative = values / np.where(np.isnan(start), 1.0, start)[..., None]
    return np.where(values > 0, np.clip(relative, limits.smallest_normal, limits.max), relative)
