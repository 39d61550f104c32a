"""Signal, signal gradient and weight gradient by layer, with theory over them."""

import altair as alt

from stability.charts.parts import built, colour, corners, finished, format_rules, line_layers, log_scale, looks, panel, span
from stability.experiment import Experiment


def depth_chart(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> alt.VConcatChart:
    """Signal, signal gradient and weight gradient by layer.

    Data sets: `profiles`, `theory`, `limits`, `rules`, and `pinned` where pins stand behind, as in `stability.frames`.
    """
    titles = {
        "signal": "Signal: RMS of z (log)",
        "signal_gradient": "Signal gradient: RMS of dL/dz for one example (log)",
        "weight_gradient": "Weight gradient: norm of dL/dW (log)",
    }
    panels = [
        panel(
            title, 145, corners(name), *format_rules(name),
            *(theory_layers(experiment, name, pins) if name != "weight_gradient" else ()),
            *line_layers(experiment, name, "layer", log_scale(), "", pins),
        )
        for name, title in titles.items()
    ]  # fmt: skip
    return finished(panels, "Through the depth: signal, signal gradient and weight gradient by layer, on log axes.")


def depth_spec(experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> dict:
    return built(depth_chart, looks(experiment), tuple(map(looks, pins)))


def theory_layers(e: Experiment, name: str, pins: tuple[Experiment, ...]) -> list[alt.Chart]:
    """What is predicted before any training: dashed, in a band where the spread of networks is known."""
    x = alt.X("layer", type="quantitative", scale=span((e, *pins), "layer"), title=None)
    base = alt.Chart(alt.NamedData("theory")).encode(x=x, color=colour(e))
    low, line = (alt.Y(f"{name}{end}", type="quantitative", scale=log_scale(), title=None) for end in ("_low", ""))
    band = base.mark_area(opacity=0.12, clip=True).encode(y=low, y2=f"{name}_high")
    return [band, base.mark_line(strokeDash=[5, 4], strokeWidth=1.5, clip=True).encode(y=line)]
