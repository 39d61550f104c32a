"""The words of which findings make their sentences."""

from collections.abc import Callable

from stability.diagnosis.evidence import HEALTHY_DECADES, Evidence, is_healthy
from stability.diagnosis.indicators import Indicators
from stability.text import rough_number

FORECASTS = {  # by word: how it is foretold, after "is likely to"
    "overflowed": "learn nothing",
    "learns": "learn",
    "slow": "learn slowly",
    "diverged": "diverge",
    "symmetric": "stay symmetric",
    "dead": "stay dead",
    "saturated": "stay saturated",
    "exploding": "stall or diverge",
    "vanishing": "stall",
    "stalled": "stall",
}
EXACT_ZERO = -200.0  # power of ten: beyond any format


def opening(evidence: Evidence, word: str, seen: Indicators | None = None) -> str:
    """Return the words that a sentence begins with: the forecast, or the word and its step."""
    if not evidence.end:
        return f"is likely to {FORECASTS[word]} under {evidence.experiment.optimizer_row.label}"
    if seen and seen is evidence.end and seen is not evidence.start:
        return f"{word} at step {seen.step}"
    return word


def loss_course(evidence: Evidence) -> str:
    verb = "fell" if evidence.learns else "went"
    first, last = rough_number(evidence.first_loss), rough_number(evidence.last_loss)
    return f"the held-out loss {verb} from {first} to {last}"


def learning_odds(evidence: Evidence) -> str:
    return f"{round(100 * evidence.probability)} of 100 such networks learn"


def broken_share(evidence: Evidence) -> str:
    """Return how many of several replicates broke, in brackets."""
    replicates = evidence.experiment.replicates
    return f" ({len(evidence.breaks)} of {replicates} replicates)" if replicates > 1 else ""


def first_break(evidence: Evidence) -> str:
    """Return where the first of the replicates left the range of numbers."""
    event = evidence.breaks[0]
    if not event.layer:
        return f"the loss is {event.value}, though every layer is still finite"
    numbers = "gradient" if event.backward else "signal"
    return f"layer {event.layer} overflowed first, its {numbers} is {event.value}"


def overshoot(evidence: Evidence) -> tuple[float, str]:
    """Return how many times too large the steps to come are, and in which respect."""
    e, step_drop = evidence.experiment, evidence.start.log_step_drop
    if step_drop > 0:
        times = 10**step_drop
        promised = f"{rough_number(times)} times the whole loss"
        return times, f"one step promises {promised}, and overshoots"
    times = e.learning_rate / e.optimizer_row.learning_rate
    return times, f"the learning rate is {rough_number(times)} times the typical one"


def divergence_cause(start: Indicators) -> str:
    """Return a sentence that blames the learning rate, or the start where something grew in it."""
    if is_healthy(start):
        return " The start was healthy: it is the learning rate, not the initialization."
    return f" From the start {layer_factor(start, max)}." if grows_with_depth(start) else ""


def grows_with_depth(seen: Indicators) -> bool:
    """True if something explodes: not a signal that grows since the first layers have faded."""
    signal_grows = seen.log_signal > HEALTHY_DECADES and seen.log_gradient > -HEALTHY_DECADES
    return seen.log_gradient > HEALTHY_DECADES or signal_grows


def layer_factor(seen: Indicators, pick: Callable[[float, float], float]) -> str:
    """Return by how much a layer multiplies the gradient or the signal.

    With `max` of the one that grows more, with `min` of the one that shrinks more.
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
