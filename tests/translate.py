"""The catalogues of sentences, kept in step with the code.

    python tests/translate.py extract      # add new sentences to the catalogues, drop old ones
    python tests/translate.py check        # list what is missing or wrong; 1 if anything is

A translation of another English sentence is dropped, not guessed at: what changed is written anew.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from source_trees import nodes_of

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = {
    "_": (1,), "N_": (1,), "ngettext": (1, 2), "lazy_gettext": (1,), "lazy_ngettext": (1, 2),
}  # fmt: skip
HEADER = """\
# Sentences of the page: see stability/i18n.py, and `python tests/translate.py`."""
# Functions that make rows, or translate what they are given, with their parameters in order.
MAKERS = {
    "setting": ["default", "kind", "group", "label", "help"],
    "column": ["label", "format", "help"],
    "button": ["label", "icon", "press", "key", "help"],
}
MARKS = re.compile(r":material/\w+:|<[^>]*>|`[^`]*`|\$[^$]*\$|\*\*")  # which no language changes


def catalogues() -> dict[str, Path]:
    """The file of each language."""
    return {
        path.parts[-3]: path for path in (ROOT / "stability" / "locale").glob("*/LC_MESSAGES/*.po")
    }


def read_catalogue(code: str) -> Catalog:
    return read_po(BytesIO(catalogues()[code].read_bytes()), code)


def extracted() -> Catalog:
    """Every sentence that the code marks, with the files in which it stands."""
    found = Catalog(charset="utf-8")
    for folder in (ROOT / "stability", ROOT):
        pattern = [("**.py" if folder != ROOT else "app.py", "python")]
        for name, _, message, comments, _ in extract_from_dir(
            folder, pattern, keywords=KEYWORDS, comment_tags=("i18n:",), strip_comment_tags=True
        ):
            path = (folder / name).relative_to(ROOT).as_posix()
            found.add(message, locations=[(path, None)], auto_comments=comments)
    fields_of_rows = translated_fields(sources())
    for path in sources():
        for message in chain(texts_of_rows(path, fields_of_rows), texts_in_braces(path)):
            found.add(message, locations=[(path.relative_to(ROOT).as_posix(), None)])
    return found


def sources() -> list[Path]:
    return [*sorted((ROOT / "stability").rglob("*.py")), ROOT / "app.py"]


def translated_fields(paths: Iterable[Path]) -> dict[str, list[str]]:
    """The fields of each class that has translated ones, in order; and those of MAKERS.

    Only a name that some class translates is looked for in the calls.
    """
    classes: dict[str, list[str]] = {}
    translated: set[str] = set()
    for node in chain.from_iterable(map(nodes_of, paths)):
        if isinstance(node, ast.ClassDef):
            own = [line for line in node.body if isinstance(line, ast.AnnAssign)]
            names = {ast.unparse(line.target): ast.unparse(line.annotation) for line in own}
            if "Translated" in names.values():
                classes[node.name] = [*names]
                translated |= {name for name, kind in names.items() if kind == "Translated"}
    translated.add("group")  # also a key, so it is translated where it is shown
    classes |= MAKERS
    return {
        row: [name if name in translated else "" for name in all] for row, all in classes.items()
    }


def texts_of_rows(path: Path, rows: Mapping[str, list[str]]) -> Iterator[str]:
    """The texts that are given to translated fields, by name anywhere or by position in a row."""
    translated = set(chain.from_iterable(rows.values())) - {""}
    for node in nodes_of(path):
        if isinstance(node, ast.Call):
            positions = rows.get(ast.unparse(node.func), [])
            given = [value for name, value in zip(positions, node.args, strict=False) if name]
            given += [keyword.value for keyword in node.keywords if keyword.arg in translated]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield value.value


def texts_in_braces(path: Path) -> Iterator[str]:
    """The texts that are marked by `_` within an f-string, where Babel does not look."""
    for text in (node for node in nodes_of(path) if isinstance(node, ast.JoinedStr)):
        for node in ast.walk(text):
            match node:
                case ast.Call(ast.Name("_"), [ast.Constant(str(message))]):
                    yield message


def extract() -> None:
    """Write the catalogues anew, with the sentences of the code and the translations there are."""
    marked = extracted()
    for code, path in catalogues().items():
        catalogue = read_catalogue(code)
        catalogue.update(marked, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        catalogue.header_comment = HEADER
        catalogue.project, catalogue.version = "Stability", "1"
        catalogue.msgid_bugs_address = catalogue.last_translator = ""
        catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
        out = BytesIO()
        write_po(out, catalogue, width=100, sort_by_file=True)
        path.write_bytes(out.getvalue())


def sentences(message: Message) -> tuple[list[str], list[str]]:
    """The English texts of a message and its translations."""
    each = [
        part if isinstance(part, (tuple, list)) else [part] for part in (message.id, message.string)
    ]
    return list(each[0]), list(each[1])


def fields(text: str) -> set[str]:
    """The names of the fields of a sentence, and the marks that must stay as they are."""
    names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    return names | set(MARKS.findall(text))


def untranslated(code: str) -> list[str]:
    """The sentences of the code without a translation."""
    catalogue = read_catalogue(code)
    missing = []
    for message in extracted():
        if message.id and not ((known := catalogue.get(message.id)) and all(sentences(known)[1])):
            missing.append(sentences(message)[0][0])
    return missing


def differing(code: str) -> Iterator[str]:
    """The translated sentences whose fields or marks are not those of the English ones."""
    for message in read_catalogue(code):
        english, other = sentences(message)
        wanted = set().union(*map(fields, english)) if message.id else set()
        for text in other:
            if message.id and text and not has_same_fields(text, wanted, message.pluralizable):
                yield f"{english[0]} -> {text}"


def has_same_fields(text: str, wanted: set[str], is_plural: bool) -> bool:
    """True if a translation has these fields and marks; one of a number may leave some out."""
    try:
        found = fields(text)
    except ValueError:  # a brace alone
        return False
    return found == wanted or (is_plural and found <= wanted)


def check() -> int:
    """Print what is missing or wrong in the catalogues. Returns 1 if anything is."""
    wrong = False
    for code in catalogues():
        for kind, lines in (("untranslated", untranslated(code)), ("fields", differing(code))):
            for line in lines:
                wrong = True
                print(f"{code} {kind}: {line}")
    return int(wrong)


if __name__ == "__main__":
    sys.exit({"extract": extract, "check": check}[sys.argv[1]]())
