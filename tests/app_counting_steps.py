"""app.py with the engine's steps counted, for `streamlit run`: each one appends a byte to the file
that COUNTED names. KEPT_BYTES limits the bytes of the runs that the server keeps.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import app
from stability.engine import runs
from stability.engine.measurement import Measurement
from stability.page import server
from stability.records.experiment import Experiment


def counting(measure: Callable) -> Callable:
    def measure_and_count(experiment: Experiment, **how: Any) -> Iterator[Measurement]:
        for measurement in measure(experiment, **how):
            with open(os.environ["COUNTED"], "ab") as file:
                file.write(b".")
            yield measurement

    measure_and_count.is_counted = True
    return measure_and_count


if __name__ == "__main__":
    if not hasattr(
        runs.measure, "is_counted"
    ):  # this script is run again for every visitor and every touch
        runs.measure = counting(runs.measure)
        if most := os.environ.get("KEPT_BYTES"):
            server.Registry = partial(server.Registry, most_bytes=int(most))
    app.main()
