"""Work on a Dask cluster that runs already: the only file that imports `distributed`.

An item travels there and its result back. Every machine of the cluster, that of the scheduler too,
needs the same version of this package and of torch; a worker with another one is refused.
"""

import logging
import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stability.cells.versions import engine_version
from stability.engine.process_settings import configure_process
from stability.i18n import LazySentence, lazy_gettext

if TYPE_CHECKING:
    from distributed import Client, Future

INSTALLATION = 'python -m pip install ".[cluster]"'
SECONDS_TO_CONNECT = 5
SECONDS_WITHOUT_WORKERS = 15  # in which workers that were lost may come back
SECONDS_BETWEEN_LOOKS = 0.5
ITEMS_A_THREAD = 4  # of the cluster, submitted ahead, so that no worker waits for this process
Item = TypeVar("Item")
Result = TypeVar("Result")


class ClusterError(Exception):
    """The cluster cannot go on. `unfinished` are the items that it took and has not returned."""

    def __init__(self, sentence: LazySentence):
        super().__init__(sentence)
        self.sentence = sentence
        self.unfinished: list[Any] = []


class VersionError(Exception):
    """A worker, whose address it names, runs another version than who submits to it."""


def map_on_cluster(
    work: Callable[[Item], Result], items: Iterator[Item], scheduler: str
) -> Iterator[tuple[Item, Result] | None]:
    """Yield each item with `work(item)`, in the order in which a cluster completes them.

    Yields None at least twice a second, so that a reader can stop: closing the iterator cancels
    what no worker has begun. Items are taken as there is room for them, so there may be any number.
    What `work` raises on a worker is raised here. Dask gives the items of a lost worker to another.

    Raises
    ------
    ClusterError : if no scheduler answers at this address, it has no workers, or it ends, or a
        worker runs another version. What was yielded until then is complete.
    """
    with closing(connect(scheduler)) as client:  # with a client go its tasks
        submissions = Submissions(client, scheduler, work)
        try:
            while submissions.fill_up(items):
                yield from submissions.completed()
                yield None
        except ClusterError as lost:
            lost.unfinished = [*submissions.items.values()]
            raise


def connect(scheduler: str) -> "Client":
    """Return a client of the scheduler at this address."""
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise ClusterError(
            lazy_gettext(
                "A cluster needs the package `distributed`, which is not installed: {command}",
                command=INSTALLATION,
            )
        ) from None
    try:
        # A Client would knock for the whole time where nobody listens, and leave a thread behind.
        socket.create_connection(get_address_host_port(scheduler), SECONDS_TO_CONNECT).close()
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except Exception as error:  # anything may listen at that port
        sentence = lazy_gettext(
            "No Dask scheduler answers at {address} ({error}).",
            address=scheduler, error=str(error),
        )  # fmt: skip
        raise ClusterError(sentence) from error
    for name in ("distributed.client", "distributed.batched"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a ClusterError says what they would
    return client


class Submissions(Generic[Item, Result]):
    """The `items` that a process has submitted to a cluster and not got back, by their futures."""

    def __init__(self, client: "Client", address: str, work: Callable[[Item], Result]):
        from distributed import as_completed

        self.client, self.address, self.work = client, address, work
        self.items: dict[Future[Result], Item] = {}
        self._completed = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._threads, self._counted_at = 0, -math.inf
        self._had_threads_at = time.monotonic()

    def fill_up(self, items: Iterator[Item]) -> bool:
        """Submit as many more items as the cluster has room for. Return False at the end of all."""
        room = max(ITEMS_A_THREAD * self._count_threads() - len(self.items), 0)
        if self.client.status != "running":  # an item that cannot be submitted is not taken
            raise self._end()
        for item in islice(items, room):
            arguments = engine_version(), self.work, item
            future = self.client.submit(run_on_worker, *arguments, pure=False)
            self.items[future] = item
            self._completed.add(future)
        return bool(self.items) or not room

    def completed(self) -> Iterator[tuple[Item, Result]]:
        """Yield what is completed within half a second, all of it at that time."""
        with self._completed.thread_condition:
            self._completed.thread_condition.wait_for(
                self._completed.has_ready, SECONDS_BETWEEN_LOOKS
            )
        for future, result in self._completed.next_batch(block=False):
            yield self.items[future], self._checked(future, result)
            del self.items[future]

    def _checked(self, future: "Future[Result]", result: Any) -> Result:
        """Return the result of a future; raise what kept it from having one."""
        if future.status == "error":
            _, error, _ = result
            raise self._named(error)
        if future.status != "finished":
            raise self._end()
        return result

    def _named(self, error: Exception) -> Exception:
        """Return the error of a worker, or what it says of the cluster."""
        if isinstance(error, VersionError):
            sentence = lazy_gettext(
                "The worker at {address} runs another version of this package or of torch.",
                address=str(error),
            )  # fmt: skip
            return ClusterError(sentence)
        for reason in (error, error.__cause__):  # of a worker, or of the scheduler
            if isinstance(reason, ImportError):
                sentence = lazy_gettext(
                    "The cluster at {address} lacks what this program has ({reason}): its "
                    "scheduler and its workers need this package, too.",
                    address=self.address, reason=str(reason),
                )  # fmt: skip
                return ClusterError(sentence)
        return error

    def _count_threads(self) -> int:
        """Return the number of threads of all workers, counted anew twice a second."""
        now = time.monotonic()
        if now > self._counted_at + SECONDS_BETWEEN_LOOKS:
            try:
                self._threads, self._counted_at = sum(self.client.nthreads().values()), now
            except OSError:
                raise self._end() from None
        if self._threads:
            self._had_threads_at = now
        elif now > self._had_threads_at + SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                lazy_gettext("The scheduler at {address} has no workers.", address=self.address)
            )
        return self._threads

    def _end(self) -> ClusterError:
        return ClusterError(
            lazy_gettext(
                "The connection to the scheduler at {address} is lost.", address=self.address
            )
        )


def run_on_worker(version: str, work: Callable[[Item], Result], item: Item) -> Result:
    """Return `work(item)` where this is the version that is asked for."""
    if version != engine_version():
        raise VersionError(worker_address())
    prepare_worker()
    return work(item)


@cache
def prepare_worker() -> None:
    """Make this worker fast: one torch thread, since others use the cores."""
    configure_process()


def worker_address() -> str:
    from distributed import get_worker

    return str(get_worker().address)
