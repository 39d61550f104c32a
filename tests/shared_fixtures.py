"""The setting that all tests share: one thread, so that nothing depends on how many cores are free,
no cache, Hypothesis without a clock, and a browser on a server of their own.
"""

import os
from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path
from shutil import rmtree

import pytest
import torch
from chart_data import ROWS_JS, VIEWS_JS
from hypothesis import settings
from local_server import CHROMIUM_ARGS, Server, chromium, served
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)
from tab import PATIENCE, Tab

from stability.cells.outcome_cache import CACHE_OF_CELLS

WIDE = {"width": 1400, "height": 1000}
WITHOUT_CHARTS = "bench=course"
CLIPBOARD = ["clipboard-read", "clipboard-write"]
# Vega says so of a chart that it was still making when the page was left. That the places which it
# looks for are there on a page that stays, the tests of what moves together show.
LEFT_TOO_EARLY = "Signal bind element not found"
EYES = f"""
window.views = {VIEWS_JS};
window.rows = {ROWS_JS};
window.newest = () => Math.max(-1, ...(rows('bands') ?? []).map((row) => row.step));
"""

torch.set_num_threads(1)
os.environ["STABILITY_CACHE"] = "off"  # no test finds what another one, or its user, has computed
expect.set_options(timeout=PATIENCE)
# At every frame, as is usual, looking takes the browser more than what is waited for.
Page.wait_for_function = partialmethod(Page.wait_for_function, polling=100)
settings.register_profile("local", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True
)  # a push must not fail by the luck of the draw
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def maps_file(tmp_path_factory) -> Path:
    """The cache of both processes, for the cells of the course's maps."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return folder / "maps.sqlite"


@pytest.fixture
def shared_maps(maps_file: Path, monkeypatch) -> Iterator[None]:
    """Each cell of the course's maps is trained once for all files of this session."""
    monkeypatch.setenv("STABILITY_CACHE", str(maps_file))
    yield
    CACHE_OF_CELLS.close()


@pytest.fixture(scope="session")
def one_server(maps_file: Path) -> Iterator[Server]:
    """The server of all files: tests that must not meet train with seeds of their own.

    The maps of the course, a minute of training, it shares with the tests of the lessons. One
    training runs at a time, however many processors there are: who waits sees a place.
    """
    with served(STABILITY_CACHE=str(maps_file), STABILITY_TRAININGS="1") as server:
        yield server


@pytest.fixture(scope="module")
def server(one_server: Server) -> Iterator[Server]:
    yield one_server
    assert "Traceback" not in one_server.log.read_text()


@pytest.fixture(scope="session")
def browser_profile(tmp_path_factory) -> Path:
    """A folder where the browser of each file finds the page's scripts as it compiled them before.

    Reading them anew would take most of the time of a test.
    """
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def visitor(browser_profile: Path, server: Server) -> Iterator[BrowserContext]:
    """One person's browser, where nobody has been before; its pages share a cache."""
    path = chromium()
    assert path, "no Chromium: name one in the environment as CHROMIUM"
    rmtree(browser_profile / "Default" / "Local Storage", ignore_errors=True)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            browser_profile, executable_path=path, args=CHROMIUM_ARGS,
            viewport=WIDE, color_scheme="light", permissions=CLIPBOARD,
        )  # fmt: skip
        context.set_default_timeout(PATIENCE)
        context.add_init_script(EYES)
        # While a tab is open on the server, the process that shows its pages goes on.
        context.new_page().goto(f"{server.url}_stcore/health")
        yield context
        context.close()


@pytest.fixture
def browser(visitor: BrowserContext) -> Browser:
    """The visitor's browser, in which a context of its own is another person's."""
    return visitor.browser


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A new tab. Whatever a test does, the browser must have nothing to complain about."""
    page = visitor.new_page()
    complaints = complaints_about(page)
    yield page
    assert page.get_by_test_id("stException").count() == 0
    page.close()
    assert complaints == []


def complaints_about(page: Page) -> list[str]:
    """The list to which is added whatever the browser complains about."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and LEFT_TOO_EARLY not in message.text:
            complaints.append(message.text)

    page.on("console", hear)
    return complaints


@pytest.fixture(scope="module")
def one_tab(visitor: BrowserContext, server: Server) -> tuple[Tab, list[str]]:
    """The tab of all tests of a file that only follow links, and the browser's complaints."""
    tab = Tab(visitor.new_page())
    complaints = complaints_about(tab.page)
    tab.open(f"{server.url}?{WITHOUT_CHARTS}")
    return tab, complaints


@pytest.fixture
def tab(one_tab: tuple[Tab, list[str]]) -> Iterator[Tab]:
    """A tab as wide and as bright as a new one, for a test that begins with a link."""
    tab, complaints = one_tab
    tab.page.set_viewport_size(WIDE)
    tab.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    tab.page.mouse.move(0, 0)
    yield tab
    assert tab.page.get_by_test_id("stException").count() == 0
    tab.follow(WITHOUT_CHARTS)  # nothing trains on, and charts are gone with all that was done
    found = complaints[:]
    complaints.clear()
    assert found == []
