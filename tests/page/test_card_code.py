"""The code behind the cards: for every scheme, and for what is offered on the card."""

import ast

import pytest
from test_renderer import E, renderer_of

from stability.catalogues.schemes import SCHEMES
from stability.diagnosis.pytorch_lines import scheme_lines
from stability.page.card_code import scheme_code, titled_code
from stability.page.cards import waiting_html
from stability.page.pieces import Cards, Slot
from stability.page.prose import STARTING
from stability.records.experiment import Experiment


def code_of(text: str) -> str:
    """The code of a Markdown text, block after block."""
    return "\n".join(text.split("```python\n")[1:]).replace("```", "")


def drawn_code(log: list[tuple[str, str]]) -> list[str]:
    """The places in which code was drawn, one after another."""
    return [place for place, kind in log if kind == "markdown" and place.endswith("popover/empty")]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_code_of_a_card_is_that_of_its_scheme(scheme):
    e = Experiment(activation="tanh", residual=True, schemes=scheme)
    text = scheme_code(e, scheme)
    assert text.startswith(SCHEMES[scheme].label.partition(" (")[0])
    assert code_of(text).strip() == scheme_lines(e, scheme)
    assert ast.parse(code_of(text)).body


def test_there_is_no_title_without_lines():
    assert titled_code("Try noise 0.5", "") == ""


def test_a_card_has_the_code_of_its_scheme_and_later_of_its_remedy():
    renderer, log = renderer_of()
    waiting = Cards((waiting_html(*STARTING),))
    renderer._draw(Slot.CARDS, waiting)
    assert "popover" not in [kind for _, kind in log], "nothing to open before the first step"
    renderer.draw(E.steps + 1, at_rest=True)
    assert [kind for _, kind in log].count("popover") == len(E.schemes)
    offered = [button for button in renderer._remedies if button.code]
    assert offered
    first = drawn_code(log)
    assert len(first) == 2 * len(E.schemes), "once at first, once with the remedies"
    renderer.draw(E.steps + 1, at_rest=True)
    assert drawn_code(log) == first
