"""The section "Phase diagram": the picture, and beneath it in words where the schemes stand."""

import math

from stability import charts, frames
from stability.catalogues.mean_field import fixed_point
from stability.catalogues.scheme_needs import critical_sigma_w2_or_none
from stability.i18n import N_, _, ngettext
from stability.page.pieces import Picture, Piece, paragraphs
from stability.records.experiment import Experiment
from stability.records.view import View
from stability.text import capitalize_first, join_sentences, join_words, number
from stability.theory.mean_field_table import (
    PLAIN_ONLY,
    is_plain,
    phase_at_depth,
    reason_without_variance,
)
from stability.theory.phase_diagram import diagram_with_schemes, scheme_variances

PHASE_MEANINGS = {
    "on the edge": N_(
        "on the edge of chaos, χ₁ = {chi_1}: gradients keep their size, and inputs "
        "become alike only slowly"
    ),
    "ordered": N_(
        "in the ordered phase: inputs become alike, and each layer multiplies a squared "
        "gradient by χ₁ = {chi_1}"
    ),
    "chaotic": N_(
        "in the chaotic phase: nearly equal inputs fly apart, to a correlation of {c}, and "
        "each layer multiplies a squared gradient by χ₁ = {chi_1}"
    ),
    "dies out": N_(
        "where the signal dies out, and each layer multiplies a squared gradient by χ₁ = {chi_1}"
    ),
    "explodes": N_(
        "where the signal grows without end, and each layer multiplies a squared gradient "
        "by χ₁ = {chi_1}"
    ),
}
COLOUR_NOTES = {
    "chi_1": N_("Blue: gradients shrink from layer to layer. Orange: they grow."),
    "q": N_("Grey: the signal dies out or grows without end."),
    "c": N_(
        "At 1 all inputs become alike; below 1 the network is chaotic, and forgets which were "
        "neighbours."
    ),
    "reach": N_(
        "In layers: six times the depth scale ξ of correlations, beyond which Schoenholz et "
        "al. 2017 found no network that learned. A scale, not a wall."
    ),
}
LINE_NOTE = N_(
    "The line is the edge of chaos, where χ₁ is 1 and signals settle; a ring if it is one point. "
    "All this is theory of plain networks in the limit of width and depth, before any training."
)


def phase_pieces(e: Experiment, view: View) -> list[Piece]:
    """Return the diagram and its words; nothing of it is measured."""
    quantity = view.phase_quantity
    notes = [COLOUR_NOTES[quantity], LINE_NOTE, "" if is_plain(e) else PLAIN_ONLY]
    return [
        Picture(charts.phase_spec(e, quantity), frames.phase_tables(e, quantity)),
        paragraphs([edge_sentence(e), *scheme_sentences(e)]),
        paragraphs([join_sentences(*map(_, notes))]),
    ]


def edge_sentence(e: Experiment) -> str:
    """Return where this activation has its edge of chaos with these biases, or why nowhere."""
    diagram, sigma_b2 = diagram_with_schemes(e), e.bias_std**2
    network = _("{activation} without biases")
    if sigma_b2:
        network = _("{activation} with biases of variance {sigma_b2}")
    network = network.format(activation=e.phi.label, sigma_b2=number(sigma_b2))
    edge = critical_sigma_w2_or_none(e.phi, e.bias_std)
    line_w, line_b = diagram.critical_line
    if len(line_w) == 1:
        point = _(
            "{activation} has one critical point, σw² = {sigma_w2} without biases: there every q "
            "stays as it is. With biases, signals grow without end there."
        )
        return point.format(activation=e.phi.label, sigma_w2=number(line_w[0]))
    if edge:
        where = _("{network} is on the edge of chaos at σw² = {sigma_w2}.")
        if edge > diagram.most_sigma_w2:
            where = _(
                "{network} is on the edge of chaos at σw² = {sigma_w2}, far outside of this "
                "diagram."
            )
        return where.format(network=network, sigma_w2=number(edge))
    why = _("{network} has no edge of chaos: where χ₁ is 1, signals run to 0 or to infinity.")
    least = _("It has one from about σb² = {sigma_b2} on.")
    least = least.format(sigma_b2=number(line_b.min(), 1)) if len(line_b) else ""
    return join_sentences(why.format(network=network), least)


def scheme_sentences(e: Experiment) -> list[str]:
    """Return a sentence for each point at which schemes of the experiment stand, and what it is."""
    diagram, titles = diagram_with_schemes(e), dict[tuple[float, float] | None, list[str]]()
    for row in e.scheme_rows:
        titles.setdefault(scheme_variances(e, row), []).append(row.title)
    sentences = []
    for variances, names in titles.items():
        if variances is None:
            sentence = _("{schemes}: {sentence}")
            reason = reason_without_variance(e)
            sentences.append(sentence.format(schemes=join_words(names), sentence=reason))
            continue
        sigma_w2, sigma_b2 = variances
        point = fixed_point(e.phi, sigma_w2, sigma_b2)
        chi_1 = float(point.chi_1)
        meaning = PHASE_MEANINGS[phase_at_depth(chi_1, float(point.q))]
        c = "0" if math.isclose(float(point.c), 0, abs_tol=1e-6) else number(float(point.c))
        stands = ngettext(
            "{schemes} stands at σw² = {sigma_w2}, σb² = {sigma_b2}, {meaning}.",
            "{schemes} stand at σw² = {sigma_w2}, σb² = {sigma_b2}, {meaning}.",
            len(names),
        )
        if sigma_w2 > diagram.most_sigma_w2 or sigma_b2 > diagram.most_sigma_b2:
            stands = ngettext(
                "{schemes} stands at σw² = {sigma_w2}, σb² = {sigma_b2} (outside), {meaning}.",
                "{schemes} stand at σw² = {sigma_w2}, σb² = {sigma_b2} (outside), {meaning}.",
                len(names),
            )
        sentence = stands.format(
            schemes=join_words(names),
            sigma_w2=number(sigma_w2),
            sigma_b2=number(sigma_b2),
            meaning=_(meaning).format(chi_1=number(chi_1), c=c),
        )
        sentences.append(sentence)
    return [capitalize_first(sentence) for sentence in sentences]
