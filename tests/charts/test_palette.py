"""Every scheme has a colour and a mark of its own, which every reader tells apart."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from colour_vision import APART, READERS, contrast, lab, linear
from hypothesis import given
from hypothesis import strategies as st

from stability.catalogues.schemes import SCHEMES
from stability.charts import palette
from stability.diagnosis.words import EXPLANATIONS
from stability.records.experiment_settings import MOST_SCHEMES

COLOURS = {"light": palette.SCHEME_COLOURS, "dark": palette.DARK_SCHEME_COLOURS}
VALUED = [key for key, row in SCHEMES.items() if row.value and not row.integer_value]
ENTRIES = st.lists(
    st.sampled_from([*SCHEMES, *(f"{key}:{value}" for key in VALUED for value in (0.3, 2, 7, 9))]),
    min_size=1,
    max_size=MOST_SCHEMES,
    unique=True,
)


@given(ENTRIES)
def test_a_scheme_has_a_colour_of_its_own_whatever_the_order(schemes):
    schemes = tuple(schemes)
    style = palette.scheme_style_indices(schemes)
    assert list(style) == list(schemes)
    assert len(set(style.values())) == len(schemes)
    assert set(style.values()) <= set(range(MOST_SCHEMES))
    assert palette.scheme_style_indices(schemes[::-1]) == style
    own = {scheme: palette.scheme_style_indices((scheme,))[scheme] for scheme in schemes}
    for scheme, index in own.items():
        if list(own.values()).count(index) == 1:
            assert style[scheme] == index, "nobody takes what it alone claims"
    assert set(own.values()) <= set(style.values())


def test_every_family_has_a_style_and_the_first_of_relatives_keeps_it():
    assert palette.PREFERRED_STYLE.keys() == SCHEMES.keys()
    assert set(palette.PREFERRED_STYLE.values()) == set(range(MOST_SCHEMES))
    first = palette.scheme_style_indices(("he_uniform", "normal:0.01", "normal:1", "he_normal"))
    assert first == {"he_uniform": 6, "normal:0.01": 4, "normal:1": 2, "he_normal": 0}


def test_every_verdict_has_a_colour_of_its_own_on_a_map():
    assert palette.VERDICT_COLOURS.keys() == EXPLANATIONS.keys()
    assert len({*palette.VERDICT_COLOURS.values()}) == len(EXPLANATIONS)


def test_there_is_a_colour_a_shape_and_a_symbol_for_every_scheme_that_fits_in_one_picture():
    for looks in (*COLOURS.values(), palette.SCHEME_SHAPES, palette.SCHEME_SYMBOLS):
        assert len(set(looks)) == MOST_SCHEMES


def test_the_measures_of_colour_know_what_is_known():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=1e-2)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=1e-2)  # of sRGB
    for matrix in READERS.values():
        assert matrix @ np.ones(3) == pytest.approx(np.ones(3), abs=1e-5), "grey stays grey"


@pytest.mark.parametrize("colours", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("reader", READERS)
def test_any_two_colours_stay_apart_for_every_reader(reader, colours):
    seen = {colour: lab(READERS[reader] @ linear(colour)) for colour in colours}
    differences = {
        pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(colours, 2)
    }
    closest = min(differences, key=differences.get)
    assert differences[closest] >= APART, closest


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_stands_out_from_the_page(theme):
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    page = config["theme"][theme]["backgroundColor"]
    contrasts = {colour: contrast(colour, page) for colour in COLOURS[theme]}
    assert min(contrasts.values()) >= 4.5, contrasts  # WCAG 1.4.3, as for text
