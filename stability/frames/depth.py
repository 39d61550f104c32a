"""The tables of the depth chart: measured profiles, theory, labels, and the limits of the axes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stability.engine.runs import Run
from stability.frames.arrow import DEPTH_QUANTITIES, arrow_table
from stability.frames.axes import (
    axis_choices,
    beyond_table,
    ends_by_step,
    living_schemes,
    usual_ends,
)
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_choices
from stability.frames.pinned import NO_PINS, Pinned, pinned_ends, pinned_tables
from stability.frames.run_panels import DEPTH_PANELS, panel_heights
from stability.frames.tidy import (
    AFTER_EVERY_STEP,
    MOST_BINS,
    median_and_range_columns,
    prediction_table,
)
from stability.records.experiment import Experiment
from stability.records.step_sampling import thin_steps
from stability.theory.prediction import predict

ENDS = "low", "high"
MOST_REPLAY_ROWS = 6000  # a browser reads all of them at once


def depth_tables(
    run: Run,
    count: int | None = None,
    pinned: Pinned = NO_PINS,
    format: str = "",
    step_shown: int = AFTER_EVERY_STEP,
    replay: bool = False,
    panels: Sequence[str] = DEPTH_PANELS,
) -> dict[str, pa.Table]:
    """Return the tables of a depth chart after `count` measurements (all).

    `profiles` at the step shown or the newest before it, in a replay at further steps, too;
    `theory`; `rules` at the limits of `format` (by default the run's); `ends` (labels); `limits`;
    with pinned runs `pinned`. `panels` are those drawn, the lead first.
    """
    count, e = count or len(run.measurements), run.experiment
    replayed = profile_table(run, count, replayed_steps(run, count, step_shown))
    shown = replayed if replay else profile_table(run, min(count, step_shown + 1))
    theory = prediction_table(predict(e))
    behind = pinned_tables(
        run, pinned, lambda kept, until: profile_table(kept, min(until, step_shown + 1))
    )
    # The axes hold the replayed steps, so that they never shrink.
    limits = profile_limits(run, replayed, theory, behind)
    return behind | {
        "profiles": shown,
        "theory": theory,
        "rules": format_limit_table(e, run.measurements[count - 1], limits, format),
        "limits": limits,
        "beyond": profiles_beyond(e, shown, limits, behind),
        "ends": profile_labels(e, shown, limits, panels),
    }


def profile_limits(
    run: Run, replayed: pa.Table, theory: pa.Table, behind: Mapping[str, pa.Table]
) -> pa.Table:
    """Return the limits of the axes of all profiles, in pairs of rows, as in `axes`."""
    e, living, limits = run.experiment, living_schemes(run), {}
    for name in DEPTH_QUANTITIES:
        measured = profile_ends(e, replayed, name)
        predicted = ends_by_step(theory, name, (len(e.schemes), 1, e.depth))[..., 0]
        usual = usual_ends(measured)
        both = np.stack([np.fmin(usual[0], predicted[0]), np.fmax(usual[1], predicted[1])])
        others = [table[f"{name}_{end}"].to_numpy() for table in behind.values() for end in ENDS]
        everything = np.concatenate([measured.ravel(), predicted.ravel(), *others])
        limits[name] = axis_choices(both, everything, living)
    return arrow_table(limits)


def profile_ends(e: Experiment, profiles: pa.Table, name: str) -> np.ndarray:
    """Return the least and the largest value of each profile, `(2, S, steps)`."""
    # Their rows are ordered by step, then by scheme: as schemes of one step each.
    steps = profiles.num_rows // (e.depth * len(e.schemes))
    ends = ends_by_step(profiles, name, (steps, len(e.schemes), e.depth))
    return ends.transpose(0, 2, 1)


def profiles_beyond(
    e: Experiment, profiles: pa.Table, limits: pa.Table, behind: Mapping[str, pa.Table]
) -> pa.Table:
    """Return the `beyond_table` of these profiles and of the pinned runs."""
    first = profiles.take(np.arange(0, profiles.num_rows, e.depth * len(e.schemes)))
    steps = list(zip(first["since"].to_pylist(), first["until"].to_pylist(), strict=True))
    ends = {name: profile_ends(e, profiles, name) for name in DEPTH_QUANTITIES}
    return beyond_table(e, ends, limits, steps, {}, pinned_ends(behind, DEPTH_QUANTITIES))


def replayed_steps(run: Run, count: int, step_shown: int) -> list[int]:
    """Return the steps of a replay, including the step shown and the newest.

    More layers and schemes leave fewer steps.
    """
    e = run.experiment
    most = max(2, min(MOST_BINS, MOST_REPLAY_ROWS // (e.depth * len(e.schemes))))
    steps = {*thin_steps(run.profile_steps, most), step_shown, count - 1}
    return sorted(step for step in steps if step < count)


def profile_table(run: Run, count: int, steps: Sequence[int] = ()) -> pa.Table:
    """Return each scheme's newest profiles of finite networks among the first `count` measurements.

    With `steps`, the profiles at each of them, or at the newest step before it that has profiles.
    Columns: scheme, layer, step, since and until (a row is drawn while since <= step shown <
    until), marked; median, `_low` and `_high` of DEPTH_QUANTITIES.
    """
    e, steps = run.experiment, steps or [count - 1]
    schemes, depth = len(e.schemes), e.depth
    shown = [  # steps x schemes
        run.newest_profiles(until)
        for step in steps
        for until in run.counts_before_divergence(step + 1)
    ]
    layer = np.tile(np.arange(1, depth + 1), len(shown))
    columns = {
        "scheme": np.tile(np.repeat(e.schemes, depth), len(steps)),
        "layer": layer,
        "step": np.repeat([m.step for m in shown], depth),
        "since": np.repeat([-1, *steps[1:]], schemes * depth),
        "until": np.repeat([*steps[1:], AFTER_EVERY_STEP + 1], schemes * depth),
        "marked": (layer - 1) % max(1, depth // 6) == 0,
    }
    for name in DEPTH_QUANTITIES:
        values = np.stack([getattr(m, name)[index % schemes] for index, m in enumerate(shown)])
        by_layer = np.moveaxis(values, -1, 0)  # (L, steps x S, R)
        columns |= median_and_range_columns(name, by_layer)
    return arrow_table(columns)


def profile_labels(
    e: Experiment, profiles: pa.Table, limits: pa.Table, panels: Sequence[str] = DEPTH_PANELS
) -> pa.Table:
    """Return the labels at the ends of these profiles, as `label_choices`, with since and until."""
    last = profiles.filter(pc.equal(profiles["layer"], e.depth))
    tables = []
    for start in range(0, last.num_rows, len(e.schemes)):
        rows = last.slice(start, len(e.schemes))
        values = {name: rows[name].to_numpy().astype(float) for name in panels}
        labels = label_choices(e, values, limits, panel_heights(panels))
        for name in ("since", "until"):
            labels = labels.append_column(name, pa.array(rows[name].to_numpy().repeat(3)))
        tables.append(labels)
    return pa.concat_tables(tables)
