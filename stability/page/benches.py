"""What each bench shows of a stream, as pieces with the names of their places: words, pictures, tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from stability import charts, frames
from stability.catalogues.schemes import scheme_title
from stability.course.claims import Claim
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.runs import Stream
from stability.page.cards import cards_html, claim_html, sentences_html
from stability.page.matrix_html import matrices_html
from stability.page.sections import SECTIONS, RemedyButton, Picture, Pieces, Section
from stability.records.experiment import MOST_SCHEMES, Experiment
from stability.records.product import Product
from stability.records.view import Page
from stability.page.product_sentences import product_sentences


@dataclass
class Scene:
    """A stream and the page that looks at it: the bench's own pieces, `main`, and beneath them what is looked at closer."""

    run: Any  # a Run or a Growth
    page: Page
    waiting: Mapping[str, str]  # schemes on chips that do not go with the settings, and why
    pinned: Mapping[str, Stream]
    claim: Claim | None = None
    unit: ClassVar[str] = "step"
    closed_up: bool = False  # what no step changes has been shown

    def pieces(self, count: int, slow: bool) -> Pieces:
        """After the first `count` measurements; what takes long, or moves little, only where `slow`."""
        yield from self.main(count, slow)
        section = SECTIONS.get(self.page.view.open_section)
        if section and slow:
            yield from self.close_up(section, count)
        if self.claim and slow:
            yield "claim", claim_html(self.claim.describe(self.run, count))

    def close_up(self, section: Section, count: int) -> Pieces:
        """A section, whole at first, then what a step may have changed."""
        again, self.closed_up = self.closed_up, not section.late or self.run.finished
        if not self.closed_up:
            yield "said", sentences_html([f"Drawn after the last {self.unit}."])
        elif section.live or not again:
            pieces = section.pieces(self.run, self.page.view, count)
            yield from ((name, piece) for name, piece in pieces if not again or name.partition(":")[0] in section.live)

    def main(self, count: int, slow: bool) -> Pieces:
        raise NotImplementedError

    def progress(self, count: int, place: int) -> str:
        words = f"{self.unit} {max(0, count - 1)} of {self.run.last_index}"
        return f"{place} training{'s' * (place > 1)} before yours; {words}" if place else words


@dataclass
class TrainScene(Scene):
    """Cards, training charts and profiles."""

    heat: pa.Table | None = None
    offered: list[RemedyButton] = field(default_factory=list)

    def main(self, count: int, slow: bool) -> Pieces:
        run, e, view = self.run, self.page.experiment, self.page.view
        pins = tuple(kept.experiment for kept in self.pinned.values())
        found, scheme = current_verdicts(run, count), view.heat_map_scheme(e)
        yield "cards", cards_html(run, count, found, self.waiting)
        yield from self.offers([remedy_button(verdict) for verdict in found if verdict.remedy])
        if slow:
            self.heat = frames.heat_table(run, scheme, view.heat_quantity, count)
        tables = frames.training_tables(run, count, self.pinned, view.format) | {"heat": self.heat}
        yield "left", Picture(charts.training_spec(e, scheme, view.heat_quantity, pins), tables)
        if slow:
            replay = run.finished and count == len(run.measurements)
            tables = frames.depth_tables(run, count, self.pinned, view.format, view.moment, replay)
            yield "right", Picture(charts.depth_spec(e, pins), tables)

    def offers(self, offers: list[RemedyButton]) -> Pieces:
        """What is offered where that is another than before; each in a place of its own, which can be emptied alone."""
        if offers != self.offered:
            self.offered = offers
            for index in range(MOST_SCHEMES):
                yield f"remedy_{index}", offers[index] if index < len(offers) else None


def remedy_button(verdict: Verdict) -> RemedyButton:
    """A verdict's remedy, in words that fit a button."""
    remedy = verdict.remedy
    return RemedyButton(f"{scheme_title(verdict.scheme)}: {remedy.label[:1].lower()}{remedy.label[1:]}", remedy, verdict.scheme)


class ProductScene(Scene):
    """The growth of a norm, and the matrices themselves."""

    unit = "factor"

    def main(self, count: int, slow: bool) -> Pieces:
        product, norms = self.page.product, self.run.measurements[:count]
        yield "cards", sentences_html(product_sentences(product, norms))
        yield "left", Picture(charts.product_spec(product), frames.product_tables(product, norms))
        if slow and self.run.finished:
            yield "right", matrices_html(product)


SCENE_TYPES = {Experiment: TrainScene, Product: ProductScene}
