"""What a touch of a control does to a visitor's state. The address and the state are one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.course.lessons import course
from stability.page.links import opened as read
from stability.page.links import spelled
from stability.page.session import Visit
from stability.records.experiment import Experiment
from stability.records.view import Page


def opened(**query: str) -> Visit:
    visit = Visit()
    visit.follow(query)
    return visit


TOUCHES = {
    "pause": Visit.pause,
    "step": Visit.step,
    "pin": Visit.pin,
    "new seed": Visit.draw_anew,
    "reset": Visit.reset,
    "depth": lambda visit: visit.enter("depth", 7),
    "optimizer": lambda visit: visit.enter("optimizer", "adam"),
    "chips": lambda visit: visit.enter("schemes", ["zeros", "bogus", "looks_linear"]),
    "odd width": lambda visit: visit.enter("width", 33),
    "no chips": lambda visit: visit.enter("schemes", []),
    "reopen": lambda visit: visit.reopen(Experiment(depth=2)),
    "unpin": lambda visit: visit.unpin(visit.page.pins[0]) if visit.page.pins else None,
    "start": Visit.rewind,
    "section": lambda visit: visit.enter("section", "symmetry"),
    "layer": lambda visit: visit.enter("layer", 3),
    "swap": Visit.swap,
    "first lesson": lambda visit: visit.open(next(iter(course()))),
    "last lesson": lambda visit: visit.open(list(course())[-1]),
    "answer": lambda visit: visit.answer("2") if visit.asked else None,
    "train": lambda visit: visit.go("train"),
    "products": lambda visit: visit.go("product"),
    "course": lambda visit: visit.go("course"),
    "present": Visit.present,
    "back": Visit.back,
    "moment": lambda visit: visit.at("40"),
    "newest": lambda visit: visit.at(""),
}


@given(st.lists(st.sampled_from(list(TOUCHES)), max_size=8))
def test_after_any_touches_the_address_spells_the_page_and_opens_it_elsewhere(names):
    visit, address = opened(), {}
    for name in names:
        TOUCHES[name](visit)
        visit.follow(address)  # the browser sends the address of before along
        address = visit.address() or address
        page, notes = read(address)
        assert (spelled(page), notes) == (visit.link, [])
        assert page.bench == visit.page.bench or page.view.bench == "course"  # where nothing is on the table
        assert page.view.open_section == visit.page.view.open_section
    elsewhere = opened(**address)
    assert elsewhere.link == visit.link
    assert elsewhere.address() is None


def test_back_brings_the_earlier_page_although_the_controls_still_show_the_later_one():
    visit = opened()
    visit.enter("depth", 7)
    visit.follow({})
    later = visit.address()
    visit.follow({})
    assert visit.page == Page()
    visit.follow(later)
    assert visit.page.experiment.depth == 7


@pytest.mark.parametrize("name", ["pin", "unpin"])
def test_a_pin_leaves_a_pause_as_it_is_and_a_change_ends_it(name):
    visit = opened(**{"pin.depth": "3"})
    visit.pause()
    visit.position = 40
    TOUCHES[name](visit)
    assert (visit.paused, visit.position) == (True, 40)
    visit.enter("depth", 7)
    assert (visit.paused, visit.position) == (False, 1)


def test_a_step_ends_at_the_last_measurement():
    visit = opened(steps="2")
    for _ in range(5):
        visit.step()
    assert (visit.paused, visit.position) == (True, 3)


def test_steps_go_back_to_the_start_and_no_further():
    visit = opened(steps="9")
    visit.position = 3
    for position in (2, 1, 1):
        visit.back()
        assert (visit.paused, visit.position) == (True, position)


def test_the_view_for_many_stays_from_lesson_to_lesson_and_through_a_reset():
    visit, (first, second, *_) = opened(view="present"), course()
    for deed in (lambda: visit.open(first), lambda: visit.answer("1"), visit.reset, lambda: visit.open(second)):
        deed()
        assert visit.page.view.presents
    assert visit.link == {"lesson": second, "v": "1", "view": "present"}
    visit.present()
    assert visit.link == {"lesson": second, "v": "1"}


def test_a_visit_is_fresh_until_something_is_opened_or_changed():
    assert opened().fresh
    assert not opened(depth="7").fresh
    visit = opened()
    visit.enter("depth", 7)
    assert not visit.fresh


def test_the_last_step_of_a_run_is_spelled_as_the_newest_of_any():
    visit = opened(steps="9")
    for moment, spelled_as in (("4", "4"), ("9", None), ("", None), ("0", "0")):
        visit.at(moment)
        assert visit.link.get("moment") == spelled_as


def test_chips_that_do_not_fit_stay_and_no_chips_keep_the_last_experiment():
    visit = opened(width="33")
    visit.enter("schemes", ["he_normal", "looks_linear"])
    assert visit.chosen == ("he_normal", "looks_linear")
    assert visit.page.experiment == replace(Experiment(), width=33, schemes=("he_normal",))
    visit.enter("schemes", [])
    assert visit.chosen == ()
    assert visit.page.experiment.schemes == ("he_normal",)
