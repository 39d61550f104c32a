"""Panels with a line for each scheme, pinned runs behind, and readings at the pointer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from stability import page_layout
from stability.charts import channels, interaction, panels
from stability.charts.interaction import dimmed
from stability.charts.palette import PIN_GREYS
from stability.charts.spec_cache import Filling
from stability.frames.run_panels import panel_heights
from stability.records.experiment import Experiment

UNITS = {
    "loss": "loss (nats, or squares)", "accuracy": "share right", "gradient_norm": "gradient norm",
    "signal": "RMS of z", "signal_gradient": "RMS of dL/dz", "weight_gradient": "norm of dL/dW",
}  # fmt: skip


PIN_SHADE = f"{[list(greys) for greys in PIN_GREYS]}{channels.ON_THIS_PAGE}[datum.pin]"


@dataclass(frozen=True)
class RunKind:
    """The properties of an experiment that decide which panels and marks its charts have."""

    has_classes: bool  # a regression has no accuracy
    has_ranges: bool  # one replicate has no range
    scales_loss: bool
    has_pins: bool
    panels: tuple[str, ...]  # in order; the first leads
    log_loss: bool


def fill_run_chart(
    e: Experiment,
    pins: tuple[Experiment, ...],
    along: str,
    panels: tuple[str, ...],
    log_loss: bool = False,
    **more: Any,
) -> Filling[RunKind]:
    """Return the filling of a chart along the "step" or "layer", to the end of the longest pin."""
    has_classes = e.dataset_row.classes is not None
    scales_loss = e.number_format.scales_loss
    kind = RunKind(has_classes, e.replicates > 1, scales_loss, bool(pins), panels, log_loss)
    reach = [0, max(shown.steps for shown in (e, *pins))]
    if along == "layer":
        reach = [1, max(2, *(shown.depth for shown in (e, *pins)))]
    parameters = {
        "along": along,
        "reach": reach,
        "depth": e.depth,
        "steps": e.steps,
        "guessing": e.dataset_row.guessing_loss,
    }
    return Filling(kind, parameters | channels.scheme_parameters(e) | more)


def line_axis(along: str, labelled: bool = False) -> alt.X:
    """Return the axis of steps or layers that all panels of a chart share; the last labels it."""
    return channels.x(along, interaction.zoomed_scale(), channels.shared_axis(along, labelled))


def line_panel(
    kind: RunKind,
    title: str,
    name: str,
    along: str,
    scale: alt.Scale,
    behind: Sequence[alt.Chart] = (),
    above: Sequence[alt.Chart] = (),
    format: str = "",
) -> alt.LayerSpec:
    """Draw one quantity along the steps or layers, with layers of its own `behind` and `above`."""
    x = line_axis(along, labelled=name == kind.panels[-1])
    y = channels.y(name, scale, channels.value_axis(format))
    value_tip = alt.Tooltip(f"{name}:Q", format=format or ".3~e", title=UNITS[name])
    tips = [*channels.tooltips("scheme:N", f"{along}:Q"), value_tip]
    rows = panels.data_set("bands" if along == "step" else "profiles")
    rows = interaction.keep_step_shown(rows, along)
    base = rows.encode(x=x, color=channels.colour())
    layers = [*interaction.guides(along), *behind]
    if kind.has_pins:
        layers += pinned_lines(x, y, tips)
        layers += pinned_readings(x, y, name, along, format)
    layers += measured_lines(base, name, scale, y, tips, kind.has_ranges)
    if kind.has_pins and name == kind.panels[0]:  # named once: its grey is the same in all panels
        named = panels.data_set("pinned").transform_filter("datum.named")
        named = named.encode(x=x, y=y, text=alt.Text("run:N"))
        where: dict[str, Any] = {"baseline": "bottom", "dy": alt.ExprRef("-3 - 13 * datum.pin")}
        where["limit"] = alt.ExprRef(f"0.6 * {channels.PANEL_WIDTH}")
        layers += panels.outlined_text(named, **where, clip=True, tooltip=None)
    rows = rows.transform_filter(f"{interaction.under_pointer(along)} && isValid(datum.{name})")
    pointed = rows.mark_point(filled=True, size=60, opacity=1, clip=True)
    pointed = pointed.encode(x=x, y=y, color=channels.colour(), shape=channels.shape())
    layers += [*above, pointed, *interaction.readings(rows, name, format)]
    layers += line_names(name, along, scale)
    words, height = interaction.title_at_pointer(title, along), panel_heights(kind.panels)[name]
    if name != "accuracy":  # nothing leaves its axis
        layers += interaction.words_beyond(name, along, height)
    share_axes(layers, x, y)
    return panels.panel(words, height, *layers, offset=interaction.TITLE_OFFSET)


def share_axes(layers: Sequence[alt.Chart], x: alt.X, y: alt.Y) -> None:
    """Give all layers of a panel one axis and scale a direction.

    One without labels would hide the labels of others, and what is the same is sent once.
    """
    for layer in layers:
        for name, shared in (("x", x), ("y", y)):
            position = getattr(layer.encoding, name, None)
            if isinstance(position, alt.X | alt.Y | alt.XDatum | alt.YDatum):
                position["axis"], position["scale"] = shared["axis"], shared["scale"]
                position["title"] = None


def measured_lines(
    base: alt.Chart, name: str, scale: alt.Scale, y: alt.Y, tips: list[Any], has_ranges: bool
) -> list[alt.Chart]:
    """Draw the range over the replicates, the median and a few marks in the schemes' colours."""
    line = base.mark_line(strokeWidth=2, clip=True).encode(y=y, opacity=dimmed())
    marks = base.mark_point(filled=True, size=45, clip=True).transform_filter("datum.marked")
    marks = marks.encode(y=y, shape=channels.shape(), tooltip=tips, opacity=dimmed())
    if not has_ranges:
        return [line, marks]
    low = channels.y(f"{name}_low", scale)
    band = base.mark_area(clip=True).encode(y=low, y2=alt.Y2(f"{name}_high"), opacity=dimmed(0.18))
    return [band, line, marks]


def pinned_lines(x: alt.X, y: alt.Y, tips: list[Any]) -> list[alt.Chart]:
    """Draw pinned runs, each in its own grey, with the marks of their schemes.

    None is dashed, since dashes are predictions.
    """
    shade = alt.ExprRef(PIN_SHADE)
    base = panels.data_set("pinned").encode(
        x=x, y=y, detail=[alt.Detail("run:N"), alt.Detail("scheme:N")]
    )
    line = base.mark_line(strokeWidth=alt.ExprRef("1 + datum.pin"), color=shade, clip=True)
    marks = base.mark_point(filled=True, size=30, color=shade, clip=True)
    marks = marks.transform_filter("datum.marked").encode(shape=channels.shape())
    return [
        line.encode(opacity=dimmed()),
        marks.encode(tooltip=[alt.Tooltip("run:N"), *tips], opacity=dimmed()),
    ]


def pinned_readings(x: alt.X, y: alt.Y, name: str, along: str, format: str) -> list[alt.Chart]:
    """Write the values of pinned runs at the pointer beside their lines, in their greys."""
    rows = panels.data_set("pinned").encode(x=x, y=y)
    rows = rows.transform_filter(f"{interaction.under_pointer(along)} && isValid(datum.{name})")
    shade, number = alt.ExprRef(PIN_SHADE), alt.ExprRef(channels.reading(name, format))
    point = rows.mark_point(filled=True, size=45, opacity=1, color=shade, clip=True)
    beside: dict[str, Any] = {"align": "left", "baseline": "bottom", "dx": 5, "dy": -2}
    words = panels.outlined_text(rows, text=number, **beside, color=shade, clip=True, tooltip=None)
    return [point.encode(shape=channels.shape()), *words]


def line_names(name: str, along: str, scale: alt.Scale) -> list[alt.Chart]:
    """Write the schemes' names at the ends of their lines; a click on one isolates its scheme."""
    base = panels.data_set("ends")
    base = base.transform_filter(f"datum.axes == axes_shown && isValid(datum.{name})")
    base = interaction.keep_step_shown(base, along)
    base = base.encode(y=channels.y(name, scale), opacity=dimmed())
    symbol, words = (
        base.mark_text(
            align="left",
            baseline="middle",
            cursor="pointer",
            tooltip=None,
            x=alt.ExprRef(f"{channels.PANEL_WIDTH} + (names_fit ? {dx} : 0)"),
            limit=page_layout.LINE_NAME_WIDTH - 8,
            text=alt.ExprRef(f"names_fit ? {text} : ''"),
        )
        for dx, text in ((7, channels.SCHEME_SYMBOL), (20, "datum.text"))
    )
    return [symbol.encode(color=channels.colour()), words]
