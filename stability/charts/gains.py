"""The first layer's gains over the variance of its weights: what keeps signals, what keeps gradients, and Xavier between."""

import altair as alt

from stability.charts.palette import GREY
from stability.charts.panels import (
    axis,
    built,
    colour,
    finished,
    log_scale,
    looks,
    outlined,
    panel,
    shape,
)
from stability.charts.parameters import parameters
from stability.records.experiment import Experiment

LINE = 14  # pixels from one line of words to the next


def gains_chart(experiment: Experiment) -> alt.VConcatChart:
    """Factors on the mean square by the variance of a weight: measured, and the two lines that theory draws.

    Data sets: `gains`, `conditions`, `law`, `limits`, as in `stability.frames.gain_tables`.
    """
    measured = *points(experiment, "backward", filled=False, size=150), *points(experiment, "forward", filled=True, size=60)
    layers = corners(), *conditions(), *laws(), *measured
    drawn = panel("First layer (log): forward ● solid, backward ○ dashed", 220, *layers)
    words = "Factors on the mean square at the first layer, forward and backward, by the variance of its weights."
    return finished([drawn], words, parameters({"line": {"size": LINE}}))


def gains_spec(experiment: Experiment) -> dict:
    return built(gains_chart, looks(experiment))


def across(name: str = "variance") -> alt.X:
    ticks = alt.Axis(labelExpr=axis("").labelExpr, tickCount=4, labelOverlap=True, labelPadding=4, grid=False)
    return alt.X(name, type="quantitative", scale=log_scale(), title="Variance of a weight (log)", axis=ticks)


def up(name: str) -> alt.Y:
    ticks = axis("")
    ticks.grid = False  # of few decades, every one with nine lines
    return alt.Y(name, type="quantitative", scale=log_scale(), title=None, axis=ticks)


def corners() -> alt.Chart:
    """Invisible points that hold both axes where `frames.gain_tables` wants them."""
    return alt.Chart(alt.NamedData("limits")).mark_point(opacity=0, tooltip=None).encode(x=across(), y=up("factor"))


def conditions() -> list[alt.Chart]:
    """Where signals stay, where gradients do, and where Xavier stands; and a line where a mean square stays itself."""
    base = alt.Chart(alt.NamedData("conditions")).encode(x=across())
    layers = [alt.Chart(alt.sequence(1)).mark_rule(opacity=0.6, color=GREY).encode(y=alt.datum(1, type="quantitative"))]
    layers.append(base.mark_rule(strokeDash=[2, 3], opacity=0.8, color=GREY, clip=True))
    # One below another, or they would meet; each on the side that has more room.
    height = alt.YValue(alt.ExprRef("3 + line.size * datum.row"))
    align, dx = map(alt.ExprRef, ("datum.after ? 'left' : 'right'", "datum.after ? 4 : -4"))
    for words in outlined(base, align=align, baseline="top", dx=dx):
        layers.append(words.encode(y=height, text="label:N"))
    return layers


def laws() -> list[alt.Chart]:
    """Straight lines, n_in Var W solid and n_out Var W dashed; where n_in = n_out they are one."""
    base = alt.Chart(alt.NamedData("law")).encode(x=across())
    looks = (("forward", [1, 0]), ("backward", [5, 4]))
    return [base.mark_line(strokeWidth=1.5, strokeDash=dash, color=GREY, clip=True).encode(y=up(name)) for name, dash in looks]


def points(e: Experiment, name: str, **look: bool | int) -> list[alt.Chart]:
    """Medians over the replicates, and their range where there is more than one; a hollow mark stands around a filled one."""
    base = alt.Chart(alt.NamedData("gains")).encode(x=across(), color=colour(e))
    names = "variance", "forward", "predicted_forward", "backward", "predicted_backward"
    tips = ["scheme:N", *(alt.Tooltip(tip, type="quantitative", format=".3~g") for tip in names)]
    marked = base.mark_point(strokeWidth=2, opacity=1, clip=True, **look)
    layers = [marked.encode(y=up(name), shape=shape(e), tooltip=tips)]
    if e.replicates > 1:
        layers.insert(0, base.mark_rule(clip=True).encode(y=up(f"{name}_low"), y2=f"{name}_high"))
    return layers
