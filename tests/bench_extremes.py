"""The price of the worst case of each setting, beside what it takes: section `extremes`.

Each setting has each of its rows, or its least and its largest value, at four sizes: that of the
page, deep and narrow, wide, and with large batches. What no server would admit is left out, and so
is what ends early, which then costs nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench_cost import CALM, CLOCK, time_run
from bench_lines import Line

from stability.catalogues.schemes import SCHEMES
from stability.engine.cost import Speed, measure_speed, training_cost
from stability.page.limits import LIMITS
from stability.records.experiment import Experiment

SIZES: tuple[dict[str, Any], ...] = (
    {},
    {"depth": 101, "width": 2, "replicates": 16},
    {"depth": 5, "width": 512, "batch": 16},
    {"depth": 3, "width": 8, "batch": 1024, "replicates": 2},
)
LEFT_ALONE = "schemes", "seed", "steps"
STEPS, FEWEST, MOST_SECONDS = 300, 3, 1.5  # of a run: as many as take so long
OFF = 1.5


def extremes(quick: bool) -> Iterator[Line]:
    before, found = measure_speed(CLOCK), []
    for e in distinct_cases(SIZES[:1] if quick else SIZES):
        if not (timed := shortened(e, before)) or not (taken := time_run(timed)):
            continue
        after, cost = measure_speed(CLOCK), training_cost(timed)
        found.append((before.seconds(cost) + after.seconds(cost)) / 2 / taken)
        before = after
        if not 1 / OFF < found[-1] < OFF:
            print(f"{found[-1]:8.2f} of {timed.to_query()}", flush=True)
    off = [max(factor, 1 / factor) for factor in found]
    yield Line("estimated over taken time, extremes of each setting", found, "x")
    yield Line("  shares of them within 1.5", [sum(o <= OFF for o in off) / len(off)], "")
    yield Line("  how far off at most", [max(off)], "x", at_most=OFF)


def distinct_cases(sizes: tuple[dict[str, Any], ...]) -> Iterator[Experiment]:
    seen = set()
    for size in sizes:
        base = Experiment().settings() | CALM | size
        for settings in extreme_settings():
            try:
                e = Experiment.reconcile(base | settings)[0]
            except ValueError:
                continue
            kept = all(getattr(e, name) == value for name, value in settings.items())
            if kept and e not in seen:
                seen.add(e)
                yield e


def extreme_settings() -> Iterator[dict[str, Any]]:
    for name, knob in Experiment.knobs().items():
        if name in LEFT_ALONE:
            continue
        if hasattr(knob, "rows"):
            values = list(knob.rows)
        else:
            values = [knob.low, knob.high] if hasattr(knob, "low") else [True]
        yield from ({name: value} for value in values)
    yield from ({"schemes": (key,)} for key in SCHEMES)


def shortened(e: Experiment, speed: Speed) -> Experiment | None:
    """Return the experiment with as many steps as can be timed; None if it is beyond a limit."""
    steps = STEPS
    while steps > FEWEST and speed.seconds(training_cost(replace(e, steps=steps))) > MOST_SECONDS:
        steps = max(FEWEST, steps * 2 // 3)
    timed, cost = replace(e, steps=steps), training_cost(replace(e, steps=steps))
    admits = cost.bytes < LIMITS.run_bytes and speed.seconds(cost) < LIMITS.run_seconds
    return timed if admits and e.warmup <= steps else None
