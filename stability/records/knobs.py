"""Knobs, one for each setting: its label and help, its legal values, and its spelling in links.

A setting is declared once, as a field of a record made by `setting`. Checks, links, controls, help
and test cases all come from that line.
"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from stability.i18n import ENGLISH, N_, Translated, _, speaking
from stability.text import did_you_mean, exact_number, parse_number, quote


@dataclass(frozen=True, kw_only=True)
class Knob:
    """The label, help and legal values of one setting; each kind of setting is a subclass."""

    group: str
    label: Translated = Translated()
    help: Translated = Translated()
    synonyms: Translated = Translated("")  # other words by which people search for it
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
        """The text that a search looks through, in the reader's language and in English."""
        with speaking(ENGLISH):
            english = self._searched_words()
        return f"{self._searched_words()} {english}"

    def _searched_words(self) -> str:
        """Return the label, synonyms, help, and the rows to choose."""
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
    range_words: ClassVar[str]
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
        low, high = exact_number(self.low), exact_number(self.high)
        return _(self.range_words).format(low=low, high=high)

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

    range_words, convert = N_("a whole number from {low} to {high}"), operator.index

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
    range_words, convert = N_("a number from {low} to {high}"), float

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
        return _("on") if value else _("off")

    def legal_values(self) -> str:
        return _("true or false")


@dataclass(frozen=True, kw_only=True)
class Choice(Knob):
    """One key of a catalogue; `absent` maps other keys to why they cannot be chosen."""

    rows: Mapping[str, Any]
    absent: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: Any) -> str:
        key = value.strip().lower() if isinstance(value, str) else ""
        if isinstance(value, str) and key in self.rows:
            return key
        reason = _(self.absent.get(key, ""))
        hint = (
            _(" ({reason})").format(reason=reason.rstrip(".。"))
            if reason
            else did_you_mean(key, self.rows)
        )
        raise ValueError(self.legal_values() + hint)

    @property
    def menu_labels(self) -> dict[str, str]:
        """The labels by key; for keys that cannot be chosen, the reasons."""
        titles = {key: self.title(key) for key in self.rows}
        return titles | {key: _(reason) for key, reason in self.absent.items()}

    def title(self, value: str) -> str:
        row = self.rows[value]
        return _(row) if isinstance(row, str) else getattr(row, "label", value)

    def legal_values(self) -> str:
        return _("one of {rows}").format(rows=_(", ").join(filter(None, self.rows)))


def setting(
    default: Any, kind: type[Knob], group: str, label: str, help: str, **options: Any
) -> Any:
    """Return a dataclass field that carries its knob; `options` are those of the kind of knob."""
    return field(
        default=default, metadata={"knob": kind(group=group, label=label, help=help, **options)}
    )


def refusal_sentence(name: str, value: Any, legal: object) -> str:
    """Return the sentence that refuses the value of a setting, without a full stop."""
    sentence = _("{name} must be {legal}, not {value}")
    return sentence.format(name=name, legal=legal, value=quote(value))
