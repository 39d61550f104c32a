"""The course on the page: its list of lessons, links between them, feedback to an answer."""

from collections.abc import Mapping
from typing import Any

from stability.catalogues.schemes import scheme_title
from stability.course.lessons import BOOK_LINK, BOOK_SECTIONS, Lesson, all_lessons, book_number
from stability.frames.maps import axis_title
from stability.i18n import N_, _
from stability.page.links import broken_lesson_sentences
from stability.page.prose import COURSE_END, COURSE_INTRODUCTION, MARKS_NOTE
from stability.page.safe_text import escape_markdown, keep_punctuation
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.text import capitalize_first, lower_first

# The settings that the line of a lesson's experiment names first, by the kind of its record.
LEADING_SETTINGS: Mapping[type, tuple[str, ...]] = {
    Experiment: (
        "activation", "depth", "width", "optimizer", "learning_rate", "steps", "dataset",
    ),
    Product: ("family", "n", "sigma", "count", "replicates"),
    Sweep: ("activation", "width", "steps"),
}  # fmt: skip
# Words of the list: how many lessons were answered, and how one was.
LIST_WORDS = {
    "count": N_("{answered} of {all} answered, {right} right."),
    "forget": N_("Forget them"),
    "right": N_("answered right"),
    "wrong": N_("answered wrong"),
    "seen": N_("seen, not answered"),
}
# How a question was answered; the list keeps these words in the browser, with their signs.
LESSON_MARKS = {True: "right", False: "wrong", None: "seen"}


def course_introduction() -> str:
    """Return what stands above the list, as Markdown: what a lesson is, and which are broken."""
    broken = map(escape_markdown, broken_lesson_sentences().values())
    introduction = _(COURSE_INTRODUCTION).format(book=_(BOOK_LINK), count=len(all_lessons()))
    return "\n\n".join([introduction, *broken])


def lessons_by_section() -> dict[str, list[Lesson]]:
    """Return all lessons, by the sections of the course."""
    sections: dict[str, list[Lesson]] = {}
    for lesson in all_lessons().values():
        sections.setdefault(lesson.section, []).append(lesson)
    return sections


def neighbouring_lessons(key: str) -> tuple[str | None, str | None]:
    """Return the keys of the lessons before and after this one, None where there is none."""
    keys = [None, *all_lessons(), None]
    index = keys.index(key)
    return keys[index - 1], keys[index + 1]


def lesson_link(key: str, label: str, **more: str) -> dict[str, str]:
    """Return a link to a lesson, as the component takes it."""
    return {"key": key, "label": label, "href": f"?lesson={key}", **more}


def course_data(answers: Mapping[str, str]) -> dict[str, Any]:
    """Return the data of the list: lessons by section with their place in the book, and marks."""
    sections = []
    for title, lessons in lessons_by_section().items():
        links = [
            lesson_link(
                lesson.key,
                f"{lesson.number}. {lesson.topic}",
                detail=book_number(lesson),
                title=_(BOOK_SECTIONS[lesson.book]),
            )
            for lesson in lessons
        ]
        sections.append({"title": title, "links": links})
    words = {key: _(text) for key, text in LIST_WORDS.items()}
    texts = {"label": _("Lessons"), "note": _(MARKS_NOTE), "end": _(COURSE_END), "words": words}
    return {"kind": "course", "sections": sections, **texts, **marks_data(answers)}


def neighbour_data(lesson: Lesson, answers: Mapping[str, str]) -> dict[str, Any]:
    """Return the data of the links of one lesson: to its neighbours, the list, and the book."""
    links = neighbour_links(lesson.key)
    book = _("Read along: {number} {title}")
    book = book.format(number=book_number(lesson), title=_(BOOK_SECTIONS[lesson.book]))
    links.append({"label": book, "href": _(BOOK_LINK)})
    sections = [{"title": "", "links": links}]
    return {
        "kind": "neighbours",
        "label": _("Lessons"),
        "sections": sections,
        **marks_data(answers),
    }


def marks_data(answers: Mapping[str, str]) -> dict[str, Any]:
    """Return how the lessons of this session were answered, by their keys."""
    lessons = all_lessons()
    marks = {key: LESSON_MARKS[answered_rightly(lessons[key], answers[key])] for key in answers}
    return {"marks": marks, "count": len(lessons)}


def neighbour_links(key: str) -> list[dict[str, str]]:
    """Return links from one lesson to those before and after it, and to the list of all."""
    previous, following = neighbouring_lessons(key)
    links = []
    if previous:
        links.append(lesson_link(previous, _("← Previous")))
    if following:
        links.append(lesson_link(following, _("Next →")))
    return [*links, {"key": "", "label": _("All lessons"), "href": "?bench=course"}]


def answered_rightly(lesson: Lesson, choice: str) -> bool | None:
    """True if this option, by its number from 1, is right; None if the choice is no option."""
    return lesson.options[int(choice) - 1] == lesson.answer if choice.isdecimal() else None


def option_icon(lesson: Lesson, choice: str, number: int) -> str:
    """Return the icon of an option; once there is an answer, the right and the chosen have one."""
    if choice and lesson.options[number - 1] == lesson.answer:
        return "check"
    return "close" if choice == str(number) else ""


def answer_feedback(lesson: Lesson, choice: str) -> tuple[str, str]:
    """Return the right answer, and a reply: what is wrong with the chosen option, and why.

    `choice` is an option's number, or "shown" where none was chosen. After the last lesson the
    reply says what the course has taught.
    """
    is_right = answered_rightly(lesson, choice)
    verdict = {
        True: _("**✓ Right: {answer}.**"),
        False: _("**✗ Not quite. The answer: {answer}.**"),
        None: _("**The answer: {answer}.**"),
    }[is_right]
    answer = lesson.answer[:1].lower() + lesson.answer[1:]
    paragraphs = [lesson.prose]
    if is_right is False:
        option = lesson.options[int(choice) - 1]
        said = _("**You said “{option}”.** {why}")
        paragraphs.insert(0, said.format(option=option, why=lesson.discussion[option]))
    if not neighbouring_lessons(lesson.key)[1]:
        paragraphs.append(_("**The end of the course.**") + " " + _(COURSE_END))
    return verdict.format(answer=answer), keep_punctuation("\n\n".join(paragraphs))


def experiment_line(lesson: Lesson) -> str:
    """Return the settings of a lesson's experiment, as Markdown."""
    record = lesson.page.record
    settings, unnamed = record.settings(), {"schemes"}
    parts = [scheme_title(scheme) for scheme in settings.get("schemes", ())]
    if isinstance(record, Sweep):  # the value of its initialization may be what varies
        unnamed |= {record.x, record.y, *Sweep.field_knobs()}
        parts = [record.base.scheme_rows[0].label, *axes_in_words(record)]
    names = [*LEADING_SETTINGS[type(record)]]
    names += [name for name in record.differences(type(record)()) if name not in {*names, *unnamed}]
    knobs = record.knobs()
    words = [knobs[name].label_with_value(settings[name]) for name in names]
    lists = [_(", ").join(parts), _(", ").join(words)]
    text = escape_markdown(capitalize_first(_("; ").join(filter(None, lists))))
    return _("The experiment: {settings}.").format(settings=text)


def axes_in_words(sweep: Sweep) -> list[str]:
    """Return what each axis of a map varies, and from where to where."""
    ends = sweep.knobs()["x_range"].title
    ranges = {"x": sweep.x_range, "y": sweep.y_range}
    return [f"{lower_first(axis_title(sweep, one))} {ends(ranges[one])}" for one in ranges]
