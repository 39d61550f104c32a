"""The small drawing of a network and its data."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from stability.engine.runs import Run
from stability.page.network_svg import (
    data_svg,
    drawn_points,
    layers_svg,
    network_html,
    network_words,
)
from stability.records.experiment import Experiment

SMALL = {"width": 6, "samples": 64, "batch": 8, "steps": 1}


def drawing(e: Experiment) -> ElementTree.Element:
    html = network_html(Run(e).train(), 2, e.schemes[0])
    return ElementTree.fromstring(unquote(re.search("svg.xml,(.*?)'", html)[1]))


@pytest.mark.parametrize("depth", [1, 2, 20, 100])
def test_each_layer_is_a_bar_within_the_drawing(depth):
    e = Experiment(depth=depth, **SMALL)
    bars = ElementTree.fromstring(f"<g>{layers_svg(e, np.ones(depth))}</g>").findall("rect")
    assert len(bars) == depth
    for bar in bars:
        assert float(bar.get("x")) + float(bar.get("width")) <= 264
        assert float(bar.get("y")) + float(bar.get("height")) <= 78
    assert {bar.get("class") for bar in bars} == {"d4"}, "level is pale"


def test_residual_blocks_have_arcs_and_normalized_layers_a_mark():
    plain, rich = (
        layers_svg(Experiment(depth=6, **more), np.ones(6)).count("<path")
        for more in ({}, {"residual": True, "normalization": "layer"})
    )
    assert rich == plain + 4 + 5  # blocks of the layers 2 to 5, norms of 1 to 5


def test_branches_of_two_layers_have_an_arc_each_and_words():
    e = Experiment(depth=7, residual=True, branch_layers=2, branch_scale="root_half")
    assert e.shortcuts == {3: 1, 5: 3, 6: 5}
    plain = layers_svg(Experiment(depth=7), np.ones(7)).count("<path")
    assert layers_svg(e, np.ones(7)).count("<path") == plain + 3
    assert "residual, branches of 2 layers times 1/√2." in network_words(e)


def test_a_network_that_tapers_says_from_where_to_where():
    assert "20 layers of 64 to 8," in network_words(Experiment(taper=8.0))


def test_a_signal_of_zero_is_grey():
    assert "class='dNone'" in layers_svg(Experiment(depth=2), [1.0, 0.0])


@pytest.mark.parametrize("dataset", ["blobs", "moons", "sine", "teacher"])
def test_the_data_are_drawn_in_the_plane_whatever_their_dimension(dataset):
    e = Experiment(dataset=dataset, samples=64, batch=8)
    points, classes = drawn_points(e)
    assert points.shape == (64, 2)
    assert points.min() == 0
    assert points.max() == 1
    assert data_svg(e).count("<circle") == len(classes) == 64


def test_the_drawing_is_an_image_that_says_what_is_seen():
    e = Experiment(depth=3, schemes=("zeros", "he_normal"), **SMALL)
    html = network_html(Run(e).train(), 2, "he_normal")
    assert "3 layers of 6, ReLU." in html
    assert "the signal of He (normal), over that of the first layer" in html
    assert "vary most" in html
    assert drawing(e).tag.endswith("svg")
