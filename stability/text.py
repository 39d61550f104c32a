"""How numbers, lists of words and quoted values are spelled for people and in links.

Sentences are plain ASCII (`4e-9`, `10^-12.5`): the page's HTML sets the minus signs and raises the
powers, and charts, which know no markup, use `superscript_powers`.
"""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from stability.i18n import _, ngettext

SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def number(value: float, digits: int = 3) -> str:
    """Return a measured number, rounded: 2.81, 1200, 1.2e-5, NaN, inf.

    Powers of ten are written from a million on and below 1e-4.
    """
    rounded = float(f"{value:.{digits}g}")
    if math.isnan(rounded):
        return "NaN"
    if rounded == 0 or math.isinf(rounded) or 1e-4 <= abs(rounded) < 1e6:
        return exact_number(rounded)
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{exact_number(float(mantissa))}e{int(exponent)}"


def rough_number(value: float) -> str:
    """Return a number to two digits, far from 1 only its power of ten: 2.8, 4e-9, 1e14."""
    if value and math.isfinite(value) and not 1e-12 < abs(value) < 1e6:
        return f"1e{round(math.log10(abs(value)))}"
    return number(value, 2)


def exact_number(value: float) -> str:
    """Return the shortest text that reads back as this number: 1, 0.02, 1e-5, 3.5e14."""
    text = repr(value)
    if text.endswith("000000.0") or "e+" in text:
        text = str(Decimal(text).normalize()).lower().replace("+", "")
    return text.removesuffix(".0").replace("e-0", "e-")


def power_of_ten(exponent: float) -> str:
    """Return ten to this power as text, which no exponent overflows: 10^24.3."""
    return f"10^{round(float(exponent), 1) + 0.0}"  # + 0.0 makes -0.0 a 0.0


def number_of_log10(exponent: float) -> str:
    """Return ten to this power as a plain number where that is short, else as a power: 1.75."""
    return number(10 ** float(exponent)) if abs(exponent) < 3 else power_of_ten(exponent)


def percent(share: float) -> str:
    """Return a share in whole percents: 47 %."""
    return f"{share:.0%}".replace("%", " %")


def share_in_words(share: float) -> str:
    """Return a share in percent; only exact shares read "none" and 100 %."""
    if 0 < share < 0.01:
        return _("less than 1 %")
    if 0.99 < share < 1 - 1e-6:  # closer to 1 is rounding of a mean
        return _("more than 99 %")
    return percent(share) if share else _("none")


def duration(seconds: float) -> str:
    """Return a rough time in the unit that a reader would choose: 45 seconds, 3 hours."""
    lengths = (1, 90), (60, 90), (3600, 36), (86400, math.inf)  # of the unit, and how many at most
    length = next(length for length, most in lengths if seconds <= most * length)
    count = max(1, round(seconds / length))
    units = {
        1: ngettext("{count} second", "{count} seconds", count),
        60: ngettext("{count} minute", "{count} minutes", count),
        3600: ngettext("{count} hour", "{count} hours", count),
        86400: ngettext("{count} day", "{count} days", count),
    }
    return units[length].format(count=count)


def latex_number(value: float, digits: int = 3) -> str:
    r"""Return a number for a formula: 0.02, 1.2 \cdot 10^{-5}."""
    mantissa, _, exponent = number(value, digits).partition("e")
    return rf"{mantissa} \cdot 10^{{{exponent}}}" if exponent else mantissa


def superscript_powers(text: str) -> str:
    """Return the text with its powers raised, for a chart, which knows no markup: 10⁻⁵·⁹."""
    return re.sub(r"\^(-?[\d.]+)", lambda power: power[1].translate(SUPERSCRIPTS), text)


def typographic_minus(text: str) -> str:
    """Return a number's text with minus signs as wide as a digit, and none before a rounded 0."""
    if "inf" in text or any(letter in "123456789" for letter in text):
        return text.replace("-", "−")
    return text.removeprefix("-")


def join_words(words: Sequence[str], last: str = "and") -> str:
    """Return the words as a list within a sentence: a, b and c, or with `last` "or" a, b or c."""
    if len(words) < 2:
        return "".join(words)
    pairs = {"and": _("{first} and {last}"), "or": _("{first} or {last}")}
    return pairs[last].format(first=_(", ").join(words[:-1]), last=words[-1])


def join_sentences(*sentences: str) -> str:
    """Return sentences as one text; a Chinese full stop is its own space."""
    text = ""
    for sentence in filter(None, sentences):
        text += f" {sentence}" if text and text[-1].isascii() else sentence
    return text


def behind_label(label: str, text: str) -> str:
    """Return a text behind the label of what it describes."""
    return _("{label}: {text}").format(label=label, text=text)


def first_few(sentences: Sequence[str], most: int) -> list[str]:
    """Return so many of the sentences at most, and how many more there are."""
    left = len(sentences) - most
    return (
        [*sentences[:most], _("And {left} more.").format(left=left)]
        if left > 0
        else list(sentences)
    )


def capitalize_first(text: str) -> str:
    """Return the text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Return the text with a small first letter, the rest as it is."""
    return text[:1].lower() + text[1:]


def layer_range(layers: Sequence[int]) -> str:
    """Return `layer 3`, `layers 1 to 19`, or `3 layers between 2 and 9`."""
    first, last = int(layers[0]), int(layers[-1])
    if first == last:
        return _("layer {layer}").format(layer=first)
    if last - first + 1 == len(layers):
        return _("layers {first} to {last}").format(first=first, last=last)
    among = _("{count} layers between {first} and {last}")
    return among.format(count=len(layers), first=first, last=last)


def quote(value: object, most: int = 60) -> str:
    """Return a value for a reader: a string in quotes, a long value cut off."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def in_quotes(text: str, most: int = 60) -> str:
    """Return what a visitor wrote, in quotes and on one line; a long text is cut off."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"“{text}”" if len(text) <= most else f"“{text[: most - 1]}…”"


def parse_number(text: str) -> float:
    """Return the finite number that a text spells, else NaN, which lies within no bounds."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def did_you_mean(key: str | None, keys: Iterable[str]) -> str:
    """Return ` (did you mean relu?)` for the nearest key, or nothing where none is near."""
    near = difflib.get_close_matches(key or "", list(keys), n=1)
    return _(" (did you mean {near}?)").format(near=near[0]) if near else ""
