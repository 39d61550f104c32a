"""One verdict per scheme: a word, the number that decided, a sentence, and a remedy.

Before training it is a forecast, and says "is likely to"; after it a finding. A network learns if
it halves its held-out loss.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from stability.diagnosis.evidence import Evidence, evidence_before_training, evidence_of_run
from stability.diagnosis.findings import decide
from stability.diagnosis.forecast import learning_probability
from stability.diagnosis.indicators import scheme_indicators
from stability.diagnosis.remedies import Remedy
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.records.experiment import Experiment

CLEARLY_BETTER = 0.1  # difference of probabilities; forecasts that differ by less count as equal


@dataclass(frozen=True)
class Verdict:
    """`number` decided, and `sentence` says what it is. `forecast`: before training."""

    scheme: str
    word: str
    sentence: str
    number: float
    remedy: Remedy | None
    forecast: bool


def forecast(experiment: Experiment) -> list[Verdict]:
    """Return what is likely before training, in the order of the schemes."""
    return verdicts_before_training(experiment, next(measure(experiment)))


def verdicts_before_training(experiment: Experiment, first: Measurement) -> list[Verdict]:
    """Return what is likely, from the measurement at step 0 alone; in the order of the schemes."""
    return [judge(evidence) for evidence in evidence_before_training(experiment, first)]


def current_verdicts(run: Run, count: int) -> list[Verdict]:
    """Return what is known after the first `count` measurements, in the order of the schemes.

    These are findings once all steps are taken, and for a scheme as soon as it has diverged; until
    then they are forecasts.
    """
    return [judge(evidence) for evidence in evidence_of_run(run, count)]


def judge(evidence: Evidence) -> Verdict:
    """Return the verdict on this evidence."""
    finding, sentence = decide(evidence)
    remedy, number = choose_remedy(finding.remedies, evidence), float(finding.number)
    return Verdict(evidence.scheme, finding.word, sentence, number, remedy, not evidence.end)


def choose_remedy(candidates: Iterable[Remedy], evidence: Evidence) -> Remedy | None:
    """Return the first candidate that changes anything, or None.

    One normalization is exchanged for another only if that is forecast to be clearly better, since
    gradients may explode behind each of them. Only for this forecast a network is drawn, and its
    first step measured.
    """
    e, scheme = evidence.experiment, evidence.scheme
    for remedy in candidates:
        cured = remedy.apply(e, scheme)
        if cured == e:
            continue
        exchanges = e.normalization_row.has_gain and "normalization" in dict(remedy.settings)
        enough = evidence.probability + CLEARLY_BETTER
        if exchanges and probability_from_first_step(cured, scheme) <= enough:
            continue
        return remedy
    return None


@lru_cache(maxsize=64)
def probability_from_first_step(e: Experiment, scheme: str) -> float:
    """Return the probability that the scheme learns, from its first step, which is measured.

    That costs as much as one step of a run; it is cached, since every redraw of the page asks for
    it.
    """
    alone = replace(e, schemes=(scheme,))
    return learning_probability(alone, scheme_indicators(alone, next(measure(alone)))[0])
