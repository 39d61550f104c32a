"""The ends of the axes of a run's charts, and what lies beyond them.

One scheme that diverges would flatten all others. So an axis holds the schemes that do not diverge;
a chart can show all of it instead, or a scheme alone. Every table of limits has a pair of rows for
each of these choices, in this order: the living schemes, everything, each scheme alone. A draw
makes the table last: until then the limits are lists of numbers, by quantity.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from stability.catalogues.schemes import scheme_title
from stability.engine.runs import Run
from stability.frames.arrow import log_ends
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
SIGNS = np.array([1, -1])[:, None, None]  # of lower and of upper ends: then the least counts
RARE = 0.05  # of the steps: one bad step does not set an axis
BeyondRow = tuple[str, str, bool, int, int, int]
Limits = Mapping[str, Sequence[float]]  # of each quantity the ends of its axes, in pairs


def outermost(ends: np.ndarray) -> np.ndarray:
    """Return the least and the largest number along the last axis of ends `(Q, 2, ...)`.

    That axis is gone; NaN where there is no number.
    """
    found = np.empty(ends.shape[:-1])
    np.fmin.reduce(ends[:, 0], axis=-1, out=found[:, 0])
    np.fmax.reduce(ends[:, 1], axis=-1, out=found[:, 1])
    return found


def usual_ends(by_step: np.ndarray) -> np.ndarray:
    """Return the ends `(Q, 2, S)` of `(Q, 2, S, steps)`, without the rare steps that stand out.

    The first and the newest step always count.
    """
    lines = (by_step * SIGNS).reshape(-1, by_step.shape[-1])  # (Q x 2 x S, steps)
    rare = (RARE * np.isfinite(lines).sum(axis=1)).astype(int)
    usual = np.sort(lines, axis=1)[np.arange(len(lines)), rare]
    ends = np.fmin(np.fmin(usual, lines[:, 0]), lines[:, -1])
    return np.asarray(ends.reshape(by_step.shape[:-1]) * SIGNS[..., 0])


def living_schemes(run: Run) -> np.ndarray:
    """Return for each scheme if none of its networks has diverged; all True if all have."""
    diverged = {scheme for scheme, _ in list(run.breaks)}
    living = np.array([index not in diverged for index in range(len(run.experiment.schemes))])
    return living if living.any() else ~living


def ends_of_choices(usual: np.ndarray, everything: np.ndarray, living: np.ndarray) -> np.ndarray:
    """Return the ends of the numbers on each choice of axes, `(Q, 2, 2 + S)`.

    `usual` are those of each scheme `(Q, 2, S)`, `everything` of all numbers `(Q, 2)`.
    """
    of_living = outermost(usual[..., living])
    return np.concatenate([of_living[..., None], everything[..., None], usual], axis=2)


def log_choices(ends: np.ndarray) -> list[float]:
    """Return the log axes of a quantity, by the ends `(2, 2 + S)` of its numbers, as pairs."""
    return [end for low, high in ends.T.tolist() for end in log_ends(low, high)]


def linear_choices(top: float, ends: np.ndarray) -> list[float]:
    """Return axes from 0, up to `top` for the living, as `log_choices` does."""
    _, largest, *alone = ends[1].tolist()
    tops = [top, np.fmax(top, largest), *np.fmin(np.fmax(top / 8, alone), 1e300)]
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
) -> list[BeyondRow]:
    """Return what leaves the axis of the living, in words such as "↑ Normal 1: to 1e15".

    `ends` are those of each step shown, `(2, S, steps)`, of pinned runs behind the schemes; `steps`
    when each is shown. Each row has the BEYOND_COLUMNS.
    """
    rows: list[BeyondRow] = []
    leaves = _("{mark} {name}: to {value}")
    names = [*(scheme_title(scheme) for scheme in e.schemes), _("pinned")]
    for quantity, by_step in ends.items():
        low, high = axis_pair(limits, quantity)
        for side, mark in ((1, "↑"), (0, "↓")):
            row = rows_before.get(quantity, 0) * side
            for name, values in zip(names, by_step[side].tolist(), strict=False):
                words = [
                    leaves.format(mark=mark, name=name, value=axis_number(value))
                    if (value > high if side else value < low)
                    else ""
                    for value in values
                ]
                for text, since, until in stretches(words, steps):
                    rows.append((quantity, text, bool(side), row, since, until))
                row += any(words)
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
    return typographic_minus(f"1e{round(math.log10(value))}")
