"""Products of random matrices: their norm by the number of factors, and what happens to directions.

Every height is a log10 on a plain axis that is labelled in powers of ten: a product may be 1e-2000.
"""

from typing import Any

import altair as alt

from stability.charts.palette import GREY, SCHEME_COLOURS
from stability.charts.panels import (
    DASHED,
    DOTTED,
    EXTENT,
    data_set,
    hold_axes,
    limited_scale,
    number_tips,
    one_row,
    panel,
    share_axis,
    shared_axis,
    stack_panels,
    word_tips,
    x_channel,
    y_channel,
)
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.frames.product import TYPICAL_FACTORS
from stability.records.product import Product

BLUE, ORANGE = SCHEME_COLOURS[:2]
POWER_LABELS = {"labelExpr": "datum.value ? '1e' + datum.value : '1'", "tickMinStep": 1}
PLAIN_LABELS = {"format": "~g"}
LAW: dict[str, Any] = {**DASHED, "color": GREY, "clip": True}
FINE_LAW: dict[str, Any] = {"strokeDash": [1, 3], "color": GREY, "clip": True}
RISING, FALLING = "datum.named > 0", "datum.named < 0"
HOVERED: dict[str, Any] = {"size": 80, "opacity": 0, "filled": True}  # where a line has tooltips


def fill_product(product: Product) -> Filling[None]:
    """Return the filling of a chart along the factors: only their number moves an axis."""
    return Filling(None, {"factors": product.count})


def fill_nothing(product: Product) -> Filling[None]:
    """Return the filling of a chart whose axes are those of every product."""
    return Filling(None, {})


def factor_count_axis() -> alt.X:
    """The number of further factors."""
    scale = alt.Scale(domain=[0, alt.ExprRef("factors")], nice=False)
    return x_channel("factor", scale, shared_axis("factor", labelled=True, format="d"))


def power_axis(name: str, labels: dict[str, Any] = POWER_LABELS) -> alt.Y:
    """A log10; the axis goes where `limits` has it, and no further."""
    axis = alt.Axis(**EXTENT, tickCount=5, labelOverlap=True, **labels)
    return y_channel(name, limited_scale("height"), axis)


def level_one() -> alt.Chart:
    """A thin line at 1."""
    base = one_row().mark_rule(opacity=0.5, color=GREY)
    return base.encode(y=alt.datum(0, type="quantitative"))


def build_product(kind: None = None) -> alt.VConcatChart:
    """log10 of the norm by further factors: median, nine of ten, the law, and ends of formats.

    Data sets: `growth`, `law`, `formats`, `limits`, as in `stability.frames.product_tables`.
    """
    growth, law = (data_set(name).encode(x=factor_count_axis()) for name in ("growth", "law"))
    tips = [*number_tips("factor"), *number_tips("median", "low", "high", format=".2f")]
    edges = law.mark_line(**FINE_LAW, strokeWidth=1, opacity=0.6)
    median = power_axis("median")
    drawn = panel(
        "Norm by further factors: median, nine of ten (log)",
        260,
        hold_axes(power_axis("height")),
        *format_ends(),
        growth.mark_area(opacity=0.18, color=BLUE, clip=True).encode(
            y=power_axis("low"), y2="high"
        ),
        *(edges.encode(y=power_axis(name)) for name in ("low", "high")),
        law.mark_line(**FINE_LAW, strokeWidth=1.5).encode(y=power_axis("mean")),
        growth.mark_line(strokeWidth=2.5, color=BLUE, clip=True).encode(y=median),
        law.mark_line(**LAW).encode(y=power_axis("frobenius")),
        growth.mark_point(**HOVERED).encode(y=median, tooltip=tips),
        *law_words(law, "frobenius", "law of the norm", is_above=True),
        *law_words(law, "mean", "law of one vector", is_above=False),
    )
    words = (
        "Norm of a product of random matrices by the number of factors, on a log axis,"
        " with its law."
    )
    return stack_panels([drawn], words)


def format_ends() -> list[alt.Chart]:
    """Thin lines where number formats end, named at their right ends."""
    base = data_set("formats").encode(y=power_axis("height"))
    words = base.mark_text(align="right", baseline="bottom", dy=-2)
    rule = base.mark_rule(**DOTTED, opacity=0.6)
    return [rule, words.encode(text="text:N", x=alt.value("width"))]


def law_words(base: alt.Chart, name: str, text: str, is_above: bool) -> list[alt.Chart]:
    """A label beside a line, on the side where it runs away from the words."""
    base = base.encode(y=power_axis(name))
    where = {"baseline": "bottom", "dy": -8} if is_above else {"baseline": "top", "dy": 8}
    sides = ("right", "left") if is_above else ("left", "right")
    return [
        base.mark_text(**where, text=text, align=align).transform_filter(test)
        for test, align in zip((RISING, FALLING), sides, strict=True)
    ]


def build_exponent(kind: None = None) -> alt.VConcatChart:
    """Lyapunov exponents by share of directions: measured, and the law dashed.

    Data sets: `exponents`, `limits`, as in `stability.frames.exponent_tables`.
    """
    shares = x_channel("share", alt.Scale(domain=[0, 1], nice=False), share_axis())
    base = data_set("exponents").encode(x=shares)
    law = power_axis("law", PLAIN_LABELS)
    drawn = panel(
        "Growth of each direction, decades a factor; dashed: law",
        180,
        hold_axes(power_axis("height", PLAIN_LABELS)),
        base.mark_line(**LAW).encode(y=law),
        base.mark_tick(thickness=1.5, size=8, color=GREY, clip=True).encode(y=law),
        base.mark_point(filled=True, size=30, opacity=1, color=BLUE, clip=True).encode(
            y=power_axis("measured", PLAIN_LABELS),
            tooltip=number_tips("share", "law", "measured", format=".3f"),
        ),
    )
    words = "Lyapunov exponents of a product of random matrices, the largest first, with their law."
    return stack_panels([drawn], words)


def build_healing(kind: None = None) -> alt.VConcatChart:
    """The growth of the typical product at sigma 1 / sqrt(n) over many factors, size by size.

    Data sets: `healing`, `here` (this product), `limits`, as in `stability.frames.healing_tables`.
    """
    scale = alt.Scale(type="log", base=2, domain=[1, 256], nice=False)
    powers = [2**power for power in range(9)]
    axis = alt.Axis(values=powers, format="d", labelFlush=True, labelOverlap=True, labelPadding=4)
    curve, here = (
        data_set(name).encode(x=x_channel("n", scale, axis), y=power_axis("height"))
        for name in ("healing", "here")
    )
    tips = [*number_tips("n"), *number_tips("height", format=".2f")]
    words = here.encode(text="text:N")  # which stand where the curve does not
    right = words.mark_text(align="left", baseline="top", dy=7)
    left = words.mark_text(align="right", baseline="bottom", dy=-7)
    drawn = panel(
        f"Typical growth over {TYPICAL_FACTORS} factors at sigma = 1/√n, by size n",
        180,
        hold_axes(power_axis("height")),
        level_one(),
        curve.mark_line(**LAW),
        curve.mark_point(**HOVERED).encode(tooltip=tips),
        here.mark_point(filled=True, size=70, opacity=1, color=BLUE),
        right.transform_filter("datum.n < 16"),
        left.transform_filter("datum.n > 15"),
    )
    description = (
        "Growth of the typical product of Gaussian matrices that preserve the variance,"
        " by their size."
    )
    return stack_panels([drawn], description)


def build_bound(kind: None = None) -> alt.VConcatChart:
    """The extreme singular values by further factors, and dashed the products of the factors' own.

    Data sets: `bounds`, `limits`, as in `stability.frames.bound_tables`.
    """
    base = data_set("bounds").encode(x=factor_count_axis(), y=power_axis("value"), detail="line:N")
    tips = [*word_tips("line"), *number_tips("factor"), *number_tips("value", format=".2f")]
    bounds = base.mark_line(**LAW)
    words = base.encode(text="text:N")
    rising = words.mark_text(align="right", baseline="bottom", dx=-4, dy=-2)
    falling = words.mark_text(align="right", baseline="top", dx=-4, dy=2)
    drawn = panel(
        "Singular values of one product and their bounds (log)",
        220,
        hold_axes(power_axis("height")),
        level_one(),
        bounds.transform_filter("datum.line == 'at most' || datum.line == 'at least'"),
        *(
            base.mark_line(strokeWidth=2, color=colour, clip=True).transform_filter(
                f"datum.line == '{name}'"
            )
            for name, colour in (("largest", BLUE), ("smallest", ORANGE))
        ),
        base.mark_point(**HOVERED).encode(tooltip=tips),
        rising.transform_filter(RISING),
        falling.transform_filter(FALLING),
    )
    description = (
        "The largest and the smallest singular value of a product by the number of factors,"
        " with bounds."
    )
    return stack_panels([drawn], description)


product_template = ChartTemplate(build_product, fill_product)
product_chart, product_spec = product_template.chart, product_template.spec
exponent_template = ChartTemplate(build_exponent, fill_nothing)
exponent_chart, exponent_spec = exponent_template.chart, exponent_template.spec
healing_template = ChartTemplate(build_healing, fill_nothing)
healing_chart, healing_spec = healing_template.chart, healing_template.spec
bound_template = ChartTemplate(build_bound, fill_product)
bound_chart, bound_spec = bound_template.chart, bound_template.spec
