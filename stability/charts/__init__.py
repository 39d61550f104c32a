"""What a chart is: the only place that imports Altair.

A chart is built once for an experiment, on named data and with scales that data do not disturb; the page sends it once
and Arrow tables after, a notebook completes it by `with_data`.
"""

from stability.charts.depth import depth_chart, depth_spec
from stability.charts.parts import AXIS_WIDTH, with_data
from stability.charts.singular import singular_chart, singular_spec
from stability.charts.training import training_chart, training_spec
