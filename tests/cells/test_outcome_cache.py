"""Outcomes on disk: found again, bounded, shared, and never in the way."""

import math
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from source_trees import imported
from test_layers import MODULES, module_of, package_of

from stability.cells import outcome_cache, versions
from stability.cells.outcome import Outcome
from stability.cells.outcome_cache import OutcomeCache, key_of, usual_path
from stability.records.experiment import Experiment
from stability.records.knobs import Integer, Real

NOBODY = 65534


def experiments(count: int, **settings) -> list[Experiment]:
    return [Experiment(schemes="he_normal", seed=seed, **settings) for seed in range(count)]


def outcomes(count: int, **settings) -> dict[Experiment, Outcome]:
    ends = (math.inf,), (math.inf,), (-1 / 3,), (1e-300,), (1e300,), (0.0,)
    plain = Outcome((0.1,), *ends, "diverged")
    return {e: replace(plain, test_accuracy=(e.seed / 7,)) for e in experiments(count, **settings)}


@pytest.fixture
def cache(tmp_path):
    cache = OutcomeCache(tmp_path / "cells.sqlite")
    yield cache
    cache.close()


def test_an_outcome_is_found_again_by_an_equal_experiment_in_another_cache_of_the_file(cache):
    known = outcomes(3)
    assert cache.get(known) == {}
    cache.put(known)
    cache.close()
    again = OutcomeCache(cache.path)
    assert again.get(experiments(5)) == known
    again.close()
    assert not cache.take_notice()


def test_any_other_setting_and_any_other_version_is_another_cell(cache, monkeypatch):
    e = Experiment()
    others = [
        replace(e, **{name: knob.low if getattr(e, name) == knob.high else knob.high})
        for name, knob in Experiment.knobs().items()
        if isinstance(knob, Integer | Real) and name != "batch"
    ]
    assert len(others) > 8
    assert len({key_of(other) for other in [e, *others]}) == len(others) + 1
    cache.put(outcomes(1))
    monkeypatch.setattr(outcome_cache, "engine_version", lambda: "another")
    assert cache.get(experiments(1)) == {}


def test_the_version_covers_all_sources_that_decide_an_outcome():
    files = {module_of(path): path for path in MODULES}
    needed, found = set(), {name for name in files if name.startswith("stability.cells.")}
    while found:
        needed |= found
        names = {name for module in found for name in imported(files[module])}
        found = (names & set(files)) - needed - {"stability"}
    packages = {package_of(files[name]) for name in needed}
    assert packages == {name.removesuffix(".py") for name in versions.DECISIVE}


def test_an_edited_source_is_another_version(tmp_path, monkeypatch):
    source = tmp_path / "engine" / "training.py"
    source.parent.mkdir()
    monkeypatch.setattr(versions, "PACKAGE", tmp_path)
    monkeypatch.setattr(versions, "DECISIVE", ("engine",))
    found = []
    for text in ("rate = 1\n", "rate = 2\n", "rate = 1\n"):
        source.write_text(text)
        found.append(versions.engine_version.__wrapped__())
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("damage", ["not a file of SQLite", "half of one"])
def test_a_corrupt_file_is_set_aside_with_a_notice_and_begun_anew(cache, damage):
    cache.put(outcomes(200))
    cache.close()
    whole = cache.path.read_bytes()
    corrupt = damage.encode() * 100 if damage.startswith("not") else whole[: len(whole) // 2]
    cache.path.write_bytes(corrupt)
    assert cache.get(experiments(200)) == {}
    assert "was corrupt: it was renamed to cells.sqlite.corrupt" in str(cache.take_notice())
    assert cache.path.with_name("cells.sqlite.corrupt").read_bytes() == corrupt
    cache.put(outcomes(2))
    assert cache.get(experiments(2)) == outcomes(2)
    assert not cache.take_notice()


@contextmanager
def nobodys_rights():
    """Without those of root, who may write everywhere."""
    if is_root := os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_folder_that_cannot_be_written_costs_the_cache_and_one_notice():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        cache = OutcomeCache(Path(folder) / "cells.sqlite")
        with nobodys_rights():
            cache.put(outcomes(1))
            assert cache.get(experiments(1)) == {}
        assert "cannot be used now (unable to open database file)" in str(cache.take_notice())
        assert not cache.take_notice()


def test_a_full_disk_costs_what_is_new_and_is_tried_again_later(cache, monkeypatch):
    cache.put(outcomes(2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        cache.put(outcomes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "the map is computed all the same" in str(cache.take_notice())
    monkeypatch.setattr(outcome_cache, "SECONDS_WITHOUT", 0)
    assert cache.get(experiments(2000)) == outcomes(2)
    cache.put(outcomes(2000))
    assert cache.get(experiments(2000)) == outcomes(2000)
    assert not cache.take_notice()


def test_what_was_used_longest_ago_is_dropped_when_the_file_has_grown(cache):
    cache.most_bytes = 200_000
    dear = outcomes(10)
    cache.put(dear)
    for width in range(2, 30):
        cache.put(outcomes(100, width=width))
        assert cache.get(dear) == dear
    assert not cache.get(experiments(100, width=2))
    assert cache.path.stat().st_size < 2 * cache.most_bytes


WRITER = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
for number in range(100):
    file.execute("BEGIN IMMEDIATE")  # nobody else may write until the end
    file.execute("INSERT INTO outcomes VALUES (?, '', 0)", (str(number),))
    file.execute("COMMIT")
"""


def test_threads_and_processes_write_and_read_at_once(cache):
    def write(width: int) -> None:
        own = cache if width % 2 else OutcomeCache(cache.path)
        own.put(outcomes(20, width=width))
        assert own.get(experiments(20, width=width)) == outcomes(20, width=width)
        assert not own.take_notice()
        own.close()

    cache.put(outcomes(1))
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(cache.path)])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(2, 50)))
    assert process.wait() == 0
    for width in range(2, 50):
        assert len(cache.get(experiments(20, width=width))) == 20


def test_the_environment_names_the_file_or_switches_the_cache_off(monkeypatch, tmp_path):
    monkeypatch.setenv("STABILITY_CACHE", str(tmp_path / "mine"))
    assert usual_path() == tmp_path / "mine"
    monkeypatch.setenv("STABILITY_CACHE", "off")
    cache = OutcomeCache()
    cache.put(outcomes(1))
    assert cache.get(experiments(1)) == {}
    assert not cache.take_notice()
    monkeypatch.delenv("STABILITY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert usual_path() == tmp_path / "stability" / "cells.sqlite"
