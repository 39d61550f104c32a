"""The cells of a map."""

from dataclasses import dataclass

from stability.cells.outcome import Outcome
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep


@dataclass(frozen=True)
class Cell:
    """One cell of a map: the values of its two settings, its experiment and its outcome.

    `value` is the mean of the map's quantity over the replicates, or a word.
    """

    x: float
    y: float
    experiment: Experiment
    value: float | str
    outcome: Outcome


def cell_at(sweep: Sweep, x: float, y: float, experiment: Experiment, outcome: Outcome) -> Cell:
    """Return the cell of a map at these values, with its quantity of this outcome."""
    return Cell(x, y, experiment, outcome.value(sweep.quantity), outcome)
