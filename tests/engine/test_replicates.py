"""The reductions over replicates: of the finite values, and the same whatever axis they lie on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stability.engine.replicates import (
    mean_of_finite,
    median_and_range,
    median_of_finite,
    median_or_worst,
    worst_replicate,
)

VALUES = arrays.arrays(np.float64, (3, 4, 2), elements=st.floats(width=32))
INF, NAN = math.inf, math.nan


@given(VALUES)
def test_median_range_and_mean_are_those_of_the_finite_values(values):
    median, low, high = median_and_range(values)
    mean = mean_of_finite(values)
    for scheme in range(3):
        for layer in range(2):
            row = values[scheme, :, layer]
            finite, at = row[np.isfinite(row)], (scheme, layer)
            if not len(finite):
                assert np.isnan([median[at], low[at], high[at], mean[at]]).all()
                continue
            assert (low[at], high[at]) == (finite.min(), finite.max())
            assert median[at] == pytest.approx(np.median(finite))
            assert mean[at] == pytest.approx(finite.mean())


@given(VALUES, st.integers(0, 2))
def test_the_axis_of_the_replicates_may_lie_anywhere(values, axis):
    moved = np.moveaxis(values, 1, axis)
    for reduce in (median_of_finite, median_or_worst, mean_of_finite, worst_replicate):
        np.testing.assert_array_equal(reduce(moved, axis), reduce(values))


@pytest.mark.parametrize(
    ("replicates", "median", "worst"),
    [
        ([3.0, 1.0, 2.0], 2.0, 3.0),
        ([1.0, 2.0], 1.5, 2.0),
        ([1.0, INF, NAN], 1.0, NAN),
        ([INF, -INF], INF, INF),
        ([INF, NAN], NAN, NAN),
        ([1e308, 1e308], 1e308, 1e308),
    ],
)
def test_only_where_no_replicate_is_finite_the_median_is_the_worst_of_them(
    replicates, median, worst
):
    values = np.array([replicates])
    np.testing.assert_array_equal(median_or_worst(values), [median])
    np.testing.assert_array_equal(worst_replicate(values), [worst])
