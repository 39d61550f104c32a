"""Loss, accuracy and gradient norm by step, and the heat map of layers by step."""

import altair as alt

from stability.catalogues.schemes import parse_scheme
from stability.charts.interaction import (
    dimmed,
    guides,
    interactive_spec,
    pointer_rules,
    static_parameters,
)
from stability.charts.lines import RunKind, fill_run_chart, line_axis, line_panel
from stability.charts.palette import GREY, ZERO_OR_NOT_FINITE
from stability.charts.panels import (
    CELL_STROKE,
    DOTTED,
    EXTENT,
    LEGEND_LENGTH,
    data_set,
    format_limit_rules,
    hold_axes,
    log_scale,
    number_tips,
    one_row,
    outlined_text,
    panel,
    stack_panels,
    value_axis,
    word_tips,
    y_channel,
)
from stability.charts.parameters import colour
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.frames.training import LOSS_TOP
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES

HEAT_MAP_HEIGHT = 120
CROSS = {"shape": "cross", "angle": 45, "filled": True, "clip": True}


def fill_training(
    experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...] = ()
) -> Filling[RunKind]:
    """Return the filling of a training chart whose heat map shows one scheme's quantity."""
    title = f"{HEAT_MAP_QUANTITIES[quantity]} of {parse_scheme(scheme).title}, layer by step"
    return fill_run_chart(experiment, pins, "step", heated=title)


def build_training(kind: RunKind) -> alt.VConcatChart:
    """Loss, accuracy (of classes) and gradient norm by step, with loss scaling its scale, and the
    heat map of one scheme's quantity, layer by step.

    Data sets: `bands`, `held_out`, `marks`, `ends`, `limits`, `rules`, `heat`, `skipped` with loss
    scaling, and `pinned` behind pins, as in `stability.frames`.
    """
    loss = loss_scale()
    shares = alt.Scale(domain=[0, 1])
    panels = [
        line_panel(
            kind,
            f"Loss (thin: held out, dotted: {'guessing' if kind.has_classes else 'always the mean'})",
            "loss",
            "step",
            loss,
            behind=[guessing_rule(), held_out_line("loss", loss)],
            above=divergence_marks_and_words(),
            format="~g",
        )
    ]
    if kind.has_classes:
        held_out = held_out_line("accuracy", shares)
        title = "Accuracy (thin: held out)"
        panels.append(
            line_panel(kind, title, "accuracy", "step", shares, behind=[held_out], format="%")
        )
    norms = log_scale("gradient_norm")
    behind = [hold_axes(y_channel("gradient_norm", norms)), *format_limit_rules("gradient_norm")]
    panels.append(line_panel(kind, "Gradient norm (log)", "gradient_norm", "step", norms, behind))
    if kind.scales_loss:
        panels.append(loss_scale_panel())
    panels.append(heat_map())
    names = "loss, accuracy and gradient norm" if kind.has_classes else "loss and gradient norm"
    description = f"Training: {names} by step, and a heat map of layers by step."
    return stack_panels(panels, description, static_parameters())


def loss_scale() -> alt.Scale:
    """From 0 to a few times the loss of guessing; what is above runs along the top."""
    top = alt.ExprRef(f"{LOSS_TOP} * guessing")
    return alt.Scale(domain=[0, top], clamp=True, nice=False)


def guessing_rule() -> alt.Chart:
    """A thin line at the loss of a network that knows nothing of its input."""
    base = one_row().mark_rule(**DOTTED, opacity=0.6, tooltip=None)
    return base.encode(y=alt.YDatum(alt.ExprRef("guessing"), type="quantitative"))


def held_out_line(name: str, scale: alt.Scale) -> alt.Chart:
    """The same quantity on examples that are never trained on, as a thin line."""
    line = data_set("held_out").mark_line(strokeWidth=1, clip=True)
    return line.encode(
        x=line_axis("step"), y=y_channel(name, scale), color=colour(), opacity=dimmed()
    )


def divergence_marks_and_words() -> list[alt.Chart]:
    """A cross and a few words where a scheme leaves the range of numbers."""
    y = y_channel("height", loss_scale())
    base = data_set("marks").encode(x=line_axis("step"), opacity=dimmed(), y=y)
    words = outlined_text(base, align="left", dx=9, clip=True, fontWeight="bold")
    cross = base.mark_point(**CROSS, size=90).encode(color=colour())
    return [cross, *(layer.encode(text="text:N") for layer in words)]


def loss_scale_panel() -> alt.LayerChart:
    """What the loss is multiplied by, and a cross at each step that was skipped."""
    scale = log_scale("scale")
    y = y_channel("scale", scale, value_axis())
    line, crosses = (
        data_set(name).encode(x=line_axis("step"), y=y, color=colour())
        for name in ("bands", "skipped")
    )
    tips = [*word_tips("scheme"), *number_tips("step", "scale")]
    return panel(
        "Loss scale (log); x: a step was skipped",
        70,
        *guides("step"),
        hold_axes(y_channel("scale", scale)),
        line.mark_line(strokeWidth=2, interpolate="step-after", clip=True),
        crosses.mark_point(**CROSS, size=60, opacity=1).encode(tooltip=tips),
    )


def heat_map() -> alt.LayerChart:
    """Decades from 1, in the theme's colours: blue has shrunk, orange has grown.

    Grey is exactly 0 or not finite.
    """
    layers = alt.Scale(domain=[0.5, alt.ExprRef("depth + 0.5")], nice=False)
    axis = alt.Axis(**EXTENT, tickMinStep=1, tickCount=5, format="d")
    base = (
        data_set("heat")
        .transform_calculate(bottom="datum.layer - 0.5", top="datum.layer + 0.5")
        .encode(
            x=line_axis("step", labelled=True),
            x2="until",
            y=y_channel("bottom", layers, axis),
            y2="top",
            tooltip=[
                *number_tips("layer", "step"),
                *number_tips("value", format=".3~e"),
                *word_tips("state"),
            ],
        )
    )
    decades = alt.Scale(range="diverging", domain=[-8, 8], domainMid=0, clamp=True)
    finite = base.mark_rect(clip=True, strokeWidth=CELL_STROKE)
    finite = finite.transform_filter("datum.state == 'finite'").encode(
        color=alt.Color("power:Q", scale=decades, legend=decade_legend()),
        stroke=alt.Stroke("power:Q", scale=decades, legend=None),
    )
    # Of its own: a mark whose colour comes from a null is not drawn, whatever its condition says.
    grey = {"color": ZERO_OR_NOT_FINITE, "stroke": ZERO_OR_NOT_FINITE}
    others = base.mark_rect(clip=True, strokeWidth=CELL_STROKE, **grey)
    others = others.transform_filter("datum.state != 'finite'")
    edges = pointer_rules("step", edges_of=HEAT_MAP_HEIGHT)
    return panel(alt.ExprRef("heated"), HEAT_MAP_HEIGHT, others, finite, *edges)


def decade_legend() -> alt.Legend:
    """The legend of the heat map, in powers of ten."""
    return alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        gradientLength=alt.ExprRef(LEGEND_LENGTH),
        gradientThickness=8,
        values=[-8, -4, 0, 4, 8],
        labelExpr="datum.value ? '1e' + datum.value : '1'",
    )


training_template = ChartTemplate(build_training, fill_training, interactive_spec)
training_chart, training_spec = training_template.chart, training_template.spec
