"""The controls that fit the settings, and the buttons of the toolbar and of the presenter view."""

import pytest

from stability.course.lessons import all_lessons
from stability.page.benches import BENCHES
from stability.page.control_arguments import setting_control, setting_controls
from stability.page.session import Session
from stability.page.settings import shown_settings
from stability.page.widgets import presenter_settings, toolbar_buttons
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import View


@pytest.mark.parametrize("bench", ["train", "product", "map", "network"])
def test_every_setting_has_a_control_that_offers_its_value(bench):
    page = Page(view=View(bench=bench))
    chosen = page.experiment.schemes
    sections = BENCHES[type(page.record)].sections.values()
    inside = [name for section in sections for name in section.settings]
    for name in [*shown_settings(page), *page.view.bench_link.elsewhere, *inside]:
        for control in setting_controls(page, chosen, name).values():
            value, options = control.value, control.arguments.get("options")
            values = value if isinstance(value, list) else [value]
            assert options is None or set(values) <= set(options)
            assert control.arguments["label"]
            assert control.arguments["help"]


@pytest.mark.parametrize(
    ("name", "asked", "shown"),
    [("layer", 100, 3), ("layer", 2, 2), ("heat_scheme", "zeros", "lsuv")],
)
def test_a_control_shows_the_nearest_value_that_the_experiment_allows(name, asked, shown):
    page = Page(Experiment(schemes="lsuv", depth=4, steps=9), View(**{name: asked}))
    assert setting_control(page, (), name).value == shown


def test_the_toolbar_pins_where_networks_train_and_only_presents_before_an_answer():
    session = Session()
    labels = [button.content for button in toolbar_buttons(session)]
    assert labels == ["New seed", "Reset", "Pin", "Map these settings", "Present"]
    session.open_bench("product")
    assert "Pin" not in [button.content for button in toolbar_buttons(session)]
    session.open_lesson(next(iter(all_lessons())))
    assert [button.content for button in toolbar_buttons(session)] == ["Present"]


def test_a_presenter_has_one_button_for_each_key_and_the_settings_that_matter():
    session = Session()
    session.open_lesson(list(all_lessons())[1])
    session.toggle_presenter_view()
    labels = {button.options["shortcut"]: button.content for button in toolbar_buttons(session)}
    assert labels == {"Space": "Show me", "Up": "Previous", "Down": "Next", "Esc": "Leave"}
    words, shown = presenter_settings(Page())
    assert words == "ReLU, 20 × 64, SGD 0.02"
    assert list(shown) == ["schemes", "activation", "depth"]
    words, shown = presenter_settings(Page(view=View(bench="product")))
    assert words == "100 factors of 4 × 4, sigma 1"
    assert list(shown) == ["n", "sigma", "count"]
