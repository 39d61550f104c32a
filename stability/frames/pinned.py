"""Runs that are kept, in grey, behind another."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa

from stability.engine.runs import Run

Pinned = Mapping[str, Run]  # runs that are kept behind another, by their label
NO_PINS: Pinned = MappingProxyType({})


def pinned_lines(run: Run, pinned: Pinned, make: Callable[[Run, int], pa.Table]) -> dict[str, pa.Table]:
    """The table `pinned`, where runs are kept behind `run`: what `make` makes of them, so far as they have come.

    Further columns: run, the label, and named: True where it is written, once a run that is long enough.
    """
    if not pinned:
        return {}
    begun = {label: kept for label, kept in pinned.items() if kept.measurements}
    if not begun:
        return {"pinned": labelled(make(run, 1), "", 0.0).slice(0, 0)}  # the columns, and no row
    tables = [
        labelled(make(kept, len(kept.measurements)), label, (place + 1) / (len(begun) + 1))
        for place, (label, kept) in enumerate(begun.items())
    ]
    return {"pinned": pa.concat_tables(tables, promote_options="default")}  # one may have a loss scale


def labelled(lines: pa.Table, label: str, share: float) -> pa.Table:
    """With the columns run and named, the latter after this share of the first scheme's line: runs are named side by side."""
    schemes = lines["scheme"].to_pylist()
    points = schemes.count(schemes[0])
    named = pa.array([index == int(points * share) and points > 2 for index in range(len(schemes))])
    return lines.append_column("run", pa.array([label] * len(schemes))).append_column("named", named)
