"""How many different hidden units there are while training, and what can be done to two of them unnoticed."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.runs import Run
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.frames.arrow import arrow_table
from stability.probes.symmetries import SYMMETRIES, symmetry_changes
from stability.records.experiment import Experiment


def symmetry_tables(run: Run, count: int | None = None) -> dict[str, pa.Table]:
    """What the heat maps draw of the first `count` measurements (all): `distinct`, where it was taken and kept.

    Columns: scheme, layer and last (neighbouring hidden layers with as many units: a browser pays for every row), step, since
    and until (halfway to the steps before and after), distinct (the middle replicate, null where it is not finite), share (of
    the width).
    """
    e, count = run.experiment, count or len(run.measurements)
    taken = sorted(evenly_spread_steps(e.steps, SAMPLED_STEPS) & run.profile_steps)
    edges = np.array([0, *((one + other) / 2 for one, other in pairwise(taken)), e.steps])
    shown = np.flatnonzero(np.array(taken) < count)
    values = np.stack([run.measurements[taken[index]].distinct for index in shown])  # (taken, S, R, L-1)
    middle = np.moveaxis(np.sort(values, axis=2)[:, :, e.replicates // 2], 0, 1)  # (S, taken, L-1), NaN last
    (scheme, index, layer), lengths = runs_of_equal_values(middle)
    index, distinct = shown[index], middle[scheme, index, layer]
    columns = {"scheme": np.array(e.schemes)[scheme], "layer": layer + 1, "last": layer + lengths}
    columns |= {"step": np.array(taken)[index], "since": edges[index], "until": edges[index + 1]}
    return {"distinct": arrow_table(columns | {"distinct": distinct, "share": distinct / e.width})}


def runs_of_equal_values(values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Where along the last axis another value begins, NaN being one, as indices; and how long it stays."""
    before, after = values[..., :-1], values[..., 1:]
    first = np.ones(values.shape, dtype=bool)
    first[..., 1:] = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return first.nonzero(), np.diff(np.append(np.flatnonzero(first), first.size))


def symmetry_frame(e: Experiment, layer: int = 1, units: tuple[int, int] = (0, 1)) -> pd.DataFrame:
    """Every symmetry of every scheme, the worst of its replicates; no row where `symmetry.absent` says why.

    Columns: scheme, symmetry, moved, size, share (moved of size), unnoticed (whether it is one here), note (why not). Null
    where the output is not finite.
    """
    rows = []
    for key, change in symmetry_changes(e, layer, units).items():
        note = SYMMETRIES[key].why_broken(e, layer)
        numbers = pd.DataFrame({"moved": change.moved.max(axis=1), "size": change.size.max(axis=1)})
        numbers["share"] = numbers["moved"] / numbers["size"]  # 0 of 0 is null
        words = {"scheme": [row.title for row in e.scheme_rows], "symmetry": SYMMETRIES[key].label}
        rows.append(pd.DataFrame(words).join(numbers).assign(unnoticed=not note, note=note))
    columns = "scheme", "symmetry", "moved", "size", "share", "unnoticed", "note"
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)
