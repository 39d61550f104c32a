"""The speed of the engine beside JAX, bare products, and plain PyTorch: section `table`.

Each number of threads has a process of its own, in which all take turns. On one thread time is
processor time, else it is the clock's.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":  # before torch and JAX come
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    os.environ["OMP_NUM_THREADS"] = sys.argv[1]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])

import gc  # noqa: E402
from statistics import median  # noqa: E402

import bench_jax  # noqa: E402
import bench_plain  # noqa: E402
import torch  # noqa: E402
from bench_lines import Line, median_seconds, ratios  # noqa: E402
from bench_shapes import FORTY, SHAPES, Shape, bare_products, engine_steps  # noqa: E402

from stability.engine.process_settings import configure_process  # noqa: E402
from stability.engine.workers import allow_workers  # noqa: E402

START, END = "<!-- measured: python tests/bench.py table --write -->", "<!-- end of measured -->"
# At most so many times as long as JAX, on one thread; and as the bare products.
TIMES_JAX = {FORTY: 0.75}
TIMES_BARE = {SHAPES[0]: 2.0, SHAPES[-1]: 2.0}


def table(quick: bool, write: bool = False) -> Iterator[Line]:
    found = {}
    for threads in (1, 2):
        if threads <= (os.cpu_count() or 1):
            found[threads] = rows = measured_by_child(threads, quick)
            for shape, row in zip(SHAPES, rows, strict=True):
                yield from lines(shape, row, threads)
    if write:
        path = ROOT / "README.md"
        path.write_text(with_table(path.read_text(encoding="utf-8"), found), encoding="utf-8")


def measured_by_child(threads: int, quick: bool) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, str(threads), *["--quick"] * quick]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(child.stdout)


def lines(shape: Shape, row: dict[str, Any], threads: int) -> Iterator[Line]:
    yield Line(f"{shape}; threads: {threads}", row["engine"], "ms/step")
    yield Line("  mean over a run of 300 steps", row["mean"], "ms/step")
    yield Line("  bare products", row["bare"], "ms/step")
    bare = TIMES_BARE.get(shape, 1.4)
    yield Line("  times bare products", ratios(row["engine"], row["bare"]), "x", at_most=bare)
    if row["jax"]:
        most = TIMES_JAX.get(shape, 1.0) if threads == 1 else 1.0
        yield Line("  JAX", row["jax"], "ms/step")
        yield Line("  JAX, first call", [row["first call"]], "s")
        yield Line("  times JAX", ratios(row["engine"], row["jax"]), "x", at_most=most)
    else:
        yield Line("  JAX: not installed", [float("nan")], "")
    for name, least in (("all norms", 15), ("weight gradients", 8)):
        if name in row:
            yield Line(f"  one after another, {name}", row[name], "ms/step")
            faster = ratios(row[name], row["engine"])
            promised = least if threads == 1 else None
            yield Line("    times the engine", faster, "x", at_least=promised)


# The process of its own


def measure_shape(shape: Shape, threads: int, quick: bool) -> dict[str, Any]:
    """Milliseconds a step by turn."""
    clock = time.process_time if threads == 1 else time.perf_counter
    e = shape.experiment()
    ordinary, sampled, share = engine_steps(e)
    calls = (2 if quick else 3) if shape.is_large else 20
    works: dict[str, tuple[Callable[[], object], int, int]] = {  # what, calls, steps in a call
        "engine": (in_blocks(ordinary, threads), calls, 1),
        "sampled": (in_blocks(sampled, threads), 1 if shape.is_large else 3, 1),
        "bare": (bare_products(shape), calls, 1),
    }
    jax_and_first = bench_jax.jax_step(shape)
    if jax_and_first:
        works["jax"] = jax_and_first[0], calls, 1
    if shape == FORTY:
        all_norms = bench_plain.one_after_another(e, bench_plain.step_with_all_norms)
        gradients = bench_plain.one_after_another(e, bench_plain.step_with_weight_gradients)
        works["all norms"] = (lambda: next(all_norms)), 1, bench_plain.STEPS
        works["weight gradients"] = (lambda: next(gradients)), 1, bench_plain.STEPS
    gc.collect()
    gc.freeze()  # JAX's many objects are no burden for Python's collector
    found: dict[str, Any] = {name: [] for name in works}
    order = list(works.items())
    for _ in range(4 if quick else 9):
        order.append(order.pop(0))  # nobody always comes after JAX, whose threads go on for a while
        for name, (work, count, each) in order:
            found[name].append(1e3 * median_seconds(work, count, clock) / each)
    pairs = zip(found["engine"], found["sampled"], strict=True)
    found["mean"] = [one + share * (other - one) for one, other in pairs]
    return {"jax": None} | found | {"first call": jax_and_first and jax_and_first[1]}


def in_blocks(step: Callable[[], object], threads: int) -> Callable[[], object]:
    """The step as the page takes it: blocks have a thread each, and no operation has several."""

    def work() -> None:
        torch.set_num_threads(1)
        step()
        torch.set_num_threads(threads)

    return work


# The table in the README


def with_table(text: str, found: dict[int, list[dict[str, Any]]]) -> str:
    """The text, with all between the two comments replaced."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return "\n".join([before + START, *table_lines(found), END + after])


def table_lines(found: dict[int, list[dict[str, Any]]]) -> Iterator[str]:
    names = "networks x layers x width", "engine", "mean of a run", "JAX", "its first call", "bare"
    for threads, rows in found.items():
        yield f"\n| {names[0]}, {threads} thread{'s' * (threads > 1)} | {' | '.join(names[1:])} |"
        yield "|---" + "|---:" * 5 + "|"
        for shape, row in zip(SHAPES, rows, strict=True):
            jax = milliseconds(row["jax"]) if row["jax"] else "not installed"
            first = f"{row['first call']:.1f} s" if row["jax"] else ""
            own = [milliseconds(row[name]) for name in ("engine", "mean")]
            yield f"| {shape} | {' | '.join([*own, jax, first, milliseconds(row['bare'])])} |"
        plain = dict(zip(SHAPES, rows, strict=True))[FORTY]
        yield (
            f"\n{FORTY}, one network after another in plain PyTorch: "
            f"{milliseconds(plain['all norms'])} with the same norms, "
            f"{milliseconds(plain['weight gradients'])} with the loss and the norms of the weights'"
            " gradients alone."
        )
    yield f"\nMilliseconds a step, median (range). {machine()}."


def milliseconds(values: list[float]) -> str:
    return f"{median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def machine() -> str:
    names = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":")[1].strip() for line in names.splitlines() if "model name" in line]
    cores, load = os.cpu_count() or 1, os.getloadavg()[1] if hasattr(os, "getloadavg") else 0
    said = [*models[:1], f"{cores} cores", f"torch {torch.__version__}"]
    if bench_jax.jax:
        said.append(f"jax {bench_jax.jax.__version__}")
    return ", ".join([*said, date.today().isoformat(), f"load average {load:.1f}"])


def main(threads: int, quick: bool) -> None:
    configure_process(threads)
    allow_workers(threads)
    print(json.dumps([measure_shape(shape, threads, quick) for shape in SHAPES]))


if __name__ == "__main__":
    main(int(sys.argv[1]), "--quick" in sys.argv)
