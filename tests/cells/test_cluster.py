"""A real scheduler and two real workers: their results, and the end of each of them."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest
from distributed import Client
from local_cluster import LocalCluster, local_cluster
from local_server import free_port
from small_runs import small

from stability.cells import cluster, computation
from stability.cells.cell import Cell
from stability.cells.cluster import ClusterError, map_on_cluster
from stability.cells.computation import compute
from stability.cells.groups import groups_of
from stability.cells.map_run import MapRun
from stability.cells.outcome_cache import OutcomeCache
from stability.records.sweep import Sweep

pytestmark = pytest.mark.load
SWEEP = Sweep(
    base=small(schemes=("scaled_normal",), activation="tanh", width=16),
    x_range=(0.5, 3), x_cells=5, y_range=(2, 13), y_cells=12,
)  # fmt: skip


def by_place(cells: Iterable[Cell]) -> dict[tuple[float, float], Cell]:
    """Cells by their values; none comes twice."""
    listed = list(cells)
    found = {(cell.x, cell.y): cell for cell in listed}
    assert len(found) == len(listed)
    return found


@contextmanager
def calls(*names: str) -> Iterator[list[str]]:
    """The calls of these functions that `compute` makes, by name."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            real = getattr(computation, name)
            patch.setattr(computation, name, partial(noted, made, name, real))
        yield made


def noted(made: list[str], name: str, real, *arguments):
    made.append(name)
    return real(*arguments)


@pytest.fixture(scope="module")
def here() -> dict[tuple[float, float], Cell]:
    """The map as this process computes it."""
    return by_place(compute(SWEEP, cache=None))


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with local_cluster(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.fixture
def running(processes) -> LocalCluster:
    """A scheduler and two workers, started anew as far as the last test ended them."""
    processes.start(workers=2)
    return processes


def test_each_of_any_number_of_items_is_worked_on_once_and_what_work_raises_is_raised_here(running):
    results = filter(None, map_on_cluster(math.sqrt, iter(range(50)), running.address))
    assert sorted(results) == [(number, math.sqrt(number)) for number in range(50)]
    numbers = count()
    endless = map_on_cluster(math.sqrt, numbers, running.address)
    assert next(filter(None, endless))
    endless.close()
    assert next(numbers) < 100  # so few were taken
    with pytest.raises(ValueError, match="math domain error"):
        list(map_on_cluster(math.sqrt, iter([-1]), running.address))


def test_a_reader_who_stops_cancels_what_waits(running):
    results = map_on_cluster(time.sleep, iter([0.2] * 1000), running.address)
    assert next(filter(None, results)) == (0.2, None)
    with Client(running.address, set_as_default=False) as client:
        count_tasks = partial(
            client.run_on_scheduler, lambda dask_scheduler: len(dask_scheduler.tasks)
        )
        assert count_tasks() > 2
        results.close()
        while count_tasks():
            time.sleep(0.05)  # until the scheduler has seen that the client left


def test_a_worker_of_another_version_is_refused_by_its_address(running, monkeypatch):
    monkeypatch.setattr(cluster, "engine_version", lambda: "another")
    with pytest.raises(
        ClusterError, match=r"The worker at tcp://127\.0\.0\.1:\d+ runs another"
    ) as lost:
        list(map_on_cluster(math.sqrt, iter([4]), running.address))
    assert lost.value.unfinished == [4]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{}", "127.0.0.1", "foo://127.0.0.1:{}", ""])
def test_an_address_where_no_scheduler_answers_is_named(address):
    address = address.format(free_port())
    with pytest.raises(ClusterError, match=f"No Dask scheduler answers at {address} "):
        next(map_on_cluster(math.sqrt, iter([4]), address))


def test_a_map_from_a_cluster_is_the_map_from_here_and_a_second_one_trains_nothing(
    running, here, tmp_path
):
    cache = OutcomeCache(tmp_path / "cells.sqlite")
    assert by_place(compute(SWEEP, running.address, cache, pytest.fail)) == here
    with calls("map_on_cluster", "train_in_steps") as made:
        assert by_place(compute(SWEEP, None, cache, pytest.fail)) == here
        assert by_place(compute(SWEEP, running.address, cache, pytest.fail)) == here
    cache.close()
    assert not made


def test_the_page_computes_its_maps_on_the_cluster_that_the_environment_names(
    running, here, monkeypatch
):
    monkeypatch.setenv("STABILITY_SCHEDULER", running.address)
    with calls("train_in_steps") as made:
        run = MapRun(SWEEP).train()
    assert by_place(run.measurements) == here
    assert not made
    assert not run.notices


def test_a_worker_that_is_killed_half_way_loses_nothing(running, here):
    cells = compute(SWEEP, running.address, None, pytest.fail)
    first = next(cells)
    running.workers[0].kill()
    assert by_place([first, *cells]) == here


def test_when_the_scheduler_is_killed_finished_cells_are_kept_and_the_rest_is_computed_here(
    running, here, tmp_path
):
    cache, notices = OutcomeCache(tmp_path / "cells.sqlite"), []
    cells = compute(SWEEP, running.address, cache, notices.append)
    first = next(cells)
    running.scheduler.kill()
    with calls("train_in_steps") as made:
        assert by_place([first, *cells]) == here
    lost = f"The connection to the scheduler at {running.address} is lost."
    assert notices == [f"{lost} The cells that are missing are computed here."]
    assert 0 < len(made) < len(list(groups_of(SWEEP)))
    cache.close()
