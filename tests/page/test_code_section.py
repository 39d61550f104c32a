"""The experiment as code, on the page: what it shows runs, and is that of the chosen scheme."""

from dataclasses import replace

import altair as alt
import pytest

from stability import script
from stability.page.code_section import notebook_lines, program_downloads, program_pieces
from stability.page.prose import REPLICATE_NOTE
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import View

E = Experiment(schemes=("he_normal", "normal:1"), depth=3, width=4, samples=64, batch=8, steps=5)
FILES = {"he_normal": "he-normal-relu-3x4.py", "normal:1": "normal-1-relu-3x4.py"}


def shown(view: View) -> list[str]:
    """The code that the section shows."""
    pieces = program_pieces(E, view)
    assert [piece.method for piece in pieces] == ["html", "code"] * 2
    return [piece.content for piece in pieces if piece.method == "code"]


@pytest.mark.parametrize(
    ("chosen", "scheme"), [("", "he_normal"), ("normal:1", "normal:1"), ("zeros", "he_normal")]
)
def test_the_program_is_that_of_the_chosen_scheme_else_of_the_first(chosen, scheme):
    view = View(section="code", code_scheme=chosen)
    assert shown(view)[1] == script.pytorch(E, scheme)
    ((_, (button,)),) = program_downloads(None, Page(experiment=E, view=view), {}, "")
    assert button.options["data"]() == script.pytorch(E, scheme)
    assert button.options["file_name"] == f"{scheme}-relu-3x4.py".replace("_", "-").replace(
        ":", "-"
    )


def test_the_lines_for_a_notebook_train_the_experiment_of_the_page_and_draw_it():
    names: dict = {}
    lines = notebook_lines(E)
    *before, last = lines.splitlines()
    exec("\n".join(before), names)
    assert names["run"].experiment == E
    assert names["run"].finished
    assert isinstance(eval(last, names), alt.VConcatChart)
    assert lines == shown(View())[0]
    assert "Run(Experiment()).train()" in notebook_lines(Experiment())


def test_of_several_replicates_the_program_is_the_first_and_says_so():
    several, one = (
        program_pieces(replace(E, replicates=count), View(section="code")) for count in (2, 1)
    )
    assert REPLICATE_NOTE in several[2].content
    assert REPLICATE_NOTE not in one[2].content
    assert several[3] == one[3]
