"""Loss, accuracy and gradient norm by step, and the heat map of layers by step."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from stability.catalogues.schemes import parse_scheme
from stability.charts import channels, interaction, panels
from stability.charts.interaction import dimmed
from stability.charts.lines import RunKind, fill_run_chart, line_axis, line_panel
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.frames.run_panels import TRAINING_PANELS, panel_heights, panels_shown
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES
from stability.text import join_words

CROSS: dict[str, Any] = {"shape": "cross", "angle": 45, "filled": True, "clip": True}


def fill_training(
    experiment: Experiment,
    scheme: str,
    quantity: str,
    pins: tuple[Experiment, ...] = (),
    panels: Sequence[str] = TRAINING_PANELS,
    log_loss: bool = False,
) -> Filling[RunKind]:
    """Return the filling of a training chart with the heat map of one scheme and quantity.

    The first of the `panels` is the largest; `log_loss` gives the loss a log axis.
    Raises ValueError if the experiment has none of the panels.
    """
    title = f"{HEAT_MAP_QUANTITIES[quantity]} of {parse_scheme(scheme).title}"
    title += f", over that of the {'first' if quantity == 'signal' else 'last'} layer"
    shown = panels_shown(experiment, panels, TRAINING_PANELS)
    return fill_run_chart(experiment, pins, "step", shown, log_loss, heated=title)


def build_training(kind: RunKind) -> alt.VConcatChart:
    """Stack loss, accuracy (of classes), gradient norm and loss scale by step, and a heat map.

    Data sets: `bands`, `held_out`, `marks`, `ends`, `beyond`, `limits`, `rules`, `heat`,
    `skipped` with loss scaling, and `pinned` behind pins, as in `stability.frames`.
    """
    drawn = [PANELS[name](kind) for name in kind.panels]
    names = join_words([NAMES[name] for name in kind.panels])
    derived = interaction.derived_parameters(kind.panels)
    return panels.stack(
        drawn, f"Training: {names} by step.", interaction.STATIC_PARAMETERS, derived
    )


def loss_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the loss by step, of the held-out examples thin, and what guessing costs dotted."""
    dotted, scale = "guessing" if kind.has_classes else "always the mean", loss_axis(kind)
    behind = [panels.hold_axes(channels.y("loss", scale)), guessing_rule()]
    behind.append(held_out_line("loss", scale))
    title = f"Loss (thin: held out, dotted: {dotted}{', log' * kind.log_loss})"
    above, format = divergence_marks_and_words(scale), "" if kind.log_loss else "~g"
    return line_panel(kind, title, "loss", "step", scale, behind, above, format)


def accuracy_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the share of examples classified right by step, of the held-out examples thin."""
    title, scale = "Accuracy (thin: held out)", alt.Scale(domain=[0, 1])
    behind = [held_out_line("accuracy", scale)]
    return line_panel(kind, title, "accuracy", "step", scale, behind, format="%")


def gradient_norm_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the norm of the whole gradient by step."""
    name = "gradient_norm"
    scale, behind = channels.chosen_scale(name), panels.log_axis(name)
    return line_panel(kind, "Gradient norm (log)", name, "step", scale, behind)


def loss_axis(kind: RunKind) -> alt.Scale:
    """Return the scale of losses: from 0 to twice that of guessing, or logarithmic."""
    return channels.chosen_scale("loss", kind.log_loss)


def guessing_rule() -> alt.Chart:
    """Draw a thin line at the loss of guessing."""
    rule = panels.one_row().mark_rule(**panels.DOTTED, opacity=0.6, tooltip=None, clip=True)
    return rule.encode(y=alt.YDatum(alt.ExprRef("guessing"), type="quantitative"))


def held_out_line(name: str, scale: alt.Scale) -> alt.Chart:
    """Draw a quantity of the held-out examples as a thin line."""
    base = panels.data_set("held_out").encode(x=line_axis("step"), y=channels.y(name, scale))
    line = base.mark_line(strokeWidth=1, clip=True)
    return line.encode(color=channels.colour(), opacity=dimmed())


def divergence_marks_and_words(scale: alt.Scale) -> list[alt.Chart]:
    """Draw a cross and a label where a scheme diverges, unless it is zoomed out of sight."""
    base = panels.data_set("marks").transform_filter("!zoom || inrange(datum.step, zoom)")
    base = base.encode(x=line_axis("step"), opacity=dimmed())
    y = alt.ExprRef(interaction.rows_from_top(10))
    is_late = "datum.step > (reach[0] + reach[1]) / 2"
    beside: dict[str, Any] = {"align": alt.ExprRef(f"{is_late} ? 'right' : 'left'"), "y": y}
    beside["dx"] = alt.ExprRef(f"{is_late} ? -9 : 9")
    words = panels.outlined_text(base, **beside, baseline="middle", fontWeight="bold")
    cross = base.mark_point(**CROSS, size=90, y=y).encode(color=channels.colour())
    return [cross, *(layer.encode(text=alt.Text("text:N")) for layer in words)]


def loss_scale_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the loss scale by step, with a cross at each step that was skipped."""
    scale, x = channels.log_scale("scale"), line_axis("step", kind.panels[-1] == "scale")
    y = channels.y("scale", scale, channels.value_axis())
    line, crosses = (
        panels.data_set(name).encode(x=x, y=y, color=channels.colour())
        for name in ("bands", "skipped")
    )
    crosses = crosses.mark_point(**CROSS, size=60, opacity=1)
    return panels.panel(
        "Loss scale (log); x: a step was skipped",
        panel_heights(kind.panels)["scale"],
        *interaction.guides("step"),
        panels.hold_axes(channels.y("scale", scale)),
        line.mark_line(strokeWidth=2, interpolate="step-after", clip=True),
        crosses.encode(tooltip=channels.tooltips("scheme:N", "step:Q", "scale:Q")),
    )


def heat_map(kind: RunKind) -> alt.LayerSpec:
    """Draw one quantity by layer and step, relative to where it enters, in the theme's colours.

    Blue has shrunk, orange has grown, grey is exactly 0 or not finite.
    """
    axis = alt.Axis(**channels.EXTENT, tickMinStep=1, tickCount=5, format="d")
    base = panels.data_set("heat").encode(
        x=line_axis("step", labelled=kind.panels[-1] == "heat"),
        x2=alt.X2("until"),
        y=channels.y("bottom", channels.up_to(0.5, "depth + 0.5"), axis),
        y2=alt.Y2("top"),
        tooltip=[
            *channels.tooltips("layer:Q", "step:Q"),
            alt.Tooltip("words:N", title="value"),
            alt.Tooltip("ratio:N", title="relative size"),
        ],
    )
    base = base.transform_calculate(
        bottom="datum.layer - 0.5",
        top="datum.layer + 0.5",
        words="datum.state == 'zero' ? 'exactly 0' : datum.state == 'finite' ? "
        f"{channels.short_number('datum.value')} : datum.state",
        ratio=f"isValid(datum.power) ? {channels.short_number('pow(10, datum.power)')} : ''",
    )
    scale = alt.Scale(range="diverging", domain=[-8, 8], domainMid=0, clamp=True)
    legend = panels.gradient_legend(
        values=[-8, -4, 0, 4, 8], labelExpr=channels.DECADES, title="relative size"
    )
    cells = panels.heat_cells(base, "power", "isValid(datum.power)", scale, legend)
    height = panel_heights(kind.panels)["heat"]
    edges = interaction.pointer_rules("step", edges_of=height)
    return panels.panel(alt.ExprRef("heated"), height, *cells, *edges)


PANELS = {
    "loss": loss_panel, "accuracy": accuracy_panel, "gradient_norm": gradient_norm_panel,
    "scale": loss_scale_panel, "heat": heat_map,
}  # fmt: skip
NAMES = {
    "loss": "loss", "accuracy": "accuracy", "gradient_norm": "gradient norm",
    "scale": "loss scale", "heat": "a heat map of layers",
}  # fmt: skip


training_chart, training_spec = chart_and_spec(
    build_training, fill_training, interaction.interactive_spec
)
