"""What the training chart draws: lines by step, marks where they end, the heat map."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from stability.diagnosis.nonfinite import Remark, nonfinite_remarks
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.frames.arrow import log_axis_limits, hide_unplottable, arrow_table
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_lines
from stability.frames.tidy import AFTER_EVERY_STEP, MOST_BINS, MOST_LINE_POINTS, median_and_range_columns, stack_measurements, stack_masked
from stability.records.experiment import Experiment

LOSS_TOP = 2  # times the loss of guessing: where the axis of the loss ends


def training_tables(run: Run, count: int | None = None, pinned: Pinned = NO_PINS, format: str = "") -> dict[str, pa.Table]:
    """What a training chart draws of the first `count` measurements (all), besides its heat map; rules where `format` ends."""
    count = count or len(run.measurements)
    lines, found, behind = curve_table(run, count), nonfinite_remarks(run, count), pinned_lines(run, pinned, curve_table)
    tables = {"bands": lines, "held_out": held_out_table(run, count), "marks": divergence_marks(found, run.experiment)}
    bounds = log_axis_limits(["gradient_norm"], lines, *behind.values())
    tables |= behind | {"ends": curve_labels(run, count, bounds)}
    tables |= {"rules": format_limit_table(run.experiment, run.measurements[count - 1], bounds, format)}
    if run.experiment.number_format.scales_loss:
        tables["skipped"] = skipped_steps(run, count)
        bounds = bounds.append_column("scale", log_axis_limits(["scale"], lines)["scale"])
    return tables | {"limits": bounds}


def curve_labels(run: Run, count: int, bounds: pa.Table) -> pa.Table:
    """Where the newest values stand, of schemes that have some. Columns as in `frames.ends.ends`."""
    e, newest = run.experiment, run.measurements[count - 1]
    axes = {"loss": (0.0, LOSS_TOP * e.dataset_row.guessing_loss), "accuracy": (0.0, 1.0)}
    axes["gradient_norm"] = tuple(bounds["gradient_norm"].to_pylist())
    shown = [name for name in axes if name != "accuracy" or e.dataset_row.classes]
    values = {name: median_and_range_columns(name, hide_unplottable(name, stack_masked([newest], name)))[name] for name in shown}
    alive = np.isfinite(values["loss"])
    return label_table(e, {name: np.where(alive, found, math.nan) for name, found in values.items()}, axes)


def skipped_steps(run: Run, count: int) -> pa.Table:
    """Steps at which a network's scaled gradient overflowed, the first POINTS. Columns: scheme, step, scale (the largest)."""
    scales = stack_measurements(run.measurements[:count], "scale")  # (steps, S, R)
    step, scheme = np.nonzero((scales[1:] < scales[:-1]).any(axis=2))
    step, scheme = step[:MOST_LINE_POINTS], scheme[:MOST_LINE_POINTS]
    return arrow_table({"scheme": np.array(run.experiment.schemes)[scheme], "step": step, "scale": scales[step, scheme].max(axis=1)})


def held_out_table(run: Run, count: int) -> pa.Table:
    """The held-out set at the few steps at which it is looked at. Columns: scheme, step, loss, accuracy (medians)."""
    e = run.experiment
    taken = [run.measurements[step] for step in sorted(evenly_spread_steps(e.steps, SAMPLED_STEPS)) if step < count]
    columns = {"scheme": np.repeat(e.schemes, len(taken)), "step": np.tile([m.step for m in taken], len(e.schemes))}
    for name in ("loss", "accuracy"):
        columns[name] = median_and_range_columns(name, hide_unplottable(name, stack_masked(taken, f"test_{name}")))[name]
    return arrow_table(columns)


def curve_table(run: Run, count: int) -> pa.Table:
    """The first `count` measurements at up to POINTS steps, which stay the same while a run grows, and the newest.

    Columns: scheme, step, until (the next step that is shown, or the last and beyond), marked (True where a line carries its
    scheme's mark); for loss, accuracy, gradient_norm and, with
    loss scaling, scale the median over the finite replicates, and `_low`, `_high`, their range.
    """
    e = run.experiment
    stride = math.ceil((e.steps + 1) / (MOST_LINE_POINTS - 1))  # the newest makes one more
    chosen = [*range(0, count - 1, stride), count - 1]
    measurements = [run.measurements[index] for index in chosen]
    columns = {"scheme": np.repeat(e.schemes, len(chosen)), "step": np.tile(chosen, len(e.schemes))}
    columns["until"] = np.tile([*chosen[1:], AFTER_EVERY_STEP], len(e.schemes))
    columns["marked"] = np.tile([index % (stride * max(1, MOST_LINE_POINTS // 6)) == 0 for index in chosen], len(e.schemes))
    for name in ("loss", "accuracy", "gradient_norm", *(["scale"] if e.number_format.scales_loss else [])):
        columns |= median_and_range_columns(name, hide_unplottable(name, stack_masked(measurements, name)))
    return arrow_table(columns)


def heat_table(run: Run, scheme: str, quantity: str, count: int | None = None) -> pa.Table:
    """One quantity of one scheme, layer by step, in up to BINS columns of steps, of the first `count` measurements (all).

    Columns: layer, step, until (the bin is [step, until)), value (the median over the finite replicates), power (log10 of
    value), state: "finite", "zero" or "not finite".
    """
    e, count = run.experiment, count or len(run.measurements)
    kept = sorted(run.profile_steps)
    starts = kept[:: math.ceil(len(kept) / MOST_BINS)]
    starts = [step for step in starts if step < count]
    ends = [*starts[1:], min(count, e.steps + 1)]
    index = e.schemes.index(scheme)
    raw = np.stack([getattr(run.measurements[step], quantity)[index] for step in starts])  # (bins, R, L)
    value = median_of_finite(raw)  # (bins, L)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.where(np.isfinite(value) & (value > 0), np.log10(value), math.nan)
    state = np.where(value == 0, "zero", np.where(np.isfinite(value), "finite", "not finite"))
    columns = {"layer": np.tile(np.arange(1, e.depth + 1), len(starts)), "step": np.repeat(starts, e.depth)}
    columns |= {"until": np.repeat(ends, e.depth), "value": hide_unplottable(quantity, value).ravel()}
    return arrow_table(columns | {"power": power.ravel(), "state": state.ravel()})


def divergence_marks(found: Sequence[Remark], e: Experiment) -> pa.Table:
    """Where lines end. Columns: scheme, step, text, height (on the axis of the loss, one below another from its top)."""
    ends = [remark for remark in found if remark.diverged]
    top = LOSS_TOP * e.dataset_row.guessing_loss
    columns = {
        "scheme": [remark.scheme for remark in ends],
        "step": [remark.step for remark in ends],
        "text": [remark.label for remark in ends],
        "height": [top * (1 - 0.11 * (row + 0.5)) for row in range(len(ends))],
    }
    return arrow_table(columns)
