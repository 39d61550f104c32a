"""The ladder: which layer leaves which number format first, on the way forward and back, a panel for each scheme."""

import json

import altair as alt

from stability.charts.palette import GREY, FORMAT_STATES
from stability.charts.panels import EXTENT, INK, WIDTH, built, finished, looks, panel
from stability.charts.parameters import parameters
from stability.engine.rounding_shares import FORMATS_BY_RANGE
from stability.frames.ladder import position_on_ladder
from stability.records.experiment import Experiment

ROW = 14  # pixels of one format
INKS = {"all 0": "'white'", "0 already": "'white'", "fits": INK, "not known": INK}  # of words on a block; else black
LETTER = 5.6  # pixels of one letter at size 10
SHORT = {row.key: row.key.replace("float8_", "").replace("float", "f") for row in FORMATS_BY_RANGE}  # as wide as the axis is


def ladder_chart(experiment: Experiment) -> alt.VConcatChart:
    """Formats by layer, forward and then backward as it is computed: what becomes of the numbers, a panel for each scheme.

    Data set: `rungs`, as in `stability.frames.ladder_tables`.
    """
    *rest, last = range(len(experiment.schemes))
    panels = [*(rungs(experiment, index) for index in rest), rungs(experiment, last, last=True)]
    words = "Which layer leaves which number format first, forward and backward, for each initialization."
    return finished(panels, words, parameters({"letter": {"size": LETTER}}))


def ladder_spec(experiment: Experiment) -> dict:
    return built(ladder_chart, looks(experiment))


def rungs(e: Experiment, index: int, last: bool = False) -> alt.LayerChart:
    """One scheme's formats, the widest range on top. The last one carries what all share: the axis of layers and the legend."""
    base = (
        alt.Chart(alt.NamedData("rungs"))
        .transform_filter(f"datum.scheme == {json.dumps(e.schemes[index])}")
        .transform_calculate(top="datum.row + 0.05", bottom="datum.row + 0.95", middle="datum.row + 0.5")
    )
    title = e.scheme_rows[index].title + ": forward, then backward →" * (index == 0)
    return panel(title, ROW * len(FORMATS_BY_RANGE), blocks(base, e, last), named(base, e, last), turn(e))


def across(e: Experiment, name: str, last: bool) -> alt.X:
    """The way of computation: layers 1 to L, then L to 1."""
    end, middle = position_on_ladder(0.5, e.depth, True), (e.depth + 1) // 2
    layers = sorted({1, middle, e.depth})
    back = [position_on_ladder(layer, e.depth, True) for layer in reversed(layers)]
    turned = f"datum.value > {e.depth + 0.6} ? {position_on_ladder(0, e.depth, True)} - datum.value : datum.value"
    words = f"(datum.index == 0 ? 'layer ' : '') + format({turned}, 'd')"
    ticks = alt.Axis(values=[*layers, *back], labelExpr=words, grid=False, labels=last, ticks=last, labelFlush=True,
                     labelOverlap=True, labelPadding=4)  # fmt: skip
    return alt.X(name, type="quantitative", scale=alt.Scale(domain=[0.5, end], nice=False), title=None, axis=ticks)


def down(name: str) -> alt.Y:
    short = " : ".join(f"datum.value == {place + 0.5} ? '{SHORT[row.key]}'" for place, row in enumerate(FORMATS_BY_RANGE)) + " : ''"
    axis = alt.Axis(**EXTENT, values=[place + 0.5 for place in range(len(FORMATS_BY_RANGE))], labelExpr=short, grid=False, ticks=False,
                    labelOverlap=False, labelFontSize=10, domain=False)  # fmt: skip
    scale = alt.Scale(domain=[len(FORMATS_BY_RANGE), 0], nice=False)
    return alt.Y(name, type="quantitative", scale=scale, title=None, axis=axis)


def blocks(base: alt.Chart, e: Experiment, last: bool) -> alt.Chart:
    """Neighbouring layers of one fate."""
    keys = {state: f"{sign}: {state}" if sign else state for state, (_, sign) in FORMAT_STATES.items()}
    signs = " : ".join(f"datum.label == '{state}' ? '{key}'" for state, key in keys.items()) + " : ''"
    legend = alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        columns=alt.ExprRef(f"{WIDTH} < 420 ? 2 : 4"),
        symbolType="square",
        labelExpr=signs,
    )
    scale = alt.Scale(domain=list(FORMAT_STATES), range=[colour for colour, _ in FORMAT_STATES.values()])
    tips = [alt.Tooltip(name, type="nominal") for name in ("format", "way", "state")]
    tips += [alt.Tooltip(name, type="quantitative") for name in ("low", "high", "step")]
    tips += [alt.Tooltip(name, type="quantitative", format=".2~%") for name in ("zero", "subnormal", "infinite")]
    return base.mark_rect(clip=True).encode(
        x=across(e, "since", last), x2="until", y=down("top"), y2="bottom", tooltip=tips,
        color=alt.Color("state", type="nominal", scale=scale, legend=legend if last else None),
    )  # fmt: skip


def named(base: alt.Chart, e: Experiment, last: bool) -> alt.Chart:
    """The fate in a block that has room for it, and from which layer on; a sign in a smaller one."""
    room = f"abs(datum.until - datum.since) / {position_on_ladder(0.5, e.depth, True) - 0.5} * item.mark.group.width"
    signs = " : ".join(f"datum.state == {json.dumps(state)} ? '{sign}'" for state, (_, sign) in FORMAT_STATES.items()) + " : ''"
    text = f"{room} > letter.size * length(datum.words) + 6 ? datum.words : {room} > 2 * letter.size ? ({signs}) : ''"
    inks = " : ".join(f"datum.state == '{state}' ? ({ink})" for state, ink in INKS.items()) + " : 'black'"
    middle = base.transform_calculate(centre="(datum.since + datum.until) / 2")
    words = middle.mark_text(text=alt.ExprRef(text), color=alt.ExprRef(inks), fontSize=10, tooltip=None)
    return words.encode(x=across(e, "centre", last), y=down("middle"))


def turn(e: Experiment) -> alt.Chart:
    """Where the loss stands, and the way back begins."""
    middle = (e.depth + 0.5 + position_on_ladder(e.depth + 0.5, e.depth, True)) / 2
    base = alt.Chart(alt.sequence(1)).mark_rule(strokeDash=[2, 3], opacity=0.8, color=GREY)
    return base.encode(x=alt.datum(middle, type="quantitative"))
