"""The pieces that the page draws, and the slots that every bench has for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from stability.frames import arrow
from stability.i18n import _, language, speaking
from stability.page.safe_text import escape_markdown, sentences_html
from stability.page.session import Session
from stability.page.table_headings import headings_in_language, spell_numbers
from stability.text import behind_label


class Slot(Enum):
    """The containers that the page lays out before anything is drawn."""

    PROGRESS = auto()
    NETWORK = auto()
    CLAIM = auto()
    FIGURE = auto()
    CARDS = auto()
    REMEDIES = auto()
    LEFT = auto()
    RIGHT = auto()
    SECTION = auto()
    HISTORY = auto()


@dataclass(frozen=True)
class Element:
    """A piece that one method of a container draws, by its name, from this content."""

    method: str
    content: Any
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Picture:
    """A Vega-Lite spec and the tables that it names; small pictures stand side by side."""

    spec: dict[str, Any]
    tables: Mapping[str, pa.Table]
    small: bool = False

    @cached_property
    def datasets(self) -> dict[str, bytes]:
        """The tables as they are sent: made once for all who are shown this picture."""
        return {name: arrow.to_arrow_bytes(table) for name, table in self.tables.items()}


@dataclass(frozen=True, eq=False)
class ButtonTable:
    """A table with a button in each row of the column `button`, which changes the session."""

    rows: pd.DataFrame
    headings: Mapping[str, Any]
    actions: Sequence[Callable[[Session], None]]  # of the rows
    button: str


def html(text: str) -> Element:
    """Return HTML that is safe to show."""
    return Element("html", text)


def paragraphs(sentences: Iterable[str]) -> Element:
    """Return plain sentences, a paragraph each; constants speak the reader's language here."""
    return html(sentences_html(map(_, sentences)))


def formula(title: str, latex: str) -> Element:
    """Return LaTeX behind the name of what it describes."""
    return Element("markdown", behind_label(escape_markdown(title), f"${latex}$"))


def data_table(rows: pd.DataFrame, headings: Mapping[str, Any], **options: Any) -> Element:
    """Return a table with the headings of its columns; `options` are more of Streamlit's."""
    options |= {
        "placeholder": "–",
        "hide_index": True,
        "column_config": headings_in_language(headings),
        "width": "stretch",
    }
    return Element("dataframe", spell_numbers(rows, headings), options)


def button(
    label: str,
    icon: str,
    press: Callable[..., None],
    key: str,
    help: str | None = None,
    **options: Any,
) -> Element:
    """Return a button with one of Streamlit's icons; `options` are more of its arguments.

    Its label and help are translated, if they are constants.
    """
    image = f":material/{icon}:" if icon else None
    # Streamlit calls it at the begin of the next run, before the script has set the language.
    press = speaking(language.get())(press)
    options |= {"icon": image, "on_click": press, "key": key, "help": help and _(help)}
    return Element("button", _(label), options)


@dataclass(frozen=True)
class Cards:
    """The cards of the schemes side by side, each as HTML, the first of them with code.

    `code` is Markdown, which a button on the card opens.
    """

    htmls: tuple[str, ...]
    code: tuple[str, ...] = ()


class RemedyButton(NamedTuple):
    """A button on the card at this place: a method of the session with its arguments.

    `code` is Markdown of what it does in PyTorch.
    """

    card: int
    label: str
    icon: str
    help: str
    press: Callable[..., None]
    arguments: tuple[Any, ...]
    code: str = ""


# The buttons that are offered now are a piece, too.
Piece = Element | Picture | ButtonTable | Cards | tuple[RemedyButton, ...]
