"""All of the above as tidy tables: pandas for people, Arrow for charts; the only place that knows columns.
It may import everything but `charts`, `course` and `page`. To add a table, add a function here that lists its columns
in its docstring, and hand it on below."""

from stability.frames.arrow import log_axis_limits
from stability.frames.depth import depth_tables, profile_table
from stability.frames.gains import gain_frame, gain_tables
from stability.frames.ladder import ladder_tables, rounding_frame
from stability.frames.learned import fit_tables, region_tables
from stability.frames.pre_activations import pre_activation_tables
from stability.frames.product import bound_tables, exponent_tables, healing_tables, product_tables
from stability.frames.singular import singular_tables
from stability.frames.symmetry import symmetry_frame, symmetry_tables
from stability.frames.tables import layer_frame, norm_frame, step_frame
from stability.frames.tidy import (
    CURVE_QUANTITIES,
    MOST_BINS,
    MOST_LINE_POINTS,
    curves,
    describe_standing,
    layers,
    summary_frame,
)
from stability.frames.training import (
    LOSS_TOP,
    curve_table,
    divergence_marks,
    heat_table,
    held_out_table,
    training_tables,
)
