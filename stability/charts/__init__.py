"""Charts: the only place that imports Altair. A chart is built once for its kind, on named data and
with scales that data do not disturb; the page sends it and Arrow tables after, and a notebook asks
for `training(run)` or `depth(run)`, or completes any chart by `with_data`. It may import `frames`
and everything beneath. To add a chart, add a file with a `chart_and_spec` and hand it on below."""

from stability.charts.curves import training_chart, training_spec
from stability.charts.gains import gains_chart, gains_spec
from stability.charts.interaction import enlarge
from stability.charts.ladder import ladder_chart, ladder_spec
from stability.charts.learned import fit_chart, fit_spec, region_chart, region_spec
from stability.charts.maps import cut_chart, cut_spec, map_chart, map_spec
from stability.charts.notebook import depth, training, with_data
from stability.charts.phase import phase_chart, phase_spec
from stability.charts.picture_file import as_picture, spec_as_picture
from stability.charts.pre_activations import pre_activation_chart, pre_activation_spec
from stability.charts.product import (
    bound_chart,
    bound_spec,
    exponent_chart,
    exponent_spec,
    healing_chart,
    healing_spec,
    product_chart,
    product_spec,
)
from stability.charts.profiles import depth_chart, depth_spec
from stability.charts.singular import singular_chart, singular_spec
from stability.charts.symmetry import symmetry_chart, symmetry_spec

__all__ = [
    "as_picture", "bound_chart", "bound_spec", "cut_chart", "cut_spec", "depth", "depth_chart",
    "depth_spec", "enlarge", "exponent_chart", "exponent_spec", "fit_chart", "fit_spec",
    "gains_chart", "gains_spec", "healing_chart", "healing_spec", "ladder_chart", "ladder_spec",
    "map_chart", "map_spec", "phase_chart", "phase_spec", "pre_activation_chart",
    "pre_activation_spec", "product_chart", "product_spec", "region_chart", "region_spec",
    "singular_chart", "singular_spec", "spec_as_picture", "symmetry_chart", "symmetry_spec",
    "training", "training_chart", "training_spec", "with_data",
]  # fmt: skip
