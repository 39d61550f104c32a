"""What the depth chart draws: measured profiles, theory, and the limits of their axes."""

import numpy as np
import pyarrow as pa

from stability.frames.pinned import NONE, Pinned, pinned_lines
from stability.frames.rules import rules
from stability.frames.tidy import spread, theory
from stability.prediction import predict
from stability.runs import Run
from stability.tabular import THROUGH_DEPTH, limits, showable, table


def depth_tables(run: Run, count: int | None = None, pinned: Pinned = NONE, format: str = "") -> dict[str, pa.Table]:
    """What a depth chart draws of the first `count` measurements (all), with rules where `format` ends (the run's own)."""
    count = count or len(run.measurements)
    lines = {"profiles": profiles(run, count), "theory": theory(predict(run.experiment))}
    lines |= pinned_lines(run, pinned, profiles)
    bounds = limits(THROUGH_DEPTH, *lines.values())
    return lines | {"limits": bounds, "rules": rules(run.experiment, run.measurements[count - 1], bounds, format)}


def profiles(run: Run, count: int) -> pa.Table:
    """Each scheme through the depth, at its newest step among the first `count` at which all its networks were finite.

    Columns: scheme, layer, step, marked; median, `_low` and `_high` of THROUGH_DEPTH.
    """
    e = run.experiment
    shown = [run.profiled(until) for until in run.finite(count)]
    layer = np.arange(1, e.depth + 1)
    columns = {"scheme": np.repeat(e.schemes, e.depth), "layer": np.tile(layer, len(e.schemes))}
    columns |= {"step": np.repeat([m.step for m in shown], e.depth)}
    columns["marked"] = (columns["layer"] - 1) % max(1, e.depth // 6) == 0
    for name in THROUGH_DEPTH:
        values = np.stack([getattr(m, name)[index] for index, m in enumerate(shown)])  # (S, R, L)
        columns |= spread(name, np.moveaxis(showable(name, values), -1, 0))
    return table(columns)
