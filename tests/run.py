"""Runs every check of this project, from a bare Python: `python tests/run.py [arguments of
pytest]`.

Makes a virtual environment with what the two requirements files pin, makes sure of a browser, and
runs lint, doctests, unit, page, browser and load tests. Nothing is skipped: what cannot be had is a
failure.

Two processes share the tests. Whichever is free takes the next file, and the slowest files come
first, so that both end together. How slow a file is stands in seconds.json, which
`python tests/run.py --update-seconds` writes anew; a file that is not in it comes first. Whole
files, not single tests, are shared out, as what a file trains once for all its tests would else be
trained in both processes. The type checker, a single process, works beside them and is read last.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from local_server import CHROMIUMS, HEADLESS, ROOT, chromium

ENVIRONMENT = ROOT / ".venv-tests"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS = ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"
# Two processes, each file in one: its fixtures are made once. conftest.py puts the slowest files
# first, by the table seconds.json; without the last option xdist would put them into its own order.
SIDE_BY_SIDE = "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"


def main(arguments: list[str]) -> int:
    prepare()
    # One thread for each process, as on the page: tests, server and browser share the cores.
    os.environ.update(CHROMIUM=browser(), OMP_NUM_THREADS="1")
    types = subprocess.Popen(
        [str(PYTHON), "-m", "mypy"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    checks = (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["pytest", *SIDE_BY_SIDE, *arguments],
    )
    failed = [" ".join(check[:2]) for check in checks if run(str(PYTHON), "-m", *check)]
    print("$ mypy", types.communicate()[0], sep="\n", flush=True)
    failed += ["mypy"] if types.returncode else []
    print("failed: " + ", ".join(failed) if failed else "all checks passed", flush=True)
    return bool(failed)


def run(*command: str) -> int:
    print("$", *command, flush=True)
    return subprocess.run(command, cwd=ROOT).returncode


def prepare() -> None:
    """The virtual environment, made anew when a requirements file or this Python is another than
    when it was made.
    """
    facts = [
        sys.version.encode(),
        str(ENVIRONMENT).encode(),
        *(path.read_bytes() for path in REQUIREMENTS),
    ]
    stamp, made_from = ENVIRONMENT / "made-from", hashlib.sha256(b"\0".join(facts)).hexdigest()
    if stamp.exists() and stamp.read_text() == made_from:
        return
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    files = [word for path in REQUIREMENTS for word in ("-r", str(path))]
    if run(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *files):
        raise SystemExit("the requirements could not be installed")
    stamp.write_text(made_from)


def browser() -> str:
    """The path of a Chromium: the system's package, one here, else Playwright's own."""
    is_named = os.environ.get("CHROMIUM") or shutil.which(HEADLESS)
    if not is_named and hasattr(os, "geteuid") and os.geteuid() == 0:
        try:
            run("apt-get", "update")
            if run("apt-get", "install", "-y", HEADLESS) and not chromium():
                run("apt-get", "install", "-y", "chromium")
        except FileNotFoundError:
            print("no apt-get here")
    return chromium() or playwrights_own()


def playwrights_own() -> str:
    run(str(PYTHON), "-m", "playwright", "install", "chromium")
    ask = (
        "from playwright.sync_api import sync_playwright as s\n"
        "with s() as p: print(p.chromium.executable_path)"
    )
    path = subprocess.run(
        [str(PYTHON), "-c", ask], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(path).exists():
        raise SystemExit(
            f"no browser: install one of {', '.join(CHROMIUMS)}, or name one in CHROMIUM"
        )
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
