"""The course: one Markdown file a lesson, `NN-key.md`, with TOML front matter between lines `+++`.

Each lesson carries a claim and a counterexample, a neighbouring setting in which the claim is
false; the tests check both. Its `topic` stands in lists, where its `title` would give the answer
away; a sentence says each comparison of the claim, and a table `[discussion]` what is wrong with
each wrong option. `figures` names the pictures beside the text, the first of them large.

A lesson speaks another language where it has a twin, a file of the same name in a folder such as
`zh`. A twin holds what is language, and nothing else, so that the two cannot drift apart: options
stand in the order of the lesson, and sentences with the same numbers in braces. A lesson without a
twin is read in English.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from stability.course.claims import Claim, parse_claim
from stability.course.lesson_checks import (
    LOOK_FOR,
    check_discussion,
    check_keys,
    check_length,
    check_options,
    check_prose,
)
from stability.i18n import ENGLISH, N_, _, language
from stability.records.page import Page
from stability.text import quote

TEXT_KEYS = (
    "title", "topic", "section", "book", "link", "question", "answer", "claim", "counterexample",
)  # fmt: skip
LIST_KEYS = "options", "figures", "sentences"
TEXT_FIELDS = "title", "topic", "section", "book", "question", "answer"
LESSON_KEYS = *TEXT_KEYS, *LIST_KEYS, "discussion"
TWIN_TEXTS, TWIN_LISTS = ("title", "topic", "section", "question"), ("options", "sentences")
BOOK_LINK = N_("https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html")
BOOK_CHAPTER = N_("5.4")  # in the edition of the reader's language
BOOK_SECTIONS = {
    "5.4.1": N_("Vanishing and Exploding Gradients"),
    "5.4.1.1": N_("Vanishing Gradients"),
    "5.4.1.2": N_("Exploding Gradients"),
    "5.4.1.3": N_("Breaking the Symmetry"),
    "5.4.2.1": N_("Default Initialization"),
    "5.4.2.2": N_("Xavier Initialization"),
    "5.4.2.3": N_("Beyond"),
    "5.4.4": N_("Exercises"),
}
PANELS = {  # of the benches' charts, which a figure may show, beside sections of "Look closer"
    "train": (
        "loss", "accuracy", "gradient_norm", "scale", "signal", "signal_gradient",
        "weight_gradient",
    ),
    "product": ("norm",),
    "map": ("map",),
}  # fmt: skip
FOLDER = Path(__file__).parent / "lessons"
FENCE = "+++"
FILE_NAME = re.compile(r"(\d\d)-([a-z0-9_-]+)\.md")


class LessonError(ValueError):
    """Names a file that is no lesson, the key or part that is wrong, and why."""


@dataclass(frozen=True)
class Lesson:
    """A lesson, which shows `page`; its claim is false on the page `counterexample`."""

    key: str
    number: int  # its place in the course, from 1
    title: str
    topic: str
    section: str
    book: str  # a key of BOOK_SECTIONS
    question: str
    options: tuple[str, ...]
    answer: str
    discussion: Mapping[str, str]  # of the wrong options
    figures: tuple[str, ...]
    claim: Claim
    page: Page
    counterexample: Page
    prose: str
    path: Path


def all_lessons(code: str = "") -> Mapping[str, Lesson]:
    """Return the lessons of the course by key, in the order of their files; no broken ones.

    They speak the language of this code; without one, that of the reader.
    """
    return _readable_and_broken(FOLDER, code or language.get())[0]


def broken_lessons(code: str = "") -> Mapping[str, str]:
    """Return why a lesson cannot be shown, by the keys of such lessons."""
    return _readable_and_broken(FOLDER, code or language.get())[1]


@cache
def _readable_and_broken(folder: Path, code: str) -> tuple[Mapping[str, Lesson], Mapping[str, str]]:
    lessons: dict[str, Lesson] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.md")):
        try:
            lesson = read_lesson(path, code)
        except (LessonError, OSError) as error:
            name = FILE_NAME.fullmatch(path.name)
            broken[name[2] if name else path.stem] = str(error)
        else:
            lessons.setdefault(lesson.key, lesson)
    return MappingProxyType(lessons), MappingProxyType(broken)


def read_lessons(folder: Path) -> Mapping[str, Lesson]:
    """Return the lessons of a folder by key. LessonError names the file and what is wrong."""
    lessons: dict[str, Lesson] = {}
    for path in sorted(folder.glob("*.md")):
        lesson = read_lesson(path)
        if lesson.key in lessons:
            other = lessons[lesson.key].path.name
            raise LessonError(f"{path.name}: {other} has the key {lesson.key} already")
        lessons[lesson.key] = lesson
    return MappingProxyType(lessons)


def read_lesson(path: Path, code: str = ENGLISH) -> Lesson:
    """Return the lesson of a file, in the words of its twin if it has one in this language.

    LessonError names the file and what is wrong.
    """
    with errors_of(path.name):
        lesson = _read_lesson(path)
    twin = path.parent / code / path.name
    if not twin.exists():
        return lesson
    with errors_of(f"{code}/{path.name}"):
        return _in_words_of(lesson, twin, LOOK_FOR[code])


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Raise each ValueError of the block as a LessonError that begins with this name."""
    try:
        yield
    except UnicodeDecodeError:
        raise LessonError(f"{name}: a lesson is written in UTF-8") from None
    except ValueError as error:
        raise LessonError(f"{name}: {error}") from None


def matter_and_prose(path: Path) -> tuple[dict[str, Any], str]:
    """Return the front matter of a file and the Markdown below it."""
    before, *parts = path.read_text(encoding="utf-8").split(f"{FENCE}\n")
    if before or len(parts) != 2:
        raise ValueError(f"a lesson begins with front matter between two lines {FENCE}")
    # Below an empty line: lines are those of the file.
    return tomllib.loads("\n" + parts[0]), parts[1].strip()


def _read_lesson(path: Path) -> Lesson:
    name = FILE_NAME.fullmatch(path.name)
    if not name:
        raise ValueError("a lesson's file is named as in 07-vanishing-sigmoid.md")
    matter, prose = matter_and_prose(path)
    check_keys(matter, TEXT_KEYS, LIST_KEYS)
    if matter["book"] not in BOOK_SECTIONS:
        legal = ", ".join(BOOK_SECTIONS)
        raise ValueError(f"book must be one of {legal}, not {quote(matter['book'])}")
    check_options(matter["options"], matter["answer"])
    check_discussion(matter["discussion"], {*matter["options"]} - {matter["answer"]})
    check_length(prose)
    check_prose(prose, LOOK_FOR[ENGLISH])
    page = page_of_link("link", matter["link"])
    counterexample = page_of_link("counterexample", matter["counterexample"], page)
    return Lesson(
        key=name[2],
        number=int(name[1]),
        **{key: matter[key] for key in TEXT_FIELDS},
        options=tuple(matter["options"]),
        discussion=MappingProxyType(matter["discussion"]),
        figures=checked_figures(matter["figures"], page),
        claim=checked_claim(matter["claim"], matter["sentences"], page, counterexample),
        page=page,
        counterexample=counterexample,
        prose=prose,
        path=path,
    )


def _in_words_of(lesson: Lesson, twin: Path, look_for: str) -> Lesson:
    matter, prose = matter_and_prose(twin)
    check_keys(matter, TWIN_TEXTS, TWIN_LISTS)
    options = tuple(matter["options"])
    if len(options) != len(lesson.options):
        raise ValueError(f"options: the lesson has {len(lesson.options)}, not {len(options)}")
    answer = options[lesson.options.index(lesson.answer)]
    check_options(options, answer)
    check_discussion(matter["discussion"], {*options} - {answer})
    check_prose(prose, look_for)
    return replace(
        lesson,
        **{key: matter[key] for key in TWIN_TEXTS},
        options=options,
        answer=answer,
        discussion=MappingProxyType(matter["discussion"]),
        claim=claim_in_words(lesson.claim, matter["sentences"]),
        prose=prose,
    )


def checked_figures(figures: Sequence[str], page: Page) -> tuple[str, ...]:
    """Return the figures of a page. ValueError where its bench has no such panel or section."""
    legal = *PANELS[page.view.bench], *page.view.bench_link.sections
    for name in figures:
        if name not in legal:
            known = ", ".join(legal)
            raise ValueError(
                f"figures: {quote(name)} is no picture of this bench; they are {known}"
            )
    if not figures:
        raise ValueError("figures: a lesson has at least one")
    return tuple(figures)


def page_of_link(key: str, link: str, base: Page | None = None) -> Page:
    """Return the page that a link opens, from `base` on. ValueError where it opens with a note."""
    try:
        pairs = parse_qsl(link, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"{key}: a setting is spelled twice")
    page, notes = Page.from_query(dict(pairs), base)
    if notes:
        raise ValueError(f"{key}: {' '.join(notes)}")
    view = page.view
    if view.lesson or view.answer or not view.bench_link.record:
        raise ValueError(f"{key}: a lesson opens a bench, neither the course nor another lesson")
    if view.section and not view.open_section:
        raise ValueError(f"{key}: this bench has no section {view.section}")
    if base and view.bench != base.view.bench:
        raise ValueError(f"{key}: it must stay on the bench of the link")
    if base and page.record == base.record:
        raise ValueError(f"{key}: it changes nothing that runs")
    return page


def checked_claim(text: str, sentences: Sequence[str], page: Page, counterexample: Page) -> Claim:
    """Return a claim that can be asked of both pages. ValueError names the key of the lesson."""
    key = "claim"
    try:
        claim = parse_claim(text)
        claim.check_settings(page.record)
        key = "counterexample"
        claim.check_settings(counterexample.record)
        key = "sentences"
        claim = parse_claim(text, sentences)
        claim.check_settings(page.record)
        claim.check_settings(counterexample.record)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    return claim


def claim_in_words(claim: Claim, sentences: Sequence[str]) -> Claim:
    """Return a claim said by other sentences. ValueError unless they give the same numbers."""
    if len(sentences) != len(claim.sentences):
        raise ValueError(f"sentences: the lesson has {len(claim.sentences)}, not {len(sentences)}")
    try:
        translated = parse_claim(claim.text, sentences)
    except ValueError as error:
        raise ValueError(f"sentences: {error}") from None
    for text, own, other in zip(sentences, translated.sentences, claim.sentences, strict=True):
        if own.fields != other.fields:
            raise ValueError(f"sentences: the lesson has other numbers than {quote(text)}")
    return translated


def book_number(lesson: Lesson) -> str:
    """Return the number of a lesson's section in the reader's edition of the book."""
    return lesson.book.replace(BOOK_CHAPTER, _(BOOK_CHAPTER), 1)
