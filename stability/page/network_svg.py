"""A small drawing of a network and its data, as SVG: layer by layer, coloured by its signal."""

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from html import escape
from urllib.parse import quote

import numpy as np
import torch

from stability.catalogues.schemes import scheme_title
from stability.charts.palette import (
    CLASS_COLOURS,
    DIVERGING_DARK,
    DIVERGING_LIGHT,
    GREY,
    ZERO_OR_NOT_FINITE,
    diverging_colour_index,
)
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.frames.relative import relative_profile
from stability.i18n import _, ngettext
from stability.records.experiment import Experiment
from stability.text import join_sentences

WIDTH, HEIGHT = 264, 78  # of the whole drawing, in pixels
DATA_SIZE, MARGIN = 62, 6  # of the square of the data, and around it
FIRST_LAYER, LOWEST, TALLEST = 84.0, 72.0, 46.0  # where the layers begin, stand, and their height
WIDEST_ROOM = 28.0  # of a layer
MOST_POINTS = 120
WIDEST = 512  # a layer of so many units is as tall as any


def network_html(run: Run, count: int, scheme: str) -> str:
    """Return the drawing after `count` measurements, with a caption that says what is seen."""
    e, index = run.experiment, run.experiment.schemes.index(scheme)
    profiles = run.newest_profiles(run.counts_before_divergence(count)[index])
    signal = relative_profile("signal", median_of_finite(profiles.signal[index], axis=0))
    words = network_words(e)
    seen = _("Colours: the signal of {scheme}, over that of the first layer.")
    seen = seen.format(scheme=scheme_title(scheme))
    more = data_words(e)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}'>{styles()}"
        f"{data_svg(e)}{layers_svg(e, signal)}</svg>"
    )
    meaning = escape(join_sentences(words, more, seen), quote=True)
    return (  # as an image, since Streamlit takes SVG out of HTML
        f"<div class='network'><img src='data:image/svg+xml,{quote(svg)}' alt='{meaning}' "
        f"title='{meaning}'><span>{escape(words)}</span></div>"
    )


@cache
def styles() -> str:
    """Return the colours of the heat map and the lines, on a light and on a dark page."""
    light, dark = (
        "".join(f".d{index}{{fill:{colour}}}" for index, colour in enumerate(colours))
        for colours in (DIVERGING_LIGHT, DIVERGING_DARK)
    )
    lines = f".line{{stroke:{GREY};fill:none;stroke-width:.8}}.dNone{{fill:{ZERO_OR_NOT_FINITE}}}"
    edge = f"rect{{stroke:{GREY};stroke-width:.5}}"
    return f"<style>{lines}{edge}{light}@media (prefers-color-scheme:dark){{{dark}}}</style>"


def network_words(e: Experiment) -> str:
    """Return what the drawing shows: `Blobs, 20 layers of 64, ReLU, layer norm`."""
    layers = ngettext("1 layer", "{depth} layers of {width}", e.depth)
    layers = layers.format(depth=e.depth, width=width_words(e))
    parts = [e.dataset_row.label, layers, e.phi.label]
    if e.normalization != "none":
        position = e.norm_position_row.label.lower()
        where = f" {position}" if e.norm_position != "inside" else ""
        parts.append(f"{e.normalization_row.label}{where}")
    if e.residual:
        parts.append(residual_words(e))
    if e.output_activation != "none":
        parts.append(_("{label} at the end").format(label=e.output_row.label))
    return _("{parts}.").format(parts=_(", ").join(parts))


def width_words(e: Experiment) -> str:
    """Return how wide the hidden layers are: `64`, or `64 to 8` where their widths fall."""
    if not e.is_tapered:
        return str(e.width)
    return _("{first} to {last}").format(first=e.width, last=e.hidden_widths[-1])


def residual_words(e: Experiment) -> str:
    """Return what kind of branches there are: `residual, branches of 2 layers times 1/√2`."""
    scale = e.branch_scale_row.label
    if e.branch_scale_row.is_learned:
        scale = _("a learned factor")
    words = {
        (False, False): _("residual"),
        (True, False): _("residual, branches of {layers} layers"),
        (False, True): _("residual, branches times {scale}"),
        (True, True): _("residual, branches of {layers} layers times {scale}"),
    }[e.branch_layers > 1, e.branch_factor != 1]
    return words.format(layers=e.branch_layers, scale=scale)


def data_words(e: Experiment) -> str:
    """Return in which directions the data are drawn, as a sentence."""
    if e.dataset_row.input_dimension(e.features) <= 2:
        return _("The data are drawn as they are.")
    return _("Of the data the two directions in which they vary most are drawn.")


@lru_cache(maxsize=256)
def drawn_points(dataset: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Return a few examples in the plane, from 0 to 1, `(points, 2)`, and the class of each."""
    e = dataset
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    x, y = data.x, data.y
    if x.shape[1] > 2:
        x = x @ torch.linalg.svd(x, full_matrices=False).Vh[:2].T
    if x.shape[1] == 1:
        x = torch.cat([x, y.reshape(len(x), 1).double()], dim=1)
    points = x[:MOST_POINTS].numpy()
    low, high = points.min(axis=0), points.max(axis=0)
    classes = y[:MOST_POINTS] if e.dataset_row.classes else (y[:MOST_POINTS, 0] > 0).long()
    return (points - low) / np.maximum(high - low, 1e-12), classes.numpy()


def data_svg(e: Experiment) -> str:
    """Return the data as points in a square, their classes in colours."""
    points, classes = drawn_points(e.data_alone.standardized)
    span = DATA_SIZE - 2 * MARGIN
    dots = "".join(
        f"<circle cx='{MARGIN + span * x:.1f}' cy='{MARGIN + span * (1 - y):.1f}' r='1.6' "
        f"fill='{class_colour(int(kind), e.dataset_row.classes or 2)}'/>"
        for (x, y), kind in zip(points, classes, strict=True)
    )
    frame = f"<rect x='1' y='1' width='{DATA_SIZE - 2}' height='{DATA_SIZE - 2}' fill='none'/>"
    return f"<g transform='translate(0 8)'>{frame}{dots}</g>"


def class_colour(kind: int, classes: int) -> str:
    """Return the colour of a class: the page's two, or a hue of its own where there are more."""
    return CLASS_COLOURS[kind] if classes == 2 else f"hsl({360 * kind / classes:.0f} 55% 52%)"


def layers_svg(e: Experiment, signal: Sequence[float] | np.ndarray) -> str:
    """Return a bar for each layer, as tall as it is wide, and arcs over residual blocks."""
    room = min((WIDTH - FIRST_LAYER) / e.depth, WIDEST_ROOM)
    bar = max(0.8, min(18.0, 0.75 * room))
    drawn = [f"<path d='M{DATA_SIZE} 39H{FIRST_LAYER - 2}' class='line'/>"]
    for layer, value in zip(e.layers, signal, strict=True):
        x = FIRST_LAYER + (layer.index - 1) * room
        height = TALLEST * math.log(layer.fan_out + 1) / math.log(WIDEST + 1)
        height = max(4.0, min(TALLEST, height))
        top = LOWEST - (TALLEST + height) / 2
        kind = f"d{diverging_colour_index(float(value))}"
        drawn.append(
            f"<rect x='{x:.1f}' y='{top:.1f}' width='{bar:.1f}' height='{height:.1f}' "
            f"class='{kind}'/>"
        )
        hidden = layer.index < e.depth
        if layer.index in e.shortcuts:
            reach = (layer.index - e.shortcuts[layer.index]) * room
            start = x - reach + bar / 2
            drawn.append(
                f"<path d='M{start:.1f} 24q{reach / 2:.1f} -22 {reach:.1f} 0' class='line'/>"
            )
        if e.normalization != "none" and hidden:
            drawn.append(f"<path d='M{x:.1f} 76h{bar:.1f}' class='line'/>")
    return "".join(drawn)
