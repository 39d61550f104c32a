"""How the tests are shared out and reported; what they use stands in shared_fixtures.py.

The process that hands tests out to others needs none of that, and starts them the sooner.
"""

import gc
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

PARTS = {"browser", "page", "load", "process", "case", "fuzz"}  # what is in none is a unit test
SECONDS = Path(__file__).with_name("seconds.json")  # what each file took when it was measured

# What pytest makes of the assertions of all files is kept, whatever the environment says of
# bytecode: it takes each process longer than everything else before the first test.
sys.dont_write_bytecode = False


def pytest_addoption(parser):
    parser.addoption("--update-docs", action="store_true", help="make the picture in docs/ anew")
    parser.addoption("--update-seconds", action="store_true", help="write tests/seconds.json anew")


def pytest_configure(config):
    hears_of_all_tests = not hasattr(config, "workerinput")
    if hears_of_all_tests:
        config.pluginmanager.register(Reports(config))
    if not (hears_of_all_tests and config.getoption("numprocesses", None)):
        gc.disable()  # until all tests are collected
        pytest.register_assert_rewrite("shared_fixtures")
        config.pluginmanager.import_plugin("shared_fixtures")


def pytest_itemcollected(item):
    if PARTS.isdisjoint(mark.name for mark in item.iter_markers()):
        item.add_marker("unit")


def pytest_collection_finish():
    """No full collection of garbage looks through all modules and tests again, as on the page."""
    gc.enable()
    gc.collect()
    gc.freeze()


class Reports:
    """Names a failing test at once, and adds up how long the tests of each file take."""

    def __init__(self, config: pytest.Config):
        self.config, self.seconds = config, Counter()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid.partition("::")[0]] += report.duration
        if report.failed:
            writer = self.config.get_terminal_writer()
            writer.line(f"\nFAILED {report.nodeid} ({report.when})", red=True)

    def pytest_sessionfinish(self):
        if self.config.getoption("--update-seconds"):
            found = {name: round(seconds, 1) for name, seconds in self.seconds.items()}
            table = json.loads(SECONDS.read_text(encoding="utf-8")) | found
            text = json.dumps(table, indent=1, sort_keys=True)
            SECONDS.write_text(f"{text}\n", encoding="utf-8")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The slowest file first, so that none is left for the end; a new file before all others."""
    seconds = json.loads(SECONDS.read_text(encoding="utf-8"))
    items.sort(key=lambda item: -seconds.get(item.nodeid.partition("::")[0], float("inf")))
