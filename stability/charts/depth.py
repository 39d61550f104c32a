"""Signal, signal gradient and weight gradient by layer, with theory over them."""

import altair as alt

from stability.charts.lines import along_axis, line_panel
from stability.charts.linked import dimmed, still
from stability.charts.parts import built, colour, corners, finished, format_rules, log_scale, looks
from stability.experiment import Experiment


def depth_chart(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `limits`, `rules`, and `pinned` where pins stand behind, as in `stability.frames`.
    """
    titles = {
        "signal": "Signal: RMS of z (log)",
        "signal_gradient": "Signal gradient: RMS of dL/dz (log)",
        "weight_gradient": "Weight gradient: norm of dL/dW (log)",
    }
    e = experiment
    panels = [
        line_panel(
            e, title, name, "layer", log_scale(name), pins,
            [corners(name), *format_rules(name), *(theory_layers(e, name, pins) if name != "weight_gradient" else ())],
        )
        for name, title in titles.items()
    ]  # fmt: skip
    words = "Through the depth: signal, signal gradient and weight gradient by layer, on log axes."
    return finished(panels, words, still("layer"))


def depth_spec(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> dict:
    return built(depth_chart, looks(experiment), tuple(map(looks, pins)))


def theory_layers(e: Experiment, name: str, pins: tuple[Experiment, ...]) -> list[alt.Chart]:
    """What is predicted before any training: dashed, in a band where the spread of networks is known."""
    base = alt.Chart(alt.NamedData("theory")).encode(x=along_axis(e, pins, "layer"), color=colour(e))
    low, line = (alt.Y(f"{name}{end}", type="quantitative", scale=log_scale(name), title=None) for end in ("_low", ""))
    band = base.mark_area(clip=True).encode(y=low, y2=f"{name}_high", opacity=dimmed(0.12))
    return [band, base.mark_line(strokeDash=[5, 4], strokeWidth=1.5, clip=True).encode(y=line, opacity=dimmed())]
