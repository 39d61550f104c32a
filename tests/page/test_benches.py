"""What a scene yields again as its stream goes on, and what waits for the end."""

from dataclasses import replace

import pytest

from stability.engine.runs import ProductRun, Run
from stability.page.benches import ProductScene, TrainScene
from stability.page.sections import SECTIONS
from stability.probes.symmetries import symmetry_changes, row_differences
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.view import BENCH_LINKS, Page, View

E = Experiment(
    schemes=("constant", "xavier_normal"), depth=3, width=4, features=3, samples=64, batch=8, steps=3, activation="tanh"
)
OWN = {"cards", "remedies", "left", "right"}  # of the bench


def names(scene: TrainScene | ProductScene, count: int) -> list[str]:
    return [name for name, _ in scene.pieces(count, slow=True) if name not in OWN]


def kind(name: str) -> str:
    """Without whose it is."""
    return name.partition(":")[0]


def product_scene(section: str, **settings: int) -> ProductScene:
    page = Page(view=View(bench="product", section=section), product=Product(n=3, replicates=2, **settings))
    return ProductScene(ProductRun(page.product), page, {}, {})


@pytest.mark.parametrize("section", [key for key in BENCH_LINKS["train"].sections if key != "tried"])
def test_a_section_is_whole_at_first_and_then_only_what_a_step_may_change(section):
    shown, live = set(), SECTIONS[section].live
    for e in (E, replace(E, dataset="moons"), replace(E, dataset="sine")):
        page, run = Page(experiment=e, view=View(section=section)), Run(e)
        assert list(run)
        scene = TrainScene(run, page, {}, {})
        whole = names(scene, 1)
        assert whole
        shown |= {kind(name) for name in whole}
        for count in (2, 4):
            assert names(scene, count) == [name for name in whole if kind(name) in live]
        assert names(TrainScene(run, page, {}, {}), 4) == whole
    assert set(live) <= shown


def test_what_says_the_same_at_every_step_is_computed_once():
    assert symmetry_changes(E, 2) is symmetry_changes(E, 2)
    assert row_differences(E, 2) is row_differences(E, 2)
    assert SECTIONS["symmetry"].live == ("picture",)


@pytest.mark.parametrize("section", list(BENCH_LINKS["product"].sections))
def test_what_takes_long_waits_for_the_last_factor_and_is_drawn_once(section):
    scene = product_scene(section, count=5)
    scene.run.measurement_at(2)
    before = dict(scene.pieces(3, slow=True))
    assert ("Drawn after the last factor." in before.get("said", "")) == SECTIONS[section].late
    shown = "table" if "table" in SECTIONS[section].live else "picture"
    assert (shown in before) != SECTIONS[section].late
    assert list(scene.run)
    after = names(scene, 6)
    assert after == [shown] * (SECTIONS[section].late or shown in SECTIONS[section].live) or SECTIONS[section].late
    assert names(scene, 6) == list(SECTIONS[section].live)


def test_quick_draws_leave_sections_alone():
    scene = product_scene("healing", count=5)
    assert list(scene.run)
    assert [name for name, _ in scene.pieces(6, slow=False)] == ["cards", "left"]
