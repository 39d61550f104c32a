"""Why a network without a disease learns little, and why one diverges: the likeliest reason."""

from stability.diagnosis.clauses import (
    factor_clause,
    growing,
    high_start,
    notable_factor,
    overshoot,
    small_promise,
)
from stability.diagnosis.evidence import HEALTHY_DECADES, Evidence, is_healthy
from stability.diagnosis.linear_fit import best_linear_loss
from stability.records.experiment import Experiment
from stability.text import capitalize_first, number

PLATEAU = 0.03  # a loss that is nearer to that of the best linear fit stands on its plateau


def reason_sentences(evidence: Evidence) -> str:
    """Return why a network without a disease learns little; nothing if unknown."""
    return "".join(map(as_sentence, (likeliest_reason(evidence), notable_factor(evidence.start))))


def likeliest_reason(evidence: Evidence) -> str:
    """Return the likeliest reason why a network without a disease learns little, as a clause."""
    seen = evidence.end or evidence.start
    if seen.still_layers == seen.depth and not seen.readout_is_zero:
        return f"the weight gradients of all {seen.depth} layers are exactly 0: only biases move"
    if clause := linear_plateau(evidence) or high_start(evidence):
        return clause
    if evidence.end and evidence.is_falling:
        return "the loss was still falling at the last step"
    return small_promise(evidence) or overshoot(evidence)


def linear_plateau(evidence: Evidence) -> str:
    """Return that the loss stands where the best linear function does; nothing where not."""
    if not evidence.end or evidence.is_falling or not evidence.relative_loss < 1.1:
        return ""
    linear = best_linear_loss(evidence.experiment)
    if not abs(evidence.last_loss / linear - 1) < PLATEAU:
        return ""
    clause = f"the best linear function also reaches only {number(linear)}"
    if is_linear(evidence.experiment):
        return f"{clause}, and no linear network does better"
    return f"{clause}: the network does no better than a line"


def is_linear(e: Experiment) -> bool:
    """Return True if the network computes a linear function, whatever its weights."""
    hidden = e.depth == 1 or (e.phi.corners == () and not e.normalization_row.has_gain)
    return hidden and not e.output_row.pytorch


def level_start(evidence: Evidence) -> str:
    """Return that the gradient kept its size from the start, as a sentence; nothing if not."""
    seen = evidence.start
    if seen.transitions < 2 or not is_healthy(seen) or notable_factor(seen):
        return ""
    factor = number(seen.gradient_factor)
    return (
        f" At the start each hidden layer multiplies the gradient by {factor}: it keeps its size."
    )


def divergence_cause(evidence: Evidence) -> str:
    """Return a sentence that blames the start or the size of the steps; nothing if neither."""
    start, tense = evidence.start, "was" if evidence.end else "is"
    if growing(start).decades > HEALTHY_DECADES:
        return f" From the start {factor_clause(start, growing(start))}."
    if cause := high_start(evidence):
        return as_sentence(cause)
    steps = overshoot(evidence)
    if is_healthy(start) and steps:
        return f" The start {tense} healthy, but {steps}."
    return as_sentence(steps)


def as_sentence(clause: str) -> str:
    """Return the clause as a sentence that follows another; nothing for nothing."""
    return f" {capitalize_first(clause)}." if clause else ""
