"""The tables of a map: every cell has its place, known or not, and numbers that can be drawn."""

import math
from functools import cache

import numpy as np
import pytest
from small_maps import computed, small_sweep

from stability import frames
from stability.frames.maps import cell_edges, nearest_known, value_in_words
from stability.records.map_quantities import QUANTITIES


@cache
def cells(**settings):
    return computed(small_sweep(**settings))


def test_cells_meet_halfway_between_their_values():
    assert cell_edges([1, 2, 4], False).tolist() == [0.5, 1.5, 3, 5]
    assert cell_edges([0.01, 0.1, 1], True) == pytest.approx(
        10.0 ** np.array([-2.5, -1.5, -0.5, 0.5])
    )


def test_an_unknown_cell_is_like_the_nearest_known_one():
    grid = np.full((3, 5), -1)
    assert (nearest_known(grid) == -1).all()
    grid[0, 0], grid[2, 4] = 7, 8
    filled = nearest_known(grid)
    assert filled[0].tolist()[:2] == [7, 7]
    assert filled[2].tolist()[3:] == [8, 8]
    assert set(filled.ravel()) == {7, 8}


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_map_has_a_row_for_each_cell_within_the_ends_of_its_colours(quantity):
    sweep = small_sweep(quantity=quantity)
    table = frames.map_tables(sweep, cells())["cells"].to_pydict()
    assert len(table["cell"]) == len(sweep.x_values) * len(sweep.y_values)
    assert table["cell"][1] == "1,0"
    assert all(table["computed"])
    for x, x2, value in zip(table["x"], table["x2"], table["x_value"], strict=True):
        assert x < value < x2
    shown = [value for value in table["value"] if value is not None]
    assert all(map(math.isfinite, shown))
    assert not (shown and QUANTITIES[quantity].is_word)


def test_until_all_cells_are_computed_the_others_say_so_and_look_like_their_neighbours():
    sweep = small_sweep()
    table = frames.map_tables(sweep, cells()[:1])["cells"].to_pydict()
    assert sum(table["computed"]) == 1
    assert len(set(table["value"])) == 1
    notes = [
        text for text, known in zip(table["verdict"], table["computed"], strict=True) if not known
    ]
    assert all(text.startswith("not computed yet") for text in notes)
    assert frames.map_tables(sweep, [])["cells"].num_rows == 0


def test_what_diverged_has_no_number_of_its_training_but_one_of_its_start():
    settings = {"x": "learning_rate", "x_range": (0.01, 100.0)}
    for quantity, is_known in (("test_accuracy", False), ("gradient_ratio", True)):
        sweep = small_sweep(**settings, quantity=quantity)
        table = frames.map_tables(sweep, cells(**settings))["cells"].to_pydict()
        lost = [
            value for value, gone in zip(table["value"], table["diverged"], strict=True) if gone
        ]
        assert lost
        assert all((value is not None) == is_known for value in lost)


def test_the_row_and_the_column_of_a_cell_meet_in_it():
    sweep = small_sweep()
    cut = frames.cut_tables(sweep, cells(), 1, 2)["cut"].to_pylist()
    assert [row["at"] for row in cut if row["letter"] == "x"] == pytest.approx(sweep.x_values)
    assert [row["at"] for row in cut if row["letter"] == "y"] == pytest.approx(sweep.y_values)
    chosen = [row["value_words"] for row in cut if row["chosen"]]
    assert len(chosen) == 2
    assert len(set(chosen)) == 1


def test_all_numbers_are_tidy_and_named_by_their_settings():
    sweep = small_sweep(replicates=2)
    frame = frames.map_frame(sweep, cells(replicates=2))
    assert list(frame) == ["scheme_value", "depth", "replicate", *QUANTITIES]
    assert len(frame) == 2 * len(sweep.x_values) * len(sweep.y_values)
    rows = frames.cell_frame(sweep, cells(replicates=2))
    assert len(rows) == len(frame) / 2
    assert rows["row"].is_monotonic_increasing


def test_a_quantity_is_spelled_with_its_range_over_the_replicates():
    sweep = small_sweep(replicates=2)
    words = [value_in_words(sweep, cell) for cell in cells(replicates=2)]
    assert any(" % (" in text for text in words)
    never = small_sweep(quantity="steps_to_half", replicates=2)
    assert "never" in [value_in_words(never, cell) for cell in cells(replicates=2)]
