"""The clauses of which the sentences of verdicts are made: plain words for evidence."""

import math
from typing import NamedTuple

from stability.diagnosis.evidence import HEALTHY_DECADES, HIGH_START, Evidence
from stability.diagnosis.indicators import Indicators
from stability.text import number, percent, rough_number

TOO_LONG = 0.3  # power of ten: on a parabola, a step of twice the loss just reaches the bottom
EXACT_ZERO = -200.0  # power of ten: beyond any format
LITTLE = 0.5  # of the loss: what promises less will hardly do
NOTICED = 0.05  # of the loss: a drop that is no noise
NOTABLE = 0.5  # power of ten, end to end, from which a factor is worth a clause


def loss_course(evidence: Evidence) -> str:
    """Return how the held-out loss went, and what guessing gives."""
    first, last, guessing = map(
        number, (evidence.first_loss, evidence.last_loss, evidence.guessing_loss)
    )
    if evidence.learns or evidence.is_slow:
        return f"the held-out loss fell from {first} to {last} (guessing: {guessing})"
    began = f"; it began at {first}" if first != last else ""
    if evidence.relative_loss > 1.1 or math.isnan(evidence.relative_loss):
        return f"the held-out loss is {last}, worse than guessing ({guessing}{began})"
    return f"the held-out loss is {last}, hardly better than guessing ({guessing}{began})"


def learned_share(evidence: Evidence) -> str:
    """Return how many replicates learned, as a sentence; nothing if there is one."""
    count, learned = evidence.experiment.replicates, evidence.learned_replicates
    if count == 1 or not evidence.end:
        return ""
    if learned in (0, count):
        return f" All {count} replicates learn." if learned else " No replicate learns."
    return f" {learned} of {count} replicates {'learns' if learned == 1 else 'learn'}."


def odds(share: float, verb: str = "do") -> str:
    """Return how many of a hundred such networks do what the verb says."""
    return hundredths(share, "of 100 such networks", verb)


def hundredths(share: float, of: str, verb: str) -> str:
    """Return how many of a hundred do what the verb says; none and all are not foretold."""
    count = str(round(100 * share)) if 0.005 <= share < 0.995 else "more than 99"
    count = count if share >= 0.005 else "fewer than 1"
    singular = {"do": "does"}.get(verb, f"{verb}s")
    return " ".join(filter(None, (count, of, singular if count == "1" else verb)))


class Trend(NamedTuple):
    """The course of a quantity from the first hidden layer to the last, or back."""

    name: str
    decades: float  # end to end
    factor: float  # of one hidden layer


def shrinking(seen: Indicators) -> Trend:
    """Return what shrinks most; the signal before the difference between examples, its cause."""
    spread = seen.log_spread if seen.log_spread < seen.log_signal - 0.3 else math.inf
    return min(
        Trend("gradient", seen.log_gradient, seen.gradient_factor),
        Trend("signal", seen.log_signal, seen.signal_factor),
        Trend("difference between examples", spread, seen.spread_factor),
        key=lambda trend: trend.decades,
    )


def growing(seen: Indicators) -> Trend:
    """Return what grows most; a signal that only recovers from fading does not count."""
    signal = seen.log_signal if seen.log_gradient > -HEALTHY_DECADES else -math.inf
    return max(
        Trend("gradient", seen.log_gradient, seen.gradient_factor),
        Trend("signal", signal, seen.signal_factor),
        key=lambda trend: trend.decades,
    )


def notable_factor(seen: Indicators) -> str:
    """Return the clause about what changes most from end to end; nothing if all is level."""
    less, more = shrinking(seen), growing(seen)
    trend = less if -less.decades >= more.decades else more
    return factor_clause(seen, trend) if abs(trend.decades) > NOTABLE else ""


def factor_clause(seen: Indicators, trend: Trend) -> str:
    """Return by how much a hidden layer multiplies a quantity, and all of them together."""
    if trend.decades < EXACT_ZERO:
        return f"the {trend.name} shrinks to exactly 0 within {seen.depth} layers"
    clause = f"each hidden layer multiplies the {trend.name} by {number(trend.factor)}"
    if seen.transitions < 2:
        return clause
    return f"{clause}, and {seen.transitions} in a row by {rough_number(10**trend.decades)}"


def break_clause(evidence: Evidence) -> str:
    """Return where the first of the replicates left the range of numbers."""
    event = evidence.breaks[0]
    if not event.layer:
        return f"the loss is {event.value}, though every layer is still finite"
    numbers = "gradient" if event.backward else "signal"
    happened = "overflows" if event.value == "inf" else "is not a number"
    return f"the {numbers} of layer {event.layer} {happened} ({event.value})"


def break_count(evidence: Evidence) -> str:
    """Return how many replicates broke, where there are several."""
    replicates = evidence.experiment.replicates
    return f" in {len(evidence.breaks)} of {replicates} replicates" if replicates > 1 else ""


def overshoot(evidence: Evidence) -> str:
    """Return how many times too large the coming steps are; nothing where they are not."""
    e, step_drop = evidence.experiment, evidence.start.log_step_drop
    if step_drop > TOO_LONG:
        times = rough_number(10**step_drop)
        return (
            f"a step is too long: at the initial slope it would take {times} times the whole loss"
        )
    times_typical = e.learning_rate / e.optimizer_row.learning_rate
    if times_typical < 3:
        return ""
    label = e.optimizer_row.label
    return f"the learning rate is {rough_number(times_typical)} times the typical one of {label}"


def high_start(evidence: Evidence) -> str:
    """Return that the first loss is far above guessing, and why; nothing where it is not."""
    seen = evidence.start
    if not seen.relative_loss > HIGH_START:
        return ""
    row, size = evidence.experiment.dataset_row, 10**seen.log_output
    why = f"the {'logits' if row.classes else 'outputs'} are too large (RMS {rough_number(size)})"
    if not row.classes and size < row.scaling.target_size:
        why = f"the targets are far from 0 (RMS {rough_number(row.scaling.target_size)})"
    return (
        f"the first held-out loss is {rough_number(evidence.first_loss)}, far above guessing "
        f"({number(evidence.guessing_loss)}), because {why}"
    )


def promises_nothing(evidence: Evidence) -> bool:
    """Return True if, to first order, all steps together hardly change the loss."""
    return 10**evidence.start.log_predicted_drop < NOTICED


def small_promise(evidence: Evidence) -> str:
    """Return that all steps together promise little; nothing where they promise or did more."""
    promised = 10**evidence.start.log_predicted_drop
    done = 1 - evidence.last_loss / evidence.first_loss if evidence.end else math.nan
    if not promised < LITTLE or done > max(promised, NOTICED):
        return ""
    share = percent(promised) if promised >= 0.005 else "less than 1 %"
    return (
        f"at the initial slope, all {evidence.experiment.steps} steps together would lower the "
        f"loss by only {share}"
    )
