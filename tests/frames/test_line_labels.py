"""Labels at the ends of lines: near their lines, none over another."""

import numpy as np
import pytest
from chart_specs import units
from hypothesis import given
from hypothesis import strategies as st

from stability import charts, frames
from stability.engine.runs import Run
from stability.frames.line_labels import LABEL_HEIGHT, nearest_nondecreasing, spread_apart
from stability.frames.run_panels import (
    DEPTH_PANELS,
    LEAD_HEIGHT,
    TRAINING_PANELS,
    lead_first,
    panel_heights,
)
from stability.records.experiment import Experiment

SMALL = {"width": 4, "features": 3, "samples": 64, "batch": 8, "steps": 6, "depth": 3}
SHARES = st.lists(st.floats(-0.5, 1.5) | st.just(float("nan")), max_size=7)


@given(SHARES)
def test_labels_keep_their_distance_their_order_and_stay_inside_of_the_panel(wanted):
    positions = np.array(spread_apart(wanted, 0.15))
    assert np.isnan(positions).tolist() == np.isnan(wanted).tolist()
    shown = positions[np.argsort(wanted, kind="stable")]
    shown = shown[np.isfinite(shown)]
    assert (np.diff(shown) > 0.15 - 1e-9).all()
    assert ((shown >= 0) & (shown <= 1 + 1e-9)).all()


def test_labels_that_have_room_stand_at_their_lines_and_none_stands_where_not_all_fit():
    assert spread_apart([0.9, 0.1, 0.5], 0.3) == pytest.approx([0.9, 0.1, 0.5])
    assert spread_apart([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])
    assert np.isnan(spread_apart([0.5] * 9, 0.13)).all()
    assert spread_apart([], 0.1) == []


def test_neighbours_that_would_decrease_share_their_mean():
    assert nearest_nondecreasing([1, 3, 2, 4, 0]) == [1, 2.25, 2.25, 2.25, 2.25]


def test_panels_stand_in_the_order_asked_and_the_first_one_is_large():
    e = Experiment(precision="float16_scaled")
    for lead in TRAINING_PANELS:
        panels = lead_first(lead, TRAINING_PANELS)
        spec = charts.training_spec(e, e.schemes[0], "signal", panels=panels)
        heights = [panel["height"] for panel in spec["vconcat"]]
        assert heights == list(panel_heights(panels).values())
        assert heights[0] == LEAD_HEIGHT
    for name in DEPTH_PANELS:
        (alone,) = charts.depth_spec(e, panels=(name,))["vconcat"]
        assert alone["height"] == LEAD_HEIGHT
        text = str(alone["title"]["text"])
        assert name.replace("_", " ").capitalize() in text
        positions = [unit["encoding"].get("x", {}) for unit, _ in units(alone)]
        axes = [x.get("axis") for x in positions]
        assert any(axis and axis.get("ticks") for axis in axes), "it has an axis of its own"


def test_an_experiment_draws_the_panels_that_it_has_and_refuses_to_draw_none():
    regression = Experiment(dataset="teacher")
    panels = "accuracy", "loss"
    spec = charts.training_spec(regression, "he_normal", "signal", panels=panels)
    assert [panel["height"] for panel in spec["vconcat"]] == [LEAD_HEIGHT]
    with pytest.raises(ValueError, match="none of the panels accuracy"):
        charts.training_spec(regression, "he_normal", "signal", panels=("accuracy",))
    with pytest.raises(ValueError, match="no panel 'lose', only loss, accuracy"):
        charts.training_spec(regression, "he_normal", "signal", panels=("lose",))
    with pytest.raises(ValueError, match="no panel 'signal', only loss"):
        charts.training_spec(regression, "he_normal", "signal", panels=("signal",))
    with pytest.raises(ValueError, match="no panel 'loss', only signal, signal_gradient"):
        charts.depth_spec(regression, panels=("loss",))


@pytest.mark.parametrize("lead", [*DEPTH_PANELS, "loss", "gradient_norm"])
def test_a_label_takes_thirteen_pixels_of_every_panel(lead):
    e = Experiment(**SMALL)
    run = Run(e)
    run.train()
    is_depth = lead in DEPTH_PANELS
    panels = lead_first(lead, DEPTH_PANELS if is_depth else ("loss", "accuracy", "gradient_norm"))
    make = frames.depth_tables if is_depth else frames.training_tables
    tables = make(run, panels=panels)
    for name, height in panel_heights(panels).items():
        values = np.array(tables["ends"][name].to_pylist()[: len(e.schemes)], float)
        if name not in ("loss", "accuracy"):
            low, high = np.log10(tables["limits"][name].to_pylist()[:2])
            shares = (np.log10(values) - low) / (high - low)
        else:
            shares = values / (1 if name == "accuracy" else 2 * e.dataset_row.guessing_loss)
        shares = np.sort(shares[np.isfinite(shares)])
        assert (np.diff(shares) * height > LABEL_HEIGHT - 1e-4).all()
