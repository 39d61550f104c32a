"""Curves and profiles of somebody's own training, as the page draws those of an experiment."""

import altair as alt
import pandas as pd

from stability.charts import channels
from stability.charts.network_profiles import TITLES
from stability.i18n import N_, _

CURVE_TITLES = {"loss": N_("Loss (log)"), "gradient_norm": N_("Gradient norm (log)")}
WIDTH, HEIGHT = 560, 140
MOST_PROFILES = 8  # steps whose profiles are drawn, the first and the last among them


def watched_chart(frame: pd.DataFrame, curves: pd.DataFrame) -> alt.VConcatChart:
    """Stack loss and gradient norm by step, and signal, its gradient, and weight gradient by layer.

    `curves` has step, loss, gradient_norm; `frame` has step, layer and the columns of `TITLES`. A
    loss that was never noted is left out, and so are numbers that a log axis cannot show. Raises
    ValueError where nothing has been recorded.
    """
    if frame.empty:
        raise ValueError(_("no step has been recorded yet: a step is a pass and its way back"))
    panels = [curve(curves, name, _(title)) for name, title in CURVE_TITLES.items()
              if curves[name].notna().any()]  # fmt: skip
    steps = sorted(frame["step"].unique())
    chosen = {steps[i * (len(steps) - 1) // (MOST_PROFILES - 1)] for i in range(MOST_PROFILES)}
    few = frame[frame["step"].isin(chosen)]
    panels += [layers_at_steps(few, name, _(title)) for name, title in TITLES.items()]
    return alt.vconcat(*panels, spacing=8)


def positive(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[(table[name] > 0) & (table[name] < float("inf"))]


def heading(text: str) -> alt.Title:
    return alt.Title(text, anchor="start", fontSize=12)


def log_scaled(name: str) -> alt.Y:
    scale = alt.Scale(type="log")
    return alt.Y(f"{name}:Q", title=None, scale=scale, axis=alt.Axis(format="~e", tickCount=5))


def curve(curves: pd.DataFrame, name: str, title: str) -> alt.Chart:
    return (
        alt.Chart(positive(curves[["step", name]], name), title=heading(title))
        .mark_line(point=len(curves) < 60)
        .encode(
            x=alt.X("step:Q", title=_("Step")),
            y=log_scaled(name),
            tooltip=channels.tooltips("step:Q", f"{name}:Q"),
        )
        .properties(width=WIDTH, height=HEIGHT)
    )


def layers_at_steps(frame: pd.DataFrame, name: str, title: str) -> alt.Chart:
    """Draw one profile, a line for each step, later ones darker."""
    labels = list(dict.fromkeys(frame["layer"]))
    x = alt.X(
        "layer:N", sort=labels, scale=alt.Scale(domain=labels),
        axis=alt.Axis(title=None, labelAngle=-50, labelLimit=150, labelOverlap=True),
    )  # fmt: skip
    colour = alt.Color("step:Q", scale=alt.Scale(scheme="blues", domainMin=-1), title=_("Step"))
    return (
        alt.Chart(positive(frame[["step", "layer", name]], name), title=heading(title))
        .mark_line(point=True)
        .encode(x=x, y=log_scaled(name), color=colour, detail="step:Q",
                tooltip=channels.tooltips("layer:N", "step:Q", f"{name}:Q .3g"))
        .properties(width=WIDTH, height=HEIGHT)
    )  # fmt: skip
