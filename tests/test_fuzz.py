"""Ten thousand links, a hundred pages and fifty sequences of touches, all at random."""

from random import Random

import app_pages
import fuzz
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.fuzz
@given(seeds)
@settings(max_examples=100)
def test_any_link_opens_a_page_whose_own_link_opens_the_same(seed):
    random = Random(seed)
    for _ in range(100):
        fuzz.check_link(fuzz.random_query(random))


@pytest.mark.page
def test_any_link_is_shown_without_an_exception():
    random = Random(0)
    with fuzz.small_limits():
        at = app_pages.opened()
        for _ in range(100):
            fuzz.show(at, fuzz.random_query(random))


@pytest.mark.page
@given(st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_after_any_touches_page_link_and_state_agree(random):
    with fuzz.small_limits():
        fuzz.play(random)
