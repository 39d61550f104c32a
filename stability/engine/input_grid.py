"""The fixed grid in the space of standardised inputs on which learned functions are evaluated."""

import torch

# Standard deviations from the mean at which the square and the line end: 97 % of all data lie
# inside, at any noise.
GRID_REACH = 2.5
GRID_SIDE, LINE_POINTS = 32, 200  # cells along a side of the square, and points of the line

_cell = 2 * GRID_REACH / GRID_SIDE
_middles = (torch.arange(GRID_SIDE, dtype=torch.float64) + 0.5) * _cell - GRID_REACH
# Grids by the number of plotted inputs, float64 `(points, inputs)`. In the plane the points are
# cell centres, row by row from below, each row from the left.
INPUT_GRIDS = {
    0: torch.empty(0, 0, dtype=torch.float64),
    1: torch.linspace(-GRID_REACH, GRID_REACH, LINE_POINTS, dtype=torch.float64).unsqueeze(1),
    2: torch.cartesian_prod(_middles, _middles).flip(1),
}
