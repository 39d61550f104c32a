"""Learned functions on a grid of input space: numbers, words, pictures and the page."""

import json
import math
from dataclasses import replace
from functools import cache
from itertools import combinations, islice, pairwise

import numpy as np
import pytest
import torch
from app_pages import cards, look_closer, opened
from colour_vision import APART, READERS, contrast, lab, linear
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from plain_pytorch import PlainNetwork, PlainOptimizer
from playwright.sync_api import expect
from small_runs import bytes_kept_alive

from stability import frames
from stability.catalogues.datasets import DATASETS
from stability.catalogues.schemes import SCHEMES
from stability.charts import palette
from stability.engine.input_grid import GRID_REACH, GRID_SIDE, INPUT_GRIDS
from stability.engine.measurement import PROFILES, SNAPSHOTS
from stability.engine.network import Stack
from stability.engine.runs import Run, bytes_of_snapshot
from stability.engine.training import batch_indices, measure
from stability.frames.arrow import NOT_FINITE
from stability.frames.learned import merge_equal_cells
from stability.page import learned_function_sentences
from stability.page.pieces import Element, Picture
from stability.page.sections import TRAIN_SECTIONS, OpenSection
from stability.probes import learned_function
from stability.records.experiment import Experiment
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.records.view import View
from stability.text import share_in_words

SMALL = {"depth": 4, "width": 8, "samples": 64, "batch": 16, "steps": 25}
EXPERIMENTS = {
    "plane": Experiment(
        **SMALL, schemes=("he_normal", "zeros", "normal:1e6"), dataset="spirals", learning_rate=0.1
    ),
    "replicates": Experiment(
        **SMALL,
        schemes=("xavier_normal", "pytorch"),
        dataset="moons",
        replicates=3,
        activation="tanh",
    ),
    "line": Experiment(
        **SMALL, schemes=("he_normal", "zeros", "normal:1e6"), dataset="sine", learning_rate=0.1
    ),
}
REGIONS, CURVES = (
    [key for key, row in DATASETS.items() if row.plotted_dimensions == inputs] for inputs in (2, 1)
)


@cache
def finished(name: str) -> Run:
    run = Run(EXPERIMENTS[name])
    assert list(run)
    return run


# The numbers


def test_the_grid_covers_the_square_evenly_and_the_line_from_end_to_end():
    plane, line = INPUT_GRIDS[2], INPUT_GRIDS[1][:, 0]
    assert plane.shape == (GRID_SIDE**2, 2)
    assert plane[:GRID_SIDE, 1].unique().numel() == 1, "row by row"
    assert (plane[1:GRID_SIDE, 0] > plane[: GRID_SIDE - 1, 0]).all()
    assert plane[0].tolist() == pytest.approx([GRID_REACH / GRID_SIDE - GRID_REACH] * 2)
    assert torch.allclose(plane.flip(0), -plane)
    assert (line[0], line[-1]) == (-GRID_REACH, GRID_REACH)
    assert INPUT_GRIDS[0].shape == (0, 0)


@pytest.mark.parametrize("key", [*REGIONS, *CURVES])
@pytest.mark.parametrize("noise", [0.1, 10.0])
def test_nearly_all_data_lie_on_the_grid_however_blurred(key, noise):
    data = DATASETS[key].load(1024, 32, noise, 0, torch.float64)
    inside = torch.cat([data.x, data.x_test]).abs().amax(dim=1) <= GRID_REACH
    assert inside.double().mean() > (0.99 if noise < 1 else 0.97)


ORACLES = {
    "plain": {"activation": "tanh"},
    "residual": {"residual": True, "bias_std": 0.3},
    "replicates": {"replicates": 3},
    "layer norm": {"normalization": "layer", "optimizer": "adam", "learning_rate": 0.01},
    "batch norm": {"normalization": "batch", "activation": "elu"},
    "dropout": {"dropout": 0.5},
    "line": {"dataset": "sine", "replicates": 2},
    "scaled": {"input_scale": 3.0, "input_offset": 0.5},
    "scaled line": {"dataset": "sine", "input_scale": 0.5, "target_scale": 3.0},
}


@pytest.mark.parametrize("name", ORACLES)
def test_what_is_learned_is_what_plain_pytorch_makes_of_the_grid_with_the_same_weights(name):
    """Check the first network of each scheme, before training and after twenty-five steps of it."""
    settings = {"dataset": "circles"} | SMALL | ORACLES[name]
    e = Experiment(**settings, schemes=("he_normal", "xavier_normal"), precision="float64")
    data, stack = (
        e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype),
        Stack(e, torch.device("cpu")),
    )
    first, *_, last = measure(e)
    for index in range(2):
        plain = PlainNetwork(stack, index * e.replicates)
        optimizer = PlainOptimizer(e, plain.ordered())
        for measurement in (first, last):
            with torch.no_grad():
                grid = INPUT_GRIDS[e.dataset_row.plotted_dimensions]
                expected = plain(e.input_scale * (grid + e.input_offset), None)
            np.testing.assert_allclose(
                measurement.learned_outputs[index], expected, rtol=0, atol=1e-10
            )
            if measurement is first:
                for step, batch in enumerate(islice(batch_indices(e), e.steps)):
                    plain.measure(data, batch, step)
                    optimizer.step(plain.ordered(), [p.grad for p in plain.ordered()])
                    with torch.no_grad():
                        for own, trained in zip(plain.ordered(), optimizer.books, strict=True):
                            own.copy_(trained)


def test_the_first_networks_of_a_stack_are_its_own_and_share_its_numbers():
    e = EXPERIMENTS["replicates"]
    stack = Stack(e, torch.device("cpu"))
    first, x = stack.first_replicates(), torch.randn(5, 2)
    assert torch.equal(first.forward(x).output, stack.forward(x).output[::3])
    assert all(
        part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        for part, whole in zip(first.weights, stack.weights, strict=True)
    )
    assert stack.experiment is e


def test_functions_are_taken_with_the_other_pictures_and_only_where_they_can_be_drawn():
    for name, e in EXPERIMENTS.items():
        taken = {
            m.step for m in finished(name).measurements if not np.isnan(m.learned_outputs[:2]).all()
        }
        assert taken == evenly_spread_steps(e.steps, SAMPLED_STEPS)
        assert finished(name).measurements[0].learned_outputs.dtype == np.float32
    for row in DATASETS.values():
        e = Experiment(**SMALL, dataset=row.key, features=2)
        assert next(measure(e)).learned_outputs.shape == (
            3,
            len(INPUT_GRIDS[row.plotted_dimensions]),
            row.outputs,
        )
        assert bool(learned_function.why_not_drawn(e)) == (row.plotted_dimensions == 0)
    assert "learned_outputs" in SNAPSHOTS
    assert "learned_outputs" not in PROFILES


def test_what_float64_holds_is_not_lost():
    e = Experiment(
        **SMALL | {"depth": 30}, schemes=("normal:1e4",), dataset="moons", precision="float64"
    )
    assert np.isfinite(next(measure(e)).learned_outputs).all()
    assert not np.isfinite(next(measure(replace(e, precision="float32"))).learned_outputs).all()


@pytest.mark.parametrize(
    "settings",
    [{"dataset": "moons"}, {"dataset": "sine"}, {"dataset": "xor", "precision": "float64"}],
)
def test_the_bytes_of_what_is_learned_are_counted(settings):
    schemes = tuple(f"normal:{std}" for std in range(1, 9))
    e = Experiment(**SMALL | settings, schemes=schemes, replicates=2)
    first = next(measure(e))
    others = first.rounding_shares.nbytes // e.replicates + first.pre_activations.nbytes
    assert 0 <= bytes_of_snapshot(e) - others - first.learned_outputs.nbytes <= 500
    run = Run(e)
    assert list(run)
    real = bytes_kept_alive(run.measurements)
    assert real <= run.nbytes <= 2 * real


def test_a_large_run_keeps_functions_at_the_steps_of_its_other_pictures():
    e = Experiment(
        **SMALL | {"depth": 60},
        schemes=tuple(SCHEMES)[:4],
        replicates=16,
        dataset="xor",
        precision="float64",
    )
    run = Run(e)
    assert list(run)
    assert len(run.snapshot_steps) < SAMPLED_STEPS
    kept = [m for m in run.measurements if not np.isnan(m.learned_outputs).all()]
    assert [m.step for m in kept] == sorted(run.snapshot_steps)


@pytest.mark.parametrize("key", [key for key, row in DATASETS.items() if not row.classes])
def test_the_truth_of_a_regression_is_its_target_without_noise_on_the_same_scale(key):
    row = DATASETS[key]
    exact = row.load(64, 3, 0.0, 5, torch.float64)
    assert torch.allclose(row.noise_free_targets(64, 3, 0.0, 5), exact.y)
    noisy, truth = row.load(256, 3, 0.5, 5, torch.float64), row.noise_free_targets(256, 3, 0.5, 5)
    raw = [
        row.draw(256, row.input_dimension(3), spread, torch.Generator().manual_seed(3))[0]
        for spread in (0.0, 0.5)
    ]
    assert torch.equal(*raw), "noise is drawn last"
    rest = noisy.y - truth
    assert abs(rest.mean()) < 0.15
    assert 0 < rest.std() < 1


# Which class a point gets


@given(arrays(np.int64, (7, 7), elements=st.integers(-1, 2)))
def test_blocks_cover_every_cell_once_and_hold_its_key(key):
    seen = np.full(key.shape, -9)
    for left, right, kind, low, high in merge_equal_cells(key):
        assert (seen[low:high, left:right] == -9).all()
        seen[low:high, left:right] = kind
    assert (seen == key).all()


def test_a_square_of_one_kind_is_one_block():
    assert merge_equal_cells(np.zeros((5, 5), dtype=int)) == [(0, 5, 0, 0, 5)]


@pytest.mark.parametrize("name", ["plane", "replicates"])
@pytest.mark.parametrize("step", [0, 25])
def test_regions_reproduce_the_likeliest_class_and_its_probability_in_every_cell(name, step):
    run = finished(name)
    for index, scheme in enumerate(run.experiment.schemes):
        outputs = torch.from_numpy(run.measurements[step].learned_outputs[index]).double()
        table = frames.region_tables(run, 26, scheme, step)["regions"].to_pylist()
        area = sum((row["x2"] - row["x"]) * (row["y2"] - row["y"]) for row in table)
        assert area == pytest.approx((2 * GRID_REACH) ** 2)
        for (x, y), output in zip(INPUT_GRIDS[2].tolist(), outputs, strict=True):
            (row,) = [row for row in table if row["x"] < x < row["x2"] and row["y"] < y < row["y2"]]
            if output.isfinite().all():
                likeliest = output.softmax(0).max()
                assert row["class"] in [
                    f"class {label}" for label in (output == output.max()).nonzero()[:, 0].tolist()
                ]
                assert row["probability"] == pytest.approx(likeliest.item(), abs=0.0501)
            else:
                assert (row["class"], row["probability"]) == (NOT_FINITE, None)


def test_the_less_likely_a_class_the_paler_its_region():
    rows = frames.region_tables(finished("plane"), 26, "he_normal", 25)["regions"].to_pylist()
    shades = sorted({(row["probability"], row["shade"]) for row in rows})
    assert len(shades) > 2
    assert [shade for _, shade in shades] == sorted({shade for _, shade in shades})


@pytest.mark.parametrize("size", [1.0, 1e30, 1e300])
def test_classes_of_outputs_of_any_size_have_probabilities(size):
    found = learned_function.classify(
        np.array([[size, -size], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [-size, size]])
    )
    assert found.likeliest_class.tolist() == [0, 0, -1, -1, 1]
    assert found.probability.sum(axis=1).tolist() == pytest.approx(
        [1, 1, math.nan, math.nan, 1], nan_ok=True
    )


# Words


def test_there_is_one_sentence_a_scheme_which_says_what_it_has_learned():
    run = finished("plane")
    he, zeros, huge = learned_function_sentences.sentences_about_learned_function(run, 26, 25)
    assert [sentence.partition(":")[0] for sentence in (he, zeros, huge)] == [
        row.title for row in run.experiment.scheme_rows
    ]
    winner = learned_function.classify(run.measurements[25].learned_outputs[0]).likeliest_class
    right = share_in_words(run.measurements[25].test_accuracy[0, 0])
    assert f"class 1 on {(winner == 1).mean():.0%}".replace("%", " %") in he
    assert he.endswith(
        f"of the square; {right} of the held-out points are on the right side at step 25."
    )
    assert "the same answer everywhere, class" in zeros
    assert huge.endswith(f"not a finite number anywhere from step {run.breaks[2, 0].step} on.")
    he, zeros, _ = learned_function_sentences.sentences_about_learned_function(run, 26, 0)
    assert "at step 0" in he
    assert "the same answer everywhere, no class is likelier" in zeros


def test_a_curve_has_its_distance_from_the_data_in_words():
    run = finished("line")
    he, zeros, huge = learned_function_sentences.sentences_about_learned_function(run, 26, 25)
    distance = math.sqrt(run.measurements[25].test_loss[0, 0])
    assert float(he.split()[2]) == pytest.approx(distance, rel=0.01)
    assert "flat at" in zeros
    assert "the same answer everywhere" in zeros
    assert "from step" in huge


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([[0, 0], [0, 0]], "the same answer everywhere, no class is likelier"),
        ([[0, 9], [0, 9]], "the same answer everywhere, class 1 with probability more than 99 %"),
        ([[0, 1], [0, 3]], "class 1 everywhere, with probabilities that differ"),
        ([[0, 1], [0, 1], [0, 1], [1, 0]], "class 0 on 25 % and class 1 on 75 % of the square"),
        (
            [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]],
            "class 0 on 25 %, class 1 on 25 % and class 2 on 50 % of the square",
        ),
    ],
)
def test_shares_of_the_square_are_said(outputs, text):
    assert (
        learned_function_sentences.describe_class_shares(
            learned_function.classify(np.array(outputs, dtype=float))
        )
        == text
    )


def test_numbers_that_are_gone_in_part_are_said_and_do_not_hide_the_rest():
    run = Run(EXPERIMENTS["plane"])
    first = next(iter(run))
    outputs = first.learned_outputs.copy()
    outputs[0, ::2] = math.nan
    torn = replace(first, learned_outputs=outputs)
    assert "not a finite number on 50 % of it" in learned_function_sentences.describe_regions(
        run, torn, 0
    )
    assert (
        "same answer everywhere, no class is likelier"
        in learned_function_sentences.describe_regions(run, torn, 1)
    )
    outputs[1] = math.inf
    assert (
        learned_function_sentences.describe_regions(run, torn, 1)
        == "not a finite number anywhere at step 0."
    )


@pytest.mark.parametrize(
    ("loss", "text"),
    [(0.0, "0 standard"), (0.25, "0.5 standard"), (1e24, "10^12.0"), (math.inf, "too far")],
)
def test_distances_of_any_size_have_words(loss, text):
    assert text in learned_function_sentences.describe_distance(loss)


def test_data_of_many_dimensions_have_a_sentence_that_names_those_with_a_picture():
    said = learned_function.why_not_drawn(Experiment())
    assert said.startswith("Blobs")
    assert all(
        (row.label in said) == (row.plotted_dimensions > 0 or row.key == "blobs")
        for row in DATASETS.values()
    )


def test_batch_norm_is_said_to_depend_on_the_grid():
    assert len(learned_function_sentences.learned_function_notes(Experiment(dataset="moons"))) == 1
    assert (
        "Batch norm"
        in learned_function_sentences.learned_function_notes(
            Experiment(dataset="moons", normalization="batch")
        )[1]
    )


# The pictures


def test_curves_are_the_outputs_and_points_the_data():
    run = finished("line")
    e, tables = run.experiment, frames.fit_tables(run, 26, 25)
    rows = tables["curves"].to_pandas()
    for index, scheme in enumerate(e.schemes):
        measured = run.measurements[25].learned_outputs[index, :, 0].astype(float)
        np.testing.assert_array_equal(
            rows[rows["scheme"] == scheme]["value"],
            np.where(np.isfinite(measured), measured, np.nan),
        )
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, torch.float64)
    assert tables["dots"]["value"].to_pylist() == data.y[:150, 0].tolist()
    x = tables["truth"]["x"].to_numpy()
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == (data.x.min(), data.x.max())
    points = frames.region_tables(finished("plane"), 26, "zeros", 0)["dots"]
    assert set(points["class"].to_pylist()) == {"class 0", "class 1"}


# Colours


def test_there_are_colours_and_marks_for_the_classes_of_every_picture():
    most = max(DATASETS[key].classes for key in REGIONS)
    for looks in (
        palette.CLASS_COLOURS,
        palette.DOT_COLOURS,
        palette.DOT_RIM_COLOURS,
        palette.CLASS_SHAPES,
    ):
        assert len(set(looks)) == len(looks) >= most


def over(colour: str, page: str, opacity: float) -> str:
    """A colour as it looks over a page."""
    parts = [[int(text[start : start + 2], 16) for start in (1, 3, 5)] for text in (colour, page)]
    return "#" + "".join(
        f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in zip(*parts, strict=True)
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("page", ["#ffffff", "#11161c"])
def test_regions_of_two_classes_stay_apart_for_every_reader_and_differ_in_lightness(reader, page):
    for pair in combinations(palette.CLASS_COLOURS, 2):
        for opacity, apart, lighter in ((0.4, APART, 5), (0.95, 2 * APART, APART)):
            one, other = (
                lab(READERS[reader] @ linear(over(colour, page, opacity))) for colour in pair
            )
            assert np.linalg.norm(one - other) >= apart
            assert abs(one[0] - other[0]) >= lighter


def test_points_stand_out_from_every_region_by_their_fill_or_their_rim():
    for fill, ring in zip(palette.DOT_COLOURS, palette.DOT_RIM_COLOURS, strict=True):
        assert contrast(fill, ring) >= 4.5
        for region in palette.CLASS_COLOURS:
            for page in ("#ffffff", "#11161c"):
                for opacity in (0.3, 0.95):
                    assert (
                        max(contrast(look, over(region, page, opacity)) for look in (fill, ring))
                        >= 3
                    )


# The page


def pictures(at) -> list[dict]:
    """The specs of what is looked at closer: the two charts above it come first."""
    return [json.loads(chart.proto.spec) for chart in at.get("vega_lite_chart")][2:]


def test_the_section_draws_a_panel_for_each_scheme_and_what_a_step_changes_again():
    section, view = TRAIN_SECTIONS["learned"], View(section="learned")
    plane, line = finished("plane"), finished("line")
    pieces = list(OpenSection(section, plane.experiment, view).pieces(plane, 26).values())
    panels = [Picture] * len(plane.experiment.schemes)
    assert [type(piece) for piece in pieces] == [Element, *panels, Element]
    assert all(piece.small for piece in pieces if isinstance(piece, Picture))
    pieces = OpenSection(section, line.experiment, view).pieces(line, 26).values()
    assert [type(piece) for piece in pieces] == [Element, Picture, Element]


@pytest.mark.page
def test_the_page_shows_one_panel_a_scheme_with_its_sentence_and_grey_where_nothing_is_a_number():
    at = look_closer(
        opened(dataset="spirals", schemes="he_normal,xavier_normal,normal:30", depth="12"),
        "learned",
    )
    panels = pictures(at)
    assert all(panel["vconcat"][0]["title"]["text"] == {"expr": "heading"} for panel in panels)
    given = [{one["name"]: one.get("value") for one in panel["params"]} for panel in panels]
    headings = [parameters["heading"][2:] for parameters in given]
    assert headings == ["He (normal)", "Xavier (normal)", "Normal 30"]
    assert "not a finite number anywhere" in cards(at)
    assert "Training points: dark circles" in cards(at)


@pytest.mark.page
def test_the_page_shows_curves_of_the_sine_and_a_sentence_for_blobs_that_leads_to_two_dimensions():
    at = look_closer(opened(dataset="sine"), "learned")
    (picture,) = pictures(at)
    assert "curve" in picture["description"]
    at = look_closer(opened(), "learned")
    assert pictures(at) == []
    assert "cannot be drawn" in cards(at)
    at.selectbox(key="closer_dataset").set_value("moons").run()
    assert len(pictures(at)) == len(Experiment().schemes)


@pytest.mark.browser
def test_panels_wrap_on_a_phone_and_are_never_gone_while_training_grows(page, server):
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(
        f"{server.url}?dataset=moons&depth=6&width=16&steps=2000&batch=16&section=learned&seed=51"
    )
    panels = page.locator(".st-key-closer_learned canvas")
    expect(panels).to_have_count(3)
    panels.evaluate_all("(all) => all.forEach((canvas) => { canvas.first = true; })")
    assert page.evaluate("rows('regions')[0].step") < 2000
    expect(page.get_by_text("step 2000 of 2000", exact=True)).to_be_visible()
    page.wait_for_function("rows('regions') && rows('regions')[0].step === 2000")
    assert panels.evaluate_all("(all) => all.map((canvas) => canvas.first)") == [True] * 3, (
        "a new canvas is a flicker"
    )
    boxes = [panels.nth(index).bounding_box() for index in range(3)]
    assert all(above["y"] + above["height"] <= below["y"] for above, below in pairwise(boxes)), (
        "wrapped"
    )
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 400 for box in boxes)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("(main) => main.scrollWidth - main.clientWidth") == 0
