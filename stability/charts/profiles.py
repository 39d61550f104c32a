"""Signal, signal gradient and weight gradient by layer, with theory over them."""

from collections.abc import Sequence

import altair as alt

from stability.charts import channels, interaction, panels
from stability.charts.lines import (
    RunKind,
    fill_run_chart,
    format_limits,
    line_axis,
    line_panel,
    run_chart,
)
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.frames.run_panels import DEPTH_PANELS, FORETOLD_PANELS, panels_shown
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.text import join_words

PROFILE_TITLES = {
    "signal": N_("Signal by layer (dashed: theory at the start, solid: RMS of z, log)"),
    "signal_gradient": N_(
        "Signal gradient by layer (dashed: theory at the start, solid: RMS of dL/dz, log)"
    ),
    "weight_gradient": N_("Weight gradient by layer: norm of dL/dW (log)"),
}

PROFILE_NAMES = {
    "signal": N_("signal"),
    "signal_gradient": N_("signal gradient"),
    "weight_gradient": N_("weight gradient"),
}


def fill_depth(
    experiment: Experiment, pins: tuple[Experiment, ...] = (), panels: Sequence[str] = DEPTH_PANELS
) -> Filling[RunKind]:
    """Return the filling of a depth chart; the first of the `panels` is the largest."""
    shown = panels_shown(experiment, panels, DEPTH_PANELS)
    at_end = "" if tuple(panels) == FORETOLD_PANELS else _(", last step")  # nothing is measured
    return fill_run_chart(experiment, pins, "layer", shown, at_end=at_end)


def build_depth(kind: RunKind) -> alt.VConcatChart:
    """Stack signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `ends`, `beyond`, `limits`, `rules`, and `pinned` behind pins,
    as in `stability.frames`.
    """
    drawn = []
    for name in kind.panels:
        scale, behind = channels.chosen_scale(name), format_limits(name)
        if name in FORETOLD_PANELS:
            behind += theory_layers(name, scale)
        drawn.append(line_panel(kind, _(PROFILE_TITLES[name]), name, "layer", scale, behind))
    names = join_words([_(PROFILE_NAMES[name]) for name in kind.panels])
    words = _("Through the depth: {names} by layer, on log axes.").format(names=names)
    return run_chart(kind, "layer", drawn, words)


def theory_layers(name: str, scale: alt.Scale) -> list[alt.Chart]:
    """Draw the prediction dashed, in a band of nine of ten networks where their law is known."""
    base = panels.data_set("theory").encode(x=line_axis("layer"), color=channels.colour())
    band = base.mark_area(style="law", clip=True)
    line = base.mark_line(style="theory", clip=True)
    low = channels.y(f"{name}_low", scale)
    return [band.encode(y=low, y2=alt.Y2(f"{name}_high")), line.encode(y=channels.y(name, scale))]


depth_chart, depth_spec = chart_and_spec(build_depth, fill_depth, interaction.interactive_spec)
