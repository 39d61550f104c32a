"""Many visitors on a real server: what is shared is computed once, and all get everything."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from hall import LINK, Hall, hall, visits_measured

from stability import frames
from stability.engine.runs import Run
from stability.records.experiment import Experiment

pytestmark = pytest.mark.load


@pytest.fixture(scope="module")
def place() -> Iterator[Hall]:
    with hall() as place:
        yield place
        assert "Traceback" not in place.server.log.read_text()


def finished_curves(query: str):
    """The curves that a visitor must hold at the end, computed here."""
    run = Run(Experiment.from_query(dict(parse_qsl(query)))[0])
    return frames.training_tables(run.train())["bands"]


def test_thirty_visitors_of_one_link_cost_one_run_and_all_receive_it(place):
    one = visits_measured(place, "one", [f"{LINK}&seed=1"])
    many = visits_measured(place, "many", [f"{LINK}&seed=2"] * 30)
    assert many.steps == one.steps == 201
    assert [seen.errors for seen in one.visits + many.visits] == [[]] * 31
    expected = finished_curves(f"{LINK}&seed=2")
    assert all(seen.bands.equals(expected) for seen in many.visits)


def test_who_comes_later_gets_the_finished_curves_without_a_step(place):
    visits_measured(place, "first", [f"{LINK}&seed=3"])
    later = visits_measured(place, "later", [f"{LINK}&seed=3"])
    assert later.steps == 0
    assert later.visits[0].bands.equals(finished_curves(f"{LINK}&seed=3"))


def test_visitors_who_train_different_things_are_all_served_and_nothing_is_trained_twice(place):
    queries = [f"{LINK}&seed={seed}" for seed in range(11, 17)]
    many = visits_measured(place, "many", queries)
    assert many.steps == 6 * 201
    assert [visit.errors for visit in many.visits] == [[]] * 6
    for query, visit in zip(queries, many.visits, strict=True):
        assert visit.bands.equals(finished_curves(query))


def test_links_that_spell_one_state_differently_share_a_run(place):
    spellings = [
        f"{LINK}&seed=21",
        f"seed=21&{LINK}&v=1&noise=0.1",
        f"{LINK}&seed=21&wings=2".replace(",", "%2C"),
    ]
    many = visits_measured(place, "many", spellings)
    assert many.steps == 201
    assert all(visit.bands.equals(many.visits[0].bands) for visit in many.visits)
