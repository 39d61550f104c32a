"""The installed packages: the page's lock, the library's bounds, and the wheel."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from source_trees import imported

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK, TESTS = ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"
OPTIONAL = ROOT / "tests" / "requirements-bench.txt"  # what the bench does without
OWN = {"stability", "app"} | {path.stem for path in (ROOT / "tests").rglob("*.py")}


def requirements(path: Path) -> list[Requirement]:
    lines = [
        line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [Requirement(line) for line in lines if line]


def pins(*paths: Path) -> dict[str, str]:
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for path in paths
        for pin in requirements(path)
    }


def bounds() -> list[Requirement]:
    """The requirements in pyproject.toml, extras too."""
    extras = [line for lines in PROJECT.get("optional-dependencies", {}).values() for line in lines]
    return [Requirement(line) for line in [*PROJECT["dependencies"], *extras]]


def extra(name: str) -> set[str]:
    """The packages that an extra of pyproject.toml adds."""
    lines = PROJECT["optional-dependencies"][name]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def third_party(*paths: Path) -> set[str]:
    """Top-level modules that files import and that neither Python nor this project brings."""
    found = {name.partition(".")[0] for path in paths for name in imported(path)}
    return found - set(sys.stdlib_module_names) - OWN


def tracked(folder: str) -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.split("\0") if name]


@pytest.mark.parametrize("path", [LOCK, TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_pin_is_exact(path):
    for pin in requirements(path):
        (clause,) = pin.specifier
        assert clause.operator == "=="
        assert "*" not in clause.version


def test_no_package_is_pinned_twice():
    names = [canonicalize_name(pin.name) for path in (LOCK, TESTS) for pin in requirements(path)]
    assert len(names) == len(set(names))


def test_every_lower_bound_is_written_and_met_by_the_lock():
    locked = pins(LOCK, TESTS)
    for bound in bounds():
        assert [clause.operator for clause in bound.specifier] == [">="], (
            f"{bound}: a lower bound, by hand"
        )
        assert locked[canonicalize_name(bound.name)] in bound.specifier


def test_streamlit_is_asked_for_by_the_page_alone():
    assert "streamlit" not in [Requirement(line).name for line in PROJECT["dependencies"]]
    assert "streamlit" in [
        Requirement(line).name for line in PROJECT["optional-dependencies"]["page"]
    ]


def test_everything_that_is_imported_directly_is_pinned():
    homes, locked, optional = packages_distributions(), pins(LOCK), extra("cluster")
    files = *(ROOT / "stability").rglob("*.py"), ROOT / "app.py"
    for module in third_party(*files) - optional:
        assert {canonicalize_name(home) for home in homes[module]} & set(locked), module


def test_everything_that_the_library_imports_is_asked_for_in_its_bounds():
    homes, library = packages_distributions(), set((ROOT / "stability").rglob("*.py"))
    page = set((ROOT / "stability" / "page").rglob("*.py"))
    cluster = {ROOT / "stability" / "cells" / "cluster.py"}
    asked = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    for files, names in (
        (library - page - cluster, asked),
        (page, asked | extra("page")),
        (cluster, asked | extra("cluster")),
    ):
        for module in third_party(*files):
            assert {canonicalize_name(home) for home in homes[module]} & names, module


def test_everything_that_the_tests_import_is_pinned():
    homes, locked, optional = packages_distributions(), pins(LOCK, TESTS), pins(OPTIONAL)
    for module in third_party(*(ROOT / "tests").rglob("*.py")) - set(optional):
        assert {canonicalize_name(home) for home in homes[module]} & set(locked), module


@pytest.mark.process
def test_the_wheel_holds_every_file_of_the_library(tmp_path):
    """Built from the files that git tracks, so that nothing which merely lies about gets in."""
    for name in tracked("."):
        if (ROOT / name).is_file():
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "source" / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "wheel"),
    ]
    built = subprocess.run(
        [*command, str(tmp_path / "source")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert held == set(tracked("stability"))
    assert licences


def test_a_hosted_page_takes_no_files_and_shows_no_tracebacks():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["server"]["maxUploadSize"] == 0
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["server"].get("enableXsrfProtection", True)
    assert settings["server"].get("enableCORS", True)
    assert settings["runner"]["postScriptGC"] is False
    # Streamlit waits as long again for the answer: a dead line holds nothing for more than 10 s.
    assert settings["server"]["websocketPingInterval"] <= 5
