"""The first layer at which numbers leave each number format, forward and backward."""

from dataclasses import dataclass

import numpy as np

from stability.engine.rounding_shares import FORMATS_BY_RANGE, TENSOR_KINDS
from stability.engine.runs import Run
from stability.i18n import N_

NOTABLE_SHARE = 0.01  # of the numbers not yet 0: a smaller share is not mentioned
ALMOST_ALL = 0.99
DIRECTIONS = {"forward": ("activation",), "backward": ("signal_gradient", "weight_gradient")}
STATES_OUTSIDE = "some 0", "all 0", "infinite"  # numbers in such a state have left the format


@dataclass(frozen=True, eq=False)
class FormatLadder:
    """The effect of each format on a run's numbers at `step`, `(S, L, 2 directions, FORMATS)`.

    Shares are among the numbers not yet 0, in the tensor that loses most. NaN counts as infinite.
    A format wider than the run's own cannot be judged where the run's numbers have left its format.
    """

    step: int
    zero: np.ndarray  # share that becomes 0
    subnormal: np.ndarray  # share that becomes subnormal
    infinite: np.ndarray  # share that becomes infinite
    state: np.ndarray  # the worst outcome, in a word


def build_format_ladder(run: Run, count: int, step: int) -> FormatLadder:
    """Return the ladder at the newest snapshot up to `step` among the first `count` steps."""
    snapshot = run.snapshot(count, step)
    # Rounding shares are means over the replicates, stored alike for each of them.
    kept = snapshot.rounding_shares[:, 0].astype(float)  # (S, L, TENSOR_KINDS, FORMATS, OUTCOMES)
    shares = np.nan_to_num(kept, nan=0.0)
    shares[..., -1] = np.where(np.isnan(kept[..., -1]), 1.0, shares[..., -1])
    not_zero = shares.sum(axis=-1, keepdims=True)
    shares = shares / np.where(not_zero > 0, not_zero, 1)
    all_zero = not_zero[..., 0] == 0
    worst, zero_already = [], []
    for kinds in DIRECTIONS.values():
        tensors = [list(TENSOR_KINDS).index(kind) for kind in kinds]
        worst.append(shares[:, :, tensors].max(axis=2))
        zero_already.append(all_zero[:, :, tensors].any(axis=2))
    zero, subnormal, _, infinite = np.moveaxis(np.stack(worst, axis=2), -1, 0)  # in that order
    states = {
        N_("infinite"): infinite > 0,
        N_("all 0"): zero >= ALMOST_ALL,
        N_("some 0"): zero > NOTABLE_SHARE,
        N_("0 already"): np.stack(zero_already, axis=2),
        N_("subnormal"): subnormal > NOTABLE_SHARE,
    }
    state = np.select(list(states.values()), list(states), N_("fits"))  # the first that holds
    state = np.where(cannot_be_judged(run, state), N_("not known"), state)
    return FormatLadder(snapshot.step, zero, subnormal, infinite, state)


def cannot_be_judged(run: Run, state: np.ndarray) -> np.ndarray:
    """Return True where a wider format than the run's may hold what is infinite or 0 in the run."""
    dtypes = [row.dtype for row in FORMATS_BY_RANGE]
    wider = np.arange(len(dtypes)) < dtypes.index(run.experiment.number_format.dtype)
    return wider & np.isin(state, ["infinite", "0 already"])


def first_layer_outside(state: np.ndarray, backward: bool) -> int:
    """Return the first layer, in the order of computation, that has left a format; 0 for none.

    `state` `(L,)` holds the states of layers 1 to L in the format.
    """
    outside = np.flatnonzero(np.isin(state, STATES_OUTSIDE)) + 1
    if not len(outside):
        return 0
    return int(outside[-1] if backward else outside[0])
