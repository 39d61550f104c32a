"""The memory that runs were foretold to take, beside what they take: section `peaks`.

Each random experiment trains in a process of its own. It has trained another one before, as on the
page, so that what torch takes once for its products is there, and counts on both sides; and so are
the tables of mean-field theory, which some schemes need.
"""

import ctypes
from collections.abc import Iterator
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from bench_cost import random_experiments
from bench_lines import Line

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.gaussian_moments import log_moment_table
from stability.engine.cost import BYTES_OF_ANY_RUN, Speed, training_cost
from stability.engine.process_settings import configure_process
from stability.engine.training import measure
from stability.records.experiment import Experiment

EXPERIMENTS = 40
STEPS = 8  # of a run: step 0 is one at which everything is measured, and after it all is there
OWN, C = Path("/proc/self"), ctypes.CDLL(None)
FIRST = Experiment(schemes=("he_normal", "metainit", "orthogonal"), classes=50, dropout=0.1)


def peaks(quick: bool) -> Iterator[Line]:
    if not (OWN / "clear_refs").exists():
        return
    chosen = [*islice(random_experiments(Speed(1e-4, 4e-11, 4e-11), seed=5), EXPERIMENTS)]
    factors = []
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for e in chosen[:: 4 if quick else 1]:
            factors.append(training_cost(e).bytes / pool.apply(peak_bytes, [e]))
            print(f"{factors[-1]:8.2f} of {e.to_query()}", flush=True)
    off = [max(factor, 1 / factor) for factor in factors]
    yield Line("estimated over taken memory, random experiments", factors, "x")
    yield Line("  how far off", off, "x")
    yield Line("  shares of them within 1.3", [sum(o <= 1.3 for o in off) / len(off)], "")
    yield Line("  how far off at most", [max(off)], "x", at_most=1.3)


def peak_bytes(e: Experiment) -> int:
    """By how much this process grew at most while it trained, and what any run takes."""
    configure_process()
    for row in ACTIVATIONS.values():
        if not row.closed_moments:
            log_moment_table(row)
    for _ in islice(measure(FIRST), STEPS):
        pass
    C.malloc_trim(0)  # else what was free before would be taken first, and count for nothing
    (OWN / "clear_refs").write_text("5")  # the peak begins here
    before = status("VmRSS")
    for _ in islice(measure(e), STEPS):
        pass
    return BYTES_OF_ANY_RUN + status("VmHWM") - before


def status(name: str) -> int:
    """A number of bytes that the system knows of this process."""
    lines = (OWN / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
