"""The section with the experiment as code: a program of one scheme, and the form for a notebook."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from stability import script
from stability.frames.pinned import Pinned
from stability.i18n import _
from stability.page.pieces import Element, Piece, paragraphs
from stability.page.prose import PROGRAM_NOTE, REPLICATE_NOTE, THREE_LINES_NOTE
from stability.page.take_along import DownloadRow, download
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import View
from stability.text import join_sentences


@lru_cache(maxsize=32)  # a few dozen milliseconds each
def plain_program(e: Experiment, scheme: str) -> str:
    """Return the program of a scheme; where there is none, a comment that says why."""
    try:
        return script.pytorch(e, scheme)
    except ValueError as reason:
        return f"# {reason}\n"


def program_pieces(e: Experiment, view: View) -> list[Piece]:
    """Return what trains all schemes in a notebook, and the program of the chosen one."""
    program = plain_program(e, view.value_shown("code_scheme", e))
    return [
        paragraphs([THREE_LINES_NOTE]),
        code(notebook_lines(e)),
        paragraphs(
            [join_sentences(_(PROGRAM_NOTE), _(REPLICATE_NOTE) if e.replicates > 1 else "")]
        ),
        code(program),
    ]


def notebook_lines(e: Experiment) -> str:
    """Return the lines that train an experiment in a notebook and draw its curves."""
    return (
        "from stability import Experiment, Run, charts\n\n"
        f"run = Run({e!r}).train()\n"
        "charts.training(run)"
    )


def code(text: str) -> Element:
    """Return Python code with its button that copies it; long lines wrap, and nothing scrolls."""
    return Element("code", text, {"language": "python", "wrap_lines": True})


def program_downloads(
    stream: Any, page: Page, pinned: Pinned, address: str
) -> Sequence[DownloadRow]:
    """Return the button that saves the program of the chosen scheme as a file."""
    e = page.experiment
    scheme = page.view.value_shown("code_scheme", e)
    file = f"{scheme}-{e.activation}-{e.depth}x{e.width}.py".replace("_", "-").replace(":", "-")
    return [
        (
            _("The program as a file"),
            [download(_("Download"), file, lambda: plain_program(e, scheme))],
        )
    ]
