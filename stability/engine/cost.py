"""The cost of a run before it runs: operations, bytes, and seconds on this machine."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from typing import TypeVar

import numpy as np

from stability.catalogues.datasets import HELD_OUT_EXAMPLES
from stability.engine.blocks import BLOCK_NUMBERS
from stability.engine.products import NUMBERS_PER_GROUP, numbers_per_draw, replicate_groups
from stability.engine.term_weights import CALLS, Terms, sum_of_operations, sum_of_terms
from stability.engine.training import measure
from stability.engine.training_terms import (
    draw_calls,
    draw_operations,
    sample_calls,
    sample_operations,
    step_calls,
    step_operations,
    terms_of_training,
    weight_count,
)
from stability.engine.workers import available_cores
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.records.knobs import Integer
from stability.records.product import Product
from stability.records.record import Record
from stability.text import duration, join_sentences, join_words, number

OPERATIONS_OF_A_DRAW = 800  # take as long as drawing a number and normalizing its product
BYTES_OF_ANY_RUN = 37 * 2**20  # what torch takes for its products, and what lies between tensors
Settings = TypeVar("Settings", bound=Record)


@dataclass(frozen=True)
class Cost:
    """Layer `calls` from Python, `operations` on numbers, and the peak memory in `bytes`.

    `products` are the operations in products of matrices, if they are counted apart.
    """

    calls: int
    operations: int
    bytes: int
    products: int = 0


@lru_cache(maxsize=1024)
def training_cost(e: Experiment) -> Cost:
    """Return the cost of a training run in which no network ends early."""
    numbers = terms_of_training(e, draw_operations, step_operations, sample_operations)
    operations, products = map(math.ceil, sum_of_operations(numbers))
    calls = math.ceil(sum_of_terms(training_calls(e), CALLS))
    return Cost(calls, operations, training_bytes(e), products)


def training_calls(e: Experiment) -> Terms:
    """Return how often a training run calls what."""
    return terms_of_training(e, draw_calls, step_calls, sample_calls)


def training_bytes(e: Experiment) -> int:
    """Return the peak of the bytes that a training run holds while it trains.

    They are what the blocks that train at once compute for a batch, and for the held-out set; the
    weights with their gradients and steps; the state of the optimizer, and the data. How often each
    is held at once is measured: least squares over 80 random experiments.
    """
    cores, block = max(2, available_cores()), BLOCK_NUMBERS["cpu"]  # one thread: twice the block
    outputs, hidden = e.layers[-1].fan_out, sum(e.hidden_widths)
    # A full block holds as many networks as its widest layer lets in. A hidden layer that is no
    # wider than the last has its share of that; a wider one counts as the widest, so that width
    # never makes a run cheaper.
    share = sum(min(1.0, width / outputs) for width in e.hidden_widths)
    most = cores * max(block, e.batch * max(outputs, 1, *e.hidden_widths))
    numbers = 5.3 * min(e.network_count * e.batch * (hidden + outputs), most * (1 + share))
    numbers += kept_numbers(e) * min(e.network_count * e.batch * hidden, most * share)
    numbers += 4.3 * min(e.network_count * HELD_OUT_EXAMPLES * outputs, 4 * cores * block)
    numbers += weight_count(e) * (4.0 + 1.8 * e.number_format.is_rounded)
    row = e.optimizer_row
    state = 0.0 if e.optimizer == "sgd" else 2.0 + row.has_epsilon
    state += 8.0 * (row.hidden_step is not None)  # Muon's products
    inputs = (e.samples + HELD_OUT_EXAMPLES) * e.layers[0].fan_in
    size = e.number_format.compute_dtype.itemsize * numbers
    size += e.number_format.weight_dtype.itemsize * weight_count(e) * state + 8 * inputs
    return round(size) + BYTES_OF_ANY_RUN


def kept_numbers(e: Experiment) -> float:
    """Return how many numbers a sampled step holds for each hidden unit and example beside those
    that any network needs.
    """
    kept = 0.0 if e.phi.overwrite else 0.5
    return kept + 1.7 * e.normalization_row.has_gain + 3.1 * (e.dropout > 0)


def product_cost(p: Product) -> Cost:
    """Return the cost of products of random matrices.

    A multiply-add is two operations, a random number as many as take the same time. Memory holds
    draws, products, and work space for one group of replicates. The work space is that of a full
    group, so that larger matrices, of which fewer fill a group, never cost less.
    """
    drawn, factors = numbers_per_draw(p.n), p.count + 1
    calls_of_generators = p.replicates * math.ceil(factors * p.n**2 / drawn)
    # In units of layer calls, which cost more than a product or a draw.
    calls = 0.6 * len(replicate_groups(p)) * factors + 0.12 * calls_of_generators
    each = 2 * p.n**3 + OPERATIONS_OF_A_DRAW * p.n**2 + p.family_row.making_operations(p.n)
    making = min(p.replicates * drawn, max(NUMBERS_PER_GROUP, drawn))
    numbers = p.replicates * (p.n**2 + drawn + 2 * factors) + 4 * making
    operations = p.replicates * factors * each
    return Cost(calls=math.ceil(calls), operations=operations, bytes=8 * numbers)


def state_bytes(e: Experiment) -> int:
    """Return the bytes that are kept from step to step.

    They are the weights, two numbers per weight for the optimizer, and the data.
    """
    weights = e.network_count * sum((layer.fan_in + 1) * layer.fan_out for layer in e.layers)
    data = (e.samples + HELD_OUT_EXAMPLES) * e.layers[0].fan_in
    return 3 * weights * e.number_format.weight_dtype.itemsize + data * e.number_format.itemsize


@dataclass(frozen=True)
class Speed:
    """Seconds per layer call, per operation, and per operation in products, on one machine."""

    call: float
    operation: float
    product: float

    def seconds(self, cost: Cost) -> float:
        """Return the seconds that this cost takes, within a factor of about one and a half."""
        on_numbers = self.operation * cost.operations + self.product * cost.products
        return self.call * cost.calls + on_numbers


def measure_speed(clock: Callable[[], float] = time.perf_counter) -> Speed:
    """Time steps of three networks, each of which one of the three speeds decides.

    That takes about a second.
    """
    return solve_speeds(lambda experiments: time_steps(experiments, clock))


def solve_speeds(step_seconds: Callable[[Sequence[Experiment]], Sequence[float]]) -> Speed:
    """Return the speeds by which steps take as long as `step_seconds` says of some experiments.

    A deep narrow network is dominated by calls, narrow ones of many examples by operations, and a
    shallow wide one by products: three equations for three speeds.
    """
    common = Experiment(schemes=("he_normal",), depth=4, steps=1000, optimizer="momentum")
    narrow = replace(common, depth=30, width=2, features=2, batch=2)
    many = replace(common, width=32, batch=512, samples=512, replicates=8, activation="gelu")
    wide = replace(common, width=128, features=128, batch=512)
    experiments = narrow, many, wide
    seconds = step_seconds(experiments)
    amounts = [
        (sum_of_terms(step_calls(e), CALLS), *sum_of_operations(step_operations(e)))
        for e in experiments
    ]
    # Should others delay one of the three: each takes a quarter of its own network's time at least.
    least = [
        taken / row[index] / 4
        for index, (taken, row) in enumerate(zip(seconds, amounts, strict=True))
    ]
    found = np.linalg.solve(amounts, seconds).tolist()
    return Speed(*map(max, found, least))


def time_steps(experiments: Sequence[Experiment], clock: Callable[[], float]) -> list[float]:
    """Return the seconds of a step of each that others did not delay: one of the fastest of many.

    The machine may be busy when a server starts, and idle for all the time after. So they take
    turns, and none has the quiet moments alone.
    """
    steps: list[list[float]] = [[] for _ in experiments]
    for _turn in range(4):
        for e, taken in zip(experiments, steps, strict=True):
            times = [clock() for _ in islice(measure(e), 11)]
            taken += [after - before for before, after in pairwise(times)]
    return [sorted(taken)[len(taken) // 10] for taken in steps]


def nearest_that_fits(
    record: Settings, fits: Callable[[Settings], bool], shrinkable: Sequence[str]
) -> Settings:
    """Return the record if it fits; else with settings lowered as little as possible.

    `shrinkable` names the settings that may be lowered, the least painful first: the first that
    suffices alone, and keeps a sixteenth of its value, is lowered alone.
    """
    if fits(record):
        return record
    for name in shrinkable:
        lowered = lower_until_it_fits(record, name, fits)
        if lowered and 16 * lowered.settings()[name] >= record.settings()[name]:
            return lowered
    # Lower all settings rather than nearly lose one.
    halves = {name: record.settings()[name] // 2 for name in shrinkable}
    lowest = {name: lowest_value(record, name) for name in shrinkable}
    smaller = replace_and_mend(record, {n: max(lowest[n], halves[n]) for n in shrinkable})
    return smaller if smaller == record else nearest_that_fits(smaller, fits, shrinkable)


def lower_until_it_fits(
    record: Settings, name: str, fits: Callable[[Settings], bool]
) -> Settings | None:
    """Return the record with the largest value of this setting that fits; None if none fits."""
    lowest = low = lowest_value(record, name)
    high = record.settings()[name]
    if low == high or not fits(replace_and_mend(record, {name: low})):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if fits(replace_and_mend(record, {name: middle})):
            low = middle
        else:
            high = middle
    step = 10 ** max(0, int(math.log10(low)) - 1)  # two digits are enough to read
    return replace_and_mend(record, {name: max(lowest, low // step * step)})


def lowest_value(record: Record, name: str) -> int:
    knob = record.knobs()[name]
    assert isinstance(knob, Integer), f"{name} is no whole number"
    return int(knob.low)


def replace_and_mend(record: Settings, settings: dict[str, int]) -> Settings:
    """Return the record with these settings, or with the nearest legal combination."""
    return type(record).reconcile(record.settings() | settings)[0]


def describe_refusal(
    record: Record, nearest: Record, cost: Cost, speed: Speed, most_seconds: float, most_bytes: int
) -> tuple[str, str]:
    """Return the settings that would fit, in words, and a sentence that refuses and offers them.

    No setting fits if `nearest` is the record itself.
    """
    knobs, changed = nearest.knobs(), nearest.differences(record)
    words = _(", ").join(knobs[name].label_with_value(value) for name, value in changed.items())
    needed = describe_excess(speed.seconds(cost), cost.bytes, most_seconds, most_bytes)
    fitting = _("It fits with {settings}.").format(settings=words)
    too_much = _("This {computed} would take about {needed}.")
    too_much = too_much.format(computed=_(record.computed), needed=needed)
    return words, join_sentences(too_much, fitting if words else _("No setting makes it fit."))


def describe_excess(seconds: float, memory: float, most_seconds: float, most_bytes: float) -> str:
    """Return what a computation takes, and the limits of the page that it exceeds, in words."""
    amounts = []
    if seconds > most_seconds:
        amounts.append((duration(seconds), duration(most_seconds)))
    if memory > most_bytes:
        taken, allowed = (number(size / 2**30, 2) for size in (memory, most_bytes))
        amounts.append((_("{taken} GB of memory").format(taken=taken), f"{allowed} GB"))
    needed, limits = (join_words(words) for words in zip(*amounts, strict=True))
    sentence = _("{needed} here, and this page stops at {limits}")
    return sentence.format(needed=needed, limits=limits)
