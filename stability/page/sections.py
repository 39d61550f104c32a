"""What is looked at closer, beneath the charts of a bench: one row a section, whose pieces a page puts in their places."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from stability import charts, frames
from stability.catalogues.schemes import title
from stability.diagnosis.remedies import Remedy
from stability.engine.runs import Growth, Run
from stability.page import table_headings
from stability.page.cards import (
    BOUNDS,
    EDGE,
    EXPONENTS,
    GAINS,
    HEALING,
    LADDER,
    NUMBERS,
    STRETCH,
    SYMMETRIES,
    THEORY,
    sentences_html,
)
from stability.probes import first_layer_gain as measured_gains
from stability.probes import format_ladder, jacobian, learned_function, saturation, symmetries
from stability.probes.product_singular_values import compared, shortened
from stability.records.view import View
from stability.theory import overflow
from stability.theory.mean_field_table import equation, readouts
from stability.theory.product_law import healed


@dataclass(frozen=True)
class Picture:
    """A Vega-Lite dict and the tables that it names; `small` ones keep their width, and stand side by side."""

    spec: dict
    tables: Mapping[str, pa.Table]
    small: bool = False


@dataclass(frozen=True)
class Grid:
    """A table, and how its columns are headed."""

    rows: pd.DataFrame
    heads: dict[str, dict]


@dataclass(frozen=True)
class Formula:
    """LaTeX, after a word that says of what."""

    of: str
    latex: str


@dataclass(frozen=True)
class Offer:
    """A remedy for a sick scheme, and its words."""

    words: str
    remedy: Remedy
    sick: str


Piece = str | Picture | Grid | Formula | Offer | None  # text is HTML; None: nothing any more
Pieces = Iterator[tuple[str, Piece]]  # each with the name of its place


@dataclass(frozen=True)
class Section:
    """Its pieces, of a stream after `count` measurements; `live`, those that a step may change; settings that it repeats.

    A name of a piece may say after a colon whose it is: "panel:he_normal" is a live one where "panel" is.
    `late` ones take long, say nothing about the stream's course, and wait for its end.
    """

    pieces: Callable[[Any, View, int], Pieces]
    live: tuple[str, ...] = ()
    late: bool = False
    settings: tuple[str, ...] = ()
    deeds: tuple[tuple[str, str], ...] = ()  # buttons, and what each does to the visit


def pre_activations(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if e.depth == 1:
        return (yield "said", sentences_html(["A network of one layer has no hidden unit."]))
    layer = min(view.layer, e.depth - 1)
    yield "said", sentences_html(saturation.sentences(run, count, layer, view.moment))
    tables = frames.pre_activation_tables(run, count, layer, view.moment)
    yield "picture", Picture(charts.pre_activation_spec(e), tables)


def learned_functions(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := learned_function.absent(e):
        return (yield "said", sentences_html([why]))
    yield "said", sentences_html(learned_function.sentences(run, count, view.moment))
    if e.data.classes:
        for scheme in e.schemes:
            tables = frames.region_tables(run, count, scheme, view.moment)
            yield f"panel:{scheme}", Picture(charts.region_spec(e, scheme), tables, small=True)
    else:
        yield "picture", Picture(charts.fit_spec(e), frames.fit_tables(run, count, view.moment))
    yield "note", sentences_html(learned_function.notes(e))


def formats(run: Run, view: View, count: int) -> Pieces:
    found = format_ladder.sentences(run, count, view.moment)
    yield "said", sentences_html([*found, *overflow.foreseen(run.experiment, view.format)])
    yield "picture", Picture(charts.ladder_spec(run.experiment), frames.ladder_tables(run, count, view.moment))
    yield "note", sentences_html([LADDER])


def symmetry_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := symmetries.absent(e):
        return (yield "said", sentences_html([why]))
    layer = min(view.layer, e.depth - 1)
    units = 2 * view.swaps % e.width, (2 * view.swaps + 1) % e.width
    swaps = [symmetries.sentence(e, "swap", scheme, layer, units) for scheme in e.schemes]
    yield "said", sentences_html([*swaps, *filter(None, (symmetries.tie(e, scheme, layer) for scheme in e.schemes))])
    yield "picture", Picture(charts.symmetry_spec(e), frames.symmetry_tables(run, count))
    yield "table", Grid(frames.symmetry_frame(e, layer, units), table_headings.SYMMETRY)
    yield "note", sentences_html([SYMMETRIES])


def gains(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    yield "said", sentences_html(measured_gains.sentences(e))
    yield "picture", Picture(charts.gains_spec(e), frames.gain_tables(e))
    yield "table", Grid(frames.gain_frame(e), table_headings.GAINS)
    yield "note", sentences_html([GAINS])


def singular_values(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := jacobian.absent(e):
        return (yield "said", sentences_html([why]))
    yield "said", sentences_html(jacobian.sentences(e))
    yield "picture", Picture(charts.singular_spec(e), frames.singular_tables(e))
    yield "note", sentences_html([STRETCH, *[EDGE] * any(map(math.isfinite, jacobian.predicted_edge(e)))])


def theory(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    yield "table", Grid(readouts(e), table_headings.NUMBERS)
    yield "note", sentences_html([THEORY])
    for scheme in e.schemes:
        if words := equation(e, scheme):
            yield f"equation_{scheme}", Formula(title(scheme), words)


def by_number(run: Run, view: View, count: int) -> Pieces:
    yield "table", Grid(frames.step_frame(run, count), table_headings.STEPS)
    yield "layers", Grid(frames.layer_frame(run, count, view.moment), table_headings.LAYERS)
    yield "note", sentences_html([NUMBERS])


def by_norm(growth: Growth, view: View, count: int) -> Pieces:
    yield "table", Grid(frames.norm_frame(growth.product, growth.measurements[:count]), table_headings.NORMS)


def healing(growth: Growth, view: View, count: int) -> Pieces:
    yield "said", sentences_html(healed(growth.product))
    yield "picture", Picture(charts.healing_spec(growth.product), frames.healing_tables(growth.product))
    yield "note", sentences_html([HEALING])


def exponents(growth: Growth, view: View, count: int) -> Pieces:
    yield "said", sentences_html([shortened(growth.product)])
    yield "picture", Picture(charts.exponent_spec(growth.product), frames.exponent_tables(growth.product))
    yield "note", sentences_html([EXPONENTS])


def bounds(growth: Growth, view: View, count: int) -> Pieces:
    yield "said", sentences_html(filter(None, [compared(growth.product), shortened(growth.product)]))
    yield "picture", Picture(charts.bound_spec(growth.product), frames.bound_tables(growth.product))
    yield "note", sentences_html([BOUNDS])


CLOSER = {
    "numbers": Section(by_number, live=("table", "layers"), settings=("moment",)),
    "norms": Section(by_norm, live=("table",)),
    "healing": Section(healing),
    "exponents": Section(exponents, late=True),
    "bounds": Section(bounds, late=True),
    "pre_activations": Section(pre_activations, live=("said", "picture"), settings=("layer", "moment")),
    "learned": Section(learned_functions, live=("said", "panel", "picture"), settings=("dataset", "moment")),
    "formats": Section(formats, live=("said", "picture"), settings=("moment", "format")),
    "symmetry": Section(symmetry_pieces, live=("picture",), settings=("layer",), deeds=(("Swap two units", "swap"),)),
    "gains": Section(gains, settings=("features", "width")),
    "singular_values": Section(singular_values),
    "theory": Section(theory),
    "tried": Section(lambda run, view, count: iter(())),  # the page's own: rows that can be clicked
}
