"""The base class of all records, whose fields are settings that a link spells."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self

from stability.catalogues.scheme_entry import Disagreement
from stability.i18n import N_, _
from stability.records.knobs import Knob, refusal_sentence
from stability.text import behind_label, quote

VERSION = "1"  # of links; the defaults of a version never change once it is released

Disagreements = Iterator[Disagreement]


@dataclass(frozen=True, repr=False)
class Record:
    """Settings as a frozen dataclass of plain values, each field with its knob (see `setting`).

    ValueError names the field, its value and what is legal. Change one with `dataclasses.replace`.
    """

    noun: ClassVar[str] = ""  # for sentences: "a training run"
    unit: ClassVar[str] = ""  # one measurement of its stream: "step"
    computed: ClassVar[str] = N_("run")  # what is computed of it

    def __post_init__(self) -> None:
        values, defaults = vars(self), self.field_defaults()
        for name, knob in self.field_knobs().items():
            value = values[name]
            if value is defaults[name]:  # most are, and a default is canonical
                continue
            try:
                object.__setattr__(self, name, knob.check(value))  # the canonical value
            except ValueError as error:
                raise ValueError(refusal_sentence(name, value, error)) from None
        for sentence, _name, _value in self.disagreements(self.settings()):
            raise ValueError(sentence)

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what is cached beside them need not travel."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __repr__(self) -> str:
        default = type(self)()
        spelled = self.spell_differences(default)  # with the followers
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arguments = [
            f"{name}={value!r}"
            for name, value in values.items()
            if name in spelled or value != getattr(default, name)
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> Disagreements:
        """Yield a Disagreement for each pair of settings that exclude each other."""
        yield from ()

    @staticmethod
    def followers(name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the settings that return to what is typical when this one changes.

        In a link they are spelled wherever this one is.
        """
        return ()

    @classmethod
    @cache
    def field_knobs(cls) -> dict[str, Knob]:
        """The knobs of the fields by name, in their order."""
        return {f.name: f.metadata["knob"] for f in fields(cls) if "knob" in f.metadata}

    @classmethod
    @cache
    def field_defaults(cls) -> dict[str, Any]:
        """The defaults of the fields with a knob by name."""
        return {f.name: f.default for f in fields(cls) if "knob" in f.metadata}

    @classmethod
    def knobs(cls) -> dict[str, Knob]:
        """The knobs of all settings by name: those of the fields, unless a field is a record."""
        return cls.field_knobs()

    def settings(self) -> dict[str, Any]:
        """The values of all settings by name."""
        values = vars(self)
        return {name: values[name] for name in self.field_knobs()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the record of these settings. ValueError as for the record itself."""
        return cls(**settings)

    def differences(self, base: "Record") -> dict[str, Any]:
        """Return the settings that differ from those of `base`."""
        settings, others = self.settings(), base.settings()
        return {name: value for name, value in settings.items() if value != others[name]}

    def spell_differences(self, base: "Record") -> dict[str, str]:
        """Return the settings that differ from those of `base`, as the text of a link."""
        knobs, settings, differing = self.knobs(), self.settings(), self.differences(base)
        followers = {follower for name in differing for follower in self.followers(name, settings)}
        return {
            name: knobs[name].spell(value)
            for name, value in settings.items()
            if (name in differing or name in followers) and knobs[name].fits_link(value)
        }

    def to_query(self) -> dict[str, str]:
        """Return the version `v` and all settings off their defaults, as the text of a link."""
        return {"v": VERSION} | self.spell_differences(type(self)())

    @classmethod
    def from_query(
        cls, query: Mapping[str, str], base: Self | None = None
    ) -> tuple[Self, list[str]]:
        """Read any link; settings that it does not name are those of `base` (the defaults).

        Returns the record, and a sentence for each key that was changed or left out.
        """
        settings, knobs, notes = (base or cls()).settings(), cls.knobs(), []
        order = [*knobs]  # a setting is read before its followers
        for name in sorted(
            query, key=lambda name: order.index(name) if name in knobs else math.inf
        ):
            text = query[name]
            if name in knobs:
                try:
                    kept = settings[name]
                    settings[name], sentences = knobs[name].parse_leniently(str(text), kept)
                except ValueError as error:
                    sentence, used = refusal_sentence(name, text, error), knobs[name].spell(kept)
                    instead = _("{sentence}; {used} is used instead.")
                    notes.append(instead.format(sentence=sentence, used=used or _("nothing")))
                else:
                    notes += [behind_label(name, sentence) for sentence in sentences]
                    if settings[name] != kept:
                        cls.let_followers_go(name, settings)
            elif name != "v":
                unknown = _("{name} is no setting of this page, so {text} was left out.")
                notes.append(unknown.format(name=quote(name), text=quote(text)))
        record, changes = cls.reconcile(settings)
        return record, notes + changes

    @classmethod
    def let_followers_go(cls, name: str, settings: dict[str, Any]) -> None:
        """Set the followers of a setting that changed to the defaults of their fields."""
        for follower in cls.followers(name, settings):
            settings[follower] = getattr(cls, follower)

    @classmethod
    def reconcile(cls, settings: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """Return a record of individually legal settings, and a sentence for each change.

        Where two settings disagree, the one that the disagreement names is changed.
        """
        agreed, notes = dict(settings), []
        for sentence, name, value in cls.disagreements(agreed):
            agreed[name] = value
            cls.let_followers_go(name, agreed)
            used = f"{name} {cls.knobs()[name].spell(value)}"
            instead = _("{sentence}; {used} is used instead.")
            notes.append(instead.format(sentence=sentence, used=used))
        return cls.from_settings(agreed), notes
