"""Charts as files for a slide or a paper: one large panel on white, with a caption and a margin."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from stability.charts.notebook import with_data
from stability.charts.spec_cache import Spec

WIDTH, HEIGHT = 640, 340  # pixels of a panel
CAPTION_LETTERS = 125  # of one line beneath a panel


def as_picture(
    chart: alt.VConcatChart, tables: Mapping[str, pa.Table], caption: Sequence[str]
) -> Spec:
    """Return a complete spec of a chart, with the sentences of a caption beneath it."""
    spec: Spec = with_data(chart, tables).to_dict(validate=False)
    for panel in spec["vconcat"]:
        panel |= {"width": WIDTH, "height": HEIGHT}
        label_axis(panel)
    lines = [line for text in caption for line in textwrap.wrap(text, CAPTION_LETTERS)]
    words: dict[str, Any] = {"orient": "bottom", "anchor": "start", "frame": "bounds", "offset": 14}
    words |= {"fontSize": 11, "fontWeight": "normal", "color": "#5a6570", "lineHeight": 15}
    return spec | {"title": {"text": lines} | words, "padding": 24, "background": "#ffffff"}


def label_axis(panel: Spec) -> None:
    """Give all layers of a panel the labels along it that one of them has, or none is drawn."""
    given = [layer["encoding"]["x"] for layer in panel["layer"] if "x" in layer.get("encoding", {})]
    axes = [x["axis"] for x in given if x.get("axis")]
    labelled = [axis for axis in axes if axis.get("labels", True)]
    for x in given:
        if x.get("axis") and labelled:
            x["axis"] = labelled[0] | {"labelOverlap": "greedy", "labelSeparation": 8}
