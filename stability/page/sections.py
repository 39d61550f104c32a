"""What is looked at closer, beneath the charts of a bench: one row a section, whose pieces a page puts in their places."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from stability import charts, frames
from stability.catalogues.schemes import scheme_title
from stability.diagnosis.remedies import Remedy
from stability.engine.runs import ProductRun, Run
from stability.page import table_headings
from stability.page.cards import (
    BOUNDS_NOTE,
    EDGE_NOTE,
    EXPONENTS_NOTE,
    GAINS_NOTE,
    HEALING_NOTE,
    FORMATS_NOTE,
    NUMBERS_NOTE,
    STRETCH_NOTE,
    SYMMETRIES_NOTE,
    THEORY_NOTE,
    sentences_html,
)
from stability.probes import first_layer_gain as measured_gains
from stability.probes import format_ladder, jacobian, learned_function, saturation, symmetries
from stability.probes.product_singular_values import bounds_sentence, why_shortened
from stability.records.view import View
from stability.theory import overflow
from stability.theory.mean_field_table import variance_equation, mean_field_frame
from stability.page.product_sentences import hundred_factors_sentences


@dataclass(frozen=True)
class Picture:
    """A Vega-Lite dict and the tables that it names; `small` ones keep their width, and stand side by side."""

    spec: dict
    tables: Mapping[str, pa.Table]
    small: bool = False


@dataclass(frozen=True)
class DataTable:
    """A table, and how its columns are headed."""

    rows: pd.DataFrame
    headings: dict[str, dict]


@dataclass(frozen=True)
class Formula:
    """LaTeX, after a word that says of what."""

    title: str
    latex: str


@dataclass(frozen=True)
class RemedyButton:
    """A remedy for a sick scheme, and its words."""

    words: str
    remedy: Remedy
    sick: str


Piece = str | Picture | DataTable | Formula | RemedyButton | None  # text is HTML; None: nothing any more
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
    actions: tuple[tuple[str, str], ...] = ()  # buttons, and what each does to the visit


def pre_activation_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if e.depth == 1:
        return (yield "said", sentences_html(["A network of one layer has no hidden unit."]))
    layer = min(view.layer, e.depth - 1)
    yield "said", sentences_html(saturation.saturation_sentences(run, count, layer, view.moment))
    tables = frames.pre_activation_tables(run, count, layer, view.moment)
    yield "picture", Picture(charts.pre_activation_spec(e), tables)


def learned_function_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := learned_function.why_not_drawn(e):
        return (yield "said", sentences_html([why]))
    yield "said", sentences_html(learned_function.learned_function_sentences(run, count, view.moment))
    if e.dataset_row.classes:
        for scheme in e.schemes:
            tables = frames.region_tables(run, count, scheme, view.moment)
            yield f"panel:{scheme}", Picture(charts.region_spec(e, scheme), tables, small=True)
    else:
        yield "picture", Picture(charts.fit_spec(e), frames.fit_tables(run, count, view.moment))
    yield "note", sentences_html(learned_function.learned_function_notes(e))


def format_pieces(run: Run, view: View, count: int) -> Pieces:
    found = format_ladder.format_sentences(run, count, view.moment)
    yield "said", sentences_html([*found, *overflow.format_exit_sentences(run.experiment, view.format)])
    yield "picture", Picture(charts.ladder_spec(run.experiment), frames.ladder_tables(run, count, view.moment))
    yield "note", sentences_html([FORMATS_NOTE])


def symmetry_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := symmetries.why_no_symmetries(e):
        return (yield "said", sentences_html([why]))
    layer = min(view.layer, e.depth - 1)
    units = 2 * view.swaps % e.width, (2 * view.swaps + 1) % e.width
    swaps = [symmetries.symmetry_sentence(e, "swap", scheme, layer, units) for scheme in e.schemes]
    yield "said", sentences_html([*swaps, *filter(None, (symmetries.tie_sentence(e, scheme, layer) for scheme in e.schemes))])
    yield "picture", Picture(charts.symmetry_spec(e), frames.symmetry_tables(run, count))
    yield "table", DataTable(frames.symmetry_frame(e, layer, units), table_headings.SYMMETRY_HEADINGS)
    yield "note", sentences_html([SYMMETRIES_NOTE])


def gain_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    yield "said", sentences_html(measured_gains.first_layer_sentences(e))
    yield "picture", Picture(charts.gains_spec(e), frames.gain_tables(e))
    yield "table", DataTable(frames.gain_frame(e), table_headings.GAIN_HEADINGS)
    yield "note", sentences_html([GAINS_NOTE])


def singular_value_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    if why := jacobian.why_no_singular_values(e):
        return (yield "said", sentences_html([why]))
    yield "said", sentences_html(jacobian.singular_value_sentences(e))
    yield "picture", Picture(charts.singular_spec(e), frames.singular_tables(e))
    yield "note", sentences_html([STRETCH_NOTE, *[EDGE_NOTE] * any(map(math.isfinite, jacobian.predicted_edge(e)))])


def theory_pieces(run: Run, view: View, count: int) -> Pieces:
    e = run.experiment
    yield "table", DataTable(mean_field_frame(e), table_headings.THEORY_HEADINGS)
    yield "note", sentences_html([THEORY_NOTE])
    for scheme in e.schemes:
        if words := variance_equation(e, scheme):
            yield f"equation_{scheme}", Formula(scheme_title(scheme), words)


def number_pieces(run: Run, view: View, count: int) -> Pieces:
    yield "table", DataTable(frames.step_frame(run, count), table_headings.STEP_HEADINGS)
    yield "layers", DataTable(frames.layer_frame(run, count, view.moment), table_headings.LAYER_HEADINGS)
    yield "note", sentences_html([NUMBERS_NOTE])


def norm_pieces(growth: ProductRun, view: View, count: int) -> Pieces:
    yield "table", DataTable(frames.norm_frame(growth.product, growth.measurements[:count]), table_headings.NORM_HEADINGS)


def healing_pieces(growth: ProductRun, view: View, count: int) -> Pieces:
    yield "said", sentences_html(hundred_factors_sentences(growth.product))
    yield "picture", Picture(charts.healing_spec(growth.product), frames.healing_tables(growth.product))
    yield "note", sentences_html([HEALING_NOTE])


def exponent_pieces(growth: ProductRun, view: View, count: int) -> Pieces:
    yield "said", sentences_html([why_shortened(growth.product)])
    yield "picture", Picture(charts.exponent_spec(growth.product), frames.exponent_tables(growth.product))
    yield "note", sentences_html([EXPONENTS_NOTE])


def bound_pieces(growth: ProductRun, view: View, count: int) -> Pieces:
    yield "said", sentences_html(filter(None, [bounds_sentence(growth.product), why_shortened(growth.product)]))
    yield "picture", Picture(charts.bound_spec(growth.product), frames.bound_tables(growth.product))
    yield "note", sentences_html([BOUNDS_NOTE])


SECTIONS = {
    "numbers": Section(number_pieces, live=("table", "layers"), settings=("moment",)),
    "norms": Section(norm_pieces, live=("table",)),
    "healing": Section(healing_pieces),
    "exponents": Section(exponent_pieces, late=True),
    "bounds": Section(bound_pieces, late=True),
    "pre_activations": Section(pre_activation_pieces, live=("said", "picture"), settings=("layer", "moment")),
    "learned": Section(learned_function_pieces, live=("said", "panel", "picture"), settings=("dataset", "moment")),
    "formats": Section(format_pieces, live=("said", "picture"), settings=("moment", "format")),
    "symmetry": Section(symmetry_pieces, live=("picture",), settings=("layer",), actions=(("Swap two units", "swap"),)),
    "gains": Section(gain_pieces, settings=("features", "width")),
    "singular_values": Section(singular_value_pieces),
    "theory": Section(theory_pieces),
    "tried": Section(lambda run, view, count: iter(())),  # the page's own: rows that can be clicked
}
