"""Panels with a line for each scheme, pinned runs behind, and readings at the pointer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from stability.charts import channels, interaction, panels
from stability.charts.run_styles import run_config
from stability.charts.spec_cache import Filling
from stability.frames.run_panels import panel_heights
from stability.i18n import N_, _
from stability.records.experiment import Experiment

UNITS = {
    "loss": N_("loss (nats, or squares)"), "accuracy": N_("share right"),
    "gradient_norm": N_("gradient norm"),
    "signal": N_("RMS of z"), "signal_gradient": N_("RMS of dL/dz"),
    "weight_gradient": N_("norm of dL/dW"),
}  # fmt: skip


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
        "names": [row.title for row in e.scheme_rows],
    }
    return Filling(kind, parameters | channels.scheme_parameters(e) | more)


def line_axis(along: str, labelled: bool = False) -> alt.X:
    """Return the axis of steps or layers that all panels of a chart share; the last labels it."""
    return channels.x(along, interaction.zoomed_scale(), channels.shared_axis(along, labelled))


def height_axis(format: str = "") -> alt.Axis:
    """Return the axis of a run's quantity, labelled in powers of ten if no format is given."""
    return alt.Axis(**channels.labels(format)) if format else alt.Axis(style="powers")


def run_chart(
    kind: RunKind, along: str, drawn: Sequence[alt.LayerSpec], words: str
) -> alt.VConcatChart:
    """Stack the panels of a run's chart along the "step" or "layer"."""
    # A chart knows only data that it draws, and the axes of all panels follow from these.
    drawn[0].layer.insert(0, panels.data_set("limits").mark_point(opacity=0))
    return panels.stack(
        drawn,
        words,
        interaction.constant_parameters(kind.panels),
        interaction.derived_parameters(kind.panels, along),
        run_config(kind.has_pins),
    )


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
    y = channels.y(name, scale, height_axis(format))
    value_tip = alt.Tooltip(f"{name}:Q", format=format or ".3~e", title=_(UNITS[name]))
    tips = [*channels.tooltips("scheme:N", f"{along}:N"), value_tip]
    rows = panels.data_set("bands" if along == "step" else "profiles")
    rows = interaction.keep_step_shown(rows, along)
    layers = [*interaction.guides(along), *behind]
    if kind.has_pins:
        layers += pinned_lines(x, y, tips)
        layers += pinned_readings(x, y, name, along, format)
    base = rows.encode(x=x, color=channels.colour())
    layers += measured_lines(base, name, scale, y, tips, kind.has_ranges)
    if kind.has_pins and name == kind.panels[0]:  # named once: its grey is the same in all panels
        named = panels.data_set("pinned").transform_filter("datum.named").encode(x=x, y=y)
        layers += interaction.outlined(named, "pinned_name", clip=True)
    rows = at_pointer(rows, name, along)
    pointed = rows.mark_point(style="pointed", clip=True)
    pointed = pointed.encode(x=x, y=y, color=channels.colour(), shape=channels.shape())
    layers += [
        *above,
        pointed,
        *interaction.readings(rows, format),
        *line_names(name, along, scale),
    ]
    if name != "accuracy":  # nothing leaves its axis
        layers += interaction.words_beyond(name, along)
    share_axes(layers, x, y)
    words = interaction.title_at_pointer(title)
    return panels.panel(words, panel_heights(kind.panels)[name], *layers)


def at_pointer(rows: alt.Chart, name: str, along: str) -> alt.Chart:
    """Return the rows at the pointer that have this quantity, and name it `value` to be read."""
    rows = rows.transform_filter(f"{interaction.under_pointer(along)} && isValid(datum.{name})")
    return rows.transform_calculate(value=f"datum.{name}")


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
    marks = base.mark_point(clip=True).transform_filter("datum.marked")
    drawn = [
        base.mark_line(clip=True).encode(y=y),
        marks.encode(y=y, shape=channels.shape(), tooltip=tips),
    ]
    if not has_ranges:
        return drawn
    low = channels.y(f"{name}_low", scale)
    band = base.mark_area(style="range", clip=True).encode(y=low, y2=alt.Y2(f"{name}_high"))
    return [band, *drawn]


def pinned_lines(x: alt.X, y: alt.Y, tips: list[Any]) -> list[alt.Chart]:
    """Draw pinned runs, each in its own grey, with the marks of their schemes.

    None is dashed, since dashes are predictions.
    """
    base = panels.data_set("pinned").encode(
        x=x, y=y, detail=[alt.Detail("run:N"), alt.Detail("scheme:N")]
    )
    marks = base.mark_point(style=["pin", "pinned_mark"], clip=True)
    marks = marks.transform_filter("datum.marked").encode(shape=channels.shape())
    return [
        base.mark_line(style=["pin", "pinned_line"], clip=True),
        marks.encode(tooltip=[alt.Tooltip("run:N"), *tips]),
    ]


def pinned_readings(x: alt.X, y: alt.Y, name: str, along: str, format: str) -> list[alt.Chart]:
    """Write the values of pinned runs at the pointer beside their lines, in their greys."""
    rows = at_pointer(panels.data_set("pinned").encode(x=x, y=y), name, along)
    point = rows.mark_point(style=["pin", "pointed_pin"], clip=True)
    more = {"text": alt.ExprRef(channels.reading("value", format))} if format == "%" else {}
    words = interaction.outlined(rows, "pin", "pinned_reading", clip=True, **more)
    return [point.encode(shape=channels.shape()), *words]


def line_names(name: str, along: str, scale: alt.Scale) -> list[alt.Chart]:
    """Write the schemes' names at the ends of their lines; a click on one isolates its scheme."""
    base = panels.data_set("ends")
    base = base.transform_filter(f"datum.axes == axes_shown && isValid(datum.{name})")
    base = interaction.keep_step_shown(base, along).encode(y=channels.y(name, scale))
    symbol = base.mark_text(style=["name", "sign_of_name"])
    return [symbol.encode(color=channels.colour()), base.mark_text(style="name")]


def format_limits(name: str) -> list[alt.Chart]:
    """Draw the limits of a number format on a quantity's log axis."""
    base = panels.data_set("rules").transform_filter(f"datum.quantity == '{name}'")
    base = base.encode(y=channels.y("height", channels.chosen_scale(name)))
    rule = base.mark_rule(style="limit", clip=True)
    return [rule, base.mark_text(style="limit_words", clip=True)]
