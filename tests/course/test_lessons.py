"""A lesson's claim holds on its page and fails beside it; no broken file becomes a lesson."""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial

import pytest

from stability.cells.map_cost import sweep_cost
from stability.cells.map_run import MapRun
from stability.course.claim_prefix import PendingError
from stability.course.lessons import (
    BOOK_SECTIONS,
    LESSON_KEYS,
    PANELS,
    LessonError,
    all_lessons,
    broken_lessons,
    read_lesson,
    read_lessons,
)
from stability.engine.cost import Speed, product_cost, training_cost
from stability.engine.runs import ProductRun, Run
from stability.page.course_page import course_introduction
from stability.page.links import read_link
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.records.view import BENCH_LINKS

TRAIN_FIGURES = *PANELS["train"], *BENCH_LINKS["train"].sections
NO_BENCH = "a lesson opens a bench, neither the course nor another lesson"
FRONT_MATTER = "a lesson begins with front matter between two lines +++"
STREAMS = {Experiment: partial(Run, snapshots=False), Product: ProductRun, Sweep: MapRun}
COSTS = {Experiment: training_cost, Product: product_cost, Sweep: sweep_cost}
MOST_SECONDS = {Experiment: 4, Product: 3, Sweep: 20}
SPEED = Speed(
    call=1.85e-4, operation=1e-10, product=1e-10
)  # of two cores on which other things ran: measured once, so that no load decides
LESSONS = pytest.mark.parametrize("lesson", all_lessons().values(), ids=list(all_lessons()))
GOOD = """\
+++
title = "Wide enough"
section = "Tests"
link = "depth=3&width=8&steps=2&schemes=he_normal"
question = "How wide?"
options = [
    "8",
    "9",
]
answer = "8"
claim = "width == 8"
counterexample = "width=9"
topic = "A width"
book = "5.4.4"
figures = ["loss"]
sentences = ["The width is {width}."]

[discussion]
"9" = "That is one too many."
+++
"""
PROSE = f"**Look for** the width.\n\n{'word ' * 73}where $1 <n$.\n"


@cache
def check_claim(lesson: str, settings: Experiment | Product | Sweep) -> tuple[list[bool], str]:
    """Return of which of three replicates the claim is true, and how it reads.

    The run goes as far as the claim speaks of. A map takes longer, and is one network a cell.
    """
    if not isinstance(settings, Sweep):
        settings = replace(settings, replicates=3)
    claim, stream = all_lessons()[lesson].claim, STREAMS[type(settings)](settings)
    for _ in stream:
        with suppress(PendingError):
            return claim.holds(stream).tolist(), claim.describe(stream).text
    raise AssertionError("the run has ended, and the claim waits")


# The course


@LESSONS
@pytest.mark.case
@pytest.mark.usefixtures("shared_maps")
def test_the_claim_is_true_of_each_of_three_replicates(lesson):
    true, reading = check_claim(lesson.key, lesson.page.record)
    assert all(true), reading


@LESSONS
@pytest.mark.case
@pytest.mark.usefixtures("shared_maps")
def test_the_claim_is_false_of_each_of_three_replicates_beside_it(lesson):
    true, reading = check_claim(lesson.key, lesson.counterexample.record)
    assert not any(true), reading


@LESSONS
def test_beside_it_is_a_few_settings_away(lesson):
    assert 1 <= len(lesson.counterexample.record.differences(lesson.page.record)) <= 3


@LESSONS
def test_a_lesson_is_seen_within_seconds(lesson):
    for settings in (lesson.page.record, lesson.counterexample.record):
        kind = type(settings)
        assert SPEED.seconds(COSTS[kind](settings)) <= MOST_SECONDS[kind]


@LESSONS
def test_a_lesson_reads_as_a_page(lesson):
    assert 80 <= len(lesson.prose.split()) <= 200
    assert lesson.prose.count("$") % 2 == 0, "a formula without its end"
    assert "\n**Look for**" in f"\n{lesson.prose}"
    assert lesson.question.endswith("?")
    assert not lesson.title.endswith(".")
    assert lesson.topic != lesson.title
    assert lesson.answer not in lesson.topic, "a list does not give the answer away"


@LESSONS
def test_a_claim_is_about_what_was_measured(lesson):
    names = {
        quantity.name
        for comparison in lesson.claim.comparisons
        for quantity in comparison.quantities
    }
    assert names - {*lesson.page.record.knobs(), "guessing", "law"}


def test_titles_and_places_in_the_course_are_unique():
    lessons = all_lessons().values()
    assert max(Counter(lesson.title for lesson in lessons).values()) == 1
    assert max(Counter(lesson.path.name[:2] for lesson in lessons).values()) == 1


def test_the_place_of_an_option_does_not_betray_the_answer():
    lessons = all_lessons().values()
    answers = [lesson.options.index(lesson.answer) for lesson in lessons]
    last = sum(
        place + 1 == len(lesson.options) for place, lesson in zip(answers, lessons, strict=True)
    )
    assert max(last, *Counter(answers).values()) <= len(lessons) / 2


def test_the_course_is_in_the_order_of_its_files_and_cannot_be_changed():
    names = [lesson.path.name for lesson in all_lessons().values()]
    assert names == sorted(names)
    assert all_lessons() is all_lessons()
    with pytest.raises(TypeError):
        all_lessons()["more"] = None


# A file


def write_lesson(folder, text: str, name: str = "01-good.md"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_becomes_a_lesson(tmp_path):
    lesson = read_lesson(write_lesson(tmp_path, GOOD + PROSE))
    assert (lesson.key, lesson.options, lesson.answer, lesson.section) == (
        "good",
        ("8", "9"),
        "8",
        "Tests",
    )
    assert lesson.page.record == Experiment(depth=3, width=8, steps=2, schemes=("he_normal",))
    assert lesson.counterexample.record == replace(lesson.page.record, width=9)
    assert (lesson.claim.text, lesson.prose) == ("width == 8", PROSE.strip())


def test_a_link_may_open_a_product(tmp_path):
    changes = {"link": "bench=product&n=8", "claim": "n == 8", "counterexample": "n=9"}
    text = with_values(changes).replace('"loss"', '"norm"').replace("{width}", "{n}")
    lesson = read_lesson(write_lesson(tmp_path, text))
    assert (lesson.page.record, lesson.counterexample.record) == (Product(n=8), Product(n=9))


def with_values(changes: dict[str, str]) -> str:
    """The good file with other texts for some keys."""
    text = GOOD
    for key, value in changes.items():
        text = re.sub(f'(?m)^{key} = ".*"$', lambda _, k=key, v=value: f'{k} = "{v}"', text)
    return text + PROSE


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "title must be a text, not empty, not ' '"),
        ({"link": "depht=3"}, "link: 'depht' is no setting of this page, so '3' was left out."),
        (
            {"link": "depth=300"},
            "link: depth must be a whole number from 1 to 101, not '300'; 20 is used instead.",
        ),
        (
            {"link": "batch=128&samples=64"},
            "link: batch must be at most samples (64), not 128; batch 64 is used instead.",
        ),
        ({"link": "depth"}, "link: bad query field: 'depth'"),
        ({"link": "width=8&width=9"}, "link: a setting is spelled twice"),
        ({"link": "lesson=good"}, f"link: {NO_BENCH}"),
        ({"link": "bench=course"}, f"link: {NO_BENCH}"),
        ({"link": "width=8&section=bounds"}, "link: this bench has no section bounds"),
        ({"answer": "10"}, "answer must be one of the options, not '10'"),
        ({"claim": "width ~ 8"}, "claim: column 7: invalid syntax"),
        (
            {"claim": "widht == 8"},
            "claim: column 1: nothing is called 'widht' (did you mean width?)",
        ),
        (
            {"claim": "loss[lsuv] < 8"},
            "claim: this claim speaks of lsuv, which is not among the schemes",
        ),
        (
            {"claim": "n == 4"},
            "claim: this claim speaks of the size, which a training run does not have",
        ),
        ({"claim": "loss[each][3] < 1"}, "claim: this claim speaks of step 3, and the last is 2"),
        (
            {"counterexample": "width=1"},
            "counterexample: width must be a whole number from 2 to 1024, not '1'; "
            "8 is used instead.",
        ),
        ({"counterexample": "width=8"}, "counterexample: it changes nothing that runs"),
        ({"counterexample": "seed"}, "counterexample: bad query field: 'seed'"),
        (
            {"counterexample": "bench=product"},
            "counterexample: it must stay on the bench of the link",
        ),
        (
            {"claim": "loss[he_normal] < 9", "counterexample": "schemes=zeros"},
            "counterexample: this claim speaks of he_normal, which is not among the schemes",
        ),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_with_its_key(tmp_path, changes, sentence):
    with pytest.raises(LessonError) as refused:
        read_lesson(write_lesson(tmp_path, with_values(changes)))
    assert str(refused.value) == f"01-good.md: {sentence}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("+++\ntitle", "title", FRONT_MATTER),
        ("+++\n**", "**", FRONT_MATTER),
        ("the width", "the\n\n+++\n\nwidth", FRONT_MATTER),
        ('"Tests"', '"Tests', "Illegal character '\\n' (at line 3, column 17)"),
        (
            "question = ",
            "question : ",
            "Expected '=' after a key in a key/value pair (at line 5, column 10)",
        ),
        ("]\nanswer", "answer", "Invalid value (at line 9, column 1)"),
        (
            'answer = "8"',
            'answer = "8"\nanswer = "9"',
            "Cannot overwrite a value (at line 11, column 13)",
        ),
        ('"width=9"', '"""width=9', "Unterminated string (at end of document)"),
        ('counterexample = "width=9"\n', "", "the key counterexample is missing"),
        (
            "answer =",
            "awnser =",
            f"'awnser' is no key of a lesson (did you mean answer?); they are "
            f"{', '.join(LESSON_KEYS)}",
        ),
        (
            '"How wide?"',
            '"""\nlink = 1\n"""\nhow = 2',
            f"'how' is no key of a lesson; they are {', '.join(LESSON_KEYS)}",
        ),
        ('"8"\nclaim', "8\nclaim", "answer must be a text, not empty, not 8"),
        ('    "9",\n', "    9,\n", "options must be a list of texts, none empty, not ['8', 9]"),
        ('    "9",\n', "", "options: a question has 2 to 6 options, not 1"),
        ('    "9",\n', '    "8",\n', "options: two options are the same"),
        (
            '    "9",\n',
            '    "1", "2", "3", "4", "5", "6",\n',
            "options: a question has 2 to 6 options, not 7",
        ),
        ('["loss"]', "[]", "figures: a lesson has at least one"),
        (
            '["loss"]',
            '["norm"]',
            f"figures: 'norm' is no picture of this bench; they are {', '.join(TRAIN_FIGURES)}",
        ),
        ('"5.4.4"', '"5.4"', f"book must be one of {', '.join(BOOK_SECTIONS)}, not '5.4'"),
        (
            "is {width}",
            "is {widht}",
            "sentences: column 1: nothing is called 'widht' (did you mean width?)",
        ),
        ("is {width}", "is {width < 9}", "sentences: 'width < 9': column 1: a number, a name,"),
        (
            "is {width}.",
            "is {width.",
            "sentences: a brace without its partner in 'The width is {width.'",
        ),
        (
            '"The width is {width}."',
            '"It is.", "It is."',
            "sentences: a sentence for each of 1 comparisons, not 2",
        ),
        ('"9" =', '"8" =', "discussion: nothing is said about '9'"),
        ('"9" = "', '"7" = "Never."\n"9" = "', "discussion: '7' is no wrong option"),
        ("word word", "word", "prose has 80 to 200 words, not 79"),
        ("word word", "word " * 200, "prose has 80 to 200 words, not 278"),
        ("word word", "word <b>word</b>", "prose is Markdown, without HTML such as <b"),
        ("word word", "word <!-- word -->", "prose is Markdown, without HTML such as <!"),
        ("**Look for**", "See there", "no paragraph of the prose begins with **Look for**"),
        (
            "**Look for**",
            "There **Look for**",
            "no paragraph of the prose begins with **Look for**",
        ),
    ],
)
def test_a_file_that_is_no_lesson_is_refused(tmp_path, old, new, sentence):
    text = GOOD + PROSE
    assert text.count(old) >= 1
    with pytest.raises(LessonError) as refused:
        read_lesson(write_lesson(tmp_path, text.replace(old, new, 1)))
    assert str(refused.value).startswith(f"01-good.md: {sentence}")


@pytest.mark.parametrize("name", ["good.md", "1-good.md", "01-Good.md", "01-.md", "001-good.md"])
def test_a_file_is_named_by_its_place_and_key(tmp_path, name):
    write_lesson(tmp_path, GOOD + PROSE, name)
    with pytest.raises(LessonError, match=f"^{re.escape(name)}: a lesson's file is named as in "):
        read_lessons(tmp_path)


def test_a_file_that_is_no_utf_8_is_refused(tmp_path):
    path = write_lesson(tmp_path, GOOD + PROSE)
    path.write_bytes(path.read_bytes().replace(b"How wide", b"How w\xefde"))
    with pytest.raises(LessonError, match=r"^01-good.md: a lesson is written in UTF-8$"):
        read_lesson(path)


def test_two_files_do_not_share_a_key(tmp_path):
    for name in ("01-good.md", "02-good.md"):
        write_lesson(tmp_path, GOOD + PROSE, name)
    with pytest.raises(LessonError, match=r"^02-good.md: 01-good.md has the key good already$"):
        read_lessons(tmp_path)


def test_a_broken_file_is_left_out_and_says_why_while_the_others_are_read(tmp_path, monkeypatch):
    assert not broken_lessons()
    monkeypatch.setattr("stability.course.lessons.FOLDER", tmp_path)
    write_lesson(tmp_path, GOOD + PROSE, "01-good.md")
    write_lesson(tmp_path, "no lesson", "02-bad.md")
    assert list(all_lessons()) == ["good"]
    assert broken_lessons() == {"bad": f"02-bad.md: {FRONT_MATTER}"}
    page, (note,) = read_link({"lesson": "bad"})
    assert page.view.bench == "course"
    assert note == f"Lesson bad cannot be shown: 02-bad.md: {FRONT_MATTER}."
    assert "Lesson bad cannot be shown" in course_introduction()


def test_lessons_are_gathered_in_the_order_of_their_names(tmp_path):
    for name in ("10-late.md", "02-early.md"):
        write_lesson(tmp_path, GOOD + PROSE, name)
    assert list(read_lessons(tmp_path)) == ["early", "late"]
