"""Everything that can be chosen, one row each: activations, normalizations, number formats,
optimizers, schedules, data sets and schemes, with the mathematics of one activation that a row
needs (Gaussian moments, mean field). It may import only the leaves `text` and `randomness`. To add
a choice, add a row to the file of its catalogue."""

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import FORMATS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES

__all__ = ["ACTIVATIONS", "DATASETS", "FORMATS", "NORMALIZATIONS", "OPTIMIZERS", "SCHEMES"]
