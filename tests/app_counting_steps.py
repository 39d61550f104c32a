"""app.py with the engine's steps counted, for `streamlit run`: each one appends a byte to the file
that COUNTED names.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import app
from stability.engine.measurement import Measurement
from stability.engine.streams import Stretch
from stability.engine.training_process import RunApart
from stability.page import server
from stability.records.experiment import Experiment


def counting(measure: Callable) -> Callable:
    def measure_and_count(experiment: Experiment, **how: Any) -> Iterator[Measurement]:
        for found in measure(experiment, **how):
            with open(os.environ["COUNTED"], "ab") as file:
                file.write(b"." * (len(found) if isinstance(found, Stretch) else 1))
            yield found

    return staticmethod(measure_and_count)


if __name__ == "__main__":
    if not hasattr(RunApart, "is_counted"):  # this script runs again at every touch of a visitor
        RunApart.source, RunApart.is_counted = counting(RunApart.source), True
        server.prepare_server()
    app.main()
