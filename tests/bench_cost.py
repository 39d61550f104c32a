"""The weights of `stability/engine/term_weights.py`, fitted: section `cost`.

Times a designed set of experiments, each with one setting unlike its neighbours, fits all weights
to their ordinary and their sampled steps, and prints them; then the errors of training_cost, as
committed, on whole runs of random experiments that were not used for the fit.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
from bench_lines import Line, seconds
from bench_shapes import engine_steps

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES
from stability.engine import term_weights, training_terms
from stability.engine.cost import Speed, measure_speed, training_cost
from stability.engine.learned_norms import learned_factors
from stability.engine.training import measure
from stability.records.experiment import Experiment
from stability.records.knobs import Integer

CALM = {"schemes": ("he_normal", "xavier_normal", "lecun_normal", "orthogonal")}
CALM |= {"learning_rate": 1e-5}  # so that no network ends
OF_SINES = {"schemes": ("siren",), "replicates": 4}  # whose slope is too steep for the others
ROWS = {
    "activation": ACTIVATIONS,
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "precision": PRECISIONS,
}
SIZES = (
    {"depth": 10, "width": 32, "batch": 32},
    {"depth": 8, "width": 128, "batch": 128},
    {"depth": 4, "width": 24, "batch": 512, "replicates": 4},
)
CLOCK = time.process_time
MOST_SECONDS = 3.0  # of a random experiment
PASSES = 4  # others may delay all that is timed within some seconds, but hardly in each pass
RANDOM, CHECKED = 60, 20  # experiments to fit the weights to, and others to check them


def cost(quick: bool) -> Iterator[Line]:
    found = fit_all(design()[:: 5 if quick else 1])
    call, product = found["layer"], found["product"] / term_weights.PRODUCTS["product"]
    # Of activation and normalization none of the networks that measure_speed times.
    usual = "activation relu", "normalization none"
    weights = sum(term_weights.OPERATIONS[name] for name in usual)
    operation = sum(found[name] for name in usual) / weights
    for name, value in found.items():
        in_products = name in term_weights.PRODUCTS
        unit = call if name in term_weights.CALLS else product if in_products else operation
        print(f'    "{name}": {float(f"{value / unit:.2g}"):g},')
    yield Line("a layer call", [1e6 * call], "us")
    yield Line("an operation", [1e12 * operation], "ps")
    yield Line("an operation in a product", [1e12 * product], "ps")
    runs = random_experiments(Speed(call, operation, product))
    checked = list(islice(filter(time_run, runs), CHECKED))
    factors = [foretold_over_taken(e) for e in checked]
    for e, factor in zip(checked, factors, strict=True):
        print(f"{factor:8.2f} of {e.to_query()}", flush=True)
    off = [max(factor, 1 / factor) for factor in factors]
    yield Line("estimated over taken time, random experiments", factors, "x")
    yield Line("  how far off", off, "x")
    yield Line("  how far off at most", [max(off)], "x", at_most=1.5)


def foretold_over_taken(e: Experiment) -> float:
    """The median of three, each by the speed of the moments before and after: a machine that others
    use is at times half as fast as at others."""
    found = []
    for _ in range(3):
        before, taken, after = measure_speed(CLOCK), time_run(e), measure_speed(CLOCK)
        foretold = before.seconds(training_cost(e)) + after.seconds(training_cost(e))
        found.append(foretold / 2 / (taken or math.nan))
    return median(found)


def fit_all(designed: list[Experiment]) -> dict[str, float]:
    """Seconds of each term."""
    times = [[time_parts(e) for e in designed] for _pass in range(PASSES)]
    drawn, ordinary, sampled = np.min(times, axis=0).T
    added = np.maximum(0, sampled - ordinary)
    t = training_terms
    return (
        fitted(designed, drawn, t.draw_calls, t.draw_operations)
        | fitted(designed, ordinary, t.step_calls, t.step_operations)
        | fitted(designed, added, t.sample_calls, t.sample_operations)
    )


def time_run(e: Experiment) -> float | None:
    """Processor seconds of a whole run; None if networks diverged, which then cost nothing."""
    learned_factors.cache_clear()
    start = time.process_time()
    for measurement in measure(e):
        last = measurement
    taken = time.process_time() - start
    return taken if np.isfinite(last.loss).all() else None


def design() -> list[Experiment]:
    """Sizes crossed, then every row of a catalogue and every flag at three sizes."""
    found = [
        calm(depth=depth, width=width, batch=batch, replicates=replicates)
        for depth, width, batch, replicates in (
            (2, 2, 1, 1), (100, 2, 1, 1), (10, 16, 16, 16), (3, 512, 64, 1), (3, 512, 512, 1),
            (20, 8, 1024, 1), (20, 32, 64, 8), (10, 64, 8, 8), (6, 256, 16, 2), (40, 64, 256, 1),
            (2, 16, 1024, 16), (10, 128, 1, 4), (101, 16, 64, 2), (1, 2, 64, 1), (5, 4, 4, 16),
        )
    ]  # fmt: skip
    for size in SIZES:
        found.append(calm(**size))
        for name, rows in ROWS.items():
            default = getattr(Experiment(), name)
            found += [calm(**size | {name: key}) for key in rows if key != default]
        found += [calm(**size | {"dropout": 0.2}), calm(**size | {"residual": True})]
        for scheme in ("lsuv", "metainit", "orthogonal", "zero_hadamard", "zeros"):
            found.append(calm(**size | {"schemes": (scheme,), "replicates": 4}))
        found += [calm(**size | {"dataset": "spirals"}), calm(**size | {"features": 512})]
        tapered = [size | {"taper": 4.0, "depth": depth} for depth in (10, 40)]
        found += [calm(**e, normalization=row) for e in tapered for row in ("none", "layer")]
        found += [calm(**e, optimizer="adam") for e in tapered]
    learned = (
        {"width": 8, "depth": 40}, {"width": 256, "batch": 4}, {"width": 100, "depth": 20},
        {"width": 8, "normalization": "layer"}, {"width": 40, "depth": 4, "normalization": "batch"},
        {"width": 8, "depth": 1}, {"width": 64, "depth": 6, "activation": "mish"},
    )  # fmt: skip
    found += [calm(**{"batch": 64} | size, schemes=("metainit",)) for size in learned]
    many = {"classes": 100, "samples": 512, "depth": 3, "replicates": 4}
    found += [calm(**many, width=8, batch=batch) for batch in (8, 64, 512)]
    wide = ({"width": 512, "batch": 4}, {"width": 256, "batch": 64}, {"width": 400, "batch": 256})
    found += [calm(**size, depth=5, optimizer="muon") for size in wide]
    steps = 1000  # so that step 1 is not sampled
    fitting = islice(random_experiments(Speed(1e-4, 4e-11, 4e-11), seed=8), RANDOM)
    # In float16 some of these networks end, which then cost nothing.
    return [*found, *(replace(e, steps=steps) for e in fitting if e.precision != "float16")]


def calm(**settings: object) -> Experiment:
    of_row = OF_SINES if settings.get("activation") == "sine" else {}
    return Experiment(**CALM | {"samples": max(64, settings["batch"])} | settings | of_row)


def time_parts(e: Experiment) -> tuple[float, float, float]:
    """Processor seconds of drawing, of an ordinary and of a sampled step, the least of some."""
    steps: list[Any] = []

    def draw() -> None:
        learned_factors.cache_clear()
        steps.append(engine_steps(e))

    drawn = spent(draw, 0.05, 1)
    ordinary, sampled, _ = steps[-1]
    ordinary(), sampled()
    found = drawn, spent(ordinary, 0.08, 4), spent(sampled, 0.06, 2)
    assert np.isfinite(ordinary().loss).any(), f"all networks ended: {e.to_query()}"
    return found


def spent(work: Callable[[], object], most: float, fewest: int) -> float:
    times: list[float] = []
    start = time.process_time()
    while len(times) < fewest or (time.process_time() - start < most and len(times) < 50):
        times.append(seconds(work))
    return min(times)


Count = Callable[[Experiment], Mapping[str, float]]


def fitted(
    experiments: list[Experiment], taken: Sequence[float], *counts: Count
) -> dict[str, float]:
    """Seconds of each term, none below 0, with the least squared errors relative to both sides."""
    amounts = [{k: v for count in counts for k, v in count(e).items()} for e in experiments]
    names = list(dict.fromkeys(name for terms in amounts for name in terms if terms[name]))
    rows = np.array([[terms.get(name, 0) for name in names] for terms in amounts], float)
    taken = np.maximum(taken, 1e-6)
    weights = 1 / taken
    for _ in range(6):  # twice as long and half as long are equally wrong
        found = nonnegative_least_squares(rows * weights[:, None], taken * weights)
        weights = 1 / np.sqrt(taken * np.maximum(rows @ found, taken / 4))
    return dict(zip(names, found, strict=True))


def nonnegative_least_squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Coordinate by coordinate, each at its best value while the others stay."""
    size = np.linalg.norm(a, axis=0)
    a = a / size
    x, left = np.zeros(a.shape[1]), b.copy()
    for _ in range(2_000):
        for index, column in enumerate(a.T):
            value = max(0.0, x[index] + column @ left)
            left += column * (x[index] - value)
            x[index] = value
    return x / size


def random_experiments(speed: Speed, seed: int = 7) -> Iterator[Experiment]:
    """Settings of all kinds, sizes spread over their magnitudes, the same ones for each seed."""
    random = np.random.default_rng(seed)
    while True:
        settings = {name: random.choice(list(rows)) for name, rows in ROWS.items()}
        for name, knob in Experiment.knobs().items():
            if isinstance(knob, Integer) and name != "seed":
                low, high = np.log([max(1, knob.low), knob.high])
                settings[name] = round(float(np.exp(random.uniform(low, high))))
        chosen = random.choice(list(SCHEMES), size=random.integers(1, 9), replace=False)
        settings |= {"schemes": tuple(map(str, chosen)), "residual": bool(random.integers(2))}
        settings |= {"dropout": float(random.choice([0.0, 0.0, 0.3])), "learning_rate": 1e-5}
        e = Experiment.reconcile(Experiment().settings() | settings)[0]
        if 0.1 < speed.seconds(training_cost(e)) < MOST_SECONDS:
            yield e
