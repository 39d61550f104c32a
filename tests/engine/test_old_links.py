"""Links of before measure what they did: a new setting leaves draws and numbers as they were."""

import numpy as np
import pytest
from old_links import first_numbers, recorded

RECORDED = recorded()
# Of the largest number: what other orders of summation move in twenty layers. Formats of 16 bits
# hold two or three digits, and depth loses some of them.
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
COARSE = 0.2


def is_the_same(found: dict[str, list], link: str) -> bool:
    """True if all numbers are those recorded of a link, but for the order of summation."""
    precision = next((part[10:] for part in link.split("&") if "precision" in part), "float32")
    for name, numbers in found.items():
        a, b = (np.array(row, float) for row in (numbers, RECORDED[link][name]))
        if (np.isfinite(a) != np.isfinite(b)).any():
            return False
        limit = TOLERANCE.get(precision, COARSE) * np.nanmax(np.abs(b), initial=0.0)
        if (np.abs(np.nan_to_num(a - b)) > limit).any():
            return False
    return True


@pytest.mark.parametrize("link", RECORDED)
def test_a_link_of_before_measures_what_it_did(link):
    assert is_the_same(first_numbers(link), link)


def test_the_tolerance_tells_other_draws_apart():
    changed = [is_the_same(first_numbers(f"{link}&seed=77"), link) for link in RECORDED]
    assert changed.count(True) <= 3, "formats of 16 bits, in which all is rounded to 0"
