"""The tables of the training chart: lines by step, labels and marks at their ends, the heat map."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.nonfinite import Remark, divergence_remarks
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.frames.arrow import (
    LOG_QUANTITIES,
    arrow_table,
    chart_table,
    in_few_bytes,
    in_smallest_type,
    log_limits,
    table_of_rows,
)
from stability.frames.axes import (
    BEYOND_COLUMNS,
    Limits,
    beyond_rows,
    ends_of_choices,
    linear_choices,
    living_schemes,
    log_choices,
    outermost,
    usual_ends,
)
from stability.frames.format_limits import format_limit_table
from stability.frames.line_labels import label_table
from stability.frames.pinned import NO_PINS, Pinned, pinned_ends, pinned_tables
from stability.frames.relative import divided_by, entrance
from stability.frames.run_panels import TRAINING_PANELS, panel_heights, panels_shown
from stability.frames.scheme_lines import SchemeLines
from stability.frames.tidy import (
    AFTER_EVERY_STEP,
    MOST_BINS,
    MOST_LINE_POINTS,
    median_and_range_rows,
    stack_curves,
    stack_measurements,
)
from stability.i18n import cache_by_language
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps
from stability.text import behind_label

LOSS_TOP = 2  # times the loss of guessing: where the axis of the loss ends
BEYOND = "loss", "gradient_norm"  # what may leave its axis
BEYOND_OF_CURVES = pa.schema(list(BEYOND_COLUMNS)[:-2])  # which are shown at all times
# Tables that only some panels draw: a chart complains of one that it does not know.
PANELS_OF_TABLES = {
    "held_out": {"loss", "accuracy"},
    "marks": {"loss"},
    "rules": {"gradient_norm"},
    "skipped": {"scale"},
}


def training_tables(
    run: Run,
    count: int | None = None,
    pinned: Pinned = NO_PINS,
    format: str = "",
    panels: Sequence[str] = TRAINING_PANELS,
    log_loss: bool = False,
) -> dict[str, pa.Table]:
    """Return the tables of a training chart without its heat map, after `count` measurements (all).

    `bands`, `held_out`, `marks`, `ends` (labels), `beyond`, `rules` at the limits of `format`,
    `limits`; with pinned runs `pinned`, with loss scaling `skipped`. Only those of the `panels`, of
    which the first leads, are made; `log_loss`: the axis of the loss is logarithmic.
    """
    count = count or len(run.measurements)
    e, newest, lines = run.experiment, run.measurements[count - 1], curve_lines(run, count)
    behind = pinned_tables(run, pinned, curve_table)
    ends, behind_ends = lines.ends(BEYOND), pinned_ends(behind, BEYOND)
    limits = curve_limits(run, ends, behind_ends, log_loss)
    marks = divergence_marks(tuple(divergence_remarks(run, count)))
    tables = behind | {
        "bands": lines.table(to_last_number=True),
        "held_out": held_out_lines(run, count).table(to_last_number=True),
        "marks": marks,
        "ends": curve_labels(e, lines, limits, panels, log_loss),
        "rules": format_limit_table(e, newest, {"gradient_norm": limits["gradient_norm"]}, format),
        "beyond": curves_beyond(e, ends, behind_ends, limits, marks.num_rows),
    }
    if log_loss:
        tables |= {name: without_zeros(tables[name]) for name in ("bands", "held_out", *behind)}
    if e.number_format.scales_loss:
        tables["skipped"] = skipped_steps(run, count)
        limits["scale"] = log_limits(lines.ends(["scale"]).ravel()) * (len(e.schemes) + 2)
    drawn = {
        name: table
        for name, table in tables.items()
        if PANELS_OF_TABLES.get(name, set(panels)) & set(panels)
    }
    return drawn | {"limits": arrow_table(limits)}


def without_zeros(lines: pa.Table) -> pa.Table:
    """Return lines whose losses of exactly 0, which a log axis cannot show, are null."""
    for index, name in enumerate(lines.column_names):
        if name.startswith("loss"):
            column = lines[name]
            shown = pc.if_else(pc.greater(column, 0), column, None)
            lines = lines.set_column(index, name, shown)
    return lines


def curve_limits(
    run: Run, ends: np.ndarray, behind_ends: np.ndarray, log_loss: bool
) -> dict[str, list[float]]:
    """Return the limits of the axes of loss and gradient norm, in pairs, as in `axes`.

    `ends` are those of BEYOND at all steps, `behind_ends` those of pinned runs.
    """
    if log_loss:
        ends, behind_ends = (np.where(v > 0, v, math.nan) for v in (ends, behind_ends))
    everything = outermost(np.concatenate([outermost(ends), behind_ends], axis=2))
    loss, gradient_norm = ends_of_choices(usual_ends(ends), everything, living_schemes(run))
    top = LOSS_TOP * run.experiment.dataset_row.guessing_loss
    return {
        "loss": log_choices(loss) if log_loss else linear_choices(top, loss),
        "gradient_norm": log_choices(gradient_norm),
    }


def curves_beyond(
    e: Experiment, ends: np.ndarray, behind_ends: np.ndarray, limits: Limits, marks: int
) -> pa.Table:
    """Return the `beyond_rows` of all steps, below the marks where schemes diverge."""
    lines = np.concatenate([outermost(ends), behind_ends], axis=2)[..., None]
    always = [(-1, AFTER_EVERY_STEP + 1)]
    by_quantity = dict(zip(BEYOND, lines, strict=True))
    rows = beyond_rows(e, by_quantity, limits, always, {"loss": marks})
    return table_of_rows(BEYOND_OF_CURVES, tuple(row[:-2] for row in rows))


def curve_table(run: Run, count: int) -> pa.Table:
    """Return the first `count` measurements at steps that stay the same, and the newest.

    At most MOST_LINE_POINTS steps. Columns: scheme, step, until (the next step that is shown, or
    AFTER_EVERY_STEP), marked (True where a line carries its scheme's mark); for loss, accuracy,
    gradient_norm and, with loss scaling, scale the median over the replicates, and their range in
    `_low` and `_high`.
    """
    return curve_lines(run, count).table()


def curve_lines(run: Run, count: int) -> SchemeLines:
    """Return the lines of a `curve_table`."""
    e = run.experiment
    stride = math.ceil((e.steps + 1) / (MOST_LINE_POINTS - 1))  # the newest makes one more
    steps = [*range(0, count - 1, stride), count - 1]
    keys = {
        "step": in_smallest_type(steps, e.steps),
        "until": in_smallest_type([*steps[1:], AFTER_EVERY_STEP], AFTER_EVERY_STEP),
        "marked": np.array(steps) % (stride * max(1, MOST_LINE_POINTS // 6)) == 0,
    }
    measurements = [run.measurements[step] for step in steps]
    quantities = ["loss", "accuracy", "gradient_norm"]
    quantities += ["scale"] if e.number_format.scales_loss else []
    curves = stack_curves(measurements, quantities)
    names, values = median_and_range_rows(quantities, curves, axis=3)  # (rows, steps, S)
    return SchemeLines(e.schemes, keys, names, values.swapaxes(1, 2))


def held_out_table(run: Run, count: int) -> pa.Table:
    """Return medians on the held-out set at the few steps at which it is measured.

    Columns: scheme, step, loss, accuracy.
    """
    return held_out_lines(run, count).table()


def held_out_lines(run: Run, count: int) -> SchemeLines:
    """Return the lines of a `held_out_table`."""
    e = run.experiment
    steps = [step for step in sorted(sampled_steps(e.steps)) if step < count]
    measurements = [run.measurements[step] for step in steps]
    curves = stack_curves(measurements, ("test_loss", "test_accuracy"))
    values = median_of_finite(curves, axis=3).swapaxes(1, 2)
    keys = {"step": in_smallest_type(steps, e.steps)}
    return SchemeLines(e.schemes, keys, ("loss", "accuracy"), values)


def curve_labels(
    e: Experiment, lines: SchemeLines, limits: Limits, panels: Sequence[str], log_loss: bool
) -> pa.Table:
    """Return the `label_table` of the newest values of the schemes whose loss is finite."""
    heights = panel_heights(panels_shown(e, panels, TRAINING_PANELS))
    limits = {**limits, "accuracy": [0.0, 1.0] * (len(e.schemes) + 2)}  # an axis of all runs
    names = [name for name in heights if name in limits]
    newest, logs = lines.newest(), LOG_QUANTITIES | {"loss"} if log_loss else LOG_QUANTITIES
    ended = np.isnan(newest["loss"])
    if log_loss:
        newest["loss"] = np.where(newest["loss"] > 0, newest["loss"], math.nan)
    last = {name: np.where(ended, math.nan, newest[name]).tolist() for name in names}
    return label_table(e, [last], limits, heights, logs)


@cache_by_language(maxsize=256)  # a scheme diverges once
def divergence_marks(remarks: tuple[Remark, ...]) -> pa.Table:
    """Return the marks where lines end, one below another.

    Columns: scheme, step, text, row (from the top of the panel).
    """
    ends = [remark for remark in remarks if remark.diverged]
    return arrow_table(
        {
            "scheme": [remark.scheme for remark in ends],
            "step": np.array([remark.step for remark in ends], np.int16),
            "text": [behind_label(scheme_title(one.scheme), one.label) for one in ends],
            "row": np.arange(len(ends), dtype=np.int8),
        }
    )


def skipped_steps(run: Run, count: int) -> pa.Table:
    """Return the first steps at which a network's scaled gradient overflowed.

    At most MOST_LINE_POINTS rows. Columns: scheme, step, scale (the largest of the replicates).
    """
    scales = stack_measurements(run.measurements[:count], "scale")  # (steps, S, R)
    step, scheme = np.nonzero((scales[1:] < scales[:-1]).any(axis=2))
    step, scheme = step[:MOST_LINE_POINTS], scheme[:MOST_LINE_POINTS]
    names = np.array(run.experiment.schemes)[scheme]
    return arrow_table({"scheme": names, "step": step, "scale": scales[step, scheme].max(axis=1)})


def heat_tables(
    run: Run, scheme: str, quantity: str, count: int | None = None
) -> dict[str, pa.Table]:
    """Return one quantity of one scheme, layer by step, after `count` measurements (all).

    `heat`: relative (the median over the replicates, divided by the entrance of its bin where there
    is one; null where it is not finite) of one layer after another, at one step after another:
    their order says which. Three digits are right. `bins`: bin (from 0), step (where it begins;
    there are at most MOST_BINS), until (the step before which it ends), entrance (the value at the
    layer where the quantity enters; null where nothing can be divided by it).
    """
    e, count = run.experiment, count or len(run.measurements)
    kept = sorted(run.profile_steps)
    starts = [step for step in kept[:: math.ceil(len(kept) / MOST_BINS)] if step < count]
    ends = [*starts[1:], min(count, e.steps + 1)]
    index = e.schemes.index(scheme)
    profiles = [getattr(run.measurements[step], quantity)[index] for step in starts]
    value = median_of_finite(np.stack(profiles))  # of (bins, R, L): (bins, L)
    value = np.where(np.isfinite(value), value, math.nan)
    bins = {
        "bin": np.arange(len(starts), dtype=np.int8),
        "step": in_smallest_type(starts, e.steps),
        "until": in_smallest_type(ends, e.steps + 1),
        "entrance": entrance(quantity, value),
    }
    relative = divided_by(value, bins["entrance"]).ravel()
    heat = {"relative": in_few_bytes(relative, np.float16)}
    return {"heat": chart_table(heat), "bins": chart_table(bins)}
