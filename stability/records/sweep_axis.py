"""The axes of a map: which settings can be varied, over which range, and in which steps."""

import math
from dataclasses import dataclass
from typing import Any

from stability.catalogues.scheme_entry import Scheme
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.records.knobs import Integer, Knob, Number, Real
from stability.text import capitalize_first, exact_number, parse_number

SCHEME_VALUE = "scheme_value"  # the parameter of the one initialization, as of `normal:0.01`
SWEPT_SETTINGS = {SCHEME_VALUE: N_("Value of the initialization")} | {
    name: knob.label for name, knob in Experiment.knobs().items() if isinstance(knob, Number)
}
SCALES = {"": N_("As the setting is"), "linear": N_("Linear"), "log": N_("Log")}
FINENESS = 1000  # values are rounded to this part of the gap between neighbours
LOG_RATIO = 100  # of the ends of what is usual, from which on an axis is a log axis


@dataclass(frozen=True, kw_only=True)
class Interval(Knob):
    """A pair of numbers, the smaller first; the empty pair stands for what is usual."""

    def check(self, value: Any) -> tuple[float, ...]:
        ends = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        if any(isinstance(end, (bool, str)) for end in ends):
            raise ValueError(self.legal_values())
        try:
            ends = tuple(float(end) + 0.0 for end in ends)  # + 0.0 makes -0.0 a 0.0
        except (TypeError, ValueError, OverflowError):
            raise ValueError(self.legal_values()) from None
        if ends and not (len(ends) == 2 and -math.inf < ends[0] < ends[1] < math.inf):
            raise ValueError(self.legal_values())
        return ends

    def parse(self, text: str) -> tuple[float, ...]:
        return self.check([parse_number(part) for part in text.split(",")])

    def legal_values(self) -> str:
        return _("two numbers, the smaller first, as in 0.5,3")

    def spell(self, value: tuple[float, ...]) -> str:
        return ",".join(map(exact_number, value)) or _("what is usual")

    def title(self, value: tuple[float, ...]) -> str:
        return _("{low} to {high}").format(low=exact_number(value[0]), high=exact_number(value[1]))


@dataclass(frozen=True)
class SweepAxis:
    """One axis of a map: `count` values of a knob from `low` to `high`."""

    knob: Number
    low: float
    high: float
    count: int
    is_log: bool

    @property
    def values(self) -> tuple[float, ...]:
        """The values, ends included, evenly spaced, or in the log; integers are whole, each once.

        Values between the ends are rounded to a thousandth of the gap between neighbours.
        """
        shares = [index / (self.count - 1) for index in range(1, self.count - 1)]
        values = [self.low, *map(self._value_at, shares), self.high]
        if isinstance(self.knob, Integer):
            values = [round(value) for value in values]
        return tuple(dict.fromkeys(values))

    def _value_at(self, share: float) -> float:
        low, high = self.low, self.high
        if not self.is_log:
            value = low + share * (high - low)
            return round_by_gap(value, (high - low) / (self.count - 1))
        efolds = math.log(high) - math.log(low)
        value = math.exp(math.log(low) + share * efolds)
        value = round_by_gap(value, -value * math.expm1(-efolds / (self.count - 1)))
        return min(max(value, low), high)


def round_by_gap(value: float, gap: float) -> float:
    """Return a value rounded to the decimal place below FINENESS parts of the gap."""
    if gap < 1e-300:
        return value
    return round(value, math.ceil(math.log10(FINENESS / gap)))


def swept_knob(row: Scheme, name: str) -> Number:
    """Return the knob of a setting that a map varies; `row` is the initialization.

    ValueError if it is the value of an initialization that takes none.
    """
    if name != SCHEME_VALUE:
        knob = Experiment.knobs()[name]
        assert isinstance(knob, Number), f"{name} is no number"
        return knob
    if row.value is None:
        raise ValueError(_("{label} takes no value").format(label=row.label))
    return (Integer if row.integer_value else Real)(
        group="Compare", label=capitalize_first(row.value_name), help=row.summary,
        low=max(row.low, -1e6), high=1e6, usual=row.usual_values,
    )  # fmt: skip


def usual_is_log(knob: Number) -> bool:
    """True if an axis of this setting is a log axis unless one says otherwise."""
    low, high = knob.usual_range
    return low > 0 and (knob.log or high >= LOG_RATIO * low)
