"""The pieces that the page draws, and the slots that every bench has for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pandas as pd
import pyarrow as pa

from stability.diagnosis.remedies import Remedy


class Slot(Enum):
    """The containers that the page lays out before anything is drawn."""

    PROGRESS = auto()
    CLAIM = auto()
    CARDS = auto()
    REMEDIES = auto()
    LEFT = auto()
    RIGHT = auto()
    SECTION = auto()
    HISTORY = auto()


@dataclass(frozen=True)
class Html:
    """HTML that is safe to show."""

    text: str


@dataclass(frozen=True)
class Sentences:
    """Plain sentences, a paragraph each."""

    texts: Sequence[str]


@dataclass(frozen=True, eq=False)
class Picture:
    """A Vega-Lite dict and the tables that it names; small ones stand side by side."""

    spec: dict[str, Any]
    tables: Mapping[str, pa.Table]
    small: bool = False


@dataclass(frozen=True, eq=False)
class DataTable:
    """A table, and the headings of its columns."""

    rows: pd.DataFrame
    headings: Mapping[str, Any]


@dataclass(frozen=True)
class Formula:
    """LaTeX, and the name of what it describes."""

    title: str
    latex: str


@dataclass(frozen=True)
class RemedyButton:
    """A remedy for a sick scheme, in words that fit a button."""

    label: str
    remedy: Remedy
    sick_scheme: str


# The remedies that are offered now are a piece, too, in the order of the schemes.
Piece = Html | Sentences | Picture | DataTable | Formula | tuple[RemedyButton, ...]
