"""The Product bench: products of random matrices, and what happens to their norm.

P_0 = M_0 is the first matrix and P_k = M_k P_{k-1}, as the layers of a linear network act on its input. A product is kept at
norm 1 beside the logarithm of its norm, and the size of the entries enters as a logarithm too: nothing overflows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stability.catalogues.draws import unit_uniform
from stability.catalogues.entry import Entry, catalogue
from stability.randomness import generator
from stability.records import knobs
from stability.records.knobs import Choice, Integer, Real, setting

NUMBERS_PER_GROUP = 2**20  # numbers that are drawn at once: they stay in the cache, and memory does not grow with the replicates


def normal(random: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=random, dtype=torch.float64)


def orthogonal(matrices: Tensor) -> Tensor:
    """Orthogonal matrices, uniform over all such, from Gaussian ones `(..., n, n)`. Mezzadri 2007.

    Sizes are filled up to multiples of 4 with ones on the diagonal: LAPACK's last digit depends on where in memory a matrix
    lies, and so on its neighbours.
    """
    n = matrices.shape[-1]
    full = F.pad(matrices, (0, -n % 4, 0, -n % 4))
    full.diagonal(dim1=-2, dim2=-1)[..., n:] = 1
    q, r = (part[..., :n, :n] for part in torch.linalg.qr(full))
    return (q * r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]).contiguous()  # without signs it is not uniform


def lyapunov_exponents(n: int, sigma: float) -> np.ndarray:
    """Natural logarithms, largest first, `(n,)`: ln sigma + (ln 2 + psi((n - i) / 2)) / 2 for i = 0 .. n - 1.

    By how much a long product of n x n Gaussian matrices stretches each direction, a factor. Newman 1986; -inf at sigma 0.
    ValueError unless n >= 1 and sigma >= 0.
    """
    if n < 1 or not sigma >= 0:
        raise ValueError(f"n must be at least 1 and sigma at least 0, not {n} and {sigma}")
    halves = torch.arange(n, 0, -1, dtype=torch.float64) / 2
    with np.errstate(divide="ignore"):
        return np.log(np.float64(sigma)) + (np.log(2) + torch.special.digamma(halves).numpy()) / 2


@dataclass(frozen=True, kw_only=True)
class ProductFamily(Entry):
    """A row: `draw` fills a shape with numbers of variance 1 (`noise` is their purpose), and `made` turns it into matrices.

    `making(n)` is the operations in whose time `made` makes one, `scale(n)` what sigma is multiplied by. `exponents(n)` are the
    Lyapunov exponents without that scale, `variance(n)` is Var ln |M x| for a unit vector x; None where no law is known.
    """

    noise: str
    draw: Callable[..., Tensor]
    make_matrices: Callable[[Tensor], Tensor] = lambda matrices: matrices
    making_operations: Callable[[int], int] = lambda n: 0
    scale: Callable[[int], float] = lambda n: 1.0
    exponents: Callable[[int], np.ndarray] | None = None
    variance: Callable[[int], float] | None = None

    @property
    def is_gaussian(self) -> bool:
        """Whether the entries are independent draws from one bell curve."""
        return bool(self.variance and self.variance(1))


GAUSSIAN = {
    "noise": "normal", "draw": normal, "exponents": lambda n: lyapunov_exponents(n, 1.0),
    "variance": lambda n: float(torch.special.polygamma(1, torch.tensor(n / 2, dtype=torch.float64))) / 4,
}  # fmt: skip
PRODUCT_FAMILIES = catalogue(
    ProductFamily(
        key="normal", label="Normal", source="Newman 1986", formula=r"M_{ij} \sim N(0, \sigma^2)", **GAUSSIAN,
        summary="Every entry from a bell curve of standard deviation sigma: the book's example.",
    ),
    ProductFamily(
        key="uniform", label="Uniform", source="Kesten & Spitzer 1984", noise="uniform", draw=unit_uniform,
        formula=r"M_{ij} \sim U(-\sqrt 3 \, \sigma, \sqrt 3 \, \sigma)",
        summary="Every entry alike between two bounds, with the same standard deviation sigma.",
    ),
    ProductFamily(
        key="orthogonal", label="Orthogonal", source="Saxe et al. 2014", formula=r"M = \sigma Q, \quad Q^T Q = I",
        noise="orthogonal", draw=normal, make_matrices=orthogonal, making_operations=lambda n: 10000 + 1500 * n**2,
        exponents=np.zeros, variance=lambda n: 0.0,
        summary="Rotations and reflections times sigma: every direction is stretched alike.",
    ),
    ProductFamily(
        key="xavier_normal", label="Xavier (normal)", source="Glorot & Bengio 2010", formula=r"M_{ij} \sim N(0, \sigma^2 / n)",
        scale=lambda n: n**-0.5, **GAUSSIAN,
        summary="A bell curve of variance 2/(n + n): the mean square of a signal is kept at sigma 1.",
    ),
    ProductFamily(
        key="xavier_uniform", label="Xavier (uniform)", source="Glorot & Bengio 2010", noise="uniform", draw=unit_uniform,
        formula=r"M_{ij} \sim U(-\sigma \sqrt{3 / n}, \sigma \sqrt{3 / n})", scale=lambda n: n**-0.5,
        summary="Alike between two bounds, of variance 2/(n + n): the mean square of a signal is kept at sigma 1.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Product:
    """A product of `count` + 1 random n x n matrices, drawn `replicates` times. Every field is a knob."""

    # fmt: off
    n: int = setting(4, Integer, "Product", "Size", "Rows and columns of every matrix.", low=1, high=256, log=True, main=True)
    sigma: float = setting(1.0, Real, "Product", "Sigma",
        "Standard deviation of the entries; for orthogonal and Xavier matrices a gain, 1 being their own size.",
        low=0, high=10, main=True)
    count: int = setting(100, Integer, "Product", "Further factors",
        "How many matrices the first one is multiplied by, one after another.", low=1, high=1000, log=True, main=True)
    family: str = setting("normal", Choice, "Product", "Matrices", "How each factor is drawn.", rows=PRODUCT_FAMILIES, main=True)
    replicates: int = setting(200, Integer, "Product", "Replicates",
        "How many products are drawn: the line is their median, nine of ten lie in the band.", low=1, high=1000, log=True,
        main=True)
    seed: int = setting(0, Integer, "Product", "Seed",
        "Fixes every random number: the same seed draws the same matrices.", low=0, high=2**31 - 1, main=True)
    # fmt: on

    def __post_init__(self):
        knobs.check_settings(self)

    def to_query(self) -> dict[str, str]:
        """The settings that differ from the defaults, as the text of a link, with its version `v`."""
        return knobs.to_query(self)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple["Product", list[str]]:
        """Reads any link. Returns the product, and one sentence for each key that could not be taken as it was."""
        return knobs.from_query(cls, query)

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> knobs.Disagreements:
        yield from ()

    @property
    def family_row(self) -> ProductFamily:
        return PRODUCT_FAMILIES[self.family]

    @property
    def scale(self) -> float:
        """What a matrix of unit noise is multiplied by: the standard deviation of the entries, or an orthogonal one's gain."""
        return self.sigma * self.family_row.scale(self.n)

    @property
    def log10_scale(self) -> float:
        """-inf at sigma 0."""
        with np.errstate(divide="ignore"):
            return float(np.log10(self.sigma) + np.log10(self.family_row.scale(self.n)))

    def log10_norms(self) -> np.ndarray:
        """log10 of the Frobenius norm, `(replicates, count + 1)`: index 0 is the first matrix, k after k further factors."""
        return np.stack(list(log10_norms_by_factor(self)), axis=1)


def log10_norms_by_factor(product: Product) -> Iterator[np.ndarray]:
    """log10 of the Frobenius norms `(replicates,)`, of the first matrix and after each further factor; -inf for 0."""
    for parts in zip(*(powers(product, group) for group in replicate_groups(product)), strict=True):
        yield np.concatenate(parts)


def replicate_groups(product: Product) -> list[range]:
    """The replicates in parts that are multiplied together."""
    size = max(1, NUMBERS_PER_GROUP // numbers_per_draw(product.n))
    return [range(start, min(start + size, product.replicates)) for start in range(0, product.replicates, size)]


def powers(product: Product, replicates: range) -> Iterator[np.ndarray]:
    """log10 of the norms of these replicates."""
    for _, power in unit_products(product, replicates):
        yield power.numpy()


def unit_products(product: Product, replicates: range) -> Iterator[tuple[Tensor, Tensor]]:
    """Each product at Frobenius norm 1 `(replicates, n, n)`, and log10 of its norm `(replicates,)`, in float64.

    A product of norm 0 stays 0. Memory is that of two matrices a replicate, or of one draw where they are small.
    """
    stream = factor_matrices(product, replicates)
    unit, power = normalize_matrices(next(stream))
    yield unit, power + product.log10_scale
    for k in range(1, product.count + 1):
        unit, grown = normalize_matrices(torch.bmm(next(stream), unit))
        power = power + grown
        yield unit, power + (k + 1) * product.log10_scale


def normalize_matrices(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices `(R, n, n)` divided by their norms, and log10 of those `(R,)`."""
    norm = torch.linalg.vector_norm(matrices, dim=(1, 2))
    return matrices / torch.where(norm > 0, norm, 1)[:, None, None], norm.log10()


def numbers_per_draw(n: int) -> int:
    """About how many numbers one call of a generator draws: 64 factors, or 4096 numbers, or one factor."""
    return max(n**2, min(64 * n**2, 2**12))


def factor_matrices(product: Product, replicates: range) -> Iterator[Tensor]:
    """One factor after another, at scale 1, `(replicates, n, n)`, without an end; one generator for each replicate."""
    row, n = product.family_row, product.n
    shape = numbers_per_draw(n) // n**2, n, n  # by n alone, so that no other setting moves a number
    sources = [generator(product.seed, row.noise, replicate) for replicate in replicates]
    while True:
        yield from row.make_matrices(torch.stack([row.draw(random, *shape) for random in sources], dim=1))


@dataclass(frozen=True)
class ScientificMatrix:
    """A matrix as `mantissa` x 10^power, `(n, n)`: its largest entry has one digit before the point."""

    mantissa: np.ndarray
    power: int


@dataclass(frozen=True)
class EndMatrices:
    """The first replicate's first matrix, and the product after all further factors."""

    first: ScientificMatrix
    last: ScientificMatrix


def end_matrices(product: Product) -> EndMatrices:
    """As much work as one replicate of `multiplied`; what is asked again is remembered."""
    return ends(replace(product, replicates=1))


@lru_cache(maxsize=32)
def ends(product: Product) -> EndMatrices:
    first = last = None
    for found in unit_products(product, range(1)):
        first, last = first or found, found
    return EndMatrices(scientific_matrix(*first), scientific_matrix(*last))


def scientific_matrix(unit: Tensor, power: Tensor) -> ScientificMatrix:
    """A matrix `(1, n, n)` with log10 of its size `(1,)`."""
    matrix, power = unit[0].numpy(), float(power)
    largest = np.abs(matrix).max()
    if not largest or power == -np.inf:
        return ScientificMatrix(np.zeros_like(matrix), 0)
    exponent = power + np.log10(largest)
    whole = int(np.floor(exponent))
    return ScientificMatrix(matrix / largest * 10 ** (exponent - whole), whole)
