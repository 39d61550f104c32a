"""A catalogue: rows of one kind, over which the page, links, charts and contract tests loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from stability.i18n import Translated


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row: its key in links, its label for people, a sentence, a LaTeX formula and a source."""

    key: str
    label: Translated = Translated()
    summary: Translated = Translated()
    formula: str
    source: str


E = TypeVar("E", bound=Entry)


def catalogue(*entries: E) -> Mapping[str, E]:
    """Return the rows by key, read-only, in the order given. ValueError where two share a key."""
    rows = {entry.key: entry for entry in entries}
    if len(rows) < len(entries):
        raise ValueError("two entries of a catalogue share a key")
    return MappingProxyType(rows)
