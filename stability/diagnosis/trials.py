"""The search for a cure: single changes of a sick network, each trained, and pairs of the best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from stability.diagnosis.changes import treated
from stability.diagnosis.prior import most_promising_first
from stability.diagnosis.remedies import Remedy, join_remedies
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.replicates import median_or_worst
from stability.engine.runs import Run
from stability.records.experiment import MOST_SCHEMES, Experiment

PAIRED = 4  # of the single changes that came nearest: their pairs are tried where none cures


@dataclass(frozen=True)
class Cure:
    """A remedy that was tried: the sick network, trained from the same seed on the same data."""

    remedy: Remedy
    experiment: Experiment  # that was trained: this network alone
    verdict: Verdict  # what became of it
    loss: float  # held out, after the last step; the median over the replicates

    @property
    def cures(self) -> bool:
        """True if the network learns."""
        return self.verdict.word == "learns"


def cures(e: Experiment, scheme: str) -> Iterator[Cure]:
    """Try single changes of one scheme's network, most promising first; yield each when trained.

    Changes of the initialization train in one stack. Where no single change cures, pairs of those
    that came nearest are tried. ValueError if the experiment has no such scheme.
    """
    tried: list[Cure] = []
    for group in trial_groups(e, scheme):
        for cure in try_remedies(e, scheme, group):
            tried.append(cure)
            yield cure
    if not any(cure.cures for cure in tried):
        for pair in promising_pairs(tried):
            if treated(e, scheme, pair):
                yield from try_remedies(e, scheme, [pair])


def trial_groups(e: Experiment, scheme: str) -> list[list[Remedy]]:
    """Return the single changes, those that train in one stack together, most promising first."""
    if scheme not in e.schemes:
        raise ValueError(f"scheme must be one of {', '.join(e.schemes)}, not {scheme!r}")
    remedies = most_promising_first(e, scheme)
    starts = [remedy for remedy in remedies if remedy.scheme][:MOST_SCHEMES]
    groups: list[list[Remedy]] = []
    for remedy in remedies:
        if not remedy.scheme:
            groups.append([remedy])
        elif starts and remedy == starts[0]:
            groups.append(starts)
    return groups


def try_remedies(e: Experiment, sick: str, remedies: Sequence[Remedy]) -> Iterator[Cure]:
    """Train the network under each of these remedies, which must differ in the scheme alone."""
    experiments = [changed for remedy in remedies if (changed := treated(e, sick, remedy))]
    schemes = tuple(each.schemes[0] for each in experiments)
    run = Run(replace(experiments[0], schemes=schemes)).train()
    ends = median_or_worst(run.measurements[-1].test_loss).tolist()
    yield from map(Cure, remedies, experiments, current_verdicts(run, run.last_index + 1), ends)


def promising_pairs(tried: Sequence[Cure]) -> Iterator[Remedy]:
    """Yield the pairs of the single changes that came nearest to learning, the best first."""
    nearest = sorted((cure for cure in tried if cure.loss == cure.loss), key=lambda cure: cure.loss)
    for first, second in combinations(nearest[:PAIRED], 2):
        if pair := join_remedies(first.remedy, second.remedy):
            yield pair
