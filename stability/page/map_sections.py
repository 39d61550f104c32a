"""The sections of "Look closer" on the Map bench, a row each."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stability import charts, frames
from stability.cells.map_run import MapRun
from stability.frames.pinned import Pinned
from stability.i18n import _
from stability.page.code_section import code
from stability.page.map_session import open_cell
from stability.page.phase_section import phase_pieces
from stability.page.pieces import ButtonTable, Picture, Piece, paragraphs
from stability.page.prose import CELL_LINES_NOTE, CELLS_NOTE, CUT_NOTE, TAKE_NOTE
from stability.page.sections import Section
from stability.page.session import Session
from stability.page.table_headings import map_headings
from stability.page.take_along import (
    DownloadRow,
    describe_settings,
    link_of,
    picture_rows,
    settings_button,
    table_buttons,
)
from stability.records.page import Page
from stability.records.sweep import Sweep
from stability.records.view import View

OPEN = "open"  # the column of buttons


def chosen_cell(sweep: Sweep, view: View) -> tuple[int, int]:
    """Return the column and the row of the cell whose curves are drawn."""
    return view.value_shown("cell_x", sweep), view.value_shown("cell_y", sweep)


def cut_pieces(sweep: Sweep, run: MapRun, view: View, count: int) -> list[Piece]:
    place = chosen_cell(sweep, view)
    tables = frames.cut_tables(sweep, run.measurements[:count], *place)
    return [Picture(charts.cut_spec(sweep, *place), tables), paragraphs([CUT_NOTE])]


def cell_pieces(sweep: Sweep, run: MapRun, view: View, count: int) -> list[Piece]:
    """Return a table of all cells, the lowest row first, and buttons that open each on Train."""
    cells = run.measurements[:count]
    rows = frames.cell_frame(sweep, cells)
    columns, places = rows.pop("column"), rows.pop("row")
    rows.insert(0, OPEN, _("Open"))
    actions = [open_action(f"{x},{y}") for x, y in zip(columns, places, strict=True)]
    return [paragraphs([CELLS_NOTE]), ButtonTable(rows, map_headings(sweep), actions, OPEN)]


def open_action(cell: str) -> Callable[[Session], None]:
    return lambda session: open_cell(session, cell)


def line_pieces(sweep: Sweep, view: View) -> list[Piece]:
    """Return the lines that compute the same map in Python."""
    return [paragraphs([CELL_LINES_NOTE]), code(cell_lines(sweep))]


def cell_lines(sweep: Sweep) -> str:
    """Return the lines that compute a map, print its cells as they come, and draw it."""
    return (
        "from stability import Experiment, Sweep, cells, charts, frames\n\n"
        f"sweep = {sweep!r}\n"
        "found = list(cells.compute(sweep))  # an iterator: cells come coarse to fine\n"
        "frames.map_frame(sweep, found)\n"
        "charts.with_data(charts.map_chart(sweep), frames.map_tables(sweep, found))"
    )


def map_downloads(run: MapRun, page: Page, pinned: Pinned, address: str) -> list[DownloadRow]:
    """Return the buttons for a map: its picture, all its numbers, and its settings."""
    sweep, link = page.sweep, link_of(page, address)

    def picture(panel: str) -> dict[str, Any]:
        tables = frames.map_tables(sweep, run.measurements)
        return charts.as_picture(charts.map_chart(sweep), tables, [describe_settings(page), link])

    name = f"{sweep.x}-{sweep.y}-{sweep.base.activation}".replace("_", "-").replace(".", "-")
    table = partial(frames.map_frame, sweep, run.measurements)
    data = [
        *table_buttons(_("Cells"), table, f"cells-{name}", link),
        settings_button(page, name, link),
    ]
    return [*picture_rows({"map": _("Map")}, picture, name), (_("All numbers"), data)]


def open_chosen_cell(session: Session) -> None:
    """Train the cell whose row and column are drawn."""
    page = session.page
    column, row = chosen_cell(page.sweep, page.view)
    open_cell(session, f"{column},{row}")


MAP_SECTIONS: Mapping[str, Section] = {
    "cut": Section(
        drawn=cut_pieces,
        settings=("cell_x", "cell_y"),
        actions=lambda sweep: {_("Open this cell on Train"): open_chosen_cell},
    ),
    "cells": Section(drawn=cell_pieces),
    "phase": Section(
        static=lambda sweep, view: phase_pieces(sweep.base, view), settings=("phase_quantity",)
    ),
    "take": Section(static=lambda sweep, view: [paragraphs([TAKE_NOTE])], downloads=map_downloads),
    "lines": Section(static=line_pieces),
}
