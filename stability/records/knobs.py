"""What one setting is: its words, what is legal, and how a link spells it.

A setting is declared once, as a field of a frozen dataclass made by `setting`. Checks, links, controls, help and
test cases all come from that line.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from stability.text import exact_number, parse_number, quote, did_you_mean

VERSION = "1"  # of a link; the defaults of a version are frozen once it is released


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The words of one setting. `check(value)` returns the canonical value or raises ValueError; `parse` reads a link."""

    group: str
    label: str
    help: str
    main: bool = False  # always in sight; the others are folded by group
    choices_for: Callable[[Any], Mapping[Any, str]] | None = None  # the values that an experiment allows, with their words

    @property
    def search_text(self) -> str:
        """The words of what can be chosen, for those who search."""
        return " ".join(f"{key} {getattr(row, 'label', row)}" for key, row in getattr(self, "rows", {}).items())

    def check(self, value: Any) -> Any:
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        return self.check(text)

    def parse_leniently(self, text: str) -> tuple[Any, list[tuple[str, str]]]:
        """What can be taken of a text, and what could not: pairs of a part and what is legal. ValueError if nothing can."""
        return self.parse(text), []

    def spell(self, value: Any) -> str:
        return str(value)

    def title(self, value: Any) -> str:
        """A value as people read it."""
        return self.spell(value)

    def label_with_value(self, value: Any) -> str:
        """A value in a sentence, with the name of the setting."""
        return f"{self.label.lower()} {self.title(value)}"

    def legal_values(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Number(Knob):
    """A number from `low` to `high`; `log` where factors matter more than differences."""

    low: float
    high: float
    log: bool = False
    kind: ClassVar[str]

    def legal_values(self) -> str:
        return f"{self.kind} from {exact_number(self.low)} to {exact_number(self.high)}"

    def slider_stops(self, value: float) -> list[float]:
        """Where a slider over factors stops: 1, 2, 5, 10, ..., the ends of the legal range, and the value."""
        marks = {float(f"{digit}e{power}") for power in range(-6, 5) for digit in (1, 2, 5)}
        legal = {mark for mark in marks if self.low <= mark <= self.high} | {self.low, self.high, value}
        return sorted(type(value)(mark) for mark in legal if mark == type(value)(mark))

    def check_bounds(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise ValueError(self.legal_values())
        return value


@dataclass(frozen=True, kw_only=True)
class Integer(Number):
    kind = "a whole number"

    def slider_stops(self, value: int) -> list[int]:
        """Powers of two where the range ends at one, as sizes do."""
        if int(self.high).bit_count() > 1:
            return super().slider_stops(value)
        powers = {2**power for power in range(int(self.high).bit_length())}
        return sorted({mark for mark in powers if mark >= self.low} | {int(self.low), value})

    def check(self, value: Any) -> int:
        if isinstance(value, bool):  # an int in Python, not in a sentence
            raise ValueError(self.legal_values())
        try:
            return self.check_bounds(operator.index(value))
        except TypeError:
            raise ValueError(self.legal_values()) from None

    def parse(self, text: str) -> int:
        number = parse_number(text)
        return self.check(int(number) if number.is_integer() else number)


@dataclass(frozen=True, kw_only=True)
class Real(Number):
    kind = "a number"

    def check(self, value: Any) -> float:
        if isinstance(value, (bool, str)):
            raise ValueError(self.legal_values())
        try:
            return self.check_bounds(float(value) + 0.0)  # -0.0 and 0.0 are one setting
        except (TypeError, OverflowError):
            raise ValueError(self.legal_values()) from None

    def parse(self, text: str) -> float:
        return self.check(parse_number(text))

    def spell(self, value: float) -> str:
        return exact_number(value)


@dataclass(frozen=True, kw_only=True)
class Flag(Knob):
    spellings: ClassVar[Mapping[str, bool]] = dict.fromkeys(("true", "1", "yes", "on"), True) | dict.fromkeys(
        ("false", "0", "no", "off"), False
    )

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
    """One key of a catalogue; `absent` says of keys that are none why not."""

    rows: Mapping[str, Any]
    absent: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any) -> str:
        key = value.strip().lower() if isinstance(value, str) else None
        if key not in self.rows:
            why = self.absent.get(key)
            raise ValueError(self.legal_values() + (f" ({why.rstrip('.')})" if why else did_you_mean(key, self.rows)))
        return key

    @property
    def menu_labels(self) -> dict[str, str]:
        """What a menu shows: the labels, and of what cannot be chosen why not."""
        return {key: self.title(key) for key in self.rows} | dict(self.absent)

    def title(self, value: str) -> str:
        return getattr(self.rows[value], "label", value)

    def legal_values(self) -> str:
        return "one of " + ", ".join(filter(None, self.rows))


@dataclass(frozen=True, kw_only=True)
class ChoiceList(Knob):
    """One to `most` entries, each read by `entry` (canonical text or ValueError); `same` tells which are duplicates."""

    rows: Mapping[str, Any]
    entry: Callable[[str], str]
    same: Callable[[str], Any]
    most: int

    def check(self, value: Any) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, (tuple, list)):
            raise ValueError(self.legal_values())
        unique: dict[Any, str] = {}
        for item in map(self.entry, value):
            unique.setdefault(self.same(item), item)
        if not 1 <= len(unique) <= self.most:
            raise ValueError(self.legal_values())
        return tuple(unique.values())

    def parse(self, text: str) -> tuple[str, ...]:
        return self.check([item for item in text.split(",") if item.strip()])

    def parse_leniently(self, text: str) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
        taken, refused = [], []
        for item in text.split(","):
            try:
                taken += [entry for entry in self.parse(item) if self.same(entry) not in map(self.same, taken)]
            except ValueError as error:
                refused.append((item, str(error)))
        refused += [(item, f"among the first {self.most}") for item in taken[self.most :]]
        return self.check(taken[: self.most]), refused

    def spell(self, value: tuple[str, ...]) -> str:
        return ",".join(value)

    def legal_values(self) -> str:
        return f"1 to {self.most} of " + ", ".join(self.rows)


def setting(default: Any, kind: type[Knob], group: str, label: str, help: str, **legal: Any) -> Any:
    """A dataclass field that carries its knob."""
    return field(default=default, metadata={"knob": kind(group=group, label=label, help=help, **legal)})


def knobs_of(record: Any) -> dict[str, Knob]:
    """The knobs of a dataclass or of an instance, by field name, in the order of the fields."""
    return {f.name: f.metadata["knob"] for f in fields(record)}


def check_settings(record: Any) -> None:
    """Makes every field canonical, for `__post_init__`; ValueError names the field, its value and what is legal."""
    for name, knob in knobs_of(record).items():
        value = getattr(record, name)
        try:
            object.__setattr__(record, name, knob.check(value))
        except ValueError as error:
            raise ValueError(refusal_sentence(name, value, error)) from None
    for sentence, _, _ in record.disagreements(setting_values(record)):
        raise ValueError(sentence)


def setting_values(record: Any) -> dict[str, Any]:
    """The settings as a plain mapping."""
    return {name: getattr(record, name) for name in knobs_of(record)}


def differing_settings(record: Any, base: Any) -> dict[str, Any]:
    """The settings of `record` that are not those of `base`."""
    return {name: value for name, value in setting_values(record).items() if value != getattr(base, name)}


def settings_matching(settings: Mapping[str, Knob], words: str) -> dict[str, Knob]:
    """The settings that speak of every one of these words, in their name, label, help or choices."""
    spoken = {name: f"{name} {knob.label} {knob.help} {knob.search_text}".lower() for name, knob in settings.items()}
    return {name: knob for name, knob in settings.items() if all(word in spoken[name] for word in words.lower().split())}


def spell_difference(record: Any, base: Any) -> dict[str, str]:
    """The settings that differ from `base`, as the text of a link."""
    return {name: knobs_of(record)[name].spell(value) for name, value in differing_settings(record, base).items()}


def to_query(record: Any) -> dict[str, str]:
    """The version and every setting that differs from its default, as the text of a link."""
    return {"v": VERSION} | spell_difference(record, type(record)())


def from_query(cls: type, query: Mapping[str, str], base: Any = None) -> tuple[Any, list[str]]:
    """Reads any mapping of texts; what it does not name is as in `base` (the defaults).

    Returns the record, and one sentence for every key that could not be taken as it was.
    """
    settings, notes = setting_values(base or cls()), []
    for name, text in query.items():
        if name not in settings:
            notes += [f"{quote(name)} is no setting of this page, so {quote(text)} was left out."] * (name != "v")
            continue
        try:
            settings[name], refused = knobs_of(cls)[name].parse_leniently(str(text))
            notes += [f"{refusal_sentence(name, part, legal)}; it was left out." for part, legal in refused]
        except ValueError as error:
            kept = knobs_of(cls)[name].spell(settings[name]) or "nothing"
            notes.append(f"{refusal_sentence(name, text, error)}; {kept} is used instead.")
    record, more = reconcile(cls, settings)
    return record, notes + more


def reconcile(cls: type, settings: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The record of legal settings; where two of them disagree the later one is changed, and a sentence says so."""
    settings, notes = dict(settings), []
    for sentence, name, value in cls.disagreements(settings):
        settings[name] = value
        notes.append(f"{sentence}; {name} {knobs_of(cls)[name].spell(value)} is used instead.")
    return cls(**settings), notes


Disagreements = Iterator[tuple[str, str, Any]]  # a sentence, the later of the two fields, and its nearest legal value


def refusal_sentence(name: str, value: Any, legal: object) -> str:
    return f"{name} must be {legal}, not {quote(value)}"
