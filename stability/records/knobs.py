"""Knobs, one for each setting: its label and help, its legal values, and its spelling in links.

A setting is declared once, as a field of a record made by `setting`. Checks, links, controls, help
and test cases all come from that line.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar

from stability.text import did_you_mean, exact_number, in_quotes, join_words, parse_number, quote

MOST_TEXT, MOST_ENTRIES = 1000, 32  # of a list that somebody wrote: what is read of it


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The label, help and legal values of one setting; each kind of setting is a subclass."""

    group: str
    label: str
    help: str
    synonyms: str = ""  # other words by which people search for it
    main: bool = False  # always visible; the others are folded by group
    # Maps an experiment to the values that it allows and their labels; None: all legal values.
    choices_for: Callable[[Any], Mapping[Any, str]] | None = None
    # Returns False for a record in which the setting changes nothing: its control is hidden.
    has_effect: Callable[[Any], bool] = lambda record: True

    def check(self, value: Any) -> Any:
        """Return the canonical value. ValueError says what is legal."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """Return the value that a link spells. ValueError says what is legal."""
        return self.check(text)

    def parse_leniently(self, text: str, kept: Any) -> tuple[Any, list[str]]:
        """Return the value of the legal parts of a text, and sentences about its other parts.

        `kept` is returned where a text has no legal part. ValueError if it is one illegal value.
        """
        return self.parse(text), []

    def legal_values(self) -> str:
        """Return what is legal, in words that follow "must be"."""
        raise NotImplementedError

    def spell(self, value: Any) -> str:
        """Return a value as a link spells it."""
        return str(value)

    def fits_link(self, value: Any) -> bool:
        """Return False if a value is too long for a link, which then leaves it out."""
        return True

    def title(self, value: Any) -> str:
        """Return a value in words for people."""
        return self.spell(value)

    def label_with_value(self, value: Any) -> str:
        """Return a value with the name of the setting, for a sentence."""
        return f"{self.label.lower()} {self.title(value)}"

    @property
    def search_text(self) -> str:
        """The text that a search looks through: label, synonyms, help, and the rows to choose."""
        rows = [
            f"{key} {getattr(row, 'label', row)} {' '.join(getattr(row, 'other_names', ()))}"
            for key, row in getattr(self, "rows", {}).items()
        ]
        return " ".join([self.label, self.synonyms, self.help, *rows])


@dataclass(frozen=True, kw_only=True)
class Number(Knob):
    """A number from `low` to `high`; `log` where ratios matter more than differences.

    `usual` is the range over which it is usually varied: the one that a map shows first.
    """

    low: float
    high: float
    log: bool = False
    usual: tuple[float, float] | None = None  # None: all legal values
    noun: ClassVar[str]
    convert: ClassVar[Callable[[Any], Any]]  # to a plain number of Python, or TypeError

    def check(self, value: Any) -> Any:
        try:
            number = math.nan if isinstance(value, (bool, str)) else type(self).convert(value)
        except (TypeError, OverflowError):
            number = math.nan  # lies within no bounds
        if not self.low <= number <= self.high:
            raise ValueError(self.legal_values())
        return number + 0  # -0.0 and 0.0 are one setting

    def parse(self, text: str) -> Any:
        return self.check(parse_number(text))

    def legal_values(self) -> str:
        return f"{self.noun} from {exact_number(self.low)} to {exact_number(self.high)}"

    @property
    def usual_range(self) -> tuple[float, float]:
        """The smallest and the largest of the usual values."""
        return self.usual or (self.low, self.high)

    def slider_stops(self, value: Any) -> list[Any]:
        """Return 1, 2, 5, 10, ... within the bounds, the bounds and the value, sorted."""
        kind = type(value)
        marks = {float(f"{digit}e{power}") for power in range(-6, 5) for digit in (1, 2, 5)}
        marks = {mark for mark in marks if self.low <= mark <= self.high}
        return sorted(
            kind(mark) for mark in marks | {self.low, self.high, value} if mark == kind(mark)
        )


@dataclass(frozen=True, kw_only=True)
class Integer(Number):
    """A whole number."""

    noun, convert = "a whole number", operator.index

    def parse(self, text: str) -> Any:
        number = parse_number(text)
        return self.check(int(number) if number.is_integer() else number)

    def slider_stops(self, value: int) -> list[int]:
        """Return powers of two if the upper bound is a power of two, as for sizes."""
        if int(self.high).bit_count() > 1:
            return super().slider_stops(value)
        powers = {2**power for power in range(int(self.high).bit_length())}
        return sorted({mark for mark in powers if mark >= self.low} | {int(self.low), value})


@dataclass(frozen=True, kw_only=True)
class Real(Number):
    """A real number. With `steps`, the gap between stops up to each bound, it has a slider."""

    steps: tuple[tuple[float, float], ...] = ()
    noun, convert = "a number", float

    def slider_stops(self, value: float) -> list[float]:
        """Return the stops of the `steps`, and the value, sorted; without them as every number."""
        if not self.steps:
            return super().slider_stops(value)
        stops, low = {value, self.low}, self.low
        for high, gap in self.steps:
            stops |= {low + gap * index for index in range(1, round((high - low) / gap) + 1)}
            low = high
        return sorted({round(stop, 9) if stop != value else value for stop in stops})

    def spell(self, value: float) -> str:
        return exact_number(value)


@dataclass(frozen=True, kw_only=True)
class Flag(Knob):
    """True or false."""

    spellings: ClassVar[Mapping[str, bool]] = {
        "true": True, "1": True, "yes": True, "on": True,
        "false": False, "0": False, "no": False, "off": False,
    }  # fmt: skip

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(self.legal_values())
        return value

    def parse(self, text: str) -> bool:
        return self.check(self.spellings.get(text.strip().lower()))

    def spell(self, value: bool) -> str:
        return str(value).lower()

    def title(self, value: bool) -> str:
        return "on" if value else "off"

    def legal_values(self) -> str:
        return "true or false"


@dataclass(frozen=True, kw_only=True)
class Choice(Knob):
    """One key of a catalogue; `absent` maps other keys to why they cannot be chosen."""

    rows: Mapping[str, Any]
    absent: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any) -> str:
        key = value.strip().lower() if isinstance(value, str) else ""
        if isinstance(value, str) and key in self.rows:
            return key
        reason = self.absent.get(key)
        hint = f" ({reason.rstrip('.')})" if reason else did_you_mean(key, self.rows)
        raise ValueError(self.legal_values() + hint)

    @property
    def menu_labels(self) -> dict[str, str]:
        """The labels by key; for keys that cannot be chosen, the reasons."""
        return {key: self.title(key) for key in self.rows} | dict(self.absent)

    def title(self, value: str) -> str:
        row = self.rows[value]
        return row if isinstance(row, str) else getattr(row, "label", value)

    def legal_values(self) -> str:
        return "one of " + ", ".join(filter(None, self.rows))


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
    refusal: Callable[[str], str] = lambda entry: f"{in_quotes(entry)} is unknown; it was left out."
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
            sentences.append(f"Only the first {MOST_TEXT} characters were read.")
        if value or not kept:
            return value, sentences
        verb = "is" if len(kept) == 1 else "are"
        return kept, [*sentences, f"{self.title(kept)} {verb} shown instead."]

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
            limit = f"At most {self.most} are" if self.most > 1 else "Only one is"
            sentences[f"{limit} compared at once; {entry} was left out."] = None
        return tuple(entries.values())[: self.most], list(sentences)

    def spell(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def title(self, value: tuple[str, ...]) -> str:
        return join_words([self.entry_title(entry) for entry in value])

    def legal_values(self) -> str:
        return f"1 to {self.most} of " + ", ".join(self.rows)


def setting(
    default: Any, kind: type[Knob], group: str, label: str, help: str, **options: Any
) -> Any:
    """Return a dataclass field that carries its knob; `options` are those of the kind of knob."""
    return field(
        default=default, metadata={"knob": kind(group=group, label=label, help=help, **options)}
    )


def refusal_sentence(name: str, value: Any, legal: object) -> str:
    """Return the sentence that refuses the value of a setting, without a full stop."""
    return f"{name} must be {legal}, not {quote(value)}"
