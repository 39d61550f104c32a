"""Measurements and what follows from them as tidy tables: the only package that names columns.

For notebooks, pandas frames with a row for each network and step (and layer): `curves`, `layers`.
For charts, Arrow tables thinned to what can be drawn, in a fifth of a frame's time. What a
log axis cannot show, zeros and numbers that are not finite, is null in all of them;
`diagnosis.nonfinite` says it in words.
`frames` may import everything but `charts`, `course` and `page`. To add a table, add a function
that lists its columns in its docstring, and export it below.
"""

from stability.frames.arrow import log_axis_limits
from stability.frames.depth import depth_tables, profile_table
from stability.frames.foretold import foretold_tables
from stability.frames.gains import gain_frame, gain_tables
from stability.frames.ladder import ladder_tables, rounding_frame
from stability.frames.learned import fit_tables, region_tables
from stability.frames.map_border import map_border_frame
from stability.frames.maps import cell_frame, cut_tables, map_frame, map_tables
from stability.frames.phase import phase_tables
from stability.frames.pre_activations import pre_activation_tables
from stability.frames.product import bound_tables, exponent_tables, healing_tables, product_tables
from stability.frames.relative import relative_profile
from stability.frames.run_panels import (
    DEPTH_PANELS,
    FORETOLD_PANELS,
    TRAINING_PANELS,
    lead_first,
    panel_heights,
)
from stability.frames.singular import singular_tables
from stability.frames.symmetry import symmetry_frame, symmetry_tables
from stability.frames.tables import cure_frame, layer_frame, norm_frame, step_frame
from stability.frames.tidy import (
    CURVE_QUANTITIES,
    MOST_BINS,
    MOST_LINE_POINTS,
    curves,
    describe_standing,
    layers,
    summary_frame,
    summary_in_words,
)
from stability.frames.training import (
    LOSS_TOP,
    curve_table,
    divergence_marks,
    heat_tables,
    held_out_table,
    training_tables,
)

__all__ = [
    "CURVE_QUANTITIES",
    "DEPTH_PANELS",
    "FORETOLD_PANELS",
    "LOSS_TOP",
    "MOST_BINS",
    "MOST_LINE_POINTS",
    "TRAINING_PANELS",
    "bound_tables",
    "cell_frame",
    "cure_frame",
    "curve_table",
    "curves",
    "cut_tables",
    "depth_tables",
    "describe_standing",
    "divergence_marks",
    "exponent_tables",
    "fit_tables",
    "foretold_tables",
    "gain_frame",
    "gain_tables",
    "healing_tables",
    "heat_tables",
    "held_out_table",
    "ladder_tables",
    "layer_frame",
    "layers",
    "lead_first",
    "log_axis_limits",
    "map_border_frame",
    "map_frame",
    "map_tables",
    "norm_frame",
    "panel_heights",
    "phase_tables",
    "pre_activation_tables",
    "product_tables",
    "profile_table",
    "region_tables",
    "relative_profile",
    "rounding_frame",
    "singular_tables",
    "step_frame",
    "summary_frame",
    "summary_in_words",
    "symmetry_frame",
    "symmetry_tables",
    "training_tables",
]  # fmt: skip
