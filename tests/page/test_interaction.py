"""The charts under a visitor's hand, in a real Chromium: a place seen in all panels, a step chosen,
a stretch zoomed into.
"""

import re
import time
from functools import cache

import pytest
from playwright.sync_api import Page, expect

from stability import frames
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.text import percent

pytestmark = pytest.mark.browser
QUERY = (
    "schemes=he_normal,xavier_normal&depth=6&width=16&features=8"
    "&samples=256&batch=16&steps=60&seed=41"
)
E = Experiment(
    schemes=("he_normal", "xavier_normal"),
    depth=6,
    width=16,
    features=8,
    samples=256,
    batch=16,
    steps=60,
    seed=41,
)
TRAINING, DEPTH = 0, 1  # the charts, from the left


@pytest.fixture
def message_sizes() -> list[int]:
    """The sizes of all messages to the server."""
    return []


@pytest.fixture
def finished_page(tab, message_sizes) -> Page:
    """A finished run, all of whose steps have arrived."""
    tab.lines[-1].on("framesent", lambda frame: message_sizes.append(len(frame)))
    page = tab.follow(QUERY)
    expect(page.get_by_text("step 60 of 60", exact=True)).to_be_visible()
    page.wait_for_function(
        "views().length == 2 && new Set(rows('profiles').map((row) => row.since)).size > 40"
    )
    until_painted(page)
    return page


def until_painted(page: Page) -> None:
    """Two pictures are painted, and nothing waits to be."""
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def signal(page: Page, chart: int, name: str):
    return page.evaluate("([chart, name]) => views()[chart].signal(name)", [chart, name])


def until(page: Page, chart: int, name: str, value) -> None:
    page.wait_for_function(
        "([chart, name, value]) => "
        "JSON.stringify(views()[chart].signal(name)) === JSON.stringify(value)",
        arg=[chart, name, value],
    )


def words(page: Page, chart: int) -> set[str]:
    """All words and numbers in a picture, but for those of axes."""
    return set(page.evaluate(
        """(chart) => {
          const found = [], look = (item, axis) => {
            if (item.text !== undefined && !axis && item.opacity !== 0) {
              found.push(String(item.text));
            }
            const below = axis || (item.role ?? "").startsWith("axis");
            (item.items ?? []).forEach((child) => look(child, below));
          };
          look(views()[chart].scenegraph().root, false);
          return found;
        }""", chart))  # fmt: skip


def place(page: Page, chart: int, share: float, panel: int = 0) -> tuple[float, float]:
    """The place on the page of a share of a panel's width, in the middle of its height."""
    page.locator("canvas").nth(chart).scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([chart, share, panel]) => {
          const view = views()[chart];
          const box = document.querySelectorAll("canvas")[chart].getBoundingClientRect();
          const groups = [], look = (item, x, y) => {
            if (!item.marktype) [x, y] = [x + (item.x ?? 0), y + (item.y ?? 0)];
            if (item.marktype === undefined && item.items && item.stroke) {
              groups.push([x, y, item.width, item.height]);
            }
            (item.items ?? []).forEach((child) => look(child, x, y));
          };
          const [left, top] = view.origin();
          look(view.scenegraph().root, 0, 0);
          const [x, y, width, height] = groups[panel];
          return [box.x + left + x + share * width, box.y + top + y + height / 2];
        }""",
        [chart, share, panel],
    )  # fmt: skip
    return x, y


def test_a_step_under_the_pointer_is_seen_in_every_panel_and_no_message_is_sent(
    finished_page, message_sizes
):
    """Whichever of the four panels the pointer is in, the heat map among them."""
    before, run = len(message_sizes), finished()
    for panel in range(4):
        finished_page.mouse.move(*place(finished_page, TRAINING, 0.5, panel))
        until(finished_page, TRAINING, "at", 30)
        seen = words(finished_page, TRAINING)
        assert {
            "Loss (thin: held out), step 30",
            "Accuracy (thin: held out), step 30",
            "Gradient norm (log), step 30",
        } <= seen, panel
        for name in ("loss", "accuracy", "gradient_norm"):
            values = [getattr(run.measurements[30], name)[index, 0] for index in range(2)]
            said = [percent(v) if name == "accuracy" else five_letters(v) for v in values]
            assert {"●", "■", *said} <= seen, (panel, name)
        finished_page.mouse.move(5, 5)
        until(finished_page, TRAINING, "at", None)
        assert not any("step 30" in text for text in words(finished_page, TRAINING)), panel
    assert len(message_sizes) == before


def test_the_buttons_of_a_chart_cover_nothing_that_can_be_pressed(finished_page):
    controls = finished_page.locator(
        ".st-key-legend button, .st-key-strip input, .stSelectbox"
    ).all()
    assert len(controls) >= 4, "two names, and what the heat map shows"
    for chart in (TRAINING, DEPTH):
        finished_page.mouse.move(*place(finished_page, chart, 0.5, 0))
        buttons = finished_page.get_by_test_id("stElementToolbar").nth(chart)
        expect(buttons).to_have_css("opacity", "1")
        box = buttons.bounding_box()
        for control in controls:
            assert are_apart(box, control.bounding_box()), chart


def are_apart(one: dict[str, float], other: dict[str, float]) -> bool:
    """True if two boxes share no place."""
    return any(
        first[edge] + first[size] <= second[edge]
        for edge, size in (("x", "width"), ("y", "height"))
        for first, second in ((one, other), (other, one))
    )


def five_letters(value: float) -> str:
    """A number beside a title: as 0.53 or 12, where it is small or large as 5e-3 or 2e+3."""
    text = f"{value:.0e}" if abs(value) < 0.01 or abs(value) >= 1000 else f"{value:.2g}"
    return re.sub(r"e([+-])0", r"e\1", text).replace("e-", "e−")


@cache
def finished() -> Run:
    run = Run(E)
    assert list(run)
    return run


def test_a_layer_under_the_pointer_is_seen_in_all_profiles(finished_page):
    finished_page.mouse.move(*place(finished_page, DEPTH, 0.4, 1))
    until(finished_page, DEPTH, "at", 3)
    titles = {text for text in words(finished_page, DEPTH) if text.endswith(", layer 3")}
    assert titles == {
        "Signal by layer, layer 3",
        "Signal gradient by layer, layer 3",
        "Weight gradient by layer, layer 3",
    }, "without what there is no room for"


def profile_rows(page: Page) -> list[dict]:
    """The profiles that are in the picture now: the rows behind its marks."""
    return page.evaluate(
        """() => {
          const found = [], look = (item) => {
            const { datum, shape } = item;
            if (datum?.marked !== undefined && datum.signal !== undefined && shape) {
              found.push({ ...datum });
            }
            (item.items ?? []).forEach(look);
          };
          look(views()[1].scenegraph().root);
          return found;
        }"""
    )


def test_a_click_moves_the_profiles_to_that_step_and_the_link_says_so(finished_page):
    x, y = place(finished_page, TRAINING, 0.258, 2)
    finished_page.mouse.click(x, y)
    until(finished_page, DEPTH, "step_shown", "15")
    expect(finished_page.get_by_text("step 15 of 60", exact=True)).to_be_visible()
    until_painted(finished_page)
    expected = {
        (row["scheme"], row["layer"]): row["signal"]
        for row in frames.profile_table(finished(), 16).to_pylist()
    }
    marks = {(row["scheme"], row["layer"]): row["signal"] for row in profile_rows(finished_page)}
    assert marks
    assert marks == {key: expected[key] for key in marks}
    finished_page.wait_for_url("**moment=15*")
    finished_page.mouse.dblclick(x, y)
    until(finished_page, DEPTH, "step_shown", "")
    finished_page.wait_for_function("!location.search.includes('moment')")


def test_the_slider_runs_through_the_training_without_the_server_and_never_by_itself(
    finished_page, message_sizes
):
    slider = finished_page.get_by_role("slider", name="The step shown")
    assert signal(finished_page, DEPTH, "step_shown") == ""
    before, seen, pauses = len(message_sizes), [], []
    slider.focus()
    for _ in range(5):  # faster than what is sent waits, unless this machine is busy
        pressed = time.monotonic()
        finished_page.keyboard.press("ArrowLeft")
        seen.append(signal(finished_page, DEPTH, "step_shown"))
        pauses.append(time.monotonic() - pressed)
    assert len(message_sizes) <= before + sum(pause > 0.2 for pause in pauses)
    until_painted(finished_page)
    assert seen == ["59", "58", "57", "56", "55"]
    assert {row["step"] for row in profile_rows(finished_page)} == {55}
    assert slider.get_attribute("aria-valuetext") == "step 55 of 60"
    finished_page.wait_for_url("**moment=55*")
    assert signal(finished_page, TRAINING, "step_shown") == "55", (
        "its rule stands in the other chart"
    )
    finished_page.keyboard.press("Home")
    finished_page.wait_for_url("**moment=0*")
    assert {row["step"] for row in profile_rows(finished_page)} == {0}
    finished_page.go_back()  # also while the script of step 0 still runs
    until(finished_page, DEPTH, "step_shown", "55")


# Steps back, clicks shortly before the server would hear of that, and waits until it has. Returns
# the milliseconds between; nothing if this machine was too slow for it.
CLICKED = """async () => {
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const page = document.querySelector(".stApp"), send = WebSocket.prototype.send;
  const sent = new Promise((done) => {
    WebSocket.prototype.send = function (data) { done(performance.now()); send.call(this, data); };
  });
  const began = performance.now();
  page.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  await pause(150);
  page.click();
  const clicked = performance.now();
  const waited = await sent - clicked;
  return clicked - began < 280 ? waited : null;
}"""


def test_the_server_hears_of_a_step_a_while_after_a_click_which_would_be_lost_else(finished_page):
    waits = [finished_page.evaluate(CLICKED) for _ in range(5)]
    assert all(wait is None or wait > 250 for wait in waits)
    finished_page.wait_for_url("**moment=55*")


def test_a_link_opens_at_its_moment(page, server):
    page.goto(f"{server.url}?{QUERY}&moment=20")
    expect(page.get_by_text("step 20 of 60", exact=True)).to_be_visible()
    page.wait_for_function("views().length == 2")
    until(page, DEPTH, "step_shown", "20")
    page.wait_for_function("new Set(rows('profiles').map((row) => row.since)).size > 40")
    until_painted(page)
    assert {row["step"] for row in profile_rows(page)} == {20}


def test_a_drag_zooms_into_a_stretch_of_all_panels_and_a_double_click_shows_all_again(
    finished_page,
):
    whole = finished_page.evaluate("views()[0].scale('concat_0_x').domain()")
    finished_page.mouse.move(*place(finished_page, TRAINING, 0.25))
    finished_page.mouse.down()
    finished_page.mouse.move(*place(finished_page, TRAINING, 0.4))
    finished_page.mouse.move(*place(finished_page, TRAINING, 0.5))
    finished_page.mouse.up()
    finished_page.wait_for_function("views()[0].signal('zoom')")
    domains = finished_page.evaluate(
        "[0, 1, 2, 3].map((panel) => views()[0].scale(`concat_${panel}_x`).domain())"
    )
    assert domains == [pytest.approx([15, 30], abs=1)] * 4
    assert signal(finished_page, DEPTH, "step_shown") == "", "a drag is no click"
    finished_page.mouse.dblclick(*place(finished_page, TRAINING, 0.5))
    until(finished_page, TRAINING, "zoom", None)
    assert finished_page.evaluate("views()[0].scale('concat_0_x').domain()") == whole
    assert whole == [pytest.approx(0, abs=2), pytest.approx(60, abs=2)], "and room at both ends"


def test_a_scheme_stands_alone_by_its_legend_or_its_name_at_the_line(finished_page, message_sizes):
    before = len(message_sizes)
    button = finished_page.get_by_role("button", name="Xavier (normal)", exact=True)
    button.click()
    for chart in (TRAINING, DEPTH):
        until(finished_page, chart, "alone", "xavier_normal")
    expect(button).to_have_attribute("aria-pressed", "true")
    until_painted(finished_page)
    faint = finished_page.evaluate(
        """() => {
          const found = {}, look = (item) => {
            const scheme = item.datum?.scheme;
            if (scheme && item.opacity !== undefined) {
              (found[scheme] ??= new Set()).add(item.opacity);
            }
            (item.items ?? []).forEach(look);
          };
          look(views()[0].scenegraph().root);
          return Object.fromEntries(
            Object.entries(found).map(([scheme, seen]) => [scheme, Math.max(...seen)])
          );
        }"""
    )
    assert faint == {"he_normal": 0.125, "xavier_normal": 1}
    button.click()
    until(finished_page, DEPTH, "alone", "")
    x, y = place_of_words(finished_page, TRAINING, "He (normal)")
    finished_page.mouse.click(x + 12, y)
    until(finished_page, DEPTH, "alone", "he_normal")
    assert len(message_sizes) == before


def place_of_words(page: Page, chart: int, words: str) -> tuple[float, float]:
    """The place on the page where words of a picture are anchored."""
    page.locator("canvas").nth(chart).scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([chart, words]) => {
          const view = views()[chart], found = [];
          const box = document.querySelectorAll("canvas")[chart].getBoundingClientRect();
          const look = (item, x, y) => {
            if (!item.marktype) [x, y] = [x + (item.x ?? 0), y + (item.y ?? 0)];
            if (item.text === words) found.push([x, y]);
            (item.items ?? []).forEach((child) => look(child, x, y));
          };
          look(view.scenegraph().root, 0, 0);
          const [left, top] = view.origin(), [x, y] = found[0];
          return [box.x + left + x, box.y + top + y];
        }""",
        [chart, words],
    )
    return x, y


def test_an_axis_holds_the_living_and_a_click_on_what_leaves_it_shows_everything(tab):
    page = tab.follow(f"{QUERY.replace('xavier_normal', 'normal:30')}&depth=24")
    expect(page.get_by_text("step 60 of 60", exact=True)).to_be_visible()
    page.wait_for_function("views().length == 2 && views()[1].signal('whole') === false")
    until_painted(page)

    def axis() -> list[float]:
        until_painted(page)
        return page.evaluate("views()[1].scale('concat_0_y').domain()")

    living = axis()
    (leaving, *_) = sorted(text for text in words(page, DEPTH) if text.startswith("↑ Normal 30"))
    x, y = place_of_words(page, DEPTH, leaving)
    page.mouse.click(x - 20, y + 5)
    until(page, DEPTH, "whole", True)
    whole = axis()
    assert whole[1] > 1e6 * living[1]
    page.mouse.click(x - 20, y + 5)  # on the words that lead back
    until(page, DEPTH, "whole", False)
    assert axis() == living
    page.get_by_role("button", name="Normal 30", exact=True).click()
    until(page, DEPTH, "alone", "normal:30")
    assert axis()[1] == whole[1], "alone it has an axis of its own"
