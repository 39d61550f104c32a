"""Ways through the page in a real Chromium: a new visitor's, and a teacher's before a room."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect
from shared_fixtures import EYES, WIDE
from tab import PATIENCE

from stability.course.lessons import all_lessons
from stability.page.prose import GREETING

pytestmark = pytest.mark.browser
FIRST, SECOND, *_ = all_lessons().values()


# A new visitor


def test_a_new_visitor_understands_changes_compares_and_shares_in_at_most_five_clicks(
    page, server, browser
):
    clicks = []

    def click(what: Locator) -> None:
        what.click()
        clicks.append(what)

    page.goto(server.url)
    hint = page.get_by_text(GREETING)
    expect(hint).to_be_visible()  # understands: what this is, what came out, what to do next
    expect(page.get_by_text("step 300 of 300", exact=True)).to_be_visible()
    for words in ("learns", "vanishes", "diverged"):
        expect(page.locator(".card h2", has_text=words)).to_be_visible()
    click(page.get_by_role("button", name="compare with"))  # changes: the obvious next thing
    expect(hint).to_have_count(0)
    expect(page.locator(".card")).to_have_count(4)  # compares: one more beside those that were
    expect(page.get_by_text("step 300 of 300", exact=True)).to_be_visible()
    click(
        page.get_by_role("button", name="Xavier (normal)", exact=True)
    )  # of the charts' legend: this scheme alone
    page.wait_for_function("views()[0].signal('alone') === 'xavier_normal'")
    click(page.get_by_role("button", name="Copy link"))  # shares
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    assert len(clicks) <= 5
    other = browser.new_context(viewport=WIDE)
    other.set_default_timeout(PATIENCE)
    other.add_init_script(EYES)
    opened = other.new_page()
    opened.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(opened.locator(".card")).to_have_count(4)
    expect(opened.get_by_text(GREETING)).to_have_count(0)  # this visitor has been sent somewhere
    other.close()


# A teacher


def until_large(page: Page) -> None:
    """Wait until the words are as large as a room needs them."""
    page.wait_for_function(
        "parseFloat("
        "getComputedStyle(document.querySelector('.card, .st-key-lesson p')).fontSize) >= 18"
    )


def press(page: Page, key: str, button: str) -> None:
    """One press, once the button that the key stands for is there: before that there is nobody to
    hear it.
    """
    expect(page.get_by_role("button", name=button)).to_be_visible()
    page.keyboard.press(key)


def test_keys_walk_through_a_lesson_and_to_the_next_before_a_room(page, server):
    page.goto(f"{server.url}?lesson={FIRST.key}&view=present")
    expect(page.get_by_text(FIRST.question[:20])).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    until_large(page)
    expect(page.get_by_role("button", name=FIRST.options[0])).to_be_visible()
    press(page, "Space", "Show me")
    expect(page.get_by_text("The answer:")).to_be_visible()
    expect(page.get_by_text("Measured here:")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    press(page, "ArrowDown", "Next")
    expect(page.get_by_text(SECOND.question[:20])).to_be_visible()
    press(page, "ArrowUp", "Previous")
    expect(page.get_by_text(FIRST.question[:20])).to_be_visible()
    page.wait_for_url(f"**lesson={FIRST.key}*view=present*")
    press(page, "Escape", "Leave")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    page.wait_for_url(lambda url: "view=present" not in url)


def test_space_plays_and_arrows_step_before_a_room_without_the_server(page, server):
    page.goto(f"{server.url}?depth=4&width=8&samples=64&batch=8&steps=60&seed=61&view=present")
    said = page.get_by_text(re.compile(r"^step \d+ of 60$"))
    expect(said).to_have_text("step 60 of 60")
    page.get_by_role("combobox", name="Speed").select_option("Fast")
    press(page, "Space", "Play")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    seen = {said.inner_text()}
    while said.inner_text() != "step 60 of 60":
        seen.add(said.inner_text())
    assert len(seen) > 3
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert "moment" not in page.url
    page.get_by_role("button", name="To step 0").click()
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(said).to_have_text(f"step {step} of 60")
    page.wait_for_url("**moment=1*")
    page.get_by_role("button", name="ReLU, 4 × 8, SGD 0.02").click()
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    expect(page.get_by_role("button", name="ReLU, 5 × 8, SGD 0.02")).to_be_visible()


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (400, 640)])
def test_the_view_for_a_room_fits_into_the_frame_of_another_page(page, server, size):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.goto(f"{server.url}?embed=true&view=present&depth=4&width=8&steps=12&seed=62")
    expect(page.get_by_text("step 12 of 12")).to_be_visible()
    expect(page.get_by_test_id("stHeader")).to_have_text("")
    assert "embed=true" in page.url
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= size[0]
