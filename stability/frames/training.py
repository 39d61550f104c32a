"""The tables of the training chart: lines by step, labels and marks at their ends, the heat map."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from stability.diagnosis.nonfinite import Remark, nonfinite_remarks
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table, hide_unplottable, log_axis_limits, scheme_columns
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_tables
from stability.frames.run_panels import TRAINING_PANELS, panel_heights, panels_shown
from stability.frames.tidy import (
    AFTER_EVERY_STEP,
    MOST_BINS,
    MOST_LINE_POINTS,
    median_and_range_columns,
    stack_masked,
    stack_measurements,
)
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

LOSS_TOP = 2  # times the loss of guessing: where the axis of the loss ends


def training_tables(
    run: Run,
    count: int | None = None,
    pinned: Pinned = NO_PINS,
    format: str = "",
    panels: Sequence[str] = TRAINING_PANELS,
) -> dict[str, pa.Table]:
    """Return the tables of a training chart without its heat map, after `count` measurements (all).

    `bands`, `held_out`, `marks`, `ends` (labels), `rules` at the limits of `format`, `limits`; with
    pinned runs `pinned`, with loss scaling `skipped`. `panels` are those drawn, the lead first.
    """
    count = count or len(run.measurements)
    e, newest, lines = run.experiment, run.measurements[count - 1], curve_table(run, count)
    behind = pinned_tables(run, pinned, curve_table)
    limits = log_axis_limits(("gradient_norm",), lines, *behind.values())
    tables = behind | {
        "bands": lines,
        "held_out": held_out_table(run, count),
        "marks": divergence_marks(nonfinite_remarks(run, count), e),
        "ends": curve_labels(run, count, limits, panels),
        "rules": format_limit_table(e, newest, limits, format),
    }
    if e.number_format.scales_loss:
        tables["skipped"] = skipped_steps(run, count)
        limits = limits.append_column("scale", log_axis_limits(("scale",), lines)["scale"])
    return tables | {"limits": limits}


def curve_table(run: Run, count: int) -> pa.Table:
    """Return the first `count` measurements at steps that stay the same, and the newest.

    At most MOST_LINE_POINTS steps. Columns: scheme, step, until (the next step that is shown, or
    AFTER_EVERY_STEP), marked (True where a line carries its scheme's mark); for loss, accuracy,
    gradient_norm and, with loss scaling, scale the median over the replicates, and their range in
    `_low` and `_high`.
    """
    e = run.experiment
    stride = math.ceil((e.steps + 1) / (MOST_LINE_POINTS - 1))  # the newest makes one more
    steps = [*range(0, count - 1, stride), count - 1]
    marked = [step % (stride * max(1, MOST_LINE_POINTS // 6)) == 0 for step in steps]
    until = [*steps[1:], AFTER_EVERY_STEP]
    columns = scheme_columns(e.schemes, step=steps, until=until, marked=marked)
    names = ["loss", "accuracy", "gradient_norm"]
    if e.number_format.scales_loss:
        names.append("scale")
    measurements = [run.measurements[step] for step in steps]
    for name in names:
        columns |= median_and_range_columns(name, stack_masked(measurements, name))
    return arrow_table(columns)


def held_out_table(run: Run, count: int) -> pa.Table:
    """Return medians on the held-out set at the few steps at which it is measured.

    Columns: scheme, step, loss, accuracy.
    """
    e = run.experiment
    steps = [step for step in sorted(sampled_steps(e.steps)) if step < count]
    measurements = [run.measurements[step] for step in steps]
    columns = scheme_columns(e.schemes, step=steps)
    for name in ("loss", "accuracy"):
        values = stack_masked(measurements, f"test_{name}")
        columns[name] = median_and_range_columns(name, values)[name]
    return arrow_table(columns)


def curve_labels(run: Run, count: int, limits: pa.Table, panels: Sequence[str]) -> pa.Table:
    """Return the `label_table` of the newest values of the schemes whose loss is finite."""
    e, newest = run.experiment, run.measurements[count - 1]
    axes = {
        "loss": (0.0, LOSS_TOP * e.dataset_row.guessing_loss),
        "accuracy": (0.0, 1.0),
        "gradient_norm": tuple(limits["gradient_norm"].to_pylist()),
    }
    heights = panel_heights(panels_shown(e, panels))
    axes = {name: axes[name] for name in heights if name in axes}
    last = {
        name: median_and_range_columns(name, stack_masked([newest], name))[name] for name in axes
    }
    finite = np.isfinite(median_of_finite(newest.loss))
    last = {name: np.where(finite, values, math.nan) for name, values in last.items()}
    return label_table(e, last, axes, heights)


def divergence_marks(remarks: Sequence[Remark], e: Experiment) -> pa.Table:
    """Return the marks where lines end, one below another from the top of the loss's axis.

    Columns: scheme, step, text, height (on that axis).
    """
    ends = [remark for remark in remarks if remark.diverged]
    columns = {
        "scheme": [remark.scheme for remark in ends],
        "step": [remark.step for remark in ends],
        "text": [remark.label for remark in ends],
    }
    shares = 1 - 0.11 * (np.arange(len(ends)) + 0.5)
    return arrow_table(columns | {"height": LOSS_TOP * e.dataset_row.guessing_loss * shares})


def skipped_steps(run: Run, count: int) -> pa.Table:
    """Return the first steps at which a network's scaled gradient overflowed.

    At most MOST_LINE_POINTS rows. Columns: scheme, step, scale (the largest of the replicates).
    """
    scales = stack_measurements(run.measurements[:count], "scale")  # (steps, S, R)
    step, scheme = np.nonzero((scales[1:] < scales[:-1]).any(axis=2))
    step, scheme = step[:MOST_LINE_POINTS], scheme[:MOST_LINE_POINTS]
    names = np.array(run.experiment.schemes)[scheme]
    return arrow_table({"scheme": names, "step": step, "scale": scales[step, scheme].max(axis=1)})


def heat_table(run: Run, scheme: str, quantity: str, count: int | None = None) -> pa.Table:
    """Return one quantity of one scheme, layer by step, after `count` measurements (all).

    Columns: layer, step, until (the bin is [step, until), of at most MOST_BINS), value (the median
    over the replicates), power (log10 of value), state: "finite", "zero" or "not finite".
    """
    e, count = run.experiment, count or len(run.measurements)
    kept = sorted(run.profile_steps)
    starts = [step for step in kept[:: math.ceil(len(kept) / MOST_BINS)] if step < count]
    ends = [*starts[1:], min(count, e.steps + 1)]
    index = e.schemes.index(scheme)
    profiles = [getattr(run.measurements[step], quantity)[index] for step in starts]
    value = median_of_finite(np.stack(profiles))  # of (bins, R, L): (bins, L)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(np.isfinite(value) & (value > 0), np.log10(value), math.nan)
    state = np.where(value == 0, "zero", np.where(np.isfinite(value), "finite", "not finite"))
    return arrow_table(
        {
            "layer": np.tile(np.arange(1, e.depth + 1), len(starts)),
            "step": np.repeat(starts, e.depth),
            "until": np.repeat(ends, e.depth),
            "value": hide_unplottable(quantity, value).ravel(),
            "power": power.ravel(),
            "state": state.ravel(),
        }
    )
