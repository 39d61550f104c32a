"""The bench "Map": what is shown of networks over two settings, while they are computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from stability import charts, frames
from stability.cells.cell import Cell
from stability.frames.maps import axis_title
from stability.i18n import _
from stability.page.map_sentences import answer_sentence, progress_words
from stability.page.pieces import Element, Picture, Piece, Slot, paragraphs
from stability.page.prose import BORDER_NOTE, COARSE_NOTE, MAP_NOTE
from stability.records.sweep import Sweep
from stability.text import join_sentences, lower_first
from stability.theory.trainability import why_no_border


@dataclass
class MapScene:
    """The answer in a sentence, the heat map, and how it is read."""

    look: Any

    @property
    def sweep(self) -> Sweep:
        sweep: Sweep = self.look.page.record
        return sweep

    def cells(self, count: int) -> list[Cell]:
        cells: list[Cell] = self.look.stream.measurements[:count]
        return cells

    def frequent_pieces(self, count: int, slow_count: int) -> Mapping[Slot, Piece]:
        answer = answer_sentence(self.sweep, self.cells(count))
        return {Slot.CARDS: paragraphs([answer, *map(str, self.look.stream.notices)])}

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        notes = map_notes(self.sweep, self.look.stream.finished)
        return {Slot.LEFT: self.figure((), count), Slot.RIGHT: notes}

    def figure(self, panels: Sequence[str], count: int) -> Picture:
        """Return the map."""
        return map_picture(self.sweep, self.cells(count))

    def last_pieces(self, count: int) -> Mapping[Slot, Piece]:
        return {}


def map_picture(sweep: Sweep, cells: Sequence[Cell] = ()) -> Picture:
    """Return the map with these cells."""
    return Picture(charts.map_spec(sweep), frames.map_tables(sweep, cells))


def blank_map(sweep: Sweep) -> Mapping[Slot, Piece]:
    """Return what is shown before the first cell: the axes, and what theory says."""
    return {Slot.LEFT: map_picture(sweep), Slot.RIGHT: map_notes(sweep, is_whole=False)}


def map_notes(sweep: Sweep, is_whole: bool) -> Element:
    """Return how the map is read, and what theory draws over it."""
    notes = [_(MAP_NOTE), "" if is_whole else _(COARSE_NOTE)]
    return Element("caption", join_sentences(*notes, why_no_border(sweep) or _(BORDER_NOTE)))


def map_in_words(sweep: Sweep) -> str:
    """Return the main settings of a map in a few words."""
    x, y = (lower_first(axis_title(sweep, letter)) for letter in "xy")
    return _(", ").join([sweep.base.phi.label, f"{x} × {y}"])


def map_progress(look: Any, remark: str) -> str:
    """Return a bar that shows how far a map has come, with the same in words."""
    stream, total = look.stream, look.stream.last_index + 1
    words = progress_words(stream, look.is_cancelled, remark)
    label, ended = _("Cells computed"), "ended" if stream.finished else ""
    count = total if stream.finished else len(stream.measurements)
    return (
        f"<div class='progress {ended}'><div role='progressbar' aria-label='{label}' "
        f"aria-valuemin='0' aria-valuemax='{total}' aria-valuenow='{count}'>"
        f"<i style='width: {100 * count / total:.1f}%'></i></div><span>{escape(words)}</span></div>"
    )
