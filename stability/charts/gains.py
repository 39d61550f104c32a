"""The first layer's gains by the variance of its weights: measured, and what theory asks for."""

from typing import Any

import altair as alt

from stability.charts import channels, panels
from stability.charts.palette import GREY
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.i18n import _
from stability.records.experiment import Experiment

WORDS_HEIGHT = 18  # pixels from one line of words to the next
LOG = alt.Scale(type="log", nice=False)


def fill_gains(experiment: Experiment) -> Filling[bool]:
    """Return the filling of a gains chart; its kind says whether there are several replicates."""
    return Filling(experiment.replicates > 1, channels.scheme_parameters(experiment))


def build_gains(has_ranges: bool) -> alt.VConcatChart:
    """Draw gains of the mean square by the variance of a weight: measured, and by theory.

    Data sets: `gains`, `conditions`, `law`, `limits`, as in `stability.frames.gain_tables`.
    """
    # Straight lines, n_in Var W solid and n_out Var W dashed; where n_in = n_out they are one.
    law = panels.data_set("law").encode(x=variance_axis())
    solid = law.mark_line(strokeWidth=1.5, color=GREY, clip=True)
    drawn = panels.panel(
        _("First layer (log): forward ● solid, backward ○ dashed"),
        220,
        panels.hold_axes(variance_axis(), factor_axis("factor")),
        panels.level_rule(1, opacity=0.6),
        *condition_rules(),
        solid.encode(y=factor_axis("forward")),
        law.mark_line(**panels.DASHED, color=GREY).encode(y=factor_axis("backward")),
        # Hollow marks are larger: both are seen where they coincide.
        *gain_marks("backward", has_ranges, filled=False, size=150),
        *gain_marks("forward", has_ranges, filled=True, size=60),
    )
    words = _(
        "Factors on the mean square at the first layer, forward and backward,"
        " by the variance of its weights."
    )
    return panels.stack([drawn], words, {"line": {"size": WORDS_HEIGHT}})


def variance_axis() -> alt.X:
    """Return the axis of a weight's variance."""
    labels: dict[str, Any] = {"labelExpr": channels.POWERS_OF_TEN, "labelOverlap": True}
    axis = alt.Axis(**labels, tickCount=4, labelPadding=4, grid=False)
    return alt.X("variance:Q", scale=LOG, title=_("Variance of a weight (log)"), axis=axis)


def factor_axis(name: str) -> alt.Y:
    """Return the axis of a gain, without a grid: it would have nine lines a decade."""
    return channels.y(name, LOG, channels.value_axis(grid=False))


def condition_rules() -> list[alt.Chart]:
    """Draw the variances that keep the signal and the gradient, and Xavier's."""
    base = panels.data_set("conditions").encode(x=variance_axis())
    rule = base.mark_rule(**panels.DOTTED, opacity=0.8, clip=True)
    # Labels are staggered so that they never overlap, each on the side with more room.
    height = alt.YValue(alt.ExprRef("3 + line.size * datum.row"))
    align = alt.ExprRef("datum.after ? 'left' : 'right'")
    dx = alt.ExprRef("datum.after ? 4 : -4")
    words = panels.outlined_text(base, align=align, baseline="top", dx=dx)
    return [rule, *(layer.encode(y=height, text=alt.Text("label:N")) for layer in words)]


def gain_marks(name: str, has_ranges: bool, *, filled: bool, size: int) -> list[alt.Chart]:
    """Draw the medians over the replicates, and their range where there are several."""
    base = panels.data_set("gains").encode(x=variance_axis(), color=channels.colour())
    shown = "variance", "forward", "predicted_forward", "backward", "predicted_backward"
    tips = channels.tooltips("scheme:N", *(f"{field}:Q .3~g" for field in shown))
    marks = base.mark_point(strokeWidth=2, opacity=1, clip=True, filled=filled, size=size)
    marks = marks.encode(y=factor_axis(name), shape=channels.shape(), tooltip=tips)
    low, high = factor_axis(f"{name}_low"), alt.Y2(f"{name}_high")
    return [base.mark_rule(clip=True).encode(y=low, y2=high), marks] if has_ranges else [marks]


gains_chart, gains_spec = chart_and_spec(build_gains, fill_gains)
