"""Pages and the links that spell them; a lesson is a page, too.

The language of a link is no part of its page: one page is read in several.
"""

from collections.abc import Mapping
from dataclasses import replace

from stability.course.lessons import Lesson, all_lessons, broken_lessons
from stability.i18n import LANGUAGES, _
from stability.records.page import Page
from stability.text import did_you_mean, quote


def read_link(query: Mapping[str, str]) -> tuple[Page, list[str]]:
    """Return the page that a link opens, and a sentence for each part that was left out."""
    rest, lessons = dict(query), all_lessons()
    key = rest.pop("lesson", "").strip().lower()
    if not key:
        return Page.from_query(rest)
    if key in lessons:
        return read_lesson_link(lessons[key], rest)
    page, notes = Page.from_query(rest | {"bench": "course"})
    unknown = _("{key} is no lesson{hint}. Here are all of them.")
    unknown = unknown.format(key=quote(key), hint=did_you_mean(key, lessons))
    return page, [broken_lesson_sentences().get(key, unknown), *notes]


def read_language(query: Mapping[str, str]) -> tuple[str, dict[str, str], list[str]]:
    """Return the language of a link, the rest of it, and a sentence if there is no such language.

    Without one it is "": the language of the reader.
    """
    rest = dict(query)
    code = rest.pop("lang", "").strip().lower().partition("-")[0]
    if not code or code in LANGUAGES:
        return code, rest, []
    sentence = _("{language} is no language of this page, which speaks {languages}.")
    known = _(", ").join(LANGUAGES)
    return "", rest, [sentence.format(language=quote(query["lang"]), languages=known)]


def broken_lesson_sentences() -> dict[str, str]:
    """Return a sentence about each lesson that cannot be shown, by its key."""
    sentence = _("Lesson {key} cannot be shown: {why}.")
    return {key: sentence.format(key=key, why=why) for key, why in broken_lessons().items()}


def read_lesson_link(lesson: Lesson, query: Mapping[str, str]) -> tuple[Page, list[str]]:
    """Return the page of a lesson with the changes of its link, and such sentences."""
    rest, notes, most = dict(query), [], len(lesson.options)
    bench = rest.pop("bench", "course").strip()
    if bench != "course":  # where lessons stand
        left_out = _("A lesson has its own bench, so {bench} was left out.")
        notes.append(left_out.format(bench=quote(bench)))
    page, more = Page.from_query(rest, lesson_start(lesson.key))
    answer = page.view.answer
    if answer.isdecimal() and int(answer) > most:
        illegal = _(
            "answer must be shown or 1 to {most} in this lesson, not {answer}; shown is used "
            "instead."
        )
        notes.append(illegal.format(most=most, answer=answer))
        page = replace(page, view=replace(page.view, answer="shown"))
    return page, notes + more


def spell_link(page: Page) -> dict[str, str]:
    """Return the link that opens this page; in a lesson it spells only the changes."""
    key = page.view.lesson
    return {"lesson": key} | page.to_query(lesson_start(key)) if key else page.to_query()


def lesson_start(key: str) -> Page:
    """Return the page of a lesson as it is opened, before its question is answered."""
    page = all_lessons()[key].page
    return replace(page, view=replace(page.view, lesson=key))
