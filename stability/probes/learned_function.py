"""The function that a network has learned, on the grid of input space: the class of each point."""

from dataclasses import dataclass

import numpy as np

from stability.catalogues.datasets import DATASETS
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.text import join_words

# In probability, or in standard deviations of the target: smaller differences are not seen.
INDISTINGUISHABLE = 0.01


@dataclass(frozen=True, eq=False)
class Classification:
    """The answers of one network on the grid."""

    likeliest_class: np.ndarray  # (points,) index of the class; -1 where an output is not finite
    probability: np.ndarray  # (points, classes) softmax; NaN where one is not finite

    @property
    def is_constant(self) -> bool:
        """True if the network gives the same answer everywhere."""
        return bool(np.ptp(self.probability, axis=0).max() < INDISTINGUISHABLE)


def why_not_drawn(e: Experiment) -> str:
    """Return a sentence that says why there is no picture; empty where there is one."""
    if e.dataset_row.plotted_dimensions:
        return ""
    regions, curves = (
        join_words([row.label for row in DATASETS.values() if row.plotted_dimensions == n], "or")
        for n in (2, 1)
    )
    return _(
        "{label}: a function of so many inputs cannot be drawn. Choose {regions} for "
        "regions, {curves} for a curve."
    ).format(label=e.dataset_row.label, regions=regions, curves=curves)


def classify(outputs: np.ndarray) -> Classification:
    """Return the likeliest classes for the outputs `(points, classes)` of one network."""
    finite = np.isfinite(outputs).all(axis=1)
    shown = np.where(finite[:, None], outputs.astype(float), 0.0)
    # The difference of two float64 outputs may overflow to -inf.
    with np.errstate(over="ignore", under="ignore"):
        weight = np.exp(shown - shown.max(axis=1, keepdims=True))
    probability = weight / weight.sum(axis=1, keepdims=True)
    return Classification(
        np.where(finite, shown.argmax(axis=1), -1), np.where(finite[:, None], probability, np.nan)
    )
