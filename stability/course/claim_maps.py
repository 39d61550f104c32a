"""The quantities of maps that a claim can name: they follow from which of the cells learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stability.course.claim_indices import IndexKind
from stability.course.claim_prefix import PendingError, StreamPrefix
from stability.frames.maps import axis_label
from stability.i18n import _
from stability.records.sweep import Sweep, sweep_axis
from stability.text import exact_number, lower_first, number, parse_number, quote
from stability.theory.trainability import fixed_points_on, survival_scale, why_no_theory

PLACES = "first", "middle", "last"


@dataclass(frozen=True, eq=False)
class AxisIndex(IndexKind):
    """The nearest value of an axis of a map, or one of PLACES; it stands for its place from 0."""

    letter: str = "x"

    def read(self, text: str) -> Any:
        value = parse_number(text)
        if text not in PLACES and np.isnan(value):
            raise ValueError(f"{self.noun} is {', '.join(PLACES)} or a number, not {quote(text)}")
        return text if text in PLACES else value

    def resolve(self, record: Sweep, index: Any, label: str) -> int:
        values = np.array(getattr(record, f"{self.letter}_values"))
        if index in PLACES:
            return [0, len(values) // 2, len(values) - 1][PLACES.index(index)]
        low, high = values[[0, -1]]
        if not low <= index <= high:
            sentence = _("this claim speaks of {value}, and the map goes from {low} to {high}")
            ends = {"low": number(low), "high": number(high)}
            raise ValueError(sentence.format(value=number(index), **ends))
        if sweep_axis(record.settings(), self.letter).is_log:
            values, index = np.log(values), np.log(index)
        return int(np.argmin(abs(values - index)))


def axis_index(noun: str, letter: str) -> AxisIndex:
    """Return the index of the columns or of the rows."""

    def phrase(sweep: Sweep, place: int) -> str:
        value = getattr(sweep, f"{letter}_values")[place]
        return _(" at {setting} {value}").format(
            setting=lower_first(axis_label(sweep, letter)), value=exact_number(value)
        )

    return AxisIndex(noun, PLACES, phrase, letter=letter)


COLUMN, ROW = axis_index("a value across", "x"), axis_index("a value upward", "y")


def values_of_cells(prefix: StreamPrefix, name: str, xs: Any = (), ys: Any = ()) -> np.ndarray:
    """Return a quantity of the outcomes of a map `(rows, columns, R)`, at these values or at all.

    PendingError where one of the cells is not computed yet.
    """
    sweep, cells = prefix.record, prefix.stream.measurements[: prefix.count]
    known = {(cell.x, cell.y): getattr(cell.outcome, name) for cell in cells}
    places = [[(x, y) for x in xs or sweep.x_values] for y in ys or sweep.y_values]
    if not {place for row in places for place in row} <= known.keys():
        raise PendingError(_("cells are still to come"))
    return np.array([[known[place] for place in row] for row in places])


def learns_up_to(prefix: StreamPrefix, column: int) -> np.ndarray:
    """Return the largest value upward whose network learns in this column, 0 if none does."""
    learns = values_of_cells(prefix, "learns", xs=[prefix.record.x_values[column]])[:, 0] > 0.5
    values = np.array(prefix.record.y_values, dtype=float)[:, None]
    return np.asarray(np.where(learns, values, 0.0).max(axis=0))


def best_across(prefix: StreamPrefix, row: int) -> np.ndarray:
    """Return the value across with the lowest held-out loss of this row."""
    loss = values_of_cells(prefix, "relative_loss", ys=[prefix.record.y_values[row]])[0]
    return np.array([prefix.record.x_values[place] for place in loss.argmin(axis=0)], dtype=float)


def learning_cells(prefix: StreamPrefix) -> np.ndarray:
    """Return the number of cells whose network learns."""
    return np.asarray((values_of_cells(prefix, "learns") > 0.5).sum(axis=(0, 1)))


def mean_turns(prefix: StreamPrefix) -> np.ndarray:
    """Return how often a row turns between learning and not learning, a mean over the rows."""
    learns = values_of_cells(prefix, "learns") > 0.5
    return np.asarray((learns[:, 1:] != learns[:, :-1]).sum(axis=1).mean(axis=0))


def scale_correlation(prefix: StreamPrefix) -> np.ndarray:
    """Return the rank correlation, over the columns, of `learns_up_to` with theory's depth scale.

    It is NaN where there is no theory, or all columns are alike.
    """
    sweep = prefix.record
    columns = range(len(sweep.x_values))
    deepest = np.array([learns_up_to(prefix, column) for column in columns])  # (columns, R)
    if why_no_theory(sweep.experiment_at(sweep.x_values[-1], sweep.y_values[-1])):
        return np.full(deepest.shape[1], np.nan)
    scale = survival_scale(fixed_points_on(sweep, "x", sweep.x_values))
    ranks = pd.Series(np.nan_to_num(scale, posinf=1e300)).rank()
    with np.errstate(invalid="ignore"):
        return np.array([ranks.corr(pd.Series(column).rank()) for column in deepest.T])
