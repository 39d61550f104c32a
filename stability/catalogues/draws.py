"""What a scheme is given: a layer, and random matrices of unit size that every scheme scales."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stability.catalogues.activations import Activation
from stability.randomness import generator


@dataclass(frozen=True)
class Layer:
    """What a scheme may know of a layer: `index` runs from 1 to `depth`."""

    index: int
    depth: int
    fan_in: int
    fan_out: int
    activation: Activation
    bias_std: float
    residual: bool

    @property
    def is_end(self) -> bool:
        return self.index in (1, self.depth)


@dataclass(frozen=True)
class Draws:
    """Random matrices `(fan_out, fan_in)` of unit size in float64, the same whatever scheme scales them."""

    seed: int
    replicate: int
    layer: Layer

    def generator_for(self, purpose: str) -> torch.Generator:
        return generator(self.seed, purpose, self.replicate, self.layer.index)

    @cached_property
    def shape(self) -> tuple[int, int]:
        return self.layer.fan_out, self.layer.fan_in

    @cached_property
    def normal(self) -> Tensor:
        return torch.randn(self.shape, generator=self.generator_for("normal"), dtype=torch.float64)

    @cached_property
    def uniform(self) -> Tensor:
        """Variance 1: uniform on [-sqrt 3, sqrt 3]."""
        return unit_uniform(self.generator_for("uniform"), *self.shape)

    @cached_property
    def truncated_normal(self) -> Tensor:
        """Variance 1 AFTER the cut at 2 standard deviations of the bell curve it is cut from."""
        share = torch.rand(self.shape, generator=self.generator_for("truncated_normal"), dtype=torch.float64)
        low = math.erfc(math.sqrt(2)) / 2  # of the bell curve below -2
        return torch.special.ndtri(low + share * (1 - 2 * low)) / TRUNCATED_STD

    @cached_property
    def sparse_order(self) -> Tensor:
        """For each unit its incoming weights in a random order."""
        return torch.rand(self.shape, generator=self.generator_for("sparse"), dtype=torch.float64).argsort(dim=1)

    @cached_property
    def orthogonal(self) -> Tensor:
        """Orthonormal rows or columns, whichever are fewer, uniform over all such (Saxe et al. 2014; Mezzadri 2007)."""
        rows, columns = self.shape
        tall = torch.randn(max(rows, columns), min(rows, columns), generator=self.generator_for("orthogonal"), dtype=torch.float64)
        q, r = torch.linalg.qr(tall)
        q = q * r.diagonal().sign()  # without it the distribution is not uniform
        return q if rows >= columns else q.T

    @cached_property
    def normal_bias(self) -> Tensor:
        return torch.randn(self.layer.fan_out, generator=self.generator_for("biases"), dtype=torch.float64)

    @cached_property
    def uniform_bias(self) -> Tensor:
        return unit_uniform(self.generator_for("biases"), self.layer.fan_out)


TRUNCATED_STD = math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))  # of N(0, 1) cut at 2


def unit_uniform(random: torch.Generator, *shape: int) -> Tensor:
    return (torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1) * math.sqrt(3)
