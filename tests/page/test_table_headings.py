"""Tables spell numbers of any size as the sentences of the page do."""

import math

import pandas as pd

from stability.page.table_headings import (
    GAIN_HEADINGS,
    LAYER_HEADINGS,
    THEORY_HEADINGS,
    spell_numbers,
)


def test_a_table_spells_its_numbers_as_sentences_do_and_a_dash_for_none():
    rows = pd.DataFrame({"scheme": ["He"] * 5, "signal": [14.67, 0, 2.31e-8, -9.1e14, math.nan]})
    shown = spell_numbers(rows, LAYER_HEADINGS)
    html = shown.to_html()
    assert shown.data.equals(rows), "sorted and downloaded as numbers"
    for text in ("14.7<", ">0<", "2.31e−8", "−9.1e14", "–"):
        assert text in html, text


def test_a_reach_is_rounded_to_layers_and_may_be_infinite():
    rows = pd.DataFrame({"scheme": ["He"] * 2, "reach": [27.9, math.inf]})
    html = spell_numbers(rows, THEORY_HEADINGS).to_html()
    assert ">28<" in html
    assert ">inf<" in html


def test_a_heading_without_a_format_leaves_the_spelling_to_the_table():
    assert GAIN_HEADINGS["forward"]["type_config"] == {"type": "number"}
    assert LAYER_HEADINGS["layer"]["type_config"] == {"type": "number", "format": "%d"}
