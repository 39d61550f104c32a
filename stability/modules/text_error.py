"""The sentence about a text that cannot be read: where it stopped, and what should stand there."""

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
        quoted = f"at {in_quotes(words, MOST_QUOTED)}" if words else "where the text ends"
        hint = f"; an example is {example}" if example else ""
        super().__init__(f"Line {line}, column {column}, {quoted}: {reason}{hint}.")
