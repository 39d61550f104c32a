"""Puts the pieces of a scene in their places on a page, again and again."""

import time
from dataclasses import dataclass
from typing import Any

from stability.charts import enlarge
from stability.frames import arrow
from stability.page.benches import Scene
from stability.page.cards import REMEDY_HELP, escape_markdown, waiting_html
from stability.page.sections import Formula, DataTable, RemedyButton, Picture, Piece
from stability.page.session import Session

DRAW, REDRAW_SLOW = 0.25, 1.0  # seconds between draws of the training curves, and of profiles and heat map


@dataclass
class Renderer:
    """A scene, and the places of its pieces: what Streamlit calls delta generators."""

    visit: Session
    scene: Scene
    containers: dict[str, Any]
    drawn_slow: float = -REDRAW_SLOW
    offers: int = 0
    waits: bool = False

    def draw(self, count: int, place: int = 0, still: bool = False) -> None:
        """The first `count` measurements; profiles and heat map only once a second, and where the view stands still."""
        words = ("paused at " if self.visit.paused and not place else "") + self.scene.progress(count, place)
        self.containers["progress"] = self.containers["progress"].progress(max(0, count - 1) / self.scene.run.last_index, text=words)
        if not count:
            return self.wait(place)
        self.visit.position = count
        if slow := still or time.monotonic() - self.drawn_slow >= REDRAW_SLOW:
            self.drawn_slow = time.monotonic()
        for name, piece in self.scene.pieces(count, slow):
            self.containers[name] = self.draw_piece(self.containers[name] if name in self.containers else self.home(piece), piece)

    def home(self, piece: Piece) -> Any:
        """Where a piece goes that has no place yet: beneath what is looked at closer; small ones into one row, that wraps."""
        if not (isinstance(piece, Picture) and piece.small):
            return self.containers["closer"]
        if "panels" not in self.containers:
            self.containers["panels"] = self.containers["closer"].container(horizontal=True)
        return self.containers["panels"]

    def wait(self, place: int) -> None:
        """Says that others come first, where the curves of a former run would seem to be those of this one."""
        if place and not self.waits:
            self.waits = True
            self.containers["cards"] = self.draw_piece(self.containers["cards"], waiting_html())
            for name in ("left", "right"):
                self.containers[name] = self.draw_piece(self.containers[name], None)

    def draw_piece(self, place: Any, piece: Piece) -> Any:
        """One piece in its place. Of the same spec with new data the browser keeps its picture, and moves the lines."""
        match piece:
            case Picture(spec, tables, small):
                spec = enlarge(spec) if self.visit.page.view.is_presenter_view else spec
                datasets = {name: arrow.to_arrow_bytes(table) for name, table in tables.items()}
                return place.vega_lite_chart(None, spec | {"datasets": datasets}, width="content" if small else "stretch")
            case DataTable(rows, heads):
                return place.dataframe(rows, hide_index=True, column_config=heads, width="stretch")
            case Formula(of, latex):
                return place.markdown(f"{escape_markdown(of)}: ${latex}$")
            case RemedyButton(words, remedy, sick):
                self.offers += 1  # a widget that is drawn twice in one run needs two keys
                deed = {"on_click": self.visit.apply_remedy, "args": (remedy, sick), "help": REMEDY_HELP}
                place.button(words, icon=":material/healing:", key=f"cure_{self.offers}", **deed)
                return place
            case None:
                return place.empty()
        return place.html(piece)
