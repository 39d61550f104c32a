"""Lines by step, one for each scheme: arrays while a draw computes with them, then a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table, repeated_texts, rows_in_few_bytes


@dataclass(frozen=True, eq=False)
class SchemeLines:
    """Quantities of all schemes at the same steps; of a range those ending in `_low`, `_high`.

    They stand in one array, as a draw takes longer for many small ones.
    """

    schemes: tuple[str, ...]
    keys: Mapping[str, np.ndarray]  # (steps,)
    names: tuple[str, ...]  # of the quantities
    values: np.ndarray  # (Q, S, steps), NaN where an axis cannot show a number

    def table(self, to_last_number: bool = False) -> pa.Table:
        """Return a row for each scheme and step, one scheme after another.

        With `to_last_number` each line ends there, and keeps what is missing before.
        """
        _, schemes, steps = self.values.shape
        rows = self.rows_to_last_number() if to_last_number else np.arange(schemes * steps)
        scheme, step = np.divmod(rows, steps)
        columns = {"scheme": repeated_texts(self.schemes, scheme)}
        columns |= {name: key[step] for name, key in self.keys.items()}
        values = self.values.reshape(-1, schemes * steps)[:, rows]
        return arrow_table(columns | rows_in_few_bytes(self.names, values))

    def rows_to_last_number(self) -> np.ndarray:
        """Return the indices of the rows up to the last number of each line."""
        has_number = ~np.isnan(self.values).all(axis=0)
        before_one = np.logical_or.accumulate(has_number[:, ::-1], axis=1)[:, ::-1]
        return np.flatnonzero(before_one)

    def newest(self, name: str) -> np.ndarray:
        """Return the last values of a quantity, `(S,)`."""
        return np.asarray(self.values[self.names.index(name), :, -1])

    def ends(self, names: Sequence[str]) -> np.ndarray:
        """Return the least and the largest value of quantities, `(len(names), 2, S, steps)`."""
        indices = {name: index for index, name in enumerate(self.names)}
        rows = [
            [indices.get(f"{name}_{end}", indices[name]) for end in ("low", "high")]
            for name in names
        ]
        return np.asarray(self.values[rows])
