"""Lines by step, one for each scheme: arrays while a draw computes with them, then a table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stability.frames.arrow import chart_table, repeated_texts, scheme_columns


@dataclass(frozen=True, eq=False)
class SchemeLines:
    """Quantities of all schemes at the same steps; of a range those ending in `_low`, `_high`."""

    schemes: tuple[str, ...]
    keys: Mapping[str, np.ndarray]  # (steps,)
    values: Mapping[str, np.ndarray]  # (S, steps), NaN where an axis cannot show a number

    def table(self, to_last_number: bool = False) -> pa.Table:
        """Return a row for each scheme and step, one scheme after another.

        With `to_last_number` each line ends there, and keeps what is missing before.
        """
        if to_last_number and (shown := self.shown()) is not None:
            scheme = repeated_texts(self.schemes, shown.nonzero()[0])
            keys = {name: np.broadcast_to(key, shown.shape) for name, key in self.keys.items()}
            columns = {name: values[shown] for name, values in {**keys, **self.values}.items()}
            return chart_table({"scheme": scheme} | columns)
        values = {name: values.ravel() for name, values in self.values.items()}
        return chart_table(scheme_columns(self.schemes, **self.keys) | values)

    def shown(self) -> np.ndarray | None:
        """Return `(S, steps)`, True up to the last number of each line; None if all are."""
        missing = np.isnan(np.stack(list(self.values.values()))).all(axis=0)
        if not missing[:, -1].any():
            return None
        steps = np.arange(missing.shape[1])
        last = np.where(missing, -1, steps).max(axis=1, keepdims=True)
        return np.asarray(steps <= last)

    def range(self, name: str) -> np.ndarray:
        """Return the least and the largest value of a quantity, `(2, S, steps)`."""
        ends = (self.values.get(f"{name}_{end}", self.values[name]) for end in ("low", "high"))
        return np.stack(list(ends))
