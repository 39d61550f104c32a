"""Small experiments, trained once for all tests of verdicts, and what is said of them."""

import random
from dataclasses import replace
from functools import cache

from audit_cases import random_experiment

from stability.diagnosis.verdicts import Verdict, current_verdicts, verdicts_before_training
from stability.engine.runs import Run
from stability.records.experiment import Experiment

SMALL = Experiment(schemes=("he_normal",), depth=4, width=16, samples=128, batch=32, steps=60)
DRAWS, SAMPLE_SEED = 8, 305  # the forecast was fitted on samples of other seeds


def small(**settings) -> Experiment:
    return replace(SMALL, **settings)


@cache
def finished(e: Experiment) -> Run:
    return Run(e, snapshots=False).train()  # which no verdict looks at


def finding(e: Experiment) -> Verdict:
    """Return what is said of the first scheme after training."""
    return findings(e)[0]


def findings(e: Experiment) -> list[Verdict]:
    return current_verdicts(finished(e), e.steps + 1)


def likely(e: Experiment) -> Verdict:
    """Return what is foretold of the first scheme."""
    return verdicts_before_training(e, finished(replace(e, steps=1)).measurements[0])[0]


@cache
def sample() -> tuple[Run, ...]:
    """Return runs of random experiments of every kind, two networks each."""
    draw = random.Random(SAMPLE_SEED)
    drawn = (random_experiment(draw) for _ in range(DRAWS))
    return tuple(finished(replace(e, steps=30, depth=min(e.depth, 10))) for e in drawn)


def everything_said(run: Run) -> list[Verdict]:
    """Return the forecasts, what is said half way, and the findings."""
    counts = 1, run.experiment.steps // 2, len(run.measurements)
    return [verdict for count in counts for verdict in current_verdicts(run, count)]
