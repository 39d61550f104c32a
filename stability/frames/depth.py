"""The tables of the depth chart: measured profiles, theory, labels, and the limits of the axes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.frames.arrow import (
    DEPTH_QUANTITIES,
    arrow_table,
    chart_table,
    hide_unplottable,
    in_smallest_type,
    repeated_texts,
)
from stability.frames.axes import (
    Limits,
    axis_choices,
    beyond_table,
    ends_by_step,
    living_schemes,
    usual_ends,
)
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_ends, pinned_tables
from stability.frames.run_panels import DEPTH_PANELS, FORETOLD_PANELS, panel_heights
from stability.frames.tidy import (
    AFTER_EVERY_STEP,
    MOST_BINS,
    median_and_range_columns,
    prediction_table,
)
from stability.records.experiment import Experiment
from stability.records.step_sampling import thin_steps
from stability.theory.prediction import predict

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
    steps, newest = replayed_steps(run, count, step_shown), min(count - 1, step_shown)
    shown = profile_table(run, count, steps) if replay else profile_table(run, newest + 1)
    theory = theory_table(e)
    behind = pinned_tables(
        run, pinned, lambda kept, until: profile_table(kept, min(until, step_shown + 1))
    )
    # The axes hold the replayed steps, so that they never shrink.
    replayed = profile_ends(run, steps)
    limits = profile_limits(run, replayed, theory, behind)
    ends, times = replayed, steps
    if not replay:
        at = steps.index(newest)
        ends, times = {name: end[..., at : at + 1] for name, end in replayed.items()}, [newest]
    return behind | {
        "profiles": shown,
        "theory": theory,
        "rules": format_limit_table(e, run.measurements[count - 1], limits, format),
        "limits": arrow_table(limits),
        "beyond": beyond_table(
            e, ends, limits, shown_between(times), {}, pinned_ends(behind, DEPTH_QUANTITIES)
        ),
        "ends": profile_labels(e, shown, limits, panels),
    }


@lru_cache(maxsize=64)
def theory_table(e: Experiment) -> pa.Table:
    """Return the `prediction_table` of what charts draw of it."""
    exact = prediction_table(predict(e))
    layer = in_smallest_type(exact["layer"].to_numpy(), e.depth)
    keys = {"scheme": exact["scheme"].combine_chunks(), "layer": layer}
    drawn = [f"{name}{end}" for name in FORETOLD_PANELS for end in ("", "_low", "_high")]
    return chart_table(keys | {name: exact[name].to_numpy() for name in drawn})


def profile_limits(
    run: Run, ends: Mapping[str, np.ndarray], theory: pa.Table, behind: Mapping[str, pa.Table]
) -> dict[str, list[float]]:
    """Return the limits of the axes of all profiles, given their `profile_ends`."""
    e, living, limits = run.experiment, living_schemes(run), {}
    for name, measured in ends.items():
        predicted = np.full((2, len(e.schemes)), np.nan)
        if name in FORETOLD_PANELS:
            predicted = ends_by_step(theory, name, (len(e.schemes), 1, e.depth))[..., 0]
        usual = usual_ends(measured)
        both = np.stack([np.fmin(usual[0], predicted[0]), np.fmax(usual[1], predicted[1])])
        others = [table[name].to_numpy() for table in behind.values()]
        everything = np.concatenate([measured.ravel(), predicted.ravel(), *others])
        limits[name] = axis_choices(both, everything, living)
    return limits


def profile_ends(run: Run, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the least and the largest value of the profiles at each step, `(2, S, steps)`."""
    shown = profiles_at(run, steps)
    measurements = list({id(m): m for m in shown}.values())
    rows = {id(m): row for row, m in enumerate(measurements)}
    row = np.array([rows[id(m)] for m in shown]).reshape(len(steps), -1).T  # (S, steps)
    scheme = np.arange(len(row))[:, None]
    values = np.array([[getattr(m, name) for m in measurements] for name in DEPTH_QUANTITIES])
    values = hide_unplottable(DEPTH_QUANTITIES[0], values)  # (3, n, S, R, L), all on log axes
    extremes = np.stack([end.reduce(values, axis=(3, 4)) for end in (np.fmin, np.fmax)], axis=1)
    return dict(zip(DEPTH_QUANTITIES, extremes[:, :, row, scheme], strict=True))


def shown_between(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Return the steps shown from which and until which the profiles of each step are drawn."""
    return list(zip([-1, *steps[1:]], [*steps[1:], AFTER_EVERY_STEP + 1], strict=True))


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
    schemes, depth, shown = len(e.schemes), e.depth, profiles_at(run, steps)
    layer = np.tile(in_smallest_type(range(1, depth + 1), depth), len(shown))
    begins, ends = zip(*shown_between(steps), strict=True)
    since = in_smallest_type(begins, e.steps)
    until = in_smallest_type(ends, AFTER_EVERY_STEP + 1)
    columns: dict[str, Any] = {
        "scheme": repeated_texts(e.schemes, np.arange(len(layer)) // depth % schemes),
        "layer": layer,
        "step": np.repeat(in_smallest_type([m.step for m in shown], e.steps), depth),
        "since": np.repeat(since, schemes * depth),
        "until": np.repeat(until, schemes * depth),
        "marked": (layer - 1) % max(1, depth // 6) == 0,
    }
    for name in DEPTH_QUANTITIES:
        values = np.stack([getattr(m, name)[index % schemes] for index, m in enumerate(shown)])
        by_layer = np.moveaxis(values, -1, 0)  # (L, steps x S, R)
        columns |= median_and_range_columns(name, by_layer)
    return chart_table(columns)


def profiles_at(run: Run, steps: Sequence[int]) -> list[Measurement]:
    """Return for each step, and at each for every scheme, its newest profiles until then."""
    last = run.counts_before_divergence(max(steps) + 1)
    counts = [min(step + 1, until) for step in steps for until in last]
    newest = {until: run.newest_profiles(until) for until in set(counts)}
    return [newest[until] for until in counts]


def profile_labels(
    e: Experiment, profiles: pa.Table, limits: Limits, panels: Sequence[str] = DEPTH_PANELS
) -> pa.Table:
    """Return the labels at the ends of these profiles, as `label_table`, with since and until."""
    schemes, last = len(e.schemes), slice(e.depth - 1, None, e.depth)
    ends = {
        name: profiles[name].to_numpy()[last].astype(float).reshape(-1, schemes).tolist()
        for name in panels
    }
    steps = [dict(zip(ends, values, strict=True)) for values in zip(*ends.values(), strict=True)]
    labels = label_table(e, steps, limits, panel_heights(panels))
    for name in ("since", "until"):
        of_lines = profiles[name].to_numpy()[last][::schemes]
        labels = labels.append_column(name, pa.array(of_lines.repeat(3 * schemes)))
    return labels
