"""What a run will cost, before it runs: operations, bytes, and seconds on this machine."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from itertools import islice, pairwise
from typing import TypeVar

import torch

from stability.catalogues.datasets import HELD_OUT_EXAMPLES
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.records.knobs import differing_settings, knobs_of, reconcile, setting_values
from stability.records.product import NUMBERS_PER_GROUP, Product, numbers_per_draw, replicate_groups
from stability.records.step_sampling import SAMPLED_STEPS
from stability.text import number

SHRINKABLE = {  # what costs, in the order in which giving it up hurts least
    Experiment: ("steps", "replicates", "width", "depth", "batch"),
    Product: ("replicates", "count", "n"),
}
OPERATIONS_OF_A_DRAW = 800  # operations in whose time a random number is drawn, and its product taken to norm 1
Settings = TypeVar("Settings", Experiment, Product)


@dataclass(frozen=True)
class Cost:
    """`calls` of layers from Python, `operations` on numbers, and the most `bytes` held at once."""

    calls: int
    operations: int
    bytes: int


@singledispatch
def estimate_cost(e: Settings) -> Cost:
    """What a run of these settings takes."""
    raise TypeError(f"nothing is known of the cost of {type(e).__name__}")


@estimate_cost.register
def training_cost(e: Experiment) -> Cost:
    """Counts products as two operations a weight and example, forward once and backward twice; and every pass over numbers."""
    weights = e.network_count * sum(layer.fan_in * layer.fan_out for layer in e.layers)
    units = e.network_count * sum(layer.fan_out for layer in e.layers)
    looks = min(SAMPLED_STEPS, e.steps + 1)  # at the held-out set and the grid
    step = weights * (6 * e.batch + 20) + units * e.batch * 40
    points = len(INPUT_GRIDS[e.dataset_row.plotted_dimensions])  # which the first network of each scheme sees
    seen = e.network_count * HELD_OUT_EXAMPLES + len(e.schemes) * points
    look = (weights * 2 + units * 8) * seen // e.network_count + units * e.batch * 40
    largest = max(e.network_count * HELD_OUT_EXAMPLES, len(e.schemes) * points)  # one after the other
    held = 12 * units * e.batch + 4 * largest * max(e.width, e.dataset_row.outputs)  # values, gradients, copies
    copies = 2 * weights * (e.number_format.compute_dtype(torch.device("cpu")) != e.number_format.weight_dtype)  # to compute with, and gradients
    return Cost(
        calls=(e.depth + 8) * (e.steps + looks),  # the loss, the data and the bookkeeping cost as much as eight layers
        operations=step * (e.steps + 1) + look * looks + weights * 40,
        bytes=e.number_format.compute_dtype(torch.device("cpu")).itemsize * (held + copies) + state_bytes(e),
    )


@estimate_cost.register
def product_cost(p: Product) -> Cost:
    """Counts the products as two operations a multiplication, and each random number as many as take its time.

    Numbers are held drawn, multiplied, and, of a group of replicates, in the making: as many as a group may have, so that a
    larger matrix, of which fewer fit in whole, never costs less.
    """
    drawn, factors = numbers_per_draw(p.n), p.count + 1
    taken = p.replicates * math.ceil(factors * p.n**2 / drawn)
    calls = 0.6 * len(replicate_groups(p)) * factors + 0.12 * taken  # of a layer, which costs more than a product or a draw
    each = 2 * p.n**3 + OPERATIONS_OF_A_DRAW * p.n**2 + p.family_row.making_operations(p.n)
    making = min(p.replicates * drawn, max(NUMBERS_PER_GROUP, drawn))
    held = p.replicates * (p.n**2 + drawn + 2 * factors) + 4 * making
    return Cost(calls=math.ceil(calls), operations=p.replicates * factors * each, bytes=8 * held)


def state_bytes(e: Experiment) -> int:
    """Bytes of what one step leaves to the next: weights, two numbers a weight for the optimizer, and the data."""
    row = e.number_format
    weights = e.network_count * sum((layer.fan_in + 1) * layer.fan_out for layer in e.layers)
    return row.weight_dtype.itemsize * 3 * weights + row.itemsize * (e.samples + HELD_OUT_EXAMPLES) * e.layers[0].fan_in


@dataclass(frozen=True)
class Speed:
    """Seconds a call and seconds an operation, of one machine."""

    call: float
    operation: float

    def seconds(self, e: Settings) -> float:
        """How long a run takes, within a factor of about two."""
        estimate = estimate_cost(e)
        return self.call * estimate.calls + self.operation * estimate.operations


def measure_speed() -> Speed:
    """Times a deep narrow network, where calls count, and a shallow wide one, where operations do. Takes about a second."""
    narrow = Experiment(schemes=("he_normal",), depth=30, width=2, features=2, batch=2, steps=12)
    wide = Experiment(schemes=("he_normal",), depth=3, width=256, features=256, batch=256, steps=12)
    narrow_seconds, wide_seconds = time_run(narrow), time_run(wide)
    call = narrow_seconds / estimate_cost(narrow).calls
    return Speed(call, max(wide_seconds - call * estimate_cost(wide).calls, wide_seconds / 2) / estimate_cost(wide).operations)


def time_run(e: Experiment) -> float:
    """Seconds of the whole run, from its median step: a busy moment on the machine does not count."""
    moments = []
    for _ in islice(measure(e), e.steps + 1):
        moments.append(time.perf_counter())
    gaps = sorted(after - before for before, after in pairwise(moments))
    return gaps[len(gaps) // 2] * (e.steps + 1)


def nearest_that_fits(e: Settings, fits: Callable[[Settings], bool]) -> Settings:
    """The settings themselves if they fit; else with one setting lowered as little as possible; else with several."""
    if fits(e):
        return e
    single = [(name, lower_until_it_fits(e, name, fits)) for name in SHRINKABLE[type(e)]]
    kept = [(getattr(other, name) / getattr(e, name), other) for name, other in single if other]
    share, other = max(kept, key=lambda pair: pair[0], default=(0, e))
    if share >= 1 / 8:  # else one setting would be nearly given up for all the others
        return other
    halved = {name: max(int(knobs_of(e)[name].low), getattr(e, name) // 2) for name in SHRINKABLE[type(e)]}
    smaller = replace_and_mend(e, halved)
    return smaller if smaller == e else nearest_that_fits(smaller, fits)


def describe_refusal(e: Settings, nearest: Settings, speed: Speed, most_seconds: float, most_bytes: int) -> tuple[str, str]:
    """What would fit, in words, and the sentence that refuses the settings and offers it."""
    words = ", ".join(knobs_of(nearest)[name].label_with_value(value) for name, value in differing_settings(nearest, e).items())
    seconds, gigabytes = number(speed.seconds(e)), number(estimate_cost(e).bytes / 2**30)
    limits = f"{number(most_seconds)} s and {number(most_bytes / 2**30)} GB"
    return (
        words,
        f"This run would take about {seconds} s and {gigabytes} GB here; this page stops at {limits}. It fits with {words}.",
    )


def lower_until_it_fits(e: Settings, name: str, fits: Callable[[Settings], bool]) -> Settings | None:
    """With the largest value of this setting that fits, by bisection; None where not even the smallest does."""
    low, high = int(knobs_of(e)[name].low), getattr(e, name)
    if low == high or not fits(replace_and_mend(e, {name: low})):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(replace_and_mend(e, {name: middle})) else (low, middle)
    step = 10 ** max(0, int(math.log10(low)) - 1)  # two digits are enough to read
    return replace_and_mend(e, {name: max(int(knobs_of(e)[name].low), low // step * step)})


def replace_and_mend(e: Settings, settings: Mapping[str, int]) -> Settings:
    """With these settings, or the nearest that go together."""
    return reconcile(type(e), setting_values(e) | settings)[0]
