"""Draws the pieces of a bench into containers of the page, again and again while a stream grows.

A container is what Streamlit calls a delta generator; nothing here needs to know more about it.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from stability.charts import enlarge
from stability.course.claims import Claim
from stability.diagnosis.remedies import Remedy
from stability.frames import arrow
from stability.page.benches import Look, Scene
from stability.page.cards import (
    REMEDY_HELP,
    claim_html,
    escape_markdown,
    sentences_html,
    waiting_html,
)
from stability.page.pieces import (
    DataTable,
    Formula,
    Html,
    Nothing,
    Picture,
    Piece,
    RemedyButtons,
    Sentences,
    Slot,
)
from stability.page.sections import OpenSection
from stability.records.experiment import MOST_SCHEMES

FREQUENT, OCCASIONAL = 0.25, 1.0  # seconds between draws of the curves, and of all that is slow
REMEDY_ICON = ":material/healing:"


class Renderer:
    """Keeps, by slot or by section and key, the element that each piece was drawn as."""

    def __init__(
        self,
        containers: Mapping[Slot, Any],
        look: Look,
        scene: Scene,
        section: OpenSection | None = None,
        claim: Claim | None = None,
        apply_remedy: Callable[[Remedy, str], None] | None = None,
    ):
        self.containers, self.look, self.scene = containers, look, scene
        self.section, self.claim, self.apply_remedy = section, claim, apply_remedy
        self._elements: dict[Hashable, Any] = {}
        self._occasional_at = -OCCASIONAL
        self._says_waiting = False
        # Each button stands in a container of its own, which can be emptied alone.
        self._remedy_containers = [containers[Slot.REMEDIES].empty() for _ in range(MOST_SCHEMES)]
        self._remedies = RemedyButtons()
        self._buttons_drawn = 0

    def draw_progress(self, text: str, share: float) -> None:
        bar = self._elements.get(Slot.PROGRESS, self.containers[Slot.PROGRESS])
        self._elements[Slot.PROGRESS] = bar.progress(share, text=text)

    def draw_waiting(self) -> None:
        """Say that others come first, where the curves of an earlier run would seem to be this one's."""
        if not self._says_waiting:
            self._says_waiting = True
            self._draw(Slot.CARDS, Html(waiting_html()))
            self._draw(Slot.LEFT, Nothing())
            self._draw(Slot.RIGHT, Nothing())

    def draw(self, count: int, at_rest: bool = False) -> None:
        """Draw the first `count` measurements; what is slow only once a second, and where the view rests."""
        if not (at_rest or time.monotonic() - self._occasional_at >= OCCASIONAL):
            for slot, piece in self.scene.frequent_pieces(count).items():
                self._draw(slot, piece)
            return
        self._occasional_at = time.monotonic()
        occasional = self.scene.occasional_pieces(count)  # first: the heat map stands in both
        for slot, piece in {**self.scene.frequent_pieces(count), **occasional}.items():
            self._draw(slot, piece)
        if self.section:
            for key, piece in self.section.pieces(self.look.stream, count).items():
                self._draw(key, piece)
        if self.claim:
            reading = self.claim.describe(self.look.stream, count)
            self._draw(Slot.CLAIM, Html(claim_html(reading)))

    def _draw(self, key: Hashable, piece: Piece) -> None:
        if isinstance(piece, RemedyButtons):
            self._draw_remedies(piece)
            return
        if key not in self._elements:
            self._elements[key] = self._container(key, piece)
        presenting = self.look.page.view.is_presenter_view
        self._elements[key] = draw_piece(self._elements[key], piece, presenting)

    def _container(self, key: Hashable, piece: Piece) -> Any:
        """Where a piece is drawn first: its slot, or in the section; small pictures in a row that wraps."""
        if isinstance(key, Slot):
            return self.containers[key]
        section = self.containers[Slot.SECTION]
        if not (isinstance(piece, Picture) and piece.small):
            return section
        if "small pictures" not in self._elements:
            self._elements["small pictures"] = section.container(horizontal=True)
        return self._elements["small pictures"]

    def _draw_remedies(self, remedies: RemedyButtons) -> None:
        if remedies == self._remedies:
            return
        self._remedies = remedies
        for index, container in enumerate(self._remedy_containers):
            if index >= len(remedies.buttons):
                container.empty()
                continue
            button = remedies.buttons[index]
            self._buttons_drawn += 1  # a widget that is drawn twice in one run needs two keys
            container.button(
                button.label,
                icon=REMEDY_ICON,
                key=f"remedy_{self._buttons_drawn}",
                help=REMEDY_HELP,
                on_click=self.apply_remedy,
                args=(button.remedy, button.sick_scheme),
            )


def draw_piece(container: Any, piece: Piece, presenting: bool = False) -> Any:
    """Draw one piece and return its element, which the next drawing replaces.

    Of the same spec with new data the browser keeps its picture, and moves the lines.
    """
    match piece:
        case Html(text):
            return container.html(text)
        case Sentences(texts):
            return container.html(sentences_html(texts))
        case Picture(spec, tables, small):
            spec = enlarge(spec) if presenting else spec
            datasets = {name: arrow.to_arrow_bytes(table) for name, table in tables.items()}
            width = "content" if small else "stretch"
            return container.vega_lite_chart(None, spec | {"datasets": datasets}, width=width)
        case DataTable(rows, headings):
            return container.dataframe(
                rows, hide_index=True, column_config=headings, width="stretch"
            )
        case Formula(title, latex):
            return container.markdown(f"{escape_markdown(title)}: ${latex}$")
        case Nothing():
            return container.empty()
    raise TypeError(f"{type(piece).__name__} is no piece that stands alone")
