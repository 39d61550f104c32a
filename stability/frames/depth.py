"""The tables of the depth chart: measured profiles, theory, labels, and the limits of the axes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from stability.engine.runs import Run
from stability.frames.arrow import (
    DEPTH_QUANTITIES,
    arrow_table,
    chart_table,
    hide_unplottable,
    in_smallest_type,
    repeated_texts,
    table_of_rows,
)
from stability.frames.axes import (
    BEYOND_COLUMNS,
    Limits,
    axis_choices,
    beyond_rows,
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
    limits = profile_limits(run, replayed, behind)
    ends, times = replayed, steps
    if not replay:
        at = steps.index(newest)
        ends, times = {name: end[..., at : at + 1] for name, end in replayed.items()}, [newest]
    behind_ends = pinned_ends(behind, DEPTH_QUANTITIES)
    beyond = beyond_rows(e, ends, limits, shown_between(times), {}, behind_ends)
    return behind | {
        "profiles": shown,
        "theory": theory,
        "rules": format_limit_table(e, run.measurements[count - 1], limits, format),
        "limits": arrow_table(limits),
        "beyond": table_of_rows(BEYOND_COLUMNS, tuple(beyond)),
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


@lru_cache(maxsize=64)
def theory_ends(e: Experiment) -> Mapping[str, np.ndarray]:
    """Return the least and the largest prediction of each quantity, `(2, S)`; NaN without any."""
    theory, shape = theory_table(e), (len(e.schemes), 1, e.depth)
    none = dict.fromkeys(DEPTH_QUANTITIES, np.full((2, len(e.schemes)), np.nan))
    return none | {name: ends_by_step(theory, name, shape)[..., 0] for name in FORETOLD_PANELS}


def profile_limits(
    run: Run, ends: Mapping[str, np.ndarray], behind: Mapping[str, pa.Table]
) -> dict[str, list[float]]:
    """Return the limits of the axes of all profiles, given their `profile_ends`."""
    e, living, limits = run.experiment, living_schemes(run), {}
    usual = usual_ends(np.concatenate(list(ends.values()), axis=1))
    usual_of_each = np.split(usual, len(ends), axis=1)
    for (name, measured), (low, high) in zip(ends.items(), usual_of_each, strict=True):
        predicted = theory_ends(e)[name]
        both = np.stack([np.fmin(low, predicted[0]), np.fmax(high, predicted[1])])
        others = [table[name].to_numpy() for table in behind.values()]
        everything = np.concatenate([measured.ravel(), predicted.ravel(), *others])
        limits[name] = axis_choices(both, everything, living)
    return limits


def profile_ends(run: Run, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the least and the largest value of the profiles at each step, `(2, S, steps)`."""
    counts, indices = np.unique(counts_of_profiles(run, steps), return_inverse=True)
    found = [run.newest_profiles(count) for count in counts.tolist()]
    values = np.array([[getattr(m, name) for m in found] for name in DEPTH_QUANTITIES])
    values = hide_unplottable(DEPTH_QUANTITIES[0], values)  # (3, n, S, R, L), all on log axes
    extremes = np.stack([end.reduce(values, axis=(3, 4)) for end in (np.fmin, np.fmax)], axis=1)
    index = indices.reshape(len(steps), -1).T  # (S, steps)
    scheme = np.arange(len(index))[:, None]
    return dict(zip(DEPTH_QUANTITIES, extremes[:, :, index, scheme], strict=True))


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
    schemes, depth = len(e.schemes), e.depth
    shown = [run.newest_profiles(count) for count in counts_of_profiles(run, steps).flat]
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
        values = np.array([getattr(m, name)[index % schemes] for index, m in enumerate(shown)])
        by_layer = values.transpose(2, 0, 1)  # (L, steps x S, R)
        columns |= median_and_range_columns(name, by_layer)
    return chart_table(columns)


def counts_of_profiles(run: Run, steps: Sequence[int]) -> np.ndarray:
    """Return `(steps, S)`: of how many measurements the newest profiles are shown at each step."""
    last = run.counts_before_divergence(max(steps) + 1)
    return np.asarray(np.minimum(np.array(steps)[:, None] + 1, last))


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
    shown = {
        name: profiles[name].to_numpy()[last][::schemes].repeat(3 * schemes)
        for name in ("since", "until")
    }
    return label_table(e, steps, limits, panel_heights(panels), shown=shown)
