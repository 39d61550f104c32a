"""Profiles of any torch module by leaf layer, with the places of findings marked."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from stability.charts import channels
from stability.i18n import N_, _, ngettext
from stability.text import join_words

TITLES = {
    "signal": N_("Signal by layer: RMS of its output (log)"),
    "signal_gradient": N_("Signal gradient by layer: RMS of dL/d(output) (log)"),
    "weight_gradient": N_("Weight gradient by layer: norm of dL/dW (log)"),
}
ProfilesChart = alt.VConcatChart
# These are seen in the gradients, all others in the signal.
GRADIENT_KINDS = ("vanishing", "zero_gradient", "symmetric", "detached", "unused")
WIDTH, HEIGHT = 560, 140
MOST_NAMED = 4  # layers of exact zeros, which a log axis cannot show
MEASURED, MARKED = "#2f80c3", "#d9483b"  # to be read on white and on black


def module_profiles(frame: pd.DataFrame, marks: Mapping[str, str]) -> alt.VConcatChart:
    """Stack signal, signal gradient and weight gradient of a table with a row for each layer.

    Columns that are read: layer, kind and those of `TITLES`. `marks` maps a layer, or a module that
    it lies in, to the kind of finding that is written at it. Numbers that a log axis cannot show
    are left out.
    """
    table = frame[["layer", "kind", *TITLES]].copy()
    table["order"] = range(len(table))
    kinds = [mark_of(name, marks) for name in table["layer"]]
    table["finding"] = list(map(_, kinds))
    table["in_gradient"] = [kind in GRADIENT_KINDS for kind in kinds]
    named = zip(table["layer"], table["kind"], strict=True)
    table["label"] = [f"{name} ({kind})" if name else kind for name, kind in named]
    labels = list(dict.fromkeys(table["label"]))
    panels = [profile(table, name, _(title), labels, name == list(TITLES)[-1])
              for name, title in TITLES.items()]  # fmt: skip
    return alt.vconcat(*panels, spacing=8)


def mark_of(name: str, marks: Mapping[str, str]) -> str:
    """Return the word at a layer, or at the nearest module that it lies in."""
    while name and name not in marks:
        name = name.rpartition(".")[0]
    return marks.get(name, "") if name else ""


def zeros_in_words(table: pd.DataFrame, name: str) -> str:
    """Return the layers at which a quantity is exactly 0, in words; "" if there is none."""
    zeros = [str(layer) for layer in table["layer"][table[name] == 0]]
    left = len(zeros) - MOST_NAMED
    more = [ngettext("{count} more", "{count} more", left).format(count=left)] if left > 0 else []
    layers = join_words(zeros[:MOST_NAMED] + more)
    return _("exactly 0: {layers}").format(layers=layers) if zeros else ""


def profile(
    table: pd.DataFrame, name: str, title: str, labels: list[str], is_last: bool
) -> alt.LayerChart:
    shown = table[(table[name] > 0) & (table[name] < float("inf"))]
    axis = alt.Axis(labels=is_last, ticks=is_last, title=None, labelAngle=-50, labelLimit=150,
                    labelOverlap=True)  # fmt: skip
    heading = alt.Title(title, anchor="start", fontSize=12, subtitle=zeros_in_words(table, name))
    base = alt.Chart(shown, title=heading).encode(
        x=alt.X("label:N", sort=labels, scale=alt.Scale(domain=labels), axis=axis),
        y=alt.Y(f"{name}:Q", title=None,
                scale=alt.Scale(type="log"), axis=alt.Axis(format="~e", tickCount=5)),
        tooltip=[alt.Tooltip("label:N", title=_("layer")),
                 *channels.tooltips(f"{name}:Q .3g", "finding:N")],
    )  # fmt: skip
    here = "!datum.in_gradient" if name == "signal" else "datum.in_gradient"
    line = base.mark_line(color=MEASURED)
    dots = base.mark_point(color=MEASURED, filled=True, size=36, opacity=1)
    marked = base.transform_filter(f"datum.finding != '' && {here}")
    rings = marked.mark_point(color=MARKED, filled=False, size=150, strokeWidth=2.5, opacity=1)
    words = marked.mark_text(
        color=MARKED, dy=-14, fontSize=12, fontWeight="bold", opacity=1
    ).encode(text="finding:N")
    return (line + dots + rings + words).properties(width=WIDTH, height=HEIGHT)
