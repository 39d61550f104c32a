"""What becomes of a run's numbers in every format, layer by layer: the ladder, and all shares for notebooks."""

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.engine.rounding_shares import FORMATS_BY_RANGE, OUTCOMES, TENSOR_KINDS
from stability.engine.runs import Run
from stability.frames.arrow import arrow_table
from stability.frames.tidy import key_columns
from stability.probes.format_ladder import DIRECTIONS, FormatLadder, first_layer_outside, format_ladder

GAP = 0.06  # of the depth: between the way forward and the way back


def ladder_tables(run: Run, count: int, moment: int) -> dict[str, pa.Table]:
    """What a ladder draws at the newest picture up to step `moment` among the first `count` measurements: `rungs`.

    Columns: scheme, way, format, row (from the top, the widest range first), low and high (neighbouring layers of one state),
    layers, since and until (along the way of computation: forward from 0 to L, then back), state, words, zero, subnormal and
    infinite (the largest share of these layers), step.
    """
    e, found = run.experiment, format_ladder(run, count, moment)
    rows = [
        row | {"scheme": scheme, "step": found.step}
        for index, scheme in enumerate(e.schemes)
        for way, name in enumerate(DIRECTIONS)
        for place, kind in enumerate(FORMATS_BY_RANGE)
        for row in ladder_blocks(found, (index, slice(None), way, place), name, place, kind.label)
    ]
    return {"rungs": arrow_table({name: [row[name] for row in rows] for name in rows[0]})}


def ladder_blocks(found: FormatLadder, at: tuple, way: str, place: int, label: str) -> list[dict]:
    """The blocks of one way in one format."""
    state, backward = found.state[at], way == "backward"
    depth, left = len(state), first_layer_outside(state, backward)
    ends = np.flatnonzero(np.append(state[1:] != state[:-1], True)) + 1
    rows, low = [], 1
    for high in map(int, ends):
        inside, word = slice(low - 1, high), str(state[low - 1])
        edges = (high + 0.5, low - 0.5) if backward else (low - 0.5, high + 0.5)
        since, until = (position_on_ladder(edge, depth, backward) for edge in edges)
        begun = f" from {left}" if left and left == (high if backward else low) else ""
        shares = {name: float(getattr(found, name)[at][inside].max()) for name in ("zero", "subnormal", "infinite")}
        rows.append({"way": way, "format": label, "row": place, "low": low, "high": high, "state": word,
                     "since": since, "until": until, "words": word + begun, "named": bool(begun)} | shares)  # fmt: skip
        low = high + 1
    return rows


def position_on_ladder(layer: float, depth: int, backward: bool) -> float:
    """Where a layer's edge stands on the way: forward 0.5 to L + 0.5, and after a gap back from L to 1."""
    return 2 * depth + 1 + GAP * depth - layer if backward else layer


def rounding_frame(run: Run) -> pd.DataFrame:
    """All shares that are kept. Columns: run, kind ("measured"), scheme, replicate, step, layer, tensor (of KINDS), format (its
    key); FATES, of all numbers: what is left of 1 is exactly 0 already. Gradients are those of the mean loss, as stored."""
    kept = [m for m in list(run.measurements) if m.step in run.snapshot_steps]
    values = np.stack([m.rounding_shares for m in kept])  # (steps, S, R, L, KINDS, F, FATES)
    inner = len(TENSOR_KINDS) * len(FORMATS_BY_RANGE)
    keys = key_columns(run.experiment, [m.step for m in kept], run.experiment.depth)
    columns = {name: np.repeat(value, inner) if isinstance(value, np.ndarray) else value for name, value in keys.items()}
    many = values[..., 0].size // inner
    columns["tensor"] = np.tile(np.repeat(list(TENSOR_KINDS), len(FORMATS_BY_RANGE)), many)
    columns["format"] = np.tile([row.key for row in FORMATS_BY_RANGE], many * len(TENSOR_KINDS))
    return pd.DataFrame(columns | {name: values[..., index].ravel() for index, name in enumerate(OUTCOMES)})
