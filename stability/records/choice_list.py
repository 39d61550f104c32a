"""The knob of a setting that is a list of choices, such as the schemes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from stability.i18n import _, ngettext
from stability.records.knobs import Knob
from stability.text import in_quotes, join_words

MOST_TEXT, MOST_ENTRIES = 1000, 32  # of a list that somebody wrote: what is read of it


@dataclass(frozen=True, kw_only=True)
class ChoiceList(Knob):
    """A tuple of 1 to `most` different entries; a single string stands for one entry.

    `canonical` returns the canonical form of an entry, or raises ValueError; entries of equal
    `identity` are the same. `entry_title` names one for people, `refusal` returns the sentences
    about one that was left out, and `split` the entries in the text of a link.
    """

    rows: Mapping[str, Any]
    canonical: Callable[[str], str]
    identity: Callable[[str], Any]
    most: int
    entry_title: Callable[[str], str] = str
    refusal: Callable[[str], str] = lambda entry: _("{entry} is unknown; it was left out.").format(
        entry=in_quotes(entry)
    )
    split: Callable[[str], list[str]] = lambda text: text.split(",")

    def check(self, value: Any) -> tuple[str, ...]:
        entries = (value,) if isinstance(value, str) else value
        if not isinstance(entries, (tuple, list)):
            raise ValueError(self.legal_values())
        unique: dict[Any, str] = {}
        for entry in map(self.canonical, entries):
            unique.setdefault(self.identity(entry), entry)
        if not 1 <= len(unique) <= self.most:
            raise ValueError(self.legal_values())
        return tuple(unique.values())

    def parse(self, text: str) -> tuple[str, ...]:
        return self.check([entry for entry in self.split(text) if entry.strip()])

    def parse_leniently(
        self, text: str, kept: tuple[str, ...]
    ) -> tuple[tuple[str, ...], list[str]]:
        value, sentences = self.legal_entries(self.split(text[:MOST_TEXT]))
        if len(text) > MOST_TEXT:
            sentences.append(
                _("Only the first {most} characters were read.").format(most=MOST_TEXT)
            )
        if value or not kept:
            return value, sentences
        shown = ngettext("{title} is shown instead.", "{title} are shown instead.", len(kept))
        return kept, [*sentences, shown.format(title=self.title(kept))]

    def legal_entries(self, parts: Iterable[str]) -> tuple[tuple[str, ...], list[str]]:
        """Return the legal entries among these texts, and sentences about each of the others."""
        entries: dict[Any, str] = {}
        sentences: dict[str, None] = {}  # each once
        for part in islice(filter(str.strip, parts), MOST_ENTRIES):
            part = part[:MOST_TEXT]
            try:
                entry = self.canonical(part)
            except ValueError:
                sentences[self.refusal(part)] = None
            else:
                entries.setdefault(self.identity(entry), entry)
        for entry in list(entries.values())[self.most :]:
            limit = ngettext(
                "Only one is compared at once; {entry} was left out.",
                "At most {most} are compared at once; {entry} was left out.",
                self.most,
            )
            sentences[limit.format(most=self.most, entry=entry)] = None
        return tuple(entries.values())[: self.most], list(sentences)

    def spell(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def title(self, value: tuple[str, ...]) -> str:
        return join_words([self.entry_title(entry) for entry in value])

    def legal_values(self) -> str:
        return _("1 to {most} of {rows}").format(most=self.most, rows=_(", ").join(self.rows))
