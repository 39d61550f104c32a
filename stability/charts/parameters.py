"""What a training or depth chart is given with an experiment: parameters. So one chart serves all of its kind, built once,
whatever is changed: Altair takes a third of a second for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import altair as alt

from stability.charts.palette import SCHEME_COLOURS, GREY, SCHEME_SHAPES, SCHEME_SYMBOLS, scheme_style_indices
from stability.charts.panels import reach
from stability.records.experiment import MOST_SCHEMES, Experiment

PLACE = "indexof(schemes, datum.scheme)"
NOTHING: Mapping[str, Any] = MappingProxyType({})
SYMBOL = f"symbols[{PLACE}]"  # the mark of a row's scheme, as text


@dataclass(frozen=True)
class Kind:
    """What a chart is made of: a regression has no accuracy, one replicate no range, plain training no loss scale."""

    classes: bool
    ranges: bool
    scaled: bool
    pinned: bool


def kind_of(e: Experiment, pins: tuple[Experiment, ...]) -> Kind:
    return Kind(e.dataset_row.classes is not None, e.replicates > 1, e.number_format.scales_loss, bool(pins))


def given(e: Experiment, pins: tuple[Experiment, ...], along: str) -> dict[str, Any]:
    """The parameters of a chart whose panels run along the "step" or the "layer"; the pins stand behind."""
    looks = list(scheme_style_indices(e.schemes).values())
    return {
        "along": along,
        "reach": list(reach((e, *pins), along)),
        "depth": e.depth,
        "steps": e.steps,
        "guessing": e.dataset_row.guessing_loss,
        "schemes": list(e.schemes),
        "symbols": [SCHEME_SYMBOLS[index] for index in looks],
        "colours": [SCHEME_COLOURS[index] for index in looks] + [GREY] * (MOST_SCHEMES - len(looks)),
        "shapes": [SCHEME_SHAPES[index] for index in looks] + [SCHEME_SHAPES[0]] * (MOST_SCHEMES - len(looks)),
    }


def parameters(values: Mapping[str, Any]) -> list[alt.VariableParameter]:
    return [alt.VariableParameter(name=name, value=value) for name, value in values.items()]


def filled(spec: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A built spec with the parameters that it was built without."""
    return spec | {"params": spec["params"] + [{"name": name, "value": value} for name, value in values.items()]}


def colour() -> alt.Color:
    """No legend: the page has one, and `with_data` adds one for a chart on its own."""
    return alt.Color("scheme", type="nominal", scale=scale("colours"), legend=None)


def shape() -> alt.Shape:
    return alt.Shape("scheme", type="nominal", scale=scale("shapes"), legend=None)


def scale(looks: str) -> alt.Scale:
    return alt.Scale(domain=alt.ExprRef("schemes"), range=[alt.ExprRef(f"{looks}[{index}]") for index in range(MOST_SCHEMES)])


def zoomed() -> alt.Scale:
    """From one end of the reach to the other, or what was zoomed into; the same in all panels."""
    return alt.Scale(domain=[alt.ExprRef(f"zoom ? zoom[{end}] : reach[{end}]") for end in (0, 1)], nice=False)
