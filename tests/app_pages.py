"""The page without a browser, for the tests that look at it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

from chart_data import tables
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.scriptrunner import RerunData
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from stability import page_layout
from stability.page import links
from stability.records.experiment import Experiment
from stability.records.view import BENCH_LINKS

APP = Path(__file__).resolve().parent.parent / "app.py"
SMALL = {
    "depth": "3",
    "width": "8",
    "samples": "64",
    "batch": "8",
    "steps": "5",
}  # trains in a blink


# Else each run of a page compiles app.py anew.
local_script_runner.ScriptCache = cache(ScriptCache)
give_up_waiting = local_script_runner.require_widgets_deltas


def wait_for_the_end(runner: LocalScriptRunner, timeout: float) -> None:
    """Wait until the script has ended. Raises RuntimeError if it has not in time.

    Streamlit looks for that a thousand times a second, and each look holds the script up.
    """
    runner._script_thread.join(timeout)
    if runner._script_thread.is_alive():
        give_up_waiting(runner, timeout=0)


local_script_runner.require_widgets_deltas = wait_for_the_end
RECORDS = [link.record for link in BENCH_LINKS.values() if link.record]
GROUPS = {knob.group for record in RECORDS for knob in record.knobs().values()}


@cache
def component_manager() -> BidiComponentManager:
    """The one that all pages of a process share, as on a server.

    Else each AppTest makes its own, and reads what every installed package says of itself.
    """
    manager = BidiComponentManager()
    manager.discover_and_register_components(start_file_watching=False)
    return manager


@contextmanager
def went_back() -> Iterator[None]:
    """Let pages run as if Back or Forward had been pressed, of which AppTest knows nothing."""
    name = "streamlit.testing.v1.local_script_runner.RerunData"
    with patch(name, partial(RerunData, is_history_navigation=True)):
        yield


def unopened(**link: str) -> AppTest:
    """The page at this very link before it runs, with all groups of settings unfolded."""
    at = AppTest.from_file(str(APP), default_timeout=120)
    at._bidi_component_manager = component_manager()
    for group in GROUPS:
        at.session_state[page_layout.group_key(group)] = True
    for name, text in link.items():
        at.query_params[name] = text
    return at


def page(**link: str) -> AppTest:
    """The page at this very link, run to its end."""
    return sound(unopened(**link).run())


def opened(**link: str) -> AppTest:
    """The Train bench at a link, with an experiment that trains in a blink."""
    return page(**SMALL | link)


def sound(at: AppTest) -> AppTest:
    """The same page; its run met no exception, and its address spells its state."""
    assert [error.value for error in at.exception] == []
    assert not at.json, "a bare expression that Streamlit writes on the page"
    _language, rest, _notes = links.read_language(query(at))
    link = {**at.session_state.session.link}
    link.pop("lang", None)  # one page is read in several
    assert links.spell_link(links.read_link(rest)[0]) == link
    return at


def state(at: AppTest) -> Experiment:
    return at.session_state.session.page.experiment


def query(at: AppTest) -> dict[str, str]:
    return {
        name: text[-1] if isinstance(text, list) else text for name, text in at.query_params.items()
    }


def press(at: AppTest, label: str) -> AppTest:
    return sound(next(button for button in at.button if button.label == label).click().run())


def notices(at: AppTest) -> str:
    """All that the page says in its notices, as a reader sees it: without backslashes."""
    return re.sub(r"[\\\u200b\u2060]", "", "\n".join(element.value for element in at.warning))


def charts(at: AppTest) -> dict:
    return {
        name: table
        for chart in at.get("vega_lite_chart")
        for name, table in tables(chart.proto).items()
    }


def cards(at: AppTest) -> str:
    return "".join(element.proto.body for element in at.get("html"))


def look_closer(at: AppTest, section: str) -> AppTest:
    at.session_state.session.enter_value("section", section)
    return sound(at.run())
