"""The steps at which what is costly is measured, and which a reader can therefore choose from."""

SAMPLED_STEPS = 20  # at which the costly quantities are taken, the first and the last among them


def evenly_spread_steps(steps: int, most: int) -> set[int]:
    """Return at most `most` steps, evenly spread over 0..steps, the first and the last among them."""
    count = min(most, steps + 1)
    return {round(index * steps / (count - 1)) for index in range(count)}
