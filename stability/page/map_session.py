"""How a visitor comes to a map, stops it, and goes on from one of its cells to the Train bench."""

from dataclasses import replace

from stability.catalogues.schemes import parse_scheme
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.sweep import Sweep
from stability.records.sweep_axis import SCHEME_VALUE
from stability.records.view import View


def open_map(session: Session) -> None:
    """Map the settings that are trained now; what is set on the other benches stays."""
    page = session.page.with_record(sweep_around(session.page.experiment, session.page.sweep))
    view = View(bench="map", view=session.page.view.view)
    session.show_page(replace(page, view=view), chosen=session.chosen_schemes)


def sweep_around(e: Experiment, before: Sweep) -> Sweep:
    """Return a map of an experiment's settings over depth and, where the first of its schemes has
    one, the value of that scheme; else over depth and the learning rate.

    The numbers of cells, of steps and the quantity are those of the map `before`.
    """
    scheme = next((key for key in e.schemes if parse_scheme(key).value is not None), e.schemes[0])
    has_value = parse_scheme(scheme).value is not None
    usual = {"x_range": (), "y_range": (), "x_axis": "", "y_axis": ""}
    axes = {"x": SCHEME_VALUE if has_value else "learning_rate", "y": "depth"}
    of_base = e.settings() | {"schemes": (scheme,), "steps": min(e.steps, before.base.steps)}
    return Sweep.reconcile(before.settings() | of_base | axes | usual)[0]


def open_cell(session: Session, cell: str) -> None:
    """Train a cell of the map, named as in `3,7`, beside its neighbours."""
    column, row = map(int, cell.split(","))
    sweep = session.page.sweep
    if column < len(sweep.x_values) and row < len(sweep.y_values):
        session.open_on_train(*cell_beside_neighbours(sweep, column, row))


def cell_beside_neighbours(
    sweep: Sweep, column: int, row: int
) -> tuple[Experiment, tuple[Experiment, ...]]:
    """Return the experiment of a cell and its pins.

    Along an axis of values of the initialization the neighbours are schemes beside it; else those
    to the left and to the right are pinned.
    """
    cell = sweep.experiment_at(sweep.x_values[column], sweep.y_values[row])
    upward = sweep.y == SCHEME_VALUE
    if upward:
        near = [
            sweep.experiment_at(cell_x, y)
            for cell_x in [sweep.x_values[column]]
            for y in neighbours(sweep.y_values, row)
        ]
    else:
        near = [
            sweep.experiment_at(x, sweep.y_values[row]) for x in neighbours(sweep.x_values, column)
        ]
    if SCHEME_VALUE in (sweep.x, sweep.y):
        return replace(cell, schemes=tuple(one.schemes[0] for one in near)), ()
    return cell, tuple(one for one in near if one != cell)


def neighbours(values: tuple[float, ...], place: int) -> tuple[float, ...]:
    """Return the value at a place and those before and after it."""
    return values[max(0, place - 1) : place + 2]


def cancel_map(session: Session) -> None:
    """Stop computing the map for this visitor; what is computed stays."""
    session.cancelled = session.page.sweep.with_any_quantity()


def resume_map(session: Session) -> None:
    """Go on computing the map."""
    session.cancelled = None


def is_cancelled(session: Session) -> bool:
    """Return True if this visitor has stopped the computing of the map that is open."""
    record = session.page.record
    return isinstance(record, Sweep) and session.cancelled == record.with_any_quantity()
