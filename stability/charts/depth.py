"""Signal, signal gradient and weight gradient by layer, with theory over them."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from stability.charts.interaction import dimmed, live_once, still
from stability.charts.lines import along_axis, line_panel
from stability.charts.panels import corners, finished, format_rules, log_scale
from stability.charts.parameters import NOTHING, Kind, colour, filled, given, kind_of, parameters
from stability.records.experiment import Experiment


def depth_chart(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `limits`, `rules`, and `pinned` where pins stand behind, as in `stability.frames`.
    """
    return depth_made(kind_of(experiment, pins), given(experiment, pins, "layer"))


def depth_made(kind: Kind, values: Mapping[str, Any] = NOTHING) -> alt.VConcatChart:
    titles = {
        "signal": "Signal: RMS of z (log)",
        "signal_gradient": "Signal gradient: RMS of dL/dz (log)",
        "weight_gradient": "Weight gradient: norm of dL/dW (log)",
    }
    panels = [
        line_panel(
            kind, title, name, "layer", log_scale(name),
            [corners(name), *format_rules(name), *(theory_layers(name) if name != "weight_gradient" else ())],
        )
        for name, title in titles.items()
    ]  # fmt: skip
    words = "Through the depth: signal, signal gradient and weight gradient by layer, on log axes."
    return finished(panels, words, [*still(), *parameters(values)])


def depth_spec(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> dict:
    """The depth chart as a Vega-Lite dict that answers a hand: to be sent many times and never changed."""
    return filled(live_once(depth_made, kind_of(experiment, pins)), given(experiment, pins, "layer"))


def theory_layers(name: str) -> list[alt.Chart]:
    """What is predicted before any training: dashed, in a band where the spread of networks is known."""
    base = alt.Chart(alt.NamedData("theory")).encode(x=along_axis("layer"), color=colour())
    low, line = (alt.Y(f"{name}{end}", type="quantitative", scale=log_scale(name), title=None) for end in ("_low", ""))
    band = base.mark_area(clip=True).encode(y=low, y2=f"{name}_high", opacity=dimmed(0.12))
    return [band, base.mark_line(strokeDash=[5, 4], strokeWidth=1.5, clip=True).encode(y=line, opacity=dimmed())]
