"""The sentences about a map: what it shows, and how far it has come."""

from collections.abc import Sequence
from typing import Any

from stability.cells.cell import Cell
from stability.frames.maps import axis_label
from stability.i18n import _, ngettext
from stability.records.sweep import Sweep
from stability.text import capitalize_first, duration, lower_first, number

PREFERRED_EXTREMES = "depth", "learning_rate"  # the setting of which the largest is named


def answer_sentence(sweep: Sweep, cells: Sequence[Cell]) -> str:
    """Return how many networks learn, and the largest value of an axis at which one does."""
    learned = sum(int(sum(cell.outcome.learns)) for cell in cells)
    networks = sum(len(cell.outcome.learns) for cell in cells)
    fields = {"learned": learned, "all": networks, "activation": sweep.base.phi.label}
    if not learned:
        sentence = _("none of {all} networks learns ({activation}).")
    elif learned == networks > 1:
        sentence = _("all {all} networks learn; {extreme}.")
    else:
        sentence = ngettext(
            "{learned} of {all} networks learns; {extreme}.",
            "{learned} of {all} networks learn; {extreme}.",
            networks,
        )
    extreme = extreme_clause(sweep, cells) if learned else ""
    sentence = sentence.format(**fields, extreme=extreme)
    if len(cells) <= sweep.length:
        sentence = _("so far, {sentence}").format(sentence=sentence)
    return capitalize_first(sentence)


def extreme_clause(sweep: Sweep, cells: Sequence[Cell]) -> str:
    """Return the largest value of an axis at which a network learns, and where on the other one."""
    names = {letter: getattr(sweep, letter) for letter in "xy"}
    preferred = [letter for name in PREFERRED_EXTREMES for letter in "yx" if names[letter] == name]
    letter, other = (preferred or ["y"])[0], {"x": "y", "y": "x"}
    learning = [cell for cell in cells if sum(cell.outcome.learns)]
    largest = max(getattr(cell, letter) for cell in learning)
    places = [getattr(c, other[letter]) for c in learning if getattr(c, letter) == largest]
    ends = dict.fromkeys(map(rounded, (min(places), max(places))))
    fields = {
        "largest": rounded(largest),
        "label": lower_first(axis_label(sweep, letter)),
        "other": lower_first(axis_label(sweep, other[letter])),
        "activation": sweep.base.phi.label,
    }
    clause = _(
        "the largest {label} at which one learns is {largest}, at {other} {values} ({activation})"
    )
    if names[letter] == "depth":
        clause = _(
            "the deepest that learns has {largest} layers, at {other} {values} ({activation})"
        )
    low, *_between, high = [*ends] * 2
    values = _("{low} to {high}").format(low=low, high=high) if low != high else low
    return clause.format(values=values, **fields)


def rounded(value: float) -> str:
    """Return the value of a row or column; whole numbers as they are, others to three digits."""
    return number(value) if isinstance(value, float) else str(value)


def progress_words(stream: Any, is_cancelled: bool, remark: str) -> str:
    """Return how far a map has come: `120 of 400 cells, about 20 seconds left`."""
    count, total = len(stream.measurements), stream.last_index + 1
    if stream.finished:
        done = _("all {total} cells, {duration} of computing")
        return done.format(total=total, duration=duration(stream.seconds))
    words = _("{count} of {total} cells").format(count=count, total=total)
    if is_cancelled:
        return _("{words}, stopped").format(words=words)
    if remark:
        return _("{words}, {remark}").format(words=words, remark=remark)
    left = _("{words}, about {duration} left")
    return left.format(words=words, duration=duration(stream.seconds_left)) if count else words
