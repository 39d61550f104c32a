"""Text made safe for HTML and for Markdown, with the powers of ten in it raised."""

import re
from collections.abc import Iterable
from html import escape

# The beginnings of links, of `:smile:` and `:material/home:`, and of `->`, `<=` and the like.
REPLACED = (
    r"(?i)https?(?=:)|www(?=\.)|@|:(?=[\w/+-]+:)"
    r"|(?<!\S)<(?=->(?!\S))|(?<!\S)[-<>~](?=[->=](?!\S))"
)
FORMULA_AND_PUNCTUATION = r"(?<!\\)\$([^$]+)\$([，。；：、！？）”]+)"


def sentence_html(sentence: str) -> str:
    """Return a sentence as HTML: raised powers of ten, and no line break in 3e-5 or 8 %."""

    def raise_power(power: re.Match[str]) -> str:
        return f"<sup>{power[1].replace('-', '−')}</sup>"

    sentence = re.sub(r"(?<=\d)e-(?=\d)", "e−", sentence)
    sentence = re.sub(r"(?<=\d) (?=%)", "\u00a0", sentence)
    return re.sub(r"\^(-?[\d.]*\d)", raise_power, escape(sentence))


def sentences_html(sentences: Iterable[str]) -> str:
    """Return sentences as paragraphs of HTML."""
    return "".join(f"<p class='said'>{sentence_html(sentence)}</p>" for sentence in sentences)


def keep_punctuation(markdown: str) -> str:
    """Return Markdown in which no line begins with the Chinese punctuation after a formula.

    A browser may break a line beside a formula, whatever stands there; only what is within it stays
    with its last letter. There it has the size of the text. A space of no width keeps apart what
    the next formula begins with: two dollars would begin a formula of another kind.
    """
    kept = re.sub(FORMULA_AND_PUNCTUATION, r"$\1{\\footnotesize\\text{\2}}$", markdown)
    return kept.replace("}}$$", "}}$\u200b$")


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is.

    A word joiner, which has no width, breaks up what Markdown would turn into a link, and what
    Streamlit would turn into a picture or an arrow even where it is escaped.
    """
    text = re.sub(REPLACED, "\\g<0>\u2060", text)
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|$:~^" else letter for letter in text
    )
