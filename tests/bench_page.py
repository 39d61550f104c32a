"""How long the page lets a visitor wait, in a browser: `python tests/bench_page.py [sections]`.

By the clock, so a quiet machine is needed. Medians, their range behind, as in `bench.py`.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import Line
from chart_data import VIEWS_JS
from local_server import CHROMIUM_ARGS, chromium, served
from playwright.sync_api import Page, sync_playwright

# Looks at every frame that is painted, and notes at which time of the clock it saw what for the
# first time since `watch` was called.
WATCHING = f"""
window.seen = {{}};
window.bands = () => {{
  for (const view of ({VIEWS_JS})()) {{
    try {{
      return view.data("bands");
    }} catch {{
      continue;  // another chart
    }}
  }}
  return [];
}};
const start = () => bands().filter((row) => row.step === 0).map((row) => row.loss).join();
window.watch = () => {{
  window.before = start();
  window.seen = {{}};
  for (const kind of ["click", "keydown"]) {{
    const clicked = (event) => {{ seen.click ??= event.timeStamp; }};
    addEventListener(kind, clicked, {{ capture: true, once: true }});
  }}
}};
const note = (name, condition) => {{
  if (!(name in seen) && condition()) seen[name] = performance.now();
}};
const has = (selector) => document.querySelector(selector) !== null;
const look = () => {{
  const last = Math.max(0, ...bands().map((row) => row.step));
  const changed = start() !== window.before;
  note("skeleton", () => has("#first-look, .heading h1"));
  note("heading", () => has(".heading h1"));
  note("widgets", () => has("[data-testid=stSidebar] [data-testid=stSlider]"));
  note("curve", () => changed && last > 0);
  if (changed && last > 0 && seen.lengths?.at(-1) !== last) (seen.lengths ??= []).push(last);
  const trained = document.querySelector("[data-trained]")?.dataset.trained;
  note("end", () => changed && last === 300 && trained === "300");
  requestAnimationFrame(look);
}};
requestAnimationFrame(look);
"""


@contextmanager
def opened() -> Iterator[Callable[[], Page]]:
    """Yields a function that opens the page in a fresh profile of a browser, on a fresh server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        with served() as server:

            def open_page() -> Page:
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                page.set_default_timeout(120_000)
                page.add_init_script(WATCHING)
                page.goto(server.url, wait_until="commit")
                page.wait_for_function("seen.heading && seen.widgets && seen.end")
                return page

            yield open_page
        browser.close()


def cold_start(quick: bool) -> Iterator[Line]:
    """The first visit to a server that has just begun to answer, then a second one."""
    first, second, ready = [], [], []
    for _ in range(3 if quick else 7):
        began = time.monotonic()
        with opened() as open_page:
            ready.append(time.monotonic() - began)
            first.append(open_page().evaluate("seen"))
            second.append(open_page().evaluate("seen"))
    yield Line("from the command, and a browser's start, until the server answers", ready, "s")
    for visits, what, goals in (
        (first, "a cold server", (1, None, 3, 4, None)),
        (second, "a warm server", (None,) * 5),
    ):
        names = "skeleton", "heading", "widgets", "curve", "end"
        for name, goal in zip(names, goals, strict=True):
            values = [1e-3 * seen[name] for seen in visits]
            yield Line(f"{what}: from the address to the {name}", values, "s", at_most=goal)


def click_to_curve(quick: bool) -> Iterator[Line]:
    """Changes on the warm page, at its default experiment."""
    seeds, depths = [], []
    with opened() as open_page:
        page = open_page()
        slider = page.get_by_role("slider", name="Depth")
        for index in range(4 if quick else 10):
            seeds.append(waited(page, page.get_by_role("button", name="New seed").click))
            key = "ArrowLeft" if index % 2 else "ArrowRight"
            depths.append(waited(page, lambda key=key: slider.press(key)))
    for what, waits in (("New seed", seeds[1:]), ("a changed depth", depths[1:])):
        yield Line(
            f"{what}: to the first changed curve", [w["curve"] for w in waits], "s", at_most=0.4
        )
        yield Line(f"{what}: to the end of the run", [w["end"] for w in waits], "s", at_most=1.2)
        yield Line("  curves drawn until then", [len(w["lengths"]) for w in waits], "")
        yield Line("  points of the first one", [w["lengths"][0] for w in waits], "")


def waited(page: Page, touch: Callable[[], None]) -> dict:
    page.evaluate("watch()")
    touch()
    page.wait_for_function("seen.end")
    seen = page.evaluate("seen")
    return {k: (1e-3 * (v - seen["click"]) if k != "lengths" else v) for k, v in seen.items()}


SECTIONS = cold_start, click_to_curve


def main(names: list[str], quick: bool) -> int:
    print(f"{'':<70} {'median':>8} {'':<7} {'range':<18} {'promised':<14} kept")
    broken = 0
    for section in [part for part in SECTIONS if part.__name__ in names] or SECTIONS:
        for line in section(quick):
            broken += not line.kept
            print(line, flush=True)
    print(f"\n{broken} promises broken" if broken else "\nall promises kept")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], quick="--quick" in sys.argv[1:]))
