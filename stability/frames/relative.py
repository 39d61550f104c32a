"""Profiles relative to the layer at which they enter, so that a level one is 1 everywhere."""

import numpy as np


def relative_profile(quantity: str, values: np.ndarray) -> np.ndarray:
    """Return values by layer `(..., L)` over that of the layer where they enter the network.

    A signal enters at the first layer, a gradient at the last. So what counts is the course through
    the depth, and not the size: the gradients of a network that has learned are small in all
    layers. NaN where the value that it is divided by is 0 or not finite.
    """
    start = values[..., :1] if quantity == "signal" else values[..., -1:]
    usable = np.isfinite(start) & (start != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(usable, values / start, np.nan)
