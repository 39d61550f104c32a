"""The controls that fit the settings, and the buttons of the toolbar and of the presenter view."""

import pytest

from stability.page.playback import Playback
from stability.page.session import Session
from stability.page.settings import page_knobs, shown_settings
from stability.page.widgets import presenter_buttons, setting_control, toolbar_buttons
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import NEWEST_STEP, View


@pytest.mark.parametrize("bench", ["train", "product"])
def test_every_setting_has_a_control_that_offers_its_value(bench):
    page = Page(view=View(bench=bench))
    chosen = page.experiment.schemes
    names = [name for name, knob in page_knobs(page).items() if knob.choices_for]
    for name in [*shown_settings(page), *names]:
        control = setting_control(page, chosen, name)
        value, options = control.value, control.arguments.get("options")
        values = value if isinstance(value, list) else [value]
        assert options is None or set(values) <= set(options)
        assert control.arguments["label"]
        assert control.arguments["help"]


@pytest.mark.parametrize(
    ("name", "asked", "shown"),
    [
        ("layer", 100, 3),
        ("layer", 2, 2),
        ("moment", NEWEST_STEP, 9),
        ("heat_scheme", "zeros", "lsuv"),
    ],
)
def test_a_control_shows_the_nearest_value_that_the_experiment_allows(name, asked, shown):
    page = Page(Experiment(schemes="lsuv", depth=4, steps=9), View(**{name: asked}))
    assert setting_control(page, (), name).value == shown


def test_the_toolbar_pauses_and_resumes_with_one_button_and_pins_where_networks_train():
    session = Session()
    before = toolbar_buttons(session)
    before[0].options["on_click"]()
    after = toolbar_buttons(session)
    assert (before[0].content, after[0].content) == ("Pause", "Resume")
    assert before[0].options["key"] == after[0].options["key"]
    assert session.playback.paused
    session.open_bench("product")
    assert {button.content for button in before} - {button.content for button in after} == {"Pause"}
    assert "Pin" not in [button.content for button in toolbar_buttons(session)]


def test_a_presenter_has_one_button_for_each_key_on_the_keyboard():
    session = Session()
    session.play(Playback.step_forward)
    labels = {button.options["shortcut"]: button.content for button in presenter_buttons(session)}
    assert labels == {"Space": "Resume", "Left": "Back", "Right": "Step", "Esc": "Leave"}
