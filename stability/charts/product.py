"""Products of random matrices: norms, Lyapunov exponents, typical growth and singular values.

Heights are log10 on a linear axis labelled in powers of ten: a product may be 1e-2000.
"""

import json
from typing import Any

import altair as alt

from stability.charts import channels, panels
from stability.charts.interaction import with_step_shown
from stability.charts.palette import DARK_SCHEME_COLOURS, GREY, SCHEME_COLOURS
from stability.charts.spec_cache import Filling, chart_and_spec, variable_parameters
from stability.frames.product import LABEL_SIDES, TYPICAL_FACTORS
from stability.i18n import N_, _
from stability.records.product import Product
from stability.theory.product_law import ENOUGH_FOR_NINE_OF_TEN

BLUE, ORANGE = (  # of the light and of the dark page
    alt.ExprRef(f"{list(colours)}{channels.ON_THIS_PAGE}")
    for colours in list(zip(SCHEME_COLOURS, DARK_SCHEME_COLOURS, strict=True))[:2]
)
POWER_LABELS = {"labelExpr": channels.DECADES, "tickMinStep": 1}
LAW: dict[str, Any] = {**panels.DASHED, "color": GREY}
FINE_LAW: dict[str, Any] = {"strokeDash": [1, 3], "color": GREY, "clip": True}
HOVERED: dict[str, Any] = {"size": 80, "opacity": 0, "filled": True}  # where a line has tooltips
# The lines of the norm's chart: their words in its legend, colours and dashes.
LINE_KINDS: list[tuple[str, Any, list[int]]] = [
    ("measured", BLUE, [1, 0]),
    (N_("law of the norm"), GREY, [5, 4]),
    (N_("law of one vector, nine of ten"), GREY, [1, 3]),
]
RISING, FALLING = "datum.named > 0", "datum.named < 0"


def fill_factors(product: Product) -> Filling[None]:
    """Return the filling of a chart of products: only the number of factors changes an axis."""
    return Filling(None, {"factors": product.count})


def fill_product(product: Product) -> Filling[bool]:
    """Return the filling of the norm's chart; its kind says whether a law is known."""
    products, are_many = product.replicates, product.replicates >= ENOUGH_FOR_NINE_OF_TEN
    measured = _("the one product")
    if products > 1:
        measured = _("median of {products}; both lie in the band")
    if products > 2:
        measured = _("median of {products}; all lie in the band")
    if are_many:
        measured = _("median of {products}; nine of ten lie in the band")
    measured = measured.format(products=products)
    parameters = {"factors": product.count, "measured": measured}
    return Filling(product.family_row.exponents is not None, parameters)


def factor_count_axis() -> alt.X:
    """Return the axis of the number of further factors."""
    axis = channels.shared_axis("factor", **channels.WHOLE, format="d")
    return channels.x("factor", channels.up_to(0, "factors"), axis)


def power_axis(name: str, labels: Any = POWER_LABELS) -> alt.Y:
    """Return the axis of a log10, between the rows of `limits`."""
    axis = alt.Axis(**channels.EXTENT, tickCount=5, labelOverlap=True, **labels)
    return channels.y(name, channels.limited_scale("height"), axis)


def build_product(has_law: bool) -> alt.VConcatChart:
    """Draw log10 of the norm by further factors: median, nine of ten, law, and limits of formats.

    Data sets: `growth`, `law`, `formats`, `limits`, as in `stability.frames.product_tables`.
    """
    x, median = factor_count_axis(), power_axis("median")
    growth, law = (panels.data_set(name).encode(x=x) for name in ("growth", "law"))
    tips = channels.tooltips("factor:Q", "median:Q .2f", "low:Q .2f", "high:Q .2f")
    range_band = growth.mark_area(opacity=0.18, color=BLUE, clip=True)
    edges = law.mark_line(**FINE_LAW, strokeWidth=1, opacity=0.6)
    laws = [
        keyed(law.mark_line(strokeWidth=1.5, clip=True), kind, has_law).encode(y=power_axis(name))
        for kind, name in ((1, "frobenius"), (2, "mean"))
    ]
    chart = panels.single_panel(
        _("Norm by further factors (log)"),
        360,
        panels.hold_axes(power_axis("height")),
        *format_ends(),
        step_rule(),
        range_band.encode(y=power_axis("low"), y2=alt.Y2("high")),
        *(edges.encode(y=power_axis(name)) for name in ("low", "high")),
        keyed(growth.mark_line(strokeWidth=2.5, clip=True), 0, has_law).encode(y=median),
        *laws,
        growth.mark_point(**HOVERED).encode(y=median, tooltip=tips),
        description=_(
            "Norm of a product of random matrices by the number of factors, on a log axis,"
            " with its law."
        ),
    )
    chart["params"] += variable_parameters({"step_shown": ""})
    # Colours and dashes that are resolved alike share one legend.
    independent = alt.ScaleResolveMap(color="independent", strokeDash="independent")
    chart.resolve = alt.Resolve(scale=independent)
    return chart


def step_rule() -> alt.Chart:
    """Draw a rule at the number of factors that the page shows."""
    scale = channels.up_to(0, "factors")
    at = alt.XDatum(alt.ExprRef("toNumber(step_shown)"), type="quantitative", scale=scale)
    rule = panels.one_row().mark_rule(color=GREY, strokeWidth=2, tooltip=None, clip=True)
    return rule.encode(x=at, opacity=channels.opacity_where("step_shown", 0.9))


def keyed(line: alt.Chart, kind: int, has_law: bool) -> alt.Chart:
    """Draw a line as its kind is drawn, and list all kinds in a legend beneath the panel."""
    names, colours, dashes = zip(*LINE_KINDS[: None if has_law else 1], strict=True)
    spoken = {name: json.dumps(_(name)) for name in names[1:]}
    label = channels.value_by_case("datum.label", {names[0]: "measured"} | spoken, "datum.label")
    columns = alt.ExprRef(f"{channels.PANEL_WIDTH} < 740 ? 1 : 3")
    look: dict[str, Any] = {"symbolType": "stroke", "symbolSize": 500, "labelLimit": 0}
    legend = alt.Legend(**panels.BELOW, **look, columns=columns, labelExpr=label)
    encoding = (
        channel("kind:N", scale=alt.Scale(domain=list(names), range=list(values)), legend=legend)
        for channel, values in ((alt.Color, colours), (alt.StrokeDash, dashes))
    )
    return line.transform_calculate(kind=repr(LINE_KINDS[kind][0])).encode(*encoding)


def format_ends() -> list[alt.Chart]:
    """Draw thin rules at the limits of number formats, named where the line is far."""
    base = panels.data_set("formats").encode(y=power_axis("height"))
    rule = base.mark_rule(**panels.DOTTED, opacity=0.6)
    text = alt.Text("text:N")
    left = base.transform_filter("datum.at_start").encode(x=alt.XValue(0), text=text)
    right = base.transform_filter("!datum.at_start").encode(x=alt.XValue("width"), text=text)
    where: dict[str, Any] = {"baseline": "bottom", "dy": -2}
    return [
        rule,
        *panels.outlined_text(left, align="left", dx=4, **where),
        *panels.outlined_text(right, align="right", dx=-2, **where),
    ]


def build_exponent(kind: None) -> alt.VConcatChart:
    """Draw Lyapunov exponents by share of directions: measured, and the law dashed.

    Data sets: `exponents`, `limits`, as in `stability.frames.exponent_tables`.
    """
    share = channels.x("share", channels.UNIT, channels.SHARE_AXIS)
    base = panels.data_set("exponents").encode(x=share)
    points = base.mark_point(filled=True, size=30, opacity=1, color=BLUE, clip=True)
    names = "law", "measured", "height"
    law, measured, height = (power_axis(name, {"format": "~g"}) for name in names)
    tips = channels.tooltips("share:Q .3f", "law:Q .3f", "measured:Q .3f")
    return panels.single_panel(
        _("Growth of each direction, decades a factor; dashed: law"),
        180,
        panels.hold_axes(height),
        base.mark_line(**LAW).encode(y=law),
        base.mark_tick(thickness=1.5, size=8, color=GREY, clip=True).encode(y=law),
        points.encode(y=measured, tooltip=tips),
        description=_(
            "Lyapunov exponents of a product of random matrices, the largest first, with their law."
        ),
    )


def build_healing(kind: None) -> alt.VConcatChart:
    """Draw the typical growth over many factors at sigma 1 / sqrt(n), by size n.

    Data sets: `healing`, `here` (this product), `limits`, as in `stability.frames.healing_tables`.
    """
    sizes = [2**power for power in range(9)]
    axis = alt.Axis(**channels.FLUSH, values=sizes, format="d", labelOverlap=True)
    x = channels.x("n", alt.Scale(type="log", base=2, domain=[1, 256], nice=False), axis)
    y = power_axis("height")
    curve, here = (panels.data_set(name).encode(x=x, y=y) for name in ("healing", "here"))
    text = here.encode(text=alt.Text("text:N"))  # on the side without the curve
    right = text.mark_text(align="left", baseline="top", dy=7)
    left = text.mark_text(align="right", baseline="bottom", dy=-7)
    tips = channels.tooltips("n:Q", "height:Q .2f")
    return panels.single_panel(
        _("Typical growth over {typical_factors} factors at sigma = 1/√n, by size n").format(
            typical_factors=TYPICAL_FACTORS
        ),
        180,
        panels.hold_axes(y),
        panels.level_rule(0, opacity=0.5),
        curve.mark_line(**LAW),
        curve.mark_point(**HOVERED).encode(tooltip=tips),
        here.mark_point(filled=True, size=70, opacity=1, color=BLUE),
        right.transform_filter("datum.n < 16"),
        left.transform_filter("datum.n > 15"),
        description=_(
            "Growth of the typical product of Gaussian matrices that preserve the variance,"
            " by their size."
        ),
    )


def build_bound(kind: None) -> alt.VConcatChart:
    """Draw the extreme singular values by further factors; dashed: products of the factors' own.

    Data sets: `bounds`, `limits`, as in `stability.frames.bound_tables`.
    """
    base = panels.data_set("bounds").encode(x=factor_count_axis(), y=power_axis("value"))
    base = base.encode(detail=alt.Detail("line:N"))
    spoken = {name: json.dumps(_(name)) for name in LABEL_SIDES}
    base = base.transform_calculate(spoken=channels.value_by_case("datum.line", spoken))
    largest, smallest = (
        base.mark_line(strokeWidth=2, color=colour, clip=True) for colour in (BLUE, ORANGE)
    )
    tips = [alt.Tooltip("spoken:N", title=_("line")), *channels.tooltips("factor:Q", "value:Q .2f")]
    text = base.encode(text=alt.Text("text:N"))
    above = text.mark_text(align="right", baseline="bottom", dx=-4, dy=-2)
    below = text.mark_text(align="right", baseline="top", dx=-4, dy=2)
    is_bound = "datum.line == 'at most' || datum.line == 'at least'"
    return panels.single_panel(
        _("Singular values of one product and their bounds (log)"),
        220,
        panels.hold_axes(power_axis("height")),
        panels.level_rule(0, opacity=0.5),
        base.mark_line(**LAW).transform_filter(is_bound),
        largest.transform_filter("datum.line == 'largest'"),
        smallest.transform_filter("datum.line == 'smallest'"),
        base.mark_point(**HOVERED).encode(tooltip=tips),
        above.transform_filter(RISING),
        below.transform_filter(FALLING),
        description=_(
            "The largest and the smallest singular value of a product by the number of"
            " factors, with bounds."
        ),
    )


product_chart, product_spec = chart_and_spec(build_product, fill_product, with_step_shown)
exponent_chart, exponent_spec = chart_and_spec(build_exponent, fill_factors)
healing_chart, healing_spec = chart_and_spec(build_healing, fill_factors)
bound_chart, bound_spec = chart_and_spec(build_bound, fill_factors)
