"""Draw the pieces of a bench into containers of the page, again and again while a stream grows.

A container is what Streamlit calls a delta generator; nothing here needs to know more about it.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any

from stability.charts import enlarge
from stability.diagnosis.remedies import Remedy
from stability.frames import arrow
from stability.page.benches import Look
from stability.page.cards import WAITING_HTML
from stability.page.pieces import Element, Picture, Piece, RemedyButton, Slot, button, html
from stability.page.prose import REMEDY_HELP
from stability.records.experiment import MOST_SCHEMES

FREQUENT, OCCASIONAL = 0.25, 1.0  # seconds between draws of the curves, and of all that is slow
# A browser that has just opened the page still loads the parts that draw it, and puts that off for
# as long as new curves come in quickly. So for these seconds they come once a second.
LOADING = 3.0


class Renderer:
    """Draws pieces, and remembers by slot or by key the element of each, to replace it later."""

    def __init__(
        self,
        containers: Mapping[Slot, Any],
        look: Look,
        apply_remedy: Callable[[Remedy, str], None],
        opened_at: float = -LOADING,
    ):
        self.containers, self.look, self.apply_remedy = containers, look, apply_remedy
        self.opened_at = opened_at
        self.scene = look.bench.scene(look)
        self._elements: dict[Hashable, Any] = {}
        self._drawn_at = self._occasional_at = -OCCASIONAL
        self._count_shown = 1
        self._says_waiting = False
        # Each button stands in a container of its own, which can be emptied alone.
        self._remedy_containers = [containers[Slot.REMEDIES].empty() for _ in range(MOST_SCHEMES)]
        self._remedies: tuple[RemedyButton, ...] = ()
        self._buttons_drawn = 0

    def draw(self, until: int, queue_position: int = 0, at_rest: bool = False) -> int:
        """Draw the first `until` measurements, or as many as there are.

        Slow pieces are drawn once a second and at rest. Returns how many measurements are shown.
        """
        stream, bar, now = self.look.stream, self._elements.get(Slot.PROGRESS), time.monotonic()
        count = min(until, len(stream.measurements))
        if not at_rest and now - self.opened_at < LOADING and now - self._drawn_at < OCCASIONAL:
            return self._count_shown
        text = self.look.progress_text(count, queue_position)
        bar = bar or self.containers[Slot.PROGRESS]
        self._elements[Slot.PROGRESS] = bar.progress(max(0, count - 1) / stream.last_index, text)
        if not count:
            if queue_position:
                self._draw_waiting()
            return 1
        self._drawn_at, self._count_shown = now, count
        if at_rest or now - self._occasional_at >= OCCASIONAL:
            self._occasional_at = now
            self._draw_all(count)
        else:
            for slot, piece in self.scene.frequent_pieces(count).items():
                self._draw(slot, piece)
        return count

    def _draw_all(self, count: int) -> None:
        occasional = self.scene.occasional_pieces(count)  # first: the heat map stands in both
        for slot, piece in {**self.scene.frequent_pieces(count), **occasional}.items():
            self._draw(slot, piece)
        for key, piece in self.look.section.pieces(self.look.stream, count).items():
            self._draw(key, piece)
        for piece in self.look.claim.pieces(self.look.stream, count).values():
            self._draw(Slot.CLAIM, piece)

    def _draw_waiting(self) -> None:
        """Say that others train first, and remove the curves of the run before, once."""
        if not self._says_waiting:
            self._says_waiting = True
            self._draw(Slot.CARDS, html(WAITING_HTML))
            for slot in (Slot.LEFT, Slot.RIGHT):
                self._elements[slot] = self.containers[slot].empty()

    def _draw(self, key: Hashable, piece: Piece) -> None:
        if isinstance(piece, tuple):
            self._draw_remedies(piece)
            return
        if key not in self._elements:
            self._elements[key] = self._container(key, piece)
        presenting = self.look.page.view.is_presenter_view
        self._elements[key] = draw_piece(self._elements[key], piece, presenting)

    def _container(self, key: Hashable, piece: Piece) -> Any:
        """Return the container of a new piece: its slot, the section, or its row of pictures."""
        if isinstance(key, Slot):
            return self.containers[key]
        section = self.containers[Slot.SECTION]
        if not (isinstance(piece, Picture) and piece.small):
            return section
        if "small pictures" not in self._elements:
            self._elements["small pictures"] = section.container(horizontal=True)
        return self._elements["small pictures"]

    def _draw_remedies(self, remedies: tuple[RemedyButton, ...]) -> None:
        if remedies == self._remedies:
            return
        self._remedies = remedies
        for index, container in enumerate(self._remedy_containers):
            if index >= len(remedies):
                container.empty()
                continue
            label, remedy, sick = remedies[index]
            self._buttons_drawn += 1  # a widget that is drawn twice in one run needs two keys
            press, key = partial(self.apply_remedy, remedy, sick), f"remedy_{self._buttons_drawn}"
            draw_piece(container, button(label, "healing", press, key, REMEDY_HELP))


def draw_piece(container: Any, piece: Element | Picture, presenting: bool = False) -> Any:
    """Draw one piece and return its element, which the next drawing replaces.

    If only the data of a picture change, the browser keeps it and moves its lines.
    """
    if isinstance(piece, Element):
        return getattr(container, piece.method)(piece.content, **piece.options)
    spec = enlarge(piece.spec) if presenting else piece.spec
    datasets = {name: arrow.to_arrow_bytes(table) for name, table in piece.tables.items()}
    width = "content" if piece.small else "stretch"
    return container.vega_lite_chart(None, spec | {"datasets": datasets}, width=width)
