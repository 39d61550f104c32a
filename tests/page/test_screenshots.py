"""Every state of the page as a picture, at the widths of a desk, a tablet and a phone, light and
dark.

`python tests/run.py tests/page/test_screenshots.py --update-docs` makes those in docs/ anew, all of
them; else each state is looked at in one width and theme.
"""

import io
import re
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path

import pytest
from local_server import ROOT, Server, served
from PIL import Image
from playwright.sync_api import Page, expect
from tab import PATIENCE

pytestmark = pytest.mark.browser
DOCS = ROOT / "docs"
SIZES = {1400: 1000, 800: 1200, 400: 1600}
THEMES = "light", "dark"
LOOKS = list(product(SIZES, THEMES))
MOST = 120_000  # bytes of one picture
# The pictures of README.zh.md, at 1400 pixels. They are made by hand, as machines that run tests
# rarely have a font with Chinese letters.
CHINESE = {f"first-visit-zh-{theme}.png" for theme in THEMES}
LONG = "v=1&schemes=he_normal,xavier_normal&depth=10&width=32&steps=5000"
FUNCTIONS = (
    "dataset=moons&depth=6&width=32&optimizer=adam&learning_rate=0.003"
    "&schemes=he_normal,xavier_normal,zeros"
)

MAP = "bench=map&x_cells=11&y_cells=8&steps=50&width=16&batch=16&learning_rate=0.1&y_range=2,44"


def until_finished(page: Page) -> None:
    expect(page.get_by_text(re.compile(r"^step (\d+) of \1$"))).to_be_visible()


def until_training(page: Page) -> None:
    page.wait_for_function("newest() > 1000")


def pause(page: Page) -> None:
    page.wait_for_function("newest() > 200")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.mouse.move(0, 0)
    expect(page.get_by_role("tooltip")).to_have_count(0)


def scroll_to_functions(page: Page) -> None:
    until_finished(page)
    page.get_by_text("The first network of each initialization").scroll_into_view_if_needed()


def until_mapped(page: Page) -> None:
    expect(page.get_by_text("all 88 cells")).to_be_visible(timeout=4 * PATIENCE)


def clear_all(page: Page) -> None:
    phone = page.viewport_size["width"] == 400
    if phone:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("Choose at least one initialization")).to_be_attached()
    if phone:
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    expect(page.get_by_text("Choose at least one initialization")).to_be_visible()


def until_visible(words: str) -> Callable[[Page], None]:
    return lambda page: expect(page.get_by_text(words).first).to_be_visible()


STATES: dict[
    str, tuple[str, Callable[[Page], None]]
] = {  # the link, and what is done and waited for
    "first-visit": ("", until_finished),
    "loading": ("", until_visible("Getting ready")),
    "training": (f"{LONG}&seed=71{{look}}", until_training),
    "queued": (f"{LONG}&seed=72{{look}}", until_visible("1 training before yours")),
    "paused": (f"{LONG}&seed=73{{look}}", pause),
    "diverged": (
        "schemes=normal:1,normal:2,pytorch&depth=30&replicates=3&steps=100&seed=74",
        until_finished,
    ),
    "empty": ("seed=75&steps=20", clear_all),
    "error": (
        "wings=2&depth=40&width=128&steps=5000&replicates=4",
        until_visible("This run would take about"),
    ),
    "learned": (f"{FUNCTIONS}&section=learned&seed=76", scroll_to_functions),
    "lesson": ("lesson=vanishing-sigmoid&answer=3", until_visible("Measured here:")),
    "present": (
        "lesson=vanishing-sigmoid&answer=shown&view=present",
        until_visible("Measured here:"),
    ),
    "network": ("bench=network", until_visible("Vanishing")),
    "map": (MAP, until_mapped),
    "products": ("bench=product&section=healing", until_visible("factor 100 of 100")),
}


def pytest_generate_tests(metafunc):
    if "look" in metafunc.fixturenames:
        every = metafunc.config.getoption("--update-docs")
        one_each = list(zip(STATES, cycle(LOOKS[1:] + LOOKS[:1])))
        cases = list(product(STATES, LOOKS)) if every else one_each
        metafunc.parametrize(
            ("state", "look"),
            cases,
            ids=[f"{state}-{width}-{theme}" for state, (width, theme) in cases],
        )


@pytest.fixture
def home(state: str, page: Page, request, tmp_path) -> Iterator[Server]:
    """The server of all; to see how it gets ready, one of its own that is not yet."""
    if state != "loading":
        yield request.getfixturevalue("server")
        return
    ready = tmp_path / "ready"
    with served("tests/app_starting_slowly.py", READY=str(ready), PYTHONPATH=str(ROOT)) as server:
        yield server
        page.goto("about:blank")  # before its server is gone
        ready.touch()


@pytest.fixture
def crowd(state: str, look: tuple[int, str], visitor, server) -> Iterator[None]:
    """Somebody who trains before, where one waits."""
    if state != "queued":
        yield
        return
    other = visitor.new_page()
    longer = LONG.replace("depth=10", "depth=50")
    other.goto(f"{server.url}?{longer}&seed=70{LOOKS.index(look)}")
    other.wait_for_function("newest() > 0")
    yield
    other.close()


def test_nothing_of_a_state_is_cut_off_or_lies_over_another(
    page, home, crowd, state, look, request
):
    width, theme = look
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.add_init_script(
        "if (location.host) localStorage.clear()"
    )  # whether the sidebar was folded at another width
    query, ready = STATES[state]
    page.goto(f"{home.url}?{query.format(look=LOOKS.index(look))}")  # trained for no other look yet
    ready(page)
    until_painted(page)
    assert overflowing(page) == []
    assert overlapping(page) == []
    picture = small(page.screenshot(animations="disabled", caret="hide"))
    assert 1_000 < len(picture) < MOST
    if request.config.getoption("--update-docs"):
        (DOCS / f"{state}-{width}-{theme}.png").write_bytes(picture)


def until_painted(page: Page) -> None:
    """All charts of the page are painted."""
    page.wait_for_function(
        "!document.querySelector('[data-testid=stSkeleton], .stVegaLiteChart:not(:has(canvas))')"
    )
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def overflowing(page: Page) -> list[str]:
    """The elements wider than their place: the page itself, and words of buttons, cards, notices
    and labels.
    """
    return page.evaluate(
        """() => [...document.querySelectorAll(
          "html, [data-testid=stMain], button p, .card, .card span, [data-testid=stAlert] p, "
          + "label p, .said, .heading p, h1, h2"
        )].filter((element) => element.checkVisibility()
          && element.scrollWidth > element.clientWidth + 1
          && getComputedStyle(element).display !== "inline"
        ).map((element) =>
          `${element.localName}.${element.className}: ${element.textContent.slice(0, 40)}`
        )"""
    )


def overlapping(page: Page) -> list[str]:
    """Pairs of charts, cards, buttons and inputs of the page that share a place."""
    return page.evaluate(
        """() => {
          const main = document.querySelector("[data-testid=stMain]");
          const kinds = "canvas.marks, .card, .stButton, .stSelectbox, h1, h2:not(.card h2)";
          const seen = (element) => element.checkVisibility()
            && getComputedStyle(element.closest(".heading") ?? element).clipPath === "none";
          const boxes = [...main.querySelectorAll(kinds)].filter(seen).map((element) => [
            element.localName + " " + element.textContent.slice(0, 30),
            element.getBoundingClientRect(),
          ]);
          const over = (one, other) =>
            Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
            && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;
          return boxes.flatMap(([name, box], place) => boxes.slice(place + 1)
            .filter(([, other]) => over(box, other)).map(([other]) => `${name} / ${other}`));
        }"""
    )


def small(picture: bytes) -> bytes:
    """The same as a PNG of 128 colours."""
    file = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        file, "PNG", optimize=True
    )
    return file.getvalue()


def test_docs_hold_every_state_in_every_look_and_nothing_else():
    wanted = {f"{state}-{width}-{theme}.png" for state in STATES for width, theme in LOOKS}
    assert {path.name for path in DOCS.glob("*.png")} == wanted | CHINESE
    assert all(Path(DOCS / name).stat().st_size < MOST for name in wanted | CHINESE)
    assert all(name in (ROOT / "README.zh.md").read_text(encoding="utf-8") for name in CHINESE)
    listed = (DOCS / "README.md").read_text(encoding="utf-8")
    assert all(name in listed for name in wanted)
