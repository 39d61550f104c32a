"""The sentences of "Look closer": the finding of each probe, for each scheme."""

from collections.abc import Mapping

import numpy as np

from stability.catalogues.activations import Activation
from stability.catalogues.scheme_entry import Scheme
from stability.engine.quantities import HISTOGRAM_REACH
from stability.engine.replicates import median_of_finite, worst_replicate
from stability.engine.rounding_shares import FORMATS_BY_RANGE
from stability.engine.runs import Run
from stability.i18n import N_, _
from stability.probes import symmetries
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.format_ladder import STATES_OUTSIDE, build_format_ladder
from stability.probes.jacobian import largest_and_median, rounding_share
from stability.probes.product_singular_values import singular_bounds
from stability.probes.saturation import Saturation, saturation_by_scheme
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.text import (
    join_sentences,
    layer_range,
    number,
    number_of_log10,
    percent,
    share_in_words,
)

# Differences below this share of the largest entry, or this number, are rounding.
ROUNDING_SHARE, NEGLIGIBLE = 1e-9, 1e-12
# By the state of the numbers of some layers.
ACTIVATION_LOSSES = {
    "infinite": N_("activations of {layers} overflow"),
    "all 0": N_("activations of {layers} become 0"),
    "some 0": N_("activations of {layers} become 0 in part"),
    "0 already": N_("activations of {layers} are 0 already"),
}
GRADIENT_LOSSES = {
    "infinite": N_("gradients of {layers} overflow"),
    "all 0": N_("gradients of {layers} become 0"),
    "some 0": N_("gradients of {layers} become 0 in part"),
    "0 already": N_("gradients of {layers} are 0 already"),
}


# Pre-activations


def saturation_sentences(run: Run, count: int, layer: int, step: int) -> list[str]:
    """He (normal): 51 % of layer 3's pre-activations lie where ReLU is flat, 50 % by design; ..."""
    e, found = run.experiment, saturation_by_scheme(run, count, layer, step)
    rows = zip(e.scheme_rows, found, strict=True)
    return [of_scheme(row, describe_saturation(seen, e.phi)) for row, seen in rows]


def of_scheme(row: Scheme, sentence: str) -> str:
    """Return a sentence behind the name of the scheme that it is about."""
    return _("{scheme}: {sentence}").format(scheme=row.title, sentence=sentence)


def describe_saturation(found: Saturation, activation: Activation) -> str:
    if not np.isfinite(found.saturated_share + found.below):
        sentence = _("layer {layer}'s pre-activations are no longer numbers at step {step}.")
        return sentence.format(layer=found.layer, step=found.snapshot_step)
    by_design = percent(found.share_by_design)
    flat = _("{share} of layer {layer}'s pre-activations lie where {activation} is flat")
    if by_design == percent(found.saturated_share):
        if found.share_by_design:
            flat = _(
                "{share} of layer {layer}'s pre-activations lie where {activation} is flat, as "
                "many as by design"
            )
    elif round(found.share_by_design, 2):
        flat = _(
            "{share} of layer {layer}'s pre-activations lie where {activation} is flat, "
            "{by_design} by design"
        )
    clauses = [
        flat.format(
            share=share_in_words(found.saturated_share),
            layer=found.layer,
            activation=activation.label,
            by_design=by_design,
        )
    ]
    if not activation.corners:  # or the slope of a unit that is off depends on the bin of 0
        slope = _("its slope is {mean} on average, at most {most}")
        mean, most = number(found.mean_slope, 2), number(activation.max_slope, 2)
        clauses.append(slope.format(mean=mean, most=most))
    if beyond := found.below + found.above:
        beyond_reach = _("{share} lie beyond ±{reach}")
        share = share_in_words(beyond)
        clauses.append(beyond_reach.format(share=share, reach=HISTOGRAM_REACH))
    return _("{clause}.").format(clause=_("; ").join(clauses))


# Number formats


def format_sentences(run: Run, count: int, step: int) -> list[str]:
    """He (normal): in float8 E5M2 gradients of layers 1 to 2 become 0; bfloat16 holds them."""
    states = build_format_ladder(run, count, step).state
    rows = zip(run.experiment.scheme_rows, states, strict=True)
    return [of_scheme(row, describe_formats(state)) for row, state in rows]


def describe_formats(state: np.ndarray) -> str:
    """Return the widest format that cannot hold the numbers, and the next wider one, which can.

    `state` `(L, 2, FORMATS)` are the states of one scheme.
    """
    left = np.isin(state, STATES_OUTSIDE).any(axis=(0, 1))
    if not left.any():
        sentence = _("every number fits {format}, the narrowest of these formats.")
        if (state == "0 already").any():
            sentence = _(
                "every number that is not 0 already fits {format}, the narrowest of these formats."
            )
        return sentence.format(format=FORMATS_BY_RANGE[-1].label)
    index = int(np.argmax(left))  # ranges are nested: all wider formats hold what this one does not
    losses = describe_losses(ACTIVATION_LOSSES, state[:, 0, index])
    losses += describe_losses(GRADIENT_LOSSES, state[:, 1, index])
    sentence = _("in {format} {losses}.")
    if index and not np.isin(state[..., index - 1], ["not known", "0 already"]).any():
        sentence = _("in {format} {losses}; {wider} holds them.")
    wider = FORMATS_BY_RANGE[index - 1].label
    label = FORMATS_BY_RANGE[index].label
    return sentence.format(format=label, losses=_(", ").join(losses), wider=wider)


def describe_losses(losses_by_state: Mapping[str, str], state: np.ndarray) -> list[str]:
    """Return how these numbers are lost, and in which layers, from their `state` `(L,)`."""
    losses = []
    for name, words in losses_by_state.items():
        layers = np.flatnonzero(state == name) + 1
        if len(layers):
            losses.append(_(words).format(layers=layer_range(layers.tolist())))
    return losses


# Symmetries


def symmetry_sentence(
    e: Experiment, key: str, scheme: str, layer: int = 1, units: tuple[int, int] = (0, 1)
) -> str:
    """Return by how much a symmetry moves the output of a scheme, in its worst replicate.

    Units count from 1 in the sentence, as layers do.
    """
    if why := symmetries.why_no_symmetries(e):
        return why
    change, index = symmetries.symmetry_changes(e, layer, units)[key], e.schemes.index(scheme)
    where = _("layer {layer}").format(layer=layer)
    if e.residual and e.depth > 2:
        where = _("all hidden layers")
    one, other = units[0] + 1, units[1] + 1
    done = symmetries.SYMMETRIES[key].description.format(one=one, other=other, layer=where)
    moved, size = (worst_replicate(values)[index] for values in (change.moved, change.size))
    sentence = _("{done}: the output of {scheme} moves by at most {moved}, of {size}.")
    if not moved:
        sentence = _("{done}: the output of {scheme} does not move at all.")
    if not np.isfinite(moved):
        sentence = _("{done}: the output of {scheme} is not finite.")
    moved, size, title = number(moved, 2), number(size, 2), e.scheme_rows[index].title
    return sentence.format(done=done, scheme=title, moved=moved, size=size)


def tie_sentence(e: Experiment, scheme: str, layer: int = 1) -> str:
    """Return that the units of a layer get equal gradients, and why; empty if they do not."""
    index, changes = e.schemes.index(scheme), symmetries.row_differences(e, layer)
    apart, size, apart_below_random, size_below_random = (
        float(worst_replicate(values)[index])
        for name in ("drawn", "random")
        for values in (changes[name].moved, changes[name].size)
    )
    are_tied = apart <= max(ROUNDING_SHARE * size, NEGLIGIBLE)
    would_part = apart_below_random > max(ROUNDING_SHARE * size_below_random, NEGLIGIBLE)
    if not (are_tied and would_part):
        return ""
    sentence = _(
        "{scheme}: layer {layer} gets no gradient at the first step; were only the weights above "
        "it random, its rows would differ by up to {apart}, its largest entry being {size}."
    )
    if size > NEGLIGIBLE:
        sentence = _(
            "{scheme}: layer {layer} gets a gradient of equal rows at the first step; were only "
            "the weights above it random, its rows would differ by up to {apart}, its largest "
            "entry being {size}."
        )
    return sentence.format(
        scheme=e.scheme_rows[index].title,
        layer=layer,
        apart=number(apart_below_random, 2),
        size=number(size_below_random, 2),
    )


# The first layer, and singular values


def first_layer_sentences(e: Experiment) -> list[str]:
    """He (normal): 2.01 times forward, 4 times backward. Medians over the replicates."""
    gain = measure_first_layer_gain(e)
    medians = median_of_finite(gain.forward), median_of_finite(gain.backward)
    sentence = _("{scheme}: {forward}, {backward}.")
    return [
        sentence.format(
            scheme=row.title,
            forward=describe_gain(forward, FORWARD),
            backward=describe_gain(backward, BACKWARD),
        )
        for row, forward, backward in zip(e.scheme_rows, *medians, strict=True)
    ]


# A gain, and one that is not finite.
FORWARD = (N_("{factor} times forward"), N_("forward unknown, as what arrives is 0 or not finite"))
BACKWARD = (
    N_("{factor} times backward"),
    N_("backward unknown, as what arrives is 0 or not finite"),
)


def describe_gain(factor: float, words: tuple[str, str]) -> str:
    known, unknown = words
    return _(known).format(factor=number(factor)) if np.isfinite(factor) else _(unknown)


def singular_value_sentences(e: Experiment) -> list[str]:
    """Return the largest and the median stretch of each scheme's first network."""
    sentences = []
    for row, (largest, median) in zip(e.scheme_rows, largest_and_median(e), strict=True):
        if np.isnan(largest):
            sentences.append(of_scheme(row, _("what the layers do is not finite.")))
            continue
        half = _("{factor} or less").format(factor=describe_factor(median))
        if np.isnan(median):  # rounding has swallowed it
            bound = describe_factor(largest * rounding_share(e.width))
            half = _("less than {bound}, which rounding swallows").format(bound=bound)
        stretches = _(
            "multiplies the most stretched direction by {largest}, half of all directions by "
            "{half}."
        )
        sentence = stretches.format(largest=describe_factor(largest), half=half)
        sentences.append(of_scheme(row, sentence))
    return sentences


def describe_factor(factor: float) -> str:
    """Return a factor of any size, or 0, as text."""
    return number_of_log10(float(np.log10(factor))) if factor > 0 else number(factor)


def bounds_sentence(product: Product) -> str:
    """Return how far two matrices and the whole product stretch, beside their bounds.

    The first half is an exercise of the book. Empty at sigma 0.
    """
    if not product.sigma:
        return ""
    bounds = singular_bounds(product)
    if np.allclose(bounds.upper, bounds.lower, atol=1e-6):
        return _("Every direction is stretched alike, so that the bounds meet what they bound.")
    smallest, largest, lower, upper = (
        number_of_log10(line[1])
        for line in (bounds.smallest, bounds.largest, bounds.lower, bounds.upper)
    )
    two = _(
        "The first two matrices together stretch by {smallest} to {largest}; those of each alone "
        "allow {lower} to {upper}."
    )
    two = two.format(smallest=smallest, largest=largest, lower=lower, upper=upper)
    if len(bounds.factor) < 3:
        return two
    apart = number_of_log10(bounds.largest[-1] - bounds.smallest[-1])
    allowed = number_of_log10(bounds.upper[-1] - bounds.lower[-1])
    all_of_them = _(
        "After {count} further factors one direction is stretched {apart} times as far as another, "
        "and {allowed} times are allowed."
    )
    count = bounds.factor[-1]
    return join_sentences(two, all_of_them.format(count=count, apart=apart, allowed=allowed))
