"""The activation curve, where it is flat, and what a layer feeds it: tables, words and chart."""

from functools import cache

import numpy as np
import pytest
import torch

from stability import frames
from stability.catalogues.activations import ACTIVATIONS
from stability.engine.runs import Run
from stability.frames.pre_activations import CURVE_HIGH, CURVE_LOW, activation_tables
from stability.page.probe_sentences import saturation_sentences
from stability.probes import saturation
from stability.records.experiment import Experiment
from stability.text import share_in_words

SMALL = {"depth": 4, "width": 8, "samples": 64, "batch": 16, "steps": 40}
EXPERIMENTS = {
    "relu": Experiment(**SMALL, schemes=("he_normal", "zeros", "normal:4")),
    "replicates": Experiment(
        **SMALL, schemes=("xavier_normal", "normal:2"), activation="tanh", replicates=3
    ),
    "overflow": Experiment(
        **SMALL | {"depth": 12}, schemes=("normal:1e6", "he_normal"), learning_rate=0.01
    ),
}


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


def tables_of(name: str, layer: int = 2, step: int = 0) -> dict:
    run = finished(name)
    return frames.pre_activation_tables(run, len(run.measurements), layer, step)


# The curve


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_curve_is_the_activation_and_its_derivative_by_autograd(activation):
    table = activation_tables(ACTIVATIONS[activation])["curve"].to_pydict()
    u = torch.tensor(table["u"], dtype=torch.float64, requires_grad=True)
    phi = ACTIVATIONS[activation].phi(u)
    (dphi,) = torch.autograd.grad(phi.sum(), u)
    assert (u[0].item(), u[-1].item()) == (-8, 8)
    kinks = {0.0, *(corner for corner, _ in ACTIVATIONS[activation].corners or ())}
    for name, line in (("phi", phi), ("dphi", dphi)):
        for at, found, expected in zip(table["u"], table[name], line.tolist(), strict=True):
            if name == "phi" or at not in kinks:  # where the slope jumps, any one between is right
                assert found == (
                    pytest.approx(expected, abs=1e-6)
                    if CURVE_LOW <= expected <= CURVE_HIGH
                    else None
                )


@pytest.mark.parametrize(
    ("activation", "corner"), [("relu", 0), ("hardtanh", -1), ("hardtanh", 1), ("selu", 0)]
)
def test_the_slope_jumps_within_less_than_a_pixel(activation, corner):
    table = activation_tables(ACTIVATIONS[activation])["curve"].to_pandas()
    left, right = (
        table[(table["u"] - corner).between(*ends)]["dphi"]
        for ends in ((-1e-8, -1e-10), (1e-10, 1e-8))
    )
    assert len(left) == len(right) == 1
    assert abs(left.item() - right.item()) > 0.5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_shaded_intervals_are_where_the_slope_is_below_a_two_hundredth_of_its_largest(
    activation,
):
    spans = activation_tables(ACTIVATIONS[activation])["flat"].to_pylist()
    u = torch.linspace(-9, 9, 7919, dtype=torch.float64, requires_grad=True)
    (dphi,) = torch.autograd.grad(ACTIVATIONS[activation].phi(u).sum(), u)
    expected = dphi.abs() < 0.005 * ACTIVATIONS[activation].max_slope
    for at, flat in zip(u.tolist(), expected.tolist(), strict=True):
        if all(
            min(abs(at - span["from"]), abs(at - span["until"])) > 2e-3 for span in spans
        ):  # to a thousandth
            assert any(span["from"] < at < span["until"] for span in spans) == flat, at
    ends = [end for span in spans for end in (span["from"], span["until"])]
    assert ends == sorted(ends)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_line_is_named_once_and_inside_the_axis(activation):
    tables = activation_tables(ACTIVATIONS[activation])
    low, high = tables["limits"]["value"].to_pylist()
    rows = tables["curve"].to_pylist()
    for name in ("phi", "dphi"):
        (height,) = [row[name] for row in rows if row[f"{name}_named"]]
        assert low < height < high
        assert all(low < row[name] < high for row in rows if row[name] is not None)


# The histogram


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("layer", [1, 3])
def test_the_histogram_is_the_mean_over_the_replicates_that_are_finite(name, layer):
    run = finished(name)
    measured, table = (
        run.measurements[0].pre_activations,
        tables_of(name, layer)["histogram"].to_pandas(),
    )
    for index, scheme in enumerate(run.experiment.schemes):
        rows, shares = table[table["scheme"] == scheme], measured[index, :, layer - 1].astype(float)
        shares = shares[np.isfinite(shares).all(axis=1)]
        expected = shares.mean(axis=0) if len(shares) else np.full(66, np.nan)
        np.testing.assert_allclose(rows["share"], expected, atol=1e-9)
        assert rows["until"].tolist()[:-1] == rows["u"].tolist()[1:], "bins without gaps"
        assert rows[rows["beyond"]]["u"].tolist() == [-9, 8]
        assert rows["u"].tolist()[1] == -8
        assert bool(rows["marked"].any()) == bool(len(shares))
        assert (rows[rows["marked"]]["share"] > 0).all()


def test_numbers_that_are_gone_are_null_and_said_in_words_and_the_others_are_shown():
    e, last = EXPERIMENTS["overflow"], EXPERIMENTS["overflow"].steps
    table = tables_of("overflow", 9, last)["histogram"].to_pandas()
    assert table[table["scheme"] == e.schemes[0]]["share"].isna().all()
    assert table[table["scheme"] == e.schemes[1]]["share"].sum() == pytest.approx(1)
    broken, sound = saturation_sentences(finished("overflow"), last + 1, 9, last)
    assert "no longer numbers at step" in broken
    assert "no longer" not in sound


@pytest.mark.parametrize("count", [1, 2, 25, 41])
def test_the_steps_to_choose_from_are_those_with_histograms_and_the_newest_up_to_a_step_is_shown(
    count,
):
    run = finished("relu")
    steps = sorted(step for step in run.snapshot_steps if step < count)
    assert steps == [
        m.step for m in run.measurements[:count] if not np.isnan(m.pre_activations).all()
    ]
    for step in (-1, 0, 1, 7, 39, 1000):
        shown = run.snapshot(count, step).step
        assert shown == max(taken for taken in steps if taken <= max(step, 0))


# Shares, and words


def test_the_flat_share_is_the_median_of_what_was_measured_and_agrees_with_the_histogram():
    """ReLU is flat below 0, an edge of the histogram.

    Layer 1, since further on u is exactly 0 where all units before it are off.
    """
    run = finished("relu")
    rows = saturation.saturation_by_scheme(run, 41, 1, 0)
    shown = saturation.mean_histogram(run, 41, 1, 0)
    for row, measured, shares in zip(
        rows, run.measurements[0].saturated[:, :, 0], shown, strict=True
    ):
        assert row.saturated_share == np.median(measured)
        if row.scheme != "zeros":  # 0 itself is flat, and lies in the bin on its right
            assert row.saturated_share == pytest.approx(shares[:33].sum(), abs=1e-6)
        assert (row.below, row.above) == pytest.approx((shares[0], shares[-1]))
        assert (row.share_by_design, row.step, row.snapshot_step) == (0.5, 0, 0)


def test_of_a_thinned_run_the_shares_are_those_of_the_nearest_step_that_has_them():
    run = Run(EXPERIMENTS["replicates"], profile_bytes=0)
    assert list(run)
    kept = sorted(run.profile_steps)
    for step in sorted(run.snapshot_steps):
        rows = saturation.saturation_by_scheme(run, 41, 1, step)
        assert {row.snapshot_step for row in rows} == {step}
        assert {abs(row.step - step) for row in rows} == {min(abs(other - step) for other in kept)}


def test_there_is_one_sentence_a_scheme_with_its_shares():
    said = saturation_sentences(finished("relu"), 41, 2, 0)
    assert [sentence.partition(":")[0] for sentence in said] == [
        row.title for row in EXPERIMENTS["relu"].scheme_rows
    ]
    assert said[1].endswith(
        "100 % of layer 2's pre-activations lie where ReLU is flat, 50 % by design."
    )
    assert "beyond ±8" in said[2]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "none"),
        (1e-9, "less than 1 %"),
        (0.51, "51 %"),
        (0.9999, "more than 99 %"),
        (1, "100 %"),
    ],
)
def test_a_share_that_is_not_nothing_is_not_called_so(share, text):
    assert share_in_words(share) == text
