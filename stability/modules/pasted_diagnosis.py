"""A pasted network diagnosed: what is drawn for it, what it costs, and the stream of its result."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from stability.catalogues.schemes import parse_scheme
from stability.charts.network_profiles import module_profiles
from stability.engine.cost import Cost
from stability.engine.streams import Stream
from stability.i18n import N_, Translated, _, cache_by_language
from stability.modules.built_network import PYTORCH_START, build_network, standard_inputs
from stability.modules.diagnosis import diagnose, marks_of
from stability.modules.finding import ModuleFinding
from stability.modules.network_plan import NetworkPlan, first_line, read_network, require_scheme
from stability.randomness import generator
from stability.records.pasted_network import PastedNetwork

# The cost of a diagnosis, as measured: passes forward and back, copies of the parameters, numbers
# of each value of a layer, and calls of a layer, counting what is looked at around it.
PASSES, COPIES, VALUES, CALLS_PER_LAYER = 5, 5, 4, 40
OPERATIONS_OF_A_WEIGHT = 800  # to draw it and to look at it
FACTORIZATION = 2  # operations / n^3 of Q and R of an n x n matrix
DESCRIPTION = N_("Signal, signal gradient and weight gradient by layer, the findings marked.")
PAGE_OPTIONS = {
    "usermeta": {"embedOptions": {"renderer": "canvas"}},
    "config": {"title": {"frame": "group"}, "axisY": {"minExtent": 40, "maxExtent": 40}},
}
BYTES_PER_LAYER = 8192  # of a diagnosis: its rows and its chart


@dataclass(frozen=True)
class Task:
    """A loss that suits the end of a network, with random targets; without one, none is known."""

    label: Translated = Translated()
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    targets: Callable[[int, int, Generator], Tensor | None] = lambda batch, units, random: None


def random_classes(batch: int, units: int, random: Generator) -> Tensor:
    return torch.randint(units, (batch,), generator=random)


def random_bits(batch: int, units: int, random: Generator) -> Tensor:
    return torch.randint(2, (batch, units), generator=random).float()


def random_numbers(batch: int, units: int, random: Generator) -> Tensor:
    return torch.randn(batch, units, generator=random)


CLASSES = Task("cross-entropy of random classes", F.cross_entropy, random_classes)
NUMBERS = Task("squared error from standard normal targets", F.mse_loss, random_numbers)
PROJECTION = Task("a random projection of the outputs, for want of a loss")
TASKS = {  # by the last layer that is not Linear
    "LogSoftmax": Task("cross-entropy of random classes", F.nll_loss, random_classes),
    "Sigmoid": Task("cross-entropy of random bits", F.binary_cross_entropy, random_bits),
}


def task_of(plan: NetworkPlan) -> Task:
    """Return the loss that suits the last layer of a network."""
    last = next(layer for layer in reversed(plan.layers) if layer.kind.name != "Identity")
    if last.kind.is_linear:
        return CLASSES if plan.widths[-1] > 1 else NUMBERS
    return TASKS.get(last.kind.name, PROJECTION)


@dataclass(frozen=True, eq=False)
class DiagnosedNetwork:
    """A network that was built from a text, and what `stability.diagnose` says of it."""

    plan: NetworkPlan
    task: Task
    start: str  # the key of its scheme
    findings: tuple[ModuleFinding, ...]
    frame: pd.DataFrame


class PastedDiagnosis(Stream[PastedNetwork, DiagnosedNetwork]):
    """The stream of one measurement: the diagnosis of a pasted network.

    The network itself is not kept.
    """

    def __init__(self, record: PastedNetwork):
        super().__init__(record, 0, diagnose_pasted)

    def _count_bytes(self) -> int:
        plan = read_network(self.record.architecture)
        layers = len(plan.layers) if isinstance(plan, NetworkPlan) else 0
        return len(self.record.architecture) + layers * BYTES_PER_LAYER


def diagnose_pasted(record: PastedNetwork) -> Iterator[DiagnosedNetwork | None]:
    """Yield the diagnosis of a network on standard normal inputs; None once the network is built.

    Raises ValueError if the text is no network, or PyTorch cannot train it.
    """
    plan = read_network(record.architecture)
    if isinstance(plan, str) or (reason := why_not_diagnosed(record)):
        raise ValueError(plan if isinstance(plan, str) else reason)
    module = build_network(plan, record.scheme, record.seed, record.batch)
    yield None  # a visitor who has left meanwhile ends it here
    inputs, task = standard_inputs(plan, record.seed, record.batch), task_of(plan)
    random = generator(record.seed, "batches")
    targets = task.targets(record.batch, plan.widths[-1], random)
    try:
        found = diagnose(module, inputs, targets, task.loss)
    except RuntimeError as error:  # a function in place may spoil what is needed
        reason = _("PyTorch itself cannot train this network, since {reason}")
        raise ValueError(reason.format(reason=first_line(error))) from error
    start = start_of(record, plan)
    yield DiagnosedNetwork(plan, task, start, found.findings, found.frame)


@cache_by_language(maxsize=16)
def chart_of(network: DiagnosedNetwork) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """Return the chart of a network, as wide as its container, and the tables that it names."""
    spec: dict[str, Any] = module_profiles(network.frame, marks_of(network.findings)).to_dict()
    for panel in spec["vconcat"]:
        del panel["width"]
    tables = {name: pa.Table.from_pylist(rows) for name, rows in spec.pop("datasets").items()}
    return {"description": _(DESCRIPTION), **spec, **PAGE_OPTIONS}, tables


@cache_by_language(maxsize=64)
def why_not_diagnosed(record: PastedNetwork) -> str:
    """Return why a text is no network that can be diagnosed here, "" if it is one."""
    plan = read_network(record.architecture)
    if isinstance(plan, str):
        return plan
    try:
        require_scheme(plan, start_of(record, plan))
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=64)
def diagnosis_cost(record: PastedNetwork) -> Cost:
    """Return the cost of building and diagnosing a network; nothing if it is none."""
    plan = read_network(record.architecture)
    if isinstance(plan, str) or why_not_diagnosed(record):
        return Cost(0, 0, 0)
    sizes = [layer.sizes for layer in plan.layers if layer.kind.is_linear and layer.sizes]
    weights = [fan_in * fan_out for fan_in, fan_out in sizes]
    values = record.batch * sum(plan.units)
    operations = OPERATIONS_OF_A_WEIGHT * sum(weights)
    operations += PASSES * 6 * record.batch * sum(weights) + 40 * values
    if parse_scheme(start_of(record, plan)).weights:  # orthogonal ones, or cheaper
        operations += sum(FACTORIZATION * math.prod(pair) * min(pair) for pair in sizes)
    return Cost(
        calls=CALLS_PER_LAYER * len(plan.layers),
        operations=operations,
        bytes=4 * COPIES * plan.parameters + 16 * max(weights) + 4 * VALUES * values,
    )


def start_of(record: PastedNetwork, plan: NetworkPlan) -> str:
    """Return the key of the scheme by which a network is started."""
    return record.scheme or plan.scheme or PYTORCH_START
