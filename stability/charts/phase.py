"""The phase diagram: a quantity of mean-field theory by the variances of weights and biases."""

import math
from typing import Any

import altair as alt

from stability.charts import channels, palette, panels
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.records.view import PHASE_QUANTITIES
from stability.theory.phase_diagram import diagram_with_schemes

LOG_VALUE = "log(datum.value) / LN10"
OF_LOG = "format(pow(10, datum.value), '.3~g')"  # labels of a log10
AROUND_1: dict[str, Any] = {"range": "diverging", "domainMid": 0}
# The colours of each quantity: by which number, on which scale, and where its legend has labels.
COLOURS: dict[str, tuple[str, dict[str, Any], list[float], str]] = {
    "chi_1": (LOG_VALUE, AROUND_1, [0.3, 0.5, 1, 2, 3.3], OF_LOG),
    "q": (LOG_VALUE, {"range": "ramp"}, [0.01, 0.1, 1, 10, 100], OF_LOG),
    "c": ("datum.value", {"range": "ramp"}, [0, 0.25, 0.5, 0.75, 1], "datum.label"),
    "reach": (LOG_VALUE, {"range": "ramp"}, [1, 3, 10, 30, 100, 300, 1000], OF_LOG),
}
LABEL_HEIGHT = 14  # pixels from one row of labels to the next


def fill_phase(experiment: Experiment, quantity: str) -> Filling[str]:
    """Return the filling of a phase diagram; its kind is the quantity, a key of COLOURS."""
    diagram = diagram_with_schemes(experiment)
    ends = {"most_w": diagram.most_sigma_w2, "most_b": diagram.most_sigma_b2}
    words = _(
        "Phase diagram of {activation}: {quantity} by the variance of weights, from left to right,"
        " and of biases, from below; the critical line, and where initializations stand."
    ).format(activation=experiment.phi.label, quantity=symbol_of(quantity))
    return Filling(quantity, channels.scheme_parameters(experiment) | ends, words)


def symbol_of(quantity: str) -> str:
    """Return the formula that a key of PHASE_QUANTITIES stands for."""
    return PHASE_QUANTITIES[quantity].partition(":")[0]


def build_phase(quantity: str) -> alt.VConcatChart:
    """Draw a quantity by sigma_w2 and sigma_b2, the critical line, and the points of schemes.

    Grey: there is no such number. Data sets: `cells`, `edge`, `schemes`, `labels`, as in
    `stability.frames.phase_tables`.
    """
    drawn = panels.panel(
        _("{quantity} over σw² and, upward, σb²").format(quantity=symbol_of(quantity)),
        300,
        *coloured_cells(quantity),
        *critical_line(),
        *scheme_points(),
    )
    drawn.resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return panels.stack([drawn], "")


def variance_axes(base: alt.Chart, left: str = "sigma_w2", bottom: str = "sigma_b2") -> alt.Chart:
    """Encode the two variances."""
    across = channels.shared_axis("σw²", **channels.WHOLE, format="~g", grid=False)
    upward = channels.value_axis("~g", grid=False)
    return base.encode(
        x=channels.x(left, channels.up_to(0, "most_w"), across),
        y=channels.y(bottom, channels.up_to(0, "most_b"), upward),
    )


def coloured_cells(quantity: str) -> list[alt.Chart]:
    """Draw the cells, in grey where the quantity is not a finite number."""
    level, looks, labelled, label = COLOURS[quantity]
    values = labelled if label == "datum.label" else [math.log10(value) for value in labelled]
    scale = alt.Scale(domain=[values[0], values[-1]], clamp=True, **looks)
    legend = panels.gradient_legend(values=values, labelExpr=label)
    none = repr(_("none"))
    middle = {
        "sigma_w2": "(datum.left + datum.right) / 2", "sigma_b2": "(datum.bottom + datum.top) / 2",
    }  # fmt: skip
    base = panels.data_set("cells").transform_calculate(
        level=f"isValid(datum.value) ? {level} : null",
        words=f"isValid(datum.value) ? {channels.short_number('datum.value')} : {none}",
        **middle,
    )
    tips = channels.tooltips("sigma_w2:Q .2f", "sigma_b2:Q .2f")
    tips += [alt.Tooltip("words:N", title=symbol_of(quantity))]
    tips += channels.tooltips("phase:N")
    base = variance_axes(base, "left", "bottom").encode(
        x2=alt.X2("right"), y2=alt.Y2("top"), tooltip=tips
    )
    return panels.heat_cells(base, "level", "isValid(datum.level)", scale, legend)


def critical_line() -> list[alt.Chart]:
    """Draw the edge of chaos over an outline, or a ring where it is one point."""
    base = variance_axes(panels.data_set("edge"))
    line = base.encode(order=alt.Order("order:Q"))
    page, ink = alt.ExprRef("background"), alt.ExprRef("dark ? '#ffffff' : '#000000'")
    ring = base.transform_filter("datum.alone").mark_point(size=260, strokeWidth=2, color=ink)
    return [
        line.mark_line(color=page, strokeWidth=5, opacity=0.7, clip=True),
        line.mark_line(color=ink, strokeWidth=2, clip=True),
        ring,
    ]


def scheme_points() -> list[alt.Chart]:
    """Draw the experiment's schemes in their colours, other rules as small dots, with labels."""
    own = variance_axes(panels.data_set("schemes"))
    others = variance_axes(panels.data_set("labels"))
    page = alt.ExprRef("background")
    dots = others.mark_point(filled=True, size=30, opacity=1, color=palette.GREY, stroke=page)
    marks = own.mark_point(filled=True, size=110, opacity=1, stroke=page, strokeWidth=1.5)
    marks = marks.encode(
        color=channels.colour(),
        shape=channels.shape(),
        tooltip=channels.tooltips("scheme:N", "sigma_w2:Q .3~g", "sigma_b2:Q .3~g"),
    )
    above = "datum.sigma_b2 > 0.75 * most_b ? 1 : -1"
    words = panels.outlined_text(
        others.encode(text=alt.Text("text:N")),
        align=alt.ExprRef("datum.side > 0 ? 'left' : datum.side < 0 ? 'right' : 'center'"),
        baseline="middle",
        dy=alt.ExprRef(f"({above}) * (14 + {LABEL_HEIGHT} * datum.row)"),
    )
    return [dots, marks, *words]


phase_chart, phase_spec = chart_and_spec(build_phase, fill_phase)
