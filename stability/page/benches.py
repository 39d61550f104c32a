"""The benches of the page, a row each: what one computes, what that costs, and what it shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from stability import charts, frames
from stability.catalogues.schemes import scheme_title
from stability.course.claims import Claim
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.cost import Cost, product_cost, training_cost
from stability.engine.registry import AnyStream
from stability.engine.runs import ProductRun, Run
from stability.page.cards import cards_html
from stability.page.matrix_html import matrices_html
from stability.page.pieces import Html, Picture, Piece, RemedyButton, RemedyButtons, Sentences, Slot
from stability.page.product_sections import PRODUCT_SECTIONS
from stability.page.product_sentences import sentences_about_product
from stability.page.sections import TRAIN_SECTIONS, OpenSection, Section
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.product import Product


class Scene(Protocol):
    """The pieces above the sections of a bench, after the first `count` measurements."""

    def __init__(self, look: "Look") -> None: ...

    def frequent_pieces(self, count: int) -> Mapping[Slot, Piece]:
        """Pieces that are quick to draw, for several times a second."""

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        """Pieces that take long or move little, for once a second and where the view rests."""


class TrainScene:
    """Cards with verdicts and remedies, the training curves, and the profiles through the depth."""

    def __init__(self, look: "Look"):
        self.run, self.page, self.pinned = look.stream, look.page, look.pinned
        self.waiting = look.waiting
        self.pins = tuple(pin.experiment for pin in look.pinned.values())
        self.heat: pa.Table | None = None  # as it was last drawn

    def frequent_pieces(self, count: int) -> Mapping[Slot, Piece]:
        e, view = self.page.experiment, self.page.view
        verdicts = current_verdicts(self.run, count)
        spec = charts.training_spec(e, view.heat_map_scheme(e), view.heat_quantity, self.pins)
        tables = frames.training_tables(self.run, count, self.pinned, view.format)
        return {
            Slot.CARDS: Html(cards_html(self.run, count, verdicts, self.waiting)),
            Slot.REMEDIES: remedy_buttons(verdicts),
            Slot.LEFT: Picture(spec, tables | {"heat": self.heat}),
        }

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        e, view = self.page.experiment, self.page.view
        self.heat = frames.heat_table(self.run, view.heat_map_scheme(e), view.heat_quantity, count)
        replay = self.run.finished and count == len(self.run.measurements)
        tables = frames.depth_tables(self.run, count, self.pinned, view.format, view.moment, replay)
        return {Slot.RIGHT: Picture(charts.depth_spec(e, self.pins), tables)}


def remedy_buttons(verdicts: list[Verdict]) -> RemedyButtons:
    """Return a button for every verdict that has a remedy."""
    buttons = []
    for verdict in verdicts:
        if remedy := verdict.remedy:
            label = f"{remedy.label[:1].lower()}{remedy.label[1:]}"
            label = f"{scheme_title(verdict.scheme)}: {label}"
            buttons.append(RemedyButton(label, remedy, verdict.scheme))
    return RemedyButtons(tuple(buttons))


class ProductScene:
    """The growth of the norm, and at the end the matrices themselves."""

    def __init__(self, look: "Look"):
        self.run, self.product = look.stream, look.stream.record

    def frequent_pieces(self, count: int) -> Mapping[Slot, Piece]:
        norms = self.run.measurements[:count]
        tables = frames.product_tables(self.product, norms)
        return {
            Slot.CARDS: Sentences(sentences_about_product(self.product, norms)),
            Slot.LEFT: Picture(charts.product_spec(self.product), tables),
        }

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        if not self.run.finished:
            return {}
        return {Slot.RIGHT: Html(matrices_html(self.product))}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A bench of the page.

    `record` is the type of its settings, of which `shrinkable` ones are lowered where a run costs
    too much, in the order in which that hurts least. A measurement is one `unit` of its stream.
    """

    record: type
    unit: str
    stream: Callable[[Any], AnyStream]
    cost: Callable[[Any], Cost]
    shrinkable: tuple[str, ...]
    scene: type[Scene]
    sections: Mapping[str, Section]


BENCHES = {
    "train": Bench(
        record=Experiment,
        unit="step",
        stream=Run,
        cost=training_cost,
        shrinkable=("steps", "replicates", "width", "depth", "batch"),
        scene=TrainScene,
        sections=TRAIN_SECTIONS,
    ),
    "product": Bench(
        record=Product,
        unit="factor",
        stream=ProductRun,
        cost=product_cost,
        shrinkable=("replicates", "count", "n"),
        scene=ProductScene,
        sections=PRODUCT_SECTIONS,
    ),
}


def bench_of(record: Any) -> Bench:
    """Return the bench on which a record of settings lies."""
    return next(bench for bench in BENCHES.values() if isinstance(record, bench.record))


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """All that a visitor looks at: a stream on its bench, pinned runs behind it, a claim about it.

    `waiting`: schemes on chips that do not go with the other settings, and why.
    """

    bench: Bench
    stream: Any
    page: Page
    section: OpenSection
    pinned: Mapping[str, Run]
    waiting: Mapping[str, str]
    claim: Claim | None
    paused: bool

    def streams(self, until: int) -> list[tuple[AnyStream, int]]:
        """Return all that must be computed, in order, and how many measurements of each."""
        run, computations = (self.stream, until), [(one, 1) for one in self.section.computations]
        if self.section.section.waits_for_end:
            streams = [run, *(computations if until > self.stream.last_index else [])]
        else:  # between the first pictures and the rest of the run
            streams = [(self.stream, 1), *computations, run] if computations else [run]
        if not self.paused:
            streams += [(pin, pin.last_index + 1) for pin in self.pinned.values()]
        return streams

    def progress_text(self, count: int, queue_position: int) -> str:
        """Say how far the stream has come, and how many others come first."""
        reached = f"{self.bench.unit} {max(0, count - 1)} of {self.stream.last_index}"
        if queue_position:
            trainings = "training" if queue_position == 1 else "trainings"
            return f"{queue_position} {trainings} before yours; {reached}"
        return f"paused at {reached}" if self.paused else reached


def section_row(page: Page) -> Section:
    """Return the row of the section that a page shows; an empty one where it shows none."""
    return BENCHES[page.view.bench].sections.get(page.view.open_section or "", Section())


def open_section(page: Page, affords: Callable[[Cost], bool]) -> OpenSection:
    """Return the section that a page shows, refused where it would take too long."""
    unit = BENCHES[page.view.bench].unit
    return OpenSection(section_row(page), page.record, page.view, unit, affords)
