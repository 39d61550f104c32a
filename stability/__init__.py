"""See what an initialization does to a deep network. The public names, loaded when they are first used.

>>> from stability import Experiment, measure
>>> experiment = Experiment(schemes=("xavier_normal", "he_normal"), depth=10, steps=2)
>>> first = next(measure(experiment))
>>> first.signal.shape  # schemes, replicates, layers
(2, 1, 10)
>>> xavier, he = first.signal[:, 0, -2]  # ReLU halves the second moment at each layer, and He makes up for it
>>> bool(xavier < he / 5)
True
>>> experiment.to_query()
{'v': '1', 'schemes': 'xavier_normal,he_normal', 'depth': '10', 'steps': '2'}
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Experiment": "records.experiment",
    "measure": "engine.training",
    "predict": "theory.prediction",
    "Run": "engine.runs",
    "Product": "records.product",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stability' has no attribute {name!r}")
    return getattr(import_module(f"stability.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
