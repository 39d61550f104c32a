"""The search for a cure as a stream, which many read and whose steps are short."""

import math
from collections.abc import Sequence

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.trials import MOST_PAIRS, Cure, SickNetwork, search_cures
from stability.engine.cost import state_bytes
from stability.engine.runs import PROFILE_BYTES
from stability.engine.streams import Stream
from stability.i18n import _
from stability.records.experiment import Experiment

CURE_BYTES = 8192  # of a change that was tried: its settings and its verdict


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


def best_first(tried: Sequence[Cure]) -> list[Cure]:
    """Return those that cure before the others, each by their held-out loss."""
    return sorted(tried, key=lambda cure: (not cure.cures, math.isnan(cure.loss), cure.loss))


def describe_change(remedy: Remedy) -> str:
    """Return what a remedy changes: `optimizer Adam, learning rate 0.001`."""
    words = [scheme_title(remedy.scheme)] if remedy.scheme else []
    knobs = Experiment.knobs()
    words += [knobs[name].label_with_value(value) for name, value in remedy.settings]
    return _(", ").join(words)
