"""Single settings against another checkout, section `settings`; and how cost grows, `scaling`.

Each checkout, and each measurement of memory, has a process of its own.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":  # another checkout's engine may be meant
    sys.path[:0] = [sys.argv[1], str(ROOT / "tests")]

from bench_lines import Line, median_seconds, ratios  # noqa: E402

SETTINGS = {
    "tanh": "activation=tanh&schemes=xavier_normal,lecun_normal,orthogonal,pytorch,"
    "scaled_normal:0.8,scaled_normal:1.2,xavier_uniform,lecun_uniform",
    "GELU": "activation=gelu",
    "batch norm": "normalization=batch",
    "Adam": "optimizer=adam",
    "dropout 0.2": "dropout=0.2",
    "float16": "precision=float16",
}
FORTY = (
    "schemes=he_normal,xavier_normal,lecun_normal,he_uniform,orthogonal,pytorch,scaled_normal:1.2,"
    "scaled_normal:1.6&replicates=5&depth=20&width=32&batch=64&steps=5000&learning_rate=1e-4"
)
STEPS = 20  # a turn


class Trainer:
    """A process that trains an experiment with the code of one checkout, step by step."""

    def __init__(self, checkout: Path, link: str):
        command = [sys.executable, __file__, str(checkout), link]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, steps: int) -> tuple[float, float]:
        """Processor seconds of the median step of so many, and the peak memory in MiB."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        seconds, mebibytes = self.process.stdout.readline().split()
        return float(seconds), float(mebibytes)

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.stdin.close()
        self.process.wait()


def settings(quick: bool, against: Path | None = None) -> Iterator[Line]:
    if against is None:
        raise SystemExit("settings: name another checkout with --against")
    for name, link in SETTINGS.items():
        whole = merged(FORTY, link)
        with Trainer(ROOT, whole) as ours, Trainer(against, whole) as theirs:
            turns = [(ours.ask(STEPS)[0], theirs.ask(STEPS)[0]) for _ in range(3 if quick else 9)]
        new, old = (list(side) for side in zip(*turns, strict=True))
        yield Line(f"40 x 20 x 32, batch 64, {name}", [1e3 * one for one in new], "ms/step")
        yield Line("  times faster than the other checkout", ratios(old, new), "x", at_least=2)


def merged(link: str, other: str) -> str:
    pairs = dict(part.split("=") for part in [*link.split("&"), *other.split("&")])
    return "&".join(f"{name}={text}" for name, text in pairs.items())


def scaling(quick: bool) -> Iterator[Line]:
    """Cost by the number of networks, by depth, width and batch; memory of a process with torch."""
    turns, per_network = 2 if quick else 5, {}
    for schemes, replicates in ((8, 1), (8, 4), (8, 16)):
        link = merged(FORTY, f"depth=10&replicates={replicates}")
        with Trainer(ROOT, link) as trainer:
            times = [1e6 * trainer.ask(STEPS)[0] for _ in range(turns)]
        count = schemes * replicates
        per_network[count] = statistics.median(times) / count
        what = f"{count} networks x 10 x 32, batch 64, each"
        yield Line(what, [one / count for one in times], "us/step")
    yield Line("  times as long each, 128 over 8", [per_network[128] / per_network[8]], "x")
    for name, values in (
        ("depth", (5, 20, 80)), ("width", (16, 64, 256)), ("batch", (16, 64, 256, 1024)),
    ):  # fmt: skip
        for value in values:
            with Trainer(ROOT, merged(FORTY, f"replicates=1&{name}={value}")) as trainer:
                found = [trainer.ask(STEPS if value < 256 else 5) for _ in range(turns)]
            what = f"8 networks x 20 x 32, batch 64, but {name} {value}"
            yield Line(what, [1e3 * each for each, _ in found], "ms/step")
            yield Line("  peak memory", [found[-1][1]], "MiB")


# The process of its own


def main(link: str) -> None:
    import resource

    from stability.engine.process_settings import configure_process
    from stability.engine.training import measure
    from stability.records.experiment import Experiment

    configure_process()
    stream = measure(Experiment.from_query(dict(part.split("=") for part in link.split("&")))[0])
    next(stream), next(stream)
    for asked in sys.stdin:
        seconds = median_seconds(lambda: next(stream), int(asked), time.process_time)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(seconds, peak, flush=True)


if __name__ == "__main__":
    main(sys.argv[2])
