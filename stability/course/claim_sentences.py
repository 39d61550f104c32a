"""Sentences that say a claim with its numbers in them, which stand in braces.

`{loss[he_normal][end]}` stands for the number of an expression in the language of claims;
`{test_accuracy[each][end]:%}` writes it in percent, `{log10_norm[end]:10^}` as that power of ten,
and `{each}` stands for the scheme of which the claim is asked.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.course.claim_indices import EACH
from stability.course.claim_parser import Quantity, Side, parse_side
from stability.engine.replicates import median_of_finite
from stability.text import number, number_of_log10, percent, quote, rough_number

SPELLINGS: dict[str, Callable[[float], str]] = {
    "": rough_number,
    "%": percent,
    "10^": number_of_log10,
}
BRACES = re.compile(r"\{([^{}]*?)(?::(%|10\^))?\}")


@dataclass(frozen=True)
class Field:
    """A number in a sentence: an expression, and how its value is spelled, a key of SPELLINGS."""

    side: Side
    spelling: str

    def in_digits(self, value_of: Callable[[Quantity], Any]) -> str:
        """Return the median over the replicates."""
        values = np.ravel(self.side.value(value_of))
        median = float(values[0] if len(values) == 1 else median_of_finite(values, axis=0))
        return SPELLINGS[self.spelling](median) if np.isfinite(median) else number(median)


@dataclass(frozen=True)
class ClaimSentence:
    """A sentence of words, numbers, and None where the title of a scheme stands."""

    parts: tuple[str | Field | None, ...]

    @property
    def fields(self) -> Counter[Field | None]:
        """All that stands in braces, in any order: other languages have another one."""
        return Counter(part for part in self.parts if not isinstance(part, str))

    @property
    def quantities(self) -> list[Quantity]:
        """All quantities in the sentence, from left to right."""
        leaves = [leaf for field in self.fields if field for leaf in field.side.leaves]
        return [leaf for leaf in leaves if isinstance(leaf, Quantity)]

    def in_words(self, digits_of: Callable[[Field], str], title: str) -> str:
        """Return the sentence with its numbers, `title` standing for the scheme."""
        words = [digits_of(part) if isinstance(part, Field) else part for part in self.parts]
        return "".join(title if word is None else word for word in words)


def parse_sentence(text: str) -> ClaimSentence:
    """Read a sentence. ValueError names what stands in braces and cannot be read."""
    parts: list[str | Field | None] = []
    end = 0
    for braces in BRACES.finditer(text):
        parts.append(text[end : braces.start()])
        parts.append(None if braces[1] == EACH else read_field(*braces.groups()))
        end = braces.end()
    parts.append(text[end:])
    if any(isinstance(part, str) and {*part} & {*"{}"} for part in parts):
        raise ValueError(f"a brace without its partner in {quote(text)}")
    return ClaimSentence(tuple(parts))


def read_field(expression: str, spelling: str | None) -> Field:
    """Return the field of an expression. ValueError says what is wrong with it."""
    try:
        return Field(parse_side(expression), spelling or "")
    except ValueError as error:
        raise ValueError(f"{quote(expression)}: {error}") from None
