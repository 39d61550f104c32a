"""Many visitors on a real server: what is shared is computed once, and all get everything."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

import load
import pytest

from stability import frames
from stability.engine.runs import Run
from stability.records.experiment import Experiment

pytestmark = pytest.mark.load
LINK = "schemes=he_normal,xavier_normal&depth=10&width=32&samples=256&batch=32&steps=200"


@pytest.fixture(scope="module")
def place() -> Iterator[load.House]:
    with load.house() as place:
        yield place
        assert "Traceback" not in place.server.log.read_text()


def finished_curves(query: str):
    """The curves that a visitor must hold at the end, computed here."""
    run = Run(Experiment.from_query(dict(parse_qsl(query)))[0])
    return frames.curve_table(run, len(list(run)))


def test_thirty_visitors_of_one_link_cost_one_run_and_all_receive_it(place):
    one, steps_of_one = load.counted_visits(place, [f"{LINK}&seed=1"])
    many, steps_of_many = load.counted_visits(place, [f"{LINK}&seed=2"] * 30)
    assert steps_of_many == steps_of_one == 201
    assert [seen.errors for seen in one + many] == [[]] * 31
    expected = finished_curves(f"{LINK}&seed=2")
    assert all(seen.bands.equals(expected) for seen in many)


def test_who_comes_later_gets_the_finished_curves_without_a_step(place):
    load.visits(place.server, [f"{LINK}&seed=3"])
    (seen,), steps = load.counted_visits(place, [f"{LINK}&seed=3"])
    assert steps == 0
    assert seen.bands.equals(finished_curves(f"{LINK}&seed=3"))


def test_visitors_who_train_different_things_are_all_served_and_nothing_is_trained_twice(place):
    queries = [f"{LINK}&seed={seed}" for seed in range(11, 17)]
    seen, steps = load.counted_visits(place, queries)
    assert steps == 6 * 201
    assert [visit.errors for visit in seen] == [[]] * 6
    for query, visit in zip(queries, seen, strict=True):
        assert visit.bands.equals(finished_curves(query))


def test_links_that_spell_one_state_differently_share_a_run(place):
    spellings = [
        f"{LINK}&seed=21",
        f"seed=21&{LINK}&v=1&noise=0.1",
        f"{LINK}&seed=21&wings=2".replace(",", "%2C"),
    ]
    seen, steps = load.counted_visits(place, spellings)
    assert steps == 201
    assert all(visit.bands.equals(seen[0].bands) for visit in seen)
