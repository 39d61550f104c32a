"""What is shown of a run, as a link carries it beside the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from stability import knobs
from stability.experiment import Experiment, canonical
from stability.knobs import Choice, Knob, setting

QUANTITIES = {"signal": "Signal", "signal_gradient": "Signal gradient", "weight_gradient": "Weight gradient"}


@dataclass(frozen=True, kw_only=True)
class OneScheme(Knob):
    """A scheme, or nothing for the first of the experiment."""

    def check(self, value: Any) -> str:
        return canonical(value) if value else ""

    def legal(self) -> str:
        return "a scheme"


@dataclass(frozen=True)
class View:
    """Which scheme and which quantity the heat map shows."""

    # fmt: off
    heat_scheme: str = setting("", OneScheme, "Heat map", "Heat map of",
        "The scheme whose layers are shown step by step.")
    heat_quantity: str = setting("signal_gradient", Choice, "Heat map", "Quantity",
        "Blue has shrunk below 1, orange has grown above it, grey is exactly 0 or not finite.", rows=QUANTITIES)
    # fmt: on

    def __post_init__(self):
        knobs.check(self)

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> knobs.Disagreements:
        yield from ()

    def scheme(self, experiment: Experiment) -> str:
        """The scheme that is shown: the chosen one while it is in the experiment, else the first."""
        return self.heat_scheme if self.heat_scheme in experiment.schemes else experiment.schemes[0]


def to_query(experiment: Experiment, view: View) -> dict[str, str]:
    """One link for both."""
    return experiment.to_query() | knobs.to_query(view)


def from_query(query: Mapping[str, str]) -> tuple[Experiment, View, list[str]]:
    """Reads a link for both; the notes name what could not be taken as it was."""
    own = {field.name for field in fields(View)}
    view, notes = knobs.from_query(View, {name: text for name, text in query.items() if name in own})
    experiment, more = Experiment.from_query({name: text for name, text in query.items() if name not in own})
    return experiment, view, more + notes
