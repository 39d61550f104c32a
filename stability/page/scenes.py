"""The scenes of the benches Train and Products: the pieces above their sections, by slot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stability import charts, frames
from stability.diagnosis.causes_in_profiles import deciding_profile
from stability.diagnosis.verdicts import current_verdicts
from stability.page.card_buttons import remedy_buttons
from stability.page.card_code import scheme_code
from stability.page.cards import card_htmls
from stability.page.matrix_html import matrices_html
from stability.page.network_svg import network_html
from stability.page.pieces import Cards, Picture, Piece, Slot, html, paragraphs
from stability.page.product_sentences import sentences_about_product
from stability.page.safe_text import sentences_html
from stability.records.experiment import Experiment

NORM_PANEL = ("norm",)


@dataclass
class TrainScene:
    """Cards with verdicts and remedies, the training curves, and the profiles through the depth."""

    look: Any

    @property
    def pins(self) -> tuple[Experiment, ...]:
        return tuple(pin.experiment for pin in self.look.pinned.values())

    def frequent_pieces(self, count: int, slow_count: int) -> Mapping[Slot, Piece]:
        run, shown = self.look.stream, self.look.page.view.count_shown(count)
        verdicts = current_verdicts(run, shown)
        in_hall = self.look.page.view.is_presenter_view  # which nobody reads code in
        code = () if in_hall else tuple(scheme_code(run.record, v.scheme) for v in verdicts)
        return {
            Slot.CARDS: Cards(card_htmls(run, shown, verdicts, self.look.waiting), code),
            Slot.LEFT: self.training_picture(frames.TRAINING_PANELS, count, slow_count),
        }

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        run, view = self.look.stream, self.look.page.view
        scheme = view.value_shown("heat_scheme", run.record)
        panels = frames.lead_first(deciding_profile(run), frames.DEPTH_PANELS)
        pieces: dict[Slot, Piece] = {Slot.RIGHT: self.depth_picture(panels, count)}
        if not view.is_presenter_view:  # which has no sidebar
            pieces[Slot.NETWORK] = html(network_html(run, view.count_shown(count), scheme))
        return pieces

    def figure(self, panels: Sequence[str], count: int) -> Picture:
        """Return some panels of one chart, curves or profiles."""
        if panels[0] in frames.DEPTH_PANELS:
            return self.depth_picture(panels, count)
        return self.training_picture(panels, count, count)

    def training_picture(self, panels: Sequence[str], count: int, slow_count: int) -> Picture:
        """Return these curves by step, the first of them large; the heat map of `slow_count`."""
        run, pinned, view = self.look.stream, self.look.pinned, self.look.page.view
        scheme = view.value_shown("heat_scheme", run.record)
        is_log = view.loss_axis == "log"
        shown = view.heat_quantity, self.pins, panels, is_log
        spec = charts.training_spec(run.record, scheme, *shown)
        tables = frames.training_tables(run, count, pinned, view.format, panels, is_log)
        if "heat" in panels:
            asked = scheme, view.heat_quantity, slow_count
            make_heat = partial(frames.heat_tables, run, *asked)  # fewer times than the curves
            tables |= self.look.shared_pieces(("heat", *asked), make_heat)
        return Picture(spec, tables)

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

    look: Any

    def frequent_pieces(self, count: int, slow_count: int) -> Mapping[Slot, Piece]:
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
