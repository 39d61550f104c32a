"""The steps of a run at which costly quantities are measured."""

from collections.abc import Collection
from functools import lru_cache

SAMPLED_STEPS = 20  # per run, including the first and the last


def evenly_spread_steps(steps: int, most: int) -> set[int]:
    """Return at most `most` steps, evenly spread over 0..steps, both ends included."""
    count = min(most, steps + 1)
    return {round(index * steps / (count - 1)) for index in range(count)}


@lru_cache(maxsize=64)
def sampled_steps(steps: int) -> frozenset[int]:
    """Return the steps at which a run of `steps` steps measures the costly quantities."""
    return frozenset(evenly_spread_steps(steps, SAMPLED_STEPS))


def thin_steps(steps: Collection[int], most: int) -> set[int]:
    """Return at most `most` of these steps, evenly spread, both ends included."""
    ordered = sorted(steps)
    return {ordered[index] for index in evenly_spread_steps(len(ordered) - 1, most)}
