"""Signal, signal gradient and weight gradient by layer, with theory over them."""

import altair as alt

from stability.charts.interaction import dimmed, interactive_spec, static_parameters
from stability.charts.lines import RunKind, fill_run_chart, line_axis, line_panel
from stability.charts.panels import (
    DASHED,
    data_set,
    format_limit_rules,
    hold_axes,
    log_scale,
    stack_panels,
    y_channel,
)
from stability.charts.parameters import colour
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.records.experiment import Experiment

TITLES = {
    "signal": "Signal: RMS of z (log)",
    "signal_gradient": "Signal gradient: RMS of dL/dz (log)",
    "weight_gradient": "Weight gradient: norm of dL/dW (log)",
}


def fill_depth(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> Filling[RunKind]:
    """Return the filling of a depth chart."""
    return fill_run_chart(experiment, pins, "layer")


def build_depth(kind: RunKind) -> alt.VConcatChart:
    """Signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `ends`, `limits`, `rules`, and `pinned` behind pins, as in
    `stability.frames`.
    """
    panels = []
    for name, title in TITLES.items():
        scale = log_scale(name)
        behind = [hold_axes(y_channel(name, scale)), *format_limit_rules(name)]
        if name != "weight_gradient":  # of which nothing is predicted
            behind += theory_layers(name)
        panels.append(line_panel(kind, title, name, "layer", scale, behind))
    words = "Through the depth: signal, signal gradient and weight gradient by layer, on log axes."
    return stack_panels(panels, words, static_parameters())


def theory_layers(name: str) -> list[alt.Chart]:
    """The prediction before training, dashed, in a band where the spread of networks is known."""
    scale = log_scale(name)
    base = data_set("theory").encode(x=line_axis("layer"), color=colour())
    band = base.mark_area(clip=True).encode(
        y=y_channel(f"{name}_low", scale), y2=f"{name}_high", opacity=dimmed(0.12)
    )
    line = base.mark_line(**DASHED, clip=True)
    return [band, line.encode(y=y_channel(name, scale), opacity=dimmed())]


depth_template = ChartTemplate(build_depth, fill_depth, interactive_spec)
depth_chart, depth_spec = depth_template.chart, depth_template.spec
