"""The tables of the depth chart: measured profiles, theory, labels, and the limits of the axes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from stability.engine.runs import Run
from stability.frames.arrow import (
    DEPTH_QUANTITIES,
    arrow_table,
    chart_table,
    hide_unplottable,
    in_smallest_type,
    range_columns,
    repeated_texts,
    rows_in_few_bytes,
    table_of_rows,
)
from stability.frames.axes import (
    BEYOND_COLUMNS,
    Limits,
    beyond_rows,
    ends_of_choices,
    living_schemes,
    log_choices,
    outermost,
    usual_ends,
)
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_ends, pinned_tables
from stability.frames.run_panels import DEPTH_PANELS, FORETOLD_PANELS, panel_heights
from stability.frames.tidy import (
    AFTER_EVERY_STEP,
    MOST_BINS,
    median_and_range_rows,
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
    ends, behind_ends = profile_ends(run, steps), pinned_ends(behind, DEPTH_QUANTITIES)
    limits = profile_limits(run, ends, behind_ends)
    times = steps if replay else [newest]
    if not replay:
        ends = ends[..., [steps.index(newest)]]
    beyond = profiles_beyond(e, ends, behind_ends, limits, times)
    return behind | {
        "profiles": shown,
        "theory": theory,
        "rules": format_limit_table(e, run.measurements[count - 1], limits, format),
        "limits": arrow_table(limits),
        "beyond": beyond,
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
def theory_ends(e: Experiment) -> np.ndarray:
    """Return the least and the largest prediction of DEPTH_QUANTITIES, `(Q, 2, S)`."""
    ends = np.full((len(DEPTH_QUANTITIES), 2, len(e.schemes), e.depth), np.nan)
    for quantity, name in zip(ends, DEPTH_QUANTITIES, strict=True):
        if name in FORETOLD_PANELS:
            columns = range_columns(theory_table(e), name)
            quantity[:] = np.reshape(columns, quantity.shape)
    return outermost(ends)


def profile_limits(run: Run, ends: np.ndarray, behind_ends: np.ndarray) -> dict[str, list[float]]:
    """Return the limits of the axes of all profiles, given the `profile_ends`.

    `behind_ends` are those of pinned runs.
    """
    predicted = theory_ends(run.experiment)
    usual = outermost(np.concatenate([usual_ends(ends)[..., None], predicted[..., None]], axis=3))
    everything = outermost(np.concatenate([outermost(ends), predicted, behind_ends], axis=2))
    choices = ends_of_choices(usual, everything, living_schemes(run))
    return {name: log_choices(one) for name, one in zip(DEPTH_QUANTITIES, choices, strict=True)}


def profile_ends(run: Run, steps: Sequence[int]) -> np.ndarray:
    """Return the ends of the profiles of DEPTH_QUANTITIES at each step, `(Q, 2, S, steps)`."""
    before_break = run.counts_before_divergence(max(steps) + 1)
    counts = [*(step + 1 for step in steps), *before_break]
    found = [run.newest_profiles(count) for count in counts]
    values = np.array([[getattr(m, name) for m in found] for name in DEPTH_QUANTITIES])
    # The numbers of a profile first, as many short rows are reduced slowly: (R x L, Q, n, S).
    values = np.ascontiguousarray(np.moveaxis(values.reshape(*values.shape[:3], -1), -1, 0))
    values = hide_unplottable(DEPTH_QUANTITIES[0], values)  # all on log axes
    low, high = (end.reduce(values, axis=0) for end in (np.fmin, np.fmax))
    index, scheme = np.arange(len(steps)), np.arange(len(before_break))[:, None]
    is_before = np.array(steps) < np.array(before_break)[:, None]
    index = np.where(is_before, index, len(steps) + scheme)  # (S, steps)
    return np.array([low, high])[:, :, index, scheme].swapaxes(0, 1)


def profiles_beyond(
    e: Experiment, ends: np.ndarray, behind_ends: np.ndarray, limits: Limits, steps: Sequence[int]
) -> pa.Table:
    """Return the `beyond_rows` of profiles at these steps."""
    behind = np.broadcast_to(behind_ends[..., None], (*behind_ends.shape, len(steps)))
    lines = np.concatenate([ends, behind], axis=2)
    by_quantity = dict(zip(DEPTH_QUANTITIES, lines, strict=True))
    rows = beyond_rows(e, by_quantity, limits, shown_between(steps), {})
    return table_of_rows(BEYOND_COLUMNS, tuple(rows))


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
    begins, ends = zip(*shown_between(steps), strict=True)
    since = in_smallest_type(begins, e.steps)
    until = in_smallest_type(ends, AFTER_EVERY_STEP + 1)
    keys = profile_keys(e.schemes, depth, len(steps))
    columns = {
        "scheme": keys["scheme"],
        "layer": keys["layer"],
        "step": np.repeat(in_smallest_type([m.step for m in shown], e.steps), depth),
        "since": np.repeat(since, schemes * depth),
        "until": np.repeat(until, schemes * depth),
        "marked": keys["marked"],
    }
    schemes_shown = [(m, index % schemes) for index, m in enumerate(shown)]
    drawn = [[getattr(m, name)[i] for m, i in schemes_shown] for name in DEPTH_QUANTITIES]
    names, values = median_and_range_rows(DEPTH_QUANTITIES, np.array(drawn), axis=2)
    return arrow_table(columns | rows_in_few_bytes(names, values.reshape(len(names), -1)))


@lru_cache(maxsize=64)
def profile_keys(schemes: tuple[str, ...], depth: int, steps: int) -> Mapping[str, pa.Array]:
    """Return the columns of a `profile_table` that are the same for all runs of this size."""
    row = np.arange(steps * len(schemes) * depth)
    layer = row % depth
    return {
        "scheme": repeated_texts(schemes, row // depth % len(schemes)),
        "layer": pa.array(in_smallest_type(layer + 1, depth)),
        "marked": pa.array(layer % max(1, depth // 6) == 0),
    }


def counts_of_profiles(run: Run, steps: Sequence[int]) -> np.ndarray:
    """Return `(steps, S)`: of how many measurements the newest profiles are shown at each step."""
    last = run.counts_before_divergence(max(steps) + 1)
    return np.asarray(np.minimum(np.array(steps)[:, None] + 1, last))


def profile_labels(
    e: Experiment, profiles: pa.Table, limits: Limits, panels: Sequence[str] = DEPTH_PANELS
) -> pa.Table:
    """Return the labels at the ends of these profiles, as `label_table`, with since and until."""
    schemes, last = len(e.schemes), slice(e.depth - 1, None, e.depth)
    ends = np.array([profiles[name].to_numpy()[last] for name in panels], float)
    by_step = ends.reshape(len(panels), -1, schemes).swapaxes(0, 1).tolist()
    steps = [dict(zip(panels, values, strict=True)) for values in by_step]
    shown = {
        name: profiles[name].to_numpy()[last][::schemes].repeat(3 * schemes)
        for name in ("since", "until")
    }
    return label_table(e, steps, limits, panel_heights(panels), shown=shown)
