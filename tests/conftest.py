"""The setting that all tests share: one thread, so that nothing depends on how many cores are free,
no cache, Hypothesis without a clock, and a browser on a server of their own.
"""

import os
from collections.abc import Iterator

import pytest
import torch
from chart_data import ROWS_JS, VIEWS_JS
from hypothesis import settings
from local_server import CHROMIUM_ARGS, Server, chromium, served
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

PATIENCE = (
    60_000  # milliseconds until something is called missing; nothing waits so long on purpose
)
WIDE = {"width": 1400, "height": 1000}
CLIPBOARD = ["clipboard-read", "clipboard-write"]
EYES = f"""
window.views = {VIEWS_JS};
window.rows = {ROWS_JS};
window.newest = () => Math.max(-1, ...(rows('bands') ?? []).map((row) => row.step));
"""

torch.set_num_threads(1)
os.environ["STABILITY_CACHE"] = "off"  # no test finds what another one, or its user, has computed
expect.set_options(timeout=PATIENCE)
settings.register_profile("local", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True
)  # a push must not fail by the luck of the draw
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser):
    parser.addoption("--update-docs", action="store_true", help="make the picture in docs/ anew")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as server:
        yield server
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    assert path, "no Chromium: name one in the environment as CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visitor(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """One person's browser; its pages share a cache, so that only the first one is slow."""
    context = browser.new_context(viewport=WIDE, color_scheme="light", permissions=CLIPBOARD)
    context.set_default_timeout(PATIENCE)
    context.add_init_script(EYES)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A new tab. Whatever a test does, the browser must have nothing to complain about."""
    page, complaints = visitor.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    assert page.get_by_test_id("stException").count() == 0
    page.close()
    assert complaints == []
