"""Contracts that every row of every catalogue keeps. A new row is tested by being there."""

import re

import pytest

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.datasets import DATASETS
from stability.catalogues.entry import Entry, catalogue
from stability.catalogues.normalizations import NORM_POSITIONS, NORMALIZATIONS
from stability.catalogues.number_formats import FORMATS, PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS
from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.schemes import SCHEMES
from stability.records import knobs
from stability.records.experiment import Experiment

CATALOGUES = (
    ACTIVATIONS,
    NORMALIZATIONS,
    FORMATS,
    PRECISIONS,
    DATASETS,
    OPTIMIZERS,
    SCHEMES,
    OUTPUT_ACTIVATIONS,
    SCHEDULES,
    BRANCH_SCALES,
    NORM_POSITIONS,
)


ROWS = [row for rows in CATALOGUES for row in rows.values()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_says_what_it_is_in_plain_words(row):
    assert all(
        getattr(row, name).strip() == getattr(row, name) != ""
        for name in ("label", "summary", "formula", "source")
    )
    assert len(row.label) <= 24
    assert 20 <= len(row.summary) <= 130
    assert re.fullmatch(r"[A-Z][^\n]*\.", row.summary)
    assert len(re.findall(r"[.!?](?=\s|$)", row.summary)) <= 2
    assert row.formula.count("{") == row.formula.count("}")


@pytest.mark.parametrize(
    "rows", CATALOGUES, ids=lambda rows: type(next(iter(rows.values()))).__name__
)
def test_keys_are_canonical_and_labels_tell_rows_apart(rows):
    assert all(
        key == row.key and re.fullmatch(r"[a-z][a-z0-9_.]*", key) for key, row in rows.items()
    )
    assert len({row.label for row in rows.values()}) == len(rows)


def test_a_catalogue_is_read_only_and_refuses_two_rows_of_one_key():
    row = Entry(key="a", label="A", summary="A.", formula="a", source="a")
    with pytest.raises(TypeError):
        catalogue(row)["b"] = row
    with pytest.raises(ValueError, match="share a key"):
        catalogue(row, row)


def test_every_row_of_a_choice_can_be_chosen_by_its_key():
    chosen = {
        name: knob.rows
        for name, knob in Experiment.knobs().items()
        if isinstance(knob, knobs.Choice)
    }
    assert {id(rows) for rows in chosen.values()} == {
        id(rows) for rows in CATALOGUES if not (rows is SCHEMES or rows is FORMATS)
    }
    for name, rows in chosen.items():
        assert all(getattr(Experiment(**{name: key}), name) == key for key in rows)
