"""A real Dask cluster on 127.0.0.1: a scheduler and its workers, each a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_server import ROOT, free_port

SECONDS_TO_START = 90  # until a process that does not answer is called missing


class LocalCluster:
    """Processes of `dask scheduler` and `dask worker`, of one thread each, that write to a log."""

    def __init__(self, folder: Path):
        self.folder, self.address = folder, f"tcp://127.0.0.1:{free_port()}"
        self.scheduler: subprocess.Popen | None = None
        self.workers: list[subprocess.Popen] = []

    def start(self, workers: int = 2) -> None:
        """Start what does not run of a scheduler and this many workers, and wait for them."""
        from distributed import Client

        if not self.scheduler or self.scheduler.poll() is not None:
            self.end()
            port = self.address.rpartition(":")[2]
            self.scheduler = self._dask(
                "scheduler", "--host", "127.0.0.1", "--port", port, "--idle-timeout", "600"
            )
            self._until_it_listens()
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < workers:
            options = "--no-nanny", "--nthreads", "1", "--death-timeout", "60"
            folder = "--local-directory", str(self.folder)
            self.workers.append(self._dask("worker", self.address, *options, *folder))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=SECONDS_TO_START)

    def end(self) -> None:
        for process in filter(None, [*self.workers, self.scheduler]):
            process.kill()
            process.wait()
        self.workers, self.scheduler = [], None

    def _dask(self, *words: str) -> subprocess.Popen:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard"],
                cwd=self.folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def _until_it_listens(self) -> None:
        host, port = self.address.removeprefix("tcp://").split(":")
        end = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < end and self.scheduler.poll() is None:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)  # between two looks
        raise RuntimeError(f"no scheduler:\n{(self.folder / 'log').read_text()}")


@contextmanager
def local_cluster(folder: Path) -> Iterator[LocalCluster]:
    """A cluster that is started by `start` and ended here, by the ids of its processes."""
    cluster = LocalCluster(folder)
    try:
        yield cluster
    finally:
        cluster.end()
