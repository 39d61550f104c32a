"""All of the above as tidy tables: pandas for people, Arrow for charts; the only place that knows columns.
It may import everything but `charts`, `course` and `page`. To add a table, add a function here that lists its columns
in its docstring, and hand it on below."""

from stability.frames.arrow import limits
from stability.frames.depth import depth_tables, profiles
from stability.frames.gains import gain_frame, gain_tables
from stability.frames.ladder import fates_frame, ladder_tables
from stability.frames.learned import fit_tables, region_tables
from stability.frames.pre_activations import flat_shares, pre_activation_tables
from stability.frames.product import bound_tables, exponent_tables, healing_tables, product_tables
from stability.frames.singular import singular_tables
from stability.frames.symmetry import symmetry_frame, symmetry_tables
from stability.frames.tables import layer_frame, norm_frame, step_frame
from stability.frames.tidy import BINS, POINTS, SCALARS, curves, layers, standing, summary
from stability.frames.training import LOSS_TOP, bands, heat, held_out, marks, training_tables
