"""Charts ask for nothing that frames do not give, never change, and keep their colours apart for every reader."""

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import altair as alt
import numpy as np
import pytest
from colour_vision import APART, READERS, contrast, lab, linear
from hypothesis import given
from hypothesis import strategies as st

from stability import charts, frames
from stability.catalogues.datasets import DATASETS
from stability.catalogues.schemes import SCHEMES
from stability.charts import palette
from stability.charts.interaction import share_scales, with_interaction
from stability.engine.runs import Run
from stability.frames.arrow import LOG_QUANTITIES
from stability.records.experiment import MOST_SCHEMES, Experiment
from stability.records.view import HEAT_MAP_QUANTITIES

TINY = {"width": 4, "features": 3, "samples": 64, "batch": 8, "steps": 6}
EXPERIMENTS = {
    "classes": Experiment(**TINY, schemes=("he_normal", "zeros", "normal:30"), depth=24),
    "regression": Experiment(**TINY, schemes=("normal:0.5",), dataset="teacher", depth=3),
    "replicates": Experiment(**TINY, schemes=("xavier_normal", "constant"), depth=2, replicates=3),
    "one layer": Experiment(**TINY, schemes=tuple(SCHEMES)[:8], depth=1, dataset="spirals"),
}
PHASES = "training", "depth"


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


@pytest.fixture(params=EXPERIMENTS)
def run(request) -> Run:
    return finished(request.param)


def chart(phase: str, e: Experiment, quantity: str = "signal") -> alt.VConcatChart:
    return charts.depth_chart(e) if phase == "depth" else charts.training_chart(e, e.schemes[-1], quantity)


own = cache(chart)  # of the experiment itself, which takes long


@cache
def whole(phase: str, e: Experiment) -> dict:
    """The spec as it is built, with the scale of every layer."""
    return with_interaction(own(phase, e).to_dict(validate=True))


def spec(phase: str, e: Experiment) -> dict:
    return charts.depth_spec(e) if phase == "depth" else charts.training_spec(e, e.schemes[-1], "signal")


def tables(phase: str, run: Run) -> dict:
    if phase == "depth":
        return frames.depth_tables(run)
    return frames.training_tables(run) | {"heat": frames.heat_table(run, run.experiment.schemes[-1], "signal")}


def nodes(node) -> Iterator[dict]:
    """Every object in a spec."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def units(node: dict, data: dict | None = None) -> Iterator[tuple[dict, dict]]:
    """Every view that draws something, with the data that it draws, its own or its parent's."""
    data = node.get("data", data)
    children = [child for name in ("vconcat", "hconcat", "concat", "layer") for child in node.get(name, ())]
    for child in children:
        yield from units(child, data)
    if not children:
        yield node, data


def channels(unit: dict) -> Iterator[tuple[str, dict]]:
    """Pairs of a channel and each field definition in it, a condition's included."""
    for name, found in unit.get("encoding", {}).items():
        yield from ((name, node) for node in nodes(found) if "field" in node)


def used(unit: dict) -> tuple[set[str], set[str]]:
    """Fields of the data that a view reads, and fields that it computes."""
    read, computed = {node["field"] for _, node in channels(unit)}, set()
    for transform in unit.get("transform", ()):
        names = transform.get("as", [])
        computed |= {names} if isinstance(names, str) else set(names)
        read |= set(transform.get("fold", ()))
    for node in nodes([unit.get("transform", []), unit.get("encoding", {})]):
        for name in ("calculate", "filter", "test"):
            read |= set(re.findall(r"datum\.(\w+)", node[name])) if isinstance(node.get(name), str) else set()
    return read - computed, computed


def known(spec: dict) -> dict:
    """The values of a chart's parameters, by name."""
    return {parameter["name"]: parameter["value"] for parameter in spec["params"]}


def resolved(scale: dict, spec: dict) -> dict:
    """A scale of schemes with its parameters' values in their places."""
    values, looks = known(spec), [end["expr"].partition("[")[::2] for end in scale["range"]]
    return {
        "domain": values[scale["domain"]["expr"]],
        "range": [values[name][int(index.rstrip("]"))] for name, index in looks],
    }


# What a chart reads


@pytest.mark.parametrize("phase", PHASES)
def test_the_named_data_of_a_chart_are_those_that_frames_make_and_hold_every_field_it_uses(phase, run):
    given, asked = tables(phase, run), defaultdict(set)
    for unit, data in units(spec(phase, run.experiment)):
        if "name" in data:
            asked[data["name"]] |= used(unit)[0]
        else:
            assert used(unit)[0] == set(), "data without a name have no fields"
    assert set(asked) == set(given)
    for name, names in asked.items():
        assert names <= set(given[name].column_names), name


@pytest.mark.parametrize("phase", PHASES)
def test_a_chart_carries_no_data_of_its_own(phase, run):
    for node in nodes(spec(phase, run.experiment)):
        assert "datasets" not in node
        assert not isinstance(node.get("data"), dict) or set(node["data"]) in ({"name"}, {"sequence"})


@pytest.mark.parametrize("phase", PHASES)
def test_a_regression_has_no_accuracy_and_classes_have(phase):
    for key, row in DATASETS.items():
        text = json.dumps(spec(phase, Experiment(dataset=key)))
        assert ("accuracy" in text.lower()) == (phase == "training" and row.classes is not None)


def test_the_heat_map_says_which_scheme_and_quantity_it_shows():
    e = EXPERIMENTS["classes"]
    for scheme, quantity in zip(e.schemes, HEAT_MAP_QUANTITIES, strict=True):
        whole = charts.training_spec(e, scheme, quantity)
        title = known(whole)[whole["vconcat"][-1]["title"]["text"]["expr"]]
        assert HEAT_MAP_QUANTITIES[quantity] in title
        assert SCHEMES[scheme.partition(":")[0]].label in title


# What does not change


@pytest.mark.parametrize("phase", PHASES)
def test_equal_experiments_share_one_spec_which_is_the_valid_chart_built_anew(phase, run):
    e = run.experiment
    assert spec(phase, e) == spec(phase, Experiment.from_query(e.to_query())[0])
    assert json.dumps(share_scales(whole(phase, e))) == json.dumps(spec(phase, e))


@pytest.mark.parametrize("phase", PHASES)
def test_of_a_scale_that_layers_share_nothing_is_lost_but_its_repetition(phase, run):
    sent = spec(phase, run.experiment)
    assert len(json.dumps(sent)) < 0.85 * len(json.dumps(whole(phase, run.experiment)))
    for built, panel in zip(whole(phase, run.experiment)["vconcat"], sent["vconcat"], strict=True):
        first = {}
        for dense, layer in zip(built["layer"], panel["layer"], strict=True):
            assert dense | {"encoding": 0} == layer | {"encoding": 0}
            for channel, found in dense.get("encoding", {}).items():
                kept = layer["encoding"][channel]
                assert kept == found or kept | {"scale": first[channel]} == found
                if "scale" in kept:
                    first.setdefault(channel, kept["scale"])


@pytest.mark.parametrize("phase", PHASES)
def test_experiments_of_one_kind_share_one_chart_whatever_their_settings(phase):
    """What changes is a parameter: nothing is built while somebody moves a control."""
    e = EXPERIMENTS["classes"]
    other = replace(e, schemes=("orthogonal",), depth=3, steps=77, dataset="moons")
    one, another = spec(phase, e), spec(phase, other)
    assert one["vconcat"] is another["vconcat"]
    assert known(one) != known(another)
    assert known(another)["schemes"] == ["orthogonal"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_spec_does_not_depend_on_what_it_does_not_show(phase):
    """A new seed or learning rate, the same picture: the browser keeps its view and moves the lines."""
    e = EXPERIMENTS["classes"]
    assert spec(phase, e) == spec(phase, replace(e, seed=7, learning_rate=0.3, width=8, activation="tanh"))


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("key", SCHEMES)
def test_every_scheme_has_a_spec_whatever_it_needs_of_the_other_settings(phase, key):
    e, _ = Experiment.from_query({"schemes": key, "width": "8"})
    assert e.schemes == (key,)
    assert spec(phase, e)["vconcat"]


@pytest.mark.parametrize("phase", PHASES)
def test_scales_do_not_follow_the_data_but_for_logarithms_which_limits_hold(phase, run):
    held = {name for table in tables(phase, run).items() if table[0] == "limits" for name in table[1].column_names}
    for unit, data in units(whole(phase, run.experiment)):
        for channel, node in channels(unit):
            if channel in ("x", "y"):
                scale = node["scale"]
                assert len(scale["domain"]) == 2
                if scale.get("type") == "log":
                    low, name = scale["domain"][0]["expr"], node["field"].removesuffix("_low")
                    assert data == {"name": "rules"} or f"['{name}']" in low
                    assert any(f"data('limits')[0]['{column}']" in low for column in held & LOG_QUANTITIES)
                assert scale.get("nice") is False or scale["domain"] == [0, 1]


@pytest.mark.parametrize("phase", PHASES)
def test_a_chart_is_drawn_on_a_canvas_has_a_name_for_screen_readers_and_one_column(phase, run):
    whole = spec(phase, run.experiment)
    assert whole["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(whole["description"]) > 20
    assert not any({"hconcat", "concat", "facet", "repeat"} & set(node) for node in nodes(whole)), (
        "only a column fits its place"
    )


# For notebooks


@cache
def completed(phase: str, name: str) -> tuple[dict, dict, dict]:
    """A chart before and after a complete one was made of it, and that."""
    plain = own(phase, EXPERIMENTS[name])
    before = plain.to_dict(validate=False)
    complete = charts.with_data(plain, tables(phase, finished(name)))
    return before, plain.to_dict(validate=False), complete.to_dict()


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_chart_with_data_is_complete_and_leaves_the_original_as_it_was(phase, name):
    before, after, complete = completed(phase, name)
    assert before == after
    assert complete["datasets"] == {key: table.to_pylist() for key, table in tables(phase, finished(name)).items()}
    json.dumps(complete, allow_nan=False)  # what a file of a notebook takes


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_chart_with_data_has_one_legend_of_colours_and_marks(phase, name):
    _, _, complete = completed(phase, name)
    legends = [unit["encoding"][channel] for unit, _ in units(complete) for channel in ("color", "shape")
               if unit.get("encoding", {}).get(channel, {}).get("field") == "scheme"]  # fmt: skip
    shown = [legend for legend in legends if legend.get("legend", "missing") not in (None, "missing")]
    assert len(shown) == 2
    assert all(resolved(legend["scale"], complete)["domain"] == list(EXPERIMENTS[name].schemes) for legend in shown)


# Colours and marks


ENTRIES = st.lists(
    st.sampled_from([*SCHEMES, *(f"{key}:{value}" for key, row in SCHEMES.items() if row.value for value in (0.3, 2, 7, 9))]),
    min_size=1, max_size=MOST_SCHEMES, unique=True,
)  # fmt: skip


@given(ENTRIES)
def test_a_scheme_has_a_colour_of_its_own_that_stays_when_a_later_one_goes(schemes):
    schemes = tuple(schemes)
    style = palette.scheme_style_indices(schemes)
    assert list(style) == list(schemes)
    assert len(set(style.values())) == len(schemes)
    assert set(style.values()) <= set(range(MOST_SCHEMES))
    assert palette.scheme_style_indices(schemes) == style
    for kept in range(len(schemes)):
        assert palette.scheme_style_indices(schemes[:kept]) == {scheme: style[scheme] for scheme in schemes[:kept]}


@pytest.mark.parametrize("phase", PHASES)
def test_lines_and_marks_have_the_colours_and_shapes_of_their_style(phase, run):
    e = run.experiment
    style = palette.scheme_style_indices(e.schemes)
    looks = {"color": palette.SCHEME_COLOURS, "shape": palette.SCHEME_SHAPES}
    scales = [
        (channel, node["scale"]) for unit, _ in units(whole(phase, e)) for channel, node in channels(unit)
        if channel in looks and node["field"] == "scheme"
    ]  # fmt: skip
    assert {channel for channel, _ in scales} == set(looks), "colour is never the only carrier"
    for channel, scale in scales:
        found = resolved(scale, spec(phase, e))
        assert found["domain"] == list(e.schemes)
        assert found["range"][: len(e.schemes)] == [looks[channel][style[scheme]] for scheme in e.schemes]


def test_there_is_a_colour_a_shape_and_a_symbol_for_every_scheme_that_fits_in_one_picture():
    assert [len(set(looks)) for looks in (palette.SCHEME_COLOURS, palette.SCHEME_SHAPES, palette.SCHEME_SYMBOLS)] == [MOST_SCHEMES] * 3


def test_the_measures_of_colour_know_what_is_known():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=1e-2)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=1e-2)  # as every table of sRGB has it
    for matrix in READERS.values():
        assert matrix @ np.ones(3) == pytest.approx(np.ones(3), abs=1e-5), "grey stays grey"


@pytest.mark.parametrize("reader", READERS)
def test_any_two_colours_stay_apart_for_every_reader(reader):
    seen = {colour: lab(READERS[reader] @ linear(colour)) for colour in palette.SCHEME_COLOURS}
    differences = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(palette.SCHEME_COLOURS, 2)}
    closest = min(differences, key=differences.get)
    assert differences[closest] >= APART, closest


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_stands_out_from_the_page(theme):
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    page = config["theme"][theme]["backgroundColor"]
    assert {colour: contrast(colour, page) for colour in palette.SCHEME_COLOURS if contrast(colour, page) < 3} == {}  # WCAG 1.4.11


# Runs kept behind


@pytest.mark.parametrize("phase", PHASES)
def test_a_pinned_run_stands_grey_behind_every_line_and_in_the_same_shapes(phase):
    e, pin = EXPERIMENTS["classes"], replace(EXPERIMENTS["classes"], depth=30, steps=9)
    make = charts.depth_spec if phase == "depth" else lambda *both: charts.training_spec(e, e.schemes[0], "signal", both[1])
    plain, behind = make(e, ()), make(e, (pin,))
    lines = {"profiles"} if phase == "depth" else {"bands"}
    for before, after in zip(plain["vconcat"], behind["vconcat"], strict=True):
        drawn = [data["name"] for _, data in units(after) if data and "name" in data]
        assert ("pinned" in drawn) == bool(lines & set(drawn))
        if "pinned" in drawn:
            assert drawn.index("pinned") < drawn.index(*lines), "behind"
        assert "pinned" not in [data["name"] for _, data in units(before) if data and "name" in data]
    places = [unit.get("encoding", {}).get("x", {}) for unit, _ in units(behind)]
    domains = {tuple(end["expr"] for end in place["scale"]["domain"]) for place in places if "scale" in place}
    assert domains == {tuple(f"zoom ? zoom[{end}] : reach[{end}]" for end in (0, 1))}, "one for all panels"
    assert known(behind)["reach"] == ([1, 30] if phase == "depth" else [0, 9])
    marks = [unit["mark"] for unit, data in units(behind) if data and data.get("name") == "pinned"]
    colours = [mark["color"] for mark in marks if mark["type"] != "text"]  # words have the ink of the page
    assert set(colours) == {palette.GREY}
