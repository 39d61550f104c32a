"""Where a learned function is looked at: a fixed grid in the space of standardised inputs, the same for every seed."""

from functools import lru_cache

import torch
from torch import Tensor

from stability.catalogues.datasets import Dataset

GRID_REACH = 2.5  # standard deviations from the mean: the square and the line end there; 97 % of all data lie inside at any noise
GRID_SIDE, LINE_POINTS = 32, 200  # cells along a side of the square, and points of the line


def plotted_dimensions(row: Dataset) -> int:
    """Inputs of the functions that are drawn: 2, of classes, as regions; 1, of a regression, as a curve; 0: none is.

    Only where the data have a dimension of their own: what is measured must not come and go with `features`.
    """
    return row.fixed_features if row.fixed_features == (2 if row.classes else 1) else 0


@lru_cache
def grid_points(inputs: int) -> Tensor:
    """float64 `(points, inputs)`: middles of cells, row by row from below, each from the left; no points for no inputs."""
    if inputs == 1:
        return torch.linspace(-GRID_REACH, GRID_REACH, LINE_POINTS, dtype=torch.float64).unsqueeze(1)
    if not inputs:
        return torch.empty(0, 0, dtype=torch.float64)
    middles = (torch.arange(GRID_SIDE, dtype=torch.float64) + 0.5) * (2 * GRID_REACH / GRID_SIDE) - GRID_REACH
    return torch.cartesian_prod(middles, middles).flip(1)
