"""The sentences of "Look closer": the finding of each probe, for each scheme."""

import numpy as np

from stability.catalogues.activations import Activation
from stability.engine.quantities import HISTOGRAM_REACH
from stability.engine.replicates import median_of_finite, worst_replicate
from stability.engine.rounding_shares import FORMATS_BY_RANGE
from stability.engine.runs import Run
from stability.probes import symmetries
from stability.probes.first_layer_gain import measure_first_layer_gain
from stability.probes.format_ladder import STATES_OUTSIDE, build_format_ladder
from stability.probes.jacobian import largest_and_median, rounding_share
from stability.probes.product_singular_values import singular_bounds
from stability.probes.saturation import Saturation, saturation_by_scheme
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.text import layer_range, number, number_of_log10, percent, share_in_words

# Differences below this share of the largest entry, or this number, are rounding.
ROUNDING_SHARE, NEGLIGIBLE = 1e-9, 1e-12
WHAT_BECOMES = {"infinite": "overflow", "all 0": "become 0", "some 0": "become 0 in part"}
WHAT_BECOMES |= {"0 already": "are 0 already"}


# Pre-activations


def saturation_sentences(run: Run, count: int, layer: int, step: int) -> list[str]:
    """He (normal): 51 % of layer 3's pre-activations lie where ReLU is flat, 50 % by design; ..."""
    e, found = run.experiment, saturation_by_scheme(run, count, layer, step)
    rows = zip(e.scheme_rows, found, strict=True)
    return [f"{row.title}: {describe_saturation(seen, e.phi)}" for row, seen in rows]


def describe_saturation(found: Saturation, activation: Activation) -> str:
    of_layer = f"layer {found.layer}'s pre-activations"
    if not np.isfinite(found.saturated_share + found.below):
        return f"{of_layer} are no longer numbers at step {found.snapshot_step}."
    label, by_design = activation.label, percent(found.share_by_design)
    text = f"{share_in_words(found.saturated_share)} of {of_layer} lie where {label} is flat"
    if by_design == percent(found.saturated_share):
        text += ", as many as by design" if found.share_by_design else ""
    elif round(found.share_by_design, 2):
        text += f", {by_design} by design"
    if not activation.corners:  # or the slope of a unit that is off depends on the bin of 0
        mean_slope, max_slope = number(found.mean_slope, 2), number(activation.max_slope, 2)
        text += f"; its slope is {mean_slope} on average, at most {max_slope}"
    if beyond := found.below + found.above:
        text += f"; {share_in_words(beyond)} lie beyond ±{HISTOGRAM_REACH}"
    return f"{text}."


# Number formats


def format_sentences(run: Run, count: int, step: int) -> list[str]:
    """He (normal): in float8 E5M2 gradients of layers 1 to 2 become 0; bfloat16 holds them."""
    states = build_format_ladder(run, count, step).state
    rows = zip(run.experiment.scheme_rows, states, strict=True)
    return [f"{row.title}: {describe_formats(state)}" for row, state in rows]


def describe_formats(state: np.ndarray) -> str:
    """Return the widest format that cannot hold the numbers, and the next wider one, which can.

    `state` `(L, 2, FORMATS)` are the states of one scheme.
    """
    left = np.isin(state, STATES_OUTSIDE).any(axis=(0, 1))
    if not left.any():
        numbers = "every number"
        if (state == "0 already").any():
            numbers += " that is not 0 already"
        return f"{numbers} fits {FORMATS_BY_RANGE[-1].label}, the narrowest of these formats."
    index = int(np.argmax(left))  # ranges are nested: all wider formats hold what this one does not
    losses = describe_losses("activations", state[:, 0, index])
    losses += describe_losses("gradients", state[:, 1, index])
    text = f"in {FORMATS_BY_RANGE[index].label} {', '.join(losses)}"
    if index and not np.isin(state[..., index - 1], ["not known", "0 already"]).any():
        text += f"; {FORMATS_BY_RANGE[index - 1].label} holds them"
    return f"{text}."


def describe_losses(numbers: str, state: np.ndarray) -> list[str]:
    """Return how these numbers are lost, and in which layers, from their `state` `(L,)`."""
    losses = []
    for name, becomes in WHAT_BECOMES.items():
        layers = np.flatnonzero(state == name) + 1
        if len(layers):
            losses.append(f"{numbers} of {layer_range(layers.tolist())} {becomes}")
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
    where = "all hidden layers" if e.residual and e.depth > 2 else f"layer {layer}"
    one, other = units[0] + 1, units[1] + 1
    done = symmetries.SYMMETRIES[key].description.format(one=one, other=other, layer=where)
    subject = f"{done}: the output of {e.scheme_rows[index].title}"
    moved = worst_replicate(change.moved)[index]
    if not np.isfinite(moved):
        return f"{subject} is not finite."
    if not moved:
        return f"{subject} does not move at all."
    size = worst_replicate(change.size)[index]
    return f"{subject} moves by at most {number(moved, 2)}, of {number(size, 2)}."


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
    gets = "a gradient of equal rows" if size > NEGLIGIBLE else "no gradient"
    return (
        f"{e.scheme_rows[index].title}: layer {layer} gets {gets} at the first step; "
        "were only the weights above it random, its rows would differ by up to "
        f"{number(apart_below_random, 2)}, its largest entry being {number(size_below_random, 2)}."
    )


# The first layer, and singular values


def first_layer_sentences(e: Experiment) -> list[str]:
    """He (normal): 2.01 times forward, 4 times backward. Medians over the replicates."""
    gain = measure_first_layer_gain(e)
    medians = median_of_finite(gain.forward), median_of_finite(gain.backward)
    return [
        f"{row.title}: {describe_gain(forward, 'forward')}, {describe_gain(backward, 'backward')}."
        for row, forward, backward in zip(e.scheme_rows, *medians, strict=True)
    ]


def describe_gain(factor: float, way: str) -> str:
    if np.isfinite(factor):
        return f"{number(factor)} times {way}"
    return f"{way} unknown, as what arrives is 0 or not finite"


def singular_value_sentences(e: Experiment) -> list[str]:
    """Return the largest and the median stretch of each scheme's first network."""
    sentences = []
    for row, (largest, median) in zip(e.scheme_rows, largest_and_median(e), strict=True):
        if np.isnan(largest):
            sentences.append(f"{row.title}: what the layers do is not finite.")
            continue
        half = f"{describe_factor(median)} or less"
        if np.isnan(median):  # rounding has swallowed it
            bound = describe_factor(largest * rounding_share(e.width))
            half = f"less than {bound}, which rounding swallows"
        sentences.append(
            f"{row.title}: multiplies the most stretched direction by {describe_factor(largest)}, "
            f"half of all directions by {half}."
        )
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
        return "Every direction is stretched alike, so that the bounds meet what they bound."
    smallest, largest, lower, upper = (
        number_of_log10(line[1])
        for line in (bounds.smallest, bounds.largest, bounds.lower, bounds.upper)
    )
    two = (
        f"The first two matrices together stretch by {smallest} to {largest}; "
        f"those of each alone allow {lower} to {upper}."
    )
    if len(bounds.factor) < 3:
        return two
    apart = number_of_log10(bounds.largest[-1] - bounds.smallest[-1])
    allowed = number_of_log10(bounds.upper[-1] - bounds.lower[-1])
    return (
        f"{two} After {bounds.factor[-1]} further factors one direction is stretched {apart} times "
        f"as far as another, and {allowed} times are allowed."
    )
