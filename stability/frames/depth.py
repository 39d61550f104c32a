"""What the depth chart draws: measured profiles, theory, and the limits of their axes."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stability.engine.runs import Run
from stability.records.step_sampling import thin_steps as spread_out
from stability.frames.arrow import DEPTH_QUANTITIES, log_axis_limits, hide_unplottable, arrow_table
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_lines
from stability.frames.tidy import AFTER_EVERY_STEP, MOST_BINS, median_and_range_columns, prediction_table
from stability.records.experiment import Experiment
from stability.theory.prediction import predict

MOST_ROWS = 6000  # of a replay: a browser reads all of them at once


def depth_tables(
    run: Run, count: int | None = None, pinned: Pinned = NO_PINS, format: str = "", moment: int = AFTER_EVERY_STEP, replay: bool = False
) -> dict[str, pa.Table]:
    """What a depth chart draws of the first `count` measurements (all), with rules where `format` ends (the run's own).

    The profiles are those of the step `moment`, or the newest before it; for a `replay`, those of some BINS steps, with it.
    """
    count = count or len(run.measurements)
    every = profile_table(run, count, replayed_steps(run, count, moment))  # the axes hold all that was, and never shrink
    lines = {"profiles": every if replay else profile_table(run, min(count, moment + 1)), "theory": prediction_table(predict(run.experiment))}
    lines |= pinned_lines(run, pinned, lambda kept, until: profile_table(kept, min(until, moment + 1)))
    bounds = log_axis_limits(DEPTH_QUANTITIES, every, *lines.values())
    lines |= {"rules": format_limit_table(run.experiment, run.measurements[count - 1], bounds, format)}
    return lines | {"limits": bounds, "ends": profile_labels(run.experiment, lines["profiles"], bounds)}


def replayed_steps(run: Run, count: int, moment: int) -> list[int]:
    """The steps of a replay, that of `moment` and the newest among them: the fewer, the more layers and schemes there are."""
    e = run.experiment
    most = max(2, min(MOST_BINS, MOST_ROWS // (e.depth * len(e.schemes))))
    return sorted(step for step in {*spread_out(run.profile_steps, most), moment, count - 1} if step < count)


def profile_table(run: Run, count: int, steps: Sequence[int] = ()) -> pa.Table:
    """Each scheme through the depth, at its newest step among the first `count` at which all its networks were finite.

    With `steps`, at each of them, or at the newest step before it of which the profiles are kept. Columns: scheme, layer,
    step, since and until (while a step from `since` to before `until` is asked for, this is what is shown), marked; median,
    `_low` and `_high` of THROUGH_DEPTH.
    """
    e, steps = run.experiment, steps or [count - 1]
    layer, schemes = np.arange(1, e.depth + 1), len(e.schemes)
    shown = [run.newest_profiles(until) for step in steps for until in run.counts_before_divergence(step + 1)]  # steps, schemes
    columns = {"scheme": np.tile(np.repeat(e.schemes, e.depth), len(steps)), "layer": np.tile(layer, len(shown))}
    columns |= {"step": np.repeat([m.step for m in shown], e.depth)}
    for name, found in {"since": [-1, *steps[1:]], "until": [*steps[1:], AFTER_EVERY_STEP + 1]}.items():
        columns[name] = np.repeat(found, schemes * e.depth)
    columns["marked"] = (columns["layer"] - 1) % max(1, e.depth // 6) == 0
    for name in DEPTH_QUANTITIES:
        values = np.stack([getattr(m, name)[index % schemes] for index, m in enumerate(shown)])  # (steps*S, R, L)
        columns |= median_and_range_columns(name, np.moveaxis(hide_unplottable(name, values), -1, 0))
    return arrow_table(columns)


def profile_labels(e: Experiment, lines: pa.Table, bounds: pa.Table) -> pa.Table:
    """Where these profiles end, and while which step is asked for. Columns as in `frames.ends.ends`, since and until."""
    last = lines.filter(pc.equal(lines["layer"], e.depth))
    axes = {name: tuple(bounds[name].to_pylist()) for name in DEPTH_QUANTITIES}
    tables = []
    for start in range(0, last.num_rows, len(e.schemes)):
        rows = last.slice(start, len(e.schemes))
        found = label_table(e, {name: rows[name].to_numpy().astype(float) for name in DEPTH_QUANTITIES}, axes)
        tables.append(found.append_column("since", rows["since"]).append_column("until", rows["until"]))
    return pa.concat_tables(tables)
