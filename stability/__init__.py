"""See what an initialization does to a deep network. Here are the public names.

>>> from stability import Experiment, measure
>>> experiment = Experiment(schemes=("xavier_normal", "he_normal"), depth=10, steps=2)
>>> first = next(measure(experiment))
>>> first.signal.shape  # schemes, replicates, layers
(2, 1, 10)
>>> xavier, he = first.signal[:, 0, -2]  # ReLU halves the second moment, He makes up for it
>>> bool(xavier < he / 5)
True
>>> experiment.to_query()
{'v': '1', 'schemes': 'xavier_normal,he_normal', 'depth': '10', 'steps': '2'}
"""

from stability import cells, script
from stability.diagnosis.trials import Cure, cures
from stability.diagnosis.verdicts import Verdict, current_verdicts, forecast
from stability.engine import runs
from stability.engine.measurement import Measurement
from stability.engine.training import measure
from stability.modules.diagnosis import Diagnosis, diagnose
from stability.modules.module_repair import repair
from stability.modules.watching import WatchedTraining, watch
from stability.records.experiment import Experiment
from stability.records.product import Product
from stability.records.sweep import Sweep
from stability.theory.prediction import predict

__all__ = [
    "Cure", "Diagnosis", "Experiment", "Measurement", "Product", "Run", "Sweep", "WatchedTraining",
    "cells", "cures", "diagnose", "forecast", "measure", "predict", "repair", "script", "watch",
]  # fmt: skip


class Run(runs.Run):
    """A run that knows its verdicts, too: they are made of measurements, so the engine cannot."""

    def verdicts(self) -> list[Verdict]:
        """Return what is known of each scheme now, in their order: forecasts before the end."""
        self.measurement_at(0)
        return current_verdicts(self, len(self.measurements))
