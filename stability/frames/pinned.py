"""Pinned runs, which are drawn in grey behind another run."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from stability.engine.runs import Run

Pinned = Mapping[str, Run]  # pinned runs by their label
NO_PINS: Pinned = MappingProxyType({})


def pinned_tables(
    run: Run, pinned: Pinned, make_lines: Callable[[Run, int], pa.Table]
) -> dict[str, pa.Table]:
    """Return the table `pinned`, or none where nothing is pinned behind `run`.

    It holds the lines that `make_lines(run, count)` makes of each pinned run so far, without their
    ranges. Further columns: run, the label; pin, its index; named: True at the one point where the
    label stands, in runs long enough.
    """
    if not pinned:
        return {}
    started = {label: other for label, other in pinned.items() if other.measurements}
    if not started:
        return {
            "pinned": add_label(make_lines(run, 1), "", 0, 0.0).slice(0, 0)
        }  # columns, but no row
    tables = []
    for pin, (label, other) in enumerate(started.items()):
        lines = make_lines(other, len(other.measurements))
        tables.append(add_label(lines, label, pin, (pin + 1) / (len(started) + 1)))
    return {"pinned": pa.concat_tables(tables, promote_options="default")}  # some lack `scale`


def pinned_ends(behind: Mapping[str, pa.Table], names: Sequence[str]) -> np.ndarray:
    """Return the least and the largest value of each quantity of all pinned runs, `(Q, 2, 1)`.

    The last axis is 0 long without pinned runs.
    """
    ends = np.empty((len(names), 2, len(behind)))
    for table in behind.values():
        for quantity, name in zip(ends, names, strict=True):
            values = np.append(table[name].to_numpy(), np.nan)
            quantity[:, 0] = np.fmin.reduce(values), np.fmax.reduce(values)
    return ends


def add_label(lines: pa.Table, label: str, pin: int, share: float) -> pa.Table:
    """Return the lines without their ranges, with the columns run, pin and named.

    The label stands after this share of the first scheme's line, so that labels of several runs
    stand side by side.
    """
    drawn = [name for name in lines.column_names if not name.endswith(("_low", "_high"))]
    lines, schemes = lines.select(drawn), lines["scheme"].to_pylist()
    points = schemes.count(schemes[0])
    named = [points > 2 and index == int(points * share) for index in range(len(schemes))]
    runs = pa.array([label] * len(schemes))
    lines = lines.append_column("run", runs).append_column("named", pa.array(named))
    return lines.append_column("pin", pa.array([pin] * len(schemes), pa.int64()))
