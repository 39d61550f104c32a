"""Every touch of a control changes the session, and the address with it."""

import io
import re
from dataclasses import replace
from urllib.parse import parse_qsl

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability import frames
from stability.course.lessons import all_lessons
from stability.engine.runs import Run
from stability.i18n import speaking
from stability.page.limits import LIMITS
from stability.page.links import read_link as read
from stability.page.links import spell_link
from stability.page.session import MOST_NOTES, Session
from stability.page.tried_runs import tried_csv, tried_table
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import NEWEST_STEP


def opened(**query: str) -> Session:
    session = Session()
    session.follow_link(query)
    return session


def written_link(session: Session) -> dict[str, str] | None:
    """The link that is written to the address; None if none is."""
    links = []
    session.write_link(links.append)
    return links[0] if links else None


TOUCHES = {
    "pin": Session.pin,
    "new seed": Session.draw_new_seed,
    "reset": Session.reset,
    "depth": lambda session: session.enter_value("depth", 7),
    "optimizer": lambda session: session.enter_value("optimizer", "adam"),
    "chips": lambda session: session.enter_value("schemes", ["zeros", "bogus", "looks_linear"]),
    "odd width": lambda session: session.enter_value("width", 33),
    "no chips": lambda session: session.enter_value("schemes", []),
    "reopen": lambda session: session.reopen(Experiment(depth=2)),
    "unpin": lambda session: session.unpin(session.page.pins[0]) if session.page.pins else None,
    "section": lambda session: session.enter_value("section", "symmetry"),
    "layer": lambda session: session.enter_value("layer", 3),
    "find a cure": lambda session: session.find_cure(session.page.experiment.schemes[-1]),
    "close": Session.close_section,
    "swap": Session.swap_units,
    "first lesson": lambda session: session.open_lesson(next(iter(all_lessons()))),
    "last lesson": lambda session: session.open_lesson(list(all_lessons())[-1]),
    "answer": lambda session: session.answer_question("2") if session.awaits_answer else None,
    "train": lambda session: session.open_bench("train"),
    "products": lambda session: session.open_bench("product"),
    "course": lambda session: session.open_bench("course"),
    "network": lambda session: session.open_bench("network"),
    "text": lambda session: session.enter_value("architecture", "9-8 7 relu\n"),
    "present": Session.toggle_presenter_view,
    "moment": lambda session: session.show_step("40"),
    "newest": lambda session: session.show_step(""),
}


@given(st.lists(st.sampled_from(list(TOUCHES)), max_size=8))
def test_after_any_touches_the_address_spells_the_page_and_opens_it_elsewhere(names):
    session, address = opened(), {}
    for name in names:
        TOUCHES[name](session)
        session.follow_link(address)  # the browser sends the address of before along
        address = written_link(session) or address
        page, notes = read(address)
        assert (spell_link(page), notes) == (session.link, [])
        # where nothing is on the table
        assert page.record == session.page.record or page.view.bench == "course"
        assert page.view.open_section == session.page.view.open_section
    elsewhere = opened(**address)
    assert elsewhere.link == session.link
    assert written_link(elsewhere) is None


def test_back_brings_the_earlier_page_although_the_controls_still_show_the_later_one():
    session = opened()
    session.enter_value("depth", 7)
    session.follow_link({})
    later = written_link(session)
    session.follow_link({}, went_back=True)
    assert session.page == Page()
    session.follow_link(later, went_back=True)
    assert session.page.experiment.depth == 7


def test_a_request_that_was_on_its_way_does_not_bring_the_earlier_page_back():
    session = opened()
    session.enter_value("depth", 7)
    session.follow_link({})
    assert written_link(session)
    session.follow_link({})  # sent before the browser heard of the new address
    assert session.page.experiment.depth == 7


def test_a_link_that_could_not_be_written_is_written_by_the_next_run():
    def gone_on(_link: object) -> None:
        raise InterruptedError

    session = opened()
    session.enter_value("depth", 7)
    with pytest.raises(InterruptedError):
        session.write_link(gone_on)
    session.follow_link({})
    assert written_link(session) == session.link
    assert written_link(session) is None


def test_a_step_stays_when_settings_change_and_ends_with_the_bench():
    session = opened(**{"pin.depth": "3"})
    session.show_step("40")
    for touch in (TOUCHES["unpin"], Session.pin, lambda session: session.enter_value("depth", 7)):
        touch(session)
        assert session.link["moment"] == "40"
    session.open_bench("product")
    assert "moment" not in session.link
    session.show_step("3")
    assert session.link["moment"] == "3"


def test_the_view_for_many_stays_from_lesson_to_lesson_and_through_a_reset():
    session, (first, second, *_) = opened(view="present"), all_lessons()
    for touch in (
        lambda: session.open_lesson(first),
        lambda: session.answer_question("1"),
        session.reset,
        lambda: session.open_lesson(second),
    ):
        touch()
        assert session.page.view.is_presenter_view
    assert session.link == {"lesson": second, "v": "1", "view": "present"}
    session.toggle_presenter_view()
    assert session.link == {"lesson": second, "v": "1"}


def test_a_session_is_fresh_until_something_is_opened_or_changed():
    assert opened().is_fresh
    assert not opened(depth="7").is_fresh
    session = opened()
    session.enter_value("depth", 7)
    assert not session.is_fresh


def test_the_last_step_of_a_run_is_spelled_as_the_newest_of_any():
    session = opened(steps="9")
    for moment, spelled_as in (("4", "4"), ("9", None), ("", None), ("0", "0")):
        session.show_step(moment)
        assert session.link.get("moment") == spelled_as


def test_chips_that_do_not_fit_stay_and_no_chips_keep_the_last_experiment():
    session = opened(width="33")
    session.enter_value("schemes", ["he_normal", "looks_linear"])
    assert session.chosen_schemes == ("he_normal", "looks_linear")
    assert session.page.experiment == replace(Experiment(), width=33, schemes=("he_normal",))
    session.enter_value("schemes", [])
    assert session.chosen_schemes == ()
    assert session.page.experiment.schemes == ("he_normal",)


# Look closer


def test_number_formats_open_at_the_start_and_the_next_section_at_the_newest_step_again():
    session = opened()
    session.enter_value("section", "formats")
    assert session.page.view.moment == 0
    session.enter_value("section", "learned")
    assert session.page.view.moment == NEWEST_STEP
    session = opened(moment="7")
    session.enter_value("section", "formats")
    assert session.page.view.moment == 7, "a link with a step stays as it is"


def test_a_link_of_nonsense_has_a_few_notes_and_the_oldest_of_many_experiments_are_forgotten():
    session = opened(**{f"nonsense{index}": "1" for index in range(1000)})
    assert len(session.notes) == MOST_NOTES + 1
    assert session.notes[-1] == f"And {1000 - MOST_NOTES} more."
    run = Run(Experiment(schemes=("he_normal",), depth=2, width=4, steps=2)).train()
    older = [replace(run.experiment, seed=seed) for seed in range(1, LIMITS.tried + 1)]
    session.history = dict.fromkeys(older, frames.summary_frame(run))
    assert session.remember_run(run)
    assert [*session.history] == [*older[1:], run.experiment]


def test_what_was_tried_is_saved_with_all_settings_and_a_link_the_newest_first():
    session = opened()
    first = Experiment(schemes=("he_normal",), depth=2, width=4, steps=2, seed=5)
    for e in (first, replace(first, seed=6)):
        session.history[e] = frames.summary_frame(Run(e).train())
    saved = pd.read_csv(io.StringIO(tried_csv(session.history)))
    assert saved["seed"].tolist() == [6, 5]
    assert {*Experiment.knobs(), "verdict", "loss"} <= {*saved.columns}
    for link, seed in zip(saved["link"], (6, 5), strict=True):
        page, notes = read(dict(parse_qsl(link.removeprefix("?"))))
        assert (page.experiment, notes) == (replace(first, seed=seed), [])
    session.pin(first)
    assert session.page.pins == (first,)


def test_what_was_tried_is_listed_in_the_language_of_now():
    session = opened()
    assert session.remember_run(Run(Experiment(schemes="he_normal", depth=2, steps=2)).train())
    english, _owners = tried_table(session.history)
    with speaking("zh"):
        chinese, _owners = tried_table(session.history)
    assert english.loc[0, "settings":"learned"].tolist() == [
        "depth 2, steps 2", "He (normal)", "stalled", "0 of 1",
    ]  # fmt: skip
    for words in chinese.loc[0, ["settings", "verdict", "learned"]]:
        assert not re.search("[A-Za-z]", words), words
    assert chinese["loss"].equals(english["loss"])
