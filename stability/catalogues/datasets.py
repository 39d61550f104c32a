"""Synthetic data: small, deterministic, made of torch alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from stability.catalogues.data_scaling import STANDARDIZED, DataScaling
from stability.catalogues.draws import unit_normal
from stability.catalogues.entry import Entry, catalogue
from stability.randomness import generator

HELD_OUT_EXAMPLES = 512  # never trained on
Examples = tuple[Tensor, Tensor]  # x (count, features) and y
Sampler = Callable[..., Examples]


@dataclass(frozen=True, eq=False)
class Data:
    """Training inputs `x` (samples, features) and their targets `y`, as networks see them.

    `y` is class numbers (samples,) or values (samples, 1). `x_test` and `y_test` are held out.
    """

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


@dataclass(frozen=True, kw_only=True)
class Dataset(Entry):
    """A row. `draw(count, features, noise, random)` gives float64 x `(count, features)` and y.

    `more` are settings that `draw` takes besides, with their values; among them may be `classes`.
    `classes` is None for a regression. `fixed_features` is the input dimension of data that ignore
    `features`. `draw` draws the noise last, so that the
    inputs are the same without noise. `scaling` and `label_noise` are those of an experiment.
    """

    draw: Sampler
    classes: int | None = None
    fixed_features: int | None = None
    more: tuple[tuple[str, float], ...] = ()
    scaling: DataScaling = STANDARDIZED
    label_noise: float = 0.0

    @property
    def outputs(self) -> int:
        return self.classes or 1

    @property
    def guessing_loss(self) -> float:
        """The loss of a network that has learned nothing but how frequent classes are.

        That is ln(classes), less where they are not alike. Of a regression it is the variance.
        """
        if not self.classes:
            return self.scaling.target_scale**2
        if (imbalance := dict(self.more).get("imbalance", 1)) == 1:
            return math.log(self.classes)
        shares = class_frequencies(self.classes, imbalance)
        return float(torch.special.entr(shares / shares.sum()).sum())

    @property
    def plotted_dimensions(self) -> int:
        """The number of inputs if the learned function is plotted, else 0.

        Plotted are classifications of 2 inputs and regressions of 1, if `fixed_features` says so:
        the shape of a measurement must not depend on `features`.
        """
        inputs = 2 if self.classes else 1
        return inputs if self.fixed_features == inputs else 0

    def input_dimension(self, features: int) -> int:
        return self.fixed_features or features

    def load(
        self, samples: int, features: int, noise: float, seed: int, dtype: torch.dtype
    ) -> Data:
        """Draw all examples, split them, standardise them by the training examples, scale them."""
        x, y = self._draw_all(samples, features, noise, seed)
        x = self.scaling.scale_inputs(standardize(x, samples)).to(dtype)
        if not self.classes:
            y = self.scaling.scale_targets(standardize(y, samples)).to(dtype)
        elif self.label_noise:
            random = generator(seed, "labels")
            y[:samples] = mislabel(y[:samples], self.classes, self.label_noise, random)
        return Data(x[:samples], y[:samples], x[samples:], y[samples:])

    def noise_free_targets(self, samples: int, features: int, noise: float, seed: int) -> Tensor:
        """Return a regression's training targets without noise, float64 `(samples, 1)`.

        They are standardised and scaled like the noisy targets of `load`.
        """
        clean, noisy = (
            self._draw_all(samples, features, level, seed)[1][:samples] for level in (0.0, noise)
        )
        targets = standardize(torch.cat([noisy, clean]), samples)[samples:]
        return self.scaling.scale_targets(targets)

    def _draw_all(self, samples: int, features: int, noise: float, seed: int) -> Examples:
        count, random = samples + HELD_OUT_EXAMPLES, generator(seed, "data")
        inputs = self.input_dimension(features)
        return self.draw(count, inputs, noise, random, **dict(self.more))


def standardize(columns: Tensor, samples: int) -> Tensor:
    """Return columns of mean 0 and variance 1 over the first `samples` rows; constants become 0."""
    variance, mean = torch.var_mean(columns[:samples], dim=0, correction=0)
    return (columns - mean) / torch.where(variance > 0, variance, 1).sqrt()


def draw_uniform(random: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=random, dtype=torch.float64)


def mislabel(y: Tensor, classes: int, share: float, random: Generator) -> Tensor:
    """Return class numbers of which about this share are replaced by any other class."""
    is_wrong = torch.rand(len(y), generator=random, dtype=torch.float64) < share
    others = torch.randint(1, classes, (len(y),), generator=random)
    return torch.where(is_wrong, (y + others) % classes, y)


def class_frequencies(classes: int, imbalance: float) -> Tensor:
    """Return how frequent each class is, falling by one factor from class to class.

    The first is `imbalance` times as frequent as the last. Cui et al. 2019, sec. 5.1.
    """
    return imbalance ** -torch.linspace(0, 1, classes, dtype=torch.float64)


def blobs(
    count: int,
    features: int,
    noise: float,
    random: Generator,
    classes: int = 10,
    imbalance: float = 1.0,
) -> Examples:
    centres = unit_normal(random, classes, features)
    if imbalance == 1:
        y = torch.randint(classes, (count,), generator=random)
    else:
        frequencies = class_frequencies(classes, imbalance)
        y = torch.multinomial(frequencies, count, replacement=True, generator=random)
    return centres[y] + noise * unit_normal(random, count, features), y


def teacher(count: int, features: int, noise: float, random: Generator) -> Examples:
    """Draw from a network of one hidden layer of 32 tanh units, weights of variance 4/features.

    Its output is nonlinear, yet every network here can learn it.
    """
    hidden = unit_normal(random, features, 32) * 2 / math.sqrt(features)
    output = unit_normal(random, 32, 1) / math.sqrt(32)
    x = unit_normal(random, count, features)
    return x, torch.tanh(x @ hidden) @ output + noise * unit_normal(random, count, 1)


def spirals(count: int, features: int, noise: float, random: Generator) -> Examples:
    y = torch.randint(2, (count,), generator=random)
    radius = draw_uniform(random, count).sqrt()
    angle = 3 * math.pi * radius + math.pi * y
    arm = radius * torch.stack([angle.cos(), angle.sin()])
    return arm.T + 0.2 * noise * unit_normal(random, count, 2), y


def linear(count: int, features: int, noise: float, random: Generator) -> Examples:
    direction = unit_normal(random, features, 1) / math.sqrt(features)
    x = unit_normal(random, count, features)
    return x, x @ direction + noise * unit_normal(random, count, 1)


def moons(count: int, features: int, noise: float, random: Generator) -> Examples:
    y = torch.randint(2, (count,), generator=random)
    angle = math.pi * draw_uniform(random, count)
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    return torch.where(y[:, None] == 0, upper, lower) + noise * unit_normal(random, count, 2), y


def circles(count: int, features: int, noise: float, random: Generator) -> Examples:
    y = torch.randint(2, (count,), generator=random)
    angle = 2 * math.pi * draw_uniform(random, count)
    x = torch.stack([angle.cos(), angle.sin()], 1) * (1 - y / 2)[:, None]
    return x + noise * unit_normal(random, count, 2), y


def checkered_squares(side: int) -> Sampler:
    """Return a sampler of a board of side x side unit squares in two colours.

    The board is covered uniformly, then blurred by half of `noise`.
    """

    def draw(count: int, features: int, noise: float, random: Generator) -> Examples:
        x = side * draw_uniform(random, count, 2)
        return x + noise / 2 * unit_normal(random, count, 2), x.floor().long().sum(dim=1) % 2

    return draw


def power(
    count: int, features: int, noise: float, random: Generator, exponent: int = 4
) -> Examples:
    x = draw_uniform(random, count, 1) * 2 - 1
    return x, x**exponent + noise / 4 * unit_normal(random, count, 1)


def one_hot(count: int, features: int, noise: float, random: Generator) -> Examples:
    """Draw one of as many words as there are features; each word has a value of its own."""
    values = unit_normal(random, features, 1)
    word = torch.randint(features, (count,), generator=random)
    x = torch.nn.functional.one_hot(word, features).double()
    return x, values[word] + noise * unit_normal(random, count, 1)


def sine(count: int, features: int, noise: float, random: Generator, periods: int = 2) -> Examples:
    x = draw_uniform(random, count, 1) * 2 - 1
    return x, torch.sin(math.pi * periods * x) + noise * unit_normal(random, count, 1)


DATASETS = catalogue(
    Dataset(
        key="blobs", label="Blobs", source="Gaussian mixture; scikit-learn make_blobs",
        formula=r"x = c_y + \mathrm{noise} \cdot \epsilon, \quad c_y, \epsilon \sim N(0, I)",
        summary="Clouds of points, one a class, in `features` dimensions; `noise` is their spread. "
        "Easy, unless the signal is lost.", draw=blobs, classes=10,
        more=(("classes", 10), ("imbalance", 1.0)),
    ),
    Dataset(
        key="teacher", label="Teacher network",
        source="Saad & Solla 1995, the teacher-student setting",
        formula=r"y = v^\top \tanh(U x) + \mathrm{noise} \cdot \epsilon, \quad x \sim N(0, I)",
        summary="A regression: the output of a fixed random tanh network of 32 hidden units, plus "
        "`noise`.", draw=teacher,
    ),
    Dataset(
        key="linear", label="Linear", source="Ordinary least squares",
        formula=r"y = w^\top x + \mathrm{noise} \cdot \epsilon, \quad x \sim N(0, I)",
        summary="A regression: one linear function of the features, plus `noise`. Depth 1 is "
        "enough, and depth can only hurt.", draw=linear,
    ),
    Dataset(
        key="one_hot", label="One-hot", source="Bengio et al. 2003, sec. 2: words as inputs",
        formula=r"x = e_c, \quad y = v_c + \mathrm{noise} \cdot \epsilon, \quad v_c \sim N(0, 1)",
        summary="A regression: the value of one of `features` words, each an input of its own, "
        "plus `noise`.", draw=one_hot,
    ),
    Dataset(
        key="spirals", label="Two spirals", source="Lang & Witbrock 1988",
        formula=r"x = r (\cos\theta, \sin\theta), \quad \theta = 3 \pi r + \pi y",
        summary="Two interleaved arms in the plane, blurred by a fifth of `noise`: two inputs, and "
        "no straight line helps.", draw=spirals, classes=2, fixed_features=2,
    ),
    Dataset(
        key="moons", label="Two moons", source="scikit-learn make_moons",
        formula=r"x = (\cos\theta, \sin\theta) \text{ or } (1 - \cos\theta, \tfrac12 - \sin\theta)",
        summary="Two half circles that reach into each other, blurred by `noise`.",
        draw=moons, classes=2, fixed_features=2,
    ),
    Dataset(
        key="circles", label="Two circles", source="scikit-learn make_circles",
        formula=r"x = r (\cos\theta, \sin\theta), \quad r \in \{1, \tfrac12\}",
        summary="One circle inside another, blurred by `noise`: a line cannot part them, a radius "
        "can.", draw=circles, classes=2, fixed_features=2,
    ),
    Dataset(
        key="xor", label="XOR", source="Minsky & Papert 1969",
        formula=r"y = (\lfloor x_1 \rfloor + \lfloor x_2 \rfloor) \bmod 2, \quad x \in [0, 2)^2",
        summary="Four squares, opposite ones alike: the classic task that no single layer can do; "
        "half of `noise` blurs it.",
        draw=checkered_squares(2), classes=2, fixed_features=2,
    ),
    Dataset(
        key="checkerboard", label="Checkerboard", source="XOR on a larger board",
        formula=r"y = (\lfloor x_1 \rfloor + \lfloor x_2 \rfloor) \bmod 2, \quad x \in [0, 4)^2",
        summary="Sixteen squares in two colours, blurred by half of `noise`: hard for a network "
        "that starts too smooth.",
        draw=checkered_squares(4), classes=2, fixed_features=2,
    ),
    Dataset(
        key="sine", label="Sine", source="Curve fitting in one dimension",
        formula=r"y = \sin(k \pi x) + \mathrm{noise} \cdot \epsilon, \quad x \sim U(-1, 1)",
        summary="A regression in one dimension: `periods` of a sine, plus `noise`.",
        draw=sine, fixed_features=1, more=(("periods", 2),),
    ),
    Dataset(
        key="power", label="Power", source="Curve fitting in one dimension",
        formula=r"y = x^k + \mathrm{noise} / 4 \cdot \epsilon, \quad x \sim U(-1, 1)",
        summary="A regression in one dimension: x to the power `exponent`, plus a quarter of "
        "`noise`.", draw=power, fixed_features=1, more=(("exponent", 4),),
    ),
)  # fmt: skip
