"""One verdict per scheme: a word, the number that decided, a sentence, and a remedy.

Before training it is a forecast, and says "is likely to"; after it a finding. To learn is to halve
the held-out loss.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from stability.diagnosis.evidence import (
    Evidence,
    evidence_after_training,
    evidence_before_training,
    evidence_during_training,
)
from stability.diagnosis.findings import decide
from stability.diagnosis.forecast import learning_probability
from stability.diagnosis.indicators import scheme_indicators
from stability.diagnosis.remedies import Remedy
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.records.experiment import Experiment

CLEARLY_BETTER = 0.1  # of such networks: forecasts that differ by less are alike


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


def verdicts_after_training(run: Run, count: int) -> list[Verdict]:
    """Return what has become of the schemes in the first `count` measurements, in their order."""
    return [judge(evidence) for evidence in evidence_after_training(run, count)]


def current_verdicts(run: Run, count: int) -> list[Verdict]:
    """Return what is known after the first `count` measurements.

    These are findings once all steps are taken, and of a scheme that has diverged at once; until
    then they are forecasts.
    """
    if count > run.experiment.steps:
        return verdicts_after_training(run, count)
    return [judge(evidence) for evidence in evidence_during_training(run, count)]


def judge(evidence: Evidence) -> Verdict:
    """Return the verdict, with the remedy chosen."""
    finding, sentence = decide(evidence)
    remedy, number = choose_remedy(finding.remedies, evidence), float(finding.number)
    return Verdict(evidence.scheme, finding.word, sentence, number, remedy, not evidence.end)


def choose_remedy(candidates: Iterable[Remedy], evidence: Evidence) -> Remedy | None:
    """Return the first candidate that changes anything, or None.

    One normalization is exchanged for another only if that is forecast to be clearly better: behind
    each gradients may explode. Only then a network is drawn for it, and its first step measured.
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
    """Return the probability that the scheme learns, by measuring its first step.

    That costs as much as one step of a run; it is remembered, since every draw of a page asks.
    """
    alone = replace(e, schemes=(scheme,))
    return learning_probability(alone, scheme_indicators(alone, next(measure(alone)))[0])
