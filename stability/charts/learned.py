"""Learned functions: a square of class regions for each scheme, or the curves of all on a line."""

from typing import Any

import altair as alt

from stability.charts import channels, palette, panels
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.engine.input_grid import GRID_REACH, GRID_SIDE
from stability.frames.arrow import NOT_FINITE
from stability.i18n import _
from stability.records.experiment import Experiment

SQUARE = 9 * GRID_SIDE  # pixels: whole ones for each cell, or seams would show


def class_labels() -> list[str]:
    """Return the names of the classes, of which data in the plane have two."""
    return [_("class {label}").format(label=label) for label in (0, 1)]


GRID_AXIS: dict[str, Any] = {"values": (-2, 0, 2), "grid": False, "format": "d", "labelPadding": 3}
# The same for every seed; the target of a regression is standardised, too.
GRID_DOMAIN: dict[str, Any] = {"domain": [-GRID_REACH, GRID_REACH], "nice": False}


def fill_region(experiment: Experiment, scheme: str) -> Filling[None]:
    """Return the filling of one scheme's square."""
    index = palette.scheme_style_indices(experiment.schemes)[scheme]
    title = experiment.scheme_rows[experiment.schemes.index(scheme)].title
    heading, frame = (
        f"{palette.SCHEME_SYMBOLS[index]} {title}",
        [colours[index] for colours in (palette.SCHEME_COLOURS, palette.DARK_SCHEME_COLOURS)],
    )
    words = _(
        "{title}: which class each point of the plane gets, with training points over it."
    ).format(title=title)
    return Filling(None, {"heading": heading, "frame": frame}, words)


def build_region(kind: None) -> alt.VConcatChart:
    """Draw the class of every point in one scheme's square, and training points over it.

    The fainter, the less likely. Unlike other panels it is as wide as it is high; its frame has the
    scheme's colour. Data sets: `regions`, `dots`, as in `stability.frames.region_tables`.
    """
    square = panels.panel(alt.ExprRef("heading"), SQUARE, class_regions(), class_dots())
    frame = alt.ViewConfig(stroke=alt.ExprRef(f"frame{channels.ON_THIS_PAGE}"), strokeWidth=3)
    square.width, square.view, square.title.limit = SQUARE, frame, SQUARE
    square.resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return panels.stack([square], "")


def encode_plane(base: alt.Chart, x: str, y: str) -> alt.Chart:
    """Encode the two dimensions of input space."""
    scale = alt.Scale(**GRID_DOMAIN, round=True)  # blocks that end between pixels would show seams
    narrow = alt.Axis(**GRID_AXIS, minExtent=16, maxExtent=16)
    across = channels.x(x, scale, alt.Axis(**GRID_AXIS))
    return base.encode(x=across, y=channels.y(y, scale, narrow))


def class_regions() -> alt.Chart:
    """Draw blocks of cells of one class and probability."""
    ends = (("x", _("x1 from")), ("x2", _("to")), ("y", _("x2 from")), ("y2", _("up to")))
    tips = channels.tooltips("scheme:N", "class:N", "probability:Q .0%")
    tips += [alt.Tooltip(f"{name}:Q", format=".1f", title=title) for name, title in ends]
    colours = [*palette.CLASS_COLOURS, palette.GREY]
    scale = alt.Scale(domain=[*class_labels(), _(NOT_FINITE)], range=colours)
    blocks = panels.data_set("regions").mark_rect(clip=True, strokeWidth=0)
    return encode_plane(blocks, "x", "y").encode(
        x2=alt.X2("x2"),
        y2=alt.Y2("y2"),
        color=alt.Color("class:N", scale=scale, legend=None),
        opacity=alt.Opacity("shade:Q", scale=None, legend=None),
        tooltip=[*tips, alt.Tooltip("step:Q")],
    )


def class_dots() -> alt.Chart:
    """Draw training points: a class has its shape, its shade, and a rim that no region hides."""

    def of_class(channel: Any, looks: tuple[str, ...]) -> Any:
        scale = alt.Scale(domain=class_labels(), range=list(looks))
        return channel("class:N", scale=scale, legend=None)

    dots = panels.data_set("dots").mark_point(
        filled=True, size=26, strokeWidth=0.8, opacity=1, clip=True
    )
    return encode_plane(dots, "x1", "x2").encode(
        color=of_class(alt.Color, palette.DOT_COLOURS),
        stroke=of_class(alt.Stroke, palette.DOT_RIM_COLOURS),
        shape=of_class(alt.Shape, palette.CLASS_SHAPES),
        tooltip=[
            alt.Tooltip("class:N", title=_("training point")),
            *channels.tooltips("x1:Q .2f", "x2:Q .2f"),
        ],
    )


def build_fit(kind: None) -> alt.VConcatChart:
    """Draw the functions of all schemes over training points; dashed: the truth without noise.

    Data sets: `curves`, `dots`, `truth`, as in `stability.frames.fit_tables`.
    """
    scale = alt.Scale(**GRID_DOMAIN, round=False)
    x = alt.X("x:Q", scale=scale, title="", axis=alt.Axis(**GRID_AXIS))
    y = alt.Y("value:Q", scale=scale, title="", axis=alt.Axis(**GRID_AXIS, **channels.EXTENT))
    dots, truth, base = (
        panels.data_set(name).encode(x=x, y=y) for name in ("dots", "truth", "curves")
    )
    base = base.encode(color=channels.colour())
    numbers = "x:Q .3~f", "value:Q .3~f"
    dots = dots.mark_point(size=14, color=palette.GREY, opacity=0.7, clip=True)
    return panels.single_panel(
        _("Output over input; dashed: without noise"),
        260,
        dots.encode(tooltip=channels.tooltips(*numbers)),
        truth.mark_line(**panels.DASHED, color=palette.GREY),
        base.mark_line(strokeWidth=2, clip=True),
        panels.scheme_marks(base, channels.tooltips("scheme:N", *numbers, "step:Q")),
        description=_("The curve that each initialization has learned, over the training points."),
    )


region_chart, region_spec = chart_and_spec(build_region, fill_region)
fit_chart, fit_spec = chart_and_spec(build_fit, channels.fill_schemes)
