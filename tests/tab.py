"""A tab of the browser that goes from link to link as Back and Forward do, in a fifth of the time
that a page takes to load.

What a test has opened, chosen or pressed is gone with the next link, and what it told the browser
of the window with the next test. A test of how the page loads, or of what it remembers of a
visitor, needs a tab of its own.
"""

from dataclasses import dataclass, field

from playwright.sync_api import Page, WebSocket, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE = 60_000  # milliseconds until something is called missing; nothing waits so long
# What Back and Forward do.
GO = """(query) => {
  history.pushState({}, "", "?" + query);
  dispatchEvent(new PopStateEvent("popstate"));
}"""
STILL = """() => document.querySelector(".stApp").dataset.testScriptState === "notRunning"
  && !document.querySelector(
    "[data-testid=stSkeleton], [data-stale=true], .stVegaLiteChart:not(:has(canvas))"
  )"""


@dataclass(eq=False)
class Tab:
    page: Page
    lines: list[WebSocket] = field(default_factory=list)  # to the server; the last one is open

    def open(self, url: str) -> None:
        """Load a page, and wait until it is still."""
        self.page.on("websocket", lambda line: self.lines.append(line))
        self.page.goto(url)
        still(self.page)

    def follow(self, query: str) -> Page:
        """Show another link, and wait until it is still."""
        with self.lines[-1].expect_event("framereceived", ends_a_run, timeout=4 * PATIENCE):
            self.page.evaluate(GO, query)
        self.page.evaluate("() => new Promise(requestAnimationFrame)")  # the message has been read
        still(self.page)
        return self.page


def ends_a_run(message: bytes) -> bool:
    return ForwardMsg.FromString(message).WhichOneof("type") == "script_finished"


def still(page: Page) -> None:
    """Wait until everything is drawn, and nothing runs any more."""
    expect(page.get_by_role("heading", name="Stability")).to_be_visible()
    page.wait_for_function(STILL)
