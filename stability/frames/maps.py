"""The tables of a map: its cells as far as they are known, one row and one column, all numbers.

A cell that is not computed yet shows the outcome of the nearest one that is.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.cells.cell import Cell
from stability.diagnosis.words import HARM
from stability.frames.arrow import arrow_table, chart_table
from stability.frames.map_border import map_border_frame
from stability.i18n import N_, _
from stability.records.map_quantities import QUANTITIES, MapQuantity
from stability.records.sweep import Sweep, sweep_axis
from stability.records.sweep_axis import SCHEME_VALUE, SweepAxis
from stability.text import lower_first, number, percent

SHARES = 0.0, 1.0  # the ends of a quantity that is a share
BORDER_NAMES = {"xi": "1 ξ", "reach": "6 ξ", "edge": N_("edge of chaos")}  # as drawn beside them
NOT_YET = N_("not computed yet; the nearest {verdict}")  # and its verdict


def map_tables(sweep: Sweep, cells: Sequence[Cell]) -> dict[str, pa.Table]:
    """Return the tables of the heat map of these cells, in any order.

    cells: cell (its column and row, as in `3,7`), x, x2, y, y2 (where it begins and ends), x_value,
    y_value, value (the mean over the replicates within the ends of the colours, null where it is
    not finite), word (the verdict), diverged, computed (False where these are of the nearest cell),
    and for its tooltip x_words, y_words, value_words, verdict and learned. border: line, part and
    order along it, x, y, text (of the last row of each line).
    """
    index = cell_indices(sweep, cells)
    shown = [cells[place] for place in nearest_known(index).ravel() if place >= 0]
    computed = (index >= 0).ravel()[: len(shown)]
    columns = cell_columns(sweep, shown)
    words = np.array([*map(_, columns["word"])], dtype=str)
    waiting = np.array([_(NOT_YET).format(verdict=word) for word in words], dtype=str)
    columns["verdict"] = np.where(computed, words, waiting)
    return {"cells": chart_table(columns | {"computed": computed}), "border": border_table(sweep)}


def border_table(sweep: Sweep) -> pa.Table:
    """Return the lines that theory draws over a map; the columns of `border` in `map_tables`."""
    points = map_border_frame(sweep)
    is_last = ~points["line"].duplicated(keep="last")
    points["text"] = (
        points["line"]
        .map({name: _(text) for name, text in BORDER_NAMES.items()})
        .where(is_last, "")
        .astype(str)
    )
    return chart_table({name: values.to_numpy() for name, values in points.items()})


def cell_columns(sweep: Sweep, shown: Sequence[Cell]) -> dict[str, Any]:
    """Return the columns of a map that shows these cells, row by row from the bottom up."""
    axes = [map_axis(sweep, letter) for letter in "xy"]
    x_edges, y_edges = (cell_edges(axis.values, axis.is_log) for axis in axes)
    rows, columns = np.indices((len(sweep.y_values), len(sweep.x_values))).reshape(2, -1)
    rows, columns = rows[: len(shown)], columns[: len(shown)]
    values = np.array([shown_value(sweep, cell) for cell in shown], dtype=float)
    words = [[axis.knob.title(value) for value in axis.values] for axis in axes]
    return {
        "cell": [f"{column},{row}" for column, row in zip(columns, rows, strict=True)],
        "x": x_edges[columns],
        "x2": x_edges[columns + 1],
        "y": y_edges[rows],
        "y2": y_edges[rows + 1],
        "x_value": np.asarray(sweep.x_values, dtype=float)[columns],
        "y_value": np.asarray(sweep.y_values, dtype=float)[rows],
        "value": values,
        "word": np.array([cell.outcome.verdict for cell in shown], dtype=str),
        "diverged": np.array([is_diverged(cell) for cell in shown], dtype=bool),
        "x_words": np.array(words[0])[columns],
        "y_words": np.array(words[1])[rows],
        "value_words": [value_in_words(sweep, cell) for cell in shown],
        "learned": [learned_in_words(cell) for cell in shown],
    }


def map_axis(sweep: Sweep, letter: str) -> SweepAxis:
    """Return axis "x" or "y" of a map."""
    return sweep_axis(sweep.settings(), letter)


def axis_title(sweep: Sweep, letter: str) -> str:
    """Return the name of an axis for people: the setting, or the value of the initialization."""
    (row,), name = sweep.base.scheme_rows, getattr(sweep, letter)
    if name != SCHEME_VALUE:
        return axis_label(sweep, letter)
    return _("{value_name} of {scheme}").format(value_name=row.value_name, scheme=row.label)


def axis_label(sweep: Sweep, letter: str) -> str:
    """Return the label of the setting that an axis varies: `Depth`, `sigma_w`."""
    label = map_axis(sweep, letter).knob.label
    return lower_first(label) if "_" in label else label


def quantity_ends(sweep: Sweep) -> tuple[float, float]:
    """Return the values at the ends of the colours: those of the quantity, or 0 and all steps."""
    varied = [map_axis(sweep, letter).high for letter in "xy" if getattr(sweep, letter) == "steps"]
    return sweep.quantity_row.domain or (0.0, max([float(sweep.base.steps), *varied]))


def curve_quantity(row: MapQuantity) -> MapQuantity:
    """Return the quantity of a curve: that of the map; for words the share that learns."""
    return QUANTITIES["learns"] if row.is_word else row


def cut_ends(sweep: Sweep) -> tuple[float, float]:
    """Return the ends of the axis of a curve."""
    return SHARES if sweep.quantity_row.is_word else quantity_ends(sweep)


def cell_edges(values: Sequence[float], is_log: bool) -> np.ndarray:
    """Return where cells begin and end, `(n + 1,)`: halfway between the values of an axis.

    On a log axis halfway is the geometric mean. The first and the last cell reach as far beyond
    their value as within.
    """
    centres = np.log(values) if is_log else np.asarray(values, dtype=float)
    halfway = (centres[1:] + centres[:-1]) / 2
    first, last = (
        (halfway[0], halfway[-1]) if len(halfway) else (centres[0] - 0.5, centres[0] + 0.5)
    )
    edges = np.array([2 * centres[0] - first, *halfway, 2 * centres[-1] - last])
    return np.exp(edges) if is_log else edges


def cell_indices(sweep: Sweep, cells: Sequence[Cell]) -> np.ndarray:
    """Return the index of the cell of each row and column `(rows, columns)`; -1 where none is."""
    columns, rows = (
        {value: place for place, value in enumerate(values)}
        for values in (sweep.x_values, sweep.y_values)
    )
    index = np.full((len(rows), len(columns)), -1)
    for place, cell in enumerate(cells):
        index[rows[cell.y], columns[cell.x]] = place
    return index


def nearest_known(index: np.ndarray) -> np.ndarray:
    """Return a grid of indices in which each unknown one, -1, is that of the nearest known cell.

    The known cells grow by one in all directions until they meet. A grid without any stays as it
    is.
    """
    filled = index.copy()
    rows, columns = filled.shape
    while (filled < 0).any() and (filled >= 0).any():
        padded = np.pad(filled, 1, constant_values=-1)
        for down, right in ((1, 0), (1, 2), (0, 1), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
            neighbour = padded[down : down + rows, right : right + columns]
            filled = np.where(filled < 0, neighbour, filled)
    return filled


def shown_value(sweep: Sweep, cell: Cell) -> float:
    """Return the number that decides the colour of a cell, within the ends of the colours.

    NaN where it is not finite, and after training that diverged; a word has none.
    """
    row = sweep.quantity_row
    if row.is_word or (is_diverged(cell) and not row.is_of_start):
        return math.nan
    mean, (low, high) = mean_value(getattr(cell.outcome, row.key)), quantity_ends(sweep)
    return min(max(mean, low), high) if math.isfinite(mean) else math.nan


def mean_value(values: Sequence[float]) -> float:
    return sum(values) / len(values)  # of a few: an array takes ten times as long


def is_diverged(cell: Cell) -> bool:
    """Return True if training the networks of a cell did harm."""
    return cell.outcome.verdict in HARM


def value_in_words(sweep: Sweep, cell: Cell) -> str:
    """Return the quantity of a cell in words: `97 %`, `0.12 (0.1 to 0.14)`, `never`."""
    row = sweep.quantity_row
    values = getattr(cell.outcome, row.key)
    if row.is_word:
        return _(str(values))
    low, mean, high = (
        spell_quantity(row, value) for value in (min(values), mean_value(values), max(values))
    )
    spread = _("{mean} ({low} to {high})").format(mean=mean, low=low, high=high)
    return mean if low == high else spread


def spell_quantity(row: MapQuantity, value: float) -> str:
    """Return one value of a quantity with its unit."""
    if not math.isfinite(value):
        return row.not_finite
    if row.domain == SHARES:
        return percent(value)
    return f"{number(value)} {row.unit}".rstrip()


def learned_in_words(cell: Cell) -> str:
    learns = cell.outcome.learns
    return _("{count} of {all}").format(count=int(sum(learns)), all=len(learns))


def cut_tables(sweep: Sweep, cells: Sequence[Cell], column: int, row: int) -> dict[str, pa.Table]:
    """Return the table of the row and of the column through one cell, as far as they are computed.

    cut: letter ("x" along the row, "y" along the column), at, value, low and high (the mean and the
    range over the replicates, null where they are not finite), word, diverged, chosen (the cell
    itself), at_words, value_words and learned.
    """
    index = cell_indices(sweep, cells)
    along = {
        "x": [cells[place] for place in index[row] if place >= 0],
        "y": [cells[place] for place in index[:, column] if place >= 0],
    }
    pairs = [(letter, cell) for letter, found in along.items() for cell in found]
    titles = {letter: map_axis(sweep, letter).knob.title for letter in "xy"}
    chosen = sweep.x_values[column], sweep.y_values[row]
    ranges = np.array([value_range(sweep, cell) for _, cell in pairs], dtype=float).reshape(-1, 3)
    return {"cut": arrow_table({
        "letter": [letter for letter, _ in pairs],
        "at": np.array([getattr(cell, letter) for letter, cell in pairs], dtype=float),
        "value": ranges[:, 1], "low": ranges[:, 0], "high": ranges[:, 2],
        "word": [_(cell.outcome.verdict) for _letter, cell in pairs],
        "diverged": np.array([is_diverged(cell) for _, cell in pairs], dtype=bool),
        "chosen": np.array([(cell.x, cell.y) == chosen for _, cell in pairs], dtype=bool),
        "at_words": [titles[letter](getattr(cell, letter)) for letter, cell in pairs],
        "value_words": [value_in_words(sweep, cell) for _, cell in pairs],
        "learned": [learned_in_words(cell) for _, cell in pairs],
    })}  # fmt: skip


def value_range(sweep: Sweep, cell: Cell) -> list[float]:
    """Return the smallest, the mean and the largest value of a quantity; for a word who learns."""
    row = curve_quantity(sweep.quantity_row)
    values = getattr(cell.outcome, row.key)
    found = [min(values), mean_value(values), max(values)]
    if (is_diverged(cell) and not row.is_of_start) or not all(map(math.isfinite, found)):
        return [math.nan] * 3
    return [float(value) for value in np.clip(found, *cut_ends(sweep))]


def map_frame(sweep: Sweep, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return a row for each cell and replicate, in any order.

    Columns: the two settings by their names, replicate (from 0), and every quantity.
    """
    columns = [sweep.x, sweep.y, "replicate", *QUANTITIES]
    rows: list[dict[str, Any]] = [
        {sweep.x: cell.x, sweep.y: cell.y, "replicate": replicate}
        | dict(zip(QUANTITIES, replicate_values(cell, replicate), strict=True))
        for cell in cells
        for replicate in range(len(cell.outcome.learns))
    ]
    return pd.DataFrame(rows, columns=columns)


def replicate_values(cell: Cell, replicate: int) -> list[Any]:
    """Return the quantities of one replicate, in the order of QUANTITIES; a word is that of all."""
    values = [getattr(cell.outcome, key) for key in QUANTITIES]
    return [one if isinstance(one, str) else float(one[replicate]) for one in values]


def cell_frame(sweep: Sweep, cells: Sequence[Cell]) -> pd.DataFrame:
    """Return a row for each cell, the lowest row of the map first.

    Columns: column and row (from 0), x, y, learned (in words), and every quantity: its mean over
    the replicates, null where it is not finite, or the word.
    """
    index = cell_indices(sweep, cells)
    columns = ["column", "row", "x", "y", "learned", *QUANTITIES]
    rows = [
        {"column": column, "row": row, "x": cells[place].x, "y": cells[place].y}
        | {"learned": learned_in_words(cells[place])}
        | {key: finite_mean(cells[place], quantity) for key, quantity in QUANTITIES.items()}
        for (row, column), place in np.ndenumerate(index)
        if place >= 0
    ]
    return pd.DataFrame(rows, columns=columns)


def finite_mean(cell: Cell, row: MapQuantity) -> float | str | None:
    """Return the mean of a quantity over the replicates, None where it is not finite; or a word."""
    values = getattr(cell.outcome, row.key)
    if row.is_word:
        return _(str(values))
    mean = mean_value(values)
    return mean if math.isfinite(mean) else None
