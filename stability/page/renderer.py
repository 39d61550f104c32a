"""Draw the pieces of a bench into containers of the page, again and again while a stream grows.

A container is what Streamlit calls a delta generator; nothing here needs to know more about it.
"""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from html import escape
from itertools import zip_longest
from typing import Any

from stability import page_layout
from stability.charts import enlarge
from stability.i18n import _
from stability.page.benches import Look
from stability.page.cards import waiting_html
from stability.page.drawing_turns import TURNS
from stability.page.pieces import (
    ButtonTable,
    Cards,
    Element,
    Picture,
    Piece,
    RemedyButton,
    Slot,
    button,
    data_table,
    html,
)
from stability.page.prose import CODE_LABEL, STARTING, WAITING
from stability.page.sections import OpenSection
from stability.page.session import Session
from stability.page.take_along import section_downloads
from stability.records.experiment_settings import MOST_SCHEMES

BLANK_CARD = "<div class='card waiting'></div>"
CARD_BUTTONS = 2  # at most, of one card: a remedy, and the search for a cure
FREQUENT, OCCASIONAL = 0.25, 1.0  # seconds between draws of the curves, and of all that is slow
DOWNLOAD_ROW: Mapping[str, Any] = {"horizontal": True, "vertical_alignment": "center"}
CODE_BUTTON: Mapping[str, Any] = {"type": "tertiary", "icon": ":material/code:"}
# A browser that has just opened the page still loads the parts that draw it, and puts that off for
# as long as new curves come in quickly. So for these seconds they come once a second.
LOADING = 3.0
# Seconds after which a run that still trains gets the pieces that are made last: others wait for
# its end, which these would delay.
LASTING = 3.0


class Renderer:
    """Draws pieces, and remembers by slot or by key the element of each, to replace it later."""

    def __init__(
        self,
        containers: Mapping[Slot, Any],
        look: Look,
        session: Session,
        button_column: Callable[[str, Callable[[int], None]], Any],
    ):
        self.containers, self.look, self.session = containers, look, session
        self.button_column = button_column
        self.scene = look.bench.scene(look)
        self._elements: dict[Hashable, Any] = {}
        self._words: dict[Hashable, Element] = {}  # text that stands there, and is not sent again
        self._drawn_at = self._occasional_at = -OCCASIONAL
        self._first_drawn_at = math.inf
        self._count = 0  # of measurements at the last draw, and at the last of all that is slow
        self._occasional_count = 0
        self._amounts: Sequence[int] = ()  # as the counts
        self._occasional_amounts: Sequence[int] = ()
        self._says_waiting = self._has_downloads = False
        # Each button stands in a container of its own, which can be emptied alone.
        self._card_buttons: dict[int, list[Any]] = {}
        self._code_places: dict[int, Any] = {}  # of the button that opens a card's code
        self._card_code: dict[int, tuple[str, Any]] = {}  # Markdown and its place
        self._remedies: tuple[RemedyButton, ...] = ()
        self._buttons_drawn = 0  # a widget that is drawn twice in one run needs two keys
        if not (session.shows_run or look.stream.measurements):
            self._say(*STARTING)
        if not look.stream.measurements:
            self._draw_each(look.bench.blank(look.page.record))
        session.shows_run = True

    def draw(self, count: int, queue_position: int = 0, at_rest: bool = False) -> None:
        """Draw what follows from the first `count` measurements.

        Slow pieces are drawn once a second and at rest.
        """
        now = time.monotonic()
        if (
            not at_rest
            and now - self.session.opened_at < LOADING
            and now - self._drawn_at < OCCASIONAL
        ):
            return
        if not at_rest:
            count = self.look.count_to_draw(count, self._count)
        self._count = count
        remark = self.look.remark(queue_position)
        self._draw(Slot.PROGRESS, html(self.look.bench.progress(self.look, count, remark)))
        if not count:
            if queue_position:
                self._draw_waiting()
            return
        self._drawn_at = now
        before, self._amounts = self._amounts, self.look.amounts(count)
        is_due = now - self._occasional_at >= OCCASIONAL
        if at_rest or (is_due and self._occasional_amounts != self._amounts):
            self._first_drawn_at = min(self._first_drawn_at, now)
            self._occasional_at = now
            self._occasional_amounts, self._occasional_count = self._amounts, count
            self._draw_all(count)
            if at_rest or now - self._first_drawn_at >= LASTING:
                with TURNS.paused():  # another process may find them
                    last = self._shared("last_pieces", count)
                self._draw_each(last)
        elif before != self._amounts:
            self._draw_each(self._shared("frequent_pieces", count, self._occasional_count))

    def _shared(self, name: str, *arguments: Any) -> Any:
        """Return what this method of the scene makes, once for all who look at the same."""
        key = name, arguments, *self._amounts
        return self.look.shared_pieces(key, partial(getattr(self.scene, name), *arguments))

    def _draw_all(self, count: int) -> None:
        frequent = self._shared("frequent_pieces", count, count)
        self._draw_each({**frequent, **self._shared("occasional_pieces", count)})
        self._draw_each(self.look.section.pieces(self.look.stream, count))
        self._draw_downloads()
        for piece in self.look.claim.pieces(self.look.stream, count).values():
            self._draw(Slot.CLAIM, piece)
        for index, figure in enumerate(self.look.figures):
            pieces: Mapping[Any, Piece]
            if isinstance(figure, OpenSection):
                pieces = figure.pieces(self.look.stream, count)
            else:
                pieces = {"panels": self._shared("figure", figure, count)}
            pictures_first = sorted(pieces, key=lambda key: not isinstance(pieces[key], Picture))
            self._draw_each({(Slot.FIGURE, index, key): pieces[key] for key in pictures_first})

    def _draw_downloads(self) -> None:
        """Draw the download buttons of the section, once."""
        look, section, address = self.look, self.look.section, self.session.address
        if self._has_downloads or not section.is_complete:
            return
        self._has_downloads = True
        rows = [
            *section_downloads(section.pictures, look.page, address),
            *section.section.downloads(look.stream, look.page, look.pinned, address),
        ]
        for words, buttons in rows:
            row = self.containers[Slot.SECTION].container(**DOWNLOAD_ROW)
            draw_piece(row, Element("html", escape(words), {"width": "content"}))
            for one in buttons:
                draw_piece(row, one)

    def _draw_each(self, pieces: Mapping[Any, Piece]) -> None:
        for key, piece in pieces.items():
            self._draw(key, piece)

    def _draw_waiting(self) -> None:
        """Say that others train first, and remove the curves of the run before, once."""
        if not self._says_waiting:
            self._says_waiting = True
            self._say(*WAITING)
            for slot in (Slot.LEFT, Slot.RIGHT):
                self._elements[slot] = self.containers[slot].empty()
                self._words.pop(slot, None)

    def _say(self, title: str, sentence: str) -> None:
        """Say something in the place of the cards, or of what a bench without cards has there."""
        text = waiting_html(_(title), _(sentence))
        if self.look.page.view.bench_link.trains:
            blank = [BLANK_CARD] * (len(self.containers[Slot.CARDS]) - 1)
            self._draw(Slot.CARDS, Cards((text, *blank)))
        else:
            self._draw(Slot.CARDS, html(text))

    def _draw(self, key: Hashable, piece: Piece) -> None:
        if isinstance(piece, tuple):
            self._draw_remedies(piece)
            return
        if isinstance(piece, Cards):
            self._draw_cards(piece)
            return
        if isinstance(piece, ButtonTable):
            piece = self._with_buttons(piece)
        if isinstance(piece, Element) and isinstance(piece.content, str):
            if self._words.get(key) == piece:
                return
            self._words[key] = piece
        if key not in self._elements:
            self._elements[key] = self._container(key, piece)
        presenting = self.look.page.view.is_presenter_view
        self._elements[key] = draw_piece(self._elements[key], piece, presenting)

    def _container(self, key: Hashable, piece: Piece) -> Any:
        """Return the container of a new piece: its slot, the section, or its row of pictures."""
        if isinstance(key, Slot):
            return self.containers[key]
        in_figure = isinstance(key, tuple) and key[0] is Slot.FIGURE
        slot = Slot.FIGURE if in_figure else Slot.SECTION
        if not (isinstance(piece, Picture) and piece.small):
            return self.containers[slot]
        row = slot, "small pictures"
        if row not in self._elements:
            self._elements[row] = self.containers[slot].container(horizontal=True)
        return self._elements[row]

    def _draw_cards(self, piece: Cards) -> None:
        """Draw the cards, each in its container, and make places for their buttons once."""
        # Not strict: the chips may have changed since the containers were made.
        cards = zip(self.containers[Slot.CARDS], piece.htmls, strict=False)
        for index, (card, text) in enumerate(cards):
            key = "card", index
            if key in self._elements:
                self._draw(key, html(text))
                continue
            self._elements[key] = draw_piece(card, html(text))
            if not self.look.page.view.is_presenter_view:  # which has no code
                self._code_places[index] = card.container(key=page_layout.card_code_key(index))
            row = card.container(horizontal=True, gap="xsmall")
            self._card_buttons[index] = [row.empty() for _ in range(CARD_BUTTONS)]
        for index, text in enumerate(piece.code):
            if index not in self._card_code:  # until then the card says that training begins
                button = self._code_places[index].popover(
                    _(CODE_LABEL), help=_(CODE_LABEL), **CODE_BUTTON
                )
                self._card_code[index] = text, button.empty()
                self._draw_code(index)

    def _draw_code(self, index: int) -> None:
        """Draw the code of a card: that of its scheme, and that of what is offered on the card."""
        text, place = self._card_code[index]
        offered = [one.code for one in self._remedies if one.card == index and one.code]
        place.markdown("\n\n".join([text, *offered]))

    def _draw_remedies(self, remedies: tuple[RemedyButton, ...]) -> None:
        if remedies == self._remedies:
            return
        self._remedies = remedies
        for card in self._card_code:
            self._draw_code(card)
        for card, places in self._card_buttons.items():
            offered = [remedy for remedy in remedies if remedy.card == card]
            for place, remedy in zip_longest(places, offered):
                if not remedy:
                    place.empty()
                    continue
                _, label, icon, help, press, arguments, _ = remedy
                action = partial(press, self.session, *arguments)
                key = self._widget_key(press.__name__)
                draw_piece(place, button(label, icon, action, key, help))

    def _with_buttons(self, table: ButtonTable) -> Element:
        """Return the table as an element with a column of buttons."""

        def press(row: int) -> None:
            table.actions[row](self.session)

        heading = self.button_column(self._widget_key(table.button), press)
        return data_table(table.rows, {**table.headings, table.button: heading})

    def _widget_key(self, name: str) -> str:
        self._buttons_drawn += 1
        return f"{name}_{self._buttons_drawn}"


def held_container(parent: Any, key: str) -> Any:
    """Return a container that keeps its room while it is empty: an unseen child holds it."""
    container = parent.container(key=key)
    container.html("<i></i>")
    return container


def held_cards(parent: Any, session: Session) -> list[Any]:
    """Return the containers of the cards of all schemes, which keep their room while empty.

    The places of the others are emptied at once, or cards of the run before would stand there.
    """
    chosen = session.chosen_schemes
    count = len({*chosen, *session.page.experiment.schemes}) if chosen else 0
    cards = parent.container(horizontal=True, key=page_layout.VERDICTS)
    containers = [held_container(cards, page_layout.card_key(index)) for index in range(count)]
    for _index in range(count, MOST_SCHEMES):
        cards.empty()
    return containers


def draw_piece(container: Any, piece: Element | Picture, presenting: bool = False) -> Any:
    """Draw one piece and return its element, which the next drawing replaces.

    If only the data of a picture change, the browser keeps it and moves its lines.
    """
    if isinstance(piece, Element):
        return getattr(container, piece.method)(piece.content, **piece.options)
    spec = enlarge(piece.spec) if presenting else piece.spec
    width = "content" if piece.small else "stretch"
    return container.vega_lite_chart(None, spec | {"datasets": piece.datasets}, width=width)
