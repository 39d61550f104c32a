"""The cost of a map beside its training: of a cell, of a task on a cluster, and of two workers."""

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench_lines import Line, in_turns
from distributed import Client
from local_cluster import LocalCluster, local_cluster

from stability.cells.cluster import map_on_cluster
from stability.cells.computation import compute
from stability.cells.groups import groups_of, train_group
from stability.cells.outcome_cache import OutcomeCache
from stability.records.experiment import Experiment
from stability.records.sweep import FIRST_BASE, Sweep

TINY = Sweep(
    Experiment(
        schemes="scaled_normal", activation="tanh", depth=3, width=4, features=4, samples=64,
        batch=16, steps=5,
    ),
    x_range=(0.5, 3), x_cells=100, y="learning_rate", y_range=(0.001, 1), y_cells=100,
)  # fmt: skip
MAP = Sweep(replace(FIRST_BASE, steps=60))
TASKS = 500  # that do nothing


def cells(quick: bool) -> Iterator[Line]:
    """The cost of what is not training: in this process, and on a cluster of two workers."""
    with tempfile.TemporaryDirectory() as folder:
        yield from map_lines(Path(folder), turns=1 if quick else 3)
        with local_cluster(Path(folder)) as cluster:
            yield from task_lines(cluster)
            yield from worker_lines(cluster, turns=1 if quick else 3)


def map_lines(folder: Path, turns: int) -> Iterator[Line]:
    """10,000 cells of tiny networks: their training alone, as a map, and from the cache."""
    count = len(TINY.x_values) * len(TINY.y_values)
    caches = [OutcomeCache(folder / f"{turn}.sqlite") for turn in range(turns)]
    unused = iter(caches)
    groups = list(groups_of(TINY))
    train = lambda: [train_group(group) for group in groups]  # noqa: E731
    first = lambda: list(compute(TINY, cache=next(unused)))  # noqa: E731
    again = lambda: list(compute(TINY, cache=caches[0]))  # noqa: E731
    times = in_turns(turns, train, first, again)
    per_cell = [
        [1e3 * seconds / count for seconds in column] for column in zip(*times, strict=True)
    ]
    added = [whole - alone for alone, whole in zip(*per_cell[:2], strict=True)]
    yield Line(f"a cell of {count} tiny ones, its training", per_cell[0], "ms")
    yield Line("  what a map adds to it", added, "ms", at_most=0.5)
    yield Line("  a cell that the cache knows", per_cell[2], "ms", at_most=0.5)
    size = caches[0].path.stat().st_size / count
    yield Line("  its place on the disk", [size], "bytes", at_most=1000)


def task_lines(cluster: LocalCluster) -> Iterator[Line]:
    """Processor time of a task that does nothing: in this process, the scheduler, a worker."""
    cluster.start(workers=1)
    warm_up(cluster)
    before = processor_seconds(cluster)
    list(map_on_cluster(math.sqrt, iter(range(TASKS)), cluster.address))
    for start, (place, end) in zip(
        before.values(), processor_seconds(cluster).items(), strict=True
    ):
        yield Line(f"a task of a cluster: {place}", [1e3 * (end - start) / TASKS], "ms")


def worker_lines(cluster: LocalCluster, turns: int) -> Iterator[Line]:
    """A map by one worker and by two, in turns.

    By the clock this needs two idle cores and, for scheduler and reader, a little of a third. The
    processor time of one worker over that of the busier of two says what idle cores would give.
    """
    clocks, busiest = [], []
    for _ in range(turns):
        measured = []
        for workers in (1, 2):
            cluster.start(workers)
            warm_up(cluster)
            before, started = processor_seconds(cluster), time.perf_counter()
            list(compute(MAP, cluster.address, cache=None))
            clock, after = time.perf_counter() - started, processor_seconds(cluster)
            of_each = [after[name] - before[name] for name in after if name.startswith("tcp")]
            measured.append((clock, max(of_each)))
        cluster.workers.pop().kill()
        (one, one_busy), (two, two_busy) = measured
        clocks.append((one, two))
        busiest.append((one_busy, two_busy))
    count = len(MAP.x_values) * len(MAP.y_values)
    yield Line(f"{count} cells by one worker", [one for one, _ in clocks], "s")
    yield Line("  times that of two", [one / two for one, two in clocks], "x", at_least=1.7)
    yield Line("  the same, of processor time", [one / two for one, two in busiest], "x")


def processor_seconds(cluster: LocalCluster) -> dict[str, float]:
    """Processor time of this process, the scheduler, and each worker by its address."""
    with Client(cluster.address, set_as_default=False) as client:
        scheduler = client.run_on_scheduler(lambda: time.process_time())
        workers = client.run(time.process_time)
    return {"this process": time.process_time(), "the scheduler": scheduler, **workers}


def warm_up(cluster: LocalCluster) -> None:
    """Let each worker load what it needs."""
    list(map_on_cluster(time.sleep, iter([0.1] * 20), cluster.address))
