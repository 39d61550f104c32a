"""The findings about a scheme: one function each, which returns it or None where it does not hold.

After training OUTCOME_FINDERS are asked first, then DISEASE_FINDERS, of the start and then of the
end, since a disease at the start is the cause of others; a network that shows none is stalled.
Before training the diseases stand before divergence, which is their consequence.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from stability.diagnosis.clauses import (
    THAT_LEARN,
    THAT_LEARN_SLOWLY,
    break_clause,
    break_count,
    factor_clause,
    growing,
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
from stability.diagnosis.findings_of_settings import (
    find_harmful_setting,
    find_zero_epsilon,
    unclipped,
)
from stability.diagnosis.indicators import DEAD, Indicators
from stability.diagnosis.reasons import (
    as_sentence,
    divergence_cause,
    from_the_start,
    level_start,
    only_steps_are_to_blame,
    overcome,
    reason_sentences,
)
from stability.i18n import _
from stability.text import capitalize_first, join_sentences, percent, rough_number, share_in_words

SYMMETRIC = 0.9  # of the hidden layers, from the first on: the very last may differ by rounding
LIKELY = 0.75  # probability from which on a forecast says that a network will learn


def find_overflow(evidence: Evidence) -> Finding | None:
    """Return the finding of a signal or gradient that is not finite before the first step."""
    if evidence.start.is_finite:
        return None
    sentence = _("It overflows before the first step{where}: {what}.")
    sentence = sentence.format(where=break_count(evidence), what=break_clause(evidence))
    return Finding("overflowed", sentence, evidence.breaks[0].layer)


def find_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a network that learned or is likely to."""
    if evidence.end:
        if not evidence.learns:
            return None
        sentence = _("It learns: {course}.").format(course=loss_course(evidence))
        why = overcome(evidence) or level_start(evidence)
        sentence = join_sentences(sentence, learned_share(evidence), why)
        return Finding("learns", sentence, evidence.relative_loss)
    chance = evidence.outlook.learns
    if not chance > LIKELY:
        return None
    sentence = _("It will probably learn: {odds}.")
    if factor := notable_factor(evidence.start):
        sentence = _("It will probably learn: {odds}, although {factor}.")
    return Finding("learns", sentence.format(odds=odds(chance), factor=factor), chance)


def find_bound(evidence: Evidence) -> Finding | None:
    """Return the forecast of a network whose output activation keeps its loss near guessing."""
    least = evidence.least_relative_loss
    if evidence.end or least < LEARNED_SHARE:
        return None
    sentence = _("Its loss cannot fall below {share} of that of guessing.")
    sentence = sentence.format(share=percent(least))
    return Finding("slow" if least < SLOW_SHARE else "stalled", sentence, least)


def find_slow_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a loss that ended below guessing, but not far below."""
    if evidence.end:
        if not evidence.is_slow:
            return None
        sick = starting_disease(evidence)
        if not sick and find_harmful_setting(evidence):
            return None
        sentence = _("It learns slowly: {course}.").format(course=loss_course(evidence))
        why = sick or reason_sentences(evidence)
        sentence = join_sentences(sentence, learned_share(evidence), why)
        return Finding("slow", sentence, evidence.relative_loss, unclipped(evidence))
    likely = evidence.outlook
    if not likely.learns + likely.slow > 0.5:
        return None
    sentence = _("It may learn: {odds}, and {slow}.")
    if likely.slow > 0.5:
        sentence = _("It will probably learn slowly: {slow}, and {odds}.")
    sentence = sentence.format(odds=odds(likely.learns), slow=odds(likely.slow, THAT_LEARN_SLOWLY))
    return Finding("slow", join_sentences(sentence, reason_sentences(evidence)), likely.slow)


def starting_disease(evidence: Evidence) -> str:
    """Return which disease a network had from the start, as a sentence; nothing if none."""
    diseases = (find(evidence, evidence.start) for find in DISEASE_FINDERS)
    found = next(filter(None, diseases), None)
    return from_the_start(found.reason) if found else ""


def find_divergence(evidence: Evidence) -> Finding | None:
    """Return the finding of training that left the range of numbers or did harm."""
    cause, long_steps = divergence_cause(evidence), only_steps_are_to_blame(evidence)
    if not evidence.end:
        chance = evidence.outlook.diverged
        if not chance > max(evidence.outlook.learns, evidence.outlook.stalled):
            return None
        sentence = _("It may well diverge: {odds}.")
        if chance > 0.5:
            sentence = _("It will probably diverge: {odds}.")
        sentence = join_sentences(sentence.format(odds=odds(chance)), cause)
        return Finding("diverged", sentence, chance, needs_shorter_steps=long_steps)
    if not evidence.did_harm:
        return None
    sentence = _("It diverged: {course}.").format(course=loss_course(evidence))
    number = evidence.relative_loss
    if evidence.breaks:
        number, where = evidence.breaks[0].step, break_count(evidence)
        sentence = _("It diverged at step {step}{where}: {what}.")
        sentence = sentence.format(step=number, where=where, what=break_clause(evidence))
    sentence = join_sentences(sentence, learned_share(evidence), cause)
    return Finding("diverged", sentence, number, needs_shorter_steps=long_steps)


def find_symmetry(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of layers whose units are all copies of one."""
    hidden, copies = seen.depth - 1, seen.symmetric_layers
    if evidence.experiment.width == 1 or copies < max(1, SYMMETRIC * hidden):
        return None
    where = _("{copies} of {hidden} hidden layers")
    if copies == hidden:
        where = _("all {hidden} hidden layers") if hidden > 1 else _("its hidden layer")
    where = where.format(copies=copies, hidden=hidden)
    what = _("symmetry is not broken")
    reason = _("all units of a layer compute the same, in {where}")
    if evidence.end and not evidence.end.symmetric_layers:  # by dropout, for instance
        what = _("symmetry is broken too late")
        reason = _(
            "at first all units of a layer compute the same, in {where}; in the end they differ"
        )
    found = disease(evidence, seen, "symmetric", what, reason.format(where=where), copies)
    return replace(found, needs_other_start=True)


def find_underflow(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal that becomes so small that the format rounds it to 0."""
    row = evidence.experiment.number_format
    zero = next((i for i, size in enumerate(seen.signal) if size == 0), 0)
    is_cut_off = seen.dead == 1 and seen.deadest_layer <= zero  # its units pass on exact zeros
    if not zero or is_cut_off or (seen.readout_is_zero and zero == seen.depth - 1):
        return None
    reason, factor = _("from layer {layer} on {format} rounds it to exactly 0"), 1.0
    if zero > 1:
        factor = (seen.signal[zero - 1] / seen.signal[0]) ** (1 / (zero - 1))
        reason = _(
            "each hidden layer multiplies the signal by {factor}, and from layer {layer} on "
            "{format} rounds it to exactly 0"
        )
    label = re.split("[,，]", row.label)[0]  # "float16" of "float16, loss scaled"
    reason = reason.format(factor=rough_number(factor), layer=zero + 1, format=label)
    return disease(evidence, seen, "vanishing", _("the signal vanishes"), reason, zero + 1)


def find_dead_units(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a layer that passes next to nothing on, in any of the replicates."""
    if not seen.dead_replicates:
        return None
    replicates, share = evidence.experiment.replicates, share_in_words(seen.dead)
    if not seen.dead >= DEAD:
        share = _("{share} or more").format(share=percent(DEAD))
    reason = _("{share} of the units of layer {layer} are off for every example of the batch")
    if seen.dead == 1:
        reason = _("all units of layer {layer} are off for every example of the batch")
    reason = reason.format(share=share, layer=seen.deadest_layer)
    if replicates > 1:
        where = _("in {count} of {replicates} replicates {reason}")
        reason = where.format(count=seen.dead_replicates, replicates=replicates, reason=reason)
    return disease(evidence, seen, "dead", _("a layer is dead"), reason, seen.dead)


def find_saturation(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of units pushed to where the activation is flat."""
    if not seen.saturated >= SATURATED:  # NaN is not
        return None
    reason = _("{share} of the hidden units sit where {activation} is flat")
    trend = growing(seen)
    if trend.decades > HEALTHY_DECADES / 2:
        reason = _(
            "{share} of the hidden units sit where {activation} is flat, and yet nothing vanishes, "
            "for {factor}"
        )
    reason = reason.format(
        share=percent(seen.saturated),
        activation=evidence.experiment.phi.label,
        factor=factor_clause(seen, trend),
    )
    lead, share = _("its units are saturated"), seen.saturated
    return disease(evidence, seen, "saturated", lead, reason, share)


def find_explosion(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that grows through the depth."""
    trend = growing(seen)
    if not trend.decades > HEALTHY_DECADES:
        return None
    what = _("the {quantity} explodes").format(quantity=_(trend.name))
    return disease(evidence, seen, "exploding", what, factor_clause(seen, trend), trend.factor)


def find_vanishing(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that fades through the depth."""
    trend = shrinking(seen)
    if seen.readout_is_zero or not trend.decades < -HEALTHY_DECADES:  # NaN is not
        return None
    reason = factor_clause(seen, trend)
    flat = 0 < seen.log_weight_gradient < 1 and seen.log_signal < -HEALTHY_DECADES
    if flat and not seen.still_layers:
        even = _("{reason}; yet weight gradients look even, as signals shrink toward the output")
        reason = even.format(reason=reason)
    what = _("the {quantity} vanishes").format(quantity=_(trend.name))
    return disease(evidence, seen, "vanishing", what, reason, trend.factor)


def disease(
    evidence: Evidence, seen: Indicators, word: str, lead: str, reason: str, number: float
) -> Finding:
    """Return the finding of a disease: foretold, seen at the start, or seen at a later step."""
    if not evidence.end:
        sentence = _("It will probably not learn, because {lead}: {reason}.")
        return Finding(word, sentence.format(lead=lead, reason=reason), number, reason=reason)
    sentence = _("{lead}: at the start {reason}.")
    if seen is evidence.end and seen is not evidence.start:
        sentence = _("By step {step} {lead}: {reason}.")
    sentence = capitalize_first(sentence.format(step=seen.step, lead=lead, reason=reason))
    course = as_sentence(loss_course(evidence)), learned_share(evidence)
    return Finding(word, join_sentences(sentence, *course), number, reason=reason)


def find_stall(evidence: Evidence) -> Finding:
    """Return the finding of a network that neither learns nor shows a disease."""
    why = reason_sentences(evidence) or _("Signal and gradient look healthy.")
    if evidence.end:
        sentence = _("It has not learned: {course}.").format(course=loss_course(evidence))
        sentence = join_sentences(sentence, learned_share(evidence), why)
        return Finding("stalled", sentence, evidence.relative_loss, unclipped(evidence))
    chance, steps = evidence.outlook.learns, evidence.experiment.steps
    sentence = _("It will probably not learn: {odds} in {steps} steps.")
    sentence = sentence.format(odds=odds(chance, THAT_LEARN), steps=steps)
    return Finding("stalled", join_sentences(sentence, why), chance, unclipped(evidence))


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
    for seen in evidence.stages:
        for find_disease in DISEASE_FINDERS:
            if finding := find_disease(evidence, seen):
                yield finding
        if seen is evidence.start and (finding := find_harmful_setting(evidence)):
            yield finding
    if not evidence.end and (finding := find_divergence(evidence)):
        yield finding
