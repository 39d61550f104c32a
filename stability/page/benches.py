"""The benches by the records of their settings: their streams, their costs, and what they show."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from stability import charts, frames
from stability.course.claims import Claim
from stability.diagnosis.causes_in_profiles import deciding_profile
from stability.diagnosis.cure_search import CureSearch
from stability.diagnosis.trials import SickNetwork
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.cost import Cost, product_cost, training_cost
from stability.engine.registry import AnyStream
from stability.engine.runs import ProductRun, Run
from stability.modules.pasted_diagnosis import PastedDiagnosis, diagnosis_cost, why_not_diagnosed
from stability.page.card_buttons import remedy_buttons
from stability.page.card_code import scheme_code
from stability.page.cards import card_htmls, claim_html
from stability.page.cure_section import search_progress
from stability.page.matrix_html import matrices_html
from stability.page.network_bench import NETWORK_SECTIONS, NetworkScene, network_buttons
from stability.page.network_svg import network_html
from stability.page.pieces import Cards, Element, Picture, Piece, Slot, html, paragraphs
from stability.page.product_sections import PRODUCT_SECTIONS
from stability.page.product_sentences import sentences_about_product
from stability.page.safe_text import sentences_html
from stability.page.sections import TRAIN_SECTIONS, OpenSection, Section
from stability.page.session import Session
from stability.page.settings import experiment_in_words
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.text import number

NORM_PANEL = ("norm",)


@dataclass
class TrainScene:
    """Cards with verdicts and remedies, the training curves, and the profiles through the depth."""

    look: "Look"
    heat: pa.Table | None = None  # as it was last drawn

    @property
    def pins(self) -> tuple[Experiment, ...]:
        return tuple(pin.experiment for pin in self.look.pinned.values())

    def frequent_pieces(self, count: int) -> Mapping[Slot, Piece]:
        run, shown = self.look.stream, self.look.page.view.count_shown(count)
        verdicts = current_verdicts(run, shown)
        in_hall = self.look.page.view.is_presenter_view  # which nobody reads code in
        code = () if in_hall else tuple(scheme_code(run.record, v.scheme) for v in verdicts)
        return {
            Slot.CARDS: Cards(card_htmls(run, shown, verdicts, self.look.waiting), code),
            Slot.LEFT: self.training_picture(frames.TRAINING_PANELS, count),
        }

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        run, view = self.look.stream, self.look.page.view
        scheme = view.value_shown("heat_scheme", run.record)
        self.heat = frames.heat_table(run, scheme, view.heat_quantity, count)
        panels = frames.lead_first(deciding_profile(run), frames.DEPTH_PANELS)
        pieces: dict[Slot, Piece] = {Slot.RIGHT: self.depth_picture(panels, count)}
        if not view.is_presenter_view:  # which has no sidebar
            pieces[Slot.NETWORK] = html(network_html(run, view.count_shown(count), scheme))
        return pieces

    def figure(self, panels: Sequence[str], count: int) -> Picture:
        """Return some panels of one chart, curves or profiles."""
        draw = self.depth_picture if panels[0] in frames.DEPTH_PANELS else self.training_picture
        return draw(panels, count)

    def training_picture(self, panels: Sequence[str], count: int) -> Picture:
        """Return these curves by step, the first of them large."""
        run, pinned, view = self.look.stream, self.look.pinned, self.look.page.view
        scheme = view.value_shown("heat_scheme", run.record)
        is_log = view.loss_axis == "log"
        shown = view.heat_quantity, self.pins, panels, is_log
        spec = charts.training_spec(run.record, scheme, *shown)
        tables = frames.training_tables(run, count, pinned, view.format, panels, is_log)
        return Picture(spec, tables | ({"heat": self.heat} if "heat" in panels else {}))

    def depth_picture(self, panels: Sequence[str], count: int) -> Picture:
        """Return these profiles by layer, the first of them large."""
        run, pinned, view = self.look.stream, self.look.pinned, self.look.page.view
        replay = run.finished and count == len(run.measurements)
        tables = frames.depth_tables(run, count, pinned, view.format, view.moment, replay, panels)
        return Picture(charts.depth_spec(run.record, self.pins, panels), tables)

    def last_pieces(self, count: int) -> Mapping[Slot, Piece]:
        run = self.look.stream
        verdicts = current_verdicts(run, self.look.page.view.count_shown(count))
        return {Slot.REMEDIES: remedy_buttons(run.record, verdicts, self.look.searches)}


@dataclass
class ProductScene:
    """The norm in a sentence and its growth; beside it the matrices themselves, and why."""

    look: "Look"

    def frequent_pieces(self, count: int) -> Mapping[Slot, Piece]:
        product, norms = self.look.stream.record, self.look.stream.measurements[:count]
        shown = norms[: self.look.page.view.count_shown(count)]
        pieces: dict[Slot, Piece] = {
            Slot.CARDS: paragraphs(sentences_about_product(product, shown)[:1])
        }
        if NORM_PANEL in self.look.figures:  # drawn already
            return pieces
        return pieces | {Slot.LEFT: self.figure(NORM_PANEL, count)}

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        product, shown = self.look.stream.record, self.look.page.view.count_shown(count)
        sentences = sentences_about_product(product, self.look.stream.measurements[:shown])
        return {Slot.RIGHT: html(matrices_html(product, shown - 1) + sentences_html(sentences[1:]))}

    def figure(self, panels: Sequence[str], count: int) -> Picture:
        """Return the only chart there is."""
        product, norms = self.look.stream.record, self.look.stream.measurements[:count]
        return Picture(charts.product_spec(product), frames.product_tables(product, norms))

    def last_pieces(self, count: int) -> Mapping[Slot, Piece]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A bench of the page.

    If a run costs too much, the `shrinkable` settings are lowered, in the order in which that hurts
    least. The scene makes the pieces above the sections: `frequent_pieces(count)` are drawn several
    times a second, `occasional_pieces(count)`, which are slow or move little, once a second and at
    rest; `last_pieces(count)` follow them, since they take long when they are first made, but not
    at the first draw. `searchable(record)` names the searches whose results it shows, by scheme.
    Of a run that costs too much, `start(record)` is the short one that costs as much as the state
    before the first step, and `foretold(record)` a picture that costs nothing. `obstacle(record)`
    says why nothing can be computed, `words(record)` are the settings in a few words, of which a
    presenter changes those `presented`. `buttons(session)` stand above all that is shown.
    """

    stream: Callable[[Any], AnyStream]
    cost: Callable[[Any], Cost]
    shrinkable: tuple[str, ...]
    scene: type[TrainScene | ProductScene | NetworkScene]
    sections: Mapping[str, Section]
    words: Callable[[Any], str]
    presented: tuple[str, ...]
    foretold: Callable[[Any], Picture] | None = None
    obstacle: Callable[[Any], str] = lambda record: ""
    buttons: Callable[[Session], list[Element]] = lambda session: []
    searchable: Callable[[Any], Mapping[str, SickNetwork]] = lambda record: {}
    start: Callable[[Any], Any] | None = None


NOTHING = (np.array([math.nan]),)  # measured of a product, whose law is known all the same

BENCHES: Mapping[type, Bench] = {
    Experiment: Bench(
        stream=Run,
        cost=training_cost,
        shrinkable=("steps", "replicates", "width", "depth", "batch"),
        scene=TrainScene,
        sections=TRAIN_SECTIONS,
        searchable=lambda e: {scheme: SickNetwork.of(e, scheme) for scheme in e.schemes},
        words=experiment_in_words,
        presented=("schemes", "activation", "depth"),
        start=lambda e: replace(e, steps=1),
        foretold=lambda e: Picture(
            charts.depth_spec(e, panels=frames.FORETOLD_PANELS), frames.foretold_tables(e)
        ),
    ),
    Product: Bench(
        stream=ProductRun,
        cost=product_cost,
        shrinkable=("replicates", "count", "n"),
        scene=ProductScene,
        sections=PRODUCT_SECTIONS,
        words=lambda p: f"{p.count} factors of {p.n} × {p.n}, sigma {number(p.sigma)}",
        presented=("n", "sigma", "count"),
        foretold=lambda p: Picture(charts.product_spec(p), frames.product_tables(p, NOTHING)),
    ),
    PastedNetwork: Bench(
        stream=PastedDiagnosis,
        cost=diagnosis_cost,
        shrinkable=("batch",),
        scene=NetworkScene,
        sections=NETWORK_SECTIONS,
        words=lambda n: n.knobs()["scheme"].title(n.scheme),
        presented=("scheme", "batch"),
        obstacle=why_not_diagnosed,
        buttons=network_buttons,
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """The contents of a page: a stream, the pinned runs behind it, a section, and of a lesson its
    claim and its figures, each a section or the names of some panels of one chart.

    `waiting` maps chosen schemes that are illegal with the other settings to the reason, `searches`
    schemes to the searches for a cure that somebody has begun.
    """

    stream: Any
    page: Page
    section: OpenSection
    pinned: Mapping[str, Run]
    waiting: Mapping[str, str]
    claim: OpenSection
    searches: dict[str, CureSearch] = field(default_factory=dict)
    is_refused: bool = False  # too costly: only what is there before the first step is shown
    figures: Sequence[OpenSection | tuple[str, ...]] = ()

    @property
    def bench(self) -> Bench:
        """The bench of the stream."""
        return BENCHES[type(self.page.record)]

    @property
    def lesson_computations(self) -> list[AnyStream]:
        """The streams that the claim and the figures need beside their own."""
        figures = [figure for figure in self.figures if isinstance(figure, OpenSection)]
        return [one for opened in (self.claim, *figures) for one in opened.computations]

    @property
    def streams(self) -> list[tuple[AnyStream, int]]:
        """Return the streams to compute, in order, and how many measurements of each."""
        before = [(one, 1) for one in self.lesson_computations]
        behind = [(one, 1) for one in self.section.computations]
        if not self.section.section.waits_for_end:
            before, behind = before + behind, []
        # The first pictures come before what takes long.
        streams = [(self.stream, 1), *before] if before else []
        if self.is_refused:
            return [*streams, (self.stream, 1)]
        streams += [(self.stream, self.stream.last_index + 1), *behind]
        return [*streams, *((pin, pin.last_index + 1) for pin in self.pinned.values())]

    def amounts(self, count: int) -> list[int | bool]:
        """Return how much there is to draw: the page changes only where these numbers do."""
        beside = [*self.section.computations, *self.lesson_computations]
        streams = [*self.pinned.values(), *beside, *self.searches.values()]
        searched = bool(self.section.search or self.section.refusal)
        ended = [one.finished for one in (self.stream, *streams)]
        return [count, searched, *ended, *(len(one.measurements) for one in streams)]

    def remark(self, queue_position: int) -> str:
        """Return how many other trainings come first, or how far a search has come."""
        if queue_position:
            trainings = "training" if queue_position == 1 else "trainings"
            return f"{queue_position} {trainings} before yours"
        search = self.section.search
        return search_progress(search) if search else ""


def section_row(page: Page) -> Section:
    """Return the section that is open on a page; an empty one if none is."""
    return BENCHES[type(page.record)].sections.get(page.view.open_section or "", Section())


def open_section(page: Page, affords: Callable[[Cost], bool]) -> OpenSection:
    """Return the open section of a page, refused if its probes cost too much."""
    return OpenSection(section_row(page), page.record, page.view, affords)


def open_figures(
    figures: Sequence[str], page: Page, affords: Callable[[Cost], bool]
) -> list[OpenSection | tuple[str, ...]]:
    """Return the figures of these names; panels that follow one another in one chart are one."""
    sections = BENCHES[type(page.record)].sections

    def chart(name: str) -> str:
        return name if name in sections else str(name in frames.DEPTH_PANELS)

    return [
        OpenSection(sections[key], page.record, page.view, affords)
        if key in sections
        else tuple(names)
        for key, names in groupby(figures, chart)
    ]


def open_claim(claim: Claim | None, page: Page, affords: Callable[[Cost], bool]) -> OpenSection:
    """Return the section that reads a lesson's claim; an empty one without a claim."""
    section = Section()
    if claim:
        section = Section(
            live=lambda stream, view, count: [html(claim_html(claim.describe(stream, count)))],
            probes=lambda record, view: claim.probes(record),
        )
    return OpenSection(section, page.record, page.view, affords)
