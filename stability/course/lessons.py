"""The course: one Markdown file a lesson, named NN-key.md, TOML front matter between lines `+++`, then prose.

A lesson cannot lie: it carries a claim, and a neighbouring setting in which the claim is false; the tests hold both.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from stability.course.claims import Claim, parse_claim
from stability.records.page import Page
from stability.records.view import ANSWER_LABELS
from stability.text import quote, did_you_mean

LESSON_KEYS = {
    "title": str,
    "section": str,
    "link": str,
    "question": str,
    "options": list,
    "answer": str,
    "claim": str,
    "counter": str,
}
KINDS = {str: "a text", list: "a list of texts"}
FENCE, LOOK_FOR = "+++", "**Look for**"
FEWEST_WORDS, MOST_WORDS = 80, 200  # of prose: a screen
MOST_OPTIONS = len(ANSWER_LABELS) - 2  # besides "not yet" and "shown"
NAME = re.compile(r"\d\d-([a-z0-9_-]+)\.md")
AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
FORMULA, TAG = re.compile(r"\$[^$]*\$|`[^`]*`"), re.compile(r"<[a-zA-Z/!?]")


class LessonError(ValueError):
    """What is wrong with the file of a lesson, and in which line."""

    def __init__(self, path: Path, line: int, sentence: str):
        super().__init__(f"{path.name}, line {line}: {sentence}")
        self.path, self.line = path, line


@dataclass(frozen=True)
class Lesson:
    """`page` is what it shows, and `counter` the neighbour in which its claim is false."""

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
    """All lessons by key, in the order of their files."""
    return read_lessons(Path(__file__).parent / "lessons")


def read_lessons(folder: Path) -> Mapping[str, Lesson]:
    """The lessons of a folder. LessonError names the file and the line that is wrong."""
    lessons: dict[str, Lesson] = {}
    for path in sorted(folder.glob("*.md")):
        lesson = read_lesson(path)
        if lesson.key in lessons:
            raise LessonError(path, 1, f"{lessons[lesson.key].path.name} has the key {lesson.key} already")
        lessons[lesson.key] = lesson
    return MappingProxyType(lessons)


def read_lesson(path: Path) -> Lesson:
    """One lesson. LessonError names the file and the line that is wrong."""
    name = NAME.fullmatch(path.name)
    if not name:
        raise LessonError(path, 1, "a lesson's file is named as in 07-vanishing-sigmoid.md")
    matter, prose = split(path)
    page = matter.page("link")
    counter = matter.page("counter", page)
    if counter.record == page.record:
        matter.refuse("counter", "the counter changes nothing that runs")
    return Lesson(
        key=name[1], page=page, counterexample=counter, claim=matter.claim(page, counter), options=matter.options(),
        prose=prose, path=path, **{key: matter[key] for key in ("title", "section", "question", "answer")},
    )  # fmt: skip


def split(path: Path) -> tuple["Matter", str]:
    """The front matter and the prose."""
    lines = decoded(path).split("\n")
    fences = [number for number, line in enumerate(lines, 1) if line.strip() == FENCE]
    if fences[:1] != [1]:
        raise LessonError(path, 1, f"a lesson begins with a line {FENCE}")
    if len(fences) != 2:
        raise LessonError(path, fences[-1], f"the front matter stands between two lines {FENCE}, and there are {len(fences)}")
    matter = Matter(path, lines[1 : fences[1] - 1])
    matter.check()
    return matter, checked_prose(path, fences[1] + 1, lines[fences[1] :])


def decoded(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LessonError(path, error.object.count(b"\n", 0, error.start) + 1, "a lesson is written in UTF-8") from None


@dataclass(frozen=True)
class Matter:
    """The front matter of a file: its `lines`, from the file's second on."""

    path: Path
    lines: list[str]
    values: dict[str, Any] = field(init=False)
    places: dict[str, int] = field(init=False)  # the line of each key

    def __post_init__(self):
        try:
            object.__setattr__(self, "values", tomllib.loads("\n".join(self.lines)))
        except tomllib.TOMLDecodeError as error:
            where = AT_LINE.search(str(error))
            line = int(where[1]) if where and where[1] else len(self.lines)
            raise LessonError(self.path, line + 1, AT_LINE.sub("", str(error))) from None
        object.__setattr__(self, "places", {key: line for line, keys in statements(self.lines) for key in keys})

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def refuse(self, key: str, sentence: str) -> NoReturn:
        raise LessonError(self.path, self.places.get(key, 0) + 1, sentence) from None

    def understood(self, key: str, reader: Callable, *arguments: Any) -> Any:
        """What a reader makes of something; its ValueError is told as one of this key."""
        try:
            return reader(*arguments)
        except ValueError as error:
            self.refuse(key, f"{key}: {error}")

    def check(self) -> None:
        """Every key is there, known, and of its kind."""
        for key in self.values:
            if key not in LESSON_KEYS:
                self.refuse(key, f"{quote(key)} is no key of a lesson{did_you_mean(key, LESSON_KEYS)}; they are {', '.join(LESSON_KEYS)}")
        for key, kind in LESSON_KEYS.items():
            if key not in self.values:
                self.refuse(key, f"the key {key} is missing")
            texts = self[key] if kind is list else [self[key]]
            if not (isinstance(self[key], kind) and all(isinstance(text, str) and text.strip() for text in texts)):
                self.refuse(key, f"{key} must be {KINDS[kind]}, none empty, not {quote(self[key])}")

    def page(self, key: str, base: Page | None = None) -> Page:
        """The page that a query opens, without a note; a counter keeps to the bench of its base."""
        pairs = self.understood(key, lambda: parse_qsl(self[key], keep_blank_values=True, strict_parsing=True))
        if len(dict(pairs)) < len(pairs):
            self.refuse(key, f"{key}: a setting is spelled twice")
        page, notes = Page.from_query(dict(pairs), base)
        if notes:
            self.refuse(key, f"{key}: {' '.join(notes)}")
        view = page.view
        if view.lesson or view.answer or not view.bench_link.record:
            self.refuse(key, f"{key}: a lesson opens a bench, neither the course nor another lesson")
        if view.section and not view.open_section:
            self.refuse(key, f"{key}: this bench has no section {view.section}")
        if base and view.bench != base.view.bench:
            self.refuse(key, f"{key}: it must stay on the bench of the link")
        return page

    def claim(self, page: Page, counter: Page) -> Claim:
        claim = self.understood("claim", parse_claim, self["claim"])
        self.understood("claim", claim.check_settings, page.record)
        self.understood("counter", claim.check_settings, counter.record)
        return claim

    def options(self) -> tuple[str, ...]:
        options = tuple(self["options"])
        if len(set(options)) < len(options):
            self.refuse("options", "two options are the same")
        if not 2 <= len(options) <= MOST_OPTIONS:
            self.refuse("options", f"a question has 2 to {MOST_OPTIONS} options, not {len(options)}")
        if self["answer"] not in options:
            self.refuse("answer", f"the answer must be one of the options, not {quote(self['answer'])}")
        return options


def statements(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The line, from 1, at which each statement of a TOML text begins, with its keys: tomllib tells no lines."""
    start = 0
    for end in range(1, len(lines) + 1):
        try:
            keys = tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:  # it goes on in the next line
            continue
        yield start + 1, list(keys)
        start = end


def checked_prose(path: Path, start: int, lines: list[str]) -> str:
    """The prose, whose first line is `start` of the file."""
    prose = "\n".join(lines)
    plain = FORMULA.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), prose)  # of which 1 < 2 is no tag
    if tag := TAG.search(plain):
        raise LessonError(path, start + plain.count("\n", 0, tag.start()), "prose is Markdown, without HTML")
    if not FEWEST_WORDS <= len(prose.split()) <= MOST_WORDS:
        raise LessonError(path, start, f"prose has {FEWEST_WORDS} to {MOST_WORDS} words, not {len(prose.split())}")
    if not any(paragraph.lstrip().startswith(LOOK_FOR) for paragraph in re.split(r"\n\s*\n", prose)):
        raise LessonError(path, start, f"no paragraph of the prose begins with {LOOK_FOR}")
    return prose.strip()
