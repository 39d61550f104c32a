"""Which layer leaves which number format first, forward and backward: in numbers and in words, from the fates of a run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stability.engine.rounding_shares import FORMATS_BY_RANGE, TENSOR_KINDS
from stability.engine.runs import Run
from stability.text import layer_range

NOTABLE_SHARE = 0.01  # share of the numbers that are not 0 already: less is not said
ALMOST_ALL = 0.99
DIRECTIONS = {"forward": ("activation",), "backward": ("signal_gradient", "weight_gradient")}
STATES_OUTSIDE = "some 0", "all 0", "infinite"  # what counts as having left a format


@dataclass(frozen=True)
class FormatLadder:
    """At the picture of `step`, means over the replicates, `(S, L, 2 ways, FORMATS)`.

    Of the numbers that are not 0 already, `zero` and `subnormal` become that, of the kind that loses most; `infinite`, NaN
    too; `state` is the worst of it in a word. A format wider than the run's own cannot be judged where numbers have left it.
    """

    step: int
    zero: np.ndarray
    subnormal: np.ndarray
    infinite: np.ndarray
    state: np.ndarray


def format_ladder(run: Run, count: int, step: int) -> FormatLadder:
    seen = run.snapshot(count, step)
    whole = np.nan_to_num(seen.rounding_shares.astype(float), nan=0.0)  # (S, R, L, KINDS, F, FATES)
    whole[..., -1] = np.where(np.isnan(seen.rounding_shares[..., -1]), 1.0, whole[..., -1])
    alive = whole.sum(axis=-1)
    shares = (whole / np.where(alive > 0, alive, 1)[..., None]).mean(axis=1)  # (S, L, KINDS, F, FATES)
    dead = (alive == 0).all(axis=1)  # (S, L, KINDS, F)
    kinds = [[list(TENSOR_KINDS).index(kind) for kind in way] for way in DIRECTIONS.values()]
    worst = np.stack([shares[:, :, way].max(axis=2) for way in kinds], axis=2)  # (S, L, 2, F, FATES)
    zero, subnormal, infinite = worst[..., 0], worst[..., 1], worst[..., 3]
    gone = np.stack([dead[:, :, way].any(axis=2) for way in kinds], axis=2)  # (S, L, 2, F)
    state = np.select(
        [infinite > 0, zero >= ALMOST_ALL, zero > NOTABLE_SHARE, gone, subnormal > NOTABLE_SHARE],
        ["infinite", "all 0", "some 0", "0 already", "subnormal"], "fits",
    )  # fmt: skip
    return FormatLadder(seen.step, zero, subnormal, infinite, np.where(cannot_be_judged(run, state), "not known", state))


def cannot_be_judged(run: Run, state: np.ndarray) -> np.ndarray:
    """Where a format wider than that of the run may hold what the run does not: its infinities and its zeros."""
    own = next(index for index, row in enumerate(FORMATS_BY_RANGE) if row.dtype == run.experiment.number_format.dtype)
    return (np.arange(len(FORMATS_BY_RANGE)) < own) & np.isin(state, ["infinite", "0 already"])


def first_layer_outside(state: np.ndarray, backward: bool) -> int:
    """Of the states of layers 1 to L, the first layer in the order of computation that has left; 0: none."""
    found = np.flatnonzero(np.isin(state, STATES_OUTSIDE)) + 1
    return int(found[-1 if backward else 0]) if len(found) else 0


def format_sentences(run: Run, count: int, step: int) -> list[str]:
    """One a scheme: He (normal): float16 holds every number. In float8 E5M2 ..."""
    found = format_ladder(run, count, step)
    return [f"{row.title}: {describe_formats(found.state[index])}" for index, row in enumerate(run.experiment.scheme_rows)]


def describe_formats(state: np.ndarray) -> str:
    """Of one scheme's states `(L, 2, FORMATS)`: the narrowest format that holds all, and what happens in the next."""
    left = np.isin(state, STATES_OUTSIDE).any(axis=(0, 1))
    if not left.any():
        what = "every number that is not 0 already" if (state == "0 already").any() else "every number"
        return f"{what} fits {FORMATS_BY_RANGE[-1].label}, the narrowest of these formats."
    index = int(np.argmax(left))  # ranges are nested: all wider ones hold what this one does not
    losses = [loss for way, backward in enumerate((False, True)) for loss in describe_losses(state[:, way, index], backward)]
    known = index and not np.isin(state[..., index - 1], ["not known", "0 already"]).any()
    holds = f"; {FORMATS_BY_RANGE[index - 1].label} holds them" if known else ""
    return f"in {FORMATS_BY_RANGE[index].label} {', '.join(losses)}{holds}."


def describe_losses(state: np.ndarray, backward: bool) -> Iterator[str]:
    """What becomes of which layers on one way."""
    what = "gradients" if backward else "activations"
    deeds = {"infinite": "overflow", "all 0": "become 0", "some 0": "become 0 in part", "0 already": "are 0 already"}
    for name, deed in deeds.items():
        layers = np.flatnonzero(state == name) + 1
        if len(layers):
            yield f"{what} of {layer_range(layers)} {deed}"
