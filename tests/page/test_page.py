"""The page without a browser: its pictures, its words, and its address after each touch."""

import re
from functools import cache

import pytest
from app_pages import (
    SMALL,
    cards,
    charts,
    look_closer,
    notices,
    opened,
    page,
    press,
    query,
    sound,
    state,
    unopened,
    went_back,
)
from chart_data import curve, tables
from hypothesis import given, settings
from hypothesis import strategies as st
from small_runs import counting
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Multiselect

from stability import page_layout
from stability.catalogues import schemes
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import scheme_title
from stability.page.prose import GREETING
from stability.records import knobs
from stability.records.choice_list import ChoiceList
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Flag, Integer, Number
from stability.records.view import View

pytestmark = pytest.mark.page
SETTINGS = Experiment.knobs()


class Typed(Multiselect):
    """The chips as a browser reports them: labels of the menu, and new text as it was typed."""

    @property
    def values(self) -> list[str]:
        return self.value


def address(at: AppTest) -> dict[str, str]:
    """The settings of the experiment that the address spells."""
    return {
        name: text
        for name, text in query(at).items()
        if name not in View.knobs() and "pin" not in name
    }


def view(at: AppTest) -> dict[str, str]:
    """The settings of the view that the address spells."""
    return {name: text for name, text in query(at).items() if name in View.knobs()}


def widget(at: AppTest, name: str):
    kinds = ("multiselect", "selectbox", "slider", "select_slider", "number_input", "toggle")
    return next(
        element for kind in kinds for element in at.sidebar.get(kind) if element.key == name
    )


def chips(at: AppTest, *shown: str) -> AppTest:
    at.multiselect(key="schemes").__class__ = Typed
    return at.multiselect(key="schemes").set_value(list(shown)).run()


def progress(at: AppTest) -> str:
    """How far the run has come, as the playback hears it."""
    return re.search(r"data-trained='(\d+)'", cards(at))[1]


# First sight


def test_the_first_visit_trains_three_schemes_to_three_fates_and_says_so():
    at = page()
    assert state(at) == Experiment()
    assert progress(at) == "300"
    he, xavier, normal = (curve(charts(at)["bands"], scheme) for scheme in Experiment().schemes)
    assert he[-1][1] < 0.1, "it learns"
    assert xavier[-1][1] > 0.85 * Experiment().dataset_row.guessing_loss, "it stalls"
    assert normal[-1][0] < he[-1][0] == 300, "it blows up, and its line ends"
    assert "diverged" in cards(at)
    assert not at.warning, "a first visitor has done nothing to be warned about"


def test_an_address_that_says_nothing_stays_as_it_is():
    assert query(page()) == {}


def test_both_charts_are_there_and_carry_every_scheme_and_layer():
    at = opened(depth="7")
    assert {"bands", "heat", "marks", "limits", "profiles"} <= set(charts(at))
    assert set(charts(at)["bands"]["scheme"].to_pylist()) == set(state(at).schemes)
    assert set(charts(at)["profiles"]["layer"].to_pylist()) == set(range(1, 8))
    assert charts(at)["bands"]["step"].to_pylist()[-1] == 5


def test_a_setting_that_was_seen_before_gives_the_same_curves():
    first, again = opened(seed="3"), opened(seed="3")
    assert charts(first)["bands"].equals(charts(again)["bands"])
    assert not charts(first)["bands"].equals(charts(opened(seed="4"))["bands"])


# Controls


def test_every_knob_has_a_control_with_its_label_and_its_help():
    for name, knob in SETTINGS.items():
        shown = widget(opened_with(*others_with_effect(name).items()), name)
        assert shown.label == knob.label
        assert shown.proto.help.startswith(knob.help), name
        assert name != "schemes" or "He et al. 2015" in shown.proto.help


@cache
def opened_with(*others: tuple[str, str]) -> AppTest:
    """A page with these settings, on which some others have an effect."""
    return opened(**dict(others))


OTHERS = (
    *({"dataset": key} for key in ("blobs", "linear", "power", "sine")),
    {"optimizer": "adam"},
    {"activation": "sine"},
    {"activation": "leaky_relu"},
    {"residual": "true"},
    {"normalization": "layer"},
    {"residual": "true", "normalization": "layer"},
)


def others_with_effect(name: str) -> dict[str, str]:
    """Other settings, as a link spells them, with which this one has an effect."""
    suits = SETTINGS[name].has_effect
    return next(others for others in OTHERS if suits(Experiment.from_query(others)[0]))


def test_the_six_settings_that_matter_most_are_in_sight_and_the_others_folded_by_group():
    at = opened()
    folded = {group.label.partition(",")[0]: keys(group) for group in at.sidebar.expander}
    assert list(folded) == ["Compare", "Network", "Data", "Training"]
    assert keys(at.sidebar) - set().union(*folded.values()) == {
        name for name, knob in SETTINGS.items() if knob.main
    }
    assert len([knob for knob in SETTINGS.values() if knob.main]) == 6
    for name, knob in SETTINGS.items():
        assert knob.main or (name in folded[knob.group]) == knob.has_effect(Experiment())


def keys(part) -> set[str]:
    """The settings whose controls are in a part of the page."""
    kinds = "multiselect", "selectbox", "slider", "select_slider", "number_input", "toggle"
    return {element.key for kind in kinds for element in part.get(kind)}


def test_the_controls_of_a_folded_group_are_drawn_once_it_is_unfolded():
    at = unopened(**SMALL)
    at.session_state[page_layout.group_key("Data")] = False
    at = sound(at.run())
    folded = {group.label.partition(",")[0]: keys(group) for group in at.sidebar.expander}
    assert folded.pop("Data") == set()
    assert all(folded.values())
    at.session_state[page_layout.group_key("Data")] = True
    assert "features" in keys(sound(at.run()).sidebar)


def test_a_search_shows_what_speaks_of_it_and_nothing_else():
    at = sound(opened().sidebar.text_input[0].set_value("batch norm").run())
    assert keys(at.sidebar) == {"normalization"}
    at = sound(widget(at, "normalization").set_value("batch").run())
    assert state(at).normalization == "batch"
    at = sound(at.sidebar.text_input[0].set_value("nothing of **the** kind").run())
    assert keys(at.sidebar) == set()
    assert at.sidebar.caption[0].value.startswith("No setting found for “nothing of ")
    assert keys(sound(at.sidebar.text_input[0].set_value("").run()).sidebar) == {
        name for name, knob in SETTINGS.items() if knob.has_effect(state(at))
    }


def test_the_default_of_a_learning_rate_is_that_of_its_optimizer():
    at = sound(widget(opened(), "optimizer").set_value("adam").run())
    assert "undo_optimizer" in {button.key for button in at.button}
    assert "undo_learning_rate" not in {button.key for button in at.button}
    at = sound(widget(at, "learning_rate").set_value(0.1).run())
    at = sound(
        next(button for button in at.button if button.key == "undo_learning_rate").click().run()
    )
    assert state(at).learning_rate == OPTIMIZERS["adam"].learning_rate


@pytest.mark.parametrize("name", ["depth", "noise", "residual", "schemes"])
def test_a_changed_setting_is_marked_and_its_button_brings_the_default_back(name):
    changed = {"depth": "4", "noise": "0.5", "residual": "true", "schemes": "he_normal"}
    at = page(**{"steps": "5", name: changed[name]})
    undo = {button.key: button for button in at.button if (button.key or "").startswith("undo_")}
    assert set(undo) == {f"undo_{name}", "undo_steps"}
    group = SETTINGS[name].group
    if not SETTINGS[name].main:
        assert any(
            re.match(rf"{group}, more · \d changed", part.label) for part in at.sidebar.expander
        )
    assert SETTINGS[name].label_with_value(getattr(Experiment(), name)) in undo[
        f"undo_{name}"
    ].proto.help.replace("\\", "")
    at = sound(undo[f"undo_{name}"].click().run())
    assert getattr(state(at), name) == getattr(Experiment(), name)
    assert f"undo_{name}" not in {button.key for button in at.button}


def test_data_of_a_fixed_dimension_hide_the_features():
    at = opened(dataset="spirals")
    assert "features" not in {element.key for element in at.sidebar.select_slider}
    at = sound(widget(at, "dataset").set_value("blobs").run())
    assert widget(at, "features").value == 32


def extremes(name: str, knob: knobs.Knob) -> list:
    if isinstance(knob, Choice):
        return list(knob.rows)
    if name == "steps":
        return [500, knob.low]  # the longest run takes too long here
    return [True, False] if isinstance(knob, Flag) else [knob.high, knob.low]


@pytest.mark.parametrize(
    "name", [name for name, knob in SETTINGS.items() if not isinstance(knob, ChoiceList)]
)
def test_a_control_reaches_both_ends_of_what_is_legal(name):
    # One small network, so that even the largest width, batch or depth takes little.
    small = {"schemes": "xavier_normal", "depth": "3", "features": "2", "steps": "2"}
    at = opened(**small, **others_with_effect(name))
    for value in extremes(name, SETTINGS[name]):
        at = sound(widget(at, name).set_value(value).run())
        expected = min(value, state(at).samples) if name == "batch" else value
        assert getattr(state(at), name) == expected
        assert widget(at, name).value == expected, "the control shows what holds"
        assert progress(at) == str(state(at).steps)


def between_stops(knob: Number) -> float:
    """A legal value that no stop of the control has."""
    value = 0.0375 if knob.low < 0.0375 else knob.low + 0.0375
    if isinstance(knob, Integer):
        value = min(max(37, int(knob.low) + 1), int(knob.high) - 1)
    return value


@pytest.mark.parametrize("others", OTHERS, ids=str)
def test_links_reach_values_between_the_stops_of_controls(others):
    """All settings at once that have an effect with the same others."""
    values = {
        name: between_stops(knob)
        for name, knob in SETTINGS.items()
        if isinstance(knob, Number) and others_with_effect(name) == others
    }
    link = {name: SETTINGS[name].spell(value) for name, value in values.items()}
    at = opened(schemes="xavier_normal", **others, **link)
    assert not at.warning
    for name, value in values.items():
        assert widget(at, name).value == getattr(state(at), name) == value, name


# Chips


def test_a_free_entry_becomes_a_chip_and_a_curve():
    at = sound(chips(opened(), "He (normal)", "normal:0.02"))
    assert state(at).schemes == ("he_normal", "normal:0.02")
    assert address(at)["schemes"] == "he_normal,normal:0.02"
    assert set(charts(at)["bands"]["scheme"].to_pylist()) == {"he_normal", "normal:0.02"}
    assert [schemes.scheme_title(key) for key in at.multiselect(key="schemes").value] == [
        "He (normal)",
        "Normal 0.02",
    ]
    assert not at.warning


def test_a_chip_that_stays_when_another_comes_is_taken_as_it_was():
    at = sound(chips(opened(schemes="normal:0.02"), "Normal 0.02", "Xavier (normal)"))
    assert state(at).schemes == ("normal:0.02", "xavier_normal")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("bogus", "list"), ("normal:-1", "normal:0.01"), ("<b>hee</b>", "list"), ("  ", "")],
)
def test_a_bad_entry_is_refused_with_what_is_legal_and_nothing_is_lost(typed, hint):
    before = opened(schemes="he_normal,xavier_normal")
    at = sound(chips(before, "He (normal)", "Xavier (normal)", typed))
    assert state(at).schemes == ("he_normal", "xavier_normal")
    assert at.multiselect(key="schemes").value == ["he_normal", "xavier_normal"]
    assert not typed.strip() or (typed in notices(at) and hint in notices(at))
    assert "bands" in charts(at)


def test_two_spellings_of_one_scheme_are_one_chip():
    at = sound(chips(opened(), "Normal 0.01", "normal:1e-2"))
    assert len(state(at).schemes) == 1


def test_eight_schemes_fit_and_a_ninth_in_a_link_is_named():
    nine = [f"normal:{number}" for number in range(1, 10)]
    at = opened(schemes=",".join(nine))
    assert state(at).schemes == tuple(nine[:8])
    assert len(at.warning) == 1
    assert "normal:9" in notices(at)


def test_without_a_scheme_the_page_says_what_to_do_and_goes_on_when_one_comes():
    at = chips(opened(schemes="he_normal"))
    assert [error.value for error in at.exception] == []
    assert "initialization" in at.info[0].value
    assert not at.warning
    assert not at.error
    assert at.multiselect(key="schemes").value == []
    at = sound(chips(at, "Orthogonal 1"))
    assert state(at).schemes == ("orthogonal",)
    assert not at.info


def test_what_a_visitor_gave_a_control_is_not_sent_back_until_something_else_sets_it():
    """A slider that is dragged while the server draws would jump back to an earlier value."""
    at = opened()
    link, is_sent = query(at), lambda: at.slider(key="depth").proto.set_value
    assert is_sent()
    at.slider(key="depth").set_value(5).run()
    assert (at.slider(key="depth").value, is_sent()) == (5, False)
    press(at, "New seed")
    assert (at.slider(key="depth").value, is_sent()) == (5, False)
    for name, text in link.items():
        at.query_params[name] = text
    with went_back():
        sound(at.run())
    assert (at.slider(key="depth").value, is_sent()) == (3, True)
    typed = at.multiselect(key="schemes").set_value(["he_normal", "normal:0.02"]).run()
    assert typed.multiselect(key="schemes").proto.set_value, "the title of what was typed"


def test_other_controls_work_while_no_scheme_is_chosen():
    at = chips(opened(schemes="he_normal"))
    at = widget(at, "depth").set_value(4).run()
    assert [error.value for error in at.exception] == []
    assert state(at).depth == 4


# Links


BAD = {
    "depth": "900",
    "activation": "reluu",
    "batch": "many",
    "residual": "perhaps",
    "learning_rate": "nan",
    "noise": "-1",
}


def test_a_mangled_link_opens_with_one_notice_that_names_every_bad_value():
    at = opened(**BAD, schemes="he_normal,bogus", wings="2", heat_quantity="colour")
    assert len(at.warning) == 1
    for name, text in {**BAD, "schemes": "bogus", "wings": "2", "heat_quantity": "colour"}.items():
        assert name in notices(at)
        assert text in notices(at)
    assert (
        state(at)
        == Experiment.from_query(SMALL | {"depth": "20", "batch": "64", "schemes": "he_normal"})[0]
    )
    assert "bands" in charts(at)


def test_the_notice_goes_when_something_is_changed():
    at = opened(activation="reluu")
    assert at.warning
    assert not sound(widget(at, "depth").set_value(4).run()).warning


MARKUP = [
    "**bold**",
    "[x](http://example.org)",
    "<img src=x onerror=alert(1)>",
    "$x^2$",
    ":red[x]",
    "`code`",
    "# title",
    "~~x~~",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_in_a_bad_value_is_shown_as_text(text):
    at = opened(activation=text)
    assert text in notices(at)
    marked = {letter for letter in text if not letter.isalnum() and letter not in " ./'\"=?&;,@%"}
    raw = at.warning[0].value
    for letter in marked:
        assert raw.count(letter) == raw.count("\\" + letter), f"{letter} reaches Markdown bare"


LEGAL_SOMEWHERE = "1", "-1", "1e400", "nan", "true", ",", "he_normal", "normal:0", "tanh", "%2C"


@given(
    link=st.dictionaries(
        st.sampled_from([*SETTINGS, *View.knobs(), "v", "wings", "", " "]) | st.text(max_size=8),
        st.sampled_from(LEGAL_SOMEWHERE) | st.text(max_size=12),
        max_size=4,
    )
)
@settings(max_examples=20)
def test_any_link_opens_a_page_with_curves_or_the_course(link):
    at = opened(**link)
    assert {"bands", "growth"} & set(
        charts(at)
    ) or at.session_state.session.page.view.bench == "course"


def test_a_key_given_twice_opens_a_page():
    at = unopened(**SMALL)
    at.query_params["depth"] = ["4", "5"]
    assert state(sound(at.run())).depth == 5


def test_settings_that_disagree_are_mended_with_a_sentence():
    at = opened(samples="64", batch="128")
    assert state(at).batch == 64
    assert "batch" in notices(at)
    assert "128" in notices(at)
    at = sound(widget(opened(samples="1024", batch="512"), "samples").set_value(128).run())
    assert (state(at).samples, state(at).batch) == (128, 128)
    assert "batch" in notices(at)
    assert widget(at, "batch").value == 128


def test_the_address_follows_every_change_and_nothing_else():
    at = opened()
    assert address(at) == SMALL, "an address that already opens this page is left alone"
    at = sound(widget(at, "activation").set_value("tanh").run())
    assert address(at) == {"v": "1", "activation": "tanh"} | SMALL
    at = sound(at.selectbox(key="heat_quantity").set_value("signal").run())
    assert view(at) == {"heat_quantity": "signal"}
    at = sound(widget(at, "activation").set_value("relu").run())
    assert address(at) == {"v": "1"} | SMALL


def test_the_heat_map_shows_the_scheme_and_the_quantity_that_are_chosen():
    at = opened(schemes="he_normal,zeros", heat_quantity="signal")
    assert all(charts(at)["heat"]["relative"].to_pylist())
    at = sound(at.selectbox(key="heat_scheme").set_value("zeros").run())
    assert view(at) == {"heat_scheme": "zeros", "heat_quantity": "signal"}
    assert 0 in charts(at)["heat"]["relative"].to_pylist()


def test_the_heat_map_forgets_a_scheme_that_is_gone():
    at = opened(schemes="he_normal,zeros", heat_scheme="zeros")
    at = sound(chips(at, "He (normal)"))
    assert at.selectbox(key="heat_scheme").value == "he_normal"


# Training


@pytest.mark.parametrize("optimizer", [key for key in OPTIMIZERS if key != Experiment().optimizer])
def test_an_optimizer_brings_its_typical_learning_rate_unless_one_was_chosen(optimizer):
    at = sound(widget(opened(), "optimizer").set_value(optimizer).run())
    assert state(at).learning_rate == OPTIMIZERS[optimizer].learning_rate
    assert widget(at, "learning_rate").value == OPTIMIZERS[optimizer].learning_rate
    at = sound(widget(opened(learning_rate="0.5"), "optimizer").set_value(optimizer).run())
    assert state(at).learning_rate == 0.5


def test_a_link_to_a_step_shows_all_curves_and_the_profiles_and_cards_of_that_step():
    at = opened(moment="2")
    assert progress(at) == "5"
    assert set(charts(at)["bands"]["step"].to_pylist()) == set(range(6))
    assert "forecast" in cards(at)
    assert "forecast" not in cards(opened())


def test_a_new_seed_changes_the_seed_and_nothing_else():
    at = opened(seed="123456")  # beyond those that the button draws
    before, at = charts(at)["bands"], press(at, "New seed")
    assert state(at).seed != 123456
    assert state(at).settings() | {"seed": 0} == Experiment.from_query(SMALL)[0].settings()
    assert address(at)["seed"] == str(state(at).seed) == str(widget(at, "seed").value)
    assert not charts(at)["bands"].equals(before)


def test_reset_brings_the_first_visit_back():
    at = press(opened(activation="tanh", heat_quantity="signal"), "Reset")
    assert state(at) == Experiment()
    assert (address(at), view(at)) == ({"v": "1"}, {})
    assert widget(at, "activation").value == "relu"
    assert at.selectbox(key="heat_quantity").value == "signal_gradient"


def test_a_link_whose_every_bad_value_falls_back_to_its_default_says_so_instead_of_greeting():
    at = page(depth="999")
    assert state(at) == Experiment()
    assert "depth must be" in notices(at)
    assert GREETING not in cards(at)
    at = page()
    assert GREETING in cards(at)
    assert not at.warning


def test_a_run_that_failed_can_be_tried_again():
    with counting(fails_before=2) as counted:
        at = opened(seed="77")
        assert "no room" in at.error[0].value
        counted.fails_before = None
        at = press(at, "Try again")
    assert not at.error
    assert progress(at) == "5"


TOO_MUCH = {
    "depth": "101",
    "width": "512",
    "steps": "5000",
    "replicates": "16",
    "batch": "1024",
    "samples": "4096",
}


def test_a_run_that_costs_too_much_is_refused_with_its_estimate_and_the_nearest_that_fits():
    at = opened(**TOO_MUCH)
    assert len(at.warning) == 1
    assert " and this page stops at 60 seconds and 2 GB" in notices(at)
    assert "It fits with" in notices(at)
    assert charts(at).keys() == {"profiles", "theory", "rules", "limits", "ends", "beyond"}, (
        "the prediction"
    )
    assert not at.get("progress")
    (button,) = (button for button in at.button if button.label.startswith("Use "))
    assert button.label.removeprefix("Use ") in notices(at)
    assert state(at) == Experiment.from_query(TOO_MUCH)[0], (
        "controls and address keep what was asked for"
    )


@pytest.mark.parametrize(("link", "off"), [({}, set()), (TOO_MUCH, {"Pin"})])
def test_what_needs_a_run_is_off_where_there_is_none(link, off):
    at = opened(**link)
    assert {button.label for button in at.button if button.disabled} == off
    at = sound(widget(at, "schemes").set_value([]).run())
    assert {button.label for button in at.button if button.disabled} == {"Pin"}


def test_a_run_of_too_many_steps_shows_its_start_until_the_refused_setting_is_undone():
    at = opened(depth="100", width="64", steps="5000", replicates="4")
    assert "It fits with steps" in notices(at)
    assert progress(at) == "0"
    assert set(charts(at)["bands"]["step"].to_pylist()) == {0}
    after = charts(sound(widget(at, "steps").set_value(5).run()))
    assert set(after["bands"]["step"].to_pylist()) == set(range(6))


# What is kept for comparison


def runs(at: AppTest) -> dict[str, set[str]]:
    """The labels of the runs behind the curves and behind the profiles."""
    return {name: set(chart["pinned"]["run"].to_pylist()) for name, chart in both(at).items()}


def both(at: AppTest) -> dict[str, dict]:
    found = [tables(chart.proto) for chart in at.get("vega_lite_chart")]
    return {"training": found[0], "depth": found[1]}


def test_a_pin_keeps_the_run_behind_whatever_is_set_next():
    at = opened()
    lines = charts(at)["bands"]
    at = press(at, "Pin")
    assert query(at)["pin"] == "same"
    at = sound(widget(at, "activation").set_value("tanh").run())
    assert query(at)["pin.activation"] == "relu"
    assert runs(at) == {"training": {"activation ReLU"}, "depth": {"activation ReLU"}}
    assert both(at)["training"]["pinned"].select(lines.column_names).equals(lines)
    assert "activation ReLU" in {button.label for button in at.button}
    at = press(at, "activation ReLU")
    assert "pinned" not in charts(at)
    assert not any("pin" in name for name in query(at))


def test_a_pin_that_is_too_large_is_said_not_to_be_drawn():
    at = opened(**{f"pin.{name}": text for name, text in TOO_MUCH.items()})
    (words,) = (button.label for button in at.button if (button.key or "").startswith("unpin_"))
    assert words.endswith("(too large here: not drawn)")
    assert "pinned" not in charts(at) or not charts(at)["pinned"].num_rows


def test_three_are_kept_and_the_oldest_makes_room():
    at = opened()
    for seed in range(1, 5):
        at = sound(widget(press(at, "Pin"), "seed").set_value(seed).run())
    assert runs(at)["training"] == {"seed 1", "seed 2", "seed 3"}


def test_a_link_with_pins_shows_them_without_a_touch():
    at = opened(**{"pin.depth": "4", "pin2.activation": "tanh", "pin2.depth": "5"})
    assert runs(at)["depth"] == {"depth 4", "activation Tanh, depth 5"}
    assert max(both(at)["depth"]["pinned"]["layer"].to_pylist()) == 5
    assert not at.warning


def test_a_pin_that_is_not_there_or_cannot_be_is_named():
    at = opened(**{"pin.depth": "0", "pin4.depth": "3", "pin2.wings": "2"})
    for text in ("depth", "'pin4.depth'", "'wings'"):
        assert text in notices(at)
    assert "bands" in charts(at)


def test_what_was_tried_is_listed_with_its_numbers():
    at = sound(widget(opened(schemes="he_normal"), "depth").set_value(4).run())
    assert not at.dataframe, "not looked at"
    rows = look_closer(at, "tried").dataframe[0].value
    assert [row.partition("depth ")[2][:1] for row in rows["settings"]] == ["4", "3"]
    assert set(rows["scheme"]) == {"He (normal)"}
    loss = curve(charts(at)["bands"], "he_normal")[-1][1]
    assert rows["loss"].iloc[0] == loss, "the newest comes first"
    at = sound(widget(at, "depth").set_value(3).run())
    assert len(at.dataframe[0].value) == 2, "seen before"


# Schemes that do not go with the other settings


def test_a_scheme_that_does_not_fit_waits_as_a_chip_and_comes_back():
    at = sound(chips(opened(schemes="he_normal", width="9"), "He (normal)", "Looks linear"))
    assert state(at).schemes == ("he_normal",)
    assert at.multiselect(key="schemes").value == ["he_normal", "looks_linear"]
    assert "width must be even" in cards(at).lower()
    assert "10" in cards(at)
    at = sound(widget(at, "width").set_value(8).run())
    assert state(at).schemes == ("he_normal", "looks_linear")
    assert "must be even" not in cards(at)


def test_a_batch_of_one_and_batch_norm_are_mended_with_a_sentence():
    at = sound(widget(opened(batch="1"), "normalization").set_value("batch").run())
    assert state(at).batch == 2
    assert (
        "batch must be at least 2 for batch normalization, not 1; batch 2 is used instead."
        in notices(at)
    )


def test_a_format_that_no_network_is_trained_in_is_in_the_menu_and_says_why():
    at = opened(schemes="he_normal")
    why = SETTINGS["precision"].absent["float8_e4m3"]
    assert why in widget(at, "precision").options
    at = sound(widget(at, "precision").set_value("float8_e4m3").run())
    assert state(at).precision == "float32"
    assert why in notices(at)


# Verdicts and remedies


def cures(at: AppTest) -> list:
    return [button for button in at.button if (button.key or "").startswith("apply_remedy_")]


def test_a_scheme_as_a_remedy_comes_beside_the_sick_one():
    at = opened(schemes="zeros,normal:0.001", depth="6", width="16", steps="20")
    assert "ymmetry is not broken" in cards(at)
    button = next(button for button in cures(at) if "compare with" in button.label)
    title = button.label.partition("compare with ")[2]
    at = sound(button.click().run())
    zeros, added, other = state(at).schemes
    assert (zeros, other) == ("zeros", "normal:0.001")
    assert scheme_title(added) == title
    assert "pinned" not in charts(at)


def test_a_setting_as_a_remedy_is_taken_and_the_present_run_stays_pinned():
    at = opened(schemes="he_normal", learning_rate="100", depth="6", width="16", steps="20")
    assert "diverged" in cards(at)
    (button,) = cures(at)
    before = state(at)
    at = sound(button.click().run())
    assert at.session_state.session.page.pins == (before,)
    assert state(at) != before
    assert state(at).schemes == before.schemes


def test_every_card_shows_its_layers():
    at = opened(depth="7")
    assert cards(at).count("class='strip'") == 2 * len(state(at).schemes)


def test_the_numbers_of_the_theory_are_made_when_they_are_looked_at():
    at = opened(schemes="he_normal,zeros", depth="6")
    assert not at.dataframe
    at = look_closer(at, "theory")
    rows = at.dataframe[0].value
    assert rows["phase"][0] == "on the edge"
    assert "No theory" in cards(at)
    titled = [text.value for text in at.markdown if text.value.startswith("He ")]
    (formula,) = [text for text in titled if "```" not in text]  # not the code of a card
    assert "He (normal)" in formula.replace("\\", "")
