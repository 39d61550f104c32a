"""One chart for all experiments of a kind, built once; all other differences are parameters.

Altair takes a tenth of a second to build a chart. Filling in the values of parameters takes no
time, so nobody waits for a chart while moving a control. Each language has charts of its own.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import altair as alt
from altair.utils.schemapi import debug_mode

from stability.i18n import cache_by_language, language

Asked = ParamSpec("Asked")
Kind = TypeVar("Kind", bound=Hashable)
Spec = dict[str, Any]

BUILDING = threading.Lock()  # thirty visitors of one link wait for one chart and build no other


@dataclass(frozen=True)
class Filling(Generic[Kind]):
    """The values that turn the chart of a kind into that of one experiment."""

    kind: Kind  # decides which panels and marks there are
    parameters: Mapping[str, Any]
    description: str = ""  # for screen readers, where it is not the same for all of a kind


def chart_and_spec(
    build: Callable[[Kind], alt.VConcatChart],
    fill: Callable[Asked, Filling[Kind]],
    finish: Callable[[Spec], Spec] = dict,
) -> tuple[Callable[Asked, alt.VConcatChart], Callable[Asked, Spec]]:
    """Return two functions of what `fill` takes: one returns a chart, the other its spec.

    The chart is built anew by `build`, without data: `with_data` completes it. The spec, a
    Vega-Lite dict to be sent many times and never changed, is built once a kind; `finish` changes
    it for the page.
    """
    specs: dict[tuple[str, Kind], Spec] = {}  # by language and kind

    def chart(*args: Asked.args, **kwargs: Asked.kwargs) -> alt.VConcatChart:
        filling = fill(*args, **kwargs)
        with BUILDING, debug_mode(False):  # a chart is validated where it becomes a dict
            chart = build(filling.kind)
        chart["params"] += variable_parameters(filling.parameters)
        if filling.description:
            chart.description = filling.description
        return chart

    @cache_by_language(maxsize=64)  # asked for at each draw
    def spec(*args: Asked.args, **kwargs: Asked.kwargs) -> Spec:
        filling = fill(*args, **kwargs)
        key = language.get(), filling.kind
        with BUILDING, debug_mode(False):
            if key not in specs:
                # Tests validate every chart; here that would take most of the time.
                specs[key] = finish(build(filling.kind).to_dict(validate=False))
        values = [{"name": name, "value": value} for name, value in filling.parameters.items()]
        spec = specs[key] | {"params": [*specs[key].get("params", ()), *values]}
        return spec | ({"description": filling.description} if filling.description else {})

    return chart, spec


def variable_parameters(values: Mapping[str, Any]) -> list[alt.VariableParameter]:
    """Return parameters of a chart with these values."""
    return [alt.VariableParameter(name=name, value=value) for name, value in values.items()]


def expression_parameters(expressions: Mapping[str, str]) -> list[alt.VariableParameter]:
    """Return parameters of a chart that follow from others, by these expressions."""
    return [alt.VariableParameter(name=name, expr=expr) for name, expr in expressions.items()]
