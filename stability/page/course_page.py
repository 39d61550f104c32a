"""The course on the page: its lessons by section, links between them, feedback to an answer."""

from collections.abc import Mapping, Sequence

from stability.course.lessons import LOOK_FOR, Lesson, all_lessons

LESSON_MARKS = {True: "✓", False: "✗", None: "○"}  # how its question was answered in this session


def lessons_by_section() -> dict[str, list[Lesson]]:
    """Return all lessons, by the sections of the book."""
    sections: dict[str, list[Lesson]] = {}
    for lesson in all_lessons().values():
        sections.setdefault(lesson.section, []).append(lesson)
    return sections


def neighbouring_lessons(key: str) -> tuple[str | None, str | None]:
    """Return the keys of the lessons before and after this one, None where there is none."""
    keys = [None, *all_lessons(), None]
    index = keys.index(key)
    return keys[index - 1], keys[index + 1]


def lesson_link(key: str, label: str) -> dict[str, str]:
    """Return a link to a lesson, as the component takes it."""
    return {"key": key, "label": label, "query": f"lesson={key}"}


def section_links(lessons: Sequence[Lesson], answers: Mapping[str, str]) -> list[dict[str, str]]:
    """Return links to these lessons, each marked by how it was answered."""
    links = []
    for lesson in lessons:
        mark = LESSON_MARKS[answered_rightly(lesson, answers.get(lesson.key, ""))]
        links.append(lesson_link(lesson.key, f"{mark} {lesson.title}"))
    return links


def neighbour_links(key: str) -> list[dict[str, str]]:
    """Return links from one lesson to those before and after it, and to the list of all."""
    previous, following = neighbouring_lessons(key)
    links = []
    if previous:
        links.append(lesson_link(previous, "← Previous"))
    if following:
        links.append(lesson_link(following, "Next →"))
    return [*links, {"key": "", "label": "All lessons", "query": "bench=course"}]


def answered_rightly(lesson: Lesson, choice: str) -> bool | None:
    """True if this option, by its number from 1, is right; None if the choice is no option."""
    return lesson.options[int(choice) - 1] == lesson.answer if choice.isdecimal() else None


def option_icon(lesson: Lesson, choice: str, number: int) -> str:
    """Return the icon of an option; once there is an answer, the right and the chosen have one."""
    if choice and lesson.options[number - 1] == lesson.answer:
        return "check"
    return "close" if choice == str(number) else ""


def answer_feedback(lesson: Lesson, choice: str) -> tuple[str, str, str]:
    """Return the right answer, why it is so, and what to look for in the pictures.

    `choice` is an option's number, or "shown" where none was chosen.
    """
    word = {True: "Right", False: "Not quite", None: "The answer"}[answered_rightly(lesson, choice)]
    why, look_for, observation = lesson.prose.partition(LOOK_FOR)
    answer = lesson.answer[:1].lower() + lesson.answer[1:]
    return f"**{word}: {answer}.**", why, look_for + observation
