"""The clauses of which the sentences of verdicts are made: plain words for evidence."""

import math
from typing import NamedTuple

from stability.diagnosis.evidence import HEALTHY_DECADES, HIGH_START, Evidence
from stability.diagnosis.indicators import Indicators
from stability.diagnosis.remedies import FAST
from stability.i18n import N_, _, ngettext
from stability.text import exact_number, number, percent, rough_number

TOO_LONG = 0.3  # power of ten: on a parabola, a step of twice the loss just reaches the bottom
EXACT_ZERO = -200.0  # power of ten: beyond any format
LITTLE = 0.5  # of the loss: what promises less will hardly do
NOTICED = 0.05  # of the loss: a drop that is no noise
NOTABLE = 0.5  # power of ten, end to end, from which a factor is worth a clause


def loss_course(evidence: Evidence) -> str:
    """Return how the held-out loss went, and what guessing gives."""
    losses = evidence.first_loss, evidence.last_loss, evidence.guessing_loss
    first, last, guessing = map(number, losses)
    if evidence.learns or evidence.is_slow:
        course = _("the held-out loss fell from {first} to {last} (guessing: {guessing})")
        return course.format(first=first, last=last, guessing=guessing)
    course = _("the held-out loss is {last}, hardly better than guessing ({guessing})")
    if evidence.relative_loss > 1.1 or math.isnan(evidence.relative_loss):
        course = _("the held-out loss is {last}, worse than guessing ({guessing})")
    if first != last:
        guessing = _("{guessing}; it began at {first}").format(guessing=guessing, first=first)
    return course.format(last=last, guessing=guessing)


def learned_share(evidence: Evidence) -> str:
    """Return how many replicates learned, as a sentence; nothing if there is one."""
    count, learned = evidence.experiment.replicates, evidence.learned_replicates
    if count == 1 or not evidence.end:
        return ""
    if learned == count:
        return _("All {count} replicates learn.").format(count=count)
    if not learned:
        return _("No replicate learns.")
    some = ngettext(
        "{learned} of {count} replicates learns.", "{learned} of {count} replicates learn.", learned
    )
    return some.format(learned=learned, count=count)


# How many of a hundred such networks do something: one of them, and any other number.
THAT_DO = N_("{count} of 100 such networks does"), N_("{count} of 100 such networks do")
THAT_LEARN = N_("{count} of 100 such networks learns"), N_("{count} of 100 such networks learn")
THAT_LEARN_SLOWLY = N_("{count} learns slowly"), N_("{count} learn slowly")


def odds(share: float, clauses: tuple[str, str] = THAT_DO) -> str:
    """Return how many of a hundred do what the clauses say; none and all are not foretold."""
    count = str(round(100 * share)) if 0.005 <= share < 0.995 else _("more than 99")
    count = count if share >= 0.005 else _("fewer than 1")
    one, many = clauses
    return _(one if count == "1" else many).format(count=count)


class Trend(NamedTuple):
    """The course of a quantity from the first hidden layer to the last, or back."""

    name: str
    decades: float  # end to end
    factor: float  # of one hidden layer


def shrinking(seen: Indicators) -> Trend:
    """Return what shrinks most; the signal before the difference between examples, its cause."""
    spread = seen.log_spread if seen.log_spread < seen.log_signal - 0.3 else math.inf
    return min(
        Trend(N_("gradient"), seen.log_gradient, seen.gradient_factor),
        Trend(N_("signal"), seen.log_signal, seen.signal_factor),
        Trend(N_("difference between examples"), spread, seen.spread_factor),
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
    quantity, factor = _(trend.name), number(trend.factor)
    if trend.decades < EXACT_ZERO:
        clause = _("the {quantity} shrinks to exactly 0 within {depth} layers")
        return clause.format(quantity=quantity, depth=seen.depth)
    if seen.transitions < 2:
        clause = _("each hidden layer multiplies the {quantity} by {factor}")
        return clause.format(quantity=quantity, factor=factor)
    clause = _(
        "each hidden layer multiplies the {quantity} by {factor}, from end to end by {total}"
    )
    return clause.format(quantity=quantity, factor=factor, total=rough_number(10**trend.decades))


def break_clause(evidence: Evidence) -> str:
    """Return where the first of the replicates left the range of numbers."""
    event = evidence.breaks[0]
    if not event.layer:
        if event.value == "inf" and not event.step:
            clause = _("the loss overflows ({value}), as the outputs are about {size}")
            size = rough_number(10**evidence.start.log_output)
            return clause.format(value=event.value, size=size)
        clause = _("the loss is {value}, though every layer is still finite")
        return clause.format(value=event.value)
    clause = _("the {quantity} of layer {layer} is not a number ({value})")
    if event.value == "inf":
        clause = _("the {quantity} of layer {layer} overflows ({value})")
    quantity = _("gradient") if event.backward else _("signal")
    return clause.format(quantity=quantity, layer=event.layer, value=event.value)


def break_count(evidence: Evidence) -> str:
    """Return how many replicates broke, where there are several."""
    replicates = evidence.experiment.replicates
    where = _(" in {count} of {replicates} replicates")
    where = where.format(count=len(evidence.breaks), replicates=replicates)
    return where if replicates > 1 else ""


def overshoot(evidence: Evidence) -> str:
    """Return how many times too large the coming steps are; nothing where they are not."""
    e, step_drop = evidence.experiment, evidence.start.log_step_drop
    if step_drop > TOO_LONG:
        clause = _(
            "a step is too long: at the initial slope it would take {times} times the whole loss"
        )
        return clause.format(times=rough_number(10**step_drop))
    times_typical = e.learning_rate / e.optimizer_row.learning_rate
    if times_typical < FAST:
        return ""
    clause = _("the learning rate is {times} times the typical one of {optimizer}")
    return clause.format(times=rough_number(times_typical), optimizer=e.optimizer_row.label)


def high_start(evidence: Evidence) -> str:
    """Return that the first loss is far above guessing, and why; nothing where it is not."""
    seen = evidence.start
    if not seen.relative_loss > HIGH_START:
        return ""
    row, size = evidence.experiment.dataset_row, 10**seen.log_output
    why = _("the outputs are too large (RMS {size})")
    if row.classes:
        why = _("the logits are too large (RMS {size})")
    elif size < row.scaling.target_size:
        why, size = _("the targets are far from 0 (RMS {size})"), row.scaling.target_size
    clause = _("the first held-out loss is {loss}, far above guessing ({guessing}), because {why}")
    return clause.format(
        loss=rough_number(evidence.first_loss),
        guessing=number(evidence.guessing_loss),
        why=why.format(size=rough_number(size)),
    )


def small_promise(evidence: Evidence) -> str:
    """Return that all steps together promise little; nothing where they promise or did more."""
    promised = 10**evidence.start.log_predicted_drop
    done = 1 - evidence.last_loss / evidence.first_loss if evidence.end else math.nan
    if not promised < LITTLE or done > max(promised, NOTICED):
        return ""
    clause = _("at the initial slope, all {steps} steps together would lower the loss by {share}")
    if is_clipped_hard(evidence):
        clause = _(
            "clipping at {clip} leaves {left} of the gradient: at the initial slope, all {steps} "
            "steps together would lower the loss by {share}"
        )
    return clause.format(
        steps=evidence.experiment.steps,
        share=only(promised),
        clip=exact_number(evidence.experiment.clip),
        left=only(evidence.start.clipped_share),
    )


def only(share: float) -> str:
    """Return a small share in words."""
    if share < 0.005:
        return _("less than 1 %")
    return _("only {share}").format(share=percent(share))


def is_clipped_hard(evidence: Evidence) -> bool:
    """Return True if the steps promise little, and would promise much if nothing were clipped."""
    start = evidence.start
    promised = 10**start.log_predicted_drop
    return promised < LITTLE < promised / max(start.clipped_share, 1e-300)
