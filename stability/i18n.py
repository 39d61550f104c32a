"""The reader's language: gettext's functions, and the catalogue of sentences of each language.

English is written in the code, and is the key of its translation. A sentence that a reader sees is
marked: `_("Layer {layer} is dead.").format(layer=3)`, a whole sentence with named fields, for words
stand in another order elsewhere. `ngettext` chooses by a number. The rows of catalogues need no
mark: what is given to a field that is `Translated` is found by the name of the field, and read in
the reader's language. What else is written when a module is imported is marked by `N_` there and
translated by `_(NAME)` where it is read. A cache of sentences is one by language:
`cache_by_language`, and what visitors of two languages share, such as a run, holds no sentences, or
such as are put into words when they are read: `lazy_gettext("...", layer=3)`.
Keys, names of code and formulas are not marked.

The catalogues are text, `locale/zh/LC_MESSAGES/stability.po`, and are read when they are first
needed: a compiled file would have to be made anew, and merged, with every sentence.
`python tests/translate.py extract` adds new sentences to them, `check` lists what is missing.

The language is that of the present thread. It is English unless the page sets another one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache, wraps
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Any, ParamSpec, TypeVar

import polib

ENGLISH = "en"
LANGUAGES = {ENGLISH: "English", "zh": "中文"}  # by code, each by its own name
WITH_SCRIPTS = {"zh": "zh-Hans"}  # of the languages that are written in several
language: ContextVar[str] = ContextVar("language", default=ENGLISH)

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@cache
def catalogue_of(code: str) -> NullTranslations:
    """Return the translations of a language; English needs none."""
    if code == ENGLISH:
        return NullTranslations()
    text = files("stability") / "locale" / code / "LC_MESSAGES" / "stability.po"
    return GNUTranslations(BytesIO(polib.pofile(text.read_text("utf-8")).to_binary()))


def _(message: str) -> str:
    """Return a sentence in the language of the reader; in English where it is not translated."""
    # The empty message is the head of a catalogue.
    return catalogue_of(language.get()).gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the sentence for this number in the language of the reader."""
    return catalogue_of(language.get()).ngettext(one, many, count)


def N_(message: str) -> str:  # noqa: N802  # as gettext calls it
    """Mark a sentence that is translated where it is read, and return it as it is."""
    return message


@dataclass(frozen=True)
class LazySentence:
    """A sentence that becomes the words of whoever reads it, as `str`; so may its fields."""

    one: str
    values: tuple[tuple[str, Any], ...]
    many: str = ""
    count: int = 1

    def __str__(self) -> str:
        words = ngettext(self.one, self.many, self.count) if self.many else _(self.one)
        return words.format(**dict(self.values))


def lazy_gettext(message: str, **values: Any) -> LazySentence:
    """Return a sentence with its fields, which is translated when it is read."""
    return LazySentence(message, tuple(values.items()))


def lazy_ngettext(one: str, many: str, count: int, **values: Any) -> LazySentence:
    """Return a sentence chosen by a number, which is its field `count`, translated when read."""
    return LazySentence(one, (("count", count), *values.items()), many, count)


class Translation(str):
    """A translated text that remembers its message, so that a copy of a row speaks every language.

    `dataclasses.replace` reads the fields of one row, and writes them to another.
    """

    message: str | LazySentence


class Translated:
    """A field of a row, such as its label, which is read in the language of the reader.

    It is given a message, or a sentence with fields, as `lazy_gettext` returns it.
    """

    def __init__(self, default: str | None = None):
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, row: Any, owner: type | None = None) -> str:
        if row is None:  # a dataclass asks for the default
            if self.default is None:
                raise AttributeError(self.name)
            return self.default
        message: str | LazySentence = row.__dict__[self.name]
        text = _(message) if isinstance(message, str) else str(message)
        if text == message:
            return text
        translation = Translation(text)
        translation.message = message
        return translation

    def __set__(self, row: Any, text: str) -> None:
        row.__dict__[self.name] = getattr(text, "message", text)


class LazyText(Translated):
    """A translated field to which sentences with fields are given."""

    def __set__(self, row: Any, text: str | LazySentence) -> None:
        super().__set__(row, text)  # type: ignore[arg-type]


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language within the block, or in every call of the function that it decorates."""
    token = language.set(code)
    try:
        yield
    finally:
        language.reset(token)


def cache_by_language(
    maxsize: int | None = None,
) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Return functools.lru_cache for a function whose results hold sentences."""

    def decorate(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        @lru_cache(maxsize)
        def in_language(code: str, *args: Any, **kwargs: Any) -> Answer:
            return function(*args, **kwargs)

        @wraps(function)
        def remembered(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            return in_language(language.get(), *args, **kwargs)  # type: ignore[arg-type]

        return remembered

    return decorate


def reader_language(browser: str | None) -> str:
    """Return the language of a browser's locale, such as `zh-CN`, where there is one here."""
    code = (browser or "").partition("-")[0].lower()
    return code if code in LANGUAGES else ENGLISH


def html_language() -> str:
    """Return the reader's language with its script, by which a browser chooses the glyphs."""
    return WITH_SCRIPTS.get(language.get(), language.get())
