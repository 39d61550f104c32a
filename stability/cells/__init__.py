"""An experiment many times over: groups of cells that train together, here or on a Dask cluster.

What becomes of a cell is kept on disk, so that equal cells are never trained twice. A file here
may import all but the packages that show something. To add a quantity of cells, add its row to
`stability/records/map_quantities.py`.
"""

from stability.cells.cell import Cell
from stability.cells.computation import compute
from stability.cells.groups import Group, groups_of, train_group
from stability.cells.outcome import Outcome

__all__ = ["Cell", "Group", "Outcome", "compute", "groups_of", "train_group"]
