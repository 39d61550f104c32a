"""The tables of what becomes of a run's numbers in every format, layer by layer."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.rounding_shares import FORMATS_BY_RANGE, OUTCOMES, TENSOR_KINDS
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table
from stability.frames.tidy import key_columns
from stability.probes.format_ladder import DIRECTIONS, build_format_ladder, first_layer_outside

GAP = 0.06  # share of the depth between the forward and the backward pass


def ladder_tables(run: Run, count: int, step_shown: int) -> dict[str, pa.Table]:
    """Return the table `rungs` of a ladder, at the newest snapshot up to the step shown.

    Columns: scheme, way, format, row (from the top, the widest range first), low and high
    (neighbouring layers of one state), since and until (in the order of computation: forward from
    0 to L, then back), state, words, named (True if words add the first layer), zero, subnormal
    and infinite (the largest share of these layers), step.
    """
    ladder = build_format_ladder(run, count, step_shown)
    rows = []
    arrays = {"zero": ladder.zero, "subnormal": ladder.subnormal, "infinite": ladder.infinite}
    for scheme_index, scheme in enumerate(run.experiment.schemes):
        for way_index, way in enumerate(DIRECTIONS):
            for row, number_format in enumerate(FORMATS_BY_RANGE):
                at = scheme_index, slice(None), way_index, row
                shares = {name: array[at] for name, array in arrays.items()}
                keys = {"scheme": scheme, "way": way, "format": number_format.label, "row": row}
                for block in ladder_blocks(ladder.state[at], shares, way == "backward"):
                    rows.append(keys | block | {"step": ladder.step})
    return {"rungs": arrow_table({name: [row[name] for row in rows] for name in rows[0]})}


def ladder_blocks(
    state: np.ndarray, shares: dict[str, np.ndarray], backward: bool
) -> list[dict[str, Any]]:
    """Return the blocks of neighbouring layers of one state, for one direction and format.

    `state` and `shares` `(L,)`.
    """
    depth, left = len(state), first_layer_outside(state, backward)
    ends = np.flatnonzero(np.append(state[1:] != state[:-1], True)) + 1
    blocks, low = [], 1
    for high in map(int, ends):
        first, edges = low, (low - 0.5, high + 0.5)
        if backward:
            first, edges = high, (high + 0.5, low - 0.5)
        words = str(state[low - 1])
        is_first_outside = first == left
        if is_first_outside:
            words += f" from {left}"
        block = {
            "low": low,
            "high": high,
            "state": str(state[low - 1]),
            "since": position_on_ladder(edges[0], depth, backward),
            "until": position_on_ladder(edges[1], depth, backward),
            "words": words,
            "named": is_first_outside,
        }
        for name, share in shares.items():
            block[name] = float(share[low - 1 : high].max())
        blocks.append(block)
        low = high + 1
    return blocks


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
