"""The format ladder in tables, words and chart; and the rules on the log axes."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from stability import frames
from stability.catalogues.number_formats import FORMATS
from stability.charts import palette
from stability.engine.network import Stack
from stability.engine.rounding_shares import FORMATS_BY_RANGE, OUTCOMES, TENSOR_KINDS
from stability.engine.runs import Run
from stability.frames.format_limits import stored_units
from stability.frames.ladder import position_on_ladder
from stability.page import probe_sentences
from stability.page.pieces import Element, Picture
from stability.page.sections import TRAIN_SECTIONS, OpenSection
from stability.probes import format_ladder
from stability.records.experiment import Experiment
from stability.records.view import View

SMALL = {"depth": 12, "width": 16, "samples": 64, "batch": 16, "steps": 6, "features": 16}
EXPERIMENTS = {
    "three": Experiment(**SMALL, schemes=("he_normal", "normal:4", "normal:0.001")),
    "replicates": Experiment(
        **SMALL, schemes=("xavier_normal", "zeros"), replicates=3, activation="tanh"
    ),
    "beyond": Experiment(
        **SMALL | {"depth": 40}, schemes=("normal:100", "normal:1e-3"), learning_rate=1e-6
    ),
    "half": Experiment(**SMALL, schemes=("he_normal", "normal:4"), precision="float16"),
    "one": Experiment(**SMALL | {"depth": 1}, schemes=("he_normal",)),
}
PLACES = {row.key: place for place, row in enumerate(FORMATS_BY_RANGE)}


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


def tables_of(name: str, step: int = 0) -> dict:
    run = finished(name)
    return frames.ladder_tables(run, len(run.measurements), step)


def ladder_of(name: str, step: int = 0) -> format_ladder.FormatLadder:
    return format_ladder.build_format_ladder(finished(name), len(finished(name).measurements), step)


# States


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_blocks_of_a_strip_cover_every_layer_once_in_the_order_of_computation(name):
    e, table = EXPERIMENTS[name], tables_of(name)["rungs"].to_pandas()
    assert len(table.groupby(["scheme", "way", "format"])) == len(e.schemes) * 2 * len(
        FORMATS_BY_RANGE
    )
    for (scheme, way, label), rows in table.groupby(["scheme", "way", "format"]):
        layers = [
            layer for row in rows.to_dict("records") for layer in range(row["low"], row["high"] + 1)
        ]
        assert layers == list(range(1, e.depth + 1))
        place = [row.label for row in FORMATS_BY_RANGE].index(label)
        state = ladder_of(name).state[
            e.schemes.index(scheme), :, list(format_ladder.DIRECTIONS).index(way), place
        ]
        expected = [
            row["state"]
            for row in rows.to_dict("records")
            for _ in range(row["low"], row["high"] + 1)
        ]
        assert expected == state.tolist()
        assert (rows["until"] > rows["since"]).all()
        ordered = rows.sort_values("since", ascending=way == "forward")
        assert ordered["low"].tolist() == rows["low"].tolist()
        assert (ordered["since"].min() >= e.depth + 0.5) == (way == "backward")


@pytest.mark.parametrize("name", ["three", "replicates"])
@pytest.mark.parametrize("step", [0, 6])
def test_the_state_is_the_worst_fate_of_the_numbers_that_are_not_zero(name, step):
    e, fates = EXPERIMENTS[name], finished(name).measurements[step].rounding_shares.astype(float)
    for scheme, layer, place in np.ndindex(len(e.schemes), e.depth, len(FORMATS_BY_RANGE)):
        for way, kinds in enumerate(([0], [1, 2])):
            zero, infinite, alive = [], [], []
            for kind in kinds:
                rows = fates[scheme, :, layer, kind, place]  # (R, FATES)
                rows = np.where(np.isnan(rows), [0, 0, 0, 1], rows)
                alive.append(rows.sum())
                shares = [row / (row.sum() or 1) for row in rows]
                zero.append(np.mean([share[0] for share in shares]))
                infinite.append(np.mean([share[3] for share in shares]))
            state = ladder_of(name, step).state[scheme, layer, way, place]
            if state == "not known":
                continue
            assert (state == "infinite") == (max(infinite) > 0)
            if not max(infinite):
                assert (state == "all 0") == (max(zero) >= 0.99)
                assert (state == "some 0") == (0.01 < max(zero) < 0.99)
            if state in ("fits", "subnormal"):
                assert min(alive) > 0


@pytest.mark.parametrize("name", ["three", "replicates", "half"])
def test_what_a_format_holds_every_wider_one_does_that_can_be_judged(name):
    left = np.isin(
        ladder_of(name).state, format_ladder.STATES_OUTSIDE
    )  # (S, L, 2, FORMATS), the widest first
    assert (left[..., :-1] <= left[..., 1:]).all()


def test_the_first_layer_that_overflows_in_float16_is_that_of_the_signal_beyond_its_largest():
    run = finished("three")
    stack = ladder_of("three").state[1, :, 0, PLACES["float16"]]
    layer = format_ladder.first_layer_outside(stack, backward=False)
    rms = run.measurements[0].signal[1, 0]
    assert rms[layer - 1] < 65504 * 2, (
        "one of a few hundred numbers is at most so many times their RMS"
    )
    assert rms[layer - 1] > 65504 / 6
    assert (stack[: layer - 1] != "infinite").all()
    assert set(stack[layer - 1 :]) == {"infinite"}


def test_backward_the_first_layer_is_the_last_one_that_has_left():
    state = np.array(["all 0", "some 0", "subnormal", "some 0", "fits"])
    assert format_ladder.first_layer_outside(state, backward=True) == 4
    assert format_ladder.first_layer_outside(state, backward=False) == 1
    assert format_ladder.first_layer_outside(np.array(["fits", "0 already"]), backward=True) == 0


def test_what_left_the_runs_own_format_is_not_judged_in_wider_ones():
    state = ladder_of("beyond").state
    for scheme, (name, wide) in enumerate((("infinite", "not known"), ("0 already", "not known"))):
        own = state[scheme, :, 0, PLACES["float32"]] == name
        assert own.any()
        assert set(state[scheme, own, 0, PLACES["float64"]]) == {wide}
    own = ladder_of("half").state[1, :, 0]
    assert own[-1, PLACES["float16"]] == "infinite"
    assert set(own[-1, : PLACES["float16"]]) == {"not known"}


def test_nan_counts_as_infinite():
    e = replace(EXPERIMENTS["beyond"], schemes=("normal:1e6",))
    run = Run(e)
    assert list(run)
    assert np.isnan(run.measurements[-1].rounding_shares).any()
    state = format_ladder.build_format_ladder(run, len(run.measurements), e.steps).state[
        0, :, :, PLACES["float16"]
    ]
    assert state[-1].tolist() == ["infinite", "infinite"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_picture_is_the_newest_up_to_a_step_among_those_seen(count):
    run = finished("three")
    for step in (-1, 0, 1, 3, 100):
        assert run.snapshot(count, step).step == max(
            t for t in run.snapshot_steps if t < count and t <= max(0, step)
        )


# Words


def test_there_is_one_sentence_a_scheme_and_it_names_the_format_that_is_left_first():
    run = finished("three")
    said = probe_sentences.format_sentences(run, 7, 0)
    assert [sentence.partition(":")[0] for sentence in said] == [
        row.title for row in run.experiment.scheme_rows
    ]
    for index, sentence in enumerate(said):
        left = np.isin(ladder_of("three").state[index], format_ladder.STATES_OUTSIDE).any(
            axis=(0, 1)
        )
        assert f"in {FORMATS_BY_RANGE[int(np.argmax(left))].label} " in sentence


def rows(**states: str) -> np.ndarray:
    """States of one scheme with three layers, by the format on the way back; all else fits."""
    state = np.full((3, 2, len(FORMATS_BY_RANGE)), "fits", dtype=object)
    for key, layers in states.items():
        state[:, 1, PLACES[key]] = layers.split(",")
    return state


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (rows(), "every number fits float8 E4M3, the narrowest of these formats."),
        (
            rows(float16="all 0,all 0,fits"),
            "in float16 gradients of layers 1 to 2 become 0; bfloat16 holds them.",
        ),
        (
            rows(float8_e5m2="some 0,fits,some 0"),
            "in float8 E5M2 gradients of 2 layers between 1 and 3 become 0 in part; "
            "float16 holds them.",
        ),
        (
            rows(float32="infinite,fits,fits", float64="not known,fits,fits"),
            "in float32 gradients of layer 1 overflow.",
        ),
        (
            rows(float16="0 already,all 0,fits", bfloat16="0 already,fits,fits"),
            "in float16 gradients of layer 2 become 0, gradients of layer 1 are 0 already.",
        ),
        (
            rows(float8_e4m3="0 already,fits,fits"),
            "every number that is not 0 already fits float8 E4M3, the narrowest of these formats.",
        ),
    ],
)
def test_a_sentence_says_what_becomes_of_which_layers_and_what_holds_them(state, text):
    assert probe_sentences.describe_formats(state) == text


# The chart


def test_every_state_has_a_colour_and_a_sign_of_its_own():
    states = {state for name in EXPERIMENTS for state in ladder_of(name).state.ravel()}
    assert states <= set(palette.FORMAT_STATES)
    assert len({colour for colour, _ in palette.FORMAT_STATES.values()}) == len(
        palette.FORMAT_STATES
    )
    lost = [palette.FORMAT_STATES[state][1] for state in format_ladder.STATES_OUTSIDE]
    assert len(set(lost)) == len(lost)
    assert all(lost)


@pytest.mark.parametrize("depth", [1, 2, 20, 101])
def test_the_way_back_begins_where_the_way_forward_ends_and_mirrors_it(depth):
    ends = [
        position_on_ladder(layer, depth, backward)
        for backward in (False, True)
        for layer in (0.5, depth + 0.5)
    ]
    assert ends[0] < ends[1] < ends[3] < ends[2]
    assert ends[1] - ends[0] == pytest.approx(ends[2] - ends[3]) == depth


def test_the_section_says_and_draws_and_is_offered():
    run = finished("three")
    section, view = TRAIN_SECTIONS["formats"], View(section="formats")
    assert section.settings == ("format",)
    for one in (run, finished("one")):
        pieces = OpenSection(section, one.experiment, view).pieces(one, 7).values()
        assert [type(piece) for piece in pieces] == [Element, Picture, Element]


# Rules on the log axes


@pytest.mark.parametrize("format", ["", "float16", "float8_e4m3", "float64"])
def test_a_rule_stands_where_a_format_ends_and_only_inside_of_its_axis(format):
    run = finished("three")
    row = FORMATS[format or "float32"]
    for make, names in (
        (frames.depth_tables, ("signal", "signal_gradient", "weight_gradient")),
        (frames.training_tables, ("gradient_norm",)),
    ):
        tables = make(run, 7, format=format)
        table = tables["rules"].to_pandas()
        for name in names:
            low, high = tables["limits"][name].to_pylist()[2:4]  # where everything is shown
            unit = stored_units(run.experiment, run.measurements[6]).get(name, 1.0)
            ends = [
                end * unit
                for end in (row.largest_finite, row.smallest_normal, row.smallest_subnormal)
            ]
            rows = table[table["quantity"] == name]
            assert rows["height"].tolist() == [end for end in ends if low <= end <= high]
            assert all(words.startswith(row.label) for words in rows["words"])
            assert all(("as stored" in words) == ("gradient" in name) for words in rows["words"])


@pytest.mark.parametrize("name", ["signal_gradient", "weight_gradient", "gradient_norm"])
def test_what_stands_at_a_rule_is_made_of_numbers_of_that_size(name):
    """Stored gradients whose root mean square is 1 are measured as `stored_as` says."""
    e = EXPERIMENTS["three"]
    m = finished("three").measurements[0]
    hidden = torch.ones(e.width, e.width)
    count = sum(parameter[:, 0].numel() for parameter in Stack(e, torch.device("cpu")).parameters)
    expected = {
        "signal_gradient": e.batch,
        "weight_gradient": hidden.norm().item(),
        "gradient_norm": math.sqrt(count),
    }
    assert stored_units(e, m)[name] == pytest.approx(expected[name])
    scaled = replace(m, scale=m.scale * 1024)
    assert stored_units(e, scaled)[name] == pytest.approx(expected[name] / 1024)


def test_kinds_and_fates_are_those_that_the_ladder_knows():
    assert {kind for way in format_ladder.DIRECTIONS.values() for kind in way} == set(TENSOR_KINDS)
    assert OUTCOMES == ("zero", "subnormal", "normal", "infinite")
