"""Loss, accuracy and gradient norm by step, and the heat map of layers by step."""

from collections.abc import Sequence

import altair as alt

from stability.catalogues.schemes import parse_scheme
from stability.charts import channels, interaction, panels
from stability.charts.lines import (
    RunKind,
    fill_run_chart,
    format_limits,
    height_axis,
    line_axis,
    line_panel,
    run_chart,
)
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.frames.run_panels import TRAINING_PANELS, panel_heights, panels_shown
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES
from stability.text import join_words


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
    title = _("{quantity} of {scheme}, over that of the last layer")
    if quantity == "signal":
        title = _("{quantity} of {scheme}, over that of the first layer")
    name, scheme_title = _(HEAT_MAP_QUANTITIES[quantity]), parse_scheme(scheme).title
    title = title.format(quantity=name, scheme=scheme_title)
    shown = panels_shown(experiment, panels, TRAINING_PANELS)
    return fill_run_chart(experiment, pins, "step", shown, log_loss, heated=title)


def build_training(kind: RunKind) -> alt.VConcatChart:
    """Stack loss, accuracy (of classes), gradient norm and loss scale by step, and a heat map.

    Data sets: `bands`, `held_out`, `marks`, `ends`, `beyond`, `limits`, `rules`, `heat`,
    `skipped` with loss scaling, and `pinned` behind pins, as in `stability.frames`.
    """
    drawn = [PANELS[name](kind) for name in kind.panels]
    names = join_words([_(NAMES[name]) for name in kind.panels])
    return run_chart(kind, "step", drawn, _("Training: {names} by step.").format(names=names))


LOSS_TITLES = {  # by whether there are classes, and by the axis
    (True, False): N_("Loss (thin: held out, dotted: guessing)"),
    (True, True): N_("Loss (thin: held out, dotted: guessing, log)"),
    (False, False): N_("Loss (thin: held out, dotted: always the mean)"),
    (False, True): N_("Loss (thin: held out, dotted: always the mean, log)"),
}


def loss_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the loss by step, of the held-out examples thin, and what guessing costs dotted."""
    scale = loss_axis(kind)
    behind = [guessing_rule(), held_out_line("loss", scale)]
    title = _(LOSS_TITLES[kind.has_classes, kind.log_loss])
    above, format = divergence_marks_and_words(), "" if kind.log_loss else "~g"
    return line_panel(kind, title, "loss", "step", scale, behind, above, format)


def accuracy_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the share of examples classified right by step, of the held-out examples thin."""
    title, scale = _("Accuracy (thin: held out)"), alt.Scale(domain=[0, 1])
    behind = [held_out_line("accuracy", scale)]
    return line_panel(kind, title, "accuracy", "step", scale, behind, format="%")


def gradient_norm_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the norm of the whole gradient by step."""
    name = "gradient_norm"
    scale = channels.chosen_scale(name)
    return line_panel(kind, _("Gradient norm (log)"), name, "step", scale, format_limits(name))


def loss_axis(kind: RunKind) -> alt.Scale:
    """Return the scale of losses: from 0 to twice that of guessing, or logarithmic."""
    return channels.chosen_scale("loss", kind.log_loss)


def guessing_rule() -> alt.Chart:
    """Draw a thin line at the loss of guessing."""
    rule = panels.one_row().mark_rule(style="level", clip=True)
    return rule.encode(y=alt.YDatum(alt.ExprRef("guessing"), type="quantitative"))


def held_out_line(name: str, scale: alt.Scale) -> alt.Chart:
    """Draw a quantity of the held-out examples as a thin line."""
    base = panels.data_set("held_out").encode(x=line_axis("step"), y=channels.y(name, scale))
    return base.mark_line(style="thin", clip=True).encode(color=channels.colour())


def divergence_marks_and_words() -> list[alt.Chart]:
    """Draw a cross and a label where a scheme diverges, unless it is zoomed out of sight."""
    base = panels.data_set("marks").transform_filter("!zoom || inrange(datum.step, zoom)")
    base = base.encode(x=line_axis("step"))
    cross = base.mark_point(style=["cross", "end"], clip=True).encode(color=channels.colour())
    return [cross, *interaction.outlined(base, "end", "end_words")]


def loss_scale_panel(kind: RunKind) -> alt.LayerSpec:
    """Draw the loss scale by step, with a cross at each step that was skipped."""
    scale, x = channels.log_scale("scale"), line_axis("step", kind.panels[-1] == "scale")
    y = channels.y("scale", scale, height_axis())
    line, crosses = (
        panels.data_set(name).encode(x=x, y=y, color=channels.colour())
        for name in ("bands", "skipped")
    )
    crosses = crosses.mark_point(style=["cross", "skip"], clip=True)
    return panels.panel(
        _("Loss scale (log); x: a step was skipped"),
        panel_heights(kind.panels)["scale"],
        *interaction.guides("step"),
        panels.hold_axes(channels.y("scale", scale)),
        line.mark_line(interpolate="step-after", clip=True),
        crosses.encode(tooltip=channels.tooltips("scheme:N", "step:Q", "scale:Q")),
    )


def heat_map(kind: RunKind) -> alt.LayerSpec:
    """Draw one quantity by layer and step, relative to where it enters, in the theme's colours.

    Blue has shrunk, orange has grown, grey is exactly 0 or not finite.
    """
    height = panel_heights(kind.panels)["heat"]
    axis = alt.Axis(tickMinStep=1, tickCount=5, format="d")
    scale = alt.Scale(range="diverging", domain=[-8, 8], domainMid=0, clamp=True)
    legend = panels.gradient_legend(
        values=[-8, -4, 0, 4, 8], labelExpr=channels.DECADES, title=_("relative size")
    )
    # Each reaches over the next ones: no seam is seen.
    cells = heat_rows().mark_rect(clip=True, invalid=None, x2Offset=0.7, y2Offset=-0.7)
    cells = cells.encode(
        x=line_axis("step", labelled=kind.panels[-1] == "heat"),
        x2=alt.X2("until"),
        y=channels.y("bottom", channels.up_to(0.5, "depth + 0.5"), axis),
        y2=alt.Y2("top"),
        fill=alt.Fill("power:Q", scale=scale, legend=legend),
        tooltip=[
            *channels.tooltips("layer:N", "step:N", "value:N"),
            alt.Tooltip("ratio:N", title=_("relative size")),
        ],
    )
    # Only at the edges, where they hide no tooltip.
    dash = alt.ExprRef(f"[6, {height} * enlarged - 12]")
    edges = interaction.pointer_rules("step", strokeDash=dash)
    return panels.panel(alt.ExprRef("heated"), height, cells, *edges, offset=panels.TITLE_OFFSET)


def heat_rows() -> alt.Chart:
    """Return the cells of the heat map, with their edges, their colours and words for them."""
    bins = alt.LookupData(
        data=alt.NamedData("bins"), key="bin", fields=["step", "until", "entrance"]
    )
    numbers = "datum.relative * (datum.entrance || 1)", "datum.relative"
    exact_zero, not_finite = repr(_("exactly 0")), repr(_("not finite"))
    value, ratio = (f"format({number}, '.2~g')" for number in numbers)
    rows = panels.data_set("heat").transform_window(row="row_number()")
    rows = rows.transform_calculate(bin="floor((datum.row - 1) / depth)")
    return rows.transform_lookup("bin", from_=bins).transform_calculate(
        layer="(datum.row - 1) % depth + 1",
        bottom="datum.layer - 0.5",
        top="datum.layer + 0.5",
        power="datum.entrance ? log(datum.relative) / LN10 : NaN",
        value=f"isValid(datum.relative) ? datum.relative ? {value} : {exact_zero} : {not_finite}",
        ratio=f"isFinite(datum.power) ? {ratio} : ''",
    )


PANELS = {
    "loss": loss_panel, "accuracy": accuracy_panel, "gradient_norm": gradient_norm_panel,
    "scale": loss_scale_panel, "heat": heat_map,
}  # fmt: skip
NAMES = {
    "loss": N_("loss"), "accuracy": N_("accuracy"), "gradient_norm": N_("gradient norm"),
    "scale": N_("loss scale"), "heat": N_("a heat map of layers"),
}  # fmt: skip


training_chart, training_spec = chart_and_spec(
    build_training, fill_training, interaction.interactive_spec
)
