"""Charts ask for nothing that frames do not give, are built once a kind, and hold still."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import altair as alt
import pyarrow as pa
import pytest
import vl_convert
from altair.utils.schemapi import debug_mode
from chart_specs import channels, entry, nodes, parameter_values, scheme_scale, titles, units, used
from small_maps import computed, small_sweep

from stability import charts, frames
from stability.catalogues.datasets import DATASETS
from stability.catalogues.schemes import SCHEMES
from stability.charts import palette
from stability.charts.interaction import title_width, with_interaction, with_step_shown
from stability.charts.maps import with_cells_to_click
from stability.charts.run_styles import PIN_SHADE
from stability.charts.shortening import plain_channel, shortened
from stability.engine.input_grid import GRID_REACH
from stability.engine.products import log10_norms_by_factor
from stability.engine.runs import Run
from stability.frames.arrow import LOG_QUANTITIES
from stability.i18n import LANGUAGES, _, speaking
from stability.records.experiment import Experiment
from stability.records.map_quantities import QUANTITIES
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.records.view import HEAT_MAP_QUANTITIES, PHASE_QUANTITIES

TINY = {"width": 4, "features": 3, "samples": 64, "batch": 8, "steps": 6}
EXPERIMENTS = {
    "classes": Experiment(**TINY, schemes=("he_normal", "zeros", "normal:30"), depth=24),
    "regression": Experiment(**TINY, schemes=("normal:0.5",), dataset="teacher", depth=3),
    "replicates": Experiment(
        **TINY, schemes=("xavier_normal", "constant"), depth=2, replicates=3, precision="float16"
    ),
    "eight schemes": Experiment(**TINY, schemes=tuple(SCHEMES)[:8], depth=3, dataset="spirals"),
    "one layer": Experiment(**TINY, schemes=("critical",), activation="tanh", depth=1),
    "line": Experiment(**TINY, schemes=("he_normal", "normal:1"), depth=3, dataset="sine"),
}
PRODUCTS = {
    "book": Product(replicates=20),
    "one number": Product(n=1, count=1, replicates=3),
    "uniform": Product(n=3, family="uniform", count=30, replicates=1),
    "rotations": Product(family="orthogonal", count=10, replicates=2, sigma=1.1),
    "long and small": Product(n=2, sigma=1e-3, count=1000, replicates=5),
    "zero": Product(sigma=0, count=5, replicates=2),
}
PHASES = "training", "depth"
BASE = "scaled_normal"


@cache
def finished(name: str) -> Run:
    """A run of these settings that was trained to its end."""
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


@dataclass(frozen=True)
class Case:
    """One chart of one record, and how to make its data."""

    name: str
    arguments: tuple
    make_tables: Callable[[], dict[str, pa.Table]]

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        return self.make_tables()

    def chart(self) -> alt.VConcatChart:
        return getattr(charts, f"{self.name}_chart")(*self.arguments)

    def spec(self, *arguments) -> dict:
        return getattr(charts, f"{self.name}_spec")(*(arguments or self.arguments))


def run_cases(key: str) -> list[Case]:
    """All charts of a run."""
    e, last = EXPERIMENTS[key], EXPERIMENTS[key].schemes[-1]
    count = e.steps + 1

    def of_run(make, *arguments):
        return lambda: make(finished(key), *arguments)

    def training():
        heat = frames.heat_tables(finished(key), last, "signal")
        return frames.training_tables(finished(key)) | heat

    cases = [
        Case("training", (e, last, "signal"), training),
        Case("depth", (e,), of_run(frames.depth_tables)),
        Case("gains", (e,), lambda: frames.gain_tables(e)),
        Case("ladder", (e,), of_run(frames.ladder_tables, count, e.steps)),
        Case("symmetry", (e,), of_run(frames.symmetry_tables, count)),
        Case("singular", (e,), lambda: frames.singular_tables(e)),
        *(
            Case("phase", (e, quantity), lambda quantity=quantity: frames.phase_tables(e, quantity))
            for quantity in PHASE_QUANTITIES
        ),
    ]
    if e.depth > 1:
        tables = of_run(frames.pre_activation_tables, count, 1, e.steps)
        cases.append(Case("pre_activation", (e,), tables))
    if e.dataset == "spirals":
        tables = of_run(frames.region_tables, count, last, e.steps)
        cases.append(Case("region", (e, last), tables))
    if e.dataset == "sine":
        cases.append(Case("fit", (e,), of_run(frames.fit_tables, count, e.steps)))
    return cases


def product_cases(product: Product) -> list[Case]:
    """All charts of a product."""

    def norms() -> list:
        return list(log10_norms_by_factor(product))

    return [
        Case("product", (product,), lambda: frames.product_tables(product, norms())),
        Case("exponent", (product,), lambda: frames.exponent_tables(product)),
        Case("healing", (product,), lambda: frames.healing_tables(product)),
        Case("bound", (product,), lambda: frames.bound_tables(product)),
    ]


def map_cases(quantity: str) -> list[Case]:
    """All charts of a map."""
    sweep = small_sweep(quantity=quantity, steps=30, learning_rate=0.1, replicates=2)
    if quantity == "learns":
        sweep = small_sweep(x="learning_rate", x_range=(0.01, 100.0), quantity=quantity)

    def cells() -> list:
        return computed(sweep.with_any_quantity())

    return [
        Case("map", (sweep,), lambda: frames.map_tables(sweep, cells())),
        Case("cut", (sweep, 1, 1), lambda: frames.cut_tables(sweep, cells(), 1, 1)),
    ]


CASES = {
    f"{case.name} of {key}": case
    for key, cases in (
        *((key, run_cases(key)) for key in EXPERIMENTS),
        *((key, product_cases(product)) for key, product in PRODUCTS.items()),
        *((key, map_cases(key)) for key in QUANTITIES),
    )
    for case in cases
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


def test_every_chart_that_the_package_hands_on_is_tested_here():
    names = {name.removesuffix("_spec") for name in charts.__all__ if name.endswith("_spec")}
    assert names == {case.name for case in CASES.values()}


# Every chart


def test_the_named_data_of_a_chart_are_those_that_frames_make_and_hold_every_field_it_uses(case):
    given, asked = case.tables, defaultdict(set)
    for unit, data in units(case.spec()):
        for source in (one["from"] for one in unit["transform"] if "lookup" in one):
            asked[source["data"]["name"]] |= {source["key"], *source["fields"]}
        if "name" in data:
            asked[data["name"]] |= used(unit)[0]
        else:
            assert used(unit)[0] == set(), "data without a name have no fields"
    assert set(asked) == set(given)
    for name, names in asked.items():
        assert names <= set(given[name].column_names), name


def test_a_chart_carries_no_data_of_its_own(case):
    for node in nodes(case.spec()):
        assert "datasets" not in node
        data = node.get("data")
        assert not isinstance(data, dict) or set(data) in ({"name"}, {"sequence"})


def test_a_chart_is_drawn_on_a_canvas_has_a_name_for_screen_readers_and_one_column(case):
    spec = case.spec()
    assert spec["usermeta"]["embedOptions"]["renderer"] == "canvas"
    assert len(spec["description"]) > 20
    columns = {"hconcat", "concat", "facet", "repeat"}
    assert not any(columns & set(node) for node in nodes(spec)), "only a column fits the page"


def test_the_spec_is_the_valid_chart_built_anew(case):
    spec, valid = case.spec(), built_anew(case)
    if case.name in PHASES:
        valid = shortened(with_interaction(valid))
    if case.name == "product":
        valid = with_step_shown(valid)
    if case.name == "map":
        valid = with_cells_to_click(valid)
    assert json.dumps(valid, sort_keys=True) == json.dumps(spec, sort_keys=True)


@cache
def built_anew(case: Case) -> dict:
    """The spec as it is built, with the scale of every layer."""
    # Held against the schema once for all of a kind, and as a whole: not each part of it, too.
    with debug_mode(False):
        return case.chart().to_dict(validate=case is first_of_its_kind(case))


def first_of_its_kind(case: Case) -> Case:
    """The first case that has the same spec, but for values of its parameters."""
    panels = case.spec()["vconcat"]
    return next(one for one in CASES.values() if one.spec()["vconcat"] is panels)


def test_what_an_experiment_changes_is_a_parameter_of_one_spec_for_all_of_a_kind(case):
    """Nothing is built while somebody moves a control."""
    record, *more = case.arguments
    if isinstance(record, Product):
        other = replace(record, seed=7, sigma=0.3, n=9, replicates=4, count=17)
    elif isinstance(record, Sweep):
        other = replace(record, x_cells=9, y_range=(3.0, 9.0), base=Experiment(schemes=BASE))
    else:
        other = replace(record, seed=7, learning_rate=0.3, depth=7, steps=77, width=16)
    one, another = case.spec(), case.spec(other, *more)
    assert one["vconcat"] is another["vconcat"]
    varying = {"params": [], "description": ""}
    assert {**one, **varying} == {**another, **varying}


def test_a_spec_does_not_depend_on_what_it_does_not_show(case):
    """A new seed or learning rate, the same picture: the browser keeps its view."""
    record, *more = case.arguments
    change = {"seed": 7} if isinstance(record, Product) else {"seed": 7, "learning_rate": 0.3}
    if isinstance(record, Sweep):
        change = {"base": replace(record.base, seed=7, width=5)}
    assert case.spec() == case.spec(replace(record, **change), *more)


FIRST_OF_EACH_NAME = list({case.name: name for name, case in reversed(CASES.items())}.values())


@pytest.mark.parametrize("name", FIRST_OF_EACH_NAME)
def test_a_chart_with_data_is_complete_and_leaves_the_original_as_it_was(name):
    case = CASES[name]
    with debug_mode(False):  # held against the schema as a whole: not each part of it, too
        plain, tables = case.chart(), case.tables
        before = plain.to_dict(validate=False)
        complete = charts.with_data(plain, tables).to_dict()
    assert before == plain.to_dict(validate=False)
    assert complete["datasets"] == {key: table.to_pylist() for key, table in tables.items()}
    json.dumps(complete, allow_nan=False)  # what a file of a notebook takes
    legends = [
        unit["encoding"][channel]
        for unit, _ in units(complete["vconcat"][0])
        for channel in ("color", "shape")
        if unit.get("encoding", {}).get(channel, {}).get("field") in ("scheme", "class")
    ]
    for legend in legends:
        assert legend["legend"], "where layers disagree, Vega-Lite draws none"
        assert legend["legend"] == legends[0]["legend"]
        if legend["field"] == "scheme":
            schemes = list(case.arguments[0].schemes)
            assert scheme_scale(legend["scale"], complete)["domain"] == schemes


@pytest.mark.parametrize("name", FIRST_OF_EACH_NAME)
def test_what_the_page_sends_can_be_drawn(name):
    case = CASES[name]
    assert drawn(case.spec(), case.tables).count("<path") > 10


@pytest.mark.parametrize("dataset", ["blobs", "sine"])
def test_a_loss_on_a_logarithmic_axis_can_be_drawn(dataset):
    e = Experiment(schemes=("he_normal", "normal:1"), depth=3, width=8, steps=9, dataset=dataset)
    run, heat = Run(e).train(), (e.schemes[0], "signal")
    spec = charts.training_spec(e, *heat, log_loss=True)
    tables = frames.training_tables(run, log_loss=True) | frames.heat_tables(run, *heat)
    assert drawn(spec, tables).count("<path") > 10


def drawn(spec: dict, tables: dict[str, pa.Table], **of_panels) -> str:
    """The picture of what the page sends, as SVG."""
    datasets = {key: table.to_pylist() for key, table in tables.items()}
    spec = json.loads(json.dumps(spec | {"datasets": datasets}))
    for signal in spec["config"].get("signals", ()):
        signal.pop("bind", None)  # to an element of the page
    for panel in spec["vconcat"]:
        panel |= of_panels
    return vl_convert.vegalite_to_svg(spec)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_title_says_as_much_as_fits_its_panel_and_its_ending_is_never_cut_off(code):
    run, lengths = finished("one layer"), []
    for width in (250, 420, 640):
        with speaking(code):
            end = _(", last step")
            spec = charts.depth_spec(run.experiment)
            picture = drawn(spec, frames.depth_tables(run), width=width)
        said = [text for text in re.findall(">([^<>]+)</text>", picture) if text.endswith(end)]
        assert len(said) == len(spec["vconcat"])
        assert all(title_width(text) <= width for text in said)
        lengths.append(sum(map(len, said)))
    assert lengths[0] < lengths[1] <= lengths[2]


def test_a_chinese_letter_is_as_wide_as_it_is_high():
    assert title_width("各层（对数），") == 7 * title_width("层") > 2 * title_width("the log")


def test_lines_and_marks_have_the_colours_and_shapes_of_their_schemes(case):
    spec = case.spec()
    scales = [
        (channel, node["scale"])
        for unit, _ in units(spec)
        for channel, node in channels(unit)
        if channel in ("color", "shape") and node["field"] == "scheme" and "scale" in node
    ]
    assert {channel for channel, _ in scales} in ({"color", "shape"}, set()), "never colour alone"
    colours = list(map(list, zip(palette.SCHEME_COLOURS, palette.DARK_SCHEME_COLOURS, strict=True)))
    looks = {"color": colours, "shape": palette.SCHEME_SHAPES}
    for channel, scale in scales:
        e = case.arguments[0]
        indices = palette.scheme_style_indices(e.schemes)
        found = scheme_scale(scale, spec)
        assert found["domain"] == list(e.schemes)
        wanted = [looks[channel][indices[scheme]] for scheme in e.schemes]
        assert found["range"][: len(e.schemes)] == wanted


@pytest.mark.parametrize("key", SCHEMES)
def test_every_scheme_has_its_charts_whatever_it_needs_of_the_other_settings(key):
    for dataset in ("blobs", "spirals", "sine"):
        e, _ = Experiment.from_query({"schemes": key, "width": "8", "dataset": dataset})
        assert e.schemes == (key,)
        for name in ("depth", "gains", "ladder", "symmetry", "singular", "pre_activation", "fit"):
            assert getattr(charts, f"{name}_spec")(e)["vconcat"]
        assert charts.training_spec(e, key, "signal")["vconcat"]
        assert titles(charts.region_spec(e, key))[0].endswith(e.scheme_rows[0].title)


# Training and depth


def spec(phase: str, e: Experiment, pins: tuple[Experiment, ...] = ()) -> dict:
    if phase == "depth":
        return charts.depth_spec(e, pins)
    return charts.training_spec(e, e.schemes[-1], "signal", pins)


def dense_spec(phase: str, name: str) -> dict:
    """The spec with the scale of every layer."""
    return with_interaction(built_anew(CASES[f"{phase} of {name}"]))


@pytest.mark.parametrize("phase", PHASES)
def test_a_regression_has_no_accuracy_and_classes_have(phase):
    for key, row in DATASETS.items():
        text = json.dumps(spec(phase, Experiment(dataset=key)))
        has_accuracy = phase == "training" and row.classes is not None
        assert ("accuracy" in text.lower()) == has_accuracy


def test_the_heat_map_says_which_scheme_and_quantity_it_shows():
    e = EXPERIMENTS["classes"]
    for scheme, quantity in zip(e.schemes, HEAT_MAP_QUANTITIES, strict=True):
        built = charts.training_spec(e, scheme, quantity)
        title = entry(built, built["vconcat"][-1]["title"]["text"]["expr"])
        assert HEAT_MAP_QUANTITIES[quantity] in title
        assert SCHEMES[scheme.partition(":")[0]].label in title


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["classes", "regression", "replicates"])
def test_of_what_layers_share_nothing_is_lost_but_its_repetition(phase, name):
    sent, dense = spec(phase, EXPERIMENTS[name]), dense_spec(phase, name)
    assert len(json.dumps(sent)) < 0.65 * len(json.dumps(dense))
    assert list(drawn_units(sent)) == list(drawn_units(dense))


def drawn_units(built: dict) -> Iterator[tuple[dict, dict]]:
    """Every view with its data; scales of schemes by their entries, and without defaults."""
    shared = built["vconcat"][0].get("encoding", {})
    for unit, data in units(built):
        encoding = {}
        for name, channel in unit["encoding"].items():
            if isinstance(channel, dict) and channel.get("field") == "scheme":
                channel = {"scale": shared.get(name, {}).get("scale")} | channel
                channel |= {"scale": scheme_scale(channel["scale"], built)}
            axis = built["config"].get(f"axis{name.upper()}", {})
            encoding[name] = plain_channel(channel, axis)
        no_tooltip = "tooltip", None
        mark = {key: value for key, value in unit["mark"].items() if (key, value) != no_tooltip}
        yield unit | {"mark": mark, "encoding": encoding}, data


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["classes", "regression", "replicates"])
def test_scales_do_not_follow_the_data_but_for_logarithms_which_limits_hold(phase, name):
    held = CASES[f"{phase} of {name}"].tables["limits"].column_names
    for unit, data in units(dense_spec(phase, name)):
        for channel, node in channels(unit):
            if channel not in ("x", "y"):
                continue
            scale, domain = node["scale"], node["scale"]["domain"]
            if scale.get("type") == "log":
                of_run = isinstance(domain, dict)  # the axis of its quantity
                column = (domain if of_run else domain[0])["expr"].split("'")[-2]
                assert data == {"name": "rules"} or column == node["field"].removesuffix("_low")
                assert column in set(held) & LOG_QUANTITIES
            assert scale.get("nice") is False or scale["domain"] == [0, 1]


@pytest.mark.parametrize("phase", PHASES)
def test_a_pinned_run_stands_grey_behind_every_line_and_in_the_same_shapes(phase):
    e, pin = EXPERIMENTS["classes"], replace(EXPERIMENTS["classes"], depth=30, steps=9)
    plain, behind = spec(phase, e), spec(phase, e, (pin,))
    curves = {"profiles"} if phase == "depth" else {"bands"}
    for before, after in zip(plain["vconcat"], behind["vconcat"], strict=True):
        drawn = [data["name"] for _, data in units(after) if data and "name" in data]
        assert ("pinned" in drawn) == bool(curves & set(drawn))
        if "pinned" in drawn:
            assert drawn.index("pinned") < drawn.index(*curves), "behind"
        assert "pinned" not in [data["name"] for _, data in units(before) if "name" in data]
        styles = [unit["mark"].get("style", []) for unit, _ in units(after)]
        is_read = any("pinned_reading" in style for style in styles)
        assert is_read == ("pinned" in drawn), "its values are read at the pointer, too"
    positions = [unit.get("encoding", {}).get("x", {}) for unit, _ in units(behind)]
    domains = {x["scale"]["domain"]["expr"] for x in positions if "scale" in x}
    assert domains == {"shown_steps"}, "one for all panels"
    assert parameter_values(behind)["reach"] == ([1, 30] if phase == "depth" else [0, 9])
    marks = [unit["mark"] for unit, data in units(behind) if data.get("name") == "pinned"]
    assert all("pin" in mark["style"] for mark in marks if mark["type"] != "text")
    assert behind["config"]["style"]["pin"]["color"]["expr"] == PIN_SHADE
    assert not any(
        "strokeDash" in str(unit) for unit, data in units(behind) if data.get("name") == "pinned"
    ), "dashes are predictions"


def test_a_notebook_gets_a_complete_chart_of_a_run_in_one_call():
    e = Experiment(**TINY, schemes=("he_normal", "zeros"), depth=3)
    run = Run(e)
    run.train()
    with debug_mode(False):  # held against the schema as a whole: not each part of it, too
        for complete in (charts.training(run), charts.depth(run)):
            assert complete.to_dict()["datasets"]["limits"]
        heated = charts.training(run, "zeros", "weight_gradient").to_dict()
    assert 0 in {row["relative"] for row in heated["datasets"]["heat"]}
    with pytest.raises(ValueError, match="nothing yet"):
        charts.depth(Run(e))


# Other charts


def test_only_the_last_panel_of_many_has_the_legend_and_the_axis_below():
    e = EXPERIMENTS["eight schemes"]
    for built in (charts.ladder_spec(e), charts.symmetry_spec(e)):
        assert [title.partition(":")[0] for title in titles(built)] == [
            row.title.partition(":")[0] for row in e.scheme_rows
        ]
        legends, labels = [], []
        for panel in built["vconcat"]:
            layers = [unit["encoding"] for unit, _ in units(panel)]
            found = [layer["color"].get("legend") for layer in layers if "color" in layer]
            legends.append(any(found))
            labels.append(any("labelExpr" in x["x"].get("axis", {}) for x in layers if "x" in x))
        assert legends == [False] * 7 + [True]
        assert labels[-1]


def test_colours_of_distinct_units_go_from_one_unit_to_all_of_them():
    built = charts.symmetry_spec(EXPERIMENTS["classes"])
    for unit, _data in units(built):
        scale = unit["encoding"]["color"].get("scale")
        if scale:
            assert (scale["domain"], scale["range"]) == ([1, {"expr": "units"}], "ramp")
    assert parameter_values(built)["units"] == 4


@pytest.mark.parametrize(
    ("key", "spec", "reach"),
    [
        ("classes", charts.pre_activation_spec, 9),
        ("line", charts.fit_spec, GRID_REACH),
        ("eight schemes", lambda e: charts.region_spec(e, "he_normal"), GRID_REACH),
    ],
)
def test_axes_of_activations_and_inputs_stay_where_they_are(key, spec, reach):
    scales = [
        node["scale"]
        for unit, _ in units(spec(EXPERIMENTS[key]))
        for channel, node in channels(unit)
        if channel == "x" or (channel == "y" and reach == GRID_REACH)
    ]
    assert {tuple(scale["domain"]) for scale in scales} == {(-reach, reach)}


OF_PRODUCTS = [name for name, case in CASES.items() if isinstance(case.arguments[0], Product)]


@pytest.mark.parametrize("name", OF_PRODUCTS)
def test_a_product_has_other_colours_on_a_dark_page(name):
    text = json.dumps(CASES[name].spec())
    for light, dark in zip(palette.SCHEME_COLOURS, palette.DARK_SCHEME_COLOURS, strict=True):
        assert text.count(light) == text.count(f"['{light}', '{dark}'][dark]")


@pytest.mark.parametrize("name", OF_PRODUCTS)
def test_all_that_is_drawn_of_a_product_lies_between_the_limits(name):
    tables = CASES[name].tables
    low, high = tables["limits"]["height"].to_pylist()
    assert low < high
    heights = {"median", "low", "high", "mean", "frobenius", "law", "measured", "value", "height"}
    for table in tables.values():
        for column in heights & set(table.column_names):
            for value in table[column].to_pylist():
                assert value is None or low - 1e-9 <= value <= high + 1e-9, (name, column)
