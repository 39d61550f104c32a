"""The course: one Markdown file a lesson, `NN-key.md`, with TOML front matter between lines `+++`.

Each lesson carries a claim and a counterexample, a neighbouring setting in which the claim is
false; the tests check both.
"""

import re
import tomllib
from collections.abc import Mapping
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

TEXT_KEYS = "title", "section", "link", "question", "answer", "claim", "counterexample"
LESSON_KEYS = *TEXT_KEYS, "options"
FENCE, LOOK_FOR = "+++", "**Look for**"
FEWEST_WORDS, MOST_WORDS = 80, 200  # of prose: a screen
FILE_NAME = re.compile(r"\d\d-([a-z0-9_-]+)\.md")
FORMULA, TAG = re.compile(r"\$[^$]*\$|`[^`]*`"), re.compile(r"<[a-zA-Z/!?]")


class LessonError(ValueError):
    """Names a file that is no lesson, the key or part that is wrong, and why."""


@dataclass(frozen=True)
class Lesson:
    """A lesson, which shows `page`; its claim is false on the page `counterexample`."""

    key: str
    title: str
    section: str
    question: str
    options: tuple[str, ...]
    answer: str
    claim: Claim
    page: Page
    counterexample: Page
    prose: str
    path: Path


@cache
def all_lessons() -> Mapping[str, Lesson]:
    """Return the lessons of the course by key, in the order of their files."""
    return read_lessons(Path(__file__).parent / "lessons")


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
        key=name[1],
        **{key: matter[key] for key in ("title", "section", "question", "answer")},
        options=tuple(matter["options"]),
        claim=checked_claim(matter["claim"], page, counterexample),
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
    check_options(matter["options"], matter["answer"])


def check_options(options: Any, answer: str) -> None:
    """Raise a ValueError unless these are different texts, not too many, and one is the answer."""
    if not isinstance(options, list) or not all(map(is_text, options)):
        raise ValueError(f"options must be a list of texts, none empty, not {quote(options)}")
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise ValueError(f"options: a question has 2 to {MOST_OPTIONS} options, not {len(options)}")
    if len(set(options)) < len(options):
        raise ValueError("options: two options are the same")
    if answer not in options:
        raise ValueError(f"answer must be one of the options, not {quote(answer)}")


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


def checked_claim(text: str, page: Page, counterexample: Page) -> Claim:
    """Return a claim that can be asked of both pages. ValueError names the key of the lesson."""
    key = "claim"
    try:
        claim = parse_claim(text)
        claim.check_settings(page.record)
        key = "counterexample"
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
