"""What is shown of a run, as a link carries it beside the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from stability.catalogues.number_formats import FORMATS
from stability.records import knobs
from stability.records.experiment import Experiment, canonical_scheme, scheme_disagreements
from stability.records.knobs import Choice, Integer, Knob, setting
from stability.records.product import Product
from stability.text import quote

PIN_PREFIXES = "pin", "pin2", "pin3"


@dataclass(frozen=True)
class BenchLink:
    """A row: what can be looked at closer on it, the field of a Page that lies on it, and the setting that says how long."""

    label: str
    sections: Mapping[str, str] = field(default_factory=dict)
    record_field: str = ""
    length_setting: str = ""
    trains: bool = False  # schemes on chips, pins, a heat map, and a list of what was tried


BENCH_LINKS = {
    "train": BenchLink(
        "Train", record_field="experiment", length_setting="steps", trains=True,
        sections={
            "pre_activations": "Pre-activations",
            "learned": "Learned function",
            "formats": "Number formats",
            "symmetry": "Symmetry",
            "gains": "Forward or backward",
            "singular_values": "Singular values",
            "theory": "Theory",
            "numbers": "Numbers",
            "tried": "Tried",
        },
    ),
    "product": BenchLink(
        "Products", record_field="product", length_setting="count",
        sections={"healing": "Size heals", "exponents": "Exponents", "bounds": "Singular values", "norms": "Numbers"},
    ),
    "course": BenchLink("Course"),
}  # fmt: skip
VIEW_LABELS = {"": "Desk", "present": "Lecture hall"}
NO_SECTION = {"": "Nothing more"}
ANSWER_LABELS = {"": "Not yet", "shown": "Shown without one"} | {str(number): f"Option {number}" for number in range(1, 7)}
NEWEST_STEP = 5000  # as many steps as a run can have: the newest picture
HEAT_MAP_QUANTITIES = {"signal": "Signal", "signal_gradient": "Signal gradient", "weight_gradient": "Weight gradient"}


@dataclass(frozen=True, kw_only=True)
class OptionalScheme(Knob):
    """A scheme, or nothing for the first of the experiment."""

    def check(self, value: Any) -> str:
        return canonical_scheme(value) if value else ""

    def legal_values(self) -> str:
        return "a scheme"


@dataclass(frozen=True, kw_only=True)
class LessonKey(Knob):
    """A name in small letters, or nothing. Whether anything is called so is not known here."""

    def check(self, value: Any) -> str:
        name = value.strip().lower() if isinstance(value, str) else "?"
        if not all(letter.isalnum() or letter in "-_" for letter in name):
            raise ValueError(self.legal_values())
        return name

    def legal_values(self) -> str:
        return "a name of letters, digits and hyphens"


@dataclass(frozen=True)
class View:
    """Which bench and lesson are open, and how a run is looked at."""

    # fmt: off
    bench: str = setting("train", Choice, "Page", "Bench", "What is on the table.", rows=BENCH_LINKS)
    lesson: str = setting("", LessonKey, "Page", "Lesson", "The lesson that is open.")
    view: str = setting("", Choice, "Page", "View", "For one reader, or large, without the sidebar, for a room.", rows=VIEW_LABELS)
    answer: str = setting("", Choice, "Page", "Answer", "What was answered to its question.", rows=ANSWER_LABELS)
    section: str = setting("", Choice, "Page", "Look closer", "What is shown beneath the charts.",
        rows=NO_SECTION | {key: label for bench in BENCH_LINKS.values() for key, label in bench.sections.items()})
    layer: int = setting(1, Integer, "Look closer", "Layer",
        "The hidden layer that is looked into.", low=1, high=100)
    moment: int = setting(NEWEST_STEP, Integer, "Look closer", "Step",
        "The step at which it is looked into.", low=0, high=NEWEST_STEP)
    format: str = setting("", Choice, "Look closer", "Rules where this format ends",
        "Thin rules on the axes of signals and gradients.",
        rows={"": "That of the run"} | {key: row.label for key, row in FORMATS.items()})
    swaps: int = setting(0, Integer, "Look closer", "Swaps",
        "How often two hidden units have been swapped: each time two others.", low=0, high=9999)
    heat_scheme: str = setting("", OptionalScheme, "Heat map", "Heat map of",
        "The scheme whose layers are shown step by step.")
    heat_quantity: str = setting("signal_gradient", Choice, "Heat map", "Quantity",
        "Blue has shrunk below 1, orange has grown above it, grey is exactly 0 or not finite.", rows=HEAT_MAP_QUANTITIES)
    # fmt: on

    def __post_init__(self):
        knobs.check_settings(self)

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> knobs.Disagreements:
        yield from ()

    def heat_map_scheme(self, experiment: Experiment) -> str:
        """The scheme that is shown: the chosen one while it is in the experiment, else the first."""
        return self.heat_scheme if self.heat_scheme in experiment.schemes else experiment.schemes[0]

    def hidden_layer(self, experiment: Experiment) -> int:
        """The hidden layer that is looked into: the chosen one, as far as there are any."""
        return min(self.layer, max(1, experiment.depth - 1))

    @property
    def open_section(self) -> str | None:
        """The section that is open, where this bench has it."""
        return self.section if self.section in self.bench_link.sections else None

    @property
    def is_presenter_view(self) -> bool:
        """Shown to many at once."""
        return bool(self.view)

    @property
    def bench_link(self) -> BenchLink:
        return BENCH_LINKS[self.bench]


@dataclass(frozen=True)
class Page:
    """All that a link carries: what runs, how it is looked at, and up to three runs that are kept behind it."""

    experiment: Experiment = field(default_factory=Experiment)
    view: View = field(default_factory=View)
    pins: tuple[Experiment, ...] = ()
    product: Product = field(default_factory=Product)

    @property
    def record(self) -> Experiment | Product:
        """The settings of what is on the table."""
        return getattr(self, self.view.bench_link.record_field or "experiment")

    def with_record(self, record: Experiment | Product) -> "Page":
        return replace(self, **{"product" if isinstance(record, Product) else "experiment": record})

    def to_query(self, base: "Page | None" = None) -> dict[str, str]:
        """What differs from `base` (the first visit); pins by what differs from the experiment: `pin.depth=30`, `pin2=same`."""
        base = base or Page()
        view = replace(self.view, section=self.view.open_section or "")
        query = {"v": knobs.VERSION} | knobs.spell_difference(view, base.view)
        if not self.view.bench_link.record_field:
            return query  # nothing lies on the table
        query |= knobs.spell_difference(self.record, replace(base, view=self.view).record)
        if not self.view.bench_link.trains or self.pins == base.pins:
            return query
        for prefix, pin in zip(PIN_PREFIXES, self.pins, strict=False):
            differing = knobs.spell_difference(pin, self.experiment)
            query |= {f"{prefix}.{name}": text for name, text in differing.items()} or {prefix: "same"}
        return query if self.pins else query | {"pin": "none"}

    def with_setting(self, name: str, value: Any, chosen: tuple[str, ...]) -> tuple["Page", list[str]]:
        """One setting of the view or the experiment, by hand, where the schemes on chips are `chosen`.

        Chips that do not go with the settings wait; if none is left, and where other settings disagree, settings are mended,
        and the notes say so.
        """
        if name in knobs.setting_values(self.view):
            return replace(self, view=replace(self.view, **{name: value})), []
        if not self.view.bench_link.trains:
            record, notes = knobs.reconcile(type(self.record), knobs.setting_values(self.record) | {name: value})
            return self.with_record(record), notes
        settings = knobs.setting_values(self.experiment) | {name: value}
        fitting = tuple(scheme for scheme in chosen if not list(scheme_disagreements(scheme, settings)))
        experiment, notes = knobs.reconcile(Experiment, settings | {"schemes": fitting or chosen or self.experiment.schemes})
        typical = self.experiment.optimizer_row.learning_rate
        if name == "optimizer" and experiment.learning_rate == typical:  # not chosen by hand
            experiment = replace(experiment, learning_rate=experiment.optimizer_row.learning_rate)
        return replace(self, experiment=experiment), notes

    def with_pin(self) -> "Page":
        """With the experiment itself kept behind whatever is set next; the oldest pin makes room."""
        pins = [pin for pin in self.pins if pin != self.experiment]
        return replace(self, pins=(*pins, self.experiment)[-len(PIN_PREFIXES) :])

    def waiting_schemes(self, chosen: tuple[str, ...]) -> dict[str, str]:
        """The chosen schemes that do not go with the other settings, each with a sentence that says why."""
        settings = knobs.setting_values(self.experiment)
        why = {scheme: list(scheme_disagreements(scheme, settings)) for scheme in chosen if scheme not in self.experiment.schemes}
        return {
            scheme: " ".join(f"{sentence[:1].upper()}{sentence[1:]}; {value} is the nearest." for sentence, _, value in found)
            for scheme, found in why.items()
        }

    def pin_label(self, pin: Experiment) -> str:
        """A pin by what differs from the experiment, in words: `depth 30, activation Tanh`."""
        differing = knobs.differing_settings(pin, self.experiment).items()
        return ", ".join(knobs.knobs_of(pin)[name].label_with_value(value) for name, value in differing) or "this run"

    def change_from_pin(self, pin: Experiment) -> str:
        """From a pin to the experiment, in words: `depth 30 → 10, activation Tanh → ReLU`."""
        now, settings = knobs.differing_settings(self.experiment, pin).items(), knobs.knobs_of(pin)
        words = (f"{settings[name].label_with_value(getattr(pin, name))} → {settings[name].title(value)}" for name, value in now)
        return ", ".join(words) or "this run"

    @classmethod
    def from_query(cls, query: Mapping[str, str], base: "Page | None" = None) -> tuple["Page", list[str]]:
        """Reads any link; what it does not name is as in `base` (the first visit). Notes name what could not be taken."""
        base, own = base or cls(), {setting.name for setting in fields(View)}
        parts: dict[str, dict[str, str]] = {"": {}, "view": {}}
        lost = []
        for key, text in query.items():
            prefix, dot, name = key.partition(".")
            if prefix in PIN_PREFIXES and not dot and (prefix, text) != ("pin", "none") and text != "same":
                lost.append(f"{prefix} must be same, or settings as in {prefix}.depth=30, so {quote(text)} was left out.")
            elif prefix in PIN_PREFIXES:
                parts.setdefault(prefix, {}).update({name: text} if dot else {})
            else:
                parts["view" if key in own else ""][key] = text
        view, notes = knobs.from_query(View, parts["view"], base.view)
        page = replace(base, view=view)
        record, more = knobs.from_query(type(page.record), parts[""], page.record)
        page = page.with_record(record)
        if not any(prefix in parts for prefix in PIN_PREFIXES) or not view.bench_link.trains:
            return page, more + notes + lost
        pins = [knobs.from_query(Experiment, parts[prefix], record) for prefix in PIN_PREFIXES if prefix in parts]
        notes += [f"{note[:-1]} (in a pin)." for _, found in pins for note in found]
        kept = () if query.get("pin") == "none" else dict.fromkeys(pin for pin, _ in pins)
        return replace(page, pins=tuple(kept)), more + notes + lost
