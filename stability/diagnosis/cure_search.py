"""The search for a cure as a stream, which many read and whose steps are short."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.changes import alone, treated
from stability.diagnosis.trials import PAIRED, Cure, promising_pairs, trial_groups
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.cost import Cost, state_bytes, training_cost
from stability.engine.replicates import median_or_worst
from stability.engine.runs import PROFILE_BYTES, Run, Stream
from stability.records.experiment import Experiment

MOST_PAIRS = math.comb(PAIRED, 2)
CURE_BYTES = 8192  # of a change that was tried: its settings and its verdict


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
        return trial_groups(self.experiment, self.scheme)

    @property
    def change_count(self) -> int:
        """The number of single changes."""
        return sum(map(len, self.groups))

    @cached_property
    def cost(self) -> Cost:
        """The cost of all single changes and, as if none cured, of pairs like the costliest."""
        costs = [training_cost(self.stack(group)[0]) for group in self.groups]
        most = [max((getattr(cost, name) for cost in costs), default=0)
                for name in ("calls", "operations", "bytes")]  # fmt: skip
        return Cost(
            calls=sum(cost.calls for cost in costs) + MOST_PAIRS * most[0],
            operations=sum(cost.operations for cost in costs) + MOST_PAIRS * most[1],
            bytes=most[2],
        )

    def stack(self, remedies: Sequence[Remedy]) -> tuple[Experiment, list[Experiment]]:
        """Return the experiment that trains these remedies at once, and that of each alone."""
        changed = [treated(self.experiment, self.scheme, remedy) for remedy in remedies]
        each = [experiment for experiment in changed if experiment]
        schemes = tuple(experiment.schemes[0] for experiment in each)
        return replace(each[0], schemes=schemes), each


class CureSearch(Stream[SickNetwork, Cure]):
    """The stream of `cures(e, scheme)`; it keeps no run, and ends where the search does."""

    gives_way = True

    def __init__(self, sick: SickNetwork):
        super().__init__(sick, sick.change_count + MOST_PAIRS - 1, search_cures)

    @property
    def cure_count(self) -> int:
        """The number of changes so far that cure."""
        return sum(cure.cures for cure in list(self.measurements))

    def _count_bytes(self) -> int:
        kept = CURE_BYTES * len(self.measurements)
        if self.finished or not self.seconds:
            return kept
        # The run of the present candidate.
        states = [state_bytes(self.record.stack(group)[0]) for group in self.record.groups]
        return kept + 2 * PROFILE_BYTES + max(states, default=0)


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
    run = Run(stack)
    for _ in run:
        yield None
    ends = median_or_worst(run.measurements[-1].test_loss).tolist()
    yield from map(Cure, remedies, experiments, current_verdicts(run, run.last_index + 1), ends)


def best_first(tried: Sequence[Cure]) -> list[Cure]:
    """Return those that cure before the others, each by their held-out loss."""
    return sorted(tried, key=lambda cure: (not cure.cures, math.isnan(cure.loss), cure.loss))


def describe_change(remedy: Remedy) -> str:
    """Return what a remedy changes: `optimizer Adam, learning rate 0.001`."""
    words = [scheme_title(remedy.scheme)] if remedy.scheme else []
    knobs = Experiment.knobs()
    words += [knobs[name].label_with_value(value) for name, value in remedy.settings]
    return ", ".join(words)
