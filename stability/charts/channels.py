"""Encoding channels of all charts: positions, colours and shapes, with scales, axes and tooltips.

Schemes enter a chart as values of parameters, so that one chart serves every choice of schemes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt

from stability.charts import palette
from stability.charts.spec_cache import Filling
from stability.charts.vega_names import PANEL_ENDS
from stability.i18n import N_, _
from stability.page_layout import AXIS_WIDTH
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES

# Every panel starts at one place, and the first and last label along it stay within.
EXTENT: dict[str, Any] = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}
FLUSH: dict[str, Any] = {"labelFlush": True, "labelPadding": 4}
WHOLE: dict[str, Any] = {"labelPadding": 4, "tickMinStep": 1}  # an axis of whole numbers
ON_THIS_PAGE = "[dark]"  # of a light and a dark colour: `dark` is a parameter of all charts
PANEL_WIDTH = "panel_width"  # of every panel, in pixels
# Grey text, readable on light and dark pages.
INK = "dark ? '#a4afb9' : '#5a6570'"
# Parameters of all charts that follow from others, so that no expression is long.
DERIVED = {
    "dark": "luminance(background) < 0.2 ? 1 : 0",
    "ink": INK,
    PANEL_WIDTH: f"{PANEL_ENDS}[1]",
}
SCHEME_INDEX = "indexof(schemes, datum.scheme)"
SCHEME_TITLE = f"names[{SCHEME_INDEX}]"  # of a run's chart
SCHEME_SYMBOL = f"symbols[{SCHEME_INDEX}]"  # the mark of a row's scheme, as text
AT_POWER = "test(/^1.0+e/, format(datum.value, '.9e'))"  # of ten
POWERS_OF_TEN = (
    f"{AT_POWER} ? datum.value == 1 ? '1' : "
    "replace(replace(format(datum.value, '.0e'), '+', ''), '-', '−') : ''"
)
POWERS_AXIS: dict[str, Any] = {  # labels and grid lines at powers of ten alone
    "gridOpacity": {"condition": {"test": AT_POWER, "value": 1}, "value": 0},
    "labelExpr": POWERS_OF_TEN,
}
DECADES = "datum.value ? '1e' + format(datum.value, 'd') : '1'"  # labels of a log10
UNIT = alt.Scale(domain=[0, 1], nice=False)


def scheme_parameters(e: Experiment) -> dict[str, Any]:
    """Return the keys, symbols, colours and shapes of the schemes, by the parameter's name."""
    indices = list(palette.scheme_style_indices(e.schemes).values())
    pages = palette.SCHEME_COLOURS, palette.DARK_SCHEME_COLOURS
    return {
        "schemes": list(e.schemes),
        "symbols": [palette.SCHEME_SYMBOLS[index] for index in indices],
        "colours": [[colours[index] for index in indices] for colours in pages],
        "shapes": [palette.SCHEME_SHAPES[index] for index in indices],
    }


def fill_schemes(experiment: Experiment) -> Filling[None]:
    """Return the filling of a chart that differs between experiments by their schemes alone."""
    return Filling(None, scheme_parameters(experiment))


def colour() -> alt.Color:
    """Return the colour of schemes, without a legend: the page has it, and `with_data` adds one."""
    return alt.Color("scheme:N", scale=scheme_scale(f"colours{ON_THIS_PAGE}"), legend=None)


def shape() -> alt.Shape:
    """Return the shape of schemes' marks, without a legend."""
    return alt.Shape("scheme:N", scale=scheme_scale("shapes"), legend=None)


def scheme_scale(looks: str) -> alt.Scale:
    """Return the scale from each scheme to its entry of a list, a parameter or a part of one."""
    entries = [alt.ExprRef(f"{looks}[{index}]") for index in range(MOST_SCHEMES)]
    return alt.Scale(domain=alt.ExprRef("schemes"), range=entries)


def x(name: str, scale: alt.Scale, axis: Any = alt.Undefined) -> alt.X:
    """Return the horizontal position of a number."""
    return alt.X(f"{name}:Q", scale=scale, title=None, axis=axis)


def y(name: str, scale: alt.Scale, axis: Any = alt.Undefined) -> alt.Y:
    """Return the vertical position of a number, without a title: that of the panel names it."""
    return alt.Y(f"{name}:Q", scale=scale, title=None, axis=axis)


def tooltips(*fields: str) -> list[alt.Tooltip]:
    """Return the tooltips of fields, each spelled `name:type` or `name:type format`."""
    parts = (field.partition(" ") for field in fields)
    return [
        alt.Tooltip(field, format=format or alt.Undefined, title=field_title(field))
        for field, _space, format in parts
    ]


# The names of columns as tooltips write them; English needs no title.
FIELD_NAMES = (
    N_("scheme"), N_("layer"), N_("step"), N_("last"), N_("value"), N_("share"), N_("class"),
    N_("probability"), N_("distinct"), N_("phase"), N_("factor"), N_("median"), N_("low"),
    N_("high"), N_("variance"), N_("forward"), N_("predicted_forward"), N_("backward"),
    N_("predicted_backward"), N_("rank"), N_("edge"), N_("scale"), N_("format"), N_("state"),
    N_("zero"), N_("subnormal"), N_("infinite"), N_("until"), N_("direction"), N_("exponent"),
    N_("finding"), N_("signal"), N_("signal_gradient"), N_("weight_gradient"), N_("loss"),
    N_("gradient_norm"),
)  # fmt: skip


def field_title(field: str) -> Any:
    """Return the name of a field in the reader's language; in English Vega writes its own."""
    name = field.partition(":")[0]
    return _(name) if _(name) != name else alt.Undefined


def opacity_where(test: str, opacity: float, otherwise: float = 0) -> alt.OpacityValue:
    """Return an opacity that depends on a test of the row."""
    return alt.OpacityValue(alt.ExprRef(f"{test} ? {opacity:g} : {otherwise:g}"))


def value_axis(format: str = "", **more: Any) -> alt.Axis:
    """Return a vertical axis, labelled in powers of ten such as 1e-3 if no format is given."""
    return alt.Axis(**EXTENT, tickCount=4, labelOverlap=True, **labels(format), **more)


def labels(format: str) -> dict[str, Any]:
    """Return how the labels along an axis are written: in powers of ten if no format is given."""
    if format == "%":
        return PERCENTS
    return {"format": format} if format else POWERS_AXIS


def shared_axis(along: str, labelled: bool = True, **more: Any) -> alt.Axis:
    """Return the horizontal axis of stacked panels; only the last one is labelled."""
    words: dict[str, Any] = {}
    if labelled:
        label = f"(datum.index ? '' : '{_(along)} ') + datum.label"
        words = {"labelExpr": label, "labelFlush": True}
    return alt.Axis(labels=labelled, ticks=labelled, **words, **more)


def spaced_percent(text: str) -> str:
    """Return the expression that spells a percentage as the page does: 47 %."""
    return f"replace({text}, '%', ' %')"


PERCENTS: dict[str, Any] = {"format": "%", "labelExpr": spaced_percent("datum.label")}
SHARE_AXIS = alt.Axis(**FLUSH, **PERCENTS, tickCount=5)  # along a panel


def short_number(value: str) -> str:
    """Return the expression that spells a number: 0.53 or 12, where it is small or large 5e-3."""
    extreme = f"{value} && (abs({value}) < 0.01 || abs({value}) >= 1000)"
    return f"format({value}, {extreme} ? '.0e' : '.2~g')"


def reading(name: str, format: str = "") -> str:
    """Return the expression that spells a row's value in five letters or so."""
    value = f"datum.{name}"
    if format == "%":
        return spaced_percent(f"format({value}, '.0%')")
    return short_number(value)


def up_to(least: float, most: str) -> alt.Scale:
    """Return the scale from a number to the value of an expression."""
    return alt.Scale(domain=[least, alt.ExprRef(most)], nice=False)


def limited_scale(name: str, **more: Any) -> alt.Scale:
    """Return the scale between the first two rows of `limits`, whatever else is drawn.

    Without rows it goes from 1 to 10: a column without a number has no extent.
    """
    rows = "length(data('limits')) ? data('limits')"
    ends = [
        alt.ExprRef(f"{rows}[{row}]['{name}'] : {otherwise}")
        for row, otherwise in enumerate((1, 10))
    ]
    return alt.Scale(domain=ends, nice=False, **more)


def log_scale(name: str) -> alt.Scale:
    """Return the log scale between the rows of `limits`, powers of ten that rarely change."""
    return limited_scale(name, type="log")


def chosen_scale(name: str, is_log: bool = True) -> alt.Scale:
    """Return the scale of a run's quantity: of the living schemes, of all, or of one alone."""
    more: dict[str, Any] = {"type": "log"} if is_log else {}
    return alt.Scale(domain=alt.ExprRef(f"pluck(axis_ends, '{name}')"), nice=False, **more)


def value_by_case(value: str, cases: Mapping[Any, str], otherwise: str = "''") -> str:
    """Return the expression that looks up a value, itself an expression, in `cases`."""
    tests = ((f"{value} == {case!r}", result) for case, result in cases.items())
    return first_that_holds(tests, otherwise)


def first_that_holds(cases: Iterable[tuple[str, str]], otherwise: str) -> str:
    """Return the expression for the value of the first `(test, value)` whose test holds."""
    return "".join(f"{test} ? {value} : " for test, value in cases) + otherwise
