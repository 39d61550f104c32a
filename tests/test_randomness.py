"""Generators: no two share a stream."""

from itertools import product

import pytest

from stability.randomness import PURPOSES, generator


def test_no_two_purposes_seeds_replicates_layers_or_steps_share_a_stream():
    numbers = list(product((0, 1, 2**31 - 1), (0, 1, 15), (0, 1, 101), (0, 1, 2, 5000)))
    seeds = {
        generator(seed, purpose, *rest).initial_seed()
        for purpose in PURPOSES
        for seed, *rest in numbers
    }
    assert len(seeds) == len(PURPOSES) * len(numbers)


def test_a_generator_for_an_unknown_purpose_is_refused():
    with pytest.raises(ValueError):  # noqa: PT011
        generator(0, "colour")
