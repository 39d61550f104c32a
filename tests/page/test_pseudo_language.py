"""No words reach a visitor without a translation: the page in a language of marked letters.

What may stay: names of people, of code and of file formats, formulas, what a visitor has typed, and
programs. Generated programs are English, down to their comments, as all of Python is.
"""

import re
from collections.abc import Iterator

import pytest
from app_pages import SMALL, page
from pseudo_language import CODE, PseudoTranslations, marked, pseudo_language
from streamlit.testing.v1 import AppTest
from visible_text import known_names, literals, text_of_markup, texts_of_page

from stability.course.lessons import all_lessons
from stability.i18n import LANGUAGES
from stability.modules.layer_kinds import LAYER_KINDS
from stability.records.view import BENCH_LINKS

pytestmark = pytest.mark.page
MAP = SMALL | {"bench": "map", "x_cells": "3", "y_cells": "3", "y_range": "2,4"}
FEW = {"bench": "product", "n": "3", "count": "12", "replicates": "5"}
MANY = {"schemes": "zeros,normal:300,normal:1e-5,orthogonal,lsuv,fixup", "replicates": "2"}
SICK = "Sequential(Linear(9, 8), Dropout(0.5), Softmax(dim=1), Linear(8, 5), Sigmoid())"
LINKS = {
    "the first visit": {},
    "the list of lessons": {"bench": "course"},
    "a link with errors": SMALL | {"wings": "2", "depth": "x", "schemes": "he,foo", "section": "y"},
    "refused": {"depth": "40", "width": "128", "steps": "5000", "replicates": "4"},
    "for a room": SMALL | {"pin.depth": "3", "view": "present"},
    "six schemes": SMALL | MANY,
    "a regression": SMALL | {"dataset": "sine", "precision": "float16", "section": "learned"},
    "a harmful rate": SMALL | {"learning_rate": "9", "steps": "20", "activation": "sigmoid"},
    "a lesson that asks": {"lesson": "vanishing-sigmoid"},
    "no lesson": {"lesson": "none"},
}
LINKS |= {
    f"{bench}: {section}": {**link, "section": section}
    for bench, link in {"train": SMALL | {"dataset": "moons"}, "map": MAP, "product": FEW}.items()
    for section in BENCH_LINKS[bench].sections
}
LINKS |= {
    f"network: {text[:24]}": {"bench": "network", "architecture": text, "section": "layers"}
    for text in ("9-8-x", SICK, "", "9-8-8-1 relu zeros", "9-8-8-9 tanh normal:9", "9-8 he_normal",
                 "Sequential(Linear(9, 3), Foo())", "Sequential(Linear(9, 3), Linear(4, 3))")
}  # fmt: skip
LINKS |= {f"lesson: {key}": {"lesson": key, "answer": "1"} for key in [*all_lessons()][2::6]}
# Places of code, and of names of classes.
NO_WORDS = {"table.pytorch", "table.kind", "table.looks_like", "table.layer", "chart.layer"}
NAMES = {
    "Stability", "CSV", "Parquet", "JSON", "PNG", "SVG", "inf", "NaN", "float", "bf", "Leaky",
    "ReLU", "Sequential", "None", "True", "False", "true", "false",
    "abs", "log",  # functions of exact claims
    *LANGUAGES.values(), *LAYER_KINDS,
}  # fmt: skip


def unmarked_words(at: AppTest) -> Iterator[str]:
    """Yield the words in plain letters that are no names, each with its place and its text."""
    for place, text in texts_of_page(at):
        if place not in NO_WORDS and (words := plain_words(text)):
            yield f"{place}: {', '.join(words)} in {text[:200]!r}"


def plain_words(text: str) -> list[str]:
    """The words of a text in plain letters; names, and what stands in quotes, are left out."""
    text = re.sub(r"“[^”]*”|'[^']*'|#[0-9a-f]{6}|concat_\w+", " ", text)
    for name in known_names():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word not in NAMES]


@pytest.fixture(scope="module")
def translations() -> Iterator[PseudoTranslations]:
    with pseudo_language() as found:
        yield found


@pytest.mark.parametrize("name", LINKS)
def test_all_words_that_a_visitor_reads_are_translated(name, translations):
    assert not list(unmarked_words(page(lang=CODE, **LINKS[name])))


def test_a_word_without_a_translation_is_found(translations, monkeypatch):
    for message in ("Words", "Depth"):
        monkeypatch.delitem(translations.texts, message)
    found = list(unmarked_words(page(lang=CODE, **SMALL)))
    assert [one.partition(" in ")[0] for one in found] == [
        "Block.popover.label: Words",
        "Slider.label: Depth",
    ]


def test_words_of_expressions_and_markup_are_read_and_code_is_not():
    expression = "datum.state == 'all 0' ? 'no signal' : {\"key\": \"said\"}[datum.key]"
    assert list(literals(expression)) == ["no signal", "said"]
    markup = "<p title='over it'>**Read** `code` $x$ [this](?lesson=a)</p><pre>x = 1</pre>"
    assert plain_words(text_of_markup(markup)) == ["over", "it", "Read", "this"]
    assert marked("Layer {layer} of `model`") == "Ｌａｙｅｒ {layer} ｏｆ `model`"
