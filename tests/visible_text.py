"""All texts of a page that a visitor reads, hears or finds under the pointer, by their place."""

import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
from chart_data import tables
from chart_specs import nodes
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from translate import read_catalogue, sentences

from stability import catalogues
from stability.catalogues.schedules import SCHEDULES
from stability.course.lessons import all_lessons
from stability.i18n import LANGUAGES
from stability.records.experiment import Experiment
from stability.records.view import BENCH_LINKS, View

Place = str
# Fields of messages to the browser that are no text: keys, kinds, formats, code.
NO_TEXT = {
    "id", "key", "form_id", "icon", "type", "tag", "format", "raw_value", "raw_values",
    "autocomplete", "component_name", "css_content", "css_source_path", "html_content",
    "js_content", "js_source_path", "theme", "uuid", "code_text", "language", "default", "value",
    "spec", "json", "name", "columns", "data", "display_values", "shortcut", "deferred_file_id",
}  # fmt: skip
NO_TEXT_OF_COMPONENTS = {
    "query", "shared", "key", "kind", "href", "scheme", "colour", "current", "symbol", "moment",
    "language", "mark",
}  # fmt: skip
READ_ATTRIBUTES = {"title", "alt", "placeholder", "aria-label", "data-remark"}
CODE_TAGS = {"code", "pre", "style", "script", "annotation"}
LATIN_WORD = re.compile("[A-Za-z]{2,}")
NO_WORDS = re.compile(r"#[0-9a-f]{6}|concat_\w+")  # colours, and names that Vega gives
PUNCTUATION_OF_ENGLISH = re.compile(r"[\u4e00-\u9fff] ?[,;:?!](?!\d)|[,;:?!] ?[\u4e00-\u9fff]")
EMPTY_TAGS = {"br", "img", "hr", "input", "path", "line", "circle", "rect"}


def texts_of_page(at: AppTest) -> Iterator[tuple[Place, str]]:
    """Yield each text with the kind of element, and of field, in which it stands."""
    for node in tree_nodes(at._tree):
        message = getattr(node, "proto", None)
        if isinstance(message, Message):
            yield from texts_of_message(type(message).__name__, message)


def texts_left_in_english(at: AppTest, code: str) -> Iterator[str]:
    """Yield Latin words that no translation has, and English punctuation, each with its place."""
    known = latin_words_in_translations(code)
    for place, text in texts_of_page(at):
        for word in {*LATIN_WORD.findall(NO_WORDS.sub(" ", text))} - known:
            yield f"{place}: {word} in {text[:200]!r}"
        for found in PUNCTUATION_OF_ENGLISH.finditer(text):
            yield f"{place}: {found[0]!r} in {text[:200]!r}"


@cache
def latin_words_in_translations(code: str) -> set[str]:
    """The Latin words in the translated sentences and lessons: names, and words of code."""
    texts = [text for message in read_catalogue(code) for text in sentences(message)[1]]
    texts += [*known_names(), *LANGUAGES.values(), "abs log"]  # functions of exact claims
    for lesson in all_lessons(code).values():
        texts += [lesson.title, lesson.topic, lesson.question, *lesson.options, lesson.prose]
        texts += [*lesson.discussion, *lesson.discussion.values()]
    return {word for text in texts for word in LATIN_WORD.findall(text)}


@cache
def known_names() -> list[str]:
    """Keys as links spell them, and papers; the longest first, as one may hold another."""
    rows = [
        row
        for catalogue in (
            catalogues.SCHEMES, catalogues.ACTIVATIONS, catalogues.DATASETS, catalogues.OPTIMIZERS,
            catalogues.NORMALIZATIONS, SCHEDULES,
        )
        for row in catalogue.values()
    ]  # fmt: skip
    keys = {row.key for row in rows} | {*Experiment.knobs(), *View.knobs(), *BENCH_LINKS}
    keys |= {section for link in BENCH_LINKS.values() for section in link.sections}
    return sorted(keys | {row.source for row in rows}, key=len, reverse=True)


def tree_nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from tree_nodes(child)


def texts_of_message(kind: str, message: Message) -> Iterator[tuple[Place, str]]:
    """Yield the texts in the fields of a message, those of the formats that it carries too."""
    if kind == "VegaLiteChart":
        yield from texts_of_chart(json.loads(message.spec), tables(message))
    elif kind == "BidiComponent":
        yield from texts_of_data(message.component_name, json.loads(message.json))
    elif kind == "Dataframe":
        yield from texts_of_table(message)
    for field, value in message.ListFields():
        place = f"{kind}.{field.name}"
        if field.name in NO_TEXT:
            continue
        values = [value] if isinstance(value, str | Message) else value
        if field.type == field.TYPE_STRING:
            for text in values:
                yield place, text_of_markup(text)
        elif field.type == field.TYPE_MESSAGE and not hasattr(values, "keys"):
            for part in values:
                yield from texts_of_message(place, part)


def texts_of_data(name: str, data: Any, key: str = "") -> Iterator[tuple[Place, str]]:
    """Yield the texts in the data of a component; names of what it shares are none."""
    if isinstance(data, dict):
        for inner, value in data.items():
            if inner not in NO_TEXT_OF_COMPONENTS:
                yield from texts_of_data(name, value, inner)
    elif isinstance(data, list):
        for value in data:
            yield from texts_of_data(name, value, key)
    elif isinstance(data, str):
        yield f"{name}.{key}", re.sub(r"\{\w+\}", " ", data)  # which the component fills in


def texts_of_table(message: Any) -> Iterator[tuple[Place, str]]:
    """Yield headings, their help, and the texts in the cells."""
    for column in json.loads(message.columns or "{}").values():
        for name in ("label", "help"):
            if isinstance(column, dict) and column.get(name):
                yield f"table.{name}", column[name]
    table = pa.ipc.open_stream(message.arrow_data.data).read_all()
    for name in table.column_names:
        for cell in set(table[name].to_pylist()):
            if isinstance(cell, str):
                yield f"table.{name}", cell


def texts_of_chart(spec: dict, data: dict[str, pa.Table]) -> Iterator[tuple[Place, str]]:
    """Yield titles, descriptions, words of marks and axes, tooltips, and the values they show."""
    shown = {
        field["field"]
        for node in nodes(spec)
        for channel in ("text", "tooltip")
        for field in nodes(node.get(channel))
        if isinstance(field.get("field"), str)
    } - KEYS_IN_TOOLTIPS
    expressions = list(expressions_of_texts(spec, shown))
    for node in nodes(spec):
        for name in ("title", "subtitle", "description", "text"):
            yield from ((f"chart.{name}", text) for text in texts_in(node.get(name)))
    for place, expression in with_parameters(expressions, spec):
        yield from ((place, text) for text in literals(expression))
    for table in data.values():
        for name in shown & {*table.column_names}:
            for cell in set(table[name].to_pylist()):
                if isinstance(cell, str):
                    yield f"chart.{name}", cell


KEYS_IN_TOOLTIPS = {"scheme"}  # which an axis or legend spells for a reader


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def expressions_of_texts(spec: dict, shown: set[str]) -> Iterator[tuple[Place, str]]:
    """Yield the expressions whose values are read: titles, words, labels, computed fields."""
    for node in nodes(spec):
        for name in ("title", "subtitle", "description", "text", "value"):
            for inner in nodes(node.get(name)):
                for key in ("expr", "signal"):
                    if isinstance(inner.get(key), str):
                        yield f"chart.{name}", inner[key]
        if isinstance(node.get("labelExpr"), str):
            yield "chart.labelExpr", node["labelExpr"]
        if "calculate" in node and node.get("as") in shown:
            yield f"chart.{node['as']}", node["calculate"]


def with_parameters(
    expressions: list[tuple[Place, str]], spec: dict
) -> Iterator[tuple[Place, str]]:
    """Yield expressions, and what the parameters hold that they name, as expressions too."""
    known = {one["name"]: one for node in nodes(spec) for one in node.get("params", ())}
    waiting, seen = list(expressions), set()
    while waiting:
        place, expression = waiting.pop()
        yield place, expression
        for name in set(re.findall(r"[A-Za-z_]\w*", expression)) & known.keys() - seen:
            seen.add(name)
            one = known[name]
            waiting.append((place, one.get("expr") or json.dumps(one.get("value"))))


def literals(expression: str) -> Iterator[str]:
    """Yield the strings in an expression but those that it compares with, or looks up by."""
    for found in re.finditer(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", expression):
        before, after = expression[: found.start()].rstrip(), expression[found.end() :].lstrip()
        is_key = before.endswith(("{", ",")) and after.startswith(":")
        if not before.endswith(("==", "!=")) and not is_key and not after.startswith(("==", "!=")):
            text = found[1] if found[1] is not None else found[2]
            yield re.sub(r"\\u([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), text)


class MarkupReader(HTMLParser):
    """Collects what is read of HTML: text outside code, and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.code: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.words += [text for name, text in attrs if name in READ_ATTRIBUTES and text]
        if tag in CODE_TAGS:
            self.code.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.code and self.code[-1] == tag:
            self.code.pop()

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.words.append(data)


def text_of_markup(text: str) -> str:
    """The words of Markdown or HTML: no code, no formulas, no addresses, no icons."""
    text = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|:material/\w+:|:\w+\[|https?://\S+", " ", text)
    reader = MarkupReader()
    reader.feed(text)
    return re.sub(r"[\u200b\u2060]|\\(?=[\W_])", "", " ".join(reader.words))
