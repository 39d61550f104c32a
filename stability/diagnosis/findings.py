"""The findings about a scheme: one function each, which returns it or None where it does not hold.

OUTCOME_FINDERS are asked first, of the whole training; then DISEASE_FINDERS, of the start and then
of the end, since a disease at the start is the cause of others; a network that shows none is
stalled. Below stand the words of which their sentences are made.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

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

FORECASTS = {  # by word: its forecast, after "is likely to"
    "overflowed": "learn nothing", "learns": "learn", "slow": "learn slowly", "diverged": "diverge",
    "symmetric": "stay symmetric", "dead": "stay dead", "saturated": "stay saturated",
    "exploding": "stall or diverge", "vanishing": "stall", "stalled": "stall",
}  # fmt: skip
EXACT_ZERO = -200.0  # power of ten: beyond any format
FLAT = 1.0  # power of ten: weight gradients within it look flat in a chart
SATURATED = 0.3  # of hidden units, beyond design: 97 % of paths back through ten layers meet one
DEAD = 0.9  # of a layer's units: what is left is too narrow for the data
SYMMETRIC = 0.9  # of the hidden layers, from the first on: the very last may differ by rounding
AMPLE_DROP = 1.0  # power of ten: gradients turn on the way, so steps should promise ten losses


@dataclass(frozen=True)
class Finding:
    """A verdict on some evidence, with candidates for its remedy, the best first."""

    word: str
    reason: str  # how its sentence goes on after the `opening`
    number: float
    remedies: Iterable[Remedy] = ()


def find_overflow(evidence: Evidence) -> Finding | None:
    """Return the finding of a signal or gradient that is not finite before the first step."""
    if evidence.start.is_finite:
        return None
    reason = f" before the first step{first_break(evidence)}."
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("overflowed", reason, evidence.breaks[0].layer, start_anew)


def find_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a held-out loss that was halved, and is far below guessing."""
    if not (evidence.learns and evidence.beats_guessing):
        return None
    if evidence.end:
        return Finding("learns", f": {loss_course(evidence)}.", evidence.remaining_loss)
    return Finding("learns", f": {learning_odds(evidence)}.", evidence.probability)


def find_slow_learning(evidence: Evidence) -> Finding | None:
    """Return the finding of a loss that was halved, and is still near guessing."""
    if not evidence.learns or evidence.beats_guessing:
        return None
    guessing = evidence.experiment.dataset_row.guessing_loss
    reason = f": {loss_course(evidence)}, while guessing gives {rough_number(guessing)}."
    more_steps = suggest_more_steps(evidence.experiment)
    return Finding("slow", reason, evidence.last_loss / guessing, more_steps)


def find_divergence(evidence: Evidence) -> Finding | None:
    """Return the finding of training that left the range of numbers or did harm."""
    if not evidence.diverges:
        return None
    if not evidence.end:
        number, promise = overshoot(evidence)
        reason = f": {promise}."
    elif evidence.breaks:
        number = evidence.breaks[0].step
        reason = f" at step {number}{first_break(evidence)}."
    else:
        number, reason = evidence.remaining_loss, f": {loss_course(evidence)}."
    reason += divergence_cause(evidence)
    return Finding("diverged", reason, number, suggest_after_divergence(evidence))


def find_symmetry(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of layers whose units are all copies of one."""
    e, hidden, copies = evidence.experiment, seen.depth - 1, seen.symmetric_layers
    if e.width == 1 or copies < max(1, SYMMETRIC * hidden):
        return None
    where = f"in {copies} of {hidden} hidden layers"
    reason = f": all units of a layer start as copies of one, {where}."
    return Finding("symmetric", reason, copies, suggest_random_start(e))


def find_dead_units(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a layer that passes next to nothing on."""
    if not seen.dead >= DEAD:  # NaN is not
        return None
    reason = f": a layer has {percent(seen.dead)} of its units flat on the whole batch."
    return Finding("dead", reason, seen.dead, suggest_living_units(evidence.experiment))


def find_saturation(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of units pushed to where the activation is flat."""
    if not seen.saturated >= SATURATED:  # NaN is not
        return None
    e = evidence.experiment
    reason = f": {percent(seen.saturated)} of the hidden units sit where {e.phi.label} is flat."
    return Finding("saturated", reason, seen.saturated, suggest_better_start(e, evidence.scheme))


def find_explosion(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that grows through the depth."""
    if not grows_with_depth(seen):
        return None
    number = max(seen.gradient_factor, seen.signal_factor)
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("exploding", f": {layer_factor(seen, max)}.", number, start_anew)


def find_vanishing(evidence: Evidence, seen: Indicators) -> Finding | None:
    """Return the finding of a signal or gradient that fades through the depth."""
    if not min(seen.log_gradient, seen.log_signal) < -HEALTHY_DECADES:  # NaN is not
        return None
    reason = f": {layer_factor(seen, min)}."
    if seen.log_signal < -HEALTHY_DECADES and seen.log_weight_gradient < FLAT:
        last = f"from the start the signal shrinks to {rough_number(seen.signal[-1])}"
        reason = f" although the weight gradients look flat: {last}."
    number = min(seen.gradient_factor, seen.signal_factor)
    start_anew = suggest_better_start(evidence.experiment, evidence.scheme)
    return Finding("vanishing", reason, number, start_anew)


def find_stall(evidence: Evidence) -> Finding:
    """Return the finding of a network that neither learns nor shows a disease."""
    steps, start = evidence.experiment.steps, evidence.start
    number, odds = 10**start.log_predicted_drop, learning_odds(evidence)
    if evidence.end:
        number = evidence.remaining_loss
        reason = f"{loss_course(evidence)}, and did not halve"
    elif start.log_step_drop > 0:
        reason = f"{overshoot(evidence)[1]}; {odds}"
    elif number < 1:
        reason = f"the gradient promises {percent(number)} of the loss in {steps} steps; {odds}"
    else:
        reason = f"the start shows no disease, but only {odds} in {steps} steps"
    return Finding("stalled", f": {reason}.", number, suggest_after_stalling(evidence))


OUTCOME_FINDERS = find_overflow, find_learning, find_slow_learning, find_divergence
DISEASE_FINDERS = find_symmetry, find_dead_units, find_saturation, find_explosion, find_vanishing


def decide(evidence: Evidence) -> tuple[Finding, str]:
    """Return the first finding that holds, and its sentence."""
    asked = chain(
        ((find(evidence), None) for find in OUTCOME_FINDERS),
        ((find(evidence, seen), seen) for seen in evidence.stages for find in DISEASE_FINDERS),
    )
    found = ((finding, seen) for finding, seen in asked if finding)
    finding, seen = next(found, None) or (find_stall(evidence), None)
    return finding, opening(evidence, finding.word, seen) + finding.reason


def opening(evidence: Evidence, word: str, seen: Indicators | None = None) -> str:
    """Return the words that a sentence begins with: the forecast, or the word and its step."""
    if not evidence.end:
        return f"is likely to {FORECASTS[word]} under {evidence.experiment.optimizer_row.label}"
    if seen and seen is evidence.end and seen is not evidence.start:
        return f"{word} at step {seen.step}"
    return word


def loss_course(evidence: Evidence) -> str:
    """Return the held-out loss before and after training in words."""
    verb = "fell" if evidence.learns else "went"
    first, last = rough_number(evidence.first_loss), rough_number(evidence.last_loss)
    return f"the held-out loss {verb} from {first} to {last}"


def learning_odds(evidence: Evidence) -> str:
    """Return how many of a hundred such networks learn."""
    return f"{round(100 * evidence.probability)} of 100 such networks learn"


def first_break(evidence: Evidence) -> str:
    """Return where the first of the replicates left the range of numbers, and how many did."""
    event, replicates = evidence.breaks[0], evidence.experiment.replicates
    share = f" ({len(evidence.breaks)} of {replicates} replicates)" if replicates > 1 else ""
    if not event.layer:
        return f"{share}: the loss is {event.value}, though every layer is still finite"
    numbers = "gradient" if event.backward else "signal"
    return f"{share}: layer {event.layer} overflowed first, its {numbers} is {event.value}"


def overshoot(evidence: Evidence) -> tuple[float, str]:
    """Return how many times too large the coming steps are, and a clause that says so."""
    e, step_drop = evidence.experiment, evidence.start.log_step_drop
    if step_drop > 0:
        times = 10**step_drop
        promised = f"{rough_number(times)} times the whole loss"
        return times, f"one step promises {promised}, and overshoots"
    times = e.learning_rate / e.optimizer_row.learning_rate
    return times, f"the learning rate is {rough_number(times)} times the typical one"


def divergence_cause(evidence: Evidence) -> str:
    """Return a sentence that blames the learning rate or the start; empty if neither."""
    start, tense = evidence.start, "was" if evidence.end else "is"
    if is_healthy(start):
        return f" The start {tense} healthy: it is the learning rate, not the initialization."
    return f" From the start {layer_factor(start, max)}." if grows_with_depth(start) else ""


def grows_with_depth(seen: Indicators) -> bool:
    """True if signal or gradient explodes; a signal that only recovers from fading does not."""
    signal_grows = seen.log_signal > HEALTHY_DECADES and seen.log_gradient > -HEALTHY_DECADES
    return seen.log_gradient > HEALTHY_DECADES or signal_grows


def layer_factor(seen: Indicators, pick: Callable[[float, float], float]) -> str:
    """Return by how much a layer multiplies the gradient or the signal, as a clause.

    With `max` the one that grows more, with `min` the one that shrinks more.
    """
    name, factor, total = "signal", seen.signal_factor, seen.log_signal
    if pick(seen.log_gradient, seen.log_signal) == seen.log_gradient:
        name, factor, total = "gradient", seen.gradient_factor, seen.log_gradient
    if total < EXACT_ZERO:
        return f"the {name} shrinks to exactly 0 within {seen.depth} layers"
    return (
        f"each layer multiplies the {name} by {rough_number(factor)}; "
        f"{seen.depth - 1} layers make {rough_number(10**total)}"
    )


def suggest_after_divergence(evidence: Evidence) -> Iterator[Remedy]:
    """Yield another start where this one is not healthy, then smaller steps."""
    e, start = evidence.experiment, evidence.start
    if not is_healthy(start):
        yield from suggest_better_start(e, evidence.scheme)
    yield from suggest_smaller_steps(e, max(1.0, min(4.0, start.log_step_drop)))


def suggest_after_stalling(evidence: Evidence) -> Iterator[Remedy]:
    """Yield smaller steps where one overshoots, larger ones where all do too little; more steps."""
    e, start = evidence.experiment, evidence.start
    if start.log_step_drop > 0:
        yield from suggest_smaller_steps(e)
    if start.log_predicted_drop < AMPLE_DROP:
        lacking = AMPLE_DROP - start.log_predicted_drop
        yield from suggest_larger_steps(e, min(lacking, -start.log_step_drop, 2))
    yield from suggest_more_steps(e)
