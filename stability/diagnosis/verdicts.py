"""One verdict a scheme: a word, the number that decided, and a remedy.

Before training it is a forecast, and says "is likely to"; after it a finding. To learn is to halve the held-out loss. The
rows of VERDICTS are asked in their order, and the first that holds is the verdict.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from stability.diagnosis.evidence import HEALTHY_DECADES, Evidence, evidence_before_training, evidence_after_training, is_healthy, evidence_during_training
from stability.diagnosis.forecast import learning_probability
from stability.diagnosis.indicators import Indicators, scheme_indicators
from stability.diagnosis.remedies import (
    Remedy,
    suggest_better_start,
    first_effective_remedy,
    suggest_larger_steps,
    suggest_living_units,
    suggest_more_steps,
    suggest_random_start,
    suggest_smaller_steps,
)
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.text import percent

GONE = -200.0  # power of ten: beyond any format, so an exact zero
FLAT = 1.0  # power of ten: weight gradients within it look flat in a chart
SATURATED = 0.3  # of the hidden units, beyond what is flat by design: in ten layers 97 % of all paths back meet a flat one
DEAD = 0.9  # of a layer's units: what is left is too narrow for the data
ALIKE = 0.9  # of the hidden layers, from the first on: the very last may differ by rounding

BETTER = 0.1  # of such networks: forecasts that differ by less are alike
AMPLE = 1.0  # power of ten: gradients turn on the way, so all steps together should promise ten times the loss


@dataclass(frozen=True)
class Verdict:
    """`number` is the one that decided; `sentence` says what it is. `forecast`: before training."""

    scheme: str
    word: str
    sentence: str
    number: float
    remedy: Remedy | None
    forecast: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """A verdict: after training it reads `word` + `because`, before it "is likely to" + `fate` + `because`.

    `holds`, `number` and `because` see the case and its signs at one stage; `remedies` are candidates, the best first.
    """

    word: str
    fate: str
    holds: Callable[[Evidence, Indicators], bool]
    number: Callable[[Evidence, Indicators], float]
    because: Callable[[Evidence, Indicators], str]
    remedies: Callable[[Evidence, Indicators], Iterator[Remedy]]
    dated: bool = True  # whether it says at which step, when it came by training

    def verdict(self, case: Evidence, s: Indicators) -> Verdict:
        under = f"is likely to {self.fate} under {case.experiment.optimizer_row.label}"
        at = f" at step {s.step}" if self.dated and s is case.end and s is not case.start else ""
        sentence = (self.word + at if case.end else under) + self.because(case, s) + "."
        remedy = first_effective_remedy(self.remedies(case, s), case.experiment, case.scheme)
        return Verdict(case.scheme, self.word, sentence, float(self.number(case, s)), remedy, not case.end)


def size(value: float) -> str:
    """A number in a sentence: 2.8, 4e-9, 10^14."""
    if value and math.isfinite(value) and not 1e-12 < abs(value) < 1e6:
        return f"10^{round(math.log10(abs(value)))}"
    return f"{float(f'{value:.2g}'):g}".replace("e-0", "e-")  # 140, not 1.4e+02


def first_break(case: Evidence) -> str:
    """Where the first of the replicates left the range of numbers."""
    event, replicates = case.breaks[0], case.experiment.replicates
    who = "" if replicates == 1 else f" ({len(case.breaks)} of {replicates} replicates)"
    what = "gradient" if event.backward else "signal"
    where = f"layer {event.layer} overflowed first, its {what} is {event.value}"
    return f"{who}: " + (where if event.layer else f"the loss is {event.value}, though every layer is still finite")


def course(case: Evidence) -> str:
    verb = "fell" if case.learns else "went"
    return f"the held-out loss {verb} from {size(case.first_loss)} to {size(case.last_loss)}"


def divergence(case: Evidence, s: Indicators) -> str:
    if not case.end:
        return f": {excess(case)}. The start is healthy: it is the learning rate, not the initialization"
    if not case.breaks:
        return f": {course(case)}{blame(case.start)}"
    return f" at step {case.breaks[0].step}{first_break(case)}{blame(case.start)}"


def excess(case: Evidence) -> str:
    """What is too large about the steps to come."""
    if case.start.log_step_drop > 0:
        return f"one step promises {size(too_much(case))} times the whole loss, and overshoots"
    return f"the learning rate is {size(too_much(case))} times the typical one"


def too_much(case: Evidence) -> float:
    e = case.experiment
    return 10**case.start.log_step_drop if case.start.log_step_drop > 0 else e.learning_rate / e.optimizer_row.learning_rate


def first_sight(case: Evidence) -> float:
    """The step at which it broke, or how much is left of the loss; in a forecast, how much too large the steps are."""
    if case.breaks:
        return case.breaks[0].step
    return case.remaining_loss if case.end else too_much(case)


def blame(s: Indicators) -> str:
    """Of divergence: the learning rate, where the start was healthy; the start, where something grew through the depth."""
    if is_healthy(s):
        return ". The start was healthy: it is the learning rate, not the initialization"
    return f". From the start {growth(s, max)}" if grows(s) else ""


def grows(s: Indicators) -> bool:
    """A signal that grows only because the first layers have faded is none that explodes."""
    return s.log_gradient > HEALTHY_DECADES or (s.log_signal > HEALTHY_DECADES and s.log_gradient > -HEALTHY_DECADES)


def growth(s: Indicators, most: Callable[[float, float], float]) -> str:
    """By how much a layer multiplies the gradient or the signal: `max` takes what grows more, `min` what shrinks more."""
    back = most(s.log_gradient, s.log_signal) == s.log_gradient
    what, factor, whole = ("gradient", s.gradient_factor, s.log_gradient) if back else ("signal", s.signal_factor, s.log_signal)
    if whole < GONE:
        return f"the {what} shrinks to exactly 0 within {s.depth} layers"
    return f"each layer multiplies the {what} by {size(factor)}; {s.depth - 1} layers make {size(10**whole)}"


def shrinkage(case: Evidence, s: Indicators) -> str:
    if s.log_signal < -HEALTHY_DECADES and s.log_weight_gradient < FLAT:
        return f" although the weight gradients look flat: from the start the signal shrinks to {size(s.signal[-1])}"
    return f": {growth(s, min)}"


def lack(case: Evidence, s: Indicators) -> str:
    """Why a network does not learn that shows no disease."""
    if case.end:
        return f": {course(case)}, and did not halve"
    if case.start.log_step_drop > 0:
        return f": {excess(case)}; {odds(case)}"
    e, share = case.experiment, 10**case.start.log_predicted_drop
    if share < 1:
        return f": the gradient promises {percent(share)} of the loss in {e.steps} steps; {odds(case)}"
    return f": the start shows no disease, but only {odds(case)} in {e.steps} steps"


def odds(case: Evidence) -> str:
    return f"{round(100 * case.probability)} of 100 such networks learn"


def after_divergence(case: Evidence, s: Indicators) -> Iterator[Remedy]:
    if not is_healthy(case.start):
        yield from start_anew(case, s)
    yield from suggest_smaller_steps(case.experiment, max(1.0, min(4.0, case.start.log_step_drop)))


def after_stalling(case: Evidence, s: Indicators) -> Iterator[Remedy]:
    """Smaller steps where one promises more than the whole loss, larger ones where all promise too little; else patience."""
    if case.start.log_step_drop > 0:
        yield from suggest_smaller_steps(case.experiment)
    if case.start.log_predicted_drop < AMPLE:
        yield from suggest_larger_steps(case.experiment, min(AMPLE - case.start.log_predicted_drop, -case.start.log_step_drop, 2))
    yield from suggest_more_steps(case.experiment)


def start_anew(case: Evidence, s: Indicators) -> Iterator[Remedy]:
    """Another normalization than there is only where the forecast is better with it: behind each, gradients may explode."""
    e = case.experiment
    for remedy in suggest_better_start(e, case.scheme):
        exchanged = e.normalization_row.has_gain and "normalization" in dict(remedy.settings)
        if not exchanged or probability_of_learning_alone(remedy.apply(e, case.scheme), case.scheme) > case.probability + BETTER:
            yield remedy


@lru_cache(maxsize=64)
def probability_of_learning_alone(e: Experiment, scheme: str) -> float:
    """The share of such networks that learn, from a first measurement made for this."""
    alone = replace(e, schemes=(scheme,))
    return learning_probability(alone, scheme_indicators(alone, next(measure(alone)))[0])


VERDICTS = (
    Row(
        word="overflowed", fate="learn nothing", holds=lambda case, s: not case.start.is_finite,
        number=lambda case, s: case.breaks[0].layer, remedies=start_anew,
        because=lambda case, s: f" before the first step{first_break(case)}",
    ),
    Row(
        word="learns", fate="learn", holds=lambda case, s: case.learns and case.beats_guessing,
        number=lambda case, s: case.remaining_loss if case.end else case.probability,
        because=lambda case, s: f": {course(case) if case.end else odds(case)}", remedies=lambda case, s: iter(()),
    ),
    Row(
        word="slow", fate="learn slowly", holds=lambda case, s: case.learns,
        number=lambda case, s: case.last_loss / case.experiment.dataset_row.guessing_loss,
        because=lambda case, s: f": {course(case)}, while guessing gives {size(case.experiment.dataset_row.guessing_loss)}",
        remedies=lambda case, s: suggest_more_steps(case.experiment),
    ),
    Row(
        word="diverged", fate="diverge", holds=lambda case, s: case.diverges, because=divergence, remedies=after_divergence,
        number=lambda case, s: first_sight(case),
    ),
    Row(
        word="symmetric", fate="stay symmetric", number=lambda case, s: s.symmetric_layers,
        holds=lambda case, s: case.experiment.width > 1 and s.symmetric_layers >= max(1, ALIKE * (s.depth - 1)),
        because=lambda case, s: f": all units of a layer start as copies of one, in {s.symmetric_layers} of {s.depth - 1} hidden layers",
        remedies=lambda case, s: suggest_random_start(case.experiment, case.scheme),
    ),
    Row(
        word="dead", fate="stay dead", holds=lambda case, s: s.dead >= DEAD, number=lambda case, s: s.dead,
        because=lambda case, s: f": a layer has {percent(s.dead)} of its units flat on the whole batch",
        remedies=lambda case, s: suggest_living_units(case.experiment),
    ),
    Row(
        word="saturated", fate="stay saturated", holds=lambda case, s: s.saturated >= SATURATED, remedies=start_anew,
        number=lambda case, s: s.saturated,
        because=lambda case, s: f": {percent(s.saturated)} of the hidden units sit where {case.experiment.phi.label} is flat",
    ),
    Row(
        word="exploding", fate="stall or diverge", holds=lambda case, s: grows(s),
        number=lambda case, s: max(s.gradient_factor, s.signal_factor), remedies=start_anew,
        because=lambda case, s: f": {growth(s, max)}",
    ),
    Row(
        word="vanishing", fate="stall", holds=lambda case, s: min(s.log_gradient, s.log_signal) < -HEALTHY_DECADES,
        number=lambda case, s: min(s.gradient_factor, s.signal_factor), because=shrinkage, remedies=start_anew,
    ),
    Row(
        word="stalled", fate="stall", dated=False, because=lack, remedies=after_stalling,
        holds=lambda case, s: s is case.stages[-1],  # after all diseases, those of the end too
        number=lambda case, s: case.remaining_loss if case.end else 10**s.log_predicted_drop,
    ),
)  # fmt: skip


def judged(case: Evidence) -> Verdict:
    """The first row that holds, at the start or else at the end: a disease at the start is the cause of others."""
    return next(row.verdict(case, s) for s in case.stages for row in VERDICTS if row.holds(case, s))


def verdicts_before_training(experiment: Experiment, first: Measurement) -> list[Verdict]:
    """What is likely, from the measurement at step 0 alone; in the order of the schemes."""
    return [judged(case) for case in evidence_before_training(experiment, first, scheme_indicators(experiment, first))]


def verdicts_after_training(run: Run, count: int) -> list[Verdict]:
    """What has become of the schemes in the first `count` measurements, in their order."""
    return [judged(case) for case in evidence_after_training(run, count)]


def current_verdicts(run: Run, count: int) -> list[Verdict]:
    """The findings once all steps are taken, and of a scheme that has diverged at once; until then forecasts."""
    return verdicts_after_training(run, count) if count > run.experiment.steps else [judged(case) for case in evidence_during_training(run, count)]
