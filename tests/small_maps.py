"""Small maps, computed in a moment: for the tests of their tables, charts and page."""

from functools import cache

from stability.cells.map_run import MapRun
from stability.records.sweep import Sweep

SMALL_MAP = {
    "bench": "map", "x_cells": "3", "y_cells": "3", "width": "4", "features": "3", "samples": "64",
    "batch": "8", "steps": "4", "y_range": "2,6",
}  # fmt: skip


def small_sweep(**settings) -> Sweep:
    """A map of nine cells, trained for four steps."""
    link = {key: text for key, text in SMALL_MAP.items() if key != "bench"}
    sweep, notes = Sweep.from_query(link)
    assert not notes
    own = sweep.settings()
    for name, value in settings.items():
        own[name] = value
        Sweep.let_followers_go(name, own)
    return Sweep.reconcile(own | settings)[0]


@cache
def computed(sweep: Sweep) -> list:
    """The cells of a map."""
    return list(MapRun(sweep).train().measurements)
