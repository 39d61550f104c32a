"""What a touch of a control does to a visitor's state. The address and the state are one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.course.lessons import all_lessons
from stability.page.links import read_link as read
from stability.page.links import spell_link
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.page import Page


def opened(**query: str) -> Session:
    visit = Session()
    visit.follow_link(query)
    return visit


TOUCHES = {
    "pause": Session.pause,
    "step": Session.step,
    "pin": Session.pin,
    "new seed": Session.draw_anew,
    "reset": Session.reset,
    "depth": lambda visit: visit.enter_value("depth", 7),
    "optimizer": lambda visit: visit.enter_value("optimizer", "adam"),
    "chips": lambda visit: visit.enter_value("schemes", ["zeros", "bogus", "looks_linear"]),
    "odd width": lambda visit: visit.enter_value("width", 33),
    "no chips": lambda visit: visit.enter_value("schemes", []),
    "reopen": lambda visit: visit.reopen(Experiment(depth=2)),
    "unpin": lambda visit: visit.unpin(visit.page.pins[0]) if visit.page.pins else None,
    "start": Session.rewind,
    "section": lambda visit: visit.enter_value("section", "symmetry"),
    "layer": lambda visit: visit.enter_value("layer", 3),
    "swap": Session.swap,
    "first lesson": lambda visit: visit.open_lesson(next(iter(all_lessons()))),
    "last lesson": lambda visit: visit.open_lesson(list(all_lessons())[-1]),
    "answer": lambda visit: visit.answer_question("2") if visit.awaits_answer else None,
    "train": lambda visit: visit.open_bench("train"),
    "products": lambda visit: visit.open_bench("product"),
    "course": lambda visit: visit.open_bench("course"),
    "present": Session.present,
    "back": Session.back,
    "moment": lambda visit: visit.show_step("40"),
    "newest": lambda visit: visit.show_step(""),
}


@given(st.lists(st.sampled_from(list(TOUCHES)), max_size=8))
def test_after_any_touches_the_address_spells_the_page_and_opens_it_elsewhere(names):
    visit, address = opened(), {}
    for name in names:
        TOUCHES[name](visit)
        visit.follow_link(address)  # the browser sends the address of before along
        address = visit.link_to_write() or address
        page, notes = read(address)
        assert (spell_link(page), notes) == (visit.link, [])
        assert page.record == visit.page.record or page.view.bench == "course"  # where nothing is on the table
        assert page.view.open_section == visit.page.view.open_section
    elsewhere = opened(**address)
    assert elsewhere.link == visit.link
    assert elsewhere.link_to_write() is None


def test_back_brings_the_earlier_page_although_the_controls_still_show_the_later_one():
    visit = opened()
    visit.enter_value("depth", 7)
    visit.follow_link({})
    later = visit.link_to_write()
    visit.follow_link({})
    assert visit.page == Page()
    visit.follow_link(later)
    assert visit.page.experiment.depth == 7


@pytest.mark.parametrize("name", ["pin", "unpin"])
def test_a_pin_leaves_a_pause_as_it_is_and_a_change_ends_it(name):
    visit = opened(**{"pin.depth": "3"})
    visit.pause()
    visit.position = 40
    TOUCHES[name](visit)
    assert (visit.paused, visit.position) == (True, 40)
    visit.enter_value("depth", 7)
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
    visit, (first, second, *_) = opened(view="present"), all_lessons()
    for deed in (lambda: visit.open_lesson(first), lambda: visit.answer_question("1"), visit.reset, lambda: visit.open_lesson(second)):
        deed()
        assert visit.page.view.is_presenter_view
    assert visit.link == {"lesson": second, "v": "1", "view": "present"}
    visit.present()
    assert visit.link == {"lesson": second, "v": "1"}


def test_a_visit_is_fresh_until_something_is_opened_or_changed():
    assert opened().is_fresh
    assert not opened(depth="7").is_fresh
    visit = opened()
    visit.enter_value("depth", 7)
    assert not visit.is_fresh


def test_the_last_step_of_a_run_is_spelled_as_the_newest_of_any():
    visit = opened(steps="9")
    for moment, spelled_as in (("4", "4"), ("9", None), ("", None), ("0", "0")):
        visit.show_step(moment)
        assert visit.link.get("moment") == spelled_as


def test_chips_that_do_not_fit_stay_and_no_chips_keep_the_last_experiment():
    visit = opened(width="33")
    visit.enter_value("schemes", ["he_normal", "looks_linear"])
    assert visit.chosen_schemes == ("he_normal", "looks_linear")
    assert visit.page.experiment == replace(Experiment(), width=33, schemes=("he_normal",))
    visit.enter_value("schemes", [])
    assert visit.chosen_schemes == ()
    assert visit.page.experiment.schemes == ("he_normal",)
