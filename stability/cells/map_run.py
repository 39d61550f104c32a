"""A map as a stream, which many read, and which gives way to shorter ones."""

import math
import os
from collections.abc import Iterator
from itertools import product

from stability.cells.cell import Cell
from stability.cells.computation import cells_in_steps
from stability.cells.map_cost import sampled_values
from stability.engine.cost import state_bytes
from stability.engine.streams import Stream
from stability.i18n import LazySentence
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep

CELL_BYTES = 4096  # of a cell: its experiment and its outcome


def layers_of(e: Experiment) -> int:
    """Return how many layers an experiment computes in all its steps: so long it takes, roughly."""
    return e.network_count * e.depth * (e.steps + 1)


class MapRun(Stream[Sweep, Cell]):
    """The cells of a map, coarse to fine; equal for all quantities that a map can show."""

    gives_way = True

    def __init__(self, sweep: Sweep):
        super().__init__(sweep, sweep.length, self._cells)
        self.notices: list[LazySentence] = []  # sentences for those who look at this map
        pairs = [*product(*map(sampled_values, (sweep.x_values, sweep.y_values)))]
        layers = [layers_of(sweep.experiment_at(*pair)) for pair in pairs]
        self._all_layers = sum(layers) / len(layers) * (sweep.length + 1)

    def _cells(self, sweep: Sweep) -> Iterator[Cell | None]:
        """Yield the cells that are there, as a source that starts anew must, then the others.

        Which cells are known on disk or completed by a cluster first differs from start to start.
        """
        there = list(self.measurements)
        yield from there
        seen = {(cell.x, cell.y) for cell in there}
        # Whoever reaches a scheduler can run any program on it, so no link names one.
        scheduler = os.environ.get("STABILITY_SCHEDULER")
        for cell in cells_in_steps(sweep, scheduler, notify=self.notices.append):
            if cell is None or (cell.x, cell.y) not in seen:
                yield cell

    @property
    def seconds_left(self) -> float:
        """About how long the cells that are missing take, by the time that the others took."""
        done = sum(layers_of(cell.experiment) for cell in list(self.measurements))
        return self.seconds * max(0.0, self._all_layers / done - 1) if done else math.nan

    def _count_bytes(self) -> int:
        state = 0 if self.finished or not self.seconds else state_bytes(self.record.base)
        return CELL_BYTES * len(self.measurements) + state
