"""One verdict per scheme: a word, the number that decided, a sentence, and a remedy.

Before training it is a forecast, and says "probably"; after it a finding. A network learns if its
held-out loss ends below half of what guessing costs, and learns slowly if below 0.9 of it.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.evidence import Evidence, evidence_before_training, evidence_of_run
from stability.diagnosis.faults import faults_of
from stability.diagnosis.finding import Finding
from stability.diagnosis.findings import decide
from stability.diagnosis.prior import PATIENCE, ranked_changes
from stability.diagnosis.reasons import as_sentence
from stability.diagnosis.remedies import (
    Remedy,
    have_similar_variance,
    settings_remedy,
    shortens_steps,
)
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import join_sentences, join_words

FIRST_SENTENCE = re.compile(r"(?<=\.) |(?<=。)")


@dataclass(frozen=True)
class Verdict:
    """`number` decided, and `sentence` says what it is. `forecast`: before training.

    `word` is one of EXPLANATIONS, a key in English.
    """

    scheme: str
    word: str
    number: float
    forecast: bool
    evidence: Evidence = field(repr=False, compare=False)
    finding: Finding = field(repr=False, compare=False)

    @property
    def sentence(self) -> str:
        """The reason for the word, in the reader's language, beginning with the network as it."""
        finding = with_faults(decide(self.evidence), self.evidence.experiment)
        return join_sentences(finding.sentence, learning_siblings(self.evidence))

    @cached_property
    def remedy(self) -> Remedy | None:
        """The change to try first; None for a network that learns.

        Changed networks are drawn and their first step measured for that, at the first reading.
        """
        return None if self.word == "learns" else first_suggestion(self.evidence, self.finding)


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
    finding = with_faults(decide(evidence), evidence.experiment)
    number, is_forecast = float(finding.number), not evidence.end
    return Verdict(evidence.scheme, finding.word, number, is_forecast, evidence, finding)


def with_faults(finding: Finding, e: Experiment) -> Finding:
    """Return the finding with the faults that may be its cause, which are repaired first.

    They stand behind its first sentence, before the symptoms.
    """
    if finding.word == "learns":
        return finding
    found = list(faults_of(e))
    # The first full stop, that of the Chinese included, which no space follows.
    happened, *symptoms = FIRST_SENTENCE.split(finding.sentence, maxsplit=1)
    causes = (as_sentence(clause) for _fault, clause in found)
    sentence = join_sentences(happened, *causes, *symptoms)
    repairs = tuple(fault.repair for fault, _clause in found)
    return replace(finding, sentence=sentence, cure=repairs + finding.cure)


def learning_siblings(evidence: Evidence) -> str:
    """Return which schemes beside this one have learned, as a sentence; nothing if none has."""
    titles = [scheme_title(scheme) for scheme in evidence.learning_siblings]
    if evidence.learns or not titles:
        return ""
    if len(titles) > 2:
        sentence = _("With {count} other initializations here, the same network learns.")
        return sentence.format(count=len(titles))
    sentence = _("With {schemes}, the same network learns.")
    return sentence.format(schemes=join_words(titles, "or"))


def first_suggestion(evidence: Evidence, finding: Finding) -> Remedy | None:
    """Return what to try first: what removes a certain cause, else the likeliest single change.

    Patience is suggested only where the loss still falls, a scheme only where no like is shown.
    """
    e = evidence.experiment
    for settings in finding.cure:
        remedy = settings_remedy(e, **settings)
        if remedy.apply(e, evidence.scheme) != e:
            return remedy
    for change, remedy in ranked_changes(e, evidence.scheme):
        if finding.needs_other_start and not remedy.scheme:
            continue
        if finding.needs_shorter_steps and not shortens_steps(e, remedy):
            continue
        if change == PATIENCE and not evidence.is_falling:
            continue
        if remedy.scheme and any(have_similar_variance(e, s, remedy.scheme) for s in e.schemes):
            continue
        if remedy.apply(e, evidence.scheme) != e:
            return remedy
    return None
