"""Measurements as tidy frames: the only place that knows columns.

For notebooks, pandas frames with a row for each network, step (and layer): `curves`, `layers`. For the charts, Arrow
tables thinned to what can be drawn, a fifth of the price of a frame. What a log axis cannot show, zeros and numbers that
are not finite, is null in all of them; `stability.remarks` says it in words.
"""

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
