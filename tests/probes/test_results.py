"""Results of probes are cached, and never computed twice while somebody holds them."""

import numpy as np

from stability.probes.results import NEWEST, remembered


def test_a_result_that_is_held_outlives_any_number_of_others():
    computed = []

    @remembered
    def compute(number: int) -> np.ndarray:
        computed.append(number)
        return np.array([number])

    first = compute(-1)
    for number in range(2 * NEWEST):
        compute(number)
    assert compute(-1) is first
    assert computed == [-1, *range(2 * NEWEST)]


def test_of_results_that_nobody_holds_the_newest_are_kept():
    computed = []

    @remembered
    def compute(number: int) -> np.ndarray:
        computed.append(number)
        return np.array([number])

    for number in range(2 * NEWEST):
        compute(number)
    computed.clear()
    for number in range(NEWEST, 2 * NEWEST):
        assert compute(number) == number
    assert computed == []
    compute(0)
    assert computed == [0]
