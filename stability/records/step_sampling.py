"""The steps of a run at which costly quantities are measured."""

from functools import lru_cache

SAMPLED_STEPS = 20  # per run, including the first and the last


def evenly_spread_steps(steps: int, most: int) -> frozenset[int]:
    """Return at most `most` steps, evenly spread over 0..steps, both ends included."""
    count = min(most, steps + 1)
    return frozenset(round(index * steps / (count - 1)) for index in range(count))


@lru_cache(maxsize=64)
def sampled_steps(steps: int) -> frozenset[int]:
    """Return the steps at which a run of `steps` steps measures the costly quantities."""
    return evenly_spread_steps(steps, SAMPLED_STEPS)


@lru_cache(maxsize=16)  # each draw of a run asks for the same
def thin_steps(steps: frozenset[int], most: int) -> frozenset[int]:
    """Return at most `most` of these steps, evenly spread, both ends included."""
    ordered = sorted(steps)
    return frozenset(ordered[index] for index in evenly_spread_steps(len(ordered) - 1, most))
