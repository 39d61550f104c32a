"""Synthetic data: small, deterministic, made of torch alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from stability.catalogues.entry import Entry, catalogue
from stability.randomness import generator

HELD_OUT_EXAMPLES = 512  # further examples, never trained on


@dataclass(frozen=True)
class Data:
    """`x` (samples, features) standardised; `y` (samples,) class numbers or (samples, 1) values; the same held out."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


@dataclass(frozen=True, kw_only=True)
class Dataset(Entry):
    """A row. `draw(count, features, noise, random)` gives float64 x `(count, features)` and y.

    `classes` is None for a regression. `fixed_features` is set where the data have a dimension of their own. `ease` is how
    soon networks learn them, other things being equal: a log odds, fitted together with stability.outlook.
    """

    draw: Callable[[int, int, float, Generator], tuple[Tensor, Tensor]]
    classes: int | None = None
    fixed_features: int | None = None
    ease: float = 0.0

    @property
    def outputs(self) -> int:
        return self.classes or 1

    @property
    def guessing_loss(self) -> float:
        """The loss of a network that has learned nothing and says so: ln(classes), or the variance of the target, 1."""
        return math.log(self.classes) if self.classes else 1.0

    @property
    def plotted_dimensions(self) -> int:
        """Inputs of the learned function where it is drawn: 2 of classes, 1 of a regression; else 0.

        Only where the data have a dimension of their own: a measurement must not depend on `features`.
        """
        drawn = 2 if self.classes else 1
        return drawn if self.fixed_features == drawn else 0

    def input_dimension(self, features: int) -> int:
        return self.fixed_features or features

    def load(self, samples: int, features: int, noise: float, seed: int, dtype: torch.dtype) -> Data:
        """Draws all examples at once, splits them, and standardises by the statistics of the training part."""
        x, y = self.draw(samples + HELD_OUT_EXAMPLES, self.input_dimension(features), noise, generator(seed, "data"))
        x = standardize(x, samples).to(dtype)
        y = y if self.classes else standardize(y, samples).to(dtype)
        return Data(x[:samples], y[:samples], x[samples:], y[samples:])

    def noise_free_targets(self, samples: int, features: int, noise: float, seed: int) -> Tensor:
        """Of a regression, the training targets without their noise, on the scale of `load`: float64 `(samples, 1)`.

        A row draws its noise last, so without any it draws the same inputs.
        """
        clean, y = (
            self.draw(samples + HELD_OUT_EXAMPLES, self.input_dimension(features), spread, generator(seed, "data"))[1]
            for spread in (0.0, noise)
        )
        return standardize(torch.cat([y[:samples], clean[:samples]]), samples)[samples:]


def standardize(columns: Tensor, samples: int) -> Tensor:
    """Each column with mean 0 and variance 1 over the first `samples` rows; a constant column becomes 0."""
    variance, mean = torch.var_mean(columns[:samples], dim=0, correction=0)
    return (columns - mean) / torch.where(variance > 0, variance, 1).sqrt()


def normal(random: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def uniform(random: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=random, dtype=torch.float64)


def blobs(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    centres = normal(random, 10, features)
    y = torch.randint(10, (count,), generator=random)
    return centres[y] + noise * normal(random, count, features), y


def teacher(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    """One hidden layer of 32 tanh units, weights of variance 4/features: curved, yet within reach of any network here."""
    hidden, output = normal(random, features, 32) * 2 / math.sqrt(features), normal(random, 32, 1) / math.sqrt(32)
    x = normal(random, count, features)
    return x, torch.tanh(x @ hidden) @ output + noise * normal(random, count, 1)


def spirals(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    y = torch.randint(2, (count,), generator=random)
    radius = uniform(random, count).sqrt()
    angle = 3 * math.pi * radius + math.pi * y
    arm = radius * torch.stack([angle.cos(), angle.sin()])
    return arm.T + 0.2 * noise * normal(random, count, 2), y


def linear(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    direction = normal(random, features, 1) / math.sqrt(features)
    x = normal(random, count, features)
    return x, x @ direction + noise * normal(random, count, 1)


def moons(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    y = torch.randint(2, (count,), generator=random)
    angle = math.pi * uniform(random, count)
    upper, lower = torch.stack([angle.cos(), angle.sin()], 1), torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    return torch.where(y[:, None] == 0, upper, lower) + noise * normal(random, count, 2), y


def circles(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    y = torch.randint(2, (count,), generator=random)
    angle = 2 * math.pi * uniform(random, count)
    x = torch.stack([angle.cos(), angle.sin()], 1) * (1 - y / 2)[:, None]
    return x + noise * normal(random, count, 2), y


def checkered_squares(side: int) -> Callable[[int, int, float, Generator], tuple[Tensor, Tensor]]:
    """A board of side x side unit squares in two colours, uniformly covered, then blurred by half of `noise`."""

    def draw(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
        x = side * uniform(random, count, 2)
        return x + noise / 2 * normal(random, count, 2), x.floor().long().sum(dim=1) % 2

    return draw


def sine(count: int, features: int, noise: float, random: Generator) -> tuple[Tensor, Tensor]:
    x = uniform(random, count, 1) * 2 - 1
    return x, torch.sin(2 * math.pi * x) + noise * normal(random, count, 1)


DATASETS = catalogue(
    Dataset(
        key="blobs", label="Blobs", source="Gaussian mixture; scikit-learn make_blobs", draw=blobs, classes=10, ease=1.0,
        summary="Ten clouds of points in `features` dimensions; `noise` is their spread. Easy, unless the signal is lost.",
        formula=r"x = c_y + \mathrm{noise} \cdot \epsilon, \quad c_y, \epsilon \sim N(0, I)",
    ),
    Dataset(
        key="teacher", label="Teacher network", source="Saad & Solla 1995, the teacher-student setting", draw=teacher,
        summary="A regression: the output of a fixed random tanh network of 32 hidden units, plus `noise`.",
        formula=r"y = v^\top \tanh(U x) + \mathrm{noise} \cdot \epsilon, \quad x \sim N(0, I)", ease=-0.3,
    ),
    Dataset(
        key="linear", label="Linear", source="Ordinary least squares", draw=linear, ease=0.1,
        summary="A regression: one linear function of the features, plus `noise`. Depth 1 is enough, and depth can only hurt.",
        formula=r"y = w^\top x + \mathrm{noise} \cdot \epsilon, \quad x \sim N(0, I)",
    ),
    Dataset(
        key="spirals", label="Two spirals", source="Lang & Witbrock 1988", draw=spirals, classes=2, fixed_features=2, ease=-2.0,
        summary="Two interleaved arms in the plane, blurred by a fifth of `noise`: two inputs, and no straight line helps.",
        formula=r"x = r (\cos\theta, \sin\theta), \quad \theta = 3 \pi r + \pi y",
    ),
    Dataset(
        key="moons", label="Two moons", source="scikit-learn make_moons", draw=moons, classes=2, fixed_features=2, ease=1.1,
        summary="Two half circles that reach into each other, blurred by `noise`.",
        formula=r"x = (\cos\theta, \sin\theta) \text{ or } (1 - \cos\theta, \tfrac12 - \sin\theta)",
    ),
    Dataset(
        key="circles", label="Two circles", source="scikit-learn make_circles", draw=circles, classes=2, fixed_features=2,
        summary="One circle inside another, blurred by `noise`: a line cannot part them, a radius can.",
        formula=r"x = r (\cos\theta, \sin\theta), \quad r \in \{1, \tfrac12\}", ease=-0.6,
    ),
    Dataset(
        key="xor", label="XOR", source="Minsky & Papert 1969", draw=checkered_squares(2), classes=2, fixed_features=2, ease=0.1,
        summary="Four squares, opposite ones alike: the classic task that no single layer can do; half of `noise` blurs it.",
        formula=r"y = (\lfloor x_1 \rfloor + \lfloor x_2 \rfloor) \bmod 2, \quad x \in [0, 2)^2",
    ),
    Dataset(
        key="checkerboard", label="Checkerboard", source="XOR on a larger board", draw=checkered_squares(4), classes=2, ease=-3.8,
        fixed_features=2, formula=r"y = (\lfloor x_1 \rfloor + \lfloor x_2 \rfloor) \bmod 2, \quad x \in [0, 4)^2",
        summary="Sixteen squares in two colours, blurred by half of `noise`: hard for a network that starts too smooth.",
    ),
    Dataset(
        key="sine", label="Sine", source="Curve fitting in one dimension", draw=sine, fixed_features=1, ease=-0.9,
        summary="A regression in one dimension: two periods of a sine, plus `noise`.",
        formula=r"y = \sin(2 \pi x) + \mathrm{noise} \cdot \epsilon, \quad x \sim U(-1, 1)",
    ),
)  # fmt: skip
