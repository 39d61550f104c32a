"""The bench "Your network" without a browser: what is pasted is diagnosed, refused, or trained."""

import re

import pytest
from app_pages import cards, charts, notices, press, query, sound, state
from app_pages import page as open_page
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from stability.page.network_bench import EXAMPLES, NOTEBOOK_LINES
from stability.records.page import Page
from stability.records.pasted_network import MOST_CHARACTERS, PastedNetwork
from stability.records.view import View

pytestmark = pytest.mark.page
LAYER = "Linear(in_features=9, out_features=9, bias=True)\n"
LONG = f"Sequential({100 * LAYER})"


def bench(text: str | None = None, **link: str) -> AppTest:
    given = {} if text is None else {"architecture": text}
    return open_page(**{"bench": "network"} | link | given)


def paste(at: AppTest, text: str) -> AppTest:
    return sound(at.text_area(key="architecture").set_value(text).run())


def findings(at: AppTest) -> list[str]:
    """The headlines of the cards."""
    return re.findall(r"<h2 title='.*?'><span>(.)</span> (.*?)</h2>", cards(at))


@pytest.mark.parametrize(
    ("label", "healthy"),
    [("A healthy He network", True), ("A tower of sigmoids", False), ("Unequal widths", True)],
)
def test_an_example_is_a_click_away_and_says_what_it_shall(label, healthy):
    at = press(bench("9-8"), label)
    assert at.text_area(key="architecture").value == EXAMPLES[label]
    assert not at.warning
    marks = {mark for mark, _ in findings(at)}
    assert marks == ({"✓"} if healthy else {"✗"})
    if not healthy:
        assert "Vanishing" in findings(at)[0][1]
        assert "<pre><code>" in cards(at)
    assert charts(at), "the profiles"
    assert len(at.dataframe) == 1


def test_a_text_is_part_of_the_link_and_opens_again():
    at = paste(bench(), "9-8-7 tanh\nkaiming")
    assert query(at) == {"v": "1", "bench": "network", "architecture": "9-8-7 tanh\nkaiming"}
    assert bench(**query(at)).text_area[0].value == "9-8-7 tanh\nkaiming"
    assert "9-8-7, 143 parameters, started as He (normal)" in cards(at)
    at = sound(at.sidebar.selectbox(key="scheme").set_value("lsuv").run())
    assert "started as LSUV" in cards(at)
    assert query(at)["scheme"] == "lsuv"


def test_a_text_that_is_too_long_for_a_link_stays_and_the_page_says_so():
    at = paste(bench(), LONG)
    assert "architecture" not in query(at)
    assert any("too long for a link" in caption.value for caption in at.caption)
    at = sound(at.sidebar.number_input(key="seed").set_value(3).run())
    assert at.text_area[0].value == LONG
    assert not any("too long" in caption.value for caption in paste(at, "9-8").caption)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste the sizes of your layers"),
        ("__import__('os').abort()", "Line 1, column 1, at “__import__"),
        ("<img src=x onerror=alert(1)> **b** $x$", "Line 1, column 1, at “<img src"),
        ("Sequential(\n  (0): Conv2d(1, 6)\n)", "Line 2, column 8"),
        ("x" * MOST_CHARACTERS, "Line 1, column 1"),
        ("9-8 fixup", "residual must be true"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence_and_the_lines_for_a_notebook(text, words):
    at = paste(bench(), text)
    assert at.text_area[0].value == text
    assert len(at.warning) == 1
    assert words in notices(at)
    assert [code.value for code in at.code] == [NOTEBOOK_LINES]
    assert not at.dataframe
    assert paste(at, "9-8-7").dataframe


def test_more_characters_than_are_read_leave_the_text_of_before():
    at = paste(paste(bench(), "9-8-7"), "9-" * MOST_CHARACTERS)
    assert "at most 100,000 characters" in notices(at)
    assert at.text_area[0].value == "9-8-7"
    assert at.dataframe


def test_a_diagnosis_that_costs_too_much_is_refused_with_its_numbers_before_it_is_built():
    at = bench("400-100000-10 tanh", batch="1024")
    assert "GB of memory here, and this page stops at " in notices(at)
    (button,) = (button for button in at.button if button.label.startswith("Use batch"))
    assert button.label.removeprefix("Use ") in notices(at)
    assert not at.dataframe


def test_equal_hidden_sizes_open_on_train_and_the_button_says_what_is_replaced():
    at = bench("40-8-8-3 tanh kaiming")
    (button,) = (button for button in at.button if button.label.startswith("Open on Train"))
    assert "blobs of 3 classes" in button.label
    at = sound(button.click().run())
    assert (state(at).activation, state(at).depth, state(at).width) == ("tanh", 3, 8)
    assert (state(at).classes, state(at).features) == (3, 40)
    assert state(at).schemes == ("he_normal",)
    assert "bands" in charts(at)
    at.session_state.session.open_bench("network")
    assert sound(at.run()).text_area[0].value == "40-8-8-3 tanh kaiming"


def test_unequal_sizes_say_why_they_do_not():
    at = bench("40-8-6-3")
    assert not [button for button in at.button if button.label.startswith("Open on Train")]
    assert "since its hidden sizes differ (6 to 8)" in cards(at)


@pytest.mark.parametrize("section", ["layers", "notebook"])
def test_its_sections_show_all_columns_and_the_lines_for_a_notebook(section):
    at = bench("9-8-7", section=section)
    assert len(at.dataframe) + len(at.code) == 2


def test_it_can_be_shown_to_a_room():
    at = bench("9-8-7", view="present")
    assert findings(at)
    assert not at.sidebar.selectbox


def test_the_link_of_a_long_text_spells_all_but_the_text():
    network = PastedNetwork(architecture=LONG, batch=8)
    shown = Page(view=View(bench="network"), network=network)
    assert shown.to_query() == {"v": "1", "bench": "network", "batch": "8"}
    assert Page.from_query({"bench": "network", "batch": "8"})[0].network == PastedNetwork(batch=8)


@pytest.mark.browser
def test_what_is_typed_in_a_browser_is_diagnosed_at_once_and_part_of_the_address(page: Tab, server):
    page.goto(f"{server.url}?bench=network&architecture=9-8-7")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("textbox", name="Your network").fill("9-8-7 relu zeros")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("heading", name="Zero gradient")).to_be_visible()
    expect(page).to_have_url(re.compile(r"architecture=9-8-7(\+|%20)relu(\+|%20)zeros"))
