"""Tables of log-odds, from which probabilities are read: fitted by `tests/audit.py fit`.

A table adds up, for each outcome, what every number and every choice contributes: an additive
logistic regression. Each contribution is a curve through a few knots, flat beyond the last one.
"""

import json
import math
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

Curve = tuple[tuple[float, ...], tuple[float, ...]]  # knots, and the log-odds at each of them


@dataclass(frozen=True)
class OddsTable:
    """The log-odds of one outcome: a base, a curve for each number, a term for each choice."""

    base: float
    curves: Mapping[str, Curve]
    choices: Mapping[str, Mapping[str, float]]  # by setting, then by value

    def log_odds(self, numbers: Mapping[str, float], choices: Mapping[str, str]) -> float:
        """Return the sum of all contributions; what the table does not know contributes nothing."""
        curves = sum(
            interpolate(numbers[name], *curve)
            for name, curve in self.curves.items()
            if name in numbers
        )
        terms = (self.choices.get(name, {}).get(value, 0.0) for name, value in choices.items())
        return self.base + curves + sum(terms)


def interpolate(x: float, knots: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Return what numpy.interp does, for one number: a tenth of the time."""
    right = bisect(knots, x)
    if not 0 < right < len(knots):
        return values[min(right, len(knots) - 1)]
    low, high = knots[right - 1], knots[right]
    return values[right - 1] + (values[right] - values[right - 1]) * (x - low) / (high - low)


@lru_cache
def odds_tables(name: str) -> Mapping[str, OddsTable]:
    """Return the tables of one file beside this module, by outcome."""
    text = (files("stability.diagnosis") / f"{name}.json").read_text("utf-8")
    return {
        outcome: OddsTable(
            table["base"],
            {key: (tuple(knots), tuple(odds)) for key, (knots, odds) in table["curves"].items()},
            table["choices"],
        )
        for outcome, table in json.loads(text).items()
    }


def shares(log_odds: Mapping[str, float]) -> dict[str, float]:
    """Return the probabilities of outcomes that exclude each other, which add up to 1."""
    highest = max(log_odds.values())
    weights = {outcome: math.exp(value - highest) for outcome, value in log_odds.items()}
    total = sum(weights.values())
    return {outcome: weight / total for outcome, weight in weights.items()}
