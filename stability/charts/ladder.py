"""Number formats layer by layer, forward and backward: a panel for each scheme."""

import json
from typing import Any

import altair as alt

from stability.charts import channels, panels
from stability.charts.palette import FORMAT_STATES
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.charts.vega_names import MARK_PANEL_WIDTH
from stability.engine.rounding_shares import FORMATS_BY_RANGE
from stability.frames.ladder import position_on_ladder
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.text import behind_label

ROW_HEIGHT = 14  # pixels of one format
WAYS = N_("forward"), N_("backward")
LETTER_SIZE = 5.6  # pixels of one letter at font size 10
STATE_INKS = {  # of words on a block, else black
    "all 0": "'white'", "0 already": "'white'",
    "fits": f"({channels.INK})", "not known": f"({channels.INK})",
}  # fmt: skip


def fill_ladder(experiment: Experiment) -> Filling[int]:
    """Return the filling of a ladder; its kind is the number of schemes."""
    depth = experiment.depth
    layers = sorted({1, (depth + 1) // 2, depth})
    titles = [row.title for row in experiment.scheme_rows]
    titles[0] = _("{scheme}: forward, then backward →").format(scheme=titles[0])
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
    """Draw what becomes of the numbers in each format, by layer: forward, then backward.

    Data set: `rungs`, as in `stability.frames.ladder_tables`.
    """
    drawn = [ladder_panel(index, is_last=index == schemes - 1) for index in range(schemes)]
    words = _(
        "Which layer leaves which number format first, forward and backward,"
        " for each initialization."
    )
    return panels.stack(drawn, words, {"letter": {"size": LETTER_SIZE}})


def ladder_panel(index: int, is_last: bool) -> alt.LayerSpec:
    """Draw one scheme's formats, the widest range on top; the last panel has axis and legend."""
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
    """Return the axis in the order of computation: layers 1 to L, then L to 1."""
    layer = "datum.value > depth + 0.6 ? layer_0 - datum.value : datum.value"
    word = json.dumps(_("layer") + " ")
    label = f"(datum.index == 0 ? {word} : '') + format({layer}, 'd')"
    ticks: dict[str, Any] = {"values": alt.ExprRef("ticks"), "labels": is_last, "ticks": is_last}
    axis = alt.Axis(**channels.FLUSH, **ticks, labelExpr=label, labelOverlap=True, grid=False)
    return channels.x(name, channels.up_to(0.5, "way_end"), axis)


def format_axis(name: str) -> alt.Y:
    """Return the axis of formats, by names as short as the axis is."""
    names = [format.key.replace("float8_", "").replace("float", "f") for format in FORMATS_BY_RANGE]
    middles = [row + 0.5 for row in range(len(names))]
    named = dict(zip(middles, map(repr, names), strict=True))
    label = channels.value_by_case("datum.value", named)
    bare: dict[str, Any] = {"grid": False, "ticks": False, "domain": False, "labelOverlap": False}
    axis = alt.Axis(**channels.EXTENT, **bare, values=middles, labelExpr=label, labelFontSize=10)
    return channels.y(name, alt.Scale(domain=[len(names), 0], nice=False), axis)


def state_blocks(base: alt.Chart, is_last: bool) -> alt.Chart:
    """Draw neighbouring layers whose numbers are in the same state as one block."""
    labels = {
        state: json.dumps(behind_label(sign, _(state)) if sign else _(state))
        for state, (_colour, sign) in FORMAT_STATES.items()
    }
    label = channels.value_by_case("datum.label", labels)
    columns = alt.ExprRef(f"{channels.PANEL_WIDTH} < 420 ? 2 : 4")
    legend = alt.Legend(**panels.BELOW, columns=columns, symbolType="square", labelExpr=label)
    colours = [colour for colour, _sign in FORMAT_STATES.values()]
    scale = alt.Scale(domain=list(FORMAT_STATES), range=colours)
    states = {state: json.dumps(_(state)) for state in FORMAT_STATES}
    ways = {way: json.dumps(_(way)) for way in WAYS}
    spoken = {
        "way_in_words": channels.value_by_case("datum.way", ways),
        "state_in_words": channels.value_by_case("datum.state", states),
    }
    tips = [
        *channels.tooltips("format:N"),
        alt.Tooltip("way_in_words:N", title=_("way")),
        alt.Tooltip("state_in_words:N", title=_("state")),
        *channels.tooltips("low:Q", "high:Q", "step:Q"),
        *channels.tooltips("zero:Q .2~%", "subnormal:Q .2~%", "infinite:Q .2~%"),
    ]
    return (
        base.transform_calculate(**spoken)
        .mark_rect(clip=True)
        .encode(
            x=way_axis("since", is_last),
            x2=alt.X2("until"),
            y=format_axis("top"),
            y2=alt.Y2("bottom"),
            color=alt.Color("state:N", scale=scale, legend=legend if is_last else None),
            tooltip=tips,
        )
    )


def state_words(base: alt.Chart, is_last: bool) -> alt.Chart:
    """Write the state and its first layer into blocks with room for it, a sign into small ones."""
    signs = {state: f"'{sign}'" for state, (_, sign) in FORMAT_STATES.items()}
    sign = channels.value_by_case("datum.state", signs)
    room = f"abs(datum.until - datum.since) / (way_end - 0.5) * {MARK_PANEL_WIDTH}"
    words = (
        (f"{room} > letter.size * length(datum.words) + 6", "datum.words"),
        (f"{room} > 2 * letter.size", f"({sign})"),
    )
    text = alt.ExprRef(channels.first_that_holds(words, "''"))
    ink = alt.ExprRef(channels.value_by_case("datum.state", STATE_INKS, "'black'"))
    base = base.transform_calculate(centre="(datum.since + datum.until) / 2")
    base = base.encode(x=way_axis("centre", is_last), y=format_axis("middle"))
    return base.mark_text(text=text, color=ink, fontSize=10, tooltip=None)


ladder_chart, ladder_spec = chart_and_spec(build_ladder, fill_ladder)
