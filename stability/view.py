"""What is shown of a run, as a link carries it beside the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from stability import knobs
from stability.experiment import Experiment, canonical, misfits
from stability.knobs import Choice, Knob, setting

PREFIXES = "pin", "pin2", "pin3"
QUANTITIES = {"signal": "Signal", "signal_gradient": "Signal gradient", "weight_gradient": "Weight gradient"}


@dataclass(frozen=True, kw_only=True)
class OneScheme(Knob):
    """A scheme, or nothing for the first of the experiment."""

    def check(self, value: Any) -> str:
        return canonical(value) if value else ""

    def legal(self) -> str:
        return "a scheme"


@dataclass(frozen=True)
class View:
    """Which scheme and which quantity the heat map shows."""

    # fmt: off
    heat_scheme: str = setting("", OneScheme, "Heat map", "Heat map of",
        "The scheme whose layers are shown step by step.")
    heat_quantity: str = setting("signal_gradient", Choice, "Heat map", "Quantity",
        "Blue has shrunk below 1, orange has grown above it, grey is exactly 0 or not finite.", rows=QUANTITIES)
    # fmt: on

    def __post_init__(self):
        knobs.check(self)

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> knobs.Disagreements:
        yield from ()

    def scheme(self, experiment: Experiment) -> str:
        """The scheme that is shown: the chosen one while it is in the experiment, else the first."""
        return self.heat_scheme if self.heat_scheme in experiment.schemes else experiment.schemes[0]


@dataclass(frozen=True)
class Page:
    """All that a link carries: what runs, how it is looked at, and up to three runs that are kept behind it."""

    experiment: Experiment = field(default_factory=Experiment)
    view: View = field(default_factory=View)
    pins: tuple[Experiment, ...] = ()

    def to_query(self) -> dict[str, str]:
        """Pins are spelled by what differs from the experiment: `pin.depth=30`, `pin2.activation=tanh`; `pin=same`."""
        query = self.experiment.to_query() | knobs.spelled(self.view, View())
        for prefix, pin in zip(PREFIXES, self.pins, strict=False):
            differing = knobs.spelled(pin, self.experiment)
            query |= {f"{prefix}.{name}": text for name, text in differing.items()} or {prefix: "same"}
        return query

    def change(self, name: str, value: Any, chosen: tuple[str, ...]) -> tuple["Page", list[str]]:
        """One setting of the view or the experiment, by hand, where the schemes on chips are `chosen`.

        Chips that do not go with the settings wait; if none is left, and where other settings disagree, settings are mended,
        and the notes say so.
        """
        if name in knobs.values(self.view):
            return replace(self, view=replace(self.view, **{name: value})), []
        settings = knobs.values(self.experiment) | {name: value}
        fitting = tuple(scheme for scheme in chosen if not list(misfits(scheme, settings)))
        experiment, notes = knobs.mended(Experiment, settings | {"schemes": fitting or chosen or self.experiment.schemes})
        typical = self.experiment.optimization.learning_rate
        if name == "optimizer" and experiment.learning_rate == typical:  # not chosen by hand
            experiment = replace(experiment, learning_rate=experiment.optimization.learning_rate)
        return replace(self, experiment=experiment), notes

    def pinned(self) -> "Page":
        """With the experiment itself kept behind whatever is set next; the oldest pin makes room."""
        pins = [pin for pin in self.pins if pin != self.experiment]
        return replace(self, pins=(*pins, self.experiment)[-len(PREFIXES) :])

    def waiting(self, chosen: tuple[str, ...]) -> dict[str, str]:
        """The chosen schemes that do not go with the other settings, each with a sentence that says why."""
        settings = knobs.values(self.experiment)
        why = {scheme: list(misfits(scheme, settings)) for scheme in chosen if scheme not in self.experiment.schemes}
        return {
            scheme: " ".join(f"{sentence[:1].upper()}{sentence[1:]}; {value} is the nearest." for sentence, _, value in found)
            for scheme, found in why.items()
        }

    def label(self, pin: Experiment) -> str:
        """A pin by what differs from the experiment, in words: `depth 30, activation Tanh`."""
        differing = knobs.difference(pin, self.experiment).items()
        return ", ".join(knobs.knobs(pin)[name].words(value) for name, value in differing) or "the same"

    def step_from(self, pin: Experiment) -> str:
        """From a pin to the experiment, in words: `depth 30 → 10, activation Tanh → ReLU`."""
        now, settings = knobs.difference(self.experiment, pin).items(), knobs.knobs(pin)
        words = (f"{settings[name].words(getattr(pin, name))} → {settings[name].title(value)}" for name, value in now)
        return ", ".join(words) or "the same"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple["Page", list[str]]:
        """Reads any link; the notes name what could not be taken as it was."""
        own = {setting.name for setting in fields(View)}
        parts: dict[str, dict[str, str]] = {"": {}, "view": {}}
        for key, text in query.items():
            prefix, dot, name = key.partition(".")
            if prefix in PREFIXES:
                parts.setdefault(prefix, {}).update({name: text} if dot else {})
            else:
                parts["view" if key in own else ""][key] = text
        experiment, notes = Experiment.from_query(parts[""])
        view, more = knobs.from_query(View, parts["view"])
        pins = [knobs.from_query(Experiment, parts[prefix], experiment) for prefix in PREFIXES if prefix in parts]
        notes += more + [f"{note[:-1]} (in a pin)." for _, found in pins for note in found]
        return cls(experiment, view, tuple(dict.fromkeys(pin for pin, _ in pins))), notes
