"""The settings of the Product bench: how many random matrices are multiplied, and of which kind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stability.catalogues.product_families import PRODUCT_FAMILIES, ProductFamily
from stability.i18n import N_
from stability.records.knobs import Choice, Integer, Real, setting
from stability.records.record import Record


@dataclass(frozen=True, repr=False)
class Product(Record):
    """A product of `count` + 1 random n x n matrices, drawn `replicates` times."""

    noun: ClassVar[str] = N_("a product of matrices")
    unit: ClassVar[str] = N_("factor")

    # fmt: off
    n: int = setting(4, Integer, "Product", "Size",
        "The number n of rows and columns of every matrix. Large matrices differ less from one "
        "another.", low=1, high=256, log=True, main=True)
    sigma: float = setting(1.0, Real, "Product", "Sigma",
        "The standard deviation of the entries; for orthogonal and Xavier matrices a gain, "
        "1 being their own size. Above a critical value products grow, below it they shrink.",
        low=0, high=10, steps=((2, 0.01), (10, 0.1)), main=True)
    count: int = setting(100, Integer, "Product", "Further factors",
        "The number of matrices that the first one is multiplied by, one after another: the depth "
        "of a linear network.",
        low=1, high=1000, log=True, main=True)
    family: str = setting("normal", Choice, "Product", "Matrices",
        "The distribution from which each factor is drawn.", rows=PRODUCT_FAMILIES, main=True)
    replicates: int = setting(200, Integer, "Product", "Replicates",
        "The number of products that are drawn: the line is their median, nine of ten lie in the "
        "band; of fewer than 20 all do.",
        low=1, high=1000, log=True, main=True)
    seed: int = setting(0, Integer, "Product", "Seed",
        "The number from which all random numbers follow: the same seed draws the same matrices.",
        low=0, high=2**31 - 1, main=True)
    # fmt: on

    @property
    def length(self) -> int:
        return self.count

    @property
    def family_row(self) -> ProductFamily:
        return PRODUCT_FAMILIES[self.family]

    @property
    def scale(self) -> float:
        """The factor on unit matrices: the std of the entries, or the gain of an orthogonal one."""
        return self.sigma * self.family_row.scale(self.n)

    @property
    def log10_scale(self) -> float:
        """log10 of `scale`; -inf at sigma 0."""
        with np.errstate(divide="ignore"):
            return float(np.log10(self.sigma) + np.log10(self.family_row.scale(self.n)))

    def log10_norms(self) -> NDArray[np.float64]:
        """Return log10 of the Frobenius norms, `(replicates, count + 1)`.

        Index 0 is the first matrix, index k the product after k further factors.
        """
        from stability.engine.products import log10_norms_by_factor  # not at the top: a cycle

        return np.stack(list(log10_norms_by_factor(self)), axis=1)
