"""The first layer's gains by the variance of its weights: measured, and what theory asks for."""

import altair as alt

from stability.charts.palette import GREY
from stability.charts.panels import (
    DASHED,
    DOTTED,
    POWERS_OF_TEN,
    data_set,
    hold_axes,
    number_tips,
    one_row,
    outlined_text,
    panel,
    stack_panels,
    value_axis,
    word_tips,
    y_channel,
)
from stability.charts.parameters import colour, scheme_parameters, shape
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.records.experiment import Experiment

WORDS_HEIGHT = 14  # pixels from one line of words to the next


def fill_gains(experiment: Experiment) -> Filling[bool]:
    """Return the filling of a gains chart; its kind says whether there are several replicates."""
    return Filling(experiment.replicates > 1, scheme_parameters(experiment))


def build_gains(has_ranges: bool) -> alt.VConcatChart:
    """Factors on the mean square by the variance of a weight: measured, and the laws of theory.

    Data sets: `gains`, `conditions`, `law`, `limits`, as in `stability.frames.gain_tables`.
    """
    title = "First layer (log): forward ● solid, backward ○ dashed"
    drawn = panel(
        title,
        220,
        hold_axes(variance_axis(), factor_axis("factor")),
        *condition_rules(),
        *gain_laws(),
        # A hollow mark stands around a filled one.
        *gain_marks("backward", has_ranges, filled=False, size=150),
        *gain_marks("forward", has_ranges, filled=True, size=60),
    )
    words = (
        "Factors on the mean square at the first layer, forward and backward,"
        " by the variance of its weights."
    )
    return stack_panels([drawn], words, {"line": {"size": WORDS_HEIGHT}})


def variance_axis() -> alt.X:
    """The variance of a weight."""
    axis = alt.Axis(
        labelExpr=POWERS_OF_TEN, tickCount=4, labelOverlap=True, labelPadding=4, grid=False
    )
    scale = alt.Scale(type="log", nice=False)
    return alt.X("variance:Q", scale=scale, title="Variance of a weight (log)", axis=axis)


def factor_axis(name: str) -> alt.Y:
    """A factor on the mean square. No grid: of few decades, each would have nine lines."""
    return y_channel(name, alt.Scale(type="log", nice=False), value_axis(grid=False))


def condition_rules() -> list[alt.Chart]:
    """The variances that keep signals, that keep gradients, and Xavier's; and a rule at 1."""
    base = data_set("conditions").encode(x=variance_axis())
    level = one_row().mark_rule(opacity=0.6, color=GREY).encode(y=alt.datum(1, type="quantitative"))
    # Words stand below one another, or they would meet; each on the side that has more room.
    align = alt.ExprRef("datum.after ? 'left' : 'right'")
    dx = alt.ExprRef("datum.after ? 4 : -4")
    height = alt.YValue(alt.ExprRef("3 + line.size * datum.row"))
    words = outlined_text(base, align=align, baseline="top", dx=dx)
    return [
        level,
        base.mark_rule(**DOTTED, opacity=0.8, clip=True),
        *(layer.encode(y=height, text="label:N") for layer in words),
    ]


def gain_laws() -> list[alt.Chart]:
    """Straight lines, n_in Var W solid and n_out Var W dashed; where n_in = n_out they are one."""
    base = data_set("law").encode(x=variance_axis())
    solid = base.mark_line(strokeWidth=1.5, strokeDash=[1, 0], color=GREY, clip=True)
    dashed = base.mark_line(**DASHED, color=GREY, clip=True)
    return [solid.encode(y=factor_axis("forward")), dashed.encode(y=factor_axis("backward"))]


def gain_marks(name: str, has_ranges: bool, *, filled: bool, size: int) -> list[alt.Chart]:
    """Medians over the replicates, and their range where there are several."""
    base = data_set("gains").encode(x=variance_axis(), color=colour())
    tips = number_tips(
        "variance", "forward", "predicted_forward", "backward", "predicted_backward", format=".3~g"
    )
    marks = base.mark_point(strokeWidth=2, opacity=1, clip=True, filled=filled, size=size)
    marks = marks.encode(y=factor_axis(name), shape=shape(), tooltip=[*word_tips("scheme"), *tips])
    if not has_ranges:
        return [marks]
    return [
        base.mark_rule(clip=True).encode(y=factor_axis(f"{name}_low"), y2=f"{name}_high"),
        marks,
    ]


gains_template = ChartTemplate(build_gains, fill_gains)
gains_chart, gains_spec = gains_template.chart, gains_template.spec
