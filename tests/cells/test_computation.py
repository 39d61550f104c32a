"""Maps of which some cells are known, and maps that start anew: no cell comes twice."""

import pytest
from local_server import free_port
from small_runs import counting, small

from stability.cells.computation import cells_in_steps, compute
from stability.cells.map_run import MapRun
from stability.cells.outcome_cache import OutcomeCache
from stability.engine.failures import RunError
from stability.records.sweep import Sweep

SWEEP = Sweep(
    small(schemes=("scaled_normal",), activation="tanh"),
    x_range=(0.5, 3), x_cells=7, y_range=(2, 6), y_cells=5,
)  # fmt: skip
WIDER = Sweep(SWEEP.base, x_range=(0.5, 3), x_cells=7, y_range=(2, 7), y_cells=6)


@pytest.fixture
def cache(tmp_path):
    cache = OutcomeCache(tmp_path / "cells.sqlite")
    yield cache
    cache.close()


def experiments_trained(counted) -> int:
    return sum(len(family.experiments) for family in counted.started)


def test_a_second_map_trains_only_the_cells_that_no_map_has_had(cache):
    with counting() as counted:
        first = list(compute(SWEEP, cache=cache, notify=pytest.fail))
        assert experiments_trained(counted) == len(first) == 35
        again = list(compute(SWEEP, cache=cache, notify=pytest.fail))
        assert experiments_trained(counted) == 35
        wider = list(compute(WIDER, cache=cache, notify=pytest.fail))
        assert experiments_trained(counted) == len(wider) == 42
    by_place = {(cell.x, cell.y): cell for cell in first}
    assert by_place == {(cell.x, cell.y): cell for cell in again}
    assert by_place.items() <= {(cell.x, cell.y): cell for cell in wider}.items()


def test_a_map_whose_reader_stops_keeps_the_cells_that_it_has(cache):
    cells = compute(SWEEP, cache=cache)
    found = [next(cells) for _ in range(8)]
    cells.close()
    known = cache.get(cell.experiment for cell in found)
    assert known == {cell.experiment: cell.outcome for cell in found}


def test_a_cache_that_fails_costs_one_notice_and_no_cell(tmp_path):
    (tmp_path / "file").write_text("no folder")
    notices = []
    cells = list(
        compute(SWEEP, cache=OutcomeCache(tmp_path / "file" / "cells"), notify=notices.append)
    )
    assert len(cells) == 35
    assert len(notices) == 1
    assert "the map is computed all the same" in notices[0]


def test_a_page_without_the_cluster_that_it_was_told_of_says_so_and_computes_the_map(monkeypatch):
    monkeypatch.setenv("STABILITY_SCHEDULER", f"tcp://127.0.0.1:{free_port()}")
    run = MapRun(SWEEP).train()
    assert len(run.measurements) == 35
    (notice,) = map(str, run.notices)
    assert notice.startswith("No Dask scheduler answers at tcp://127.0.0.1:")
    assert notice.endswith("The cells that are missing are computed here.")


def test_a_map_that_starts_anew_after_a_failure_has_every_cell_once(monkeypatch, cache):
    monkeypatch.setattr("stability.cells.map_run.cells_in_steps", failing_once(cache))
    run = MapRun(SWEEP)
    with pytest.raises(RunError):
        run.train()
    assert 0 < len(run.measurements) < 35
    run.train()
    assert len({(cell.x, cell.y) for cell in run.measurements}) == len(run.measurements) == 35
    assert run.notices == ["a notice"]


def failing_once(cache: OutcomeCache):
    """The real `cells_in_steps`, which fails after twenty cells of the first map."""
    failures = [MemoryError("no room")]

    def cells(sweep, scheduler, notify):
        cells = cells_in_steps(sweep, scheduler, cache, notify=notify)
        for index, cell in enumerate(filter(None, cells)):
            if index == 20 and failures:
                notify("a notice")
                raise failures.pop()
            yield cell

    return cells
