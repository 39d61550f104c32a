"""The parameters by which a chart knows its schemes, and the channels and expressions that use them."""

from collections.abc import Iterable
from typing import Any

import altair as alt

from stability.charts.palette import (
    GREY,
    SCHEME_COLOURS,
    SCHEME_SHAPES,
    SCHEME_SYMBOLS,
    scheme_style_indices,
)
from stability.charts.spec_cache import Filling
from stability.records.experiment import MOST_SCHEMES, Experiment

SCHEME_INDEX = "indexof(schemes, datum.scheme)"
SCHEME_SYMBOL = f"symbols[{SCHEME_INDEX}]"  # the mark of a row's scheme, as text


def scheme_parameters(e: Experiment) -> dict[str, Any]:
    """Return the names, titles, symbols, colours and shapes of the schemes, by parameter."""
    indices = list(scheme_style_indices(e.schemes).values())
    unused = MOST_SCHEMES - len(indices)
    return {
        "schemes": list(e.schemes),
        "symbols": [SCHEME_SYMBOLS[index] for index in indices],
        "colours": [SCHEME_COLOURS[index] for index in indices] + [GREY] * unused,
        "shapes": [SCHEME_SHAPES[index] for index in indices] + [SCHEME_SHAPES[0]] * unused,
    }


def fill_schemes(experiment: Experiment) -> Filling[None]:
    """Return the filling of a chart that differs between experiments by their schemes alone."""
    return Filling(None, scheme_parameters(experiment))


def colour() -> alt.Color:
    """The colour of a row's scheme. No legend: the page has one, and `with_data` adds one."""
    return alt.Color("scheme:N", scale=style_scale("colours"), legend=None)


def shape() -> alt.Shape:
    """The mark of a row's scheme, without a legend as its colour."""
    return alt.Shape("scheme:N", scale=style_scale("shapes"), legend=None)


def style_scale(parameter: str) -> alt.Scale:
    """The scale from schemes to the entries of a parameter."""
    entries = [alt.ExprRef(f"{parameter}[{index}]") for index in range(MOST_SCHEMES)]
    return alt.Scale(domain=alt.ExprRef("schemes"), range=entries)


def first_that_holds(cases: Iterable[tuple[str, str]], otherwise: str) -> str:
    """Return the expression that is the value of the first `(test, value)` whose test holds."""
    return "".join(f"{test} ? {value} : " for test, value in cases) + otherwise
