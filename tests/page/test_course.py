"""The course and the Products bench without a browser: lessons ask, then show."""

import re

import pytest
from app_pages import cards, charts, look_closer, notices, page, press, query
from small_maps import SMALL_MAP
from streamlit.testing.v1 import AppTest
from visible_text import texts_left_in_english

from stability.course.claims import ClaimReading
from stability.course.lessons import PANELS, Lesson, all_lessons
from stability.engine.cost import product_cost
from stability.frames import DEPTH_PANELS, TRAINING_PANELS
from stability.i18n import ENGLISH, LANGUAGES, _, speaking
from stability.page.benches import open_figures
from stability.page.cards import claim_html
from stability.page.course_page import (
    answer_feedback,
    answered_rightly,
    course_data,
    lessons_by_section,
    neighbour_links,
)
from stability.page.limits import Limits
from stability.page.links import read_link
from stability.page.safe_text import escape_markdown, keep_punctuation
from stability.page.sections import TRAIN_SECTIONS
from stability.page.session import Session
from stability.records.product import Product
from stability.records.view import BENCH_LINKS

pytestmark = pytest.mark.page
SMALL = {"bench": "product", "n": "3", "count": "12", "replicates": "5"}
TRAIN = {
    "depth": "4",
    "width": "6",
    "features": "5",
    "samples": "64",
    "batch": "8",
    "steps": "5",
    "schemes": "he_normal,constant:0.1",
}


def visit(at: AppTest) -> Session:
    return at.session_state.session


def answer_is_right(at: AppTest, lesson: Lesson) -> bool | None:
    return answered_rightly(lesson, visit(at).answers.get(lesson.key, ""))


def ways(at: AppTest) -> dict[str, str]:
    """The links that lead on from the open lesson: their lessons by label."""
    links = neighbour_links(visit(at).page.view.lesson)
    return {link["label"]: link["key"] for link in links if link["key"]}


def words(at: AppTest) -> str:
    return "\n".join(text.value for text in at.markdown)


# Lessons


@pytest.mark.usefixtures("shared_maps")
@pytest.mark.parametrize("lesson", all_lessons().values(), ids=list(all_lessons()))
def test_a_lesson_asks_then_shows_its_run_its_words_and_its_claim_with_numbers(lesson):
    at = page(lesson=lesson.key)
    assert lesson.question in words(at)
    assert lesson.prose not in words(at), "not before the answer"
    assert not charts(at), "not before the answer"
    assert not at.sidebar.slider, "nothing to set yet"
    at = press(at, lesson.options[-1])
    assert query(at)["lesson"] == lesson.key
    assert query(at)["answer"] == str(len(lesson.options))
    for paragraph in lesson.prose.split("\n\n"):
        assert paragraph in words(at)
    assert ("**✓ Right:" in words(at)) == (lesson.options[-1] == lesson.answer)
    assert re.sub("^.", lambda first: first[0].lower(), lesson.answer) in words(at)
    assert {"bands", "growth", "cells"} & set(charts(at))
    assert "<b>Measured here:</b>" in cards(at)
    assert visit(at).page.record == lesson.page.record
    for code in LANGUAGES:
        read_in(code, lesson)


def read_in(code: str, lesson: Lesson) -> None:
    """See that a lesson, answered rightly, shows its run and that its claim holds, in words of this
    language alone.
    """
    twin = all_lessons(code)[lesson.key]
    number = str(1 + twin.options.index(twin.answer))
    at = page(lesson=lesson.key, answer=number, lang=code)
    for paragraph in keep_punctuation(twin.prose).split("\n\n"):
        assert paragraph in words(at)
    assert code == ENGLISH or not list(texts_left_in_english(at, code))
    with speaking(code):
        assert _("**✓ Right: {answer}.**").partition("{")[0] in words(at)
        assert f"<b>{_('Measured here:')}</b>" in cards(at)
    assert not at.warning
    assert {"bands", "growth", "cells"} & set(charts(at))


FIRST, SECOND, *_rest, LAST = all_lessons()


def test_the_list_names_every_lesson_and_what_was_answered():
    at = page(bench="course")
    assert list(lessons_by_section()) == list(
        dict.fromkeys(lesson.section for lesson in all_lessons().values())
    )
    data = course_data(visit(at).answers)
    assert [section["title"] for section in data["sections"]] == list(lessons_by_section())
    assert [link["key"] for section in data["sections"] for link in section["links"]] == list(
        all_lessons()
    )
    assert {answer_is_right(at, lesson) for lesson in all_lessons().values()} == {None}
    lesson = all_lessons()[FIRST]
    for number, option in enumerate(lesson.options, 1):
        visit(at).open_lesson(FIRST)
        visit(at).answer_question(str(number))
        assert answer_is_right(at, lesson) == (option == lesson.answer)
        mark = "right" if option == lesson.answer else "wrong"
        assert course_data(visit(at).answers)["marks"] == {FIRST: mark}
        verdict, reply = answer_feedback(lesson, str(number))
        assert verdict.startswith("**✓" if option == lesson.answer else "**✗")
        assert (lesson.discussion.get(option, "none") in reply) == (option != lesson.answer)


def test_a_figure_is_a_panel_of_the_charts_or_a_section():
    assert {*PANELS["train"]} <= {*TRAINING_PANELS, *DEPTH_PANELS}
    page = all_lessons()["vanishing-sigmoid"].page
    figures = open_figures(("signal", "weight_gradient", "symmetry"), page, lambda cost: True)
    assert figures[0] == ("signal", "weight_gradient")
    assert figures[1].section is TRAIN_SECTIONS["symmetry"]


def test_of_many_sentences_three_and_all_false_ones_are_in_sight():
    lines = tuple((f"{index} < 9", index != 4) for index in range(6))
    reading = ClaimReading(lines, False, "", tuple(f"It is {index}." for index in range(6)))
    before, after = claim_html(reading).split("<details>")
    assert re.findall(r"(.) It is (\d)", before) == [*zip("✓✓✓✗", "0124", strict=True)]
    assert re.findall(r"(.) It is (\d)", after) == [("✓", "3"), ("✓", "5")]
    assert "<summary>2 more, and the exact claim</summary>" in after
    assert after.count("&lt; 9") == 6


def test_from_each_lesson_one_step_leads_on_and_one_back():
    at, seen = page(lesson=FIRST), [FIRST]
    assert list(ways(at)) == ["Next →"]
    while following := ways(at).get("Next →"):
        visit(at).open_lesson(following)
        seen.append(following)
    assert seen == list(all_lessons())
    assert list(ways(at)) == ["← Previous"]


@pytest.mark.parametrize("lesson", all_lessons().values(), ids=list(all_lessons()))
def test_an_answer_beyond_the_options_is_named_and_the_lesson_shown(lesson):
    page, notes = read_link({"lesson": lesson.key, "answer": str(len(lesson.options) + 1)})
    assert page.view.answer == "shown"
    count = len(lesson.options)
    note = f"answer must be shown or 1 to {count} in this lesson, not {count + 1}; "
    assert notes == [note + "shown is used instead."]


def test_a_lesson_has_its_own_bench():
    page, (note,) = read_link({"lesson": FIRST, "bench": "product"})
    assert page.view.bench == all_lessons()[FIRST].page.view.bench
    assert "'product'" in note


def test_what_lies_on_the_benches_survives_a_walk_through_lessons():
    at = page(**TRAIN)
    trained = visit(at).page.experiment
    visit(at).pin()
    visit(at).open_lesson(
        next(key for key, lesson in all_lessons().items() if lesson.page.view.bench == "product")
    )
    visit(at).open_bench("train")
    assert (visit(at).page.experiment, visit(at).page.pins) == (trained, (trained,))


def test_whoever_wants_no_question_is_shown_the_lesson_at_once():
    at = press(page(lesson=FIRST), "Just show me")
    assert query(at)["answer"] == "shown"
    assert "**The answer:" in words(at)
    assert answer_is_right(at, all_lessons()[FIRST]) is None


def test_a_link_may_open_a_lesson_answered_and_changed():
    at = page(lesson=FIRST, answer="shown", seed="3")
    assert visit(at).page.record.seed == 3
    assert query(at) == {"lesson": FIRST, "answer": "shown", "seed": "3"}
    assert "changed" in "".join(part.label for part in at.sidebar.expander)
    at = press(at, "Reset")
    assert visit(at).page.record == all_lessons()[FIRST].page.record
    assert query(at)["lesson"] == FIRST


def test_a_claim_that_cannot_be_asked_of_what_was_set_says_why():
    lesson = next(
        lesson for lesson in all_lessons().values() if "xavier_normal" in lesson.claim.text
    )
    at = page(lesson=lesson.key, answer="shown", schemes="zeros", steps="2")
    assert "<b>Undecided:</b>" in cards(at)
    assert "speaks of xavier_normal, which is not among the schemes" in cards(at)


def test_an_unknown_lesson_opens_the_list_with_a_notice_that_names_the_nearest():
    at = page(lesson=f"{FIRST}x")
    assert visit(at).page.view.bench == "course"
    assert f"'{FIRST}x' is no lesson (did you mean {FIRST}?)" in notices(at)
    assert "no lesson" in notices(page(lesson="**bold**"))
    assert escape_markdown("**bold**") in page(lesson="**bold**").warning[0].value


def test_what_a_lesson_set_stays_on_the_bench_when_one_leaves_the_lesson():
    at = page(lesson=FIRST, answer="shown")
    visit(at).open_bench("train")
    assert visit(at).page.experiment == all_lessons()[FIRST].page.experiment
    assert visit(at).lesson is None


# The Products bench


def test_products_are_multiplied_said_and_drawn():
    at = page(**SMALL)
    assert len(charts(at)["growth"]) == 13
    assert "further factors" in cards(at)
    assert "<table" in cards(at), "the matrices"
    assert {"n", "count"} <= {control.key for control in at.sidebar.select_slider}
    assert "Pin" not in [button.label for button in at.button]


def test_a_new_seed_draws_other_matrices():
    at = page(**SMALL)
    before = charts(at)["growth"]
    at = press(at, "New seed")
    assert query(at)["seed"] != "0"
    assert not charts(at)["growth"].equals(before)


def test_a_product_that_takes_too_long_is_refused_with_what_fits(monkeypatch):
    # What fits is computed here.
    monkeypatch.setattr("stability.page.server.LIMITS", Limits(run_seconds=0.1))
    asked = Product(n=256, count=1000, replicates=1000)
    at = page(bench="product", n="256", count="1000", replicates="1000")
    assert charts(at)["growth"]["median"].to_pylist() == [None], "the law alone"
    assert "It fits with" in notices(at)
    (use,) = [button for button in at.button if button.label.startswith("Use")]
    seen = visit(at)
    use.click().run()
    taken = seen.page.product
    assert product_cost(taken).operations < product_cost(asked).operations
    words = [
        Product.knobs()[name].label_with_value(value)
        for name, value in taken.differences(asked).items()
    ]
    assert use.label == f"Use {', '.join(words)}"


def test_what_is_set_on_one_bench_is_there_when_one_comes_back():
    at = page(**TRAIN)
    trained = visit(at).page.experiment
    for bench in ("product", "course", "network", "train"):
        visit(at).open_bench(bench)
        at.run()
    assert visit(at).page.experiment == trained


# What is looked at closer

SMALL_ON_EACH_BENCH = {
    "train": TRAIN | {"dataset": "moons"},  # of which all can be drawn
    "product": SMALL,
    "map": SMALL_MAP,
    "network": {"bench": "network", "architecture": "9-8-7"},
}


@pytest.mark.parametrize(
    ("bench", "section"),
    [(bench, section) for bench, row in BENCH_LINKS.items() for section in row.sections],
)
def test_each_section_shows_something_that_was_not_there_before(bench, section):
    at = page(**SMALL_ON_EACH_BENCH[bench])
    before = set(charts(at)), len(at.dataframe), len(at.code), len(words(at))
    at = look_closer(at, section)
    drawn = set(charts(at)), len(at.dataframe), len(at.code), len(words(at))
    assert drawn != before or section in {"tried", "take"}  # which have buttons of their own
    assert query(at)["section"] == section
