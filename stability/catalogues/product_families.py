"""Families of random square matrices, and the growth of their products where known exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stability.catalogues.draws import unit_normal, unit_uniform
from stability.catalogues.entry import Entry, catalogue


def lyapunov_exponents(n: int, sigma: float) -> NDArray[np.float64]:
    """Return ln sigma + (ln 2 + psi((n - i) / 2)) / 2 for i = 0 .. n - 1, `(n,)`, largest first.

    They are the natural logarithms of the stretch of each direction per factor of a long product of
    n x n Gaussian matrices; -inf at sigma 0. Newman 1986. ValueError unless n >= 1 and
    sigma >= 0.
    """
    if n < 1 or not sigma >= 0:
        raise ValueError(f"n must be at least 1 and sigma at least 0, not {n} and {sigma}")
    halves = torch.arange(n, 0, -1, dtype=torch.float64) / 2
    with np.errstate(divide="ignore"):
        exponents = np.log(np.float64(sigma))
        exponents = exponents + (np.log(2) + torch.special.digamma(halves).numpy()) / 2
    return np.asarray(exponents)


def unit_variance_of_log_norm(n: int) -> float:
    """Return Var ln |M x| of a Gaussian matrix and a unit vector x: psi'(n / 2) / 4."""
    return float(torch.special.polygamma(1, torch.tensor(n / 2, dtype=torch.float64))) / 4


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return uniformly distributed orthogonal matrices from Gaussian ones `(..., n, n)`.

    Mezzadri 2007. Sizes are padded to multiples of 4 with ones on the diagonal: LAPACK's last digit
    depends on where in memory a matrix lies, and so on the matrices beside it.
    """
    n = matrices.shape[-1]
    padded = F.pad(matrices, (0, -n % 4, 0, -n % 4))
    padded.diagonal(dim1=-2, dim2=-1)[..., n:] = 1
    q, r = (factor[..., :n, :n] for factor in torch.linalg.qr(padded))
    signs = r.diagonal(dim1=-2, dim2=-1).sign()  # without the signs not uniform
    result: Tensor = (q * signs[..., None, :]).contiguous()
    return result


@dataclass(frozen=True, kw_only=True)
class ProductFamily(Entry):
    """A row: how the factors of a product are drawn.

    `draw(generator, *shape)` returns numbers of variance 1, `purpose` is the purpose of the
    generator, and `make_matrices` turns the numbers into matrices, which takes as long as
    `making_operations(n)` operations. `scale(n)` multiplies sigma. `exponents(n)` are the Lyapunov
    exponents at sigma and scale 1, `variance(n)` is Var ln |M x| for a unit vector x; None where no
    law is known.
    """

    purpose: str
    draw: Callable[..., Tensor]
    make_matrices: Callable[[Tensor], Tensor] = lambda matrices: matrices
    making_operations: Callable[[int], int] = lambda n: 0
    scale: Callable[[int], float] = lambda n: 1.0
    exponents: Callable[[int], NDArray[np.float64]] | None = None
    variance: Callable[[int], float] | None = None

    @property
    def is_gaussian(self) -> bool:
        """True if the entries are independent and normal with one variance."""
        return bool(self.variance and self.variance(1))


PRODUCT_FAMILIES = catalogue(
    ProductFamily(
        key="normal", label="Normal", source="Newman 1986", formula=r"M_{ij} \sim N(0, \sigma^2)",
        purpose="normal", draw=unit_normal,
        exponents=lambda n: lyapunov_exponents(n, 1.0), variance=unit_variance_of_log_norm,
        summary="Every entry from a bell curve of standard deviation sigma: the book's example.",
    ),
    ProductFamily(
        key="uniform", label="Uniform", source="Kesten & Spitzer 1984",
        formula=r"M_{ij} \sim U(-\sqrt 3 \, \sigma, \sqrt 3 \, \sigma)",
        purpose="uniform", draw=unit_uniform,
        summary="Every entry alike between two bounds, with the same standard deviation sigma.",
    ),
    ProductFamily(
        key="orthogonal", label="Orthogonal", source="Saxe et al. 2014",
        formula=r"M = \sigma Q, \quad Q^T Q = I",
        purpose="orthogonal", draw=unit_normal, make_matrices=orthogonalize,
        making_operations=lambda n: 10000 + 1500 * n**2,
        exponents=np.zeros, variance=lambda n: 0.0,
        summary="Rotations and reflections times sigma: every direction is stretched alike.",
    ),
    ProductFamily(
        key="xavier_normal", label="Xavier (normal)", source="Glorot & Bengio 2010",
        formula=r"M_{ij} \sim N(0, \sigma^2 / n)",
        purpose="normal", draw=unit_normal, scale=lambda n: n**-0.5,
        exponents=lambda n: lyapunov_exponents(n, 1.0), variance=unit_variance_of_log_norm,
        summary="A bell curve of variance 2/(n + n): the mean square of a signal is kept at "
        "sigma 1.",
    ),
    ProductFamily(
        key="xavier_uniform", label="Xavier (uniform)", source="Glorot & Bengio 2010",
        formula=r"M_{ij} \sim U(-\sigma \sqrt{3 / n}, \sigma \sqrt{3 / n})",
        purpose="uniform", draw=unit_uniform, scale=lambda n: n**-0.5,
        summary="Alike between two bounds, of variance 2/(n + n): the mean square of a signal is "
        "kept at sigma 1.",
    ),
)  # fmt: skip
