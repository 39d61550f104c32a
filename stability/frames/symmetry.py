"""The tables of how many hidden units differ, and of what each symmetry does to the output."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.replicates import median_of_finite, worst_replicate
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table
from stability.frames.tidy import runs_of_equal_values
from stability.i18n import _
from stability.probes.symmetries import SYMMETRIES, symmetry_changes
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps
from stability.text import join_sentences

ROUNDING_SHARE = 1e-9  # of the largest output: what moves it by less is rounding


def symmetry_tables(run: Run, count: int | None = None) -> dict[str, pa.Table]:
    """Return the table `distinct` of the heat maps after `count` measurements (all).

    Its steps are those at which units were counted and kept. Columns: scheme, layer and last
    (neighbouring hidden layers with as many distinct units share a row, to save the browser
    work), step, since and until (halfway to the steps before and after), distinct (the median over
    the replicates, null where none is finite), share (of the width).
    """
    e, count = run.experiment, count or len(run.measurements)
    steps = sorted(sampled_steps(e.steps) & run.profile_steps)
    edges = np.array([0, *((one + other) / 2 for one, other in pairwise(steps)), e.steps])
    shown = [step for step in steps if step < count]
    values = np.stack([run.measurements[step].distinct for step in shown])  # (shown, S, R, L-1)
    medians = np.moveaxis(median_of_finite(values, axis=2), 0, 1)  # (S, shown, L-1)
    (scheme, index, layer), lengths = runs_of_equal_values(medians)
    distinct = medians[scheme, index, layer]
    columns = {
        "scheme": np.array(e.schemes)[scheme],
        "layer": layer + 1,
        "last": layer + lengths,
        "step": np.array(steps)[index],
        "since": edges[index],
        "until": edges[index + 1],
        "distinct": distinct,
        "share": distinct / np.array(e.hidden_widths)[layer],
    }
    return {"distinct": arrow_table(columns)}


def symmetry_frame(e: Experiment, layer: int = 1, units: tuple[int, int] = (0, 1)) -> pd.DataFrame:
    """Return a row for each symmetry and scheme, the worst of its replicates; none at depth 1.

    Columns: scheme (its title), symmetry, moved, size, share (moved / size), unnoticed (True if it
    is a symmetry of this network), note (why not, or that it is one of these weights alone). Null
    where the output is not finite.
    """
    columns = ["scheme", "symmetry", "moved", "size", "share", "unnoticed", "note"]
    frames = [pd.DataFrame(columns=columns)]
    for key, change in symmetry_changes(e, layer, units).items():
        note = SYMMETRIES[key].why_broken(e, layer)
        sizes = {"moved": worst_replicate(change.moved), "size": worst_replicate(change.size)}
        keys = {"scheme": [row.title for row in e.scheme_rows], "symmetry": SYMMETRIES[key].label}
        frame = pd.DataFrame(keys | sizes)
        share = frame["moved"] / frame["size"]  # 0 / 0 is null
        by_luck = bool(note) & (frame["moved"] <= ROUNDING_SHARE * frame["size"])
        note_by_row = np.where(by_luck, join_sentences(_("Of these weights alone."), note), note)
        frames.append(frame.assign(share=share, unnoticed=by_luck | (not note), note=note_by_row))
    return pd.concat(frames[1:] or frames, ignore_index=True)
