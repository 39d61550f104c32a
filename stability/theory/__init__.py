"""Predictions before training: signals by mean field, overflow, and the law of products.
It may import `engine` and everything beneath it, but neither `diagnosis` nor `probes`. To add a
prediction, add a function that fills the fields of a measurement."""

from stability.catalogues.mean_field import critical_sigma_w2, fixed_point
from stability.catalogues.product_families import lyapunov_exponents
from stability.theory.overflow import leaving
