"""The benches by the records of their settings: their streams, their costs, and what they show."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from stability import charts, frames
from stability.cells.map_cost import nearest_map, sweep_cost
from stability.cells.map_run import MapRun
from stability.course.claims import Claim
from stability.diagnosis.cure_search import CureSearch
from stability.diagnosis.trials import SickNetwork
from stability.engine.cost import Cost, nearest_that_fits, product_cost, training_cost
from stability.engine.registry import AnyStream
from stability.engine.runs import ProductRun, Run
from stability.engine.training_process import RunApart
from stability.i18n import _, language, ngettext
from stability.modules.pasted_diagnosis import PastedDiagnosis, diagnosis_cost, why_not_diagnosed
from stability.page.cards import claim_html
from stability.page.cure_section import search_progress
from stability.page.map_bench import MapScene, blank_map, map_in_words, map_picture, map_progress
from stability.page.map_sections import MAP_SECTIONS
from stability.page.network_bench import NETWORK_SECTIONS, NetworkScene, network_buttons
from stability.page.pieces import Element, Picture, Piece, Slot, html
from stability.page.playback import progress_html
from stability.page.product_sections import PRODUCT_SECTIONS
from stability.page.scenes import ProductScene, TrainScene
from stability.page.sections import TRAIN_SECTIONS, OpenSection, Section
from stability.page.session import Session
from stability.page.settings import experiment_in_words
from stability.page.shared_pieces import SharedPieces
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.text import number


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A bench of the page.

    If a run costs too much, `nearest(record, fits, shrinkable)` lowers the `shrinkable` settings,
    in the order in which that hurts least. The scene makes the pieces above the sections:
    `frequent_pieces(count, slow_count)` are drawn several times a second; what is slow or moves
    little, `occasional_pieces(count)`, once a second and at rest, the last time of `slow_count`;
    `last_pieces(count)` follow these at the end, and while a long run still trains, since they take
    long when they are first made. They are made once for all who look at the same.
    `searchable(record)` names the searches whose results it shows, by scheme. Of a run that costs
    too much, `start(record)` is the short one that costs as much as the state before the first
    step, and `foretold(record)` a picture that costs nothing. `obstacle(record)` says why nothing
    can be computed, `words(record)` are the settings in a few words, of which a presenter changes
    those `presented`. `buttons(session)` stand above all that is shown.

    Records of one `computed(record)` share a stream. `blank(record)` is shown until it has its
    first measurement, and `progress(look, count, remark)` is HTML that says how far it has come.
    """

    stream: type[Any]  # of AnyStream, made of a record alone
    cost: Callable[[Any], Cost]
    shrinkable: tuple[str, ...]
    scene: type[TrainScene | ProductScene | MapScene | NetworkScene]
    sections: Mapping[str, Section]
    words: Callable[[Any], str]
    presented: tuple[str, ...]
    foretold: Callable[[Any], Picture] | None = None
    obstacle: Callable[[Any], str] = lambda record: ""
    buttons: Callable[[Session], list[Element]] = lambda session: []
    searchable: Callable[[Any], Mapping[str, SickNetwork]] = lambda record: {}
    start: Callable[[Any], Any] | None = None
    nearest: Callable[[Any, Callable[[Any], bool], Sequence[str]], Any] = nearest_that_fits
    computed: Callable[[Any], Any] = lambda record: record
    blank: Callable[[Any], Mapping[Slot, Piece]] = lambda record: {}
    progress: Callable[["Look", int, str], str] = lambda look, count, remark: progress_html(
        max(0, count - 1), remark
    )


NOTHING = (np.array([math.nan]),)  # measured of a product, whose law is known all the same

BENCHES: Mapping[type, Bench] = {
    Experiment: Bench(
        stream=RunApart,
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
        words=lambda p: _("{count} factors of {n} × {n}, sigma {sigma}").format(
            count=p.count, n=p.n, sigma=number(p.sigma)
        ),
        presented=("n", "sigma", "count"),
        foretold=lambda p: Picture(charts.product_spec(p), frames.product_tables(p, NOTHING)),
    ),
    Sweep: Bench(
        stream=MapRun,
        cost=sweep_cost,
        shrinkable=("steps", "replicates", "width", "depth", "batch"),
        nearest=nearest_map,
        scene=MapScene,
        sections=MAP_SECTIONS,
        words=map_in_words,
        presented=("activation", "x", "y"),
        computed=Sweep.with_any_quantity,
        blank=blank_map,
        progress=lambda look, count, remark: map_progress(look, remark),
        foretold=map_picture,
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
    is_cancelled: bool = False  # by this visitor: what is there already is shown
    is_refused: bool = False  # too costly: only what is there before the first step is shown
    figures: Sequence[OpenSection | tuple[str, ...]] = ()
    shared: SharedPieces = field(default_factory=SharedPieces)  # with other visitors

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
        if self.is_cancelled:
            return []
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

    @property
    def contents(self) -> Hashable:
        """All that its pieces depend on, beside the amounts."""
        chosen = tuple(self.waiting.items()), tuple(self.searches), tuple(self.pinned)
        return self.page, language.get(), *chosen, self.is_refused, self.is_cancelled

    def shared_pieces(self, key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
        """Return what `make` returns, made once for all whose looks have the same contents."""
        return self.shared.get((self.contents, *key), make)

    def count_to_draw(self, count: int, before: int) -> int:
        """Return how many of these measurements to show a visitor who was shown `before`."""
        return self.shared.count_to_draw(self.contents, count, before)

    def remark(self, queue_position: int) -> str:
        """Return how many other trainings come first, or how far a search has come."""
        if queue_position:
            waiting = ngettext(
                "{count} training before yours", "{count} trainings before yours", queue_position
            )
            return waiting.format(count=queue_position)
        search = self.section.search
        return search_progress(search) if search else _(self.stream.stopped)


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
