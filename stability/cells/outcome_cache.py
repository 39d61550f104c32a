"""Outcomes on disk, so that no cell is ever trained twice: one file of SQLite."""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from stability.cells.outcome import Outcome
from stability.cells.versions import engine_version
from stability.i18n import LazySentence, lazy_gettext
from stability.records.experiment import Experiment

ENVIRONMENT_VARIABLE = "STABILITY_CACHE"  # a path, or "off"
MOST_BYTES = 256 * 2**20
SECONDS_FOR_A_LOCK = 5.0  # that another process holds
SECONDS_WITHOUT = 60.0  # after a failure, until the file is tried again
CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
TABLE = (
    "CREATE TABLE IF NOT EXISTS outcomes (key TEXT PRIMARY KEY, outcome TEXT NOT NULL, "
    "used REAL NOT NULL) WITHOUT ROWID"
)
Result = TypeVar("Result")


class OutcomeCache:
    """The outcomes of experiments in one file, which threads and processes may share.

    An outcome is found again by its experiment and `engine_version()`. When the file takes more
    than `most_bytes`, the quarter that was used longest ago is dropped. No method raises: a file
    that is corrupt is set aside and begun anew, and where nothing can be read or written, nothing
    is cached; `take_notice` says so. Without a path, the file is the one of `usual_path()`.
    """

    def __init__(self, path: Path | str | None = None, most_bytes: int = MOST_BYTES):
        self._path = path
        self.most_bytes = most_bytes
        self._lock = threading.Lock()  # around the one open file, whose threads take turns
        self._file: sqlite3.Connection | None = None
        self._notice: LazySentence | None = None
        self._failed_at = -SECONDS_WITHOUT

    @property
    def path(self) -> Path | None:
        """The file, or None where the environment switches the cache off."""
        return Path(self._path) if self._path else usual_path()

    def get(self, experiments: Iterable[Experiment]) -> dict[Experiment, Outcome]:
        """Return the outcomes that are known of these experiments."""
        keys = {experiment: key_of(experiment) for experiment in experiments}
        nothing: dict[str, str] = {}
        found = self._attempt(lambda file: dict(read(file, keys.values())), nothing)
        if found:
            now = time.time()
            self._attempt(lambda file: mark_used(file, found, now), None)
        return {
            experiment: Outcome.from_json(found[key])
            for experiment, key in keys.items()
            if key in found
        }

    def put(self, outcomes: Mapping[Experiment, Outcome]) -> None:
        """Keep these outcomes."""
        now = time.time()
        rows = [
            (key_of(experiment), outcome.to_json(), now) for experiment, outcome in outcomes.items()
        ]
        self._attempt(lambda file: write(file, rows, self.most_bytes), None)

    def take_notice(self) -> LazySentence | None:
        """Return a sentence about what went wrong since this was last called, None if nothing."""
        notice, self._notice = self._notice, None
        return notice

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def _attempt(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Return what `work` returns for the open file, or `otherwise` if that fails."""
        path = self.path
        if not path or time.monotonic() < self._failed_at + SECONDS_WITHOUT:
            return otherwise
        try:
            try:
                return self._transact(path, work)
            except sqlite3.DatabaseError as error:
                if primary_code(error) not in CORRUPT:
                    raise
                self.close()
                self._notice = set_aside(path)
                return self._transact(path, work)
        except (sqlite3.Error, OSError) as error:
            self.close()
            self._failed_at = time.monotonic()
            self._notice = lazy_gettext(
                "The cache of cells in {path} cannot be used now ({error}): the map is computed "
                "all the same, but not kept.", path=str(path), error=str(error),
            )  # fmt: skip
            return otherwise

    def _transact(self, path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock:
            self._file = self._file or opened(path)
            with self._file:
                return work(self._file)


def usual_path() -> Path | None:
    """Return the path in the environment's STABILITY_CACHE, else one in the user's cache folder.

    None if STABILITY_CACHE is "off". The user's cache folder is XDG_CACHE_HOME, or `~/.cache`, as
    torch has it.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return None if named == "off" else Path(named).expanduser()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return folder / "stability" / "cells.sqlite"


def key_of(experiment: Experiment) -> str:
    """Return a hash of the engine's version and of all settings of an experiment."""
    spelling = json.dumps([engine_version(), experiment.settings()])
    return hashlib.sha256(spelling.encode()).hexdigest()[:32]


def opened(path: Path) -> sqlite3.Connection:
    """Open the file at `path`, which is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = sqlite3.connect(path, timeout=SECONDS_FOR_A_LOCK, check_same_thread=False)
    try:
        # A write-ahead log: readers do not wait for a writer, nor a writer for the disk.
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(TABLE)
    except sqlite3.Error:
        file.close()
        raise
    return file


def read(file: sqlite3.Connection, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys that are in the table, with their outcomes."""
    for key in keys:
        yield from file.execute("SELECT key, outcome FROM outcomes WHERE key = ?", (key,))


def mark_used(file: sqlite3.Connection, keys: Iterable[str], now: float) -> None:
    file.executemany("UPDATE outcomes SET used = ? WHERE key = ?", ((now, key) for key in keys))


def write(file: sqlite3.Connection, rows: list[tuple[str, str, float]], most_bytes: int) -> None:
    """Write the rows, and drop a quarter of all, used longest ago, where they take too much."""
    if used_bytes(file) > most_bytes:
        file.execute(
            "DELETE FROM outcomes WHERE key IN (SELECT key FROM outcomes ORDER BY used "
            "LIMIT (SELECT count(*) / 4 + 1 FROM outcomes))"
        )
    file.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?)", rows)


def used_bytes(file: sqlite3.Connection) -> int:
    """Return the bytes of all pages of the file that are in use."""
    pages, free, size = (
        int(file.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest is the extended code


def set_aside(path: Path) -> LazySentence:
    """Rename a corrupt file, remove its log, and return a sentence that says so."""
    aside = path.with_name(f"{path.name}.corrupt")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return lazy_gettext(
        "The cache of cells in {path} was corrupt: it was renamed to {name}, and a new one was "
        "begun.", path=str(path), name=aside.name,
    )  # fmt: skip


CACHE_OF_CELLS = OutcomeCache()  # of this process: all maps share it
