"""The arguments of a scheme: a layer, and random matrices of unit variance that it scales."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stability.catalogues.activations import Activation
from stability.randomness import generator

# the standard deviation of N(0, 1) cut at 2
TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))


@dataclass(frozen=True)
class Layer:
    """The properties of a layer on which a scheme may depend; `index` runs from 1 to `depth`.

    `ends_branch` is False for the first of two layers in a branch of a residual network. Whatever
    the scheme, `mean` is added to its weights, in units of their size, and then all are multiplied
    by `gain`.
    """

    index: int
    depth: int
    fan_in: int
    fan_out: int
    activation: Activation
    bias_std: float
    residual: bool
    mean: float = 0.0
    gain: float = 1.0
    ends_branch: bool = True

    @property
    def is_end(self) -> bool:
        return self.index in (1, self.depth)


@dataclass(frozen=True)
class Draws:
    """Random float64 matrices `(fan_out, fan_in)` of unit variance, the same for all schemes."""

    seed: int
    replicate: int
    layer: Layer

    def generator_for(self, purpose: str) -> torch.Generator:
        return generator(self.seed, purpose, self.replicate, self.layer.index)

    @property
    def shape(self) -> tuple[int, int]:
        return self.layer.fan_out, self.layer.fan_in

    @cached_property
    def normal(self) -> Tensor:
        return unit_normal(self.generator_for("normal"), *self.shape)

    @cached_property
    def uniform(self) -> Tensor:
        return unit_uniform(self.generator_for("uniform"), *self.shape)

    @cached_property
    def truncated_normal(self) -> Tensor:
        return unit_truncated_normal(self.generator_for("truncated_normal"), *self.shape)

    @cached_property
    def sparse_order(self) -> Tensor:
        return permutations(self.generator_for("sparse"), *self.shape)

    @cached_property
    def orthogonal(self) -> Tensor:
        return orthonormal(self.generator_for("orthogonal"), *self.shape)

    @cached_property
    def normal_bias(self) -> Tensor:
        return unit_normal(self.generator_for("biases"), self.layer.fan_out)

    @cached_property
    def uniform_bias(self) -> Tensor:
        return unit_uniform(self.generator_for("biases"), self.layer.fan_out)


def unit_normal(random: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=random, dtype=torch.float64)


def unit_uniform(random: torch.Generator, *shape: int) -> Tensor:
    """Draw from [-sqrt 3, sqrt 3], which has variance 1."""
    entries = torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1
    return entries * math.sqrt(3)


def unit_truncated_normal(random: torch.Generator, *shape: int) -> Tensor:
    """Draw from a bell curve cut at 2 std, scaled so that the variance AFTER the cut is 1."""
    share = torch.rand(shape, generator=random, dtype=torch.float64)
    low = math.erfc(math.sqrt(2)) / 2  # the share of the bell curve below -2
    entries: Tensor = torch.special.ndtri(low + share * (1 - 2 * low))
    return entries / TRUNCATED_STD


def permutations(random: torch.Generator, rows: int, columns: int) -> Tensor:
    """Draw a permutation of 0 .. columns - 1 for each row."""
    return torch.rand((rows, columns), generator=random, dtype=torch.float64).argsort(dim=1)


def orthonormal(random: torch.Generator, rows: int, columns: int) -> Tensor:
    """Draw uniformly from the matrices whose rows or columns, the fewer, are orthonormal.

    Saxe et al. 2014; Mezzadri 2007.
    """
    tall = unit_normal(random, max(rows, columns), min(rows, columns))
    factor, r = torch.linalg.qr(tall)
    q: Tensor = factor * r.diagonal().sign()  # without the signs not uniform
    return q if rows >= columns else q.T
