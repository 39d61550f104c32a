"""Which single changes to try first: those whose first step promises most.

Each changed network is drawn and its step 0 measured, and the forecast says how likely it learns.
How often the first of them cures, `tests/audit.py` measures.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from stability.diagnosis.changes import CHANGES, single_changes, treated, treated_together
from stability.diagnosis.forecast import outlook_from_start
from stability.diagnosis.indicators import Indicators, scheme_indicators
from stability.diagnosis.remedies import Remedy
from stability.engine.measurement import Measurement
from stability.engine.training import measure
from stability.engine.training_process import call_apart
from stability.records.experiment import Experiment

PATIENCE = "steps"  # the change that only trains on
RELUCTANCE = {change.key: change.reluctance for change in CHANGES}
MOST_NUMBERS = 2**20  # depth x width x (width + batch) of networks whose first steps are quick
# The settings on which the first measurement does not depend.
AFTER_FIRST_STEP: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 0.02, "warmup": 0, "schedule": "constant", "momentum": 0.9,
    "epsilon": 1e-8, "clip": 0.0,
    "weight_decay": 0.0, "steps": 1,
}  # fmt: skip


@lru_cache(maxsize=128)
def ranked_changes(e: Experiment, scheme: str) -> tuple[tuple[str, Remedy], ...]:
    """Return the key and the remedy of each single change of a network, the likeliest cure first.

    That costs as much as a dozen steps of one replicate, apart if it can be, and is remembered. For
    large networks, whose steps take long, it is the order of the rows.
    """
    changes = dict(single_changes(e, scheme))
    is_quick = e.depth * e.width * (e.width + e.batch) <= MOST_NUMBERS
    order = call_apart(order_by_promise, e, scheme) if is_quick else changes
    return tuple((change, changes[change]) for change in order)


def order_by_promise(e: Experiment, scheme: str) -> list[str]:
    """Return the keys of the single changes of a network, the likeliest cure first."""
    changes = list(single_changes(e, scheme))
    e = replace(e, replicates=1)
    starts = tuple(remedy.scheme for _, remedy in changes if remedy.scheme)
    promise = {}
    for change, remedy in changes:
        changed = treated(e, scheme, remedy)
        if changed:
            # In one stack with the others that are changed alike: they will be asked for, too.
            together = treated_together(e, remedy) or changed
            stack = replace(e, schemes=starts) if remedy.scheme else together
            start = indicators_at_start(stack)[stack.schemes.index(changed.schemes[0])]
            promise[change] = outlook_from_start(changed, start).learns - RELUCTANCE[change]
    keys = [change for change, _ in changes]
    return sorted(keys, key=lambda change: promise.get(change, -1.0), reverse=True)


@lru_cache(maxsize=128)
def indicators_at_start(e: Experiment) -> list[Indicators]:
    """Return the indicators of all schemes at step 0."""
    return scheme_indicators(e, first_measurement(replace(e, **AFTER_FIRST_STEP)))


@lru_cache(maxsize=64)
def first_measurement(e: Experiment) -> Measurement:
    return next(measure(e, snapshots=False))


def most_promising_first(e: Experiment, scheme: str) -> list[Remedy]:
    """Return the single changes of this scheme's network, the likeliest cure first."""
    return [remedy for _, remedy in ranked_changes(e, scheme)]
