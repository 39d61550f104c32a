"""Labels at the ends of lines: near their lines, none over another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability import charts
from stability.frames.line_labels import (
    LABEL_HEIGHT,
    PANEL_HEIGHTS,
    nearest_nondecreasing,
    spread_apart,
)
from stability.records.experiment import Experiment

SHARES = st.lists(st.floats(-0.5, 1.5) | st.just(float("nan")), max_size=7)


@given(SHARES)
def test_labels_keep_their_distance_their_order_and_stay_inside_of_the_panel(wanted):
    positions = spread_apart(np.array(wanted), 0.15)
    assert np.isnan(positions).tolist() == np.isnan(wanted).tolist()
    shown = positions[np.argsort(wanted, kind="stable")]
    shown = shown[np.isfinite(shown)]
    assert (np.diff(shown) > 0.15 - 1e-9).all()
    assert ((shown >= 0) & (shown <= 1 + 1e-9)).all()


def test_labels_that_have_room_stand_at_their_lines_and_none_stands_where_not_all_fit():
    assert spread_apart(np.array([0.9, 0.1, 0.5]), 0.3).tolist() == pytest.approx([0.9, 0.1, 0.5])
    assert spread_apart(np.array([0.5, 0.5]), 0.2).tolist() == pytest.approx([0.4, 0.6])
    assert np.isnan(spread_apart(np.full(9, 0.5), 0.13)).all()
    assert len(spread_apart(np.array([]), 0.1)) == 0


def test_neighbours_that_would_decrease_share_their_mean():
    assert nearest_nondecreasing(np.array([1, 3, 2, 4, 0])).tolist() == [1, 2.25, 2.25, 2.25, 2.25]


def test_a_label_takes_thirteen_pixels_of_every_panel():
    e = Experiment()
    training, depth = charts.training_spec(e, e.schemes[0], "signal"), charts.depth_spec(e)
    panels = [*training["vconcat"][:-1], *depth["vconcat"]]  # but for the heat map
    assert [panel["height"] for panel in panels] == list(PANEL_HEIGHTS.values())
    assert LABEL_HEIGHT == 13
