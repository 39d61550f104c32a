"""One chart for all experiments of a kind, built once: what else differs is a parameter's value.

Altair takes a tenth of a second to build a chart. Values of parameters are filled in for nothing,
so nobody waits for a chart while moving a control.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import altair as alt
from altair.utils.schemapi import debug_mode

Asked = ParamSpec("Asked")
Kind = TypeVar("Kind", bound=Hashable)
Spec = dict[str, Any]

BUILDING = threading.Lock()  # thirty visitors of one link wait for one chart, none builds his own


@dataclass(frozen=True)
class Filling(Generic[Kind]):
    """The values that make a template one experiment's chart."""

    kind: Kind  # decides which panels and marks there are
    parameters: Mapping[str, Any]
    description: str = ""  # for screen readers, where it is not the same for all of a kind


class ChartTemplate(Generic[Asked, Kind]):
    """A chart as `build` makes it for a kind, with the parameters that `fill` gives an experiment.

    `finish` changes the spec of a kind for the page; notebooks get the chart without it.
    """

    def __init__(
        self,
        build: Callable[[Kind], alt.VConcatChart],
        fill: Callable[Asked, Filling[Kind]],
        finish: Callable[[Spec], Spec] = dict,
    ) -> None:
        self.build, self.fill, self.finish = build, fill, finish
        self._specs: dict[Kind, Spec] = {}

    def chart(self, *args: Asked.args, **kwargs: Asked.kwargs) -> alt.VConcatChart:
        """Build the chart anew, without data: `with_data` completes it."""
        filling = self.fill(*args, **kwargs)
        with BUILDING, debug_mode(False):  # a chart is validated where it becomes a dict
            chart = self.build(filling.kind)
        chart["params"] += variable_parameters(filling.parameters)
        if filling.description:
            chart.description = filling.description
        return chart

    def spec(self, *args: Asked.args, **kwargs: Asked.kwargs) -> Spec:
        """Return the chart as a Vega-Lite dict, to be sent many times and never changed."""
        filling = self.fill(*args, **kwargs)
        spec = self.spec_of_kind(filling.kind)
        values = [{"name": name, "value": value} for name, value in filling.parameters.items()]
        filled = spec | {"params": [*spec.get("params", ()), *values]}
        return filled | ({"description": filling.description} if filling.description else {})

    def spec_of_kind(self, kind: Kind) -> Spec:
        """Return the spec that all experiments of a kind share, built at the first call."""
        with BUILDING, debug_mode(False):
            if kind not in self._specs:
                # Tests validate every chart; here that would take most of the time.
                self._specs[kind] = self.finish(self.build(kind).to_dict(validate=False))
            return self._specs[kind]


def variable_parameters(values: Mapping[str, Any]) -> list[alt.VariableParameter]:
    """Return parameters of a chart with these values."""
    return [alt.VariableParameter(name=name, value=value) for name, value in values.items()]
