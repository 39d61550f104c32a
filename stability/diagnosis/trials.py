"""The search for a cure: single changes of a sick network, each trained, and pairs of the best."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from stability.diagnosis.changes import alone, treated
from stability.diagnosis.prior import most_promising_first
from stability.diagnosis.remedies import Remedy, join_remedies
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.cost import Cost, training_cost
from stability.engine.replicates import median_or_worst
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.records.experiment_settings import MOST_SCHEMES

PAIRED = 4  # of the single changes that came nearest: their pairs are tried where none cures
MOST_PAIRS = math.comb(PAIRED, 2)


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


@dataclass(frozen=True)
class SickNetwork:
    """An experiment of one scheme, for which a cure is searched."""

    experiment: Experiment

    @classmethod
    def of(cls, e: Experiment, scheme: str) -> "SickNetwork":
        """Return the network of one scheme: it is the same whatever stands beside it."""
        return cls(alone(e, scheme))

    @property
    def scheme(self) -> str:
        """The one scheme."""
        return self.experiment.schemes[0]

    @cached_property
    def groups(self) -> list[list[Remedy]]:
        """The single changes to try; those of a group train in one stack."""
        return group_remedies(most_promising_first(self.experiment, self.scheme))

    @property
    def change_count(self) -> int:
        """The number of single changes."""
        return sum(map(len, self.groups))

    @cached_property
    def cost(self) -> Cost:
        """The cost of all single changes and, as if none cured, of pairs like the costliest."""
        costs = [training_cost(self.stack(group)[0]) for group in self.groups]
        most = [max((getattr(cost, name) for cost in costs), default=0)
                for name in ("calls", "operations", "bytes", "products")]  # fmt: skip
        return Cost(
            calls=sum(cost.calls for cost in costs) + MOST_PAIRS * most[0],
            operations=sum(cost.operations for cost in costs) + MOST_PAIRS * most[1],
            bytes=most[2],
            products=sum(cost.products for cost in costs) + MOST_PAIRS * most[3],
        )

    def stack(self, remedies: Sequence[Remedy]) -> tuple[Experiment, list[Experiment]]:
        """Return the experiment that trains these remedies at once, and that of each alone."""
        changed = [treated(self.experiment, self.scheme, remedy) for remedy in remedies]
        each = [experiment for experiment in changed if experiment]
        schemes = tuple(experiment.schemes[0] for experiment in each)
        return replace(each[0], schemes=schemes), each


def cures(e: Experiment, scheme: str) -> Iterator[Cure]:
    """Try single changes of one scheme's network, most promising first; yield each when trained.

    Changes of the initialization train in one stack. Where no single change cures, pairs of those
    that came nearest are tried. ValueError if the experiment has no such scheme.
    """
    if scheme not in e.schemes:
        raise ValueError(f"scheme must be one of {', '.join(e.schemes)}, not {scheme!r}")
    yield from filter(None, search_cures(SickNetwork.of(e, scheme)))


def search_cures(sick: SickNetwork) -> Iterator[Cure | None]:
    """Yield what `cures` yields, and None after each step of training."""
    tried: list[Cure] = []
    for group in sick.groups:
        for cure in train_remedies(sick, group):
            if cure:
                tried.append(cure)
            yield cure
    if not any(cure.cures for cure in tried):
        for pair in promising_pairs(tried):
            if treated(sick.experiment, sick.scheme, pair):
                yield from train_remedies(sick, [pair])


def train_remedies(sick: SickNetwork, remedies: Sequence[Remedy]) -> Iterator[Cure | None]:
    """Train a stack of remedies; yield None after each step, and then what each led to."""
    stack, experiments = sick.stack(remedies)
    run = Run(stack, snapshots=False)
    for _ in run:
        yield None
    ends = median_or_worst(run.measurements[-1].test_loss).tolist()
    yield from map(Cure, remedies, experiments, current_verdicts(run, run.last_index + 1), ends)


def group_remedies(remedies: Sequence[Remedy]) -> list[list[Remedy]]:
    """Return the remedies in order, the initializations together where the best of them stands."""
    starts = [remedy for remedy in remedies if remedy.scheme][:MOST_SCHEMES]
    groups = [[remedy] for remedy in remedies if not remedy.scheme or remedy == starts[0]]
    return [starts if group[0].scheme else group for group in groups]


def promising_pairs(tried: Sequence[Cure]) -> Iterator[Remedy]:
    """Yield the pairs of the single changes that came nearest to learning, the best first."""
    nearest = sorted((cure for cure in tried if cure.loss == cure.loss), key=lambda cure: cure.loss)
    for first, second in combinations(nearest[:PAIRED], 2):
        if pair := join_remedies(first.remedy, second.remedy):
            yield pair
