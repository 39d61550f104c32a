"""Learned functions: a square of class regions for each scheme, or the curves of all over a line."""

from typing import Any

import altair as alt

from stability.charts.palette import (
    CLASS_COLOURS,
    CLASS_SHAPES,
    DOT_COLOURS,
    DOT_RIM_COLOURS,
    GREY,
    SCHEME_COLOURS,
    SCHEME_SYMBOLS,
    scheme_style_indices,
)
from stability.charts.panels import (
    DASHED,
    EXTENT,
    data_set,
    number_tips,
    panel,
    stack_panels,
    word_tips,
    x_channel,
    y_channel,
)
from stability.charts.parameters import colour, fill_schemes, shape
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.engine.input_grid import GRID_REACH, GRID_SIDE
from stability.frames.arrow import NOT_FINITE
from stability.records.experiment import Experiment

SQUARE = 6 * GRID_SIDE  # pixels: whole ones for each cell, or seams would show
CLASSES = ["class 0", "class 1"]  # data in the plane have two
GRID_AXIS: dict[str, Any] = {"values": (-2, 0, 2), "grid": False, "format": "d", "labelPadding": 3}


def fill_region(experiment: Experiment, scheme: str) -> Filling[None]:
    """Return the filling of one scheme's square."""
    index = scheme_style_indices(experiment.schemes)[scheme]
    title = experiment.scheme_rows[experiment.schemes.index(scheme)].title
    return Filling(
        None,
        {"heading": f"{SCHEME_SYMBOLS[index]} {title}", "frame": SCHEME_COLOURS[index]},
        f"{title}: which class each point of the plane gets, with training points over it.",
    )


def build_region(kind: None = None) -> alt.VConcatChart:
    """One scheme's square of input space: the class of every point, and training points over it.

    The fainter, the less likely. As wide as it is drawn, framed in the scheme's colour. Data sets:
    `regions`, `dots`, as in `stability.frames.region_tables`.
    """
    square = panel(alt.ExprRef("heading"), SQUARE, class_regions(), class_dots())
    frame = alt.ViewConfig(stroke=alt.ExprRef("frame"), strokeWidth=3)
    square = square.properties(width=SQUARE, view=frame)
    square.title.limit = SQUARE
    return stack_panels([square.resolve_scale(color="independent")], "The class of each point.")


def grid_scale(in_whole_pixels: bool) -> alt.Scale:
    """Input space, the same for every seed; blocks that end between two pixels would show seams."""
    return alt.Scale(domain=[-GRID_REACH, GRID_REACH], nice=False, round=in_whole_pixels)


def plane_channels(x: str, y: str) -> dict[str, Any]:
    """The two dimensions of input space."""
    scale = grid_scale(in_whole_pixels=True)
    y_axis = alt.Axis(**GRID_AXIS, minExtent=16, maxExtent=16)
    return {"x": x_channel(x, scale, alt.Axis(**GRID_AXIS)), "y": y_channel(y, scale, y_axis)}


def class_regions() -> alt.Chart:
    """Blocks of cells that look alike."""
    ends = (("x", "x1 from"), ("x2", "to"), ("y", "x2 from"), ("y2", "up to"))
    tips = [
        *word_tips("scheme", "class"),
        *number_tips("probability", format=".0%"),
        *(alt.Tooltip(f"{name}:Q", format=".1f", title=title) for name, title in ends),
        *number_tips("step"),
    ]
    scale = alt.Scale(domain=[*CLASSES, NOT_FINITE], range=[*CLASS_COLOURS, GREY])
    base = data_set("regions").mark_rect(clip=True, strokeWidth=0)
    return base.encode(
        **plane_channels("x", "y"),
        x2="x2",
        y2="y2",
        color=alt.Color("class:N", scale=scale, legend=None),
        opacity=alt.Opacity("shade:Q", scale=None, legend=None),
        tooltip=tips,
    )


def class_dots() -> alt.Chart:
    """Training points: a class has its shape, its shade, and a rim that no region hides."""
    looks = {
        "color": (alt.Color, DOT_COLOURS),
        "stroke": (alt.Stroke, DOT_RIM_COLOURS),
        "shape": (alt.Shape, CLASS_SHAPES),
    }
    channels = {
        name: channel("class:N", scale=alt.Scale(domain=CLASSES, range=list(look)), legend=None)
        for name, (channel, look) in looks.items()
    }
    tips = [alt.Tooltip("class:N", title="training point"), *number_tips("x1", "x2", format=".2f")]
    base = data_set("dots").mark_point(filled=True, size=26, strokeWidth=0.8, opacity=1, clip=True)
    return base.encode(**plane_channels("x1", "x2"), **channels, tooltip=tips)


def build_fit(kind: None = None) -> alt.VConcatChart:
    """The functions of all schemes over a line, over training points; dashed: without noise.

    Data sets: `curves`, `dots`, `truth`, as in `stability.frames.fit_tables`.
    """
    scale = grid_scale(in_whole_pixels=False)  # the target is standardised, too
    x = alt.X("x:Q", scale=scale, title="", axis=alt.Axis(**GRID_AXIS))
    y = alt.Y("value:Q", scale=scale, title="", axis=alt.Axis(**GRID_AXIS, **EXTENT))
    tips = number_tips("x", "value", format=".3~f")
    dots, truth, base = (data_set(name).encode(x=x, y=y) for name in ("dots", "truth", "curves"))
    base = base.encode(color=colour())
    marks = base.mark_point(filled=True, size=45, opacity=1, clip=True)
    drawn = panel(
        "Output over input; dashed: without noise",
        260,
        dots.mark_point(size=14, color=GREY, opacity=0.7, clip=True).encode(tooltip=tips),
        truth.mark_line(**DASHED, color=GREY, clip=True),
        base.mark_line(strokeWidth=2, clip=True),
        marks.transform_filter("datum.marked").encode(
            shape=shape(), tooltip=[*word_tips("scheme"), *tips, *number_tips("step")]
        ),
    )
    words = "The curve that each initialization has learned, over the training points."
    return stack_panels([drawn], words)


region_template = ChartTemplate(build_region, fill_region)
region_chart, region_spec = region_template.chart, region_template.spec
fit_template = ChartTemplate(build_fit, fill_schemes)
fit_chart, fit_spec = fit_template.chart, fit_template.spec
