"""The steps of a run at which costly quantities are measured: plain arithmetic on settings."""

from collections.abc import Collection
from functools import lru_cache

SAMPLED_STEPS = 20  # of a run, the first and the last among them


def evenly_spread_steps(steps: int, most: int) -> set[int]:
    """Return at most `most` steps, evenly spread over 0..steps, both ends among them."""
    count = min(most, steps + 1)
    return {round(index * steps / (count - 1)) for index in range(count)}


@lru_cache(maxsize=64)
def sampled_steps(steps: int) -> frozenset[int]:
    """Return the steps of a run of so many at which the costly quantities are measured."""
    return frozenset(evenly_spread_steps(steps, SAMPLED_STEPS))


def thin_steps(steps: Collection[int], most: int) -> set[int]:
    """Return at most `most` of these steps, evenly spread, both ends among them."""
    ordered = sorted(steps)
    return {ordered[index] for index in evenly_spread_steps(len(ordered) - 1, most)}
