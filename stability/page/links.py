"""What a link opens, and how a page is spelled as one: lessons are pages, too."""

from collections.abc import Mapping
from dataclasses import replace

from stability.course.lessons import all_lessons
from stability.records.page import Page
from stability.text import quote, did_you_mean


def read_link(query: Mapping[str, str]) -> tuple[Page, list[str]]:
    """The page that a link opens, and what could not be taken of it. A lesson is a page; the rest of the link changes it."""
    rest, key = dict(query), query.get("lesson", "").strip().lower()
    rest.pop("lesson", None)
    if not key:
        return Page.from_query(rest)
    if key not in all_lessons():
        page, notes = Page.from_query(rest | {"bench": "course"})
        return page, [f"{quote(key)} is no lesson{did_you_mean(key, all_lessons())}. Here are all of them.", *notes]
    said = [f"A lesson has its own bench, so {quote(rest.pop('bench'))} was left out."] if "bench" in rest else []
    page, notes = Page.from_query(rest, lesson_start(key))
    choice, options = page.view.answer, all_lessons()[key].options
    if choice.isdecimal() and int(choice) > len(options):
        said.append(f"answer must be shown or 1 to {len(options)} in this lesson, not {choice}; shown is used instead.")
        page = replace(page, view=replace(page.view, answer="shown"))
    return page, said + notes


def spell_link(page: Page) -> dict[str, str]:
    """The link that opens this page: in a lesson what differs from its start."""
    key = page.view.lesson
    return {"lesson": key} | page.to_query(lesson_start(key)) if key else page.to_query()


def lesson_start(key: str) -> Page:
    """The page of a lesson, as it is opened."""
    page = all_lessons()[key].page
    return replace(page, view=replace(page.view, lesson=key))
