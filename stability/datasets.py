"""Synthetic data: small, deterministic, made of torch alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from stability.catalogue import Entry, catalogue
from stability.randomness import generator

HELD_OUT = 512  # further examples, never trained on


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

    `classes` is None for a regression. `fixed_features` is set where the data have a dimension of their own.
    """

    draw: Callable[[int, int, float, Generator], tuple[Tensor, Tensor]]
    classes: int | None = None
    fixed_features: int | None = None

    @property
    def outputs(self) -> int:
        return self.classes or 1

    @property
    def guessing(self) -> float:
        """The loss of a network that has learned nothing and says so: ln(classes), or the variance of the target, 1."""
        return math.log(self.classes) if self.classes else 1.0

    def dimension(self, features: int) -> int:
        return self.fixed_features or features

    def load(self, samples: int, features: int, noise: float, seed: int, dtype: torch.dtype) -> Data:
        """Draws all examples at once, splits them, and standardises by the statistics of the training part."""
        x, y = self.draw(samples + HELD_OUT, self.dimension(features), noise, generator(seed, "data"))
        x = standardised(x, samples).to(dtype)
        y = y if self.classes else standardised(y, samples).to(dtype)
        return Data(x[:samples], y[:samples], x[samples:], y[samples:])


def standardised(columns: Tensor, samples: int) -> Tensor:
    """Each column with mean 0 and variance 1 over the first `samples` rows; a constant column becomes 0."""
    variance, mean = torch.var_mean(columns[:samples], dim=0, correction=0)
    return (columns - mean) / torch.where(variance > 0, variance, 1).sqrt()


def normal(random: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=random, dtype=torch.float64)


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
    radius = torch.rand(count, generator=random, dtype=torch.float64).sqrt()
    angle = 3 * math.pi * radius + math.pi * y
    arm = radius * torch.stack([angle.cos(), angle.sin()])
    return arm.T + 0.2 * noise * normal(random, count, 2), y


DATASETS = catalogue(
    Dataset(
        key="blobs", label="Blobs", source="Gaussian mixture; scikit-learn make_blobs", draw=blobs, classes=10,
        summary="Ten clouds of points in `features` dimensions; `noise` is their spread. Easy, unless the signal is lost.",
        formula=r"x = c_y + \mathrm{noise} \cdot \epsilon, \quad c_y, \epsilon \sim N(0, I)",
    ),
    Dataset(
        key="teacher", label="Teacher network", source="Saad & Solla 1995, the teacher-student setting", draw=teacher,
        summary="A regression: the output of a fixed random tanh network of 32 hidden units, plus `noise`.",
        formula=r"y = v^\top \tanh(U x) + \mathrm{noise} \cdot \epsilon, \quad x \sim N(0, I)",
    ),
    Dataset(
        key="spirals", label="Two spirals", source="Lang & Witbrock 1988", draw=spirals, classes=2, fixed_features=2,
        summary="Two interleaved arms in the plane, blurred by a fifth of `noise`: two inputs, and no straight line helps.",
        formula=r"x = r (\cos\theta, \sin\theta), \quad \theta = 3 \pi r + \pi y",
    ),
)  # fmt: skip
