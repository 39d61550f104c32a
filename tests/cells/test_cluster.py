"""A real scheduler and two real workers: their results, and the end of each of them."""

import math
import time
from functools import partial
from itertools import count

import pytest
from distributed import Client
from local_cluster import LocalCluster, local_cluster
from local_server import free_port

from stability.cells import cluster
from stability.cells.cluster import ClusterError, map_on_cluster

pytestmark = pytest.mark.load


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
