"""A server on 127.0.0.1 for many visitors, what its process takes, and the table of that."""

import asyncio
import math
import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local_server import Server, served
from visitors import Visit, visit_together

LINK = "schemes=he_normal,xavier_normal&depth=10&width=32&samples=256&batch=32&steps=200"
DEFAULT = "v=1"
# The table's: seconds to the first curve, median and 95th percentile, and until the last was done.
HEADINGS = ["", "visits", "first", "p95", "end", "CPU s", "peak MB", "errors", "lost", "steps"]
WIDTHS = [22, *(8 for _ in HEADINGS[1:])]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Hall:
    """A server whose engine's steps are counted, and what its process takes."""

    server: Server
    count_file: Path

    @property
    def steps(self) -> int:
        return self.count_file.stat().st_size

    @property
    def processes(self) -> list[Path]:
        """The server and its children, in /proc."""
        server = str(self.server.pid)
        found = [path for path in Path("/proc").glob("[0-9]*") if parent_of(path) == server]
        return [Path("/proc") / server, *found]

    @property
    def cpu_seconds(self) -> float:
        return sum(map(seconds_of, self.processes))

    @property
    def training_seconds(self) -> float:
        """The CPU seconds of the server's children: of the process that trains."""
        return sum(map(seconds_of, self.processes[1:]))

    def megabytes(self, name: str = "VmRSS") -> float:
        """The memory of the processes; VmHWM: their peaks since `forget_peak`."""
        texts = [(path / "status").read_text() for path in self.processes]
        lines = "".join(texts).splitlines()
        return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

    def forget_peak(self) -> None:
        for path in self.processes:
            (path / "clear_refs").write_text("5")


def stat_of(process: Path) -> list[str]:
    """The fields of a process from its state on; none if it has ended."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def seconds_of(process: Path) -> float:
    return sum(map(int, stat_of(process)[11:13])) / TICKS


def parent_of(process: Path) -> str:
    return "".join(stat_of(process)[1:2])


@contextmanager
def hall(**environment: str) -> Iterator[Hall]:
    """Warm: somebody has been here before. The environment is the script's."""
    with tempfile.TemporaryDirectory() as folder:
        count_file = Path(folder) / "counted"
        count_file.touch()
        environment["COUNTED"] = str(count_file)
        with served("tests/app_counting_steps.py", **environment) as server:
            asyncio.run(visit_together(server, [LINK + "&steps=2", DEFAULT]))
            yield Hall(server, count_file)


@dataclass
class Row:
    """A row of the table; `remarks` are printed under it."""

    name: str
    visits: Sequence[Visit] = ()
    steps: int = 0
    cpu: float = 0.0
    peak: float = 0.0
    lost: int = 0  # visits whose newest curves do not reach the last step
    remarks: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        first, ends = (
            sorted(getattr(one, name) or math.inf for one in self.visits) or [0.0]
            for name in ("first", "end")
        )
        p95 = first[min(len(first) - 1, int(0.95 * len(first)))]
        seconds = statistics.median(first), p95, ends[-1]
        times = ["–" if math.isinf(value) else f"{value:.2f}" for value in seconds]
        errors = sum(len(one.errors) for one in self.visits)
        counts = [f"{self.peak:.0f}", str(errors), str(self.lost), str(self.steps)]
        return [self.name, str(len(self.visits)), *times, f"{self.cpu:.2f}", *counts]


@contextmanager
def measured(place: Hall, name: str) -> Iterator[Row]:
    """Fill the row with what the server takes inside the block."""
    place.forget_peak()
    row, cpu, steps = Row(name), place.cpu_seconds, place.steps
    yield row
    row.cpu, row.steps = place.cpu_seconds - cpu, place.steps - steps
    row.peak = place.megabytes("VmHWM")


def visits_measured(place: Hall, name: str, queries: Sequence[str]) -> Row:
    """One visitor for each query, all at once."""
    with measured(place, name) as row:
        row.visits = asyncio.run(visit_together(place.server, queries))
    return row


def count_lost(row: Row, steps: int) -> None:
    row.lost = sum(one.last_step != steps for one in row.visits)


def print_cells(cells: Sequence[str]) -> None:
    print(*(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)


def print_row(row: Row) -> None:
    print_cells(row.cells())
    for remark in row.remarks:
        print("   ", remark, flush=True)
