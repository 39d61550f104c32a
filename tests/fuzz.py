"""Random links, and random touches of the page: for the tests, and for `load.py --fuzz`.

What must hold: no exception, no illegal record, and page, link and state agree. All choices are
those of a `random.Random`, so that a seed, or Hypothesis, brings a failure back.
"""

import string
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import app_pages
import pytest
from streamlit.testing.v1 import AppTest

from stability.course.lessons import all_lessons
from stability.page.control_arguments import setting_controls
from stability.page.limits import Limits
from stability.page.links import read_language, read_link, spell_link
from stability.page.settings import page_knobs
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.records.view import View

KNOBS = {
    name: knob
    for record in (PastedNetwork, Sweep, Product, Experiment, View)
    for name, knob in record.knobs().items()
}
KEYS = [*KNOBS, "lesson", "lang", "v", "pin", "pin.depth", "pin2.activation", "pin9.x", "wings", ""]
ODD = ["", " ", ",", ":", "nan", "-inf", "1e999", "0x10", "１２", "null", "<b>", "%2C", "🙂"]
ODD += ["0", "1", "2", "3", "-1", "7.5", "1e-3", "on", "off", "none", "same", "shown", "zh", "true"]
ODD.append("a" * 300)
ROWS = [str(row) for knob in KNOBS.values() for row in getattr(knob, "rows", ())]
TEXTS = [*ODD, *ROWS, *all_lessons(), "2-8 tanh 1", "he_normal,normal:2", "0.5,3", "1,2,3"]
WIDGETS = ["button", "button", "selectbox", "select_slider", "slider", "number_input"]
MOST_SECONDS = 0.03  # of a run in these tests: larger ones are refused, in words


def random_text(random: Random) -> str:
    """A text that means something somewhere, sometimes cut, doubled, or sprinkled with letters."""
    text = random.choice(TEXTS)
    match random.randrange(8):
        case 0:
            return text[: random.randrange(len(text) + 1)]
        case 1:
            return f"{text},{random.choice(TEXTS)}"
        case 2:
            at = random.randrange(len(text) + 1)
            return text[:at] + random.choice(string.printable + "äß∑\u200b") + text[at:]
    return text


def random_query(random: Random) -> dict[str, str]:
    """A link of a few keys. Half of the values are legal where they stand."""
    query = {}
    for _ in range(random.randrange(1, 8)):
        key = random.choice(KEYS)
        rows = [str(row) for row in getattr(KNOBS.get(key), "rows", ())]
        query[key] = random.choice(rows) if rows and random.random() < 0.5 else random_text(random)
    return query


def check_link(query: dict[str, str]) -> Page:
    """The page of a link, which has a link of its own that says the same and leaves nothing out."""
    _, rest, _ = read_language(query)
    page, notes = read_link(rest)
    assert all(note.strip() for note in notes)
    again, left_out = read_link(spell_link(page))
    assert (spell_link(again), left_out) == (spell_link(page), []), query
    return page


@contextmanager
def small_limits() -> Iterator[None]:
    """Let the page refuse what takes more than a moment."""
    with pytest.MonkeyPatch.context() as patch:
        limits = Limits(run_seconds=MOST_SECONDS, long_seconds=MOST_SECONDS)
        patch.setattr("stability.page.server.LIMITS", limits)
        yield


def show(at: AppTest, query: dict[str, str]) -> AppTest:
    """Open a link on a page that may show another one already, as Back and Forward do."""
    at.query_params.clear()
    for name, text in query.items():
        at.query_params[name] = text
    with app_pages.went_back():
        return app_pages.sound(at.run())


def play(random: Random, touches: int = 8) -> None:
    """Open a page and touch it a few times at random."""
    at = app_pages.opened()
    links = [app_pages.query(at)]
    for _ in range(touches):
        match random.randrange(8):
            case 0:
                show(at, random.choice(links))  # Back
            case 1:
                at = app_pages.page(**app_pages.query(at))  # the page is loaded anew
            case 2:
                at.session_state.session.enter_value("schemes", [random_text(random)])
                at.run()
            case _:
                touch(at, random)
        links.append(app_pages.query(app_pages.sound(at)))


def touch(at: AppTest, random: Random) -> None:
    """Press a button, or set the control of a setting, one of those that the page shows."""
    kind, session = random.choice(WIDGETS), at.session_state.session
    known = page_knobs(session.page)
    widgets = [one for one in at.get(kind) if one.key in known or kind == "button"]
    # The language is no part of the page that a link spells.
    widgets = [one for one in widgets if not (one.disabled or "speak" in one.key)]
    if not widgets:
        return
    widget = random.choice(widgets)
    if kind == "button":
        widget.click()
    elif kind in ("selectbox", "select_slider"):
        controls = setting_controls(session.page, session.chosen_schemes, widget.key)
        widget.set_value(random.choice(list(controls[""].arguments["options"])))
    else:
        widget.set_value(random.choice([widget.min, widget.max]))
    at.run()


def main(links: int, sequences: int) -> None:
    """Print what went wrong, with the seed that brings it back, and how much was tried."""
    faults = 0
    with small_limits():
        at = app_pages.opened()
        for seed in range(links):
            faults += fault(f"link {seed}", lambda seed=seed: show(at, random_query(Random(seed))))
        for seed in range(sequences):
            faults += fault(f"sequence {seed}", lambda seed=seed: play(Random(seed)))
    print(f"{links} links and {sequences} sequences of touches: {faults} faults")


def fault(name: str, attempt: Callable[[], object]) -> bool:
    """Return True, and print why, if the attempt fails."""
    try:
        attempt()
    except Exception:
        print(name, traceback.format_exc(limit=-4), flush=True)
        return True
    return False
