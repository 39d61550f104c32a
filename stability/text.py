"""How values are written for people and links, and numbers read back."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def quote(value: Any, most: int = 60) -> str:
    """A value as a reader may see it: quoted if a text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def parse_number(text: str) -> float:
    """The finite number that a text spells; NaN, which no bound admits, where it spells none."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def exact_number(value: float) -> str:
    """The shortest text that reads back as this number: 1, 0.02, 1e-12."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def did_you_mean(key: str | None, rows: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key or "", rows, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def number(value: float) -> str:
    """A measured number for a sentence: three digits."""
    return exact_number(float(f"{value:.3g}"))


def power_of_ten(exponent: float) -> str:
    """A power of ten for a sentence, whatever its size: 10^24.3."""
    return f"10^{round(float(exponent), 1) + 0.0}"


def superscript_powers(text: str) -> str:
    """Powers of ten for a chart, which knows no markup: 10⁻⁵·⁹."""
    return re.sub(r"\^(-?[\d.]+)", lambda power: power[1].translate(SUPERSCRIPTS), text)


def number_of_log10(exponent: float) -> str:
    """Ten to this power for a sentence, as a plain number where that is short: 1.75."""
    return number(10 ** float(exponent)) if abs(exponent) < 3 else power_of_ten(exponent)


def layer_range(layers: Sequence[int]) -> str:
    """`layer 3`, `layers 1 to 19`, or `3 layers between 2 and 9`."""
    first, last = int(layers[0]), int(layers[-1])
    if first == last:
        return f"layer {first}"
    if last - first + 1 == len(layers):
        return f"layers {first} to {last}"
    return f"{len(layers)} layers between {first} and {last}"


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def part(share: float) -> str:
    """A share that is neither nothing nor all is never written as 0 % or 100 %."""
    if 0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1 - 1e-6:  # a mean of many is 1 but for rounding
        return "more than 99 %"
    return percent(share) if share else "none"


def listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
