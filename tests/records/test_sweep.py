"""The settings of the Map bench: what an axis admits, what is refused, and what a link spells."""

import math
import string
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.records.experiment import Experiment
from stability.records.map_quantities import QUANTITIES
from stability.records.sweep import FIRST_BASE, Sweep
from stability.records.sweep_axis import SCALES, SWEPT_SETTINGS, swept_knob

FAMILIES = [key for key, row in SCHEMES.items() if row.value is not None]
ENDS = st.floats(allow_nan=False, allow_infinity=False)
RANGES = st.tuples(ENDS, ENDS).map(sorted).filter(lambda ends: ends[0] < ends[1]).map(tuple)
EASY_RANGES = st.just(()) | st.tuples(st.floats(0, 2), st.floats(2.5, 99))


@st.composite
def sweeps(draw) -> Sweep:
    """Any legal sweep, made as a link would make it: what excludes each other is changed."""
    choices = {"activation": ("tanh", "relu"), "dataset": ("blobs", "sine"), "bias_std": (0.0, 1.0)}
    chosen = {name: draw(st.sampled_from(values)) for name, values in choices.items()}
    chosen |= {name: draw(st.sampled_from([*SWEPT_SETTINGS])) for name in "xy"}
    chosen |= {f"{name}_range": draw(EASY_RANGES | RANGES) for name in "xy"}
    chosen |= {f"{name}_axis": draw(st.sampled_from([*SCALES])) for name in "xy"}
    chosen |= {f"{name}_cells": draw(st.integers(2, 100)) for name in "xy"}
    chosen |= {"quantity": draw(st.sampled_from([*QUANTITIES])), "batch": draw(st.integers(1, 99))}
    chosen["schemes"] = (draw(st.sampled_from([*SCHEMES])),)
    return Sweep.reconcile(Sweep().settings() | chosen)[0]


@given(sweeps())
def test_a_link_reads_back_as_the_sweep_that_spelled_it(sweep):
    assert Sweep.from_query(sweep.to_query()) == (sweep, [])
    assert eval(repr(sweep), {"Sweep": Sweep, "Experiment": Experiment}) == sweep


@given(sweeps(), sweeps())
def test_a_link_may_say_only_what_differs_from_another_sweep(sweep, base):
    assert Sweep.from_query(sweep.spell_differences(base), base) == (sweep, [])


@given(sweeps())
def test_an_axis_holds_its_ends_and_rises_in_even_steps_within_what_is_legal(sweep):
    for name, values, ends, count, scale in (
        (sweep.x, sweep.x_values, sweep.x_range, sweep.x_cells, sweep.x_axis),
        (sweep.y, sweep.y_values, sweep.y_range, sweep.y_cells, sweep.y_axis),
    ):
        knob = swept_knob(sweep.base.scheme_rows[0], name)
        assert all(knob.check(value) == value for value in values)
        assert list(values) == sorted(set(values))
        whole = all(isinstance(value, int) for value in values)
        assert (values[0], values[-1]) == (tuple(map(round, ends)) if whole else ends)
        assert len(values) <= count
        if not whole and len(values) > 2:
            spaced = [math.log(value) for value in values] if scale == "log" else values
            gaps = [after - before for before, after in pairwise(spaced)]
            assert max(gaps) <= 1.02 * min(gaps) or ends[1] - ends[0] < 1e-9 * ends[1]


@settings(max_examples=30)
@given(sweeps())
def test_a_cell_is_the_base_with_its_two_settings(sweep):
    for x_value, y_value in ((sweep.x_values[0], sweep.y_values[-1]),
                             (sweep.x_values[-1], sweep.y_values[0])):  # fmt: skip
        experiment = sweep.experiment_at(x_value, y_value)
        if sweep.changes_at(x_value, y_value):
            continue
        varied = {"schemes" if name == "scheme_value" else name for name in (sweep.x, sweep.y)}
        assert set(experiment.differences(sweep.base)) <= varied
        for name, value in ((sweep.x, x_value), (sweep.y, y_value)):
            found = parse_scheme(experiment.schemes[0]).value
            assert (found if name == "scheme_value" else getattr(experiment, name)) == value
    assert sweep.length + 1 == len(sweep.x_values) * len(sweep.y_values)


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=string.digits + ".,-e", max_size=12),
    st.sampled_from([*SWEPT_SETTINGS, *SCHEMES, *SCALES, *QUANTITIES, "0,1", "1e-4,1", "5e-324,1"]),
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from([*Sweep.knobs(), "z"]), TEXTS, max_size=8))
def test_a_mangled_link_opens_a_legal_sweep_and_says_what_it_changed(query):
    sweep, notes = Sweep.from_query(query)
    assert Sweep.from_query(sweep.to_query()) == (sweep, [])
    assert all(note[-1] in ".?" for note in notes)
    assert sweep.experiment_at(sweep.x_values[-1], sweep.y_values[-1])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"x": "depth"}, "y must differ from x, not be depth too"),
        ({"y_range": (2, 200)}, "y_range must be two numbers from 1 to 101, as depth is, not"),
        ({"x_range": (3, 1)}, "x_range must be two numbers, the smaller first, as in 0.5,3"),
        ({"x_range": "0,1"}, "x_range must be two numbers, the smaller first, as in 0.5,3"),
        ({"x_cells": 101}, "x_cells must be a whole number from 2 to 100, not 101"),
        ({"x": "activation"}, "x must be one of scheme_value, "),
        ({"x": "clip", "x_range": (0, 1), "x_axis": "log"},
         "x_range must start above 0 on a log axis, not at 0"),
        ({"base": Experiment()}, "base must be an Experiment of one scheme, not of"),
        ({"base": "tanh"}, "base must be an Experiment of one scheme, not of 'tanh'"),
        ({"base": Experiment(schemes="he_normal")},
         "x must not be scheme_value, since He (normal) takes no value"),
        ({"base": replace(FIRST_BASE, dataset="sine")},
         "quantity must be one of a regression for sine, not test_accuracy"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_setting_and_says_what_is_legal(fields, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}".replace("(", r"\(").replace(")", r"\)")):
        Sweep(**fields)


def test_another_setting_on_an_axis_brings_its_usual_range_unless_the_link_has_one():
    sweep, notes = Sweep.from_query({"x": "learning_rate"})
    assert (sweep.x_range, sweep.x_axis, notes) == ((1e-4, 1.0), "log", [])
    sweep, notes = Sweep.from_query({"x_range": "1e-3,10", "x": "learning_rate", "width": "64"})
    assert (sweep.x_range, sweep.base.width, notes) == ((1e-3, 10.0), 64, [])
    assert Sweep.from_query({"schemes": "normal"})[0].x_range == (0.01, 1.0)
    assert Sweep.from_query({"schemes": "scaled_normal:2"})[0].x_range == (0.5, 3.0)
    sweep, notes = Sweep.from_query({"x": "width", "x_range": "1,99999"})
    assert sweep.x_range == (2, 1024)
    assert len(notes) == 1


def test_a_cell_whose_settings_exclude_each_other_says_what_it_changes():
    sweep = Sweep(replace(FIRST_BASE, samples=64), x="batch", x_range=(1, 256), x_cells=3)
    assert sweep.experiment_at(256, 5).batch == 64
    assert sweep.changes_at(256, 5) == [
        "batch must be at most samples (64), not 256; batch 64 is used instead."
    ]
    assert not sweep.changes_at(1, 5)
