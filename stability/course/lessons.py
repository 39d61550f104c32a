"""The course: one Markdown file a lesson, `NN-key.md`, with TOML front matter between lines `+++`.

Each lesson carries a claim and a counterexample, a neighbouring setting in which the claim is
false; the tests check both. Its `topic` stands in lists, where its `title` would give the answer
away; a sentence says each comparison of the claim, and a table `[discussion]` what is wrong with
each wrong option. `figures` names the pictures beside the text, the first of them large.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from stability.course.claims import Claim, parse_claim
from stability.records.page import Page
from stability.records.view import MOST_OPTIONS
from stability.text import did_you_mean, quote

TEXT_KEYS = (
    "title", "topic", "section", "book", "link", "question", "answer", "claim", "counterexample",
)  # fmt: skip
LIST_KEYS = "options", "figures", "sentences"
TEXT_FIELDS = "title", "topic", "section", "book", "question", "answer"
LESSON_KEYS = *TEXT_KEYS, *LIST_KEYS, "discussion"
BOOK_LINK = "https://d2l.ai/chapter_multilayer-perceptrons/numerical-stability-and-init.html"
BOOK_SECTIONS = {
    "5.4.1": "Vanishing and Exploding Gradients",
    "5.4.1.1": "Vanishing Gradients",
    "5.4.1.2": "Exploding Gradients",
    "5.4.1.3": "Breaking the Symmetry",
    "5.4.2.1": "Default Initialization",
    "5.4.2.2": "Xavier Initialization",
    "5.4.2.3": "Beyond",
    "5.4.4": "Exercises",
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
FENCE, LOOK_FOR = "+++", "**Look for**"
FEWEST_WORDS, MOST_WORDS = 80, 200  # of prose: a screen
FILE_NAME = re.compile(r"(\d\d)-([a-z0-9_-]+)\.md")
FORMULA, TAG = re.compile(r"\$[^$]*\$|`[^`]*`"), re.compile(r"<[a-zA-Z/!?]")


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


def all_lessons() -> Mapping[str, Lesson]:
    """Return the lessons of the course by key, in the order of their files; no broken ones."""
    return _readable_and_broken(FOLDER)[0]


def broken_lessons() -> Mapping[str, str]:
    """Return why a lesson cannot be shown, by the keys of such lessons."""
    return _readable_and_broken(FOLDER)[1]


@cache
def _readable_and_broken(folder: Path) -> tuple[Mapping[str, Lesson], Mapping[str, str]]:
    lessons: dict[str, Lesson] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.md")):
        try:
            lesson = read_lesson(path)
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


def read_lesson(path: Path) -> Lesson:
    """Return the lesson of a file. LessonError names the file and what is wrong."""
    try:
        return _read_lesson(path)
    except UnicodeDecodeError:
        raise LessonError(f"{path.name}: a lesson is written in UTF-8") from None
    except ValueError as error:
        raise LessonError(f"{path.name}: {error}") from None


def _read_lesson(path: Path) -> Lesson:
    name = FILE_NAME.fullmatch(path.name)
    if not name:
        raise ValueError("a lesson's file is named as in 07-vanishing-sigmoid.md")
    before, *parts = path.read_text(encoding="utf-8").split(f"{FENCE}\n")
    if before or len(parts) != 2:
        raise ValueError(f"a lesson begins with front matter between two lines {FENCE}")
    matter = tomllib.loads("\n" + parts[0])  # below an empty line: lines are those of the file
    check_keys(matter)
    check_prose(parts[1])
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
        prose=parts[1].strip(),
        path=path,
    )


def check_keys(matter: Mapping[str, Any]) -> None:
    """Raise a ValueError unless every key is there, known, and of its kind."""
    for key in matter.keys() - set(LESSON_KEYS):
        near, known = did_you_mean(key, LESSON_KEYS), ", ".join(LESSON_KEYS)
        raise ValueError(f"{quote(key)} is no key of a lesson{near}; they are {known}")
    for key in set(LESSON_KEYS) - matter.keys():
        raise ValueError(f"the key {key} is missing")
    for key in TEXT_KEYS:
        if not is_text(matter[key]):
            raise ValueError(f"{key} must be a text, not empty, not {quote(matter[key])}")
    for key in LIST_KEYS:
        if not isinstance(matter[key], list) or not all(map(is_text, matter[key])):
            texts = quote(matter[key])
            raise ValueError(f"{key} must be a list of texts, none empty, not {texts}")
    if matter["book"] not in BOOK_SECTIONS:
        legal = ", ".join(BOOK_SECTIONS)
        raise ValueError(f"book must be one of {legal}, not {quote(matter['book'])}")
    check_options(matter["options"], matter["answer"])
    check_discussion(matter["discussion"], {*matter["options"]} - {matter["answer"]})


def check_options(options: Sequence[str], answer: str) -> None:
    """Raise a ValueError unless these are different texts, not too many, and one is the answer."""
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise ValueError(f"options: a question has 2 to {MOST_OPTIONS} options, not {len(options)}")
    if len(set(options)) < len(options):
        raise ValueError("options: two options are the same")
    if answer not in options:
        raise ValueError(f"answer must be one of the options, not {quote(answer)}")


def check_discussion(discussion: Any, wrong: Set[str]) -> None:
    """Raise a ValueError unless this is a table with a text for each wrong option."""
    if not isinstance(discussion, dict) or not all(map(is_text, discussion.values())):
        raise ValueError("discussion must be a table of texts, none empty")
    for option in wrong - discussion.keys():
        raise ValueError(f"discussion: nothing is said about {quote(option)}")
    for option in discussion.keys() - wrong:
        raise ValueError(f"discussion: {quote(option)} is no wrong option")


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


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


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


def check_prose(prose: str) -> None:
    """Raise a ValueError unless the prose is Markdown of a screen that says what to look for."""
    if tag := TAG.search(FORMULA.sub("", prose)):  # 1 < 2 in a formula is no tag
        raise ValueError(f"prose is Markdown, without HTML such as {tag[0]}")
    words = len(prose.split())
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        raise ValueError(f"prose has {FEWEST_WORDS} to {MOST_WORDS} words, not {words}")
    paragraphs = re.split(r"\n\s*\n", prose)
    if not any(paragraph.lstrip().startswith(LOOK_FOR) for paragraph in paragraphs):
        raise ValueError(f"no paragraph of the prose begins with {LOOK_FOR}")
