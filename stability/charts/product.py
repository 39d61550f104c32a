"""Products of random matrices: their norm by the number of factors, and what becomes of each direction.

Every height is a log10 on a plain axis that is labelled in powers of ten: a product may be 1e-2000.
"""

from typing import Any

import altair as alt

from stability.charts.palette import SCHEME_COLOURS, GREY
from stability.charts.panels import EXTENT, built, finished, held, panel
from stability.frames.product import TYPICAL_FACTORS
from stability.records.product import Product

BLUE, ORANGE = SCHEME_COLOURS[0], SCHEME_COLOURS[1]
POWERS = {"labelExpr": "datum.value ? '1e' + datum.value : '1'", "tickMinStep": 1}
RISING, FALLING = "datum.named > 0", "datum.named < 0"


def product_chart(product: Product) -> alt.VConcatChart:
    """log10 of the norm by further factors: median, nine of ten, the law, and where number formats end.

    Data sets: `growth`, `law`, `formats`, `limits`, as in `stability.frames.product_tables`.
    """
    x = along(product)
    base, known = (alt.Chart(alt.NamedData(name)).encode(x=x) for name in ("growth", "law"))
    tips = [alt.Tooltip("factor", type="quantitative"), *(tip(name) for name in ("median", "low", "high"))]
    dashed = known.mark_line(strokeWidth=1.5, strokeDash=[5, 4], color=GREY, clip=True).encode(y=height("frobenius"))
    dotted = known.mark_line(strokeWidth=1.5, strokeDash=[1, 3], color=GREY, clip=True).encode(y=height("mean"))
    edges = [
        known.mark_line(strokeWidth=1, strokeDash=[1, 3], opacity=0.6, color=GREY, clip=True).encode(y=height(name))
        for name in ("low", "high")
    ]
    drawn = panel(
        "Norm by further factors: median, nine of ten (log)", 260, corners(), *format_rules(),
        base.mark_area(opacity=0.18, color=BLUE, clip=True).encode(y=height("low"), y2="high"),
        *edges, dotted, base.mark_line(strokeWidth=2.5, color=BLUE, clip=True).encode(y=height("median")), dashed,
        base.mark_point(size=80, opacity=0, filled=True).encode(y=height("median"), tooltip=tips),
        *named(known, "frobenius", "law of the norm", above=True), *named(known, "mean", "law of one vector", above=False),
    )  # fmt: skip
    return finished([drawn], "Norm of a product of random matrices by the number of factors, on a log axis, with its law.")


def product_spec(product: Product) -> dict:
    return built(product_chart, looks(product))


def exponent_chart(product: Product) -> alt.VConcatChart:
    """Lyapunov exponents by share of directions: measured, and the law dashed.

    Data sets: `exponents`, `limits`, as in `stability.frames.exponent_tables`.
    """
    share = alt.Axis(format="%", tickCount=5, labelPadding=4, labelFlush=True)
    x = alt.X("share", type="quantitative", scale=alt.Scale(domain=[0, 1], nice=False), title=None, axis=share)
    base = alt.Chart(alt.NamedData("exponents")).encode(x=x)
    tips = [tip(name, ".3f") for name in ("share", "law", "measured")]
    plain, points = {"format": "~g"}, base.mark_point(filled=True, size=30, opacity=1, color=BLUE, clip=True)
    drawn = panel(
        "Growth of each direction, decades a factor; dashed: law", 180, corners(plain),
        base.mark_line(strokeWidth=1.5, strokeDash=[5, 4], color=GREY, clip=True).encode(y=height("law", plain)),
        base.mark_tick(thickness=1.5, size=8, color=GREY, clip=True).encode(y=height("law", plain)),
        points.encode(y=height("measured", plain), tooltip=tips),
    )  # fmt: skip
    return finished([drawn], "Lyapunov exponents of a product of random matrices, the largest first, with their law.")


def exponent_spec(product: Product) -> dict:
    return built(exponent_chart, Product())


def healing_chart(product: Product) -> alt.VConcatChart:
    """What many factors do to the typical product at sigma 1 / sqrt(n), size by size, and where this product stands.

    Data sets: `healing`, `here`, `limits`, as in `stability.frames.healing_tables`.
    """
    scale = alt.Scale(type="log", base=2, domain=[1, 256], nice=False)
    sizes = alt.Axis(values=[2**power for power in range(9)], format="d", labelFlush=True, labelOverlap=True, labelPadding=4)
    x = alt.X("n", type="quantitative", scale=scale, title=None, axis=sizes)
    curve, here = (alt.Chart(alt.NamedData(name)).encode(x=x, y=height("height")) for name in ("healing", "here"))
    tips = [alt.Tooltip("n", type="quantitative"), tip("height")]
    drawn = panel(
        f"Typical growth over {TYPICAL_FACTORS} factors at sigma = 1/√n, by size n", 180, corners(), level(),
        curve.mark_line(strokeWidth=1.5, strokeDash=[5, 4], color=GREY, clip=True),
        curve.mark_point(size=80, opacity=0, filled=True).encode(tooltip=tips),
        here.mark_point(filled=True, size=70, opacity=1, color=BLUE),
        # Words stand where the curve does not.
        here.mark_text(align="left", baseline="top", dy=7).encode(text="text:N").transform_filter("datum.n < 16"),
        here.mark_text(align="right", baseline="bottom", dy=-7).encode(text="text:N").transform_filter("datum.n > 15"),
    )  # fmt: skip
    return finished([drawn], "Growth of the typical product of Gaussian matrices that preserve the variance, by their size.")


def healing_spec(product: Product) -> dict:
    return built(healing_chart, Product())


def bound_chart(product: Product) -> alt.VConcatChart:
    """The extreme singular values by further factors, and the products of those of the factors, dashed.

    Data sets: `bounds`, `limits`, as in `stability.frames.bound_tables`.
    """
    base = alt.Chart(alt.NamedData("bounds")).encode(x=along(product), y=height("value"), detail="line:N")
    tips = [alt.Tooltip("line", type="nominal"), alt.Tooltip("factor", type="quantitative"), tip("value")]
    dashed = base.mark_line(strokeWidth=1.5, strokeDash=[5, 4], color=GREY, clip=True)
    lines = [
        base.mark_line(strokeWidth=2, color=colour, clip=True).transform_filter(f"datum.line == '{name}'")
        for name, colour in (("largest", BLUE), ("smallest", ORANGE))
    ]
    words = base.encode(text="text:N")
    drawn = panel(
        "Singular values of one product and their bounds (log)", 220, corners(), level(),
        dashed.transform_filter("datum.line == 'at most' || datum.line == 'at least'"), *lines,
        base.mark_point(size=80, opacity=0, filled=True).encode(tooltip=tips),
        words.mark_text(align="right", baseline="bottom", dx=-4, dy=-2).transform_filter(RISING),
        words.mark_text(align="right", baseline="top", dx=-4, dy=2).transform_filter(FALLING),
    )  # fmt: skip
    return finished([drawn], "The largest and the smallest singular value of a product by the number of factors, with bounds.")


def bound_spec(product: Product) -> dict:
    return built(bound_chart, looks(product))


def looks(product: Product) -> Product:
    """A product whose charts are the same ones: only its length moves an axis that data do not hold."""
    return Product(count=product.count)


def along(product: Product) -> alt.X:
    words = {"labelExpr": "datum.index == 0 ? 'factor ' + datum.label : datum.label", "labelFlush": True}
    axis = alt.Axis(tickMinStep=1, labelPadding=4, format="d", **words)
    scale = alt.Scale(domain=[0, product.count], nice=False)
    return alt.X("factor", type="quantitative", scale=scale, title=None, axis=axis)


def height(name: str, words: dict[str, Any] = POWERS) -> alt.Y:
    """A log10; the axis goes where `limits` has it, and no further."""
    axis = alt.Axis(**EXTENT, tickCount=5, labelOverlap=True, **words)
    return alt.Y(name, type="quantitative", scale=held("height", nice=False), title=None, axis=axis)


def corners(words: dict[str, Any] = POWERS) -> alt.Chart:
    """Invisible points that hold the axis."""
    return alt.Chart(alt.NamedData("limits")).mark_point(opacity=0, tooltip=None).encode(y=height("height", words))


def level() -> alt.Chart:
    """A thin line at 1."""
    return alt.Chart(alt.sequence(1)).mark_rule(opacity=0.5, color=GREY).encode(y=alt.datum(0, type="quantitative"))


def tip(name: str, format: str = ".2f") -> alt.Tooltip:
    return alt.Tooltip(name, type="quantitative", format=format)


def format_rules() -> list[alt.Chart]:
    """Thin lines where number formats end, named at their right ends."""
    base = alt.Chart(alt.NamedData("formats")).encode(y=height("height"))
    words = base.mark_text(align="right", baseline="bottom", dy=-2)
    return [base.mark_rule(strokeDash=[2, 3], opacity=0.6, color=GREY), words.encode(text="text:N", x=alt.value("width"))]


def named(base: alt.Chart, name: str, text: str, above: bool) -> list[alt.Chart]:
    """A label beside a line, on the side where it runs away from the words: rising or falling."""
    sides = {RISING: "right" if above else "left", FALLING: "left" if above else "right"}
    place = {"baseline": "bottom" if above else "top", "dy": -8 if above else 8, "text": text}
    return [
        base.mark_text(align=align, **place).encode(y=height(name)).transform_filter(which) for which, align in sides.items()
    ]
