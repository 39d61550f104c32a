"""Every place where the page sends HTML, with what reaches it: no text of a visitor, unescaped."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stability.page.components import COMPONENTS
from stability.page.safe_text import escape_markdown, keep_punctuation, sentence_html

ROOT = Path(__file__).parents[2]
SINKS = {  # by file and function
    ("app.py", "draw_page"): "the style sheet, a file, and a greeting, a constant",
    ("benches.py", "open_claim"): "sentences about a lesson's claim, each escaped",
    ("network_bench.py", "frequent_pieces"): "findings of a pasted network, each escaped",
    ("network_bench.py", "notebook_elements"): "a constant",
    ("pieces.py", "html"): "what the functions in this table give it",
    ("pieces.py", "paragraphs"): "sentences, each escaped",
    ("renderer.py", "draw"): "the progress: numbers and a remark, escaped",
    ("renderer.py", "_draw_downloads"): "the words of a row, escaped",
    ("renderer.py", "_say"): "constants",
    ("renderer.py", "_draw_cards"): "cards, whose titles and sentences are escaped",
    ("renderer.py", "held_container"): "a constant",
    ("scenes.py", "occasional_pieces"): "drawings of numbers, and sentences, each escaped",
}
HOSTILE = '<img src=x onerror="alert(1)"> & <script>'


def calls_by_function(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        is_function = isinstance(node, ast.FunctionDef)
        yield from calls_by_function(node, node.name if is_function else function)


def sends_html(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    first = getattr(call.args[0], "value", "") if call.args else ""
    options = {keyword.arg for keyword in call.keywords}
    return (
        name == "html" or (name == "Element" and first == "html") or "unsafe_allow_html" in options
    )


def test_every_place_that_sends_html_is_listed_with_what_reaches_it():
    files = [ROOT / "app.py", *(ROOT / "stability").rglob("*.py")]
    found = {
        (path.name, function)
        for path in files
        for function, call in calls_by_function(ast.parse(path.read_text(encoding="utf-8")))
        if sends_html(call)
    }
    assert found == SINKS.keys()
    assert "unsafe_allow_html" not in "".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_component_makes_html_or_programs_of_a_text(name):
    writers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    assert not re.search(writers, COMPONENTS[name]["js"])


def test_a_sentence_is_escaped_in_html_and_means_nothing_in_markdown():
    assert "<img" not in sentence_html(HOSTILE)
    assert "<script" not in sentence_html(HOSTILE)
    assert re.search(r"(?<!\\)[<>]", escape_markdown(HOSTILE)) is None


@pytest.mark.parametrize(
    "text",
    [":material/home:", ":streamlit:", ":smile:", "a -> b", "a <= b", "a >= b", "<-> x", "x --",
     "a <- b", "~= b"],
)  # fmt: skip
def test_streamlit_replaces_nothing_in_a_text_that_somebody_wrote(text):
    plain = escape_markdown(text).replace("\\", "")  # as it is after Markdown
    assert not re.search(r":[\w/+-]+:", plain)
    assert not re.search(r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)", plain)
    assert plain.replace("\u2060", "") == text


def test_what_can_be_copied_from_a_sentence_stays_as_it_is():
    assert escape_markdown("normal:0.02, he-normal").replace("\\", "") == "normal:0.02, he-normal"


def test_no_line_breaks_before_a_percent_sign_or_within_an_exponent():
    assert sentence_html("8 % of 3e-5") == "8\u00a0% of 3e−5"


def test_the_punctuation_after_a_formula_stands_within_it_since_a_line_may_break_beside_it():
    text = "取$n_{in}$，或$1/n$。它花了\\$5，不是$6"
    kept = "取$n_{in}{\\footnotesize\\text{，}}$或$1/n{\\footnotesize\\text{。}}$它花了\\$5，不是$6"
    assert keep_punctuation(text) == kept
    assert keep_punctuation("$n$、$m$") == "$n{\\footnotesize\\text{、}}$\u200b$m$"
    assert keep_punctuation("At $n$, and $m$.") == "At $n$, and $m$.", "where none breaks"
