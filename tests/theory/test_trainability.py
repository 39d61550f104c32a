"""The border over a map is the depth scale of its columns, and says where it knows nothing."""

import math

import numpy as np
import pytest

from stability.catalogues.mean_field import critical_sigma_w2, fixed_point
from stability.frames.map_border import map_border_frame
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep
from stability.theory.mean_field_table import NO_THEORY, PLAIN_ONLY
from stability.theory.trainability import (
    EVERY_DEPTH,
    NO_BORDER,
    NO_DEPTH,
    OTHER_ACTIVATIONS,
    why_no_border,
)


def sweep(
    activation: str = "tanh", scheme: str = "scaled_normal", bias_std=0.0, **settings
) -> Sweep:
    base = Experiment(schemes=(scheme,), activation=activation, bias_std=bias_std)
    return Sweep(**{"base": base, "x": "scheme_value", "y": "depth"} | settings)


@pytest.mark.parametrize("activation", ["tanh", "relu", "erf"])
def test_a_point_of_the_border_is_six_depth_scales_of_its_column(activation):
    frame = map_border_frame(sweep(activation, bias_std=0.2 if activation == "tanh" else 0.0))
    assert not frame.empty
    for line, factor in (("xi", 1), ("reach", 6)):
        rows = frame[(frame.line == line) & frame.y.between(2.1, 59.9)]
        assert len(rows) > 5
        sigma_b2 = 0.04 if activation == "tanh" else 0
        xi = fixed_point(activation, rows.x**2, np.full(len(rows), sigma_b2)).xi_c
        assert factor * abs(xi) == pytest.approx(rows.y.to_numpy(), rel=1e-6)


def test_a_line_stays_within_the_map_and_breaks_at_the_edge_of_chaos():
    frame = map_border_frame(sweep(x_range=(0.5, 3), y_range=(2, 60)))
    assert frame.x.between(0.5, 3).all()
    assert frame.y.between(2, 60).all()
    reach = frame[frame.line == "reach"]
    below, above = (part for _, part in reach.groupby("part"))
    assert below.x.max() < 1 < above.x.min(), "on the edge the depth scale is infinite"
    assert below.y.iloc[-1] == above.y.iloc[0] == 60
    assert frame[frame.line == "edge"].x.tolist() == pytest.approx([1, 1], abs=0.02)


def test_where_signals_grow_without_end_the_gradient_sets_the_scale():
    frame = map_border_frame(sweep("relu"))
    growth = frame[(frame.line == "growth") & frame.y.between(2.1, 59.9)]
    assert growth.x.min() > math.sqrt(2)
    assert growth.y.to_numpy() == pytest.approx(6 / np.log(growth.x.to_numpy() ** 2 / 2), rel=1e-6)
    assert "growth" not in {*map_border_frame(sweep("tanh")).line}


def test_axes_may_be_exchanged():
    one, other = map_border_frame(sweep()), map_border_frame(sweep(x="depth", y="scheme_value"))
    for line in ("xi", "reach", "edge"):
        points, exchanged = (frame[frame.line == line] for frame in (one, other))
        assert points.x.tolist() == exchanged.y.tolist()
        assert points.y.tolist() == exchanged.x.tolist()


def test_over_weights_and_biases_stands_the_critical_line():
    frame = map_border_frame(sweep(y="bias_std", y_range=(0, 1)))
    assert {*frame.line} == {"edge"}
    for row in frame.iloc[::8].itertuples():
        assert row.x == pytest.approx(math.sqrt(critical_sigma_w2("tanh", row.y**2)), abs=0.02)


def test_a_learning_rate_moves_no_border():
    frame = map_border_frame(sweep(y="learning_rate"))
    assert {*frame.line} == {"edge"}
    assert len(set(frame.x)) == 1
    level = map_border_frame(sweep("relu", "xavier_normal", x="learning_rate"))
    assert {*level.line} == {"reach"}
    assert level.y.to_numpy() == pytest.approx(6 / math.log(2))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"activation": "relu", "scheme": "he_normal", "x": "learning_rate"}, EVERY_DEPTH),
        ({"scheme": "xavier_normal", "x": "width"}, EVERY_DEPTH),
        ({"scheme": "pytorch", "x": "batch", "y_range": (30, 60)}, NO_DEPTH),
        ({"scheme": "xavier_normal", "x": "learning_rate", "y": "batch"}, NO_BORDER),
        ({"scheme": "lsuv", "x": "learning_rate"}, NO_THEORY),
        ({"base": Experiment(schemes="scaled_normal", residual=True)}, PLAIN_ONLY),
        (
            {
                "base": Experiment(schemes="he_normal", activation="leaky_relu"),
                "x": "slope",
                "x_range": (0, 1),
            },
            OTHER_ACTIVATIONS,
        ),
    ],
)
def test_where_theory_has_nothing_to_say_it_says_why(settings, why):
    one = sweep(**settings)
    assert map_border_frame(one).empty
    assert why_no_border(one) == why
    assert list(map_border_frame(one)) == ["line", "part", "order", "x", "y"]


def test_where_there_is_a_border_there_is_nothing_to_excuse():
    assert why_no_border(sweep()) == ""
