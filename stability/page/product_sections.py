"""The sections of "Look closer" on the Products bench, a row each."""

from stability import charts, frames
from stability.engine.registry import Probe
from stability.engine.runs import ProductRun
from stability.page import table_headings
from stability.page.pieces import DataTable, Picture, Piece, Sentences
from stability.page.probe_sentences import bounds_sentence
from stability.page.product_sentences import hundred_factors_sentences
from stability.page.prose import BOUNDS_NOTE, EXPONENTS_NOTE, HEALING_NOTE
from stability.page.sections import Section
from stability.probes.costs import factorization_cost
from stability.probes.product_singular_values import (
    measured_exponents,
    singular_bounds,
    why_shortened,
)
from stability.records.product import Product
from stability.records.view import View


def healing_pieces(p: Product, view: View) -> list[Piece]:
    return [
        Sentences(hundred_factors_sentences(p)),
        Picture(charts.healing_spec(p), frames.healing_tables(p)),
        Sentences([HEALING_NOTE]),
    ]


def exponent_pieces(p: Product, view: View) -> list[Piece]:
    return [
        Sentences([why_shortened(p)]),
        Picture(charts.exponent_spec(p), frames.exponent_tables(p)),
        Sentences([EXPONENTS_NOTE]),
    ]


def exponent_probes(p: Product, view: View) -> list[Probe]:
    return [Probe(measured_exponents, (p,), factorization_cost(p))] if p.sigma else []


def bound_pieces(p: Product, view: View) -> list[Piece]:
    return [
        Sentences([*filter(None, [bounds_sentence(p), why_shortened(p)])]),
        Picture(charts.bound_spec(p), frames.bound_tables(p)),
        Sentences([BOUNDS_NOTE]),
    ]


def bound_probes(p: Product, view: View) -> list[Probe]:
    return [Probe(singular_bounds, (p,), factorization_cost(p, a_factor=3))]


def norm_pieces(run: ProductRun, view: View, count: int) -> list[Piece]:
    rows = frames.norm_frame(run.product, run.measurements[:count])
    return [DataTable(rows, table_headings.NORM_HEADINGS)]


PRODUCT_SECTIONS = {
    "healing": Section(static=healing_pieces),
    "exponents": Section(static=exponent_pieces, probes=exponent_probes, waits_for_end=True),
    "bounds": Section(static=bound_pieces, probes=bound_probes, waits_for_end=True),
    "norms": Section(live=norm_pieces),
}
