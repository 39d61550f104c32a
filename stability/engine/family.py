"""Families: experiments of one shape, whose networks train in one stack on the same data."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.scheme_entry import Scheme
from stability.records.experiment import Experiment
from stability.text import join_words

# The settings in which experiments of a family may differ: each network of a stack has its own.
PER_NETWORK = frozenset(
    {"schemes", "bias_std", "weight_mean", "first_gain", "readout_gain", "learning_rate", "warmup",
     "schedule", "epsilon", "weight_decay", "clip"}
)  # fmt: skip
RATES = "learning_rate", "weight_decay", "clip", "epsilon"  # that a step of training needs
SWITCHES = "weight_decay", "clip"  # 0 turns them off, for all networks of a stack or for none


@dataclass(frozen=True, eq=False)
class Family:
    """Experiments that differ only in the settings PER_NETWORK, and that switch on the same ones.

    Their schemes are numbered through, one experiment after another: in measurements of a family S
    counts all of them. ValueError if the experiments differ in anything else.
    """

    experiments: tuple[Experiment, ...]

    def __post_init__(self) -> None:
        if len(set(map(family_shape, self.experiments))) != 1:
            names = join_words(sorted(PER_NETWORK))
            alike = f"{join_words(SWITCHES)} must be 0 in all of them or in none"
            raise ValueError(f"experiments of a family may differ in {names} alone, and {alike}")

    @classmethod
    def of(cls, experiment: "Experiment | Family") -> "Family":
        """Return the family of one experiment, or a family as it is."""
        return experiment if isinstance(experiment, Family) else cls((experiment,))

    @property
    def shared(self) -> Experiment:
        """An experiment with the settings that all have in common."""
        return self.experiments[0]

    @cached_property
    def members(self) -> tuple[tuple[Experiment, Scheme], ...]:
        """Each scheme, with its experiment."""
        return tuple((e, row) for e in self.experiments for row in e.scheme_rows)

    @property
    def network_count(self) -> int:
        """The number N of networks: all schemes times replicates."""
        return len(self.members) * self.shared.replicates

    def replaced(self, **settings: Any) -> "Family":
        """Return the family with these settings of each experiment replaced."""
        return Family(tuple(replace(e, **settings) for e in self.experiments))

    @cached_property
    def rates(self) -> dict[str, float | Tensor]:
        """Each of RATES: a number if all networks share it, else one for each, float64 `(N,)`."""
        return {name: self.values_by_network(attrgetter(name)) for name in RATES}

    def learning_rate(self, step: int) -> float | Tensor:
        """Return the learning rate of update `step`, as one of the rates."""
        rate = self.rates["learning_rate"]
        if not self.is_scheduled:
            return rate
        return rate * self.values_by_network(lambda e: e.rate_factor(step))

    @cached_property
    def rate_factors(self) -> tuple[Tensor, Tensor] | None:
        """The factors of the learning rates of matrices and vectors, float64 `(L, S)` each.

        None where no scheme has learning rates of its own.
        """
        if not any(row.matrix_rate for _, row in self.members):
            return None
        scaling = self.shared.optimizer_row.scaling
        factors = [
            [row.rate_factors(layer, scaling) for layer in e.layers] for e, row in self.members
        ]
        matrices, vectors = torch.tensor(factors, dtype=torch.float64).movedim((2, 1), (0, 1))
        return matrices, vectors

    @cached_property
    def is_scheduled(self) -> bool:
        """True if the learning rate of a network changes from step to step."""
        return any(e.is_scheduled for e in self.experiments)

    def values_by_network(self, value_of: Callable[[Experiment], float]) -> float | Tensor:
        """Return a number that all experiments share, or one for each network, float64 `(N,)`."""
        values = [value_of(e) for e in self.experiments]
        if len(set(values)) == 1:
            return values[0]
        counts = torch.tensor([e.network_count for e in self.experiments])
        return torch.tensor(values, dtype=torch.float64).repeat_interleave(counts)


def family_shape(e: Experiment) -> Hashable:
    """Return what experiments must have in common to train in one stack."""
    settings = e.settings()
    shared = (value for name, value in settings.items() if name not in PER_NETWORK)
    return *shared, *(bool(settings[name]) for name in SWITCHES)
