"""The tables of the depth chart of an experiment that is not trained: what theory predicts."""

import numpy as np
import pyarrow as pa

from stability.frames.arrow import arrow_table, log_axis_limits
from stability.frames.axes import BEYOND_COLUMNS
from stability.frames.depth import profile_labels, theory_table
from stability.frames.format_limits import LIMIT_COLUMNS
from stability.frames.run_panels import FORETOLD_PANELS
from stability.frames.tidy import AFTER_EVERY_STEP
from stability.records.experiment import Experiment


def foretold_tables(e: Experiment) -> dict[str, pa.Table]:
    """Return the tables of a depth chart of FORETOLD_PANELS, with nothing measured."""
    theory = theory_table(e)
    ends = log_axis_limits(FORETOLD_PANELS, theory).to_pydict()
    # One pair of ends for every choice of axes: nothing leaves them.
    limits = {name: pair * (len(e.schemes) + 2) for name, pair in ends.items()}
    since = np.full(theory.num_rows, -1, np.int16)
    lines = theory.append_column("since", pa.array(since))
    lines = lines.append_column("until", pa.array(since + AFTER_EVERY_STEP + 2))
    return {
        "profiles": lines.slice(0, 0),
        "theory": theory,
        "rules": LIMIT_COLUMNS.empty_table(),
        "limits": arrow_table(limits),
        "beyond": BEYOND_COLUMNS.empty_table(),
        "ends": profile_labels(e, lines, limits, FORETOLD_PANELS),
    }
