"""A language for tests: every letter of a translated message is written in full width.

So a word in plain letters has come to the page without a translation.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from gettext import NullTranslations
from pathlib import Path
from string import ascii_letters
from types import MappingProxyType

import pytest
from translate import extracted, sentences

from stability import i18n
from stability.course import lessons
from stability.course.claims import Claim
from stability.course.lessons import Lesson

CODE = "pseudo"
WIDE = {ord(letter): ord(letter) + 0xFEE0 for letter in ascii_letters}
# What no language changes: fields, tags, code, formulas, icons, addresses.
KEPT = re.compile(
    r"\{[^{}]*\}|</?\w[^<>]*>|`[^`]*`|\$[^$]*\$|:material/\w+:|\]\([^)]*\)|https?://\S+|&\w+;"
)


def marked(text: str) -> str:
    """The text with its letters in full width."""
    words, kept = KEPT.split(text), [*KEPT.findall(text), ""]
    return "".join(word.translate(WIDE) + same for word, same in zip(words, kept, strict=True))


class PseudoTranslations(NullTranslations):
    """A catalogue in memory: what the code marks for translation, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        messages = [text for message in extracted() for text in sentences(message)[0] if text]
        self.texts = {text: marked(text) for text in messages}

    def gettext(self, message: str) -> str:
        return self.texts.get(message, message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.gettext(one if count == 1 else many)


def marked_lesson(lesson: Lesson) -> Lesson:
    """The lesson as a twin in this language would be."""
    discussion = {marked(wrong): marked(why) for wrong, why in lesson.discussion.items()}
    return replace(
        lesson,
        **{name: marked(getattr(lesson, name)) for name in lessons.TWIN_TEXTS},
        options=tuple(map(marked, lesson.options)),
        answer=marked(lesson.answer),
        discussion=MappingProxyType(discussion),
        claim=marked_claim(lesson.claim),
        prose=marked(lesson.prose),
    )


def marked_claim(claim: Claim) -> Claim:
    """The claim with its sentences in full width; what stands in braces is no text."""
    words = [
        tuple(marked(part) if isinstance(part, str) else part for part in sentence.parts)
        for sentence in claim.sentences
    ]
    found = zip(claim.sentences, words, strict=True)
    return replace(claim, sentences=tuple(replace(one, parts=parts) for one, parts in found))


@contextmanager
def pseudo_language() -> Iterator[PseudoTranslations]:
    """Let the page speak this language, too, within the block."""
    translations, catalogue_of = PseudoTranslations(), i18n.catalogue_of
    readable_and_broken, twins = lessons._readable_and_broken, {}

    def catalogue(code: str) -> NullTranslations:
        return translations if code == CODE else catalogue_of(code)

    def course(folder: Path, code: str) -> tuple[Mapping[str, Lesson], Mapping[str, str]]:
        if code != CODE:
            return readable_and_broken(folder, code)
        readable, broken = readable_and_broken(folder, i18n.ENGLISH)
        for key, lesson in readable.items():
            twins.setdefault(key, marked_lesson(lesson))
        return MappingProxyType(twins), broken

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(i18n.LANGUAGES, CODE, marked("Pseudo"))
        patch.setattr(i18n, "catalogue_of", catalogue)
        patch.setattr(lessons, "_readable_and_broken", course)
        yield translations
