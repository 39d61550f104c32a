"""The experiments that one visitor has trained to their end, and can open again."""

import pandas as pd

from stability.records.experiment import Experiment


class History:
    """Summaries of finished experiments, oldest first."""

    def __init__(self) -> None:
        self.summaries: dict[Experiment, pd.DataFrame] = {}
        self.times_reopened = 0

    def __contains__(self, experiment: Experiment) -> bool:
        return experiment in self.summaries

    def __bool__(self) -> bool:
        return bool(self.summaries)

    def add(self, experiment: Experiment, summary: pd.DataFrame) -> None:
        """Remember the summary of a finished experiment, a row for each scheme."""
        self.summaries[experiment] = summary

    def holds_only(self, experiment: Experiment) -> bool:
        """True if nothing but this experiment was trained to its end."""
        return self.summaries.keys() <= {experiment}

    def table(self) -> tuple[pd.DataFrame, list[Experiment]]:
        """Return all summaries as one table, and the experiment of each of its rows."""
        owners = [owner for owner, rows in self.summaries.items() for _ in range(len(rows))]
        return pd.concat(list(self.summaries.values()), ignore_index=True), owners
