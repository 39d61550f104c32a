"""The tables of what becomes of a run's numbers in every format, layer by layer."""

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.rounding_shares import FORMATS_BY_RANGE, OUTCOMES, TENSOR_KINDS
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table
from stability.frames.tidy import key_columns, runs_of_equal_values
from stability.i18n import _
from stability.probes.format_ladder import DIRECTIONS, build_format_ladder, first_layer_outside

RUNG_COLUMNS = (
    "scheme", "way", "format", "row", "low", "high", "state", "since", "until", "words", "named",
    "zero", "subnormal", "infinite", "step",
)  # fmt: skip
GAP = 0.06  # share of the depth between the forward and the backward pass


def ladder_tables(run: Run, count: int, step_shown: int) -> dict[str, pa.Table]:
    """Return the table `rungs` of a ladder, at the newest snapshot up to the step shown.

    Columns: scheme, way, format, row (from the top, the widest range first), low and high
    (neighbouring layers of one state), state, since and until (in the order of computation: forward
    from 0 to L, then back), words, named (True if words add the first layer), zero, subnormal and
    infinite (the largest share of these layers), step.
    """
    ladder, depth = build_format_ladder(run, count, step_shown), run.experiment.depth
    state, *shares = (
        np.moveaxis(array, 1, -1)  # (S, 2 directions, FORMATS, L)
        for array in (ladder.state, ladder.zero, ladder.subnormal, ladder.infinite)
    )
    rows = []
    begins, lengths = runs_of_equal_values(state)
    blocks = np.stack([*begins, begins[-1] + lengths], axis=1).tolist()
    for scheme, direction, row, low, high in blocks:
        at = scheme, direction, row
        way, word = list(DIRECTIONS)[direction], str(state[at][low])
        first, edges = low + 1, (low + 0.5, high + 0.5)
        if backward := way == "backward":
            first, edges = high, (high + 0.5, low + 0.5)
        named = first == first_layer_outside(state[at], backward)
        block = run.experiment.schemes[scheme], way, FORMATS_BY_RANGE[row].label, row, low + 1, high
        positions = (position_on_ladder(edge, depth, backward) for edge in edges)
        words = _(word)
        if named:
            words = _("{state} from {layer}").format(state=words, layer=first)
        largest = (float(share[at][low:high].max()) for share in shares)
        rows.append((*block, word, *positions, words, named, *largest, ladder.step))
    columns = zip(RUNG_COLUMNS, zip(*rows, strict=True), strict=True)
    return {"rungs": arrow_table(dict(columns))}


def position_on_ladder(layer: float, depth: int, backward: bool) -> float:
    """Return where a layer's edge stands: forward 0.5 to L + 0.5, after a gap back from L to 1."""
    return 2 * depth + 1 + GAP * depth - layer if backward else layer


def rounding_frame(run: Run) -> pd.DataFrame:
    """Return all rounding shares that are kept, for notebooks.

    Columns: kind ("measured"), scheme, replicate, step, layer, tensor (of TENSOR_KINDS), format
    (its key); OUTCOMES, shares of all numbers: the rest up to 1 is exactly 0 already. Gradients are
    those of the mean loss, as stored.
    """
    kept = [m for m in list(run.measurements) if m.step in run.snapshot_steps]
    values = np.stack([m.rounding_shares for m in kept])  # (steps, S, R, L, TENSOR_KINDS, F, OUT)
    layers, keys = range(1, run.experiment.depth + 1), [row.key for row in FORMATS_BY_RANGE]
    inner = {"layer": layers, "tensor": list(TENSOR_KINDS), "format": keys}
    columns = key_columns(run.experiment, kept, **inner)
    for index, name in enumerate(OUTCOMES):
        columns[name] = values[..., index].ravel()
    return pd.DataFrame(columns)
