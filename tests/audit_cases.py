"""Random experiments of every kind, and what became of them: the cases of the audit."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES, family_and_value
from stability.diagnosis.changes import single_changes, treated
from stability.engine.measurement import CURVES, PROFILES, SNAPSHOTS, Measurement, finite_networks
from stability.engine.training import measure
from stability.records.experiment import MOST_SCHEMES, Experiment, scheme_disagreements

LEARNED = 0.5  # of the loss of guessing


def random_scheme(draw: random.Random) -> str:
    """Return any scheme, with its typical value or one within a factor of ten."""
    row = draw.choice(list(SCHEMES.values()))
    if row.value is None or draw.random() < 0.3:
        return row.key
    if row.integer_value:
        return f"{row.key}:{draw.randint(3, 30)}"
    return f"{row.key}:{float(f'{row.value * 10 ** draw.uniform(-1, 1):.2g}')}"


def random_experiment(draw: random.Random, schemes: int = 2) -> Experiment:
    """Return an experiment of any kind that trains in a second or so."""
    optimizer, chosen = draw.choice(list(OPTIMIZERS.values())), {}
    samples = draw.choice([256, 512, 1024])
    e = Experiment(
        activation=draw.choice(list(ACTIVATIONS)),
        depth=draw.choice([draw.randint(1, 8), draw.randint(2, 20), draw.randint(10, 50)]),
        width=2 * draw.choice([draw.randint(1, 8), draw.randint(4, 32), draw.randint(8, 32)]),
        residual=draw.random() < 0.25,
        normalization=draw.choice(["none", "none", "none", *NORMALIZATIONS]),
        dropout=draw.choice([0, 0, 0, 0.2]),
        bias_std=draw.choice([0, 0, 0, 0.1, 1.0]),
        dataset=draw.choice(list(DATASETS)),
        features=draw.choice([4, 16, 32, 64]),
        samples=samples,
        noise=draw.choice([0.1, 0.1, 0.0, 0.3]),
        batch=draw.choice([8, 32, 64, 128]),
        steps=draw.choice([50, 100, 100, 200, 300]),
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


@dataclass
class Outcome:
    """One trained network: its start, its losses on the way, and whether it broke."""

    change: str  # the key; "" for the network as it was drawn
    experiment: Experiment  # with its scheme alone
    steps: list[int]  # at which the held-out loss was measured
    test_loss: list[float]
    loss: list[float]  # of batches, at most 50 of them
    broke_at: int | None  # the first step whose loss or gradient is not finite
    first: Measurement | None  # of step 0, without snapshots
    last: Measurement | None

    @property
    def relative_loss(self) -> float:
        """The held-out loss at the end over that of guessing; NaN where training broke."""
        return self.test_loss[-1] / self.experiment.dataset_row.guessing_loss

    @property
    def learned(self) -> bool:
        return self.relative_loss < LEARNED


def train(change: str, e: Experiment, keeps: bool) -> list[Outcome]:
    """Train the schemes of an experiment, and return the outcome of each."""
    stream = [with_few_arrays(m, keeps or m.step in (0, e.steps)) for m in measure(e)]
    held_out = [m for m in stream if m.step == e.steps or not np.isnan(m.test_loss).all()]
    return [
        Outcome(
            change,
            replace(e, schemes=(scheme,)),
            [m.step for m in held_out],
            [float(m.test_loss[i, 0]) for m in held_out],
            [float(m.loss[i, 0]) for m in stream[:: max(1, e.steps // 50)]],
            next((m.step for m in stream if not finite_networks(e, m)[i, 0]), None),
            of_one_scheme(stream[0], i) if keeps else None,
            of_one_scheme(stream[-1], i) if keeps else None,
        )
        for i, scheme in enumerate(e.schemes)
    ]


def with_few_arrays(m: Measurement, keeps: bool) -> Measurement:
    empty = np.empty(0)
    dropped = dict.fromkeys(SNAPSHOTS, empty) | ({} if keeps else dict.fromkeys(PROFILES, empty))
    return replace(m, **dropped)


def of_one_scheme(m: Measurement, index: int) -> Measurement:
    kept = {name: np.array(getattr(m, name)[index : index + 1]) for name in (*CURVES, *PROFILES)}
    return replace(m, **kept)


def outcomes(
    e: Experiment, draw: random.Random, keep_share: float = 1.0
) -> Iterator[list[Outcome]]:
    """Yield for each scheme its own outcome and, if it did not learn, those of its changes.

    What differs in its scheme alone is trained in one stack.
    """
    own = {outcome.experiment.schemes[0]: [outcome] for outcome in train("", e, True)}
    sick = [scheme for scheme, (outcome,) in own.items() if not outcome.learned]
    groups: dict[Experiment, list[tuple[str, str, str]]] = {}
    for scheme in sick:
        for key, remedy in single_changes(e, scheme):
            changed = treated(e, scheme, remedy)
            (new,) = changed.schemes
            shared = replace(changed, schemes=("zeros",))
            groups.setdefault(shared, []).append((key, scheme, new))
    for shared, members in groups.items():
        names = list(dict.fromkeys(new for _, _, new in members))
        for first in range(0, len(names), MOST_SCHEMES):
            some = tuple(names[first : first + MOST_SCHEMES])
            trained = train("", replace(shared, schemes=some), draw.random() < keep_share)
            by_scheme = dict(zip(some, trained, strict=True))
            for key, scheme, new in members:
                if new in by_scheme:
                    own[scheme].append(replace(by_scheme[new], change=key))
    yield from own.values()
