"""What the networks have learned: regions of classes, a small square for each scheme; or the curves of all over a line."""

import altair as alt

from stability.charts.palette import CLASS_COLOURS, SCHEME_COLOURS, DOT_COLOURS, GREY, CLASS_SHAPES, DOT_RIM_COLOURS, SCHEME_SYMBOLS, scheme_style_indices
from stability.charts.panels import EXTENT, built, colour, finished, looks, panel, shape
from stability.engine.input_grid import GRID_REACH, GRID_SIDE
from stability.frames.arrow import NOT_FINITE
from stability.records.experiment import Experiment

CELL = 6  # pixels
TICKS = -2, 0, 2


def region_chart(experiment: Experiment, scheme: str) -> alt.VConcatChart:
    """One scheme's square of input space: the class of every point, the fainter the less likely, and training points over it.

    As wide as it is drawn, framed in the scheme's colour. Data sets: `regions`, `dots`, as in
    `stability.frames.region_tables`.
    """
    index, row = scheme_style_indices(experiment.schemes)[scheme], experiment.scheme_rows[experiment.schemes.index(scheme)]
    square = panel(f"{SCHEME_SYMBOLS[index]} {row.title}", CELL * GRID_SIDE, regions(experiment), dots(experiment))
    square = square.properties(width=CELL * GRID_SIDE, view=alt.ViewConfig(stroke=SCHEME_COLOURS[index], strokeWidth=3))
    square.title.limit = CELL * GRID_SIDE
    return finished(
        [square.resolve_scale(color="independent")],
        f"{row.title}: which class each point of the plane gets, with training points over it.",
    )


def region_spec(experiment: Experiment, scheme: str) -> dict:
    return built(region_chart, looks(experiment), scheme)


def along(kind: type, name: str, title: str | None = None) -> alt.X | alt.Y:
    """An axis of input space, the same for every seed, or of the target, which is standardised, too.

    Places are whole pixels: blocks that ended between two of them would show seams.
    """
    narrow = {"minExtent": 16, "maxExtent": 16} if title is None else EXTENT
    axis = alt.Axis(values=TICKS, grid=False, format="d", labelPadding=3, **(narrow if kind is alt.Y else {}))
    scale = alt.Scale(domain=[-GRID_REACH, GRID_REACH], nice=False, round=title is None)
    return kind(name, type="quantitative", scale=scale, title=title, axis=axis)


def class_scale(e: Experiment, looks: tuple[str, ...], *more: str) -> alt.Scale:
    names = [f"class {label}" for label in range(e.dataset_row.outputs)]
    return alt.Scale(domain=names + [NOT_FINITE] * len(more), range=[*looks[: len(names)], *more])


def regions(e: Experiment) -> alt.Chart:
    """Blocks of cells that look alike."""
    ends = [alt.Tooltip(name, type="quantitative", format=".1f", title=title)
            for name, title in (("x", "x1 from"), ("x2", "to"), ("y", "x2 from"), ("y2", "up to"))]  # fmt: skip
    tips = [alt.Tooltip("scheme", type="nominal"), alt.Tooltip("class", type="nominal")]
    tips += [alt.Tooltip("probability", type="quantitative", format=".0%"), *ends, alt.Tooltip("step", type="quantitative")]
    fill = alt.Color("class", type="nominal", scale=class_scale(e, CLASS_COLOURS, GREY), legend=None)
    shade = alt.Opacity("shade", type="quantitative", scale=None, legend=None)
    base = alt.Chart(alt.NamedData("regions")).mark_rect(clip=True, strokeWidth=0)
    return base.encode(x=along(alt.X, "x"), x2="x2", y=along(alt.Y, "y"), y2="y2", color=fill, opacity=shade, tooltip=tips)


def dots(e: Experiment) -> alt.Chart:
    """Training points: a class has its shape, its shade, and a rim that stands out from any region."""
    looks = {"color": DOT_COLOURS, "stroke": DOT_RIM_COLOURS, "shape": CLASS_SHAPES}
    kinds = {"color": alt.Color, "stroke": alt.Stroke, "shape": alt.Shape}
    told = {name: kinds[name]("class", type="nominal", scale=class_scale(e, look), legend=None) for name, look in looks.items()}
    tips = [alt.Tooltip("class", type="nominal", title="training point")]
    tips += [alt.Tooltip(name, type="quantitative", format=".2f") for name in ("x1", "x2")]
    base = alt.Chart(alt.NamedData("dots")).mark_point(filled=True, size=26, strokeWidth=0.8, opacity=1, clip=True)
    return base.encode(x=along(alt.X, "x1"), y=along(alt.Y, "x2"), tooltip=tips, **told)


def fit_chart(experiment: Experiment) -> alt.VConcatChart:
    """The functions of all schemes over a line, training points behind them, and dashed what these are without noise.

    Data sets: `curves`, `dots`, `truth`, as in `stability.frames.fit_tables`.
    """
    e = experiment
    tips = [alt.Tooltip(name, type="quantitative", format=".3~f") for name in ("x", "value")]
    points, noiseless, base = (
        alt.Chart(alt.NamedData(name)).encode(x=along(alt.X, "x", ""), y=along(alt.Y, "value", ""))
        for name in ("dots", "truth", "curves")
    )
    base = base.encode(color=colour(e))
    named = [alt.Tooltip("scheme", type="nominal"), *tips, alt.Tooltip("step", type="quantitative")]
    marked = base.mark_point(filled=True, size=45, opacity=1, clip=True).transform_filter("datum.marked")
    layers = (
        points.mark_point(size=14, color=GREY, opacity=0.7, clip=True).encode(tooltip=tips),
        noiseless.mark_line(strokeDash=[5, 4], strokeWidth=1.5, color=GREY, clip=True),
        base.mark_line(strokeWidth=2, clip=True),
        marked.encode(shape=shape(e), tooltip=named),
    )
    title = "Output over input; dashed: without noise"
    return finished([panel(title, 260, *layers)], "The curve that each initialization has learned, over the training points.")


def fit_spec(experiment: Experiment) -> dict:
    return built(fit_chart, looks(experiment))
