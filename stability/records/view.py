"""The view of a run, as a link spells it, and the benches that a link can open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stability.catalogues.number_formats import FORMATS
from stability.catalogues.schemes import scheme_title
from stability.i18n import N_, Translated, _
from stability.records.experiment import Experiment
from stability.records.experiment_settings import canonical_scheme
from stability.records.knobs import Choice, Integer, Knob, setting
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.record import Record
from stability.records.sweep import MOST_CELLS, Sweep
from stability.text import exact_number

BenchRecord = Experiment | Product | Sweep | PastedNetwork


@dataclass(frozen=True)
class BenchLink:
    """A bench in links: its label, its kind of record, and its sections of "Look closer".

    Controls of the settings `above` stand over all that is shown, those `over_chart` or
    `under_chart` beside the first chart, and not in the sidebar, where the settings `main` stand
    first, or those that are main on every bench.
    """

    label: Translated = Translated()
    record: type[BenchRecord] | None = None  # None: a list of lessons
    sections: Mapping[str, str] = field(default_factory=dict)
    trains: bool = False  # with schemes on chips, pins, a heat map, and a list of runs tried
    plays: bool = True  # step by step
    has_two_columns: bool = True
    above: tuple[str, ...] = ()
    over_chart: tuple[str, ...] = ()
    under_chart: tuple[str, ...] = ()
    main: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The settings whose controls do not stand in the sidebar."""
        return self.above + self.over_chart + self.under_chart


# fmt: off
BENCH_LINKS = {
    "train": BenchLink("Train", Experiment, trains=True,
        under_chart=("heat_scheme", "heat_quantity", "loss_axis"), sections={
        "pre_activations": N_("Pre-activations"), "learned": N_("Learned function"),
        "formats": N_("Number formats"), "symmetry": N_("Symmetry"),
        "gains": N_("Forward or backward"),
        "singular_values": N_("Singular values"), "theory": N_("Theory"),
        "phase": N_("Phase diagram"),
        "numbers": N_("Numbers"),
        "cure": N_("Find a cure"), "code": N_("Code"), "take": N_("Take along"),
        "tried": N_("Tried")}),
    "product": BenchLink("Products", Product, sections={
        "healing": N_("Size heals"), "exponents": N_("Exponents"), "bounds": N_("Singular values"),
        "norms": N_("Numbers"), "take": N_("Take along")}),
    "map": BenchLink("Map", Sweep, plays=False, has_two_columns=False, over_chart=("quantity",),
        main=("x", "x_range", "x_cells", "y", "y_range", "y_cells", "schemes", "activation",
            "width", "depth", "optimizer", "learning_rate", "steps"),
        sections={"cut": N_("Row and column"), "phase": N_("Phase diagram"), "cells": N_("Numbers"),
            "take": N_("Take along"), "lines": N_("In Python")}),
    "network": BenchLink("Your network", PastedNetwork, plays=False, above=("architecture",),
        sections={"layers": N_("Layers"), "notebook": N_("In a notebook")}),
    "course": BenchLink("Course"),
}
# fmt: on
SECTIONS_OF_THE_START = ("formats",)  # gradients are smaller at the end: these open at step 0
SECTION_LABELS = {"": N_("Nothing more")} | {
    key: label for bench in BENCH_LINKS.values() for key, label in bench.sections.items()
}
VIEW_LABELS = {"": N_("Desk"), "present": N_("Lecture hall")}
ANSWER_LABELS = {
    "": N_("Not yet"), "shown": N_("Shown without one"), "1": N_("Option 1"), "2": N_("Option 2"),
    "3": N_("Option 3"), "4": N_("Option 4"), "5": N_("Option 5"), "6": N_("Option 6"),
}  # fmt: skip
MOST_OPTIONS = len(ANSWER_LABELS) - 2  # per question of a lesson
FORMAT_LABELS = {"": N_("That of the run")} | {key: row.label for key, row in FORMATS.items()}
NEWEST_STEP = 20000  # the most steps that a run can have: stands for the newest measurement
LOSS_AXES = {"": N_("Linear"), "log": N_("Log")}
HEAT_MAP_QUANTITIES = {
    "signal": N_("Signal"),
    "signal_gradient": N_("Signal gradient"),
    "weight_gradient": N_("Weight gradient"),
}

PHASE_QUANTITIES = {
    "chi_1": N_("χ₁: a squared gradient, layer by layer"),
    "q": N_("q*: the variance of z in the depth"),
    "c": N_("c*: the correlation of two inputs in the depth"),
    "reach": N_("6 ξ: to which depth information survives"),
}


@dataclass(frozen=True, kw_only=True)
class OptionalScheme(Knob):
    """A scheme, or "" where none is chosen: then the first that suits is shown."""

    def check(self, value: Any) -> str:
        return canonical_scheme(value) if value else ""

    def legal_values(self) -> str:
        return _("a scheme")


@dataclass(frozen=True, kw_only=True)
class LessonKey(Knob):
    """A name in lower case, or ""; only the course knows which lessons exist."""

    def check(self, value: Any) -> str:
        name = value.strip().lower() if isinstance(value, str) else "?"
        if not all(letter.isalnum() or letter in "-_" for letter in name):
            raise ValueError(self.legal_values())
        return name

    def legal_values(self) -> str:
        return _("a name of letters, digits and hyphens")


@dataclass(frozen=True, repr=False)
class View(Record):
    """The open bench and lesson, and what is shown of a run."""

    # fmt: off
    bench: str = setting("train", Choice, "Page", "Bench", "The part of the page that is open.",
        rows=BENCH_LINKS)
    lesson: str = setting("", LessonKey, "Page", "Lesson", "The lesson that is open.")
    view: str = setting("", Choice, "Page", "View",
        "For one reader, or large, without the sidebar, for a room.", rows=VIEW_LABELS)
    answer: str = setting("", Choice, "Page", "Answer",
        "The answer that was given to its question.",
        rows=ANSWER_LABELS)
    section: str = setting("", Choice, "Page", "Look closer",
        "The section that is open beneath the charts.",
        rows=SECTION_LABELS)
    layer: int = setting(1, Integer, "Look closer", "Layer",
        "The hidden layer that is looked into.", low=1, high=100,
        choices_for=lambda e: {layer: str(layer) for layer in range(1, max(2, e.depth))})
    moment: int = setting(NEWEST_STEP, Integer, "Page", "Step", "The step that is shown.",
        low=0, high=NEWEST_STEP)
    format: str = setting("", Choice, "Look closer", "Rules where this format ends",
        "Thin rules on the axes of signals and gradients.",
        rows=FORMAT_LABELS, choices_for=lambda e: FORMAT_LABELS)
    swaps: int = setting(0, Integer, "Look closer", "Swaps",
        "How often two hidden units have been swapped: each time two others.", low=0, high=9999)
    cure_scheme: str = setting("", OptionalScheme, "Look closer", "Find a cure for",
        "The network that is trained again and again, with one change each time.",
        choices_for=lambda e: {"": _("The first that does not learn")}
        | {key: scheme_title(key) for key in e.schemes})
    code_scheme: str = setting("", OptionalScheme, "Look closer", "Program of",
        "The network whose training is written as a program of its own.",
        choices_for=lambda e: {key: scheme_title(key) for key in e.schemes})
    phase_quantity: str = setting("chi_1", Choice, "Look closer", "Colours of the phase diagram",
        "What mean-field theory says of very deep and wide networks, for each pair of variances.",
        rows=PHASE_QUANTITIES, choices_for=lambda e: PHASE_QUANTITIES)
    loss_axis: str = setting("", Choice, "Charts", "Axis of the loss",
        "A log axis shows how a small loss falls on.",
        rows=LOSS_AXES, choices_for=lambda e: LOSS_AXES)
    heat_scheme: str = setting("", OptionalScheme, "Heat map", "Heat map of",
        "The scheme whose layers are shown step by step.",
        choices_for=lambda e: {key: scheme_title(key) for key in e.schemes})
    heat_quantity: str = setting("signal_gradient", Choice, "Heat map", "Quantity",
        "Over that of the layer where it enters, a signal at the first, a gradient at the last: "
        "blue has shrunk, orange has grown, grey is exactly 0 or not finite.",
        rows=HEAT_MAP_QUANTITIES, choices_for=lambda e: HEAT_MAP_QUANTITIES)
    cell_x: int = setting(10, Integer, "Look closer", "Column",
        "The column of the map that is drawn as a curve.", low=0, high=MOST_CELLS - 1,
        choices_for=lambda sweep: dict(enumerate(map(exact_number, sweep.x_values))))
    cell_y: int = setting(10, Integer, "Look closer", "Row",
        "The row of the map that is drawn as a curve.", low=0, high=MOST_CELLS - 1,
        choices_for=lambda sweep: dict(enumerate(map(exact_number, sweep.y_values))))
    # fmt: on

    def value_shown(self, name: str, record: Record) -> Any:
        """Return the value of a setting if allowed, else the next lower choice, or the first."""
        knob, value = self.knobs()[name], getattr(self, name)
        if knob.choices_for is None:
            return value
        choices = list(knob.choices_for(record))
        below = [choice for choice in choices if isinstance(knob, Integer) and choice <= value]
        return value if value in choices else [choices[0], *below][-1]

    def count_shown(self, count: int) -> int:
        """Return how many of the first `count` measurements there are up to the step shown."""
        return min(count, self.moment + 1)

    @property
    def open_section(self) -> str | None:
        """The section that is open; None if the open bench has no such section."""
        return self.section if self.section in self.bench_link.sections else None

    @property
    def is_presenter_view(self) -> bool:
        """True if the page is shown to a lecture hall."""
        return bool(self.view)

    @property
    def bench_link(self) -> BenchLink:
        """The BenchLink of the open bench."""
        return BENCH_LINKS[self.bench]
