"""Frames hold what was measured, tidy and without anything that would make an axis lie."""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.api.types import is_integer_dtype, is_string_dtype

from stability import frames
from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.engine.measurement import PROFILES, Measurement
from stability.engine.runs import Run
from stability.frames import CURVE_QUANTITIES, MOST_BINS, MOST_LINE_POINTS, arrow
from stability.frames.arrow import DEPTH_QUANTITIES, LOG_QUANTITIES
from stability.frames.axes import axis_number, usual_ends
from stability.frames.relative import divided_by
from stability.frames.scheme_lines import SchemeLines
from stability.records.experiment import Experiment
from stability.records.view import HEAT_MAP_QUANTITIES

TINY = {"width": 4, "features": 3, "samples": 64, "batch": 8}
EXPERIMENTS = {
    "three fates": Experiment(
        **TINY, schemes=("he_normal", "xavier_normal", "normal:30"), depth=25, steps=25
    ),
    "one layer": Experiment(**TINY, schemes=("normal", "zeros"), depth=1, steps=4),
    "regression": Experiment(
        **TINY, schemes=("zeros", "he_normal"), dataset="teacher", depth=4, steps=9
    ),
    "broken at once": Experiment(**TINY, schemes=("normal:1e6", "zeros"), depth=30, steps=3),
    "replicates": Experiment(
        **TINY, schemes=("he_normal", "zeros"), depth=5, steps=30, replicates=4
    ),
    "two of them": Experiment(
        **TINY, schemes=("orthogonal", "normal:10"), depth=14, steps=12, replicates=2
    ),
}


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


@cache
def partly_diverged() -> Run:
    """Five linear regressions a scheme, at a rate that is too high for some of them.

    Not all diverge, nor all at once.
    """
    schemes, settings = (
        ("normal:0.5", "normal:1"),
        {"activation": "linear", "dataset": "teacher", "learning_rate": 0.3},
    )
    for seed in range(20):
        run = Run(
            Experiment(
                **TINY, **settings, schemes=schemes, depth=4, steps=20, replicates=5, seed=seed
            ),
            profile_bytes=9000,
        )
        assert list(run)
        steps = {event.step for (scheme, _), event in run.breaks.items() if scheme == 0}
        if len(steps) > 1 and sum(scheme == 0 for scheme, _ in run.breaks) < 5:
            return run
    raise AssertionError("no seed diverges in part")


@cache
def thinned_run() -> Run:
    """More steps than a line has points, most of their profiles let go."""
    run = Run(
        Experiment(**TINY, schemes=("he_normal", "normal:30"), depth=3, steps=260),
        profile_bytes=150_000,
    )
    assert list(run)
    return run


@pytest.fixture(params=[*EXPERIMENTS, "partly diverged", "thinned"])
def run(request) -> Run:
    own = {"partly diverged": partly_diverged, "thinned": thinned_run}
    return own[request.param]() if request.param in own else finished(request.param)


def counts(run: Run) -> list[int]:
    """A few numbers of measurements: the first ones, the last ones, and some between."""
    last = len(run.measurements)
    return sorted({1, 2, 3, last // 3 + 1, last // 2 + 1, last - 1, last} & set(range(1, last + 1)))


def frame_value(name: str, value: float) -> float | None:
    """A number as a tidy frame holds it: None where its axis could not show it."""
    if not math.isfinite(value) or (name in LOG_QUANTITIES and value <= 0):
        return None
    return float(value)


def none_for_nan(frame: pd.DataFrame, name: str) -> list[float | None]:
    return [None if pd.isna(value) else value for value in frame[name]]


# For notebooks


def test_curves_have_a_row_for_each_network_and_step_that_holds_what_was_measured(run):
    frame, e = frames.curves(run), run.experiment
    assert list(frame.columns) == ["kind", "scheme", "replicate", "step", *CURVE_QUANTITIES]
    keys = [(m.step, s, r) for m in run for s in range(len(e.schemes)) for r in range(e.replicates)]
    assert list(zip(frame.step, frame.scheme, frame.replicate, strict=True)) == [
        (t, e.schemes[s], r) for t, s, r in keys
    ]
    for name in CURVE_QUANTITIES:
        expected = [frame_value(name, getattr(run.measurements[t], name)[s, r]) for t, s, r in keys]
        assert none_for_nan(frame, name) == expected, name


def test_layers_have_a_row_for_each_network_kept_step_and_layer_that_holds_what_was_measured(run):
    frame, e = frames.layers(run), run.experiment
    assert list(frame.columns) == ["kind", "scheme", "replicate", "step", "layer", *PROFILES]
    steps = [m.step for m in run if m.signal is not None]
    assert set(steps) == run.profile_steps
    expected = [
        (t, scheme, r, layer)
        for t in steps
        for scheme in e.schemes
        for r in range(e.replicates)
        for layer in range(1, e.depth + 1)
    ]
    assert (
        list(zip(frame.step, frame.scheme, frame.replicate, frame.layer, strict=True)) == expected
    )
    for name in PROFILES:
        profiles = np.stack(
            [getattr(run.measurements[t], name) for t in steps]
        )  # (steps, S, R, L or L-1)
        values = [frame_value(name, value) for value in profiles.ravel()]
        hidden = profiles.shape[-1] < e.depth
        of_its_layers = frame[frame.layer < e.depth] if hidden else frame
        assert none_for_nan(of_its_layers, name) == values, name
        assert not hidden or frame[frame.layer == e.depth][name].isna().all(), (
            "the output has no hidden units"
        )


@pytest.mark.parametrize("frame", [frames.curves, frames.layers])
def test_columns_have_the_types_that_docstrings_say(frame, run):
    for name, kind in frame(run).dtypes.items():
        if name in ("kind", "scheme"):
            assert is_string_dtype(kind), name
        elif name in ("replicate", "step", "layer"):
            assert is_integer_dtype(kind), name
        else:
            assert kind == np.float64, name


@pytest.mark.parametrize("frame", [frames.curves, frames.layers])
def test_the_frame_of_a_run_that_has_not_begun_is_empty_and_has_its_columns(frame):
    empty, full = frame(Run(EXPERIMENTS["regression"])), frame(finished("regression"))
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)


def test_a_growing_run_appends_rows_and_changes_none():
    run, before = Run(EXPERIMENTS["three fates"]), None
    for _ in run:
        for frame in (frames.curves(run), frames.layers(run)):
            assert not frame.duplicated(
                ["scheme", "replicate", "step", *(["layer"] if "layer" in frame else [])]
            ).any()
        if before is not None:
            pd.testing.assert_frame_equal(frames.curves(run).head(len(before)), before)
        before = frames.curves(run)


# For charts


def everything(run: Run, count: int) -> dict[str, pa.Table]:
    """Every table that a chart may get."""
    heats = {
        f"{name} of {quantity} of {scheme}": table
        for scheme in run.experiment.schemes
        for quantity in HEAT_MAP_QUANTITIES
        for name, table in frames.heat_tables(run, scheme, quantity, count).items()
    }
    lines = {
        f"training {name}": table for name, table in frames.training_tables(run, count).items()
    }
    return (
        heats
        | lines
        | {f"depth {name}": table for name, table in frames.depth_tables(run, count).items()}
    )


def test_no_table_carries_a_number_that_an_axis_cannot_show(run):
    for count in counts(run):
        for name, table in everything(run, count).items():
            for column in table.column_names:
                if pa.types.is_floating(table[column].type):
                    values = [value for value in table[column].to_pylist() if value is not None]
                    assert all(map(math.isfinite, values)), (name, column)
                    logarithmic = (
                        column.removesuffix("_low").removesuffix("_high") in LOG_QUANTITIES
                    )
                    assert not logarithmic or all(value > 0 for value in values), (name, column)


def test_a_table_comes_back_from_its_bytes_as_it_was(run):
    for count in counts(run):
        for table in everything(run, count).values():
            assert pa.ipc.open_stream(arrow.to_arrow_bytes(table)).read_all().equals(table)


def test_without_a_count_all_measurements_are_drawn(run):
    last = len(run.measurements)
    for tables in (frames.training_tables, frames.depth_tables):
        assert tables(run) == tables(run, last)
    scheme = run.experiment.schemes[0]
    assert frames.heat_tables(run, scheme, "signal") == frames.heat_tables(
        run, scheme, "signal", last
    )


def spread(name: str, values: np.ndarray) -> tuple[float | None, ...]:
    """Median and range of what can be shown of a few replicates."""
    left = [value for value in (frame_value(name, value) for value in values) if value is not None]
    return (np.median(left), min(left), max(left)) if left else (None, None, None)


def approx(values: tuple[float | None, ...]):
    """The same to the seven digits of float32."""
    return tuple(None if value is None else pytest.approx(value, rel=1e-6) for value in values)


def spread_in(row: dict, name: str) -> tuple[float | None, ...]:
    """The median and the range in a row; one replicate has no range."""
    return row[name], row.get(f"{name}_low", row[name]), row.get(f"{name}_high", row[name])


def test_bands_are_medians_and_ranges_over_the_replicates_that_are_finite(run):
    e = run.experiment
    for count in counts(run):
        for row in frames.curve_table(run, count).to_pylist():
            index, measurement = e.schemes.index(row["scheme"]), run.measurements[row["step"]]
            finite = np.isfinite(measurement.loss[index])
            for name in ("loss", "accuracy", "gradient_norm"):
                values = getattr(measurement, name)[index]
                values = (
                    values[finite] if name == "accuracy" else values
                )  # a broken network gives no answer
                assert spread_in(row, name) == approx(spread(name, values)), (row["step"], name)


def test_some_replicates_of_the_partly_diverged_run_are_left_out_of_a_band():
    run = partly_diverged()
    finite = np.isfinite(np.stack([m.loss for m in run])).sum(axis=2)  # (steps, S)
    assert ((finite > 0) & (finite < run.experiment.replicates)).any()


LENGTHS = 1, 2, 98, 99, 100, 199, 299, 430


@cache
def long(steps: int) -> Run:
    run = Run(
        Experiment(
            schemes=("zeros", "normal"), depth=1, features=1, samples=64, batch=1, steps=steps
        ),
        profile_bytes=0,
    )
    assert list(run)
    return run


@pytest.mark.parametrize("steps", LENGTHS)
def test_a_line_has_at_most_a_hundred_points_the_first_and_the_newest_among_them(steps):
    for count in {1, 2, steps // 2 + 1, steps, steps + 1}:
        table = frames.curve_table(long(steps), count).to_pandas()
        for scheme, line in table.groupby("scheme"):
            assert len(line) <= MOST_LINE_POINTS, (scheme, count)
            assert line.step.iloc[0] == 0
            assert line.step.iloc[-1] == count - 1
            assert line.step.is_monotonic_increasing
            assert line.step.is_unique


@pytest.mark.parametrize("steps", LENGTHS)
def test_the_points_of_a_line_stay_while_the_run_grows(steps):
    settled = []  # all but the newest
    for count in range(1, steps + 2, 1 + steps // 50):
        rows = (
            frames.curve_table(long(steps), count).drop_columns("until").to_pylist()
        )  # of the last but one it is still to come
        assert [row for row in rows if row in settled] == settled
        settled = [row for row in rows if row["step"] < count - 1]


def test_every_line_carries_a_few_marks_that_do_not_move(run):
    for count in counts(run):
        table = frames.curve_table(run, count).to_pandas()
        for _, line in table.groupby("scheme"):
            assert line.marked.iloc[0]
            assert line.marked.sum() <= 8
        whole = frames.curve_table(run, len(run.measurements)).to_pandas()
        both = table.merge(whole, on=["scheme", "step"])
        assert (both.marked_x == both.marked_y).all()
    for _, line in frames.profile_table(run, counts(run)[-1]).to_pandas().groupby("scheme"):
        assert line.marked.iloc[0]
        assert line.marked.sum() <= 12


def newest_finite(run: Run, scheme: int, count: int) -> Measurement:
    """By brute force: the newest kept measurement before a network of the scheme broke.

    Of the first `count`; else the first.
    """
    sound = run.measurements[:1]
    for measurement in run.measurements[:count]:
        numbers = [measurement.loss, measurement.gradient_norm]
        if not all(np.isfinite(values[scheme]).all() for values in numbers):
            break
        sound = [*sound, measurement] if measurement.signal is not None else sound
    return sound[-1]


def test_profiles_are_those_of_the_newest_step_at_which_all_networks_of_the_scheme_were_finite(run):
    e = run.experiment
    for count in counts(run):
        rows = frames.profile_table(run, count).to_pylist()
        assert [(row["scheme"], row["layer"]) for row in rows] == [
            (s, layer) for s in e.schemes for layer in range(1, e.depth + 1)
        ]
        for row in rows:
            index = e.schemes.index(row["scheme"])
            measurement = newest_finite(run, index, count)
            assert row["step"] == measurement.step
            for name in DEPTH_QUANTITIES:
                values = getattr(measurement, name)[index, :, row["layer"] - 1]
                assert spread_in(row, name) == approx(spread(name, values)), name


def test_profiles_of_a_growing_run_are_as_new_as_its_newest_measurement():
    run = Run(Experiment(**TINY, schemes=("he_normal",), depth=3, steps=40), profile_bytes=0)
    for count, _ in enumerate(run, start=1):
        assert set(frames.profile_table(run, count)["step"].to_pylist()) == {count - 1}


def test_the_bins_of_a_heat_map_lie_side_by_side_from_the_first_step_to_the_newest(run):
    e = run.experiment
    for count in counts(run):
        tables = frames.heat_tables(run, e.schemes[0], "signal", count)
        bins = list(tables["bins"].to_pandas().itertuples(index=False))
        assert len(bins) <= MOST_BINS
        assert bins[0].step == 0
        assert bins[-1].until == count
        assert all(left.until == right.step for left, right in pairwise(bins))
        assert tables["heat"].num_rows == len(bins) * e.depth
        whole = frames.heat_tables(run, e.schemes[0], "signal")["bins"].to_pandas()
        assert {row.step for row in bins} <= set(whole.step), "bins stay while the run grows"


def test_a_heat_map_shows_a_median_over_the_replicates_and_says_in_words_what_has_no_logarithm(run):
    e = run.experiment
    for index, scheme in enumerate(e.schemes):
        for quantity in HEAT_MAP_QUANTITIES:
            tables = frames.heat_tables(run, scheme, quantity)
            rows = iter(tables["heat"]["relative"].to_pylist())
            for bin in tables["bins"].to_pylist():
                measured = getattr(run.measurements[bin["step"]], quantity)[index]  # (R, L)
                middles = []
                for of_layer in measured.T:
                    finite, relative = of_layer[np.isfinite(of_layer)], next(rows)
                    middles.append(float(np.median(finite)) if len(finite) else None)
                    assert (relative is None) == (middles[-1] is None)
                    value = (relative or 0) * (bin["entrance"] or 1)
                    assert value == pytest.approx(middles[-1] or 0, rel=1e-3), "three digits"
                start = middles[0 if quantity == "signal" else -1]
                assert (bin["entrance"],) == approx((start or None,))


def test_no_size_in_a_heat_map_becomes_zero_or_infinite_by_being_compared():
    relative = divided_by(np.array([[1e-200, 0.0, 1e200]] * 3), np.array([1e150, math.nan, 1e-150]))
    assert (relative[:, 1] == 0).all()
    assert (relative[:, [0, 2]] > 0).all()
    assert np.isfinite(relative).all()
    assert relative[1].tolist() == [1e-200, 0, 1e200], "nothing to compare with"


def test_a_line_ends_at_its_last_number_and_keeps_what_is_missing_before():
    loss = np.array([[1.0, math.nan, 2.0, math.nan], [math.nan, 5.0, 6.0, 7.0]])
    lines = SchemeLines(("a", "b"), {"step": np.arange(4)}, ("loss",), loss[None])
    drawn = lines.table(to_last_number=True)
    assert drawn["loss"].to_pylist() == [1.0, None, 2.0, None, 5.0, 6.0, 7.0]
    run = finished("three fates")
    sent, whole = (
        table.to_pylist()
        for table in (
            frames.training_tables(run)["bands"],
            frames.curve_table(run, len(run.measurements)),
        )
    )
    numbers = "loss", "accuracy", "gradient_norm"
    left_out = [row for row in whole if row not in sent]
    assert left_out
    assert all(row[name] is None for row in left_out for name in numbers)


def test_layers_are_compared_with_the_one_where_a_quantity_enters():
    values = np.array([[1e-3, 1e-4, 1e-5], [2e-30, 2e-30, 2e-30], [5.0, 1.0, 0.0]])
    back = frames.relative_profile("signal_gradient", values)
    assert back[0].tolist() == pytest.approx([100, 10, 1])
    assert back[1].tolist() == [1, 1, 1], "level, however small"
    assert np.isnan(back[2]).all(), "nothing is a multiple of 0"
    assert frames.relative_profile("signal", values)[0].tolist() == pytest.approx([1, 0.1, 0.01])


def test_one_bad_step_and_one_sick_scheme_set_no_axis():
    e = Experiment(**TINY, schemes=("he_normal", "normal:30"), depth=24, steps=60)
    run = Run(e).train()
    assert {scheme for scheme, _ in run.breaks} == {1}
    tables = frames.depth_tables(run)
    low, high = tables["limits"]["signal"].to_pylist()[:2]
    whole_low, whole_high = tables["limits"]["signal"].to_pylist()[2:4]
    assert whole_low <= low < high < whole_high
    words = [row for row in tables["beyond"].to_pylist() if row["quantity"] == "signal"]
    assert [row["beyond"].partition(":")[0] for row in words] == ["↑ Normal 30"]
    spiked = np.ones((1, 2, 1, 100))
    spiked[0, 1, 0, 50] = 1e12
    assert usual_ends(spiked)[0, 1, 0] == 1
    spiked[0, 1, 0, -1] = 1e3
    assert usual_ends(spiked)[0, 1, 0] == 1e3, "the newest step is always seen"


def test_what_leaves_an_axis_is_spelled_as_axes_spell_it_exact_zeros_too():
    ends = 0.0, 0.02, 350.0, 1e15, 2e-9
    assert [axis_number(value) for value in ends] == ["0", "0.02", "350", "1e15", "1e−9"]


def test_zeros_are_said_in_the_heat_map_and_missing_from_every_logarithm():
    run = finished("replicates")
    heat = frames.heat_tables(run, "zeros", "signal")["heat"]["relative"].to_numpy()
    assert (heat.reshape(-1, run.experiment.depth)[:, :4] == 0).all()
    profiles = frames.profile_table(run, len(run.measurements)).to_pandas()
    assert profiles[(profiles.scheme == "zeros") & (profiles.layer < 5)].signal.isna().all()
    assert profiles[profiles.scheme == "he_normal"].signal.notna().all()


def test_a_run_that_broke_at_once_still_has_axes_and_a_profile_up_to_the_break():
    run = finished("broken at once")
    assert {scheme for scheme, _ in run.breaks} == {0}
    profile = frames.profile_table(run, 4).to_pandas()
    signal = profile[profile.scheme == "normal:1e6"].signal.to_numpy()
    layer = run.breaks[0, 0].layer
    assert not run.breaks[0, 0].backward
    assert np.isfinite(signal[: layer - 1]).all()
    assert np.isnan(signal[layer - 1 :]).all()
    assert arrow.log_axis_limits(DEPTH_QUANTITIES, frames.profile_table(run, 4)).num_rows == 2


# Marks and axes


def test_marks_stand_where_lines_end_one_below_another(run):
    for count in counts(run):
        rows = frames.divergence_marks(tuple(nonfinite_remarks(run, count))).to_pylist()
        first = {}
        for (scheme, _), event in run.breaks.items():
            if event.step < count:
                name = run.experiment.schemes[scheme]
                first[name] = min(first.get(name, event.step), event.step)
        assert {row["scheme"]: row["step"] for row in rows} == first
        assert [row["row"] for row in rows] == list(range(len(rows)))
        assert all(str(row["step"]) in row["text"] for row in rows)


def test_eight_marks_have_room():
    e = Experiment(
        **TINY,
        schemes=tuple(f"normal:{std}e5" for std in range(1, 9)),
        activation="linear",
        depth=30,
        steps=1,
    )
    run = Run(e)
    assert list(run)
    rows = frames.training_tables(run)["marks"].to_pylist()
    assert len(rows) == 8
    assert (max(row["row"] for row in rows) + 1) * 13 < frames.panel_heights(["loss"])["loss"]


POSITIVE = st.floats(1e-300, 1e300) | st.none()


@given(st.lists(POSITIVE), st.lists(POSITIVE))
def test_limits_are_powers_of_ten_that_hold_all_data(lows, highs):
    size = min(len(lows), len(highs))
    columns = {
        "signal_low": lows[:size],
        "signal_high": highs[:size],
        "other_low": [None] * size,
        "other_high": [None] * size,
    }
    frame = pa.table({name: pa.array(values, pa.float64()) for name, values in columns.items()})
    limits = arrow.log_axis_limits(["signal", "other"], frame)
    assert limits.column_names == ["signal", "other"]
    for name in limits.column_names:
        low, high = limits[name].to_pylist()
        values = [
            value
            for value in frame[f"{name}_low"].to_pylist() + frame[f"{name}_high"].to_pylist()
            if value
        ]
        assert 0 < low < high < math.inf
        for end in (low, high):
            assert end == float(f"1e{round(math.log10(end))}") or end == 10.0 ** round(
                math.log10(end)
            )
            assert round(math.log10(end)) % 2 == 0, (
                "whole steps of two decades: the axis moves rarely"
            )
        if values:
            assert low <= min(values) <= max(values) <= high
            assert high / low <= 1e4 * max(values) / min(values), "and no wider than it must be"


@pytest.mark.parametrize("value", [5e-324, 1e-310, 2e-308, 9e307, 1.7e308])
def test_limits_exist_at_the_ends_of_the_range_of_numbers(value):
    frame = pa.table({"signal_low": [value, 1.0], "signal_high": [value, 1.0]})
    low, high = arrow.log_axis_limits(["signal"], frame)["signal"].to_pylist()
    assert 0 < low < high < math.inf


def test_limits_move_only_when_data_leave_them():
    run = finished("three fates")
    seen = []
    for count in range(1, len(run.measurements) + 1):
        frame = frames.curve_table(run, count)
        limits = arrow.log_axis_limits(["gradient_norm"], frame)["gradient_norm"].to_pylist()
        seen += [limits] if not seen or limits != seen[-1] else []
    assert all(
        later[0] <= earlier[0] and later[1] >= earlier[1] for earlier, later in pairwise(seen)
    )


# In words


@pytest.mark.parametrize(
    ("name", "scheme", "word"),
    [
        ("three fates", "he_normal", "right"),
        ("three fates", "normal:30", "not finite"),
        ("regression", "zeros", "loss"),
    ],
)
def test_where_a_scheme_stands_is_said_in_words(name, scheme, word):
    run = finished(name)
    text = frames.describe_standing(run, len(run.measurements), scheme)
    assert word in text
    assert not {"nan", "inf"} & set(text.split())
    assert ("right" in text) == (name == "three fates" and scheme == "he_normal"), (
        "a regression is never right or wrong"
    )


def test_of_replicates_that_are_not_all_finite_pictures_and_sentences_show_those_that_are():
    run = Run(replace(EXPERIMENTS["three fates"], schemes=("he_normal",), replicates=4))
    list(run)
    newest = run.measurements[-1]
    broken = {name: getattr(newest, name).copy() for name in ("loss", "accuracy", "signal")}
    broken["loss"][0], broken["accuracy"][0] = [1.0, math.nan, 2.0, math.inf], [0.5, 0.0, 0.7, 0.0]
    broken["signal"][0, 1:] = [[0.25], [math.inf], [math.nan]]
    run.measurements[-1] = replace(newest, **broken)
    assert (
        frames.describe_standing(run, len(run.measurements), "he_normal")
        == "last batch: loss 1.5, 60 % right (2 of 4 replicates)"
    )
    assert frames.training_tables(run)["bands"]["loss"].to_pylist()[-1] == 1.5
    assert frames.summary_frame(run).loss.tolist() == [1.5]
    assert frames.heat_tables(run, "he_normal", "signal")["heat"]["relative"].null_count == 0


@cache
def replayed() -> Run:
    e = Experiment(**TINY, schemes=("he_normal", "xavier_normal"), depth=5, steps=300)
    return Run(e).train()


@pytest.mark.parametrize("moment", [0, 4, 151, 299])
def test_a_replay_has_the_step_that_is_asked_for_and_the_names_stand_where_its_lines_end(moment):
    run = replayed()
    replay = frames.depth_tables(run, step_shown=moment, replay=True)
    asked = {
        name: replay[name].to_pandas().query(f"since <= {moment} < until")
        for name in ("profiles", "ends")
    }
    asked["ends"] = asked["ends"].query("axes == 0")
    assert set(asked["profiles"].step) == {moment}
    still = frames.depth_tables(run, step_shown=moment)
    for name in DEPTH_QUANTITIES:
        assert asked["profiles"][name].tolist() == still["profiles"][name].to_pylist()
        assert asked["ends"][name].tolist() == pytest.approx(still["ends"][name].to_pylist()[:2])
        signals = run.measurements[moment].signal[:, 0, -1]
        assert name != "signal" or asked["ends"][name].tolist() == pytest.approx(
            signals.tolist(), rel=0.3
        ), "or beside it"
    assert len(replay["ends"]) == 3 * len(replay["profiles"]) / run.experiment.depth


# What was never trained on, what is kept for comparison, and what a run came to


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_held_out_values_are_those_of_the_steps_at_which_they_were_taken(name):
    run = finished(name)
    rows = frames.held_out_table(run, len(run.measurements)).to_pylist()
    taken = [m for m in run.measurements if m.step in {row["step"] for row in rows}]
    assert {0, run.experiment.steps} <= {m.step for m in taken}
    for row in rows:
        at, index = (
            next(m for m in taken if m.step == row["step"]),
            run.experiment.schemes.index(row["scheme"]),
        )
        losses = at.test_loss[index][np.isfinite(at.test_loss[index])]
        assert row["loss"] == (pytest.approx(np.median(losses)) if len(losses) else None)


def test_a_run_kept_behind_is_drawn_with_its_own_lines_and_named_once():
    run, kept = finished("three fates"), finished("one layer")
    for make, tables, ends in (
        (frames.curve_table, frames.training_tables, ["gradient_norm"]),
        (frames.profile_table, frames.depth_tables, DEPTH_QUANTITIES),
    ):
        found = tables(run, pinned={"depth 1": kept, "again": kept})
        own = make(kept, len(kept.measurements))
        both = found["pinned"]
        assert both.num_rows == 2 * own.num_rows
        assert both.slice(0, own.num_rows).select(own.column_names).equals(own)
        for label in ("depth 1", "again"):
            assert sum(row["named"] for row in both.to_pylist() if row["run"] == label) == (
                own.num_rows > 2 * len(kept.experiment.schemes)
            )
        for name in ends:
            low, high = found["limits"][name].to_pylist()[2:4]  # where everything is shown
            values = [
                value
                for lines in (both, make(run, len(run.measurements)))
                for value in lines[name].to_pylist()
                if value
            ]
            assert low <= min(values) <= max(values) <= high


def test_a_run_kept_behind_that_has_not_begun_has_columns_and_no_rows():
    run = finished("one layer")
    begun = frames.training_tables(run, pinned={"it": run})["pinned"]
    empty = frames.training_tables(run, pinned={"it": Run(run.experiment)})["pinned"]
    assert (empty.num_rows, empty.schema) == (0, begun.schema)
    assert "pinned" not in frames.training_tables(run)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_summary_has_a_row_for_each_scheme_with_the_numbers_of_the_last_step(name):
    run = finished(name)
    rows, last = frames.summary_frame(run), run.measurements[-1]
    rows = frames.summary_in_words(run.experiment, rows)
    assert list(rows["scheme"]) == [row.title for row in run.experiment.scheme_rows]
    assert rows["loss"].to_numpy() == pytest.approx(np.median(last.loss, axis=1), nan_ok=True)
    first, guessing = run.measurements[0].test_loss, run.experiment.dataset_row.guessing_loss
    starts = np.where(np.isfinite(first), first, np.nan)
    expected = np.median(starts, axis=1) / guessing
    assert rows["start"].to_numpy() == pytest.approx(expected, nan_ok=True)
    learned = (last.test_loss < 0.5 * guessing).sum(axis=1)
    assert rows["learned"].tolist() == [f"{k} of {run.experiment.replicates}" for k in learned]
    assert (rows["seconds"] > 0).all()
    assert "width 4" in rows["settings"][0]
    for index, step in enumerate(rows["diverged"]):
        broken = [event.step for (scheme, _), event in run.breaks.items() if scheme == index]
        assert step == min(broken) if broken else pd.isna(step)
