"""Units that are alike: rows of a weight that have equal numbers, and equal gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stability.modules.sizes import plain

FEW_COLUMNS = 16
MOST_ALONE = 0.5  # of the rows: with fewer twins a layer has units enough
ROUNDING = 1e-5  # of the largest: gradients closer than that count as equal


@dataclass(frozen=True)
class Twins:
    """The share of units that have a twin, of `units`; their gradients are equal and not 0."""

    share: float
    units: int


def rows_of(weight: Tensor) -> Tensor:
    return plain(weight).flatten(1)


def row_codes(weight: Tensor) -> Tensor:
    """Return a number for each row, which equal rows share."""
    rows = rows_of(weight).double() if weight.numel() < 2**22 else rows_of(weight)
    generator = torch.Generator().manual_seed(1)
    mix = torch.rand(rows.shape[1], generator=generator, dtype=torch.float64).to(rows)
    return rows @ mix


def rows_by_code(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each row its group, and for each group the number of its rows."""
    _, group, counts = torch.unique(codes, return_inverse=True, return_counts=True)
    return group, counts


def has_twin_rows(weight: Tensor) -> bool:
    """Return True if at least half of the rows of a matrix are alike."""
    if weight.dim() < 2 or weight.shape[0] < 2 or not weight.is_floating_point():
        return False
    for columns in (FEW_COLUMNS, None):  # most weights differ in the first few already
        group, counts = rows_by_code(row_codes(weight.flatten(1)[:, :columns]))
        if (counts[group] > 1).float().mean() < MOST_ALONE:
            return False
    return True


def twin_rows(weight: Tensor, gradient: Tensor) -> Twins | None:
    """Return the share of rows with a twin of equal numbers and equal gradient, not both zero."""
    group, counts = rows_by_code(row_codes(weight))
    rows = rows_of(gradient)
    most = rows.abs().max()
    if most == 0 or not torch.isfinite(most):
        return None
    mix = torch.rand(rows.shape[1], generator=torch.Generator().manual_seed(2)).to(rows)
    alike = 0
    for index in (counts > 1).nonzero().flatten().tolist():
        members = rows[group == index]
        members = members[members.abs().amax(1) > ROUNDING * most]
        codes = (members @ mix).sort().values
        near = codes.diff() <= ROUNDING * most * mix.norm()
        # A row has a twin where it is close to the one before or to the one after.
        if len(near):
            edge = near.new_zeros(1)
            alike += int((torch.cat([near, edge]) | torch.cat([edge, near])).sum())
    return Twins(alike / len(rows), len(rows))
