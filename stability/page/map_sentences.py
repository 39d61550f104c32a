"""The sentences about a map: what it shows, and how far it has come."""

from collections.abc import Sequence
from typing import Any

from stability.cells.cell import Cell
from stability.frames.maps import axis_label
from stability.records.sweep import Sweep
from stability.text import capitalize_first, duration, lower_first, number

PREFERRED_EXTREMES = "depth", "learning_rate"  # the setting of which the largest is named


def answer_sentence(sweep: Sweep, cells: Sequence[Cell]) -> str:
    """Return how many networks learn, and the largest value of an axis at which one does."""
    learned = sum(int(sum(cell.outcome.learns)) for cell in cells)
    networks = sum(len(cell.outcome.learns) for cell in cells)
    so_far = "" if len(cells) > sweep.length else "so far, "
    if not learned:
        none = f"none of {networks} networks learns ({sweep.base.phi.label})."
        return capitalize_first(so_far + none)
    count = f"all {networks}" if learned == networks > 1 else f"{learned} of {networks}"
    verb = "learns" if networks == 1 else "learn"
    return capitalize_first(f"{so_far}{count} networks {verb}; {extreme_clause(sweep, cells)}.")


def extreme_clause(sweep: Sweep, cells: Sequence[Cell]) -> str:
    """Return the largest value of an axis at which a network learns, and where on the other one."""
    names = {letter: getattr(sweep, letter) for letter in "xy"}
    preferred = [letter for name in PREFERRED_EXTREMES for letter in "yx" if names[letter] == name]
    letter, other = (preferred or ["y"])[0], {"x": "y", "y": "x"}
    learning = [cell for cell in cells if sum(cell.outcome.learns)]
    largest = max(getattr(cell, letter) for cell in learning)
    places = [getattr(c, other[letter]) for c in learning if getattr(c, letter) == largest]
    ends = dict.fromkeys(map(rounded, (min(places), max(places))))
    where = f"at {lower_first(axis_label(sweep, other[letter]))} {' to '.join(ends)}"
    if names[letter] == "depth":
        what = f"the deepest that learns has {rounded(largest)} layers"
    else:
        label = lower_first(axis_label(sweep, letter))
        what = f"the largest {label} at which one learns is {rounded(largest)}"
    return f"{what}, {where} ({sweep.base.phi.label})"


def rounded(value: float) -> str:
    """Return the value of a row or column; whole numbers as they are, others to three digits."""
    return number(value) if isinstance(value, float) else str(value)


def progress_words(stream: Any, is_cancelled: bool, remark: str) -> str:
    """Return how far a map has come: `120 of 400 cells, about 20 seconds left`."""
    count, total = len(stream.measurements), stream.last_index + 1
    if stream.finished:
        return f"all {total} cells, {duration(stream.seconds)} of computing"
    words = f"{count} of {total} cells"
    if is_cancelled:
        return f"{words}, stopped"
    if remark:
        return f"{words}, {remark}"
    return f"{words}, about {duration(stream.seconds_left)} left" if count else words
