"""The ends of the axes of a run's charts, and what lies beyond them.

One scheme that diverges would flatten all others. So an axis holds the schemes that do not diverge;
a chart can show all of it instead, or a scheme alone. Every table of limits has a pair of rows for
each of these choices, in this order: the living schemes, everything, each scheme alone. A draw
makes the table last: until then the limits are lists of numbers, by quantity.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from stability.catalogues.schemes import scheme_title
from stability.engine.runs import Run
from stability.frames.arrow import log_ends, log_limits, range_columns
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import number, typographic_minus

# What leaves an axis (the quantity and the words), if at its top, in which row from that edge, and
# from which step shown until which.
BEYOND_COLUMNS = pa.schema(
    {
        "quantity": pa.string(), "beyond": pa.string(), "top": pa.bool_(),
        "row": pa.int16(), "since": pa.int16(), "until": pa.int16(),
    }
)  # fmt: skip
RARE = 0.05  # of the steps: one bad step does not set an axis
BeyondRow = tuple[str, str, bool, int, int, int]
Limits = Mapping[str, Sequence[float]]  # of each quantity the ends of its axes, in pairs


def ends_by_step(rows: pa.Table, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the least and the largest value of a quantity, `(2, S, steps)`; NaN without any.

    The rows are those of `shape`, `(S, steps, layers)` in order.
    """
    low, high = (column.reshape(shape) for column in range_columns(rows, name))
    if shape[-1] == 1:
        return np.stack([low[..., 0], high[..., 0]])
    return np.stack([np.fmin.reduce(low, axis=-1), np.fmax.reduce(high, axis=-1)])


def usual_ends(by_step: np.ndarray) -> np.ndarray:
    """Return the ends `(2, S)` of `(2, S, steps)`, without the rare steps that stand out.

    The first and the newest step always count.
    """
    values = np.concatenate([by_step[0], -by_step[1]])  # (2 x S, steps): of all the least counts
    rare = (RARE * np.isfinite(values).sum(axis=1)).astype(int)
    usual = np.sort(values, axis=1)[np.arange(len(values)), rare]
    low, high = np.fmin(np.fmin(usual, values[:, 0]), values[:, -1]).reshape(2, -1)
    return np.stack([low, -high])


def living_schemes(run: Run) -> np.ndarray:
    """Return for each scheme if none of its networks has diverged; all True if all have."""
    diverged = {scheme for scheme, _ in list(run.breaks)}
    living = np.array([index not in diverged for index in range(len(run.experiment.schemes))])
    return living if living.any() else ~living


def axis_choices(usual: np.ndarray, all_values: np.ndarray, living: np.ndarray) -> list[float]:
    """Return the log axes of a quantity, by the ends `(2, S)` of each scheme, as pairs in a row."""
    pairs = [log_limits(usual[:, living].ravel()), log_limits(all_values)]
    pairs += [log_ends(low, high) for low, high in usual.T.tolist()]
    return [end for pair in pairs for end in pair]


def linear_choices(top: float, usual: np.ndarray, all_values: np.ndarray) -> list[float]:
    """Return axes from 0, up to `top` for the living, as `axis_choices` does."""
    largest = np.fmax.reduce(all_values, axis=None)
    tops = [top, np.fmax(top, largest), *np.fmin(np.fmax(top / 8, usual[1]), 1e300)]
    return [end for high in tops for end in (0.0, float(high))]


def axis_pair(limits: Limits, name: str, choice: int = 0) -> tuple[float, float]:
    """Return the ends of the axis of a choice: 0 the living, 1 everything, 2 the first scheme."""
    return limits[name][2 * choice], limits[name][2 * choice + 1]


def beyond_rows(
    e: Experiment,
    ends: Mapping[str, np.ndarray],
    limits: Limits,
    steps: Sequence[tuple[int, int]],
    rows_before: Mapping[str, int],
    pinned: Mapping[str, np.ndarray],
) -> list[BeyondRow]:
    """Return what leaves the axis of the living, in words such as "↑ Normal 1: to 1e15".

    `ends` are those of each step shown, `(2, S, steps)`; `steps` when each is shown. Each row has
    the BEYOND_COLUMNS.
    """
    rows: list[BeyondRow] = []
    leaves = _("{mark} {name}: to {value}")
    names = [*(scheme_title(scheme) for scheme in e.schemes), _("pinned")]
    for quantity, by_step in ends.items():
        low, high = axis_pair(limits, quantity)
        if quantity in pinned:
            behind = np.broadcast_to(pinned[quantity][:, None, None], (2, 1, len(steps)))
            by_step = np.concatenate([by_step, behind], axis=1)
        for side, mark in ((1, "↑"), (0, "↓")):
            row = rows_before.get(quantity, 0) * side
            values = by_step[side]
            outside = values > high if side else values < low
            for line in np.flatnonzero(outside.any(axis=1)).tolist():
                words = [
                    leaves.format(mark=mark, name=names[line], value=axis_number(value))
                    if out
                    else ""
                    for value, out in zip(values[line], outside[line].tolist(), strict=True)
                ]
                for text, since, until in stretches(words, steps):
                    rows.append((quantity, text, bool(side), row, since, until))
                row += 1
    return rows


def stretches(words: Sequence[str], steps: Sequence[tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Return each text with the steps from which and until which it stays the same."""
    found: list[tuple[str, int, int]] = []
    for text, (since, until) in zip(words, steps, strict=True):
        if found and found[-1][0] == text:
            found[-1] = text, found[-1][1], until
        else:
            found.append((text, since, until))
    return [row for row in found if row[0]]


def axis_number(value: float) -> str:
    """Return a number as axes spell it: 0, 0.02, 350, 1e15."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return number(value, 2)
    return typographic_minus(f"1e{round(np.log10(value))}")
