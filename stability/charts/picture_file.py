"""Charts as files for a slide or a paper: one large panel on white, with a caption and a margin."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from stability.charts.notebook import with_data
from stability.charts.palette import DIVERGING_LIGHT, SEQUENTIAL
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
    return spec | below(caption)


def spec_as_picture(
    spec: Spec, tables: Mapping[str, pa.Table], caption: Sequence[str], names: Mapping[str, str]
) -> Spec:
    """Return what `as_picture` does of a spec that the page shows, with a legend of these names.

    Panels of several, and a panel with a width of its own, keep their heights.
    """
    complete: Spec = json.loads(json.dumps(spec))
    panels = complete["vconcat"]
    label = f"{json.dumps(dict(names))}[datum.label] || datum.label"
    legend = {"title": None, "symbolOpacity": 1, "labelExpr": label}
    coloured = [found for found in map(scheme_channels, panels) if found]
    for channel in coloured[0] if coloured else ():
        channel["legend"] = legend
    for panel in panels:
        if len(panels) == 1 and "width" not in panel:
            panel["height"] = HEIGHT
        panel.setdefault("width", WIDTH)
        label_axis(panel)
    colours = {"diverging": list(DIVERGING_LIGHT), "ramp": list(SEQUENTIAL)}
    config = complete.get("config", {}) | {"range": colours}
    datasets = {name: table.to_pylist() for name, table in tables.items()}
    return complete | {"config": config, "datasets": datasets} | below(caption)


def scheme_channels(panel: Spec) -> list[dict[str, Any]]:
    """Return the channels of a panel's layers that show schemes by their colours and marks."""
    encodings = [layer.get("encoding", {}) for layer in panel["layer"]]
    found = [encoding.get(name, {}) for encoding in encodings for name in ("color", "shape")]
    return [channel for channel in found if channel.get("field") == "scheme"]


def below(caption: Sequence[str]) -> Spec:
    """Return the sentences of a caption beneath a picture, and its margin on white."""
    lines = [line for text in caption for line in textwrap.wrap(text, CAPTION_LETTERS)]
    words: dict[str, Any] = {"orient": "bottom", "anchor": "start", "frame": "bounds", "offset": 14}
    words |= {"fontSize": 11, "fontWeight": "normal", "color": "#5a6570", "lineHeight": 15}
    return {"title": {"text": lines} | words, "padding": 24, "background": "#ffffff"}


def label_axis(panel: Spec) -> None:
    """Give all layers of a panel the labels along it that one of them has, or none is drawn."""
    given = [layer["encoding"]["x"] for layer in panel["layer"] if "x" in layer.get("encoding", {})]
    axes = [x["axis"] for x in given if x.get("axis")]
    labelled = [axis for axis in axes if axis.get("labels", True)]
    for x in given:
        if x.get("axis") and labelled:
            x["axis"] = labelled[0] | {"labelOverlap": "greedy", "labelSeparation": 8}
