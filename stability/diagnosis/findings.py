"""The findings about a scheme: one function each, which returns it or None where it does not hold.

OUTCOMES are asked first, of the whole training; then DISEASES, of the start and then of the end,
since a disease at the start is the cause of others; a network that shows none is stalled.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from stability.diagnosis import phrases
from stability.diagnosis.evidence import HEALTHY_DECADES, Evidence, is_healthy
from stability.diagnosis.indicators import Indicators
from stability.diagnosis.remedies import (
    Remedy,
    suggest_better_start,
    suggest_larger_steps,
    suggest_living_units,
    suggest_more_steps,
    suggest_random_start,
    suggest_smaller_steps,
)
from stability.text import percent, rough_number

FLAT = 1.0  # power of ten: weight gradients within it look flat in a chart
SATURATED = 0.3  # of hidden units, beyond design: in ten layers 97 % of the ways back meet one
DEAD = 0.9  # of a layer's units: what is left is too narrow for the data
SYMMETRIC = 0.9  # of the hidden layers, from the first on: the very last may differ by rounding
AMPLE_DROP = 1.0  # power of ten: gradients turn on the way, so steps should promise ten losses


@dataclass(frozen=True)
class Finding:
    """A verdict on some evidence, with candidates for its remedy, the best first."""

    word: str
    sentence: str
    number: float
    remedies: Iterable[Remedy] = ()


def find_overflow(evidence: Evidence) -> Finding | None:
    if evidence.start.is_finite:
        return None
    broken = f"{phrases.broken_share(evidence)}: {phrases.first_break(evidence)}"
    sentence = f"{phrases.opening(evidence, 'overflowed')} before the first step{broken}."
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("overflowed", sentence, evidence.breaks[0].layer, start_anew)


def find_learning(evidence: Evidence) -> Finding | None:
    if not (evidence.learns and evidence.beats_guessing):
        return None
    begins = phrases.opening(evidence, "learns")
    if evidence.end:
        course = phrases.loss_course(evidence)
        return Finding("learns", f"{begins}: {course}.", evidence.remaining_loss)
    return Finding("learns", f"{begins}: {phrases.learning_odds(evidence)}.", evidence.probability)


def find_slow_learning(evidence: Evidence) -> Finding | None:
    if not evidence.learns or evidence.beats_guessing:
        return None
    e, begins = evidence.experiment, phrases.opening(evidence, "slow")
    guessing = e.dataset_row.guessing_loss
    course = f"{phrases.loss_course(evidence)}, while guessing gives {rough_number(guessing)}"
    number = evidence.last_loss / guessing
    return Finding("slow", f"{begins}: {course}.", number, suggest_more_steps(e))


def find_divergence(evidence: Evidence) -> Finding | None:
    if not evidence.diverges:
        return None
    begins, cause = phrases.opening(evidence, "diverged"), phrases.divergence_cause(evidence.start)
    if not evidence.end:
        number, reason = phrases.overshoot(evidence)
        cause = " The start is healthy: it is the learning rate, not the initialization."
        sentence = f"{begins}: {reason}.{cause}"
    elif evidence.breaks:
        number = evidence.breaks[0].step
        broken = f"{phrases.broken_share(evidence)}: {phrases.first_break(evidence)}"
        sentence = f"{begins} at step {number}{broken}.{cause}"
    else:
        number = evidence.remaining_loss
        sentence = f"{begins}: {phrases.loss_course(evidence)}.{cause}"
    return Finding("diverged", sentence, number, suggest_after_divergence(evidence))


def find_symmetry(evidence: Evidence, seen: Indicators) -> Finding | None:
    e, hidden, copies = evidence.experiment, seen.depth - 1, seen.symmetric_layers
    if e.width == 1 or copies < max(1, SYMMETRIC * hidden):
        return None
    begins = phrases.opening(evidence, "symmetric", seen)
    reason = f"all units of a layer start as copies of one, in {copies} of {hidden} hidden layers"
    return Finding("symmetric", f"{begins}: {reason}.", copies, suggest_random_start(e))


def find_dead_units(evidence: Evidence, seen: Indicators) -> Finding | None:
    if not seen.dead >= DEAD:  # NaN is not
        return None
    begins = phrases.opening(evidence, "dead", seen)
    reason = f"a layer has {percent(seen.dead)} of its units flat on the whole batch"
    remedies = suggest_living_units(evidence.experiment)
    return Finding("dead", f"{begins}: {reason}.", seen.dead, remedies)


def find_saturation(evidence: Evidence, seen: Indicators) -> Finding | None:
    if not seen.saturated >= SATURATED:  # NaN is not
        return None
    e, begins = evidence.experiment, phrases.opening(evidence, "saturated", seen)
    reason = f"{percent(seen.saturated)} of the hidden units sit where {e.phi.label} is flat"
    start_anew = suggest_better_start(e, evidence.scheme)
    return Finding("saturated", f"{begins}: {reason}.", seen.saturated, start_anew)


def find_explosion(evidence: Evidence, seen: Indicators) -> Finding | None:
    if not phrases.grows_with_depth(seen):
        return None
    begins = phrases.opening(evidence, "exploding", seen)
    number = max(seen.gradient_factor, seen.signal_factor)
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("exploding", f"{begins}: {phrases.layer_factor(seen, max)}.", number, start_anew)


def find_vanishing(evidence: Evidence, seen: Indicators) -> Finding | None:
    if not min(seen.log_gradient, seen.log_signal) < -HEALTHY_DECADES:  # NaN is not
        return None
    begins = phrases.opening(evidence, "vanishing", seen)
    sentence = f"{begins}: {phrases.layer_factor(seen, min)}."
    if seen.log_signal < -HEALTHY_DECADES and seen.log_weight_gradient < FLAT:
        last = f"from the start the signal shrinks to {rough_number(seen.signal[-1])}"
        sentence = f"{begins} although the weight gradients look flat: {last}."
    number = min(seen.gradient_factor, seen.signal_factor)
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("vanishing", sentence, number, start_anew)


def find_stall(evidence: Evidence) -> Finding:
    """Return why a network does not learn that shows no disease."""
    e, start, begins = evidence.experiment, evidence.start, phrases.opening(evidence, "stalled")
    number, odds = 10**start.log_predicted_drop, phrases.learning_odds(evidence)
    if evidence.end:
        number = evidence.remaining_loss
        sentence = f"{begins}: {phrases.loss_course(evidence)}, and did not halve."
    elif start.log_step_drop > 0:
        sentence = f"{begins}: {phrases.overshoot(evidence)[1]}; {odds}."
    elif number < 1:
        promised = f"the gradient promises {percent(number)} of the loss in {e.steps} steps"
        sentence = f"{begins}: {promised}; {odds}."
    else:
        sentence = f"{begins}: the start shows no disease, but only {odds} in {e.steps} steps."
    return Finding("stalled", sentence, number, suggest_after_stalling(evidence))


def suggest_after_divergence(evidence: Evidence) -> Iterator[Remedy]:
    """Yield another start where this one is not healthy, then smaller steps."""
    e, start = evidence.experiment, evidence.start
    if not is_healthy(start):
        yield from suggest_better_start(e, evidence.scheme)
    yield from suggest_smaller_steps(e, max(1.0, min(4.0, start.log_step_drop)))


def suggest_after_stalling(evidence: Evidence) -> Iterator[Remedy]:
    """Yield smaller steps where one overshoots, larger ones where all do too little; patience."""
    e, start = evidence.experiment, evidence.start
    if start.log_step_drop > 0:
        yield from suggest_smaller_steps(e)
    if start.log_predicted_drop < AMPLE_DROP:
        lacking = AMPLE_DROP - start.log_predicted_drop
        yield from suggest_larger_steps(e, min(lacking, -start.log_step_drop, 2))
    yield from suggest_more_steps(e)


OUTCOMES: tuple[Callable[[Evidence], Finding | None], ...]
OUTCOMES = find_overflow, find_learning, find_slow_learning, find_divergence
DISEASES: tuple[Callable[[Evidence, Indicators], Finding | None], ...]
DISEASES = find_symmetry, find_dead_units, find_saturation, find_explosion, find_vanishing


def decide(evidence: Evidence) -> Finding:
    """Return the first finding that holds."""
    outcomes = (find(evidence) for find in OUTCOMES)
    diseases = (find(evidence, seen) for seen in evidence.stages for find in DISEASES)
    return next(filter(None, chain(outcomes, diseases)), None) or find_stall(evidence)
