"""The whole course in a real Chromium: from the list, lesson by lesson, to its end and back."""

from itertools import islice

import pytest
from playwright.sync_api import Page, expect

from stability.course.lessons import Lesson, all_lessons
from stability.i18n import LANGUAGES, _, html_language, speaking
from stability.page.course_page import neighbour_links

pytestmark = pytest.mark.browser

# Milliseconds. A lesson on the Map trains 36 experiments before it says what was measured: about
# 15 s alone, over a minute where other tests share the two cores.
A_WHOLE_MAP = 300_000
LONG_AT_REST = 1000  # after so long the script has heard of a step that is shown
# The last that hears of a click notes if anybody has taken it from the browser, and takes it.
CATCH_CLICK = """() => addEventListener("click", (click) => {
  window.isLeftToTheBrowser = !click.defaultPrevented;
  click.preventDefault();
})"""


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_student_walks_the_whole_course(page, server, code):
    """Each lesson asks, is answered by a click, shows its run and its claim, which holds, and leads
    to the next.

    Each asks in every language, and is answered in one: what it shows then, formulas and claims,
    its twins share, and tests of the page without a browser read. The last one ends the course.
    """
    with speaking(code):
        lessons = all_lessons()
        first, *_rest, last = lessons
        answered = {*islice(lessons, [*LANGUAGES].index(code), None, len(LANGUAGES)), last}
        page.goto(f"{server.url}?bench=course&lang={code}")
        page.evaluate("localStorage.clear(); window.visited = true")
        page.get_by_role("link", name=lessons[first].topic).click()
        for lesson in lessons.values():
            until_asked(page, lesson)
            if lesson.key in answered:
                answer(page, lesson)
            if lesson.key != last:
                page.get_by_role("link", name=_("Next →")).click()
        expect(page.get_by_role("link", name=_("Next →"))).to_have_count(0)
        expect(page.get_by_text(_("**The end of the course.**").strip("*"))).to_be_visible()
        look_back(page, len(answered), len(lessons))


def until_asked(page: Page, lesson: Lesson) -> None:
    """See that a lesson asks, and shows nothing yet."""
    page.wait_for_url(f"**/?lesson={lesson.key}&*")
    expect(page.locator("html")).to_have_attribute("lang", html_language())
    expect(page.locator("canvas")).to_have_count(0)
    until_still(page)
    expect(page.get_by_role("button", name=lesson.answer, exact=True)).to_be_visible()
    for link in neighbour_links(lesson.key):  # those of the lesson before stand there a while
        shown = page.get_by_role("link", name=link["label"])
        expect(shown).to_have_attribute("href", link["href"])


def until_still(page: Page) -> None:
    """Wait until the script has ended, and each chart is painted."""
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator(".stVegaLiteChart:not(:has(canvas))")).to_have_count(0)


def answer(page: Page, lesson: Lesson) -> None:
    """Answer a lesson rightly, and see that its claim holds."""
    page.get_by_role("button", name=lesson.answer, exact=True).click()
    expect(page.get_by_text(_("Measured here:"))).to_be_visible(timeout=A_WHOLE_MAP)
    right = _("**✓ Right: {answer}.**").partition("{")[0].strip("* ")
    expect(page.get_by_text(right)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.locator(".katex-error")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    until_still(page)  # a chart that is still laid out moves what is about to be clicked


def look_back(page: Page, answered: int, count: int) -> None:
    """See in the list which lessons are answered, after a reload too, and forget them."""
    said = _("{answered} of {all} answered, {right} right.")
    page.get_by_role("link", name=_("All lessons")).click()
    expect(page.get_by_role("img", name=_("answered right"))).to_have_count(answered)
    assert page.evaluate("window.visited"), "without a page load"
    page.reload()
    right = said.format(answered=answered, all=count, right=answered)
    expect(page.get_by_text(right)).to_be_visible()
    page.get_by_role("button", name=_("Forget them")).click()
    expect(page.get_by_text(said.format(answered=0, all=count, right=0))).to_be_visible()


def test_a_lesson_is_a_link_that_another_browser_opens_as_it_was_left(page, server, browser):
    key = list(all_lessons())[1]
    page.goto(f"{server.url}?lesson={key}")
    page.get_by_role("button", name="Just show me").click()
    expect(page.get_by_text("Measured here:")).to_be_visible()
    page.get_by_role("slider", name="Depth").press("ArrowLeft")
    page.wait_for_url("**depth=*")
    elsewhere = browser.new_context()
    other = elsewhere.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name=all_lessons()[key].title)).to_be_visible()
    expect(other.locator("canvas").first).to_be_visible()
    depth = page.get_by_role("slider", name="Depth").input_value()
    assert other.get_by_role("slider", name="Depth").input_value() == depth
    elsewhere.close()


def test_a_click_for_a_tab_of_its_own_is_left_to_the_browser(page, server):
    """Only what this page has to say of the click is tested: the headless shell of Chromium crashes
    in every few tabs that a link opens.
    """
    page.goto(f"{server.url}?bench=course")
    lesson = next(iter(all_lessons().values()))
    link = page.get_by_role("link", name=lesson.topic)
    expect(link).to_be_visible()
    page.evaluate(CATCH_CLICK)
    link.click(modifiers=["ControlOrMeta"])
    assert page.evaluate("window.isLeftToTheBrowser") is True
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert "bench=course" in page.url
    tab = page.context.new_page()
    tab.goto(link.evaluate("link => link.href"))
    expect(tab.get_by_text(lesson.question[:20])).to_be_visible()
    assert f"lesson={lesson.key}" in tab.url
    tab.close()


def test_back_and_forward_walk_through_lessons(page, server):
    first, second, *_ = all_lessons().values()
    page.goto(f"{server.url}?lesson={first.key}")
    page.get_by_role("link", name="Next").click()
    page.wait_for_url(f"**lesson={second.key}*")
    expect(page.get_by_role("button", name=second.options[0], exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name=first.options[0], exact=True)).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("button", name=second.options[0], exact=True)).to_be_visible()


def test_what_plays_in_a_lesson_ends_with_it(page, server):
    """Nothing of its playback reaches the server any more, where a click would be lost over it."""
    sent, lessons = [], all_lessons()
    page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{server.url}?lesson=bfloat16-range")  # its run is shown at step 0
    answer(page, lessons["bfloat16-range"])
    page.get_by_label("Speed").select_option("Slow")
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("link", name="Next →").click()
    until_asked(page, lessons["epsilon"])  # shown after its last step
    before = len(sent)
    answer(page, lessons["epsilon"])
    page.wait_for_timeout(LONG_AT_REST)
    assert len(sent) == before + 1
    expect(page.get_by_role("slider", name="The step shown")).to_have_value(
        str(lessons["epsilon"].page.experiment.steps)
    )


def test_a_swap_of_two_units_leaves_the_output_where_it_was(page, server):
    page.goto(
        f"{server.url}?section=symmetry&depth=4&width=8&samples=64&batch=8&steps=5&schemes=he_normal"
    )
    expect(page.get_by_text("Units 1 and 2 of layer 1 swapped")).to_be_visible()
    page.get_by_role("button", name="Swap two units").click()
    said = page.get_by_text("Units 3 and 4 of layer 1 swapped")
    expect(said).to_be_visible()
    assert "swaps=1" in page.url
    words = said.inner_text()
    assert "does not move at all" in words or "e−1" in words, "rounding at most"
