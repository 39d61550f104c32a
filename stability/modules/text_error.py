"""The sentence about a text that cannot be read: where it stopped, and what should stand there."""

from stability.i18n import _
from stability.text import in_quotes

EXAMPLE_OF_SIZES = "784-512-512-10 relu he_normal"
EXAMPLE_OF_LAYERS = "Sequential((0): Linear(784, 10) (1): ReLU())"
MOST_QUOTED = 24  # characters of the text where it stopped


class TextError(ValueError):
    """A text that is no network of this page, or one that is too large for it."""

    def __init__(self, text: str, offset: int, reason: str, example: str = EXAMPLE_OF_SIZES):
        """`reason` says what is wrong, or what was expected, from character `offset` on."""
        before, there = text[:offset], text[offset : offset + 2 * MOST_QUOTED]
        line, column = before.count("\n") + 1, offset - before.rfind("\n")
        words = there.split("\n", 1)[0].rstrip()
        at = _("where the text ends")
        if words:
            at = _("at {words}").format(words=in_quotes(words, MOST_QUOTED))
        sentence = _("Line {line}, column {column}, {at}: {reason}.")
        if example:
            sentence = _("Line {line}, column {column}, {at}: {reason}; an example is {example}.")
        super().__init__(
            sentence.format(line=line, column=column, at=at, reason=reason, example=example)
        )
