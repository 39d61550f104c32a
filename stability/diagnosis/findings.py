"""The findings about a scheme: one function each, which returns it or None where it does not hold.

After training OUTCOME_FINDERS are asked first, then DISEASE_FINDERS, of the start and then of the
end, since a disease at the start is the cause of others; a network that shows none is stalled.
Before training the diseases stand before divergence, which is their consequence.
"""

from collections.abc import Iterator
from dataclasses import replace

from stability.diagnosis.clauses import (
    break_clause,
    break_count,
    factor_clause,
    growing,
    hundredths,
    learned_share,
    loss_course,
    notable_factor,
    odds,
    shrinking,
)
from stability.diagnosis.evidence import (
    HEALTHY_DECADES,
    LEARNED_SHARE,
    SATURATED,
    SLOW_SHARE,
    Evidence,
)
from stability.diagnosis.finding import Finding
from stability.diagnosis.findings_of_formats import find_lost_updates, find_zero_epsilon
from stability.diagnosis.indicators import DEAD, Indicators
from stability.diagnosis.reasons import divergence_cause, level_start, reason_sentences
from stability.text import capitalize_first, percent, rough_number, share_in_words

SYMMETRIC = 0.9  # of the hidden layers, from the first on: the very last may differ by rounding
LIKELY = 0.75  # probability from which on a forecast says that a network will learn


def find_overflow(evidence: Evidence) -> Finding | None:
    """Return the finding of a signal or gradient that is not finite before the first step."""
    if evidence.start.is_finite:
        return None
    sentence = f"It overflows before the first step{break_count(evidence)}: "
    sentence += f"{break_clause(evidence)}."
    return Finding("overflowed", sentence, evidence.breaks[0].layer)


def find_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a network that learned or is likely to."""
    if evidence.end:
        if not evidence.learns:
            return None
        sentence = f"It learns: {loss_course(evidence)}.{learned_share(evidence)}"
        why = overcome(evidence) or level_start(evidence)
        return Finding("learns", sentence + why, evidence.relative_loss)
    chance = evidence.outlook.learns
    if not chance > LIKELY:
        return None
    factor = notable_factor(evidence.start)
    although = f", although {factor}" if factor else ""
    sentence = f"It will probably learn: {odds(chance)}{although}."
    return Finding("learns", sentence, chance)


def overcome(evidence: Evidence) -> str:
    """Return which disease of the start training overcame, as a sentence; nothing if none."""
    trend, label = shrinking(evidence.start), evidence.experiment.optimizer_row.label
    if evidence.start.readout_is_zero or not trend.decades < -HEALTHY_DECADES:
        return ""
    return f" The {trend.name} vanished at the start; {label} trains the network all the same."


def find_bound(evidence: Evidence) -> Finding | None:
    """Return the forecast of a network whose output activation keeps its loss near guessing."""
    least = evidence.least_relative_loss
    if evidence.end or least < LEARNED_SHARE:
        return None
    sentence = f"Its loss cannot fall below {percent(least)} of that of guessing."
    return Finding("slow" if least < SLOW_SHARE else "stalled", sentence, least)


def find_slow_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a loss that ended below guessing, but not far below."""
    if evidence.end:
        if not evidence.is_slow or find_lost_updates(evidence):
            return None
        sentence = f"It learns slowly: {loss_course(evidence)}.{learned_share(evidence)}"
        why = starting_disease(evidence) or reason_sentences(evidence)
        return Finding("slow", sentence + why, evidence.relative_loss)
    likely = evidence.outlook
    if not likely.learns + likely.slow > 0.5:
        return None
    sentence = (
        f"It may learn: {odds(likely.learns)}, and {hundredths(likely.slow, '', 'learn')} slowly."
    )
    return Finding("slow", sentence + reason_sentences(evidence), likely.slow)


def starting_disease(evidence: Evidence) -> str:
    """Return which disease a network had from the start, as a sentence; nothing if none."""
    diseases = (find(evidence, evidence.start) for find in DISEASE_FINDERS)
    found = next(filter(None, diseases), None)
    return f" From the start {found.reason}." if found else ""


def find_divergence(evidence: Evidence) -> Finding | None:
    """Return the finding of training that left the range of numbers or did harm."""
    cause = divergence_cause(evidence)
    if not evidence.end:
        chance = evidence.outlook.diverged
        if not chance > max(evidence.outlook.learns, evidence.outlook.stalled):
            return None
        will = "will probably" if chance > 0.5 else "may well"
        sentence = f"It {will} diverge: {odds(chance)}.{cause}"
        return Finding("diverged", sentence, chance)
    if not evidence.did_harm:
        return None
    if not evidence.breaks:
        sentence = f"It diverged: {loss_course(evidence)}.{learned_share(evidence)}{cause}"
        return Finding("diverged", sentence, evidence.relative_loss)
    step = evidence.breaks[0].step
    sentence = f"It diverged at step {step}{break_count(evidence)}: {break_clause(evidence)}."
    return Finding("diverged", f"{sentence}{learned_share(evidence)}{cause}", step)


def find_symmetry(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of layers whose units are all copies of one."""
    hidden, copies = seen.depth - 1, seen.symmetric_layers
    if evidence.experiment.width == 1 or copies < max(1, SYMMETRIC * hidden):
        return None
    where = (
        f"all {hidden} hidden layers" if copies == hidden else f"{copies} of {hidden} hidden layers"
    )
    where = where if hidden > 1 else "its hidden layer"
    what, reason = "symmetry is not broken", f"all units of a layer compute the same, in {where}"
    if evidence.end and not evidence.end.symmetric_layers:  # by dropout, for instance
        what = "symmetry is broken too late"
        reason = (
            f"at first all units of a layer compute the same, in {where}; in the end they differ"
        )
    found = disease(evidence, seen, "symmetric", what, reason, copies)
    return replace(found, needs_other_start=True)


def find_underflow(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal that becomes so small that the format rounds it to 0."""
    row = evidence.experiment.number_format
    zero = next((i for i, size in enumerate(seen.signal) if size == 0), 0)
    is_cut_off = seen.dead == 1 and seen.deadest_layer <= zero  # its units pass on exact zeros
    if not zero or is_cut_off or (seen.readout_is_zero and zero == seen.depth - 1):
        return None
    reason = f"from layer {zero + 1} on {row.label.partition(',')[0]} rounds it to exactly 0"
    if zero > 1:
        factor = (seen.signal[zero - 1] / seen.signal[0]) ** (1 / (zero - 1))
        reason = f"each hidden layer multiplies the signal by {rough_number(factor)}, and {reason}"
    return disease(evidence, seen, "vanishing", "the signal vanishes", reason, zero + 1)


def find_dead_units(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a layer that passes next to nothing on, in any of the replicates."""
    if not seen.dead_replicates:
        return None
    replicates = evidence.experiment.replicates
    where = f"in {seen.dead_replicates} of {replicates} replicates " if replicates > 1 else ""
    share = share_in_words(seen.dead) if seen.dead >= DEAD else f"{percent(DEAD)} or more"
    units = "all units" if seen.dead == 1 else f"{share} of the units"
    reason = f"{where}{units} of layer {seen.deadest_layer} are off for every example of the batch"
    return disease(evidence, seen, "dead", "a layer is dead", reason, seen.dead)


def find_saturation(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of units pushed to where the activation is flat."""
    if not seen.saturated >= SATURATED:  # NaN is not
        return None
    label = evidence.experiment.phi.label
    reason = f"{percent(seen.saturated)} of the hidden units sit where {label} is flat"
    trend = growing(seen)
    if trend.decades > HEALTHY_DECADES / 2:
        reason += f", and yet nothing vanishes, for {factor_clause(seen, trend)}"
    return disease(evidence, seen, "saturated", "its units are saturated", reason, seen.saturated)


def find_explosion(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that grows through the depth."""
    trend = growing(seen)
    if not trend.decades > HEALTHY_DECADES:
        return None
    reason = factor_clause(seen, trend)
    return disease(evidence, seen, "exploding", f"the {trend.name} explodes", reason, trend.factor)


def find_vanishing(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that fades through the depth."""
    trend = shrinking(seen)
    if seen.readout_is_zero or not trend.decades < -HEALTHY_DECADES:  # NaN is not
        return None
    reason = factor_clause(seen, trend)
    flat = 0 < seen.log_weight_gradient < 1 and seen.log_signal < -HEALTHY_DECADES
    if flat and not seen.still_layers:
        reason += ", although the weight gradients are about equal in all layers"
    return disease(evidence, seen, "vanishing", f"the {trend.name} vanishes", reason, trend.factor)


def disease(
    evidence: Evidence, seen: Indicators, word: str, lead: str, reason: str, number: float
) -> Finding:
    """Return the finding of a disease: foretold, seen at the start, or seen at a later step."""
    if not evidence.end:
        sentence = f"It will probably not learn, because {lead}: {reason}."
        return Finding(word, sentence, number, reason=reason)
    later = seen is evidence.end and seen is not evidence.start
    when = f"By step {seen.step} {lead}" if later else capitalize_first(lead)
    course = capitalize_first(loss_course(evidence))
    since = "" if later else "at the start "
    sentence = f"{when}: {since}{reason}. {course}.{learned_share(evidence)}"
    return Finding(word, sentence, number, reason=reason)


def find_stall(evidence: Evidence) -> Finding:
    """Return the finding of a network that neither learns nor shows a disease."""
    why = reason_sentences(evidence) or " Signal and gradient look healthy."
    if evidence.end:
        sentence = f"It has not learned: {loss_course(evidence)}.{learned_share(evidence)}{why}"
        return Finding("stalled", sentence, evidence.relative_loss)
    chance, steps = evidence.outlook.learns, evidence.experiment.steps
    sentence = f"It will probably not learn: {odds(chance, 'learn')} in {steps} steps.{why}"
    return Finding("stalled", sentence, chance)


OUTCOME_FINDERS = (
    find_overflow, find_learning, find_slow_learning, find_zero_epsilon, find_divergence,
)  # fmt: skip
EARLY_FINDERS = (
    find_overflow, find_zero_epsilon, find_bound, find_learning, find_slow_learning,
)  # fmt: skip
DISEASE_FINDERS = (
    find_symmetry, find_underflow, find_dead_units, find_saturation, find_explosion, find_vanishing,
)  # fmt: skip


def decide(evidence: Evidence) -> Finding:
    """Return the first finding that holds."""
    return next(all_findings(evidence), None) or find_stall(evidence)


def all_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield the findings that hold, in order; those after the first are its consequences."""
    for find in OUTCOME_FINDERS if evidence.end else EARLY_FINDERS:
        if finding := find(evidence):
            yield finding
    if finding := find_lost_updates(evidence):
        yield finding
    for seen in evidence.stages:
        for find_disease in DISEASE_FINDERS:
            if finding := find_disease(evidence, seen):
                yield finding
    if not evidence.end and (finding := find_divergence(evidence)):
        yield finding
