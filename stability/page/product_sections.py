"""The sections of "Look closer" on the Products bench, a row each."""

from stability import charts, frames
from stability.engine.runs import ProductRun
from stability.page import table_headings
from stability.page.pieces import Picture, Piece, data_table, paragraphs
from stability.page.probe_sentences import bounds_sentence
from stability.page.product_sentences import hundred_factors_sentences
from stability.page.prose import BOUNDS_NOTE, EXPONENTS_NOTE, HEALING_NOTE, TAKE_NOTE
from stability.page.sections import Section
from stability.page.take_along import product_downloads
from stability.probes.costs import bound_probe, exponent_probe
from stability.probes.product_singular_values import why_shortened
from stability.records.product import Product
from stability.records.view import View


def healing_pieces(p: Product, view: View) -> list[Piece]:
    return [
        paragraphs(hundred_factors_sentences(p)),
        Picture(charts.healing_spec(p), frames.healing_tables(p)),
        paragraphs([HEALING_NOTE]),
    ]


def exponent_pieces(p: Product, view: View) -> list[Piece]:
    return [
        paragraphs([why_shortened(p)]),
        Picture(charts.exponent_spec(p), frames.exponent_tables(p)),
        paragraphs([EXPONENTS_NOTE]),
    ]


def bound_pieces(p: Product, view: View) -> list[Piece]:
    return [
        paragraphs([*filter(None, [bounds_sentence(p), why_shortened(p)])]),
        Picture(charts.bound_spec(p), frames.bound_tables(p)),
        paragraphs([BOUNDS_NOTE]),
    ]


def norm_pieces(run: ProductRun, view: View, count: int) -> list[Piece]:
    rows = frames.norm_frame(run.product, run.measurements[:count])
    return [data_table(rows, table_headings.NORM_HEADINGS)]


PRODUCT_SECTIONS = {
    "healing": Section(static=healing_pieces),
    "exponents": Section(
        static=exponent_pieces,
        probes=lambda p, view: [exponent_probe(p)] if p.sigma else [],
        waits_for_end=True,
    ),
    "bounds": Section(
        static=bound_pieces,
        probes=lambda p, view: [bound_probe(p)] if p.sigma else [],
        waits_for_end=True,
    ),
    "norms": Section(live=norm_pieces),
    "take": Section(static=lambda p, view: [paragraphs([TAKE_NOTE])], downloads=product_downloads),
}
