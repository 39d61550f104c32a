"""Loss, accuracy and gradient norm by step, and the heat map of layers by step."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from stability.catalogues.schemes import parse_scheme
from stability.charts.interaction import dimmed, guides, live_once, still
from stability.charts.lines import along_axis, line_panel
from stability.charts.palette import ZERO_OR_NOT_FINITE, GREY
from stability.charts.panels import (
    EXTENT,
    GRADIENT,
    SEAM,
    axis,
    below,
    corners,
    finished,
    format_rules,
    log_scale,
    outlined,
    panel,
)  # fmt: skip
from stability.charts.parameters import NOTHING, Kind, colour, filled, given, kind_of, parameters
from stability.frames.training import LOSS_TOP
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES

HEAT_LEGEND = alt.Legend(
    title=None, orient="bottom", direction="horizontal", gradientLength=alt.ExprRef(GRADIENT), gradientThickness=8,
    values=[-8, -4, 0, 4, 8], labelExpr="datum.value ? '1e' + datum.value : '1'",
)  # fmt: skip


def training_chart(experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Loss, accuracy (of classes) and gradient norm by step, and the heat map of one scheme's quantity, layer by step.

    With loss scaling its scale, too. Data sets: `bands`, `held_out`, `marks`, `limits`, `rules`, `heat`, `skipped` with loss
    scaling, and `pinned` where pins stand behind, as in `stability.frames`.
    """
    return training_made(kind_of(experiment, pins), shown(experiment, scheme, quantity, pins))


def shown(e: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...]) -> dict[str, Any]:
    return given(e, pins, "step") | {"heated": f"{HEAT_MAP_QUANTITIES[quantity]} of {parse_scheme(scheme).title}, layer by step"}


def training_made(kind: Kind, values: Mapping[str, Any] = NOTHING) -> alt.VConcatChart:
    shares, loss = alt.Scale(domain=[0, 1]), loss_scale()
    dotted = "guessing" if kind.classes else "always the mean"
    panels = [
        line_panel(kind, f"Loss (thin: held out, dotted: {dotted})", "loss", "step", loss,
                   [guessing(), *held_out("loss", loss)], divergence_layers(), "~g"),
        line_panel(kind, "Accuracy (thin: held out)", "accuracy", "step", shares,
                   held_out("accuracy", shares), format="%") if kind.classes else None,
        line_panel(kind, "Gradient norm (log)", "gradient_norm", "step", log_scale("gradient_norm"),
                   [corners("gradient_norm"), *format_rules("gradient_norm")]),
        scale_panel() if kind.scaled else None,
        heat_map(),
    ]  # fmt: skip
    names = "loss, accuracy and gradient norm" if kind.classes else "loss and gradient norm"
    said = f"Training: {names} by step, and a heat map of layers by step."
    return finished([drawn for drawn in panels if drawn], said, [*still(), *parameters(values)])


def scale_panel() -> alt.LayerChart:
    """What the loss is multiplied by, and a mark at each step that was skipped."""
    x = along_axis("step")
    y = alt.Y("scale", type="quantitative", scale=log_scale("scale"), title=None, axis=axis(""))
    line, marks = (alt.Chart(alt.NamedData(name)).encode(x=x, y=y, color=colour()) for name in ("bands", "skipped"))
    tips = [
        alt.Tooltip("scheme", type="nominal"),
        alt.Tooltip("step", type="quantitative"),
        alt.Tooltip("scale", type="quantitative"),
    ]
    marks = marks.mark_point(shape="cross", angle=45, filled=True, size=60, opacity=1, clip=True).encode(tooltip=tips)
    steps = line.mark_line(strokeWidth=2, interpolate="step-after", clip=True)
    return panel(
        "Loss scale (log); x: a step was skipped",
        70,
        *guides("step"),
        corners("scale"),
        steps,
        marks,
    )


def training_spec(experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...] = ()) -> dict:
    """The training chart as a Vega-Lite dict that answers a hand: to be sent many times and never changed."""
    return filled(live_once(training_made, kind_of(experiment, pins)), shown(experiment, scheme, quantity, pins))


def held_out(name: str, scale: alt.Scale) -> list[alt.Chart]:
    """The same quantity on examples that are never trained on, as a thin line."""
    y = alt.Y(name, type="quantitative", scale=scale, title=None)
    base = alt.Chart(alt.NamedData("held_out")).mark_line(strokeWidth=1, clip=True)
    return [base.encode(x=along_axis("step"), y=y, color=colour(), opacity=dimmed())]


def loss_scale() -> alt.Scale:
    """From 0 to a few times the loss of guessing; what is above runs along the top."""
    return alt.Scale(domain=[0, alt.ExprRef(f"{LOSS_TOP} * guessing")], clamp=True, nice=False)


def guessing() -> alt.Chart:
    """A thin line at the loss of a network that knows nothing of its input."""
    base = alt.Chart(alt.sequence(1)).mark_rule(strokeDash=[2, 3], opacity=0.6, color=GREY, tooltip=None)
    return base.encode(y=alt.YDatum(alt.ExprRef("guessing"), type="quantitative"))


def divergence_layers() -> list[alt.Chart]:
    """A cross and a few words where a scheme leaves the range of numbers."""
    base = alt.Chart(alt.NamedData("marks")).encode(
        x=along_axis("step"),
        opacity=dimmed(),
        y=alt.Y("height", type="quantitative", scale=loss_scale(), title=None),
    )
    return [
        base.mark_point(shape="cross", angle=45, filled=True, size=90, clip=True).encode(color=colour()),
        *(words.encode(text="text:N") for words in outlined(base, align="left", dx=9, clip=True, fontWeight="bold")),
    ]


def heat_map() -> alt.LayerChart:
    """Decades away from 1, in the theme's colours: blue has shrunk, orange has grown, grey is exactly 0 or not finite."""
    scale = alt.Scale(range="diverging", domain=[-8, 8], domainMid=0, clamp=True)
    base = (
        alt.Chart(alt.NamedData("heat"))
        .transform_calculate(bottom="datum.layer - 0.5", top="datum.layer + 0.5")
        .encode(
            x=along_axis("step").axis(below(True, "step")),
            x2="until",
            y=alt.Y("bottom", type="quantitative", scale=alt.Scale(domain=[0.5, alt.ExprRef("depth + 0.5")], nice=False),
                    title=None, axis=alt.Axis(**EXTENT, tickMinStep=1, tickCount=5, format="d")),
            y2="top",
            tooltip=[alt.Tooltip("layer", type="quantitative"), alt.Tooltip("step", type="quantitative"),
                     alt.Tooltip("value", type="quantitative", format=".3~e"), alt.Tooltip("state", type="nominal")],
        )
    )  # fmt: skip
    finite = base.mark_rect(clip=True, strokeWidth=SEAM).transform_filter("datum.state == 'finite'")
    painted = {"shorthand": "power", "type": "quantitative", "scale": scale}
    finite = finite.encode(color=alt.Color(**painted, legend=HEAT_LEGEND), stroke=alt.Stroke(**painted, legend=None))
    # A layer of its own: a mark whose colour comes from a null is not drawn at all, whatever its condition says.
    others = base.mark_rect(clip=True, color=ZERO_OR_NOT_FINITE, stroke=ZERO_OR_NOT_FINITE, strokeWidth=SEAM)
    others = others.transform_filter("datum.state != 'finite'")
    return panel(alt.ExprRef("heated"), 120, others, finite, *guides("step", 120), beside=False)
