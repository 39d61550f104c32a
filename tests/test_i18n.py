"""The page's languages: which one is spoken, and catalogues in step with the code."""

import ast
import threading
from dataclasses import dataclass, replace

import pytest
from source_trees import nodes_of
from translate import ROOT, catalogues, differing, untranslated

from stability.i18n import (
    ENGLISH,
    LANGUAGES,
    N_,
    Translated,
    _,
    cache_by_language,
    language,
    ngettext,
    reader_language,
    speaking,
)
from stability.page.pieces import button
from stability.page.session import Session

TRANSLATED = N_("Bench")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a catalogue with a label for people."""

    key: str
    label: Translated = Translated()


def test_every_language_but_english_has_a_catalogue():
    assert catalogues().keys() == LANGUAGES.keys() - {ENGLISH}


@pytest.mark.parametrize("code", catalogues())
def test_translations_have_the_fields_and_marks_of_the_english_sentences(code):
    assert not list(differing(code))


@pytest.mark.parametrize("code", catalogues())
def test_every_sentence_is_translated(code):
    assert not untranslated(code)


def test_no_sentence_is_marked_within_an_f_string_where_extraction_does_not_see_it():
    hidden = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in [ROOT / "app.py", *(ROOT / "stability").rglob("*.py")]
        for string in nodes_of(path)
        if isinstance(string, ast.JoinedStr)
        for call in ast.walk(string)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in {"_", "N_", "ngettext", "lazy_gettext"}
        and isinstance(call.args[0], ast.Constant)
    ]
    assert not hidden


def test_english_is_the_sentence_of_the_code():
    assert _("No such sentence.") == "No such sentence."
    assert [ngettext("{count} layer", "{count} layers", count) for count in (1, 2)] == [
        "{count} layer",
        "{count} layers",
    ]
    assert _("") == ""


def test_a_thread_speaks_english_until_it_is_told_otherwise():
    spoken = []
    with speaking("zh"):
        thread = threading.Thread(target=lambda: spoken.append(language.get()))
        thread.start()
        thread.join()
    assert [*spoken, language.get()] == [ENGLISH, ENGLISH]


def test_the_label_of_a_row_is_read_in_the_language_of_the_reader():
    row = Row(key="bench", label=TRANSLATED)
    with speaking("zh"):
        assert row.label == _(TRANSLATED) != TRANSLATED
        copied = replace(row, key="other")
    assert row.label == copied.label == TRANSLATED
    with pytest.raises(TypeError, match="label"):
        Row(key="a row without one")


def test_a_cache_of_sentences_is_one_by_language():
    asked = []

    @cache_by_language(maxsize=4)
    def sentence(number: int) -> str:
        asked.append(number)
        return f"{language.get()} {number}"

    for code in ("zh", "en", "zh", "en"):
        with speaking(code):
            assert sentence(1) == f"{code} 1"
    assert asked == [1, 1]


def test_the_link_decides_before_the_browser_and_english_is_spoken_otherwise():
    assert [reader_language(locale) for locale in ("zh-CN", "ZH", "de-DE", None)] == [
        "zh", "zh", "en", "en",
    ]  # fmt: skip
    for link, browser, spoken in (
        ({"lang": "zh"}, "en-US", "zh"),
        ({"lang": "zh-CN"}, None, "zh"),
        ({"lang": "en"}, "zh-CN", "en"),
        ({}, "zh-CN", "zh"),
        ({}, None, "en"),
    ):
        session = Session()
        session.follow_link(link, browser=browser)
        assert (language.get(), session.notes) == (spoken, [])
        assert session.link.get("lang", "") == link.get("lang", "")[:2]
    session.follow_link({"lang": "klingon"}, went_back=True)
    assert "klingon" in session.notes[0]
    assert "lang" not in session.link


def test_what_a_button_does_speaks_the_language_in_which_it_was_drawn():
    spoken = []
    with speaking("zh"):
        drawn = button("a", "", lambda: spoken.append(language.get()), "key")
    drawn.options["on_click"]()
    assert spoken == ["zh"]


def test_the_language_that_was_chosen_stays_on_every_page_and_in_its_link():
    session = Session()
    session.follow_link({})
    written: list[str] = []
    session.choose_language("zh")
    session.follow_link({})  # the browser sends the former address along
    session.write_link(lambda link: written.append(link["lang"]))
    assert written == [language.get()] == ["zh"]
    session.open_bench("map")
    session.reset()
    session.open_lesson("vanishing-sigmoid")
    assert session.link["lang"] == "zh"


@pytest.fixture(autouse=True)
def _english_after_each_test():
    with speaking(ENGLISH):
        yield
