"""Random experiments of every kind, and what becomes of them: the cases of the audit."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES, family_and_value
from stability.diagnosis.changes import single_changes, treated
from stability.diagnosis.evidence import HARMED_SHARE, LEARNED_SHARE, SLOW_SHARE
from stability.diagnosis.indicators import Indicators, scheme_indicators
from stability.engine.measurement import finite_networks
from stability.engine.training import measure
from stability.records.experiment import Experiment, scheme_disagreements
from stability.records.experiment_settings import MOST_SCHEMES
from stability.records.step_sampling import sampled_steps

OUTCOMES = "learns", "slow", "stalled", "diverged"


def random_scheme(draw: random.Random) -> str:
    """Return any scheme, with its typical value or one within a factor of ten."""
    row = SCHEMES[draw.choice(sorted(SCHEMES))]  # whatever the order of the menu
    if row.value is None or draw.random() < 0.3:
        return row.key
    if row.integer_value:
        return f"{row.key}:{draw.randint(3, 30)}"
    return f"{row.key}:{float(f'{row.value * 10 ** draw.uniform(-1, 1):.2g}')}"


def random_experiment(draw: random.Random, schemes: int = 2) -> Experiment:
    """Return an experiment of any kind that trains in a second or so."""
    optimizer = draw.choice(list(OPTIMIZERS.values()))
    chosen: dict[str, str] = {}
    samples = draw.choice([256, 512, 1024])
    e = Experiment(
        activation=draw.choice(list(ACTIVATIONS)),
        depth=draw.choice([draw.randint(1, 8), draw.randint(2, 20), draw.randint(10, 30)]),
        width=2 * draw.choice([draw.randint(1, 8), draw.randint(4, 32), draw.randint(8, 24)]),
        residual=draw.random() < 0.25,
        normalization=draw.choice(["none", "none", "none", *NORMALIZATIONS]),
        dropout=draw.choice([0, 0, 0, 0.2]),
        bias_std=draw.choice([0, 0, 0, 0.1, 1.0]),
        dataset=draw.choice(list(DATASETS)),
        features=draw.choice([4, 16, 32, 64]),
        samples=samples,
        noise=draw.choice([0.1, 0.1, 0.0, 0.3]),
        batch=draw.choice([8, 32, 64, 128]),
        steps=draw.choice([50, 100, 100, 200]),
        optimizer=optimizer.key,
        learning_rate=float(f"{optimizer.learning_rate * 10 ** draw.uniform(-1.5, 1.5):.2g}"),
        clip=draw.choice([0, 0, 0, 1.0]),
        weight_decay=draw.choice([0, 0, 0.01]),
        precision=draw.choice(["float32"] * 9 + list(PRECISIONS)),
        seed=draw.randrange(2**31),
    )
    while len(chosen) < schemes:
        text = random_scheme(draw)
        if not list(scheme_disagreements(text, e.settings())):
            chosen.setdefault(family_and_value(text), text)
    return replace(e, schemes=tuple(chosen.values()))


@dataclass(frozen=True)
class Trained:
    """One trained network: its start, its held-out losses on the way, and whether it broke."""

    experiment: Experiment  # with its scheme alone
    start: Indicators
    losses: tuple[tuple[int, float], ...]
    broke: bool

    @property
    def outcome(self) -> str:
        """What became of it: one of OUTCOMES."""
        first, last = (loss / self.experiment.dataset_row.guessing_loss
                       for loss in (self.losses[0][1], self.losses[-1][1]))  # fmt: skip
        if last < LEARNED_SHARE and not self.broke:
            return "learns"
        if self.broke or not last <= max(1, HARMED_SHARE * first):
            return "diverged"
        return "slow" if last < SLOW_SHARE else "stalled"

    @property
    def learned(self) -> bool:
        return self.outcome == "learns"


def train(e: Experiment) -> list[Trained]:
    """Train the schemes of an experiment, and return what became of each."""
    stream = measure(e, snapshots=False)
    first = next(stream)
    starts = scheme_indicators(e, first)
    finite = finite_networks(e, first).all(axis=1)
    losses: list[list[tuple[int, float]]] = [[(0, x)] for x in first.test_loss[:, 0].tolist()]
    for measurement in stream:
        finite &= finite_networks(e, measurement).all(axis=1)
        if measurement.step in sampled_steps(e.steps):
            for series, loss in zip(losses, measurement.test_loss[:, 0].tolist(), strict=True):
                series.append((measurement.step, loss))
    return [
        Trained(replace(e, schemes=(scheme,)), starts[i], tuple(losses[i]), not finite[i])
        for i, scheme in enumerate(e.schemes)
    ]


def train_changes(e: Experiment, sick: Sequence[str]) -> dict[str, dict[str, Trained]]:
    """Return by sick scheme and key of a change what became of the network under it.

    Networks that differ in their scheme alone train in one stack.
    """
    groups: dict[Experiment, list[tuple[str, str, str]]] = {}
    for scheme in sick:
        for key, remedy in single_changes(e, scheme):
            if changed := treated(e, scheme, remedy):
                shared = replace(changed, schemes=("zeros",))
                groups.setdefault(shared, []).append((key, scheme, changed.schemes[0]))
    found: dict[str, dict[str, Trained]] = {scheme: {} for scheme in sick}
    for shared, members in groups.items():
        names = list(dict.fromkeys(name for _, _, name in members))
        for first in range(0, len(names), MOST_SCHEMES):
            some = tuple(names[first : first + MOST_SCHEMES])
            trained = dict(zip(some, train(replace(shared, schemes=some)), strict=True))
            for key, scheme, name in members:
                if name in trained:
                    found[scheme][key] = trained[name]
    return found
