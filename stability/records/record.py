"""The base class of all records, whose fields are settings that a link spells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from stability.catalogues.scheme_entry import Disagreement
from stability.records.knobs import Knob, refusal_sentence
from stability.text import quote

VERSION = "1"  # of links; the defaults of a version never change once it is released

Disagreements = Iterator[Disagreement]


@dataclass(frozen=True, repr=False)
class Record:
    """Settings as a frozen dataclass of plain values, each field with its knob (see `setting`).

    ValueError names the field, its value and what is legal. Change one with `dataclasses.replace`.
    """

    noun: ClassVar[str] = ""  # for sentences: "a training run"
    unit: ClassVar[str] = ""  # one measurement of its stream: "step"

    def __post_init__(self) -> None:
        for name, knob in self.knobs().items():
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, knob.check(value))  # the canonical value
            except ValueError as error:
                raise ValueError(refusal_sentence(name, value, error)) from None
        for sentence, _, _ in self.disagreements(self.settings()):
            raise ValueError(sentence)

    def __repr__(self) -> str:
        differences = self.differences(type(self)()).items()
        arguments = ", ".join(f"{name}={value!r}" for name, value in differences)
        return f"{type(self).__name__}({arguments})"

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> Disagreements:
        """Yield a Disagreement for each pair of settings that exclude each other."""
        yield from ()

    @classmethod
    def knobs(cls) -> dict[str, Knob]:
        """The knobs by field name, in the order of the fields."""
        return {field.name: field.metadata["knob"] for field in fields(cls)}

    def settings(self) -> dict[str, Any]:
        """The values by field name."""
        return {name: getattr(self, name) for name in self.knobs()}

    def differences(self, base: "Record") -> dict[str, Any]:
        """Return the settings that differ from those of `base`."""
        settings = self.settings().items()
        return {name: value for name, value in settings if value != getattr(base, name)}

    def spell_differences(self, base: "Record") -> dict[str, str]:
        """Return the settings that differ from those of `base`, as the text of a link."""
        knobs = self.knobs()
        return {
            name: knobs[name].spell(value)
            for name, value in self.differences(base).items()
            if knobs[name].fits_link(value)
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
        for name, text in query.items():
            if name in knobs:
                try:
                    kept = settings[name]
                    settings[name], sentences = knobs[name].parse_leniently(str(text), kept)
                except ValueError as error:
                    sentence, used = refusal_sentence(name, text, error), knobs[name].spell(kept)
                    notes.append(f"{sentence}; {used or 'nothing'} is used instead.")
                else:
                    notes += [f"{name}: {sentence}" for sentence in sentences]
            elif name != "v":
                unknown = f"{quote(name)} is no setting of this page"
                notes.append(f"{unknown}, so {quote(text)} was left out.")
        record, changes = cls.reconcile(settings)
        return record, notes + changes

    @classmethod
    def reconcile(cls, settings: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """Return a record of individually legal settings, and a sentence for each change.

        Where two settings disagree, the one that the disagreement names is changed.
        """
        agreed, notes = dict(settings), []
        for sentence, name, value in cls.disagreements(agreed):
            agreed[name] = value
            notes.append(f"{sentence}; {name} {cls.knobs()[name].spell(value)} is used instead.")
        return cls(**agreed), notes
