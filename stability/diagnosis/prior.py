"""Which single changes to try first."""

from stability.diagnosis.changes import single_changes
from stability.diagnosis.remedies import Remedy
from stability.records.experiment import Experiment


def most_promising_first(e: Experiment, scheme: str) -> list[Remedy]:
    """Return the single changes of this scheme's network, the likeliest cure first."""
    return [remedy for _, remedy in single_changes(e, scheme)]
