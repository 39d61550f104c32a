"""What a chart is: the only place that imports Altair.

A chart is built once for an experiment, on named data and with scales that data do not disturb; the page sends it once
and Arrow tables after, a notebook completes it by `with_data`.
"""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache

import altair as alt
import pyarrow as pa

from stability.experiment import Experiment
from stability.frames import LOSS_TOP
from stability.palette import BROKEN, COLOURS, GREY, SHAPES, style
from stability.schemes import read
from stability.view import QUANTITIES

AXIS_WIDTH = 40  # pixels left of every panel; the page leaves as much room
EXTENT = {"minExtent": AXIS_WIDTH, "maxExtent": AXIS_WIDTH}
HEAT_LEGEND = alt.Legend(
    title=None, orient="bottom", direction="horizontal", gradientLength=220, gradientThickness=8, values=[-8, -4, 0, 4, 8],
    labelExpr="datum.value ? '1e' + datum.value : '1'",
)  # fmt: skip


def training_chart(experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Loss, accuracy (of classes) and gradient norm by step, and the heat map of one scheme's quantity, layer by step.

    Data sets: `bands`, `held_out`, `marks`, `limits`, `heat`, and `pinned` where pins stand behind, as in
    `stability.frames`.
    """
    e, shares = experiment, alt.Scale(domain=[0, 1])
    lines = *held_out(e, "accuracy", shares, pins), *line_layers(e, "accuracy", "step", shares, "%", pins)
    accuracy = panel("Accuracy on the batch; thin: held out", 80, *lines)
    panels = [
        panel(
            "Loss of the batch; thin: held out", 140,
            rule(e.data.guessing, "guessing" if e.data.classes else "always the mean"),
            *held_out(e, "loss", loss_scale(e), pins), *line_layers(e, "loss", "step", loss_scale(e), "~g", pins),
            *divergence_layers(e, pins),
        ),
        *([accuracy] if e.data.classes else []),
        panel("Gradient norm, all parameters (log)", 100, corners("gradient_norm"),
              *line_layers(e, "gradient_norm", "step", log_scale(), "", pins)),
        heat_map(e, scheme, quantity, pins),
    ]  # fmt: skip
    names = "loss, accuracy and gradient norm" if e.data.classes else "loss and gradient norm"
    return finished(panels, f"Training: {names} by step, and a heat map of layers by step.")


def depth_chart(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `limits`, and `pinned` where pins stand behind, as in `stability.frames`.
    """
    titles = {
        "signal": "Signal: RMS of z (log)",
        "signal_gradient": "Signal gradient: RMS of dL/dz for one example (log)",
        "weight_gradient": "Weight gradient: norm of dL/dW (log)",
    }
    panels = [
        panel(
            title, 145, corners(name), *(theory_layers(experiment, name, pins) if name != "weight_gradient" else ()),
            *line_layers(experiment, name, "layer", log_scale(), "", pins),
        )
        for name, title in titles.items()
    ]  # fmt: skip
    return finished(panels, "Through the depth: signal, signal gradient and weight gradient by layer, on log axes.")


def singular_chart(experiment: Experiment) -> alt.VConcatChart:
    """How far each direction is stretched from the first hidden layer to the last, the furthest first; dashed: the edge.

    Data sets: `singular`, `limits`, as in `stability.frames.singular_tables`.
    """
    share = alt.Axis(format="%", tickCount=5, labelPadding=4, labelFlush=True)
    x = alt.X("rank", type="quantitative", scale=alt.Scale(domain=[0, 1], nice=False), title=None, axis=share)
    y, edge = (alt.Y(name, type="quantitative", scale=log_scale(), title=None, axis=axis("")) for name in ("value", "edge"))
    base = alt.Chart(alt.NamedData("singular")).encode(x=x, color=colour(experiment))
    tips = ["scheme:N", *(alt.Tooltip(name, type="quantitative", format=".3~e") for name in ("rank", "value", "edge"))]
    marked = base.mark_point(filled=True, size=45, opacity=1, clip=True).transform_filter("datum.marked")
    layers = (
        base.mark_line(strokeWidth=1.5, strokeDash=[5, 4], clip=True).encode(y=edge),
        base.mark_line(strokeWidth=2, clip=True).encode(y=y),
        marked.encode(y=y, shape=shape(experiment), tooltip=tips),
    )
    drawn = panel("Singular values, by share of directions (log)", 200, corners("value"), *layers)
    return finished([drawn], "Singular values of the hidden layers before training, from the largest.")


def panel(title: str, height: int, *layers: alt.Chart) -> alt.LayerChart:
    return alt.layer(*layers, height=height, title=heading(title))


def heading(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, anchor="start", frame="group", fontSize=13, offset=6, limit=330)  # a phone is as wide


def line_layers(
    e: Experiment, name: str, along: str, scale: alt.Scale, format: str = "", pins: tuple[Experiment, ...] = ()
) -> list[alt.Chart]:
    """The range over the replicates, the median, and a few marks, one colour a scheme; grey behind them, what is pinned."""
    data = alt.NamedData("bands" if along == "step" else "profiles")
    x = alt.X(along, type="quantitative", scale=span((e, *pins), along), title=None, axis=below(name == "weight_gradient"))
    y = alt.Y(name, type="quantitative", scale=scale, title=None, axis=axis(format))
    base = alt.Chart(data).encode(x=x, color=colour(e))
    tips = [alt.Tooltip("scheme", type="nominal"), alt.Tooltip(along, type="quantitative"),
            alt.Tooltip(name, type="quantitative", format=format or ".3~e")]  # fmt: skip
    marked = base.mark_point(filled=True, size=45, opacity=1, clip=True).encode(y=y, shape=shape(e), tooltip=tips)
    layers = [base.mark_line(strokeWidth=2, clip=True).encode(y=y), marked.transform_filter("datum.marked")]
    if e.replicates > 1:
        low = alt.Y(f"{name}_low", type="quantitative", scale=scale, title=None)
        layers.insert(0, base.mark_area(opacity=0.18, clip=True).encode(y=low, y2=f"{name}_high"))
    return [*(pinned_layers(e, x, y, tips) if pins else []), *layers]


def pinned_layers(e: Experiment, x: alt.X, y: alt.Y, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """Runs kept for comparison: grey, each with its own dash, with the marks of their schemes, and named at one end."""
    dash = alt.StrokeDash("run", type="nominal", scale=alt.Scale(range=[[1, 0], [6, 3], [2, 2]]), legend=None)
    base = alt.Chart(alt.NamedData("pinned")).encode(x=x, y=y, detail=["run:N", "scheme:N"])
    line = base.mark_line(strokeWidth=1.5, color=GREY, clip=True).encode(strokeDash=dash)
    marked = base.mark_point(filled=True, size=30, color=GREY, opacity=1, clip=True)
    marked = marked.encode(shape=shape(e), tooltip=[alt.Tooltip("run", type="nominal"), *tips]).transform_filter("datum.marked")
    words = base.mark_text(baseline="bottom", dy=-3, fontSize=11, color=GREY, limit=130, clip=True)
    return [line, marked, words.encode(text="run:N").transform_filter("datum.named")]


def theory_layers(e: Experiment, name: str, pins: tuple[Experiment, ...]) -> list[alt.Chart]:
    """What is predicted before any training: dashed, in a band where the spread of networks is known."""
    x = alt.X("layer", type="quantitative", scale=span((e, *pins), "layer"), title=None)
    base = alt.Chart(alt.NamedData("theory")).encode(x=x, color=colour(e))
    low, line = (alt.Y(f"{name}{end}", type="quantitative", scale=log_scale(), title=None) for end in ("_low", ""))
    band = base.mark_area(opacity=0.12, clip=True).encode(y=low, y2=f"{name}_high")
    return [band, base.mark_line(strokeDash=[5, 4], strokeWidth=1.5, clip=True).encode(y=line)]


def held_out(e: Experiment, name: str, scale: alt.Scale, pins: tuple[Experiment, ...]) -> list[alt.Chart]:
    """The same quantity on examples that are never trained on, as a thin line."""
    x = alt.X("step", type="quantitative", scale=span((e, *pins), "step"), title=None)
    y = alt.Y(name, type="quantitative", scale=scale, title=None)
    return [alt.Chart(alt.NamedData("held_out")).mark_line(strokeWidth=1, clip=True).encode(x=x, y=y, color=colour(e))]


def axis(format: str) -> alt.Axis:
    """As wide in every panel, so that they stand exactly below one another. Without a format: powers of ten, as 1e-3."""
    exponent = "log(datum.value) / LN10"
    powers = f"abs({exponent} - round({exponent})) > 1e-6 ? '' : datum.value == 1 ? '1' : '1e' + format({exponent}, '.0f')"
    label = {"format": format} if format else {"labelExpr": powers}
    return alt.Axis(**EXTENT, tickCount=4, labelOverlap=True, **label)


def below(last: bool, along: str = "layer") -> alt.Axis:
    """Panels that stand below one another share an axis: only the last one is labelled."""
    words = (
        {"labelExpr": f"datum.index == 0 ? '{along} ' + datum.label : datum.label", "labelFlush": True}
        if last
        else {"labels": False}
    )
    return alt.Axis(tickMinStep=1, ticks=last, labelPadding=4, **words)


def span(experiments: Sequence[Experiment], along: str) -> alt.Scale:
    """Wide enough for all that is shown."""
    steps, depth = max(e.steps for e in experiments), max(2, *(e.depth for e in experiments))
    return alt.Scale(domain=[0, steps] if along == "step" else [1, depth], nice=False)


def log_scale() -> alt.Scale:
    """The domain comes from the corners, which `frames.limits` rounds outwards: it moves rarely, and never for a zero."""
    return alt.Scale(type="log", nice=False)


def loss_scale(experiment: Experiment) -> alt.Scale:
    """From 0 to a few times the loss of guessing; what is above runs along the top."""
    return alt.Scale(domain=[0, LOSS_TOP * experiment.data.guessing], clamp=True, nice=False)


def corners(name: str) -> alt.Chart:
    """Invisible points that hold a log axis where `frames.limits` wants it."""
    return (
        alt.Chart(alt.NamedData("limits"))
        .mark_point(opacity=0, tooltip=None)
        .encode(y=alt.Y(name, type="quantitative", scale=log_scale(), title=None))
    )


def rule(height: float, text: str) -> alt.LayerChart:
    """A thin line at one height, named at its right end."""
    base = alt.Chart(alt.sequence(1)).encode(y=alt.datum(height, type="quantitative"))
    line = base.mark_rule(strokeDash=[2, 3], opacity=0.6, color="#808080")
    words = base.mark_text(align="right", baseline="bottom", dy=-2, fontSize=11, color="#808080", text=text)
    return line + words.encode(x=alt.value("width"))


def divergence_layers(e: Experiment, pins: tuple[Experiment, ...]) -> list[alt.Chart]:
    """A cross and a few words where a scheme leaves the range of numbers."""
    base = alt.Chart(alt.NamedData("marks")).encode(
        x=alt.X("step", type="quantitative", scale=span((e, *pins), "step")),
        y=alt.Y("height", type="quantitative", scale=loss_scale(e), title=None),
        color=colour(e),
    )
    return [
        base.mark_point(shape="cross", angle=45, filled=True, size=90, opacity=1),
        base.mark_text(align="left", dx=9, fontSize=11, fontWeight="bold").encode(text="text:N"),
    ]


def heat_map(experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...]) -> alt.LayerChart:
    """Decades away from 1: blue has shrunk, red has grown, black is not finite, hatched grey is exactly 0."""
    scale = alt.Scale(scheme="blueorange", domain=[-8, 8], domainMid=0, clamp=True)
    title = f"{QUANTITIES[quantity]} of {read(scheme).title}, layer by step"
    base = (
        alt.Chart(alt.NamedData("heat"))
        .transform_calculate(bottom="datum.layer - 0.5", top="datum.layer + 0.5")
        .encode(
            x=alt.X("step", type="quantitative", scale=span((experiment, *pins), "step"), title=None, axis=below(True, "step")),
            x2="until",
            y=alt.Y("bottom", type="quantitative", scale=alt.Scale(domain=[0.5, experiment.depth + 0.5], nice=False),
                    title=None, axis=alt.Axis(**EXTENT, tickMinStep=1, tickCount=5, format="d")),
            y2="top",
            tooltip=[alt.Tooltip("layer", type="quantitative"), alt.Tooltip("step", type="quantitative"),
                     alt.Tooltip("value", type="quantitative", format=".3~e"), alt.Tooltip("state", type="nominal")],
        )
    )  # fmt: skip
    finite = base.mark_rect(clip=True).transform_filter("datum.state == 'finite'")
    finite = finite.encode(color=alt.Color("power", type="quantitative", scale=scale, legend=HEAT_LEGEND))
    # A layer of its own: a mark whose colour comes from a null is not drawn at all, whatever its condition says.
    others = base.mark_rect(clip=True, color=BROKEN).transform_filter("datum.state != 'finite'")
    return panel(title, 120, others, finite)


def colour(e: Experiment) -> alt.Color:
    """No legend: the page's cards carry the same colours and marks, and `with_data` adds one for a chart on its own."""
    return alt.Color("scheme", type="nominal", scale=scheme_scale(e, COLOURS), legend=None)


def shape(e: Experiment) -> alt.Shape:
    return alt.Shape("scheme", type="nominal", scale=scheme_scale(e, SHAPES), legend=None)


def scheme_scale(e: Experiment, looks: tuple[str, ...]) -> alt.Scale:
    index = style(e.schemes)
    return alt.Scale(domain=list(index), range=[looks[i] for i in index.values()])


def finished(panels: list[alt.Chart], description: str) -> alt.VConcatChart:
    """The panels, one above another. Canvas from the start: a chart that changes its renderer is drawn anew, and flickers."""
    chart = alt.vconcat(
        *panels,
        spacing=10,
        padding={"left": 0, "right": 8, "top": 0, "bottom": 6},
        description=description,
        usermeta={"embedOptions": {"renderer": "canvas"}},
    )
    chart = chart.resolve_scale(color="independent", shape="independent")
    return chart.configure(mark=alt.MarkConfig(aria=False))


def training_spec(experiment: Experiment, scheme: str, quantity: str, pins: tuple[Experiment, ...] = ()) -> dict:
    """The training chart as a Vega-Lite dict, to be sent many times and never changed."""
    return built(training_chart, looks(experiment), scheme, quantity, tuple(map(looks, pins)))


def depth_spec(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> dict:
    return built(depth_chart, looks(experiment), tuple(map(looks, pins)))


def singular_spec(experiment: Experiment) -> dict:
    return built(singular_chart, looks(experiment))


def looks(e: Experiment) -> Experiment:
    """An experiment whose charts are the same ones: a new seed or learning rate needs no new chart, and one takes long."""
    shown = {"depth": e.depth, "width": e.width, "steps": e.steps, "dataset": e.dataset, "replicates": min(2, e.replicates)}
    return Experiment(schemes=e.schemes, activation="tanh", residual=True, **shown)  # which go with every scheme


BUILDING = threading.Lock()  # thirty visitors of one link wait for one chart, instead of building thirty at once


def built(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    with BUILDING:
        return built_once(make, *arguments)


@lru_cache(maxsize=512)
def built_once(make: Callable[..., alt.VConcatChart], *arguments: Hashable) -> dict:
    return make(*arguments).to_dict(validate=False)


def with_data(chart: alt.VConcatChart, tables: Mapping[str, pa.Table]) -> alt.VConcatChart:
    """A chart that carries its data and a legend, for notebooks and export."""
    complete = chart.copy()
    complete.datasets = {name: table.to_pylist() for name, table in tables.items()}
    for layer in complete.vconcat[0].layer:
        if layer.encoding is not alt.Undefined and layer.encoding.shape is not alt.Undefined:
            layer.encoding.shape.legend = layer.encoding.color.legend = alt.Legend(title=None, orient="top")
    return complete
