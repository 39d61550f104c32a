"""A map, cell by cell: what the cache knows, then what trains here or on a cluster."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, product

from stability.cells.cell import Cell, cell_at
from stability.cells.cluster import ClusterError, map_on_cluster
from stability.cells.groups import Group, groups_of, train_group, train_in_steps
from stability.cells.outcome import Outcome
from stability.cells.outcome_cache import CACHE_OF_CELLS, OutcomeCache
from stability.i18n import LazySentence, lazy_gettext
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep

Notify = Callable[[LazySentence], object]
Outcomes = dict[Experiment, Outcome]


def compute(
    sweep: Sweep,
    scheduler: str | None = None,
    cache: OutcomeCache | None = CACHE_OF_CELLS,
    notify: Callable[[str], object] = warnings.warn,
) -> Iterator[Cell]:
    """Yield the cells of a map: those that `cache` knows, then the others, coarse to fine.

    An experiment of several cells is trained once. Its outcome is kept in `cache`, one file for all
    processes of a user; None does without. With the address of a Dask `scheduler`, such as
    "tcp://10.0.0.1:8786", groups of cells train on its workers. Closing the iterator cancels what
    has not begun. `notify` is called with a sentence where the cache or the cluster fails; the
    cells that are missing then train here.

    Scale, as measured: a cell of the default map takes a core about 0.3 s, a tiny one 1 ms. Beside
    its training a cell costs 0.13 ms and 3 KB here, 320 bytes on disk and 270 on the network; a
    task costs 2 ms each of this process, the scheduler and a worker. A group, one task, is 30 cells
    of the default map or 1500 tiny ones, so one scheduler keeps up with thousands of workers; it
    has 4 tasks a thread, however many cells a map has. 10,000 x 10,000 default cells would be 3
    million tasks (2 hours of the scheduler) and 8,000 core-hours, but 300 GB here and 32 GB on
    disk. So it stops at this process, which has all cells of a map in memory, at some millions of
    them, and before that at the 100 x 100 of a Sweep: compute a larger map as many that share the
    edges of their ranges, with a cache that is large enough, `OutcomeCache(path, most_bytes)`.
    """
    in_words: Notify = lambda notice: notify(str(notice))  # noqa: E731
    with closing(cells_in_steps(sweep, scheduler, cache, notify=in_words)) as steps:
        yield from filter(None, steps)


def cells_in_steps(
    sweep: Sweep,
    scheduler: str | None = None,
    cache: OutcomeCache | None = CACHE_OF_CELLS,
    *,
    notify: Notify,
) -> Generator[Cell | None, None, None]:
    """Yield what `compute` does, and None after each step of training, so that one can stop.

    Notices are read in the reader's language.

    On a cluster None comes twice a second.
    """
    places = defaultdict(list)
    for x, y in product(sweep.x_values, sweep.y_values):
        places[sweep.experiment_at(x, y)].append((x, y))
    known = cache.get(places) if cache else {}
    missing = list(without(known, groups_of(sweep)))
    for outcomes in chain([known], outcomes_in_steps(missing, scheduler, cache, notify)):
        for experiment, outcome in outcomes.items():
            yield from (cell_at(sweep, x, y, experiment, outcome) for x, y in places[experiment])
        yield None


def without(known: Outcomes, groups: Iterable[Group]) -> Iterator[Group]:
    """Yield what is left of groups without the experiments whose outcomes are known."""
    for group in groups:
        if missing := tuple(e for e in group.experiments if e not in known):
            yield Group(missing)


def outcomes_in_steps(
    groups: Sequence[Group], scheduler: str | None, cache: OutcomeCache | None, notify: Notify
) -> Iterator[Outcomes]:
    """Yield the outcomes of groups, which `cache` keeps, and {} after each step of training."""
    notices: set[LazySentence] = set()
    for completed in trained_in_steps(groups, scheduler, notify):
        group, found = completed or (Group(()), [])
        outcomes = dict(zip(group.experiments, found, strict=True))
        if cache and outcomes:
            cache.put(outcomes)
            if (notice := cache.take_notice()) and notice not in notices:
                notices.add(notice)
                notify(notice)
        yield outcomes


def trained_in_steps(
    groups: Sequence[Group], scheduler: str | None, notify: Notify
) -> Iterator[tuple[Group, list[Outcome]] | None]:
    """Yield groups with their outcomes, and None after each step of training."""
    left = iter(groups)
    if scheduler and groups:
        try:
            yield from map_on_cluster(train_group, left, scheduler)
        except ClusterError as error:
            notify(
                lazy_gettext(
                    "{reason} The cells that are missing are computed here.", reason=error.sentence
                )
            )
            left = chain(error.unfinished, left)
    for group in left:
        found = yield from train_in_steps(group)
        yield group, found
