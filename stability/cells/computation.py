"""A map, cell by cell."""

from collections.abc import Iterator

from stability.cells.cell import Cell, cell_at
from stability.cells.outcome import outcomes_of
from stability.engine.runs import Run
from stability.records.sweep import Sweep


def compute(sweep: Sweep) -> Iterator[Cell]:
    """Yield the cells of a map, coarse to fine."""
    return filter(None, cells_in_steps(sweep))


def cells_in_steps(sweep: Sweep) -> Iterator[Cell | None]:
    """Yield what `compute` does, and None after each step of training, so that one can stop."""
    for row, column in coarse_to_fine(len(sweep.y_values), len(sweep.x_values)):
        x, y = sweep.x_values[column], sweep.y_values[row]
        run = Run(sweep.experiment_at(x, y), snapshots=False)
        for _ in run:
            yield None
        (outcome,) = outcomes_of(run)
        yield cell_at(sweep, x, y, run.experiment, outcome)


def coarse_to_fine(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield the row and column of each cell: every eighth first, then every fourth, and so on."""
    seen: set[tuple[int, int]] = set()
    for stride in (8, 4, 2, 1):
        pairs = ((r, c) for r in range(0, rows, stride) for c in range(0, columns, stride))
        new = [pair for pair in pairs if pair not in seen]
        seen.update(new)
        yield from new
