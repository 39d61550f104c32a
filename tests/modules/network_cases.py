"""Cases for a diagnosis: networks, what is to be found in them, and what would be false."""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from stability.modules.diagnosis import Diagnosis, diagnose
from stability.modules.kinds import KINDS

ALL_KINDS = frozenset(kind.key for kind in KINDS)


@dataclass(frozen=True)
class Want:
    """One of these kinds at one of these places, which are patterns of dotted names."""

    kinds: frozenset[str]
    where: tuple[str, ...]


def want(kinds: str, *where: str) -> Want:
    return Want(frozenset(kinds.split()), where)


@dataclass(frozen=True)
class Case:
    """`build()` returns a module, inputs, targets and a loss; `build(well=True)` the cure."""

    name: str
    build: Callable[..., Any]
    wants: tuple[Want, ...] = ()
    never: frozenset[str] = frozenset()
    why: str = ""
    source: str = ""
    oracle: dict[str, Any] = field(default_factory=dict)

    def make(self, well: bool = False) -> Any:
        """Return the network, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sum(map(ord, self.name)))
            return self.build(well=True) if well else self.build()

    def faults(self, diagnosis: Diagnosis, module: nn.Module, well: bool = False) -> list[str]:
        """Return what a diagnosis says wrongly, and what it misses."""
        said = [f"{f.kind} at {f.where!r}" for f in diagnosis.findings]
        if well or not self.wants:
            return said
        missed = [
            f"missed {sorted(w.kinds)} at {w.where}, said {said}" for w in self.wants
            if not any(f.kind in w.kinds and fits(f.where, w.where, module)
                       for f in diagnosis.findings)
        ]  # fmt: skip
        allowed = self.never.isdisjoint
        return missed + [f"false: {s}" for s in said if not allowed({s.partition(" at ")[0]})]


class Cases(dict[str, Case]):
    """The cases of a file, by name; its decorators add them."""

    def sick(
        self, *wants: Want, never: str = "", why: str = "", source: str = "", **oracle: Any
    ) -> Callable[..., Any]:
        return self._adder(wants, frozenset(never.split()), why, source, oracle)

    def healthy(self, *, why: str = "", source: str = "", **oracle: Any) -> Callable[..., Any]:
        return self._adder((), ALL_KINDS, why, source, oracle)

    def _adder(self, wants: Any, never: Any, why: str, source: str, oracle: Any) -> Any:
        def add(build: Callable[..., Any]) -> Callable[..., Any]:
            name = build.__name__.replace("_", "-")
            self[name] = Case(name, build, wants, never, why, source, oracle)
            return build

        return add

    def all_networks(self) -> list[tuple[str, bool]]:
        """Return the names of all networks, and True for the cures of the sick ones."""
        return [(name, well) for name, case in self.items()
                for well in ([False, True] if case.wants else [False])]  # fmt: skip


def fits(where: str, patterns: tuple[str, ...], module: nn.Module) -> bool:
    """Return True if a place is one of those accepted; a parameter stands for its module."""
    names = {where}
    if where in dict(module.named_parameters(remove_duplicate=False)):
        names.add(where.rpartition(".")[0])
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def faults_of(case: Case, well: bool) -> list[str]:
    """Return the faults of the diagnosis of a case's network, or of its cure."""
    module, inputs, targets, loss = case.make(well)
    return case.faults(diagnose(module, inputs, targets, loss), module, well)
