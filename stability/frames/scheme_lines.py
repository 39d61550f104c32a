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
        _, *rows = self.values.shape
        shown = self.has_number_from_here() if to_last_number else np.ones(rows, bool)
        scheme, step = shown.nonzero()
        columns = {"scheme": repeated_texts(self.schemes, scheme)}
        columns |= {name: key[step] for name, key in self.keys.items()}
        return arrow_table(columns | rows_in_few_bytes(self.names, self.values[:, scheme, step]))

    def has_number_from_here(self) -> np.ndarray:
        """Return `(S, steps)`, True where a line has a number at this step or at a later one."""
        has_number = ~np.isnan(self.values).all(axis=0)
        return np.asarray(np.logical_or.accumulate(has_number[:, ::-1], axis=1)[:, ::-1])

    def newest(self) -> dict[str, np.ndarray]:
        """Return the last values of each quantity, `(S,)`."""
        return dict(zip(self.names, self.values[..., -1], strict=True))

    def ends(self, names: Sequence[str]) -> np.ndarray:
        """Return the least and the largest value of quantities, `(len(names), 2, S, steps)`."""
        indices = {name: index for index, name in enumerate(self.names)}
        rows = [
            [indices.get(f"{name}_{end}", indices[name]) for end in ("low", "high")]
            for name in names
        ]
        return np.asarray(self.values[rows])
