"""Panels of lines, one a scheme: measured, behind them what is pinned, and readings at the pointer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from stability.charts.interaction import (
    TITLE_OFFSET,
    dimmed,
    guides,
    of_step_shown,
    readings,
    title_at_pointer,
    under_pointer,
    zoomed_scale,
)
from stability.charts.palette import GREY
from stability.charts.panels import (
    data_set,
    number_tips,
    outlined_text,
    panel,
    shared_axis,
    value_axis,
    word_tips,
    x_channel,
    y_channel,
)
from stability.charts.parameters import SCHEME_SYMBOL, colour, scheme_parameters, shape
from stability.charts.spec_cache import Filling
from stability.charts.vega_names import PANEL_WIDTH
from stability.frames.line_labels import PANEL_HEIGHTS
from stability.page_layout import (
    LINE_NAME_WIDTH,
    NAMED_LINES_ONE_COLUMN,
    NAMED_LINES_TWO_COLUMNS,
    REM,
    TWO_COLUMNS,
)
from stability.records.experiment import Experiment

# The page leaves room right of the panels in windows of these widths.
ROOM_FOR_NAMES = (
    f"(windowSize()[0] >= {NAMED_LINES_TWO_COLUMNS * REM}"
    f" || windowSize()[0] >= {NAMED_LINES_ONE_COLUMN * REM}"
    f" && windowSize()[0] < {TWO_COLUMNS * REM})"
)
UPPERMOST = "loss", "signal"  # the quantities of the first panels
UNITS = {
    "loss": "loss (nats, or squares)",
    "accuracy": "share right",
    "gradient_norm": "gradient norm",
    "signal": "RMS of z",
    "signal_gradient": "RMS of dL/dz",
    "weight_gradient": "norm of dL/dW",
}


@dataclass(frozen=True)
class RunKind:
    """What decides which panels and marks a chart of a run has."""

    has_classes: bool  # a regression has no accuracy
    has_ranges: bool  # one replicate has no range
    scales_loss: bool
    has_pins: bool


def fill_run_chart(
    e: Experiment, pins: tuple[Experiment, ...], along: str, **more: Any
) -> Filling[RunKind]:
    """Return the filling of a chart whose panels run along the "step" or "layer", as far as pins do."""
    has_classes = e.dataset_row.classes is not None
    kind = RunKind(has_classes, e.replicates > 1, e.number_format.scales_loss, bool(pins))
    last = max(shown.steps if along == "step" else max(2, shown.depth) for shown in (e, *pins))
    parameters = {
        "along": along,
        "reach": [0 if along == "step" else 1, last],
        "depth": e.depth,
        "steps": e.steps,
        "guessing": e.dataset_row.guessing_loss,
    }
    return Filling(kind, parameters | scheme_parameters(e) | more)


def line_panel(
    kind: RunKind,
    title: str,
    name: str,
    along: str,
    scale: alt.Scale,
    behind: Sequence[alt.Chart] = (),
    above: Sequence[alt.Chart] = (),
    format: str = "",
) -> alt.LayerChart:
    """One quantity along the steps or layers, with layers of its own `behind` and `above` the lines."""
    x = line_axis(along, labelled=name == "weight_gradient")
    y = y_channel(name, scale, value_axis(format))
    tips = [
        *word_tips("scheme"),
        *number_tips(along),
        alt.Tooltip(f"{name}:Q", format=format or ".3~e", title=UNITS[name]),
    ]
    rows = of_step_shown(data_set("bands" if along == "step" else "profiles"), along)
    base = rows.encode(x=x, color=colour())
    pointed = base.transform_filter(under_pointer(along))
    layers = [*guides(along), *behind]
    if kind.has_pins:
        layers += pinned_lines_and_marks(x, y, tips)
    layers += measured_lines(base, name, scale, y, tips, kind.has_ranges)
    if kind.has_pins and name in UPPERMOST:  # a run's dash is the same in all panels
        layers += pinned_labels(x, y)
    layers += [
        *above,
        pointed.mark_point(filled=True, size=60, opacity=1, clip=True).encode(y=y, shape=shape()),
        *readings(rows, name, along, format),
        *line_names(of_step_shown(data_set("ends"), along), name, scale),
    ]
    words = title_at_pointer(title, along)
    return panel(words, PANEL_HEIGHTS[name], *layers, offset=TITLE_OFFSET)


def line_axis(along: str, labelled: bool = False) -> alt.X:
    """The steps or layers, which all panels of a chart share; the last panel labels them."""
    return x_channel(along, zoomed_scale(), shared_axis(along, labelled))


def measured_lines(
    base: alt.Chart,
    name: str,
    scale: alt.Scale,
    y: alt.Y,
    tips: list[alt.Tooltip],
    has_ranges: bool,
) -> list[alt.Chart]:
    """The range over the replicates, the median, and a few marks, one colour a scheme."""
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y, opacity=dimmed())
    marks = base.mark_point(filled=True, size=45, clip=True).transform_filter("datum.marked")
    marks = marks.encode(y=y, shape=shape(), tooltip=tips, opacity=dimmed())
    if not has_ranges:
        return [line, marks]
    low = y_channel(f"{name}_low", scale)
    band = base.mark_area(clip=True).encode(y=low, y2=f"{name}_high", opacity=dimmed(0.18))
    return [band, line, marks]


def pinned_lines_and_marks(x: alt.X, y: alt.Y, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """Runs kept for comparison: grey, each with its own dash, with the marks of their schemes."""
    dashes = alt.Scale(range=[[1, 0], [6, 3], [2, 2]])
    base = data_set("pinned").encode(x=x, y=y, detail=["run:N", "scheme:N"])
    line = base.mark_line(strokeWidth=1.5, color=GREY, clip=True).encode(
        strokeDash=alt.StrokeDash("run:N", scale=dashes, legend=None), opacity=dimmed()
    )
    marks = base.mark_point(filled=True, size=30, color=GREY, clip=True)
    marks = marks.transform_filter("datum.marked").encode(
        shape=shape(), tooltip=[*word_tips("run"), *tips], opacity=dimmed()
    )
    return [line, marks]


def pinned_labels(x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The names of pinned runs on their lines."""
    base = data_set("pinned").transform_filter("datum.named").encode(x=x, y=y, text="run:N")
    return outlined_text(base, baseline="bottom", dy=-3, limit=130, clip=True, tooltip=None)


def line_names(rows: alt.Chart, name: str, scale: alt.Scale) -> list[alt.Chart]:
    """The names of the lines at their ends, each behind its mark; a click on one isolates it."""
    base = rows.transform_filter(f"!zoom && isValid(datum.{name})")
    base = base.encode(y=y_channel(name, scale), opacity=dimmed())
    symbol, words = (
        base.mark_text(
            align="left",
            baseline="middle",
            cursor="pointer",
            tooltip=None,
            x=alt.ExprRef(f"{PANEL_WIDTH} + ({ROOM_FOR_NAMES} ? {dx} : 0)"),
            limit=LINE_NAME_WIDTH - 8,
            text=alt.ExprRef(f"{ROOM_FOR_NAMES} ? {text} : ''"),
        )
        for dx, text in ((7, SCHEME_SYMBOL), (20, "datum.text"))
    )
    return [symbol.encode(color=colour()), words]
