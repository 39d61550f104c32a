"""The outcome of an experiment: every quantity that a map can show of it."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stability.diagnosis.evidence import LEARNED_SHARE
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.runs import Run
from stability.records.step_sampling import sampled_steps

Numbers = tuple[float, ...]  # one for each replicate
Table = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """The quantities of an experiment of one scheme, named as in QUANTITIES.

    Divergence is a value: a loss that is NaN counts as infinite, its accuracy as 0.
    """

    test_accuracy: Numbers  # after the last step; NaN for regression
    relative_loss: Numbers  # held out, after the last step, over that of guessing
    steps_to_half: Numbers  # until the held-out loss is below half of guessing; inf if it never is
    first_loss: Numbers  # held out, before training, over that of guessing
    gradient_ratio: Numbers  # log10, first over last hidden layer, before training
    signal_ratio: Numbers  # log10, last over first hidden layer, before training
    learns: Numbers  # 1 where the relative loss is below 1/2, else 0
    verdict: str

    def value(self, quantity: str) -> float | str:
        """Return the mean over the replicates of the quantity of this key; a word as it is."""
        found: Numbers | str = getattr(self, quantity)
        return found if isinstance(found, str) else float(np.mean(found))

    def to_json(self) -> str:
        """Return the outcome as text; numbers that are not finite are spelled NaN and Infinity."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the outcome of such a text, every number as it was."""
        found: dict[str, Any] = json.loads(text)
        lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**(found | lists))


def outcomes_of_run(run: Run) -> list[Outcome]:
    """Return what became of each scheme of a finished run, in the order of its family."""
    e, first, last = run.experiment, run.measurements[0], run.measurements[-1]
    steps = sorted(sampled_steps(e.steps))
    losses = np.stack([run.measurements[step].test_loss for step in steps])  # (steps, S, R)
    losses = np.where(np.isnan(losses), math.inf, losses) / e.dataset_row.guessing_loss
    columns: dict[str, Table] = {
        "test_accuracy": last.test_accuracy,
        "relative_loss": losses[-1],
        "steps_to_half": steps_to_half(np.array(steps, dtype=float), losses),
        "first_loss": losses[0],
        "gradient_ratio": -decades_between_ends(first.signal_gradient),
        "signal_ratio": decades_between_ends(first.signal),
        "learns": np.where(losses[-1] < LEARNED_SHARE, 1.0, 0.0),
    }
    found: list[Outcome] = []
    for index, verdict in enumerate(current_verdicts(run, len(run.measurements))):
        numbers: dict[str, Any] = {n: tuple(c[index].tolist()) for n, c in columns.items()}
        found.append(Outcome(**numbers, verdict=verdict.word))
    return found


def steps_to_half(steps: Table, losses: Table) -> Table:
    """Return at which of `steps` the losses `(steps, ...)` fall below half; inf if at none.

    Between two steps at which the loss was measured it is interpolated, if it was finite before.
    """
    below = losses < LEARNED_SHARE
    index = below.argmax(axis=0)  # the first that is
    before = np.maximum(index - 1, 0)
    low, high = (np.take_along_axis(losses, i[None], axis=0)[0] for i in (index, before))
    with np.errstate(all="ignore"):  # where it never falls, or was infinite
        share = np.where(np.isfinite(high), (high - LEARNED_SHARE) / (high - low), 1.0)
        crossed = steps[before] + share * (steps[index] - steps[before])
    return np.where(below.any(axis=0), np.where(index == 0, steps[0], crossed), math.inf)


def decades_between_ends(profile: Table) -> Table:
    """Return log10 of the last hidden layer over the first one, of profiles `(S, R, L)`."""
    last = max(0, profile.shape[2] - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log10(profile[:, :, last]) - np.log10(profile[:, :, 0]))
