"""A conclusion about one scheme, before it becomes a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A verdict on some evidence: its word, a sentence, and the number that decided.

    `cure` are settings that remove the cause where it is certain, the best first;
    `needs_other_start`: only another initialization does; `needs_shorter_steps`: what makes the
    steps of training shorter does.
    """

    word: str
    sentence: str
    number: float
    cure: tuple[Mapping[str, Any], ...] = ()
    needs_other_start: bool = False
    needs_shorter_steps: bool = False
    reason: str = ""  # of a disease: the evidence for it, as a clause
