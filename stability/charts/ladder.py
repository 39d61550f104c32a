"""Which layer leaves which number format first, forward and backward, a panel for each scheme."""

import json

import altair as alt

from stability.charts import channels, panels
from stability.charts.channels import first_that_holds
from stability.charts.palette import FORMAT_STATES
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.charts.vega_names import MARK_PANEL_WIDTH, PANEL_WIDTH
from stability.engine.rounding_shares import FORMATS_BY_RANGE
from stability.frames.ladder import position_on_ladder
from stability.records.experiment import Experiment

ROW_HEIGHT = 14  # pixels of one format
LETTER_SIZE = 5.6  # pixels of one letter at font size 10
STATE_INKS = {  # of words on a block, else black
    "all 0": "'white'", "0 already": "'white'", "fits": panels.INK, "not known": panels.INK,
}  # fmt: skip


def fill_ladder(experiment: Experiment) -> Filling[int]:
    """Return the filling of a ladder; its kind is the number of schemes."""
    depth = experiment.depth
    layers = sorted({1, (depth + 1) // 2, depth})
    titles = [row.title for row in experiment.scheme_rows]
    titles[0] += ": forward, then backward →"
    parameters = {
        "schemes": list(experiment.schemes),
        "titles": titles,
        "depth": depth,
        "ticks": layers + [position_on_ladder(layer, depth, True) for layer in reversed(layers)],
        "layer_0": position_on_ladder(0, depth, True),  # on the way back, which begins at the loss
        "loss": (depth + 0.5 + position_on_ladder(depth + 0.5, depth, True)) / 2,
        "way_end": position_on_ladder(0.5, depth, True),
    }
    return Filling(len(titles), parameters)


def build_ladder(schemes: int) -> alt.VConcatChart:
    """Formats by layer, forward and then backward as it is computed: what becomes of the numbers.

    Data set: `rungs`, as in `stability.frames.ladder_tables`.
    """
    drawn = [ladder_panel(index, is_last=index == schemes - 1) for index in range(schemes)]
    words = (
        "Which layer leaves which number format first, forward and backward,"
        " for each initialization."
    )
    return panels.stack(drawn, words, {"letter": {"size": LETTER_SIZE}})


def ladder_panel(index: int, is_last: bool) -> alt.LayerSpec:
    """One scheme's formats, the widest range on top; the last panel has the axis and the legend."""
    base = panels.data_set("rungs").transform_filter(f"datum.scheme == schemes[{index}]")
    base = base.transform_calculate(
        top="datum.row + 0.05", bottom="datum.row + 0.95", middle="datum.row + 0.5"
    )
    loss = panels.one_row().mark_rule(**panels.DOTTED, opacity=0.8)
    loss = loss.encode(x=alt.XDatum(alt.ExprRef("loss"), type="quantitative"))
    layers = state_blocks(base, is_last), state_words(base, is_last), loss
    height = ROW_HEIGHT * len(FORMATS_BY_RANGE)
    return panels.panel(alt.ExprRef(f"titles[{index}]"), height, *layers)


def way_axis(name: str, is_last: bool) -> alt.X:
    """The way of computation: layers 1 to L, then L to 1."""
    layer = "datum.value > depth + 0.6 ? layer_0 - datum.value : datum.value"
    axis = alt.Axis(
        values=alt.ExprRef("ticks"),
        labelExpr=f"(datum.index == 0 ? 'layer ' : '') + format({layer}, 'd')",
        grid=False,
        labels=is_last,
        ticks=is_last,
        labelFlush=True,
        labelOverlap=True,
        labelPadding=4,
    )
    return channels.x(name, channels.up_to(0.5, "way_end"), axis)


def format_axis(name: str) -> alt.Y:
    """The formats below one another, by names as short as the axis is."""
    names = [format.key.replace("float8_", "").replace("float", "f") for format in FORMATS_BY_RANGE]
    middles = [row + 0.5 for row in range(len(names))]
    labels = [
        (f"datum.value == {at}", f"'{name}'") for at, name in zip(middles, names, strict=True)
    ]
    axis = alt.Axis(
        **channels.EXTENT,
        values=middles,
        labelExpr=first_that_holds(labels, "''"),
        labelOverlap=False,
        labelFontSize=10,
        grid=False,
        ticks=False,
        domain=False,
    )
    return channels.y(name, alt.Scale(domain=[len(names), 0], nice=False), axis)


def state_blocks(base: alt.Chart, is_last: bool) -> alt.Chart:
    """Blocks of neighbouring layers whose numbers are in the same state."""
    labels = [
        (f"datum.label == '{state}'", f"'{sign}: {state}'" if sign else f"'{state}'")
        for state, (_, sign) in FORMAT_STATES.items()
    ]
    legend = alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        columns=alt.ExprRef(f"{PANEL_WIDTH} < 420 ? 2 : 4"),
        symbolType="square",
        labelExpr=first_that_holds(labels, "''"),
    )
    colours = [colour for colour, _ in FORMAT_STATES.values()]
    scale = alt.Scale(domain=list(FORMAT_STATES), range=colours)
    shown = "format:N", "way:N", "state:N", "low:Q", "high:Q", "step:Q"
    shares = "zero:Q .2~%", "subnormal:Q .2~%", "infinite:Q .2~%"
    return base.mark_rect(clip=True).encode(
        x=way_axis("since", is_last),
        x2=alt.X2("until"),
        y=format_axis("top"),
        y2=alt.Y2("bottom"),
        color=alt.Color("state:N", scale=scale, legend=legend if is_last else None),
        tooltip=channels.tooltips(*shown, *shares),
    )


def state_words(base: alt.Chart, is_last: bool) -> alt.Chart:
    """The state in a block with room for it, and from which layer on; a sign in a smaller one."""
    signs = first_that_holds(
        (
            (f"datum.state == {json.dumps(state)}", f"'{sign}'")
            for state, (_, sign) in FORMAT_STATES.items()
        ),
        "''",
    )
    room = f"abs(datum.until - datum.since) / (way_end - 0.5) * {MARK_PANEL_WIDTH}"
    words = (
        (f"{room} > letter.size * length(datum.words) + 6", "datum.words"),
        (f"{room} > 2 * letter.size", f"({signs})"),
    )
    inks = ((f"datum.state == '{state}'", f"({ink})") for state, ink in STATE_INKS.items())
    text, ink = (
        alt.ExprRef(first_that_holds(*pair)) for pair in ((words, "''"), (inks, "'black'"))
    )
    base = base.transform_calculate(centre="(datum.since + datum.until) / 2")
    base = base.encode(x=way_axis("centre", is_last), y=format_axis("middle"))
    return base.mark_text(text=text, color=ink, fontSize=10, tooltip=None)


ladder_template = ChartTemplate(build_ladder, fill_ladder)
ladder_chart, ladder_spec = ladder_template.chart, ladder_template.spec
