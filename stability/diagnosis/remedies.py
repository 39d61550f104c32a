"""What may cure a sick scheme: a scheme to put beside it, or settings to change. Data that a button applies."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from stability.catalogues import schemes
from stability.catalogues.optimizers import OPTIMIZERS
from stability.records.experiment import MOST_SCHEMES, Experiment

SAME_VARIANCE = 0.1  # of the variance: schemes that differ by less make the same network but for luck


@dataclass(frozen=True)
class Remedy:
    """A change of the experiment: either a scheme to add beside the sick one, or settings to change."""

    label: str
    scheme: str = ""
    settings: tuple[tuple[str, Any], ...] = ()

    def apply(self, e: Experiment, sick: str) -> Experiment:
        """A legal experiment: the scheme stands right behind the sick one, or in its place where no more fit."""
        changes = dict(self.settings)
        if self.scheme and self.scheme not in e.schemes:
            place = e.schemes.index(sick) + 1
            kept = e.schemes[: place - (len(e.schemes) >= MOST_SCHEMES)]
            changes["schemes"] = (*kept, self.scheme, *e.schemes[place:])
        return Experiment.reconcile(e.settings() | changes)[0]


def first_effective_remedy(candidates: Iterable[Remedy], e: Experiment, sick: str) -> Remedy | None:
    """The first that changes anything."""
    return next((remedy for remedy in candidates if remedy.apply(e, sick) != e), None)


def settings_remedy(e: Experiment, **settings: Any) -> Remedy:
    words = ", ".join(e.knobs()[name].label_with_value(value) for name, value in settings.items())
    return Remedy(f"Try {words}", settings=tuple(settings.items()))


def suggest_better_start(e: Experiment, sick: str) -> Iterator[Remedy]:
    """The scheme made for this activation, if it changes the size of the weights; else what makes the start matter less."""
    if e.phi.suited_scheme and not have_similar_variance(e, sick, e.phi.suited_scheme):
        yield Remedy(f"Compare with {schemes.scheme_title(e.phi.suited_scheme)}", scheme=e.phi.suited_scheme)
    yield settings_remedy(e, normalization="layer")
    yield settings_remedy(e, residual=True)
    yield settings_remedy(e, activation="relu")
    yield settings_remedy(e, depth=max(1, e.depth // 2))


def have_similar_variance(e: Experiment, *texts: str) -> bool:
    """Whether two schemes give the weights of the middle layer the same variance."""
    layer = e.layers[len(e.layers) // 2]
    first, second = (schemes.parse_scheme(text).weight_variance(layer) for text in texts)
    return None not in (first, second) and math.isclose(first, second, rel_tol=SAME_VARIANCE)


def suggest_random_start(e: Experiment, sick: str) -> Iterator[Remedy]:
    """Any scheme that draws each weight on its own, the one made for this activation first."""
    drawn = [key for key, row in schemes.SCHEMES.items() if row.variance and row.value is None]
    for key in filter(None, dict.fromkeys([e.phi.suited_scheme, "xavier_normal", "orthogonal", *drawn])):
        yield Remedy(f"Compare with {schemes.scheme_title(key)}", scheme=key)


def suggest_smaller_steps(e: Experiment, decades: float = 1.0) -> Iterator[Remedy]:
    rate = min(e.learning_rate / 10**decades, 10 * e.optimizer_row.learning_rate)
    yield settings_remedy(e, learning_rate=max(1e-6, two_digits(rate)))
    yield settings_remedy(e, clip=1.0)


def suggest_larger_steps(e: Experiment, decades: float) -> Iterator[Remedy]:
    """A rate up to ten times the typical one; less than a doubling is no cure, another optimizer may be."""
    typical = e.optimizer_row.learning_rate
    rate = two_digits(min(e.learning_rate * 10**decades, 10 * typical))
    if rate >= 2 * e.learning_rate:
        yield settings_remedy(e, learning_rate=rate)
    yield settings_remedy(e, optimizer="adam", learning_rate=OPTIMIZERS["adam"].learning_rate)


def suggest_living_units(e: Experiment) -> Iterator[Remedy]:
    """Units that keep a slope on both sides; smaller steps, that throw none out of its range."""
    yield settings_remedy(e, activation="leaky_relu")
    yield from suggest_smaller_steps(e)


def suggest_more_steps(e: Experiment) -> Iterator[Remedy]:
    yield settings_remedy(e, steps=min(5000, 3 * e.steps))


def two_digits(value: float) -> float:
    return float(f"{value:.1e}")
