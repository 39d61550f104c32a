"""The page in a real Chromium, on a real server: what grows, what stays, what the address says, and
what it looks like.
"""

import re
import shutil
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

import pytest
from local_server import ROOT, Server
from playwright.sync_api import Page, expect
from shared_fixtures import EYES, WIDE
from tab import PATIENCE

from stability import frames
from stability.charts import palette
from stability.engine.runs import Run
from stability.records.experiment import Experiment

pytestmark = pytest.mark.browser
SMALL = "depth=6&width=16&features=8&samples=256&batch=16&steps=60"  # done in a blink
LONGER = SMALL.replace("steps=60", "steps=1500")  # a second or more, of any machine
# still training whatever a test does
LONG = "v=1&schemes=he_normal,xavier_normal&depth=10&width=32&steps=5000"


def open_page(page: Page, server: Server, query: str = "") -> Page:
    page.goto(f"{server.url}?{query}")
    page.wait_for_function("rows('bands')")
    return page


@lru_cache
def experiment(query: str) -> Experiment:
    return Experiment.from_query(dict(parse_qsl(query)))[0]


@lru_cache
def final_rows(e: Experiment) -> tuple[list[dict], list[dict]]:
    """The rows that both charts hold at the end, computed here."""
    run = Run(e).train()
    curves, profiles = frames.training_tables(run), frames.depth_tables(run, replay=True)
    return curves["bands"].to_pylist(), profiles["profiles"].to_pylist()


def until_shown(page: Page, e: Experiment) -> None:
    """Waits for the end of this very experiment: every number in both charts, the controls and the
    address.
    """
    for name, expected in zip(("bands", "profiles"), final_rows(e), strict=True):
        page.wait_for_function(
            "([name, rows]) => JSON.stringify(window.rows(name)) === JSON.stringify(rows)",
            arg=[name, expected],
        )
    expect(page.get_by_text(f"step {e.steps} of {e.steps}", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Activation")).to_have_value(e.phi.label)
    assert address(page) == e
    assert controls(page) == (e.depth, e.phi.label, e.optimizer_row.label)


def address(page: Page) -> Experiment:
    return experiment(urlsplit(page.url).query)


def controls(page: Page) -> tuple[int, str, str]:
    """The values that three controls show."""
    depth = page.get_by_role("slider", name="Depth").input_value()
    return int(depth), *(
        page.get_by_role("combobox", name=name).input_value()
        for name in ("Activation", "Optimizer")
    )


def unfold(page: Page, group: str) -> None:
    page.locator("summary").filter(has_text=group).click()


def choose(page: Page, label: str, row: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).fill(
        row
    )  # of a long menu only a part is there until one types
    page.get_by_role("option", name=row, exact=True).click()
    page.keyboard.press(
        "Escape"
    )  # a menu of chips stays open, and hides what is behind it from those who hear the page


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def newest(page: Page) -> int:
    return page.evaluate("newest()")


# Training


def test_curves_of_two_schemes_grow_and_differ_while_they_train(page, server):
    open_page(page, server, LONG)
    seen = [newest(page)]
    while len(seen) < 4:
        page.wait_for_function("last => newest() > last", arg=seen[-1])
        seen.append(newest(page))
    assert seen == sorted(set(seen))
    assert seen[-1] < 5000, "it grew while it trained"
    page.wait_for_function("rows('bands').length > 2 * 2")  # of each scheme
    bands = page.evaluate("rows('bands')")
    he, xavier = (
        [row["loss"] for row in bands if row["scheme"] == scheme]
        for scheme in ("he_normal", "xavier_normal")
    )
    assert len(he) == len(xavier) > 2
    assert he != xavier


def test_the_charts_stay_in_place_while_they_grow(page, server):
    open_page(page, server, "seed=11&steps=150")
    page.wait_for_function("rows('profiles')")
    expect(page.locator("canvas")).to_have_count(2)
    page.evaluate(
        "document.querySelectorAll('canvas').forEach((canvas) => { canvas.first = true; })"
    )
    places = """[...document.querySelectorAll("canvas")].map(
      (canvas) => [canvas.first, canvas.width, canvas.height]
    )"""
    before = page.evaluate(places)
    until_shown(page, experiment("seed=11&steps=150"))
    assert page.evaluate(places) == before, "a new canvas is a flicker, another size a jump"


def test_the_charts_are_never_gone_when_something_is_changed(tab):
    page = tab.follow(f"{SMALL}&seed=16")
    until_shown(page, experiment(f"{SMALL}&seed=16"))
    selector = "[data-testid=stVegaLiteChart]"
    expect(page.locator(selector)).to_have_count(2)
    # At every frame that is painted, so that what a quick eye would see is seen.
    page.evaluate(
        """charts => {
          window.fewest = 2;
          const look = () => {
            window.fewest = Math.min(window.fewest, document.querySelectorAll(charts).length);
            requestAnimationFrame(look);
          };
          look();
        }""",
        selector,
    )
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    until_shown(page, experiment(f"{SMALL}&seed=16".replace("depth=6", "depth=7")))
    choose(page, "Activation", "Tanh")
    until_shown(page, experiment(f"{SMALL}&seed=16&activation=tanh".replace("depth=6", "depth=7")))
    assert page.evaluate("fewest") == 2


def test_a_pause_keeps_a_step_while_the_run_trains_on_and_play_follows_it_again(page, server):
    open_page(page, server, LONG.replace("depth=10", "depth=20") + "&seed=12")
    press(page, "Pause")
    page.wait_for_url("**moment=*")  # the step of the pause, or the last before it that is kept
    stopped = int(re.search(r"moment=(\d+)", page.url)[1])
    page.wait_for_function("step => newest() > step + 10", arg=stopped)
    expect(page.get_by_text(f"step {stopped} of 5000", exact=True)).to_be_visible()
    press(page, "Play")
    page.wait_for_function("!location.search.includes('moment')")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_a_short_run_comes_between_and_long_ones_take_turns_and_say_so(page, visitor, server):
    first = visitor.new_page()  # of a length that even a machine that others use is not refused
    open_page(first, server, LONG.replace("depth=10", "depth=30") + "&seed=13")
    page.goto(f"{server.url}?{SMALL}&seed=13")
    until_shown(page, experiment(SMALL + "&seed=13"))
    page.goto(f"{server.url}?{LONG}&seed=14")
    expect(page.get_by_text("1 training before yours")).to_be_visible()
    first.close()
    expect(page.get_by_text("before yours")).to_be_hidden()


def test_a_slider_dragged_while_it_trains_ends_with_the_last_state(page, server):
    open_page(page, server, SMALL + "&seed=14&steps=400&depth=20")
    page.evaluate(
        """() => {
          window.queued = false;
          const look = () => {
            queued ||= document.body.innerText.includes("before yours");
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    thumb = page.get_by_role("slider", name="Depth")
    box = thumb.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for place in range(12):
        page.mouse.move(x + 3 * (place % 5), y)
        page.wait_for_function(
            "() => new Promise(requestAnimationFrame)"
        )  # the browser has seen this place
    page.mouse.up()
    dragged = int(thumb.input_value())
    assert dragged > 20
    for key in ["ArrowRight", "ArrowLeft"] * 5 + ["ArrowRight"] * 2:
        thumb.press(key)
    depth = dragged + 2  # no touch is lost over what the server sends meanwhile
    until_shown(page, experiment(f"{SMALL}&seed=14&steps=400&depth={depth}"))
    assert not page.evaluate("queued"), "a run of one's own that was left is nobody else's"


def test_a_refused_run_offers_the_nearest_that_fits_and_takes_it(tab):
    page = tab.follow("depth=40&width=128&steps=5000&replicates=4&seed=15")
    offer = page.get_by_role("button", name=re.compile("^Use "))
    offer.click()
    page.wait_for_function("rows('bands')")
    expect(offer).to_have_count(0)
    asked = experiment("depth=40&width=128&steps=5000&replicates=4&seed=15")
    assert address(page) != asked
    assert address(page).seed == asked.seed


# The state and its address


def test_three_changes_then_back_three_times_and_forward(page, server):
    """And the reloaded link gives the very same curves."""
    at = [f"{SMALL}&seed=21", f"{SMALL}&seed=21", f"{SMALL}&seed=21", f"{SMALL}&seed=22"]
    at[1:] = [query.replace("depth=6", "depth=7") for query in at[1:]]
    at[2:] = [query + "&activation=tanh" for query in at[2:]]
    states = [experiment(query) for query in at]
    open_page(page, server, at[0])
    until_shown(page, states[0])
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    until_shown(page, states[1])
    choose(page, "Activation", "Tanh")
    until_shown(page, states[2])
    unfold(page, "Compare, more")
    page.get_by_role("spinbutton", name="Seed").fill("22")
    page.keyboard.press("Enter")
    until_shown(page, states[3])
    for state in reversed(states[:3]):
        page.go_back()
        until_shown(page, state)
    page.go_forward()
    until_shown(page, states[1])
    page.reload()
    until_shown(page, states[1])


def test_going_back_after_reload_still_works(page, server):
    open_page(page, server, f"{SMALL}&seed=23")
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    until_shown(page, experiment(f"{SMALL}&seed=23".replace("depth=6", "depth=7")))
    page.reload()
    until_shown(page, experiment(f"{SMALL}&seed=23".replace("depth=6", "depth=7")))
    page.go_back()
    until_shown(page, experiment(f"{SMALL}&seed=23"))


def test_a_change_after_going_back_is_taken(tab):
    page = tab.follow(f"{SMALL}&seed=24")
    until_shown(page, experiment(f"{SMALL}&seed=24"))
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    until_shown(page, experiment(f"{SMALL}&seed=24".replace("depth=6", "depth=7")))
    page.go_back()
    until_shown(page, experiment(f"{SMALL}&seed=24"))
    choose(page, "Activation", "Tanh")
    until_shown(page, experiment(f"{SMALL}&seed=24&activation=tanh"))


def test_going_back_while_it_trains_shows_the_earlier_state(page, server):
    open_page(page, server, f"{LONGER}&seed=25")
    page.wait_for_function("newest() > 60")
    choose(page, "Activation", "Tanh")
    page.wait_for_url("**activation=tanh**")  # far from its end when Back is pressed
    page.go_back()
    until_shown(page, experiment(f"{LONGER}&seed=25"))


def test_the_copied_link_opens_the_same_state_elsewhere(page, server, browser):
    query = f"v=1&schemes=he_normal,normal:0.02&{SMALL}&seed=26"
    open_page(page, server, query)
    until_shown(page, experiment(query))
    press(page, "Copy link")
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "schemes=he_normal,normal:0.02" in link, "spelled plainly"
    elsewhere = browser.new_context(viewport=WIDE)
    elsewhere.set_default_timeout(PATIENCE)
    elsewhere.add_init_script(EYES)
    other = elsewhere.new_page()
    other.goto(link)
    until_shown(other, experiment(query))
    elsewhere.close()


def pictures(page: Page) -> list[str]:
    """Both charts as they are painted."""
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    return page.evaluate(
        "[...document.querySelectorAll('[data-testid=stVegaLiteChart] canvas')]"
        ".map((c) => c.toDataURL())"
    )


def test_pinned_and_changed_the_link_shows_a_second_browser_the_same_two_pictures(
    page, server, browser
):
    query, changed = f"{SMALL}&seed=34", f"{SMALL}&seed=34&activation=tanh"
    open_page(page, server, query)
    until_shown(page, experiment(query))
    press(page, "Pin")
    choose(page, "Activation", "Tanh")
    until_shown(page, experiment(changed))
    page.wait_for_function("rows('pinned').length > 0")
    expect(page.get_by_role("button", name="activation ReLU")).to_be_visible()
    assert {row["run"] for row in page.evaluate("rows('pinned')")} == {"activation ReLU"}
    press(page, "Copy link")
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "pin.activation=relu" in link
    elsewhere = browser.new_context(viewport=WIDE)
    elsewhere.set_default_timeout(PATIENCE)
    elsewhere.add_init_script(EYES)
    other = elsewhere.new_page()
    other.goto(link)
    until_shown(other, experiment(changed))
    other.wait_for_function("rows('pinned').length > 0")
    expect(other.locator("canvas")).to_have_count(2)
    assert pictures(other) == pictures(page)
    press(page, "activation ReLU")
    expect(page.get_by_role("button", name="activation ReLU")).to_have_count(0)
    until_shown(page, experiment(changed))
    elsewhere.close()


def test_a_row_of_what_was_tried_opens_its_settings_again(tab):
    query = f"{SMALL}&seed=35&schemes=he_normal"
    page = tab.follow(query)
    until_shown(page, experiment(query))
    choose(page, "Activation", "Tanh")
    until_shown(page, experiment(f"{query}&activation=tanh"))
    page.get_by_role("radio", name="Tried").click()
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(
        box["x"] + 33, box["y"] + 2 * 35 + 17
    )  # the button of the second row; rows are 35 pixels high, the newest on top
    until_shown(page, experiment(query))


def test_a_search_for_a_cure_grows_gives_way_to_a_slider_and_its_rows_can_be_applied(tab):
    sick = "schemes=normal:0.001&depth=8&width=32&features=8&samples=256&batch=32&steps=150"
    page = tab.follow(f"{sick}&seed=36")
    expect(page.get_by_text("step 150 of 150", exact=True)).to_be_visible()
    press(page, "Find a cure")
    progress = page.get_by_text(re.compile(r"^Normal 0\.001: \d+ of \d+ changes tried"))
    expect(progress).to_be_visible()
    page.get_by_role("slider", name="Depth").press("ArrowRight")
    page.wait_for_function("rows('profiles').some((row) => row.layer === 9)")  # of the new run
    expect(page.get_by_text(re.compile(r"^\d+ of .*; step 150 of 150$"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Seen to cure"))).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"^Normal 0\.001: \d+ of \d+ changes tried"))
    ).to_be_visible()
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    box, before = table.bounding_box(), address(page)
    page.mouse.click(box["x"] + 33, box["y"] + 35 + 17)
    page.wait_for_function("before => location.href !== before", arg=page.url)
    assert address(page) != before


@pytest.mark.parametrize("comma", [",", "%2C"])
def test_both_spellings_of_a_comma_open(tab, comma):
    page = tab.follow(f"schemes=he_normal{comma}zeros&{SMALL}&seed=27")
    until_shown(page, experiment(f"schemes=he_normal,zeros&{SMALL}&seed=27"))
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_a_broken_link_opens_with_one_notice_in_plain_text(tab):
    page = tab.follow(f"{SMALL}&seed=28&activation=**reluu**[x](y)<b>&wings=%00%FF&width=9999")
    notice = page.get_by_test_id("stAlert")
    expect(notice).to_have_count(1)
    for text in ("**reluu**[x](y)<b>", "wings", "9999"):
        expect(notice).to_contain_text(text)
    assert notice.locator("a, b, strong").count() == 0
    page.wait_for_function("rows('bands')")


def test_a_notice_that_goes_leaves_nothing_behind(page, server):
    open_page(page, server, f"{LONGER}&seed=29&wings=2")
    page.wait_for_function("newest() > 60")
    choose(page, "Activation", "Tanh")
    page.wait_for_url("**activation=tanh**")  # still training when the counting is done
    page.wait_for_function("newest() > 60")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert page.get_by_test_id("stVegaLiteChart").count() == 2


def test_a_broken_link_puts_no_link_of_its_own_on_the_page(tab):
    targets = "activation=http://127.0.0.1/&optimizer=www.example.org&dataset=someone@example.org"
    page = tab.follow(f"{SMALL}&seed=28&{targets}")
    notice = page.get_by_test_id("stAlert")
    for word in ("activation", "optimizer", "dataset"):
        expect(notice).to_contain_text(word)
    assert notice.get_by_role("link").count() == 0


# Controls


def test_a_scheme_typed_by_hand_becomes_a_chip_that_stays(tab):
    page = tab.follow(f"{SMALL}&seed=31&schemes=he_normal")
    page.get_by_role("combobox", name="Initializations").fill("normal:0.02")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    until_shown(page, experiment(f"{SMALL}&seed=31&schemes=he_normal,normal:0.02"))
    expect(page.get_by_role("button", name="Remove Normal 0.02")).to_be_visible()
    choose(page, "Initializations", "Zeros")
    until_shown(page, experiment(f"{SMALL}&seed=31&schemes=he_normal,normal:0.02,zeros"))
    press(page, "Remove He (normal)")
    until_shown(page, experiment(f"{SMALL}&seed=31&schemes=normal:0.02,zeros"))


def test_a_bad_entry_is_named_and_the_other_chips_stay(tab):
    page = tab.follow(f"{SMALL}&seed=32&schemes=he_normal")
    page.get_by_role("combobox", name="Initializations").fill("he_norml")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stAlert")).to_contain_text("he_norml")
    expect(page.get_by_role("button", name="Remove He (normal)")).to_be_visible()
    expect(page.get_by_role("button", name="Remove he_norml")).to_have_count(0)
    assert address(page).schemes == ("he_normal",)


def test_without_a_scheme_a_sentence_stands_where_the_curves_were(tab):
    page = tab.follow(f"{SMALL}&seed=33")
    press(page, "Clear all")
    expect(page.get_by_test_id("stAlert")).to_contain_text("initialization")
    expect(page.locator("canvas")).to_have_count(0)
    choose(page, "Initializations", "He (normal)")
    until_shown(page, experiment(f"{SMALL}&seed=33&schemes=he_normal"))


# Looks


@pytest.mark.parametrize(
    ("width", "theme"), [(400, "dark"), (900, "light"), (1400, "dark"), (1920, "light")]
)
def test_nothing_is_wider_than_the_window(tab, width, theme):
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.page.emulate_media(color_scheme=theme)
    page = tab.follow(f"{SMALL}&replicates=2&seed=41")
    page.wait_for_function("rows('bands') && rows('profiles')")
    expect(page.locator("canvas")).to_have_count(2)
    widths = (
        "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
        ".map((e) => e.scrollWidth)"
    )
    page.wait_for_function(f"width => {widths}.every((found) => found <= width)", arg=width)
    left, right = (canvas.bounding_box() for canvas in page.locator("canvas").all())
    for box in (left, right):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["width"] > 200
    beside = left["x"] + left["width"] <= right["x"]
    assert beside or left["y"] + left["height"] <= right["y"], "no chart covers the other"


COUNT_SHIFTS = """window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


@pytest.mark.parametrize("size", [(400, 850), (800, 1000), (1280, 720), (1400, 900), (1920, 1080)])
def test_nothing_jumps_while_the_page_opens_and_the_first_run_is_trained(page, server, size):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.add_init_script(COUNT_SHIFTS)
    page.goto(f"{server.url}?seed={size[0]}")  # which nobody trained yet
    expect(page.locator(".card", has_text="last batch")).to_have_count(3)
    expect(page.get_by_text("step 300 of 300", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Find a cure").first).to_be_visible()
    # 0.1 is where the Web Vitals begin to call a page unsteady.
    assert page.evaluate("shifts") <= 0.05


def pixels(page: Page, chart: int, colour: str) -> int:
    """Count the pixels of a chart that have exactly this colour."""
    return page.evaluate(
        """([chart, colour]) => {
          const canvas = document.querySelectorAll("canvas")[chart];
          const copy = new OffscreenCanvas(canvas.width, canvas.height)
            .getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
          const wanted = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
          let count = 0;
          for (let i = 0; i < data.length; i += 4) {
            count += data[i + 3] && wanted.every((part, j) => data[i + j] === part);
          }
          return count;
        }""",
        [chart, colour],
    )


def test_every_scheme_is_drawn_in_its_colour_in_both_charts(tab):
    query = f"{SMALL}&seed=43&schemes=he_normal,xavier_normal,orthogonal,normal:0.1"
    page = tab.follow(query)
    until_shown(page, experiment(query))
    for index in palette.scheme_style_indices(experiment(query).schemes).values():
        for chart in (0, 1):
            assert pixels(page, chart, palette.SCHEME_COLOURS[index]) > 100


def test_exact_zeros_are_grey_in_the_heat_map_and_not_blank(tab):
    query = f"{SMALL}&seed=44&schemes=zeros"
    page = tab.follow(query)
    until_shown(page, experiment(query))
    share = 5 / 6  # all layers but the last one
    assert (
        pixels(page, 0, "#6b6b6b") > 0.5 * share * 120 * 300
    )  # of a map 120 high and at least 300 wide


def test_the_charts_have_names_for_those_who_hear_the_page(tab):
    page = tab.follow(f"{SMALL}&seed=42")
    for name in ("Training:", "Through the depth:"):
        expect(page.get_by_label(name).first).to_be_visible()


def test_the_picture_of_the_readme_can_be_taken(page, server, request, tmp_path):
    open_page(page, server)
    until_shown(page, Experiment())
    picture = tmp_path / "page.png"
    page.screenshot(path=picture, animations="disabled", caret="hide")
    assert 20_000 < picture.stat().st_size < 250_000
    if request.config.getoption("--update-docs", default=False):
        shutil.copy(picture, ROOT / "docs" / "page.png")


def test_the_script_wakes_when_the_line_is_back_so_that_the_next_touch_counts(page, server):
    lines = []
    page.on("websocket", lambda line: lines.append(line))
    open_page(page, server, SMALL)
    expect(page.get_by_text("step 60 of 60", exact=True)).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    with lines[-1].expect_event("framesent"):
        page.evaluate(
            """async () => {
                const page = document.querySelector("[data-test-connection-state=CONNECTED]");
                for (const state of ["CONNECTING", "CONNECTED"]) {
                    page.setAttribute("data-test-connection-state", state);
                    await new Promise(requestAnimationFrame);
                }
            }"""
        )
