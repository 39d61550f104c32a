"""A real server and the machine's browser, for tests, `load.py` and `run.py`.

Standard library only.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The first one draws no windows: it takes less of the processor's time than the others.
HEADLESS = "chromium-headless-shell"
CHROMIUMS = HEADLESS, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
# No sandbox and no GPU: tests also run as root, in containers. The others keep the browser from
# calling home.
CHROMIUM_ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--font-render-hinting=none",  # letters as wide as in a window
    "--process-per-site",  # tabs share what has been read and compiled of the page's scripts
]


def chromium() -> str | None:
    """The browser's path: what the environment names, else what is installed."""
    return next(filter(None, [os.environ.get("CHROMIUM"), *map(shutil.which, CHROMIUMS)]), None)


@dataclass(frozen=True)
class Server:
    address: str  # 127.0.0.1:port
    log: Path
    pid: int

    @property
    def url(self) -> str:
        return f"http://{self.address}/"


@contextmanager
def served(script: str = "app.py", **environment: str) -> Iterator[Server]:
    """`streamlit run` of a script on 127.0.0.1, ready to answer; ended by its own process id.

    What it prints is in `log`.
    """
    address = f"127.0.0.1:{free_port()}"
    options = {
        "address": "127.0.0.1",
        "port": address.partition(":")[2],
        "headless": "true",
        "fileWatcherType": "none",
    }
    flags = [word for name, value in options.items() for word in (f"--server.{name}", value)]
    with tempfile.TemporaryDirectory() as folder:
        log_file = Path(folder) / "log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", script, *flags],
                cwd=ROOT, env=os.environ | environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        server = Server(address, log_file, process.pid)
        try:
            until_healthy(server, process)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_healthy(server: Server, process: subprocess.Popen, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.05)  # between two looks, at most `seconds` in all
    raise RuntimeError(f"the server did not start:\n{server.log.read_text()}")
