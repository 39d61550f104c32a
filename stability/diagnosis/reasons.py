"""Why a network without a disease learns little, and why one diverges: the likeliest reason."""

from stability.diagnosis.clauses import (
    factor_clause,
    growing,
    high_start,
    notable_factor,
    overshoot,
    shrinking,
    small_promise,
)
from stability.diagnosis.evidence import HEALTHY_DECADES, Evidence, is_healthy
from stability.diagnosis.linear_fit import best_linear_loss
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import capitalize_first, join_sentences, number

SMALL_LOSS = 0.1  # of that of guessing: gradients are as small
PLATEAU = 0.03  # a loss that is nearer to that of the best linear fit stands on its plateau


def reason_sentences(evidence: Evidence) -> str:
    """Return why a network without a disease learns little; nothing if unknown."""
    reasons = likeliest_reason(evidence), notable_factor(evidence.start)
    return join_sentences(*map(as_sentence, reasons))


def likeliest_reason(evidence: Evidence) -> str:
    """Return the likeliest reason why a network without a disease learns little, as a clause."""
    seen = evidence.end or evidence.start
    if seen.still_layers == seen.depth and not seen.readout_is_zero:
        clause = _("the weight gradients of all {depth} layers are exactly 0: only biases move")
        return clause.format(depth=seen.depth)
    if clause := linear_plateau(evidence) or high_start(evidence):
        return clause
    if evidence.end and evidence.is_falling:
        return _("the loss was still falling at the last step")
    return small_promise(evidence) or overshoot(evidence)


def linear_plateau(evidence: Evidence) -> str:
    """Return that the loss stands where the best linear function does; nothing where not."""
    if not evidence.end or evidence.is_falling or not evidence.relative_loss < 1.1:
        return ""
    linear = best_linear_loss(evidence.experiment)
    if not abs(evidence.last_loss / linear - 1) < PLATEAU:
        return ""
    clause = _(
        "the best linear function also reaches only {loss}: the network does no better than a line"
    )
    if is_linear(evidence.experiment):
        clause = _(
            "the best linear function also reaches only {loss}, and no linear network does better"
        )
    return clause.format(loss=number(linear))


def is_linear(e: Experiment) -> bool:
    """Return True if the network computes a linear function, whatever its weights."""
    hidden = e.depth == 1 or (e.phi.corners == () and not e.normalization_row.has_gain)
    return hidden and not e.output_row.pytorch


def overcome(evidence: Evidence) -> str:
    """Return which disease of the start training overcame, as a sentence; nothing if none."""
    trend, label = shrinking(evidence.start), evidence.experiment.optimizer_row.label
    if evidence.start.readout_is_zero or not trend.decades < -HEALTHY_DECADES:
        return ""
    sentence = _(
        "The {quantity} vanished at the start; {optimizer} trains the network all the same."
    )
    return sentence.format(quantity=_(trend.name), optimizer=label)


def level_start(evidence: Evidence) -> str:
    """Return that the gradient kept its size from the start, as a sentence; nothing if not."""
    seen = evidence.start
    if seen.transitions < 2 or not is_healthy(seen) or notable_factor(seen):
        return ""
    sentence = _(
        "At the start each hidden layer multiplies the gradient by {factor}: it keeps its size."
    )
    by_now = _("By now all gradients are small, as the loss is.")
    has_ended = evidence.end and evidence.relative_loss < SMALL_LOSS
    sentence = sentence.format(factor=number(seen.gradient_factor))
    return join_sentences(sentence, *([by_now] if has_ended else []))


def divergence_cause(evidence: Evidence) -> str:
    """Return a sentence that blames the start or the size of the steps; nothing if neither."""
    start = evidence.start
    if growing(start).decades > HEALTHY_DECADES:
        return from_the_start(factor_clause(start, growing(start)))
    if cause := high_start(evidence):
        return as_sentence(cause)
    if only_steps_are_to_blame(evidence):
        healthy = _("The start is healthy, but {steps}.")
        if evidence.end:
            healthy = _("The start was healthy, but {steps}.")
        return healthy.format(steps=overshoot(evidence))
    return as_sentence(overshoot(evidence))


def only_steps_are_to_blame(evidence: Evidence) -> bool:
    """Return True if the steps are too long for a network that starts well."""
    return is_healthy(evidence.start) and not high_start(evidence) and bool(overshoot(evidence))


def from_the_start(clause: str) -> str:
    """Return what a clause says as a sentence about the start."""
    return _("From the start {clause}.").format(clause=clause)


def as_sentence(clause: str) -> str:
    """Return the clause as a sentence; nothing for nothing."""
    return _("{clause}.").format(clause=capitalize_first(clause)) if clause else ""
