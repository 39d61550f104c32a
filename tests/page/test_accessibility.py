"""The page for everybody, in a real Chromium: names, contrast, keys, stillness, tables; colours
that stay apart as painted.
"""

import io
import tomllib
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from colour_vision import APART, READERS, contrast, lab, linear
from local_server import ROOT
from PIL import Image
from playwright.sync_api import Page, expect
from tab import still

from stability.charts import palette
from stability.charts.channels import INK
from stability.course.lessons import all_lessons
from stability.records.experiment import Experiment
from stability.records.view import BENCH_LINKS

pytestmark = pytest.mark.browser
SMALL = "depth=4&width=8&features=8&samples=64&batch=8&steps=12&seed=51"
FEW = "bench=product&n=3&count=12&replicates=5"
MAP = "bench=map&x_cells=3&y_cells=3&y_range=2,4&steps=4&width=8&samples=64&batch=8"
LESSON = next(iter(all_lessons()))
STATES = {
    "first visit": "",
    "finished": SMALL,
    "diverged": f"{SMALL}&schemes=he_normal,normal:300",
    "a broken link": f"{SMALL}&wings=2&depth=x",
    "refused": "depth=40&width=128&steps=5000&replicates=4",
    "waiting chips": f"{SMALL}&pin.depth=3&replicates=2",
    "the list of lessons": "bench=course",
    "a question": f"lesson={LESSON}",
    "its answer": f"lesson={LESSON}&answer=shown",
    "for a room": f"{SMALL}&view=present",
    "a question for a room": f"lesson={LESSON}&view=present",
}
STATES |= {
    f"train, {key}": f"{SMALL}&dataset=moons&section={key}" for key in BENCH_LINKS["train"].sections
}
STATES["a network that cannot be read"] = "bench=network&architecture=9-8-x"
STATES |= {
    f"your network, {key}": f"bench=network&section={key}"
    for key in BENCH_LINKS["network"].sections
}
STATES |= {f"map, {key}": f"{MAP}&section={key}" for key in BENCH_LINKS["map"].sections}
STATES |= {f"products, {key}": f"{FEW}&section={key}" for key in BENCH_LINKS["product"].sections}
STATES |= {
    f"in Chinese: {name}": f"{query}&lang=zh"
    for name, query in STATES.items()
    if name in ("finished", "a broken link", "its answer", "for a room", "the list of lessons")
    or name in ("your network, layers", "map, phase", "products, bounds")
}
ALLOWED: dict[tuple[str, str], str] = {}  # rule of axe and selector: the reason why it may stay
FADED = 3000  # milliseconds, after which nothing is left of the page before
GRAVE = ["serious", "critical"]
# axe says of each rule how grave all of its findings are. Those that can find nothing grave rest.
FIND = """async ([options, grave]) => {
  const others = axe._audit.rules.filter(({ impact }) => impact && !grave.includes(impact));
  const rules = Object.fromEntries(others.map(({ id }) => [id, { enabled: false }]));
  return (await axe.run({ resultTypes: ["violations"], rules, ...options })).violations;
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # the rules of axe that a theme decides


def grave_findings(page: Page, **options) -> Iterator[str]:
    """The findings of axe-core that are serious or worse, and not allowed for a reason."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    for violation in page.evaluate(FIND, [options, GRAVE]):
        for node in violation["nodes"] if violation["impact"] in GRAVE else ():
            if (violation["id"], str(node["target"][-1])) not in ALLOWED:
                yield f"{violation['id']}: {node['target']} {node['failureSummary']}"


def lasting_findings(page: Page, **options) -> list[str]:
    """The findings, but for those about what still fades away from the page before."""
    if not (found := list(grave_findings(page, **options))):
        return []
    page.wait_for_timeout(FADED)
    return [finding for finding in grave_findings(page, **options) if finding in found]


def test_axe_finds_nothing_serious_in_any_state(tab):
    """Light; dark, what depends on colours; and at 400 pixels, where the sidebar is folded, what
    stands there in another way than at 1400.
    """
    found = {}
    rounds = {(1400, "light"): {}, (1400, "dark"): {"runOnly": OF_COLOURS}, (400, "dark"): {}}
    for (width, theme), options in rounds.items():
        look(tab.page, width, theme)
        for name, query in STATES.items():
            if width == 1400 or "," not in name:
                page = tab.follow(query)
                found[name, width, theme] = lasting_findings(page, **options)
    assert {state: findings for state, findings in found.items() if findings} == {}


def test_the_language_of_the_page_is_named_to_those_who_read_it_aloud(page, server):
    page.goto(f"{server.url}?{SMALL}")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("button", name="中文")).to_have_count(0)
    page.goto(f"{server.url}?bench=course&lang=zh")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def look(page: Page, width: int, theme: str) -> None:
    """Show the open page at a width and in the colours of a theme."""
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # nothing is half faded
    expect(page.locator(".stApp")).to_have_css("background-color", rgb(theme))
    folded = page.get_by_test_id("stExpandSidebarButton")
    if page.get_by_test_id("stSidebar").count():
        expect(folded).to_have_count(1 if width == 400 else 0)


def rgb(theme: str) -> str:
    """The colour behind a page, as a browser spells it."""
    red, green, blue = bytes.fromhex(config()["theme"][theme]["backgroundColor"][1:])
    return f"rgb({red}, {green}, {blue})"


# Keys


def role_and_name(page: Page) -> tuple[str, str]:
    """Role and name of what has the focus, as they are read out; its text where it has no label."""
    return page.evaluate(
        """() => {
          let at = document.activeElement;
          while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
          const ids = (at.getAttribute("aria-labelledby") ?? "").split(" ");
          const by = ids.map((id) => document.getElementById(id));
          const labels = [...by, ...(at.labels ?? [])]
            .map((label) => label?.textContent ?? "").join(" ");
          return [
            at.getAttribute("role") ?? at.localName,
            (at.ariaLabel || labels || at.textContent || at.title).trim(),
          ];
        }"""
    )


def test_every_control_is_reached_by_the_key_tab_and_has_a_name(page, server):
    page.goto(f"{server.url}?{SMALL}")
    still(page)
    reached = []
    while len(reached) < 200 and (not reached or reached[-1][0] != "body"):
        page.keyboard.press("Tab")
        reached.append(tuple(role_and_name(page)))
    names = [name for _, name in reached[:-1]]
    assert reached[-1][0] == "body", "all round the page, and caught nowhere"
    assert all(names), reached
    wanted = {
        "Find",
        "Initializations",
        "Activation",
        "Depth",
        "Width",
        "Optimizer",
        "Learning rate",
        "Train",
        "He (normal)",
    }
    wanted |= {"The step shown", "Heat map of", "Quantity", "Copy link", "Speed", "Show data"}
    assert {word for word in wanted if not any(word in name for name in names)} == set()
    for word in (
        "Play",
        "To step 0",
        "One step back",
        "One step on",
        "New seed",
        "Reset",
        "Pin",
        "Present",
        "Pre-activations",
    ):
        assert any(name.endswith(word) for name in names), word


@pytest.mark.parametrize(
    "query", [SMALL, f"{SMALL}&section=singular_values", f"{FEW}&section=healing"]
)
def test_behind_a_button_of_every_chart_is_its_table(tab, query):
    page = tab.follow(query)
    charts = page.get_by_test_id("stVegaLiteChart")
    expect(charts.last).to_be_visible()
    count = charts.count()
    for _ in range(count):
        button = page.get_by_role("button", name="Show data").first
        button.focus()
        toolbar = button.locator("xpath=ancestor::*[@data-testid='stElementToolbar']")
        expect(toolbar).to_have_css("opacity", "1")
        page.keyboard.press("Enter")
    expect(charts).to_have_count(0)
    expect(page.get_by_test_id("stDataFrame")).to_have_count(count)
    page.get_by_role("button", name="Show chart").first.press("Enter")
    expect(charts).to_have_count(1)


def test_every_chart_has_a_name_of_its_own_and_words_that_say_what_it_shows(tab):
    for key in BENCH_LINKS["train"].sections:
        page = tab.follow(f"{SMALL}&dataset=moons&section={key}")
        expect(page.get_by_test_id("stVegaLiteChart").nth(1)).to_be_visible()
        charts = page.locator("[role=graphics-document]")
        names = [charts.nth(index).get_attribute("aria-label") for index in range(charts.count())]
        assert len(names) == len(set(names)) == page.get_by_test_id("stVegaLiteChart").count()
        assert all(len(name) > 20 for name in names)
        assert page.locator(".card").count() == len(Experiment().schemes), (
            "a verdict for each scheme"
        )
        closer = page.locator(f".st-key-closer_{key}")
        if closer.locator("[role=graphics-document]").count():
            assert len(closer.locator(".said").first.inner_text()) > 10


# Stillness


def test_nothing_moves_by_itself_for_those_who_ask_for_less_motion(tab):
    tab.page.emulate_media(reduced_motion="reduce")
    page = tab.follow(SMALL)
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].flatMap((element) => {
          const { transitionDuration, animationDuration } = getComputedStyle(element);
          return `${transitionDuration}, ${animationDuration}`.split(", ").map(parseFloat);
        }))"""
    )
    assert longest < 0.001


# Colours, as they are painted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_on_a_picture_of_the_page_stay_apart_for_every_reader(tab, theme):
    """A picture of the training chart with eight schemes, seen with each kind of cones missing."""
    eight = "he_normal,xavier_normal,normal:0.5,orthogonal,pytorch,lecun_normal,he_uniform,zeros"
    e = Experiment(schemes=tuple(eight.split(",")))
    tab.page.emulate_media(color_scheme=theme)
    page = tab.follow(f"{SMALL}&schemes={eight}".replace("steps=12", "steps=60"))
    taken = np.asarray(
        Image.open(io.BytesIO(page.locator(".st-key-left_chart").screenshot())).convert("RGB")
    )
    pixels, counts = np.unique(taken.reshape(-1, 3), axis=0, return_counts=True)
    painted = {
        "#" + bytes(pixel).hex(): count
        for pixel, count in zip(pixels.astype(np.uint8), counts, strict=True)
    }
    colours = palette.DARK_SCHEME_COLOURS if theme == "dark" else palette.SCHEME_COLOURS
    wanted = [colours[index] for index in palette.scheme_style_indices(e.schemes).values()]
    assert len(wanted) == 8
    assert all(painted.get(colour, 0) > 20 for colour in wanted), "each colour is in the picture"
    for reader, matrix in READERS.items():
        seen = {colour: lab(matrix @ linear(colour)) for colour in wanted}
        closest = min(
            np.linalg.norm(seen[one] - seen[other]) for one, other in combinations(wanted, 2)
        )
        assert closest >= APART, reader
    page_colour = max(painted, key=painted.get)
    assert page_colour == config()["theme"][theme]["backgroundColor"]
    ink = next(
        colour for colour in INK.split("'")[1::2] if contrast(colour, page_colour) >= 4.5
    )  # WCAG 1.4.3
    assert painted.get(ink, 0) > 20, "words are in the ink that stands out from this page"


def config() -> dict:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
